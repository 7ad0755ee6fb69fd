//! Mutual TLS: what we present, whom we believe, who may do what.

mod authorize;
mod material;

pub use authorize::{Authorize, Caller};
pub use material::{TlsError, TlsMaterial};
