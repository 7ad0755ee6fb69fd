//! Mutual TLS: what we present, whom we believe, who may do what.

mod admitted;
mod authorize;
mod configs;
mod identity;
mod itself;
mod judged;
mod material;
mod pins;
mod revocations;
mod signer;

pub use admitted::Admitted;
pub use authorize::{Authorize, Caller};
pub use configs::Clients;
pub use identity::{Identity, Presented};
pub use judged::Judged;
pub use material::{TlsError, TlsMaterial, refuse_exposed};
pub use pins::PinSource;
pub use revocations::Revocations;
pub use signer::{SignerError, load as load_signer};

#[cfg(test)]
mod attack_tests;
#[cfg(test)]
mod handshake_tests;
