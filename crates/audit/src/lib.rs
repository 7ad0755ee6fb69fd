//! The audit log of a platform: what happened, in an order that nobody can change unnoticed.
//!
//! | module | one sentence |
//! |---|---|
//! | [`entry`] | one thing that happened, and its only encoding |
//! | [`record`] | entries as bytes of a file, each bound to all before it |
//! | [`sign`] | the platforms' signing keys, and what a signature is over |
//! | [`head_exchange`] | both platforms' heads at one moment, signed by both |
//! | [`mod@verify`] | checks a whole log, names the first bad entry, compares two platforms' logs |
//! | [`export`] | entries as lines of JSON |
//!
//! An entry's hash is BLAKE3 over its body, which holds the hash of the entry before it. So the
//! newest hash, the *head*, stands for the whole log. A platform that owns its file could still
//! write all of it anew: therefore both sign each other's heads at every phase of a job, and
//! each keeps the other's signature. What this does not do: show that an entry is true. It shows
//! that it was written then and has not been changed since.

pub mod entry;
pub mod export;
pub mod head_exchange;
pub mod record;
pub mod sign;
pub mod verify;

mod error;
#[cfg(test)]
mod vectors_tests;

pub use entry::{Entry, Kind, Value};
pub use error::AuditError;
pub use head_exchange::HeadExchange;
pub use record::{Chain, Head};
pub use sign::{PublicKey, Signature, Signer};
pub use verify::{Finding, Verified, compare, verify};
