//! What a caller or a peer can get wrong.

/// Everything this crate reports.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LatticeError {
    /// Peer or caller: another number of values than the place holds.
    #[error("{actual} values where {expected} belong")]
    Length {
        /// As many belong there.
        expected: usize,
        /// As many came.
        actual: usize,
    },
    /// Peer or caller: a code of more bits than agreed.
    #[error("the code at place {index} has more than {bits} bits")]
    CodeTooWide {
        /// Its place.
        index: usize,
        /// Bits of a code.
        bits: u32,
    },
    /// Caller: a number out of its range.
    #[error("{what} is {actual}; it must lie between {least} and {most}")]
    OutOfRange {
        /// Which number.
        what: &'static str,
        /// Its value.
        actual: u64,
        /// Smallest that is allowed.
        least: u64,
        /// Largest that is allowed.
        most: u64,
    },
}
