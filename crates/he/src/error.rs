//! What can go wrong in the scheme.

use s3rec_algebra::AlgebraError;

/// Errors of this crate. `Packing` is what bytes from a peer can cause; the others are a
/// caller's or a configuration's.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HeError {
    /// N is not a power of two between 16 and 8192.
    #[error("polynomial size {actual}, expected a power of two from 16 to 8192")]
    PolynomialSize {
        /// The N asked for.
        actual: usize,
    },
    /// κN lies outside 5120..=8192.
    #[error("lattice dimension {actual}, expected 5120 to 8192")]
    LatticeDimension {
        /// The κN asked for.
        actual: usize,
    },
    /// b is not the one that the noise formula gives for κN.
    #[error("noise of {actual} bits, the formula gives {expected}")]
    NoiseBits {
        /// The pinned b.
        expected: u32,
        /// The b asked for.
        actual: u32,
    },
    /// More low bits dropped from a body than ever fit the inequality.
    #[error("{actual} dropped body bits, at most {maximum} permitted")]
    DroppedBodyBits {
        /// The largest t.
        maximum: u32,
        /// The t asked for.
        actual: u32,
    },
    /// Two shapes or parameter sets that must agree do not.
    #[error("{what}: expected {expected}, got {actual}")]
    Shape {
        /// Which quantity.
        what: &'static str,
        /// What was needed.
        expected: usize,
        /// What was given.
        actual: usize,
    },
    /// A weight row is too heavy for exact accumulation.
    #[error("row {row} has an absolute weight sum of 2^31 or more")]
    RowNorm {
        /// The row.
        row: usize,
    },
    /// A packed field is truncated, trailing or padded with ones.
    #[error(transparent)]
    Packing(#[from] AlgebraError),
}

impl HeError {
    pub(crate) fn check(what: &'static str, expected: usize, actual: usize) -> Result<(), Self> {
        if expected == actual {
            return Ok(());
        }
        Err(Self::Shape {
            what,
            expected,
            actual,
        })
    }
}
