//! Byte strings of fixed length.

use crate::{WireError, field};

/// A 32-byte digest.
///
/// # Errors
/// [`WireError::Length`].
pub fn digest_of(name: &'static str, bytes: &[u8]) -> Result<[u8; 32], WireError> {
    field::array(name, bytes)
}

/// One side's 32-byte half of a seed or key that both make together.
///
/// # Errors
/// [`WireError::Length`].
pub fn half_of(name: &'static str, bytes: &[u8]) -> Result<[u8; 32], WireError> {
    field::array(name, bytes)
}
