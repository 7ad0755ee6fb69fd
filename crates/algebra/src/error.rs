//! What can go wrong with numbers and bytes.

/// Errors of this crate. `Length`, `Padding` and `ValueOutOfRing` are the ones that bytes from
/// a peer can cause; the others are a caller's.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AlgebraError {
    /// ℓ must lie in 32..=48.
    #[error("ring of {actual} bits, expected 32 to 48")]
    RingBits {
        /// The ℓ asked for.
        actual: u32,
    },
    /// Two shapes that must agree do not.
    #[error("{what}: expected {expected}, got {actual}")]
    Shape {
        /// Which dimension.
        what: &'static str,
        /// What was needed.
        expected: usize,
        /// What was given.
        actual: usize,
    },
    /// A value is not below 2^bits.
    #[error("value {index} does not fit {bits} bits")]
    ValueOutOfRing {
        /// The permitted width.
        bits: u32,
        /// Position of the first such value.
        index: usize,
    },
    /// A packed field's byte length is wrong.
    #[error("expected {expected} packed bytes, got {actual}")]
    Length {
        /// Bytes for this count and width.
        expected: usize,
        /// Bytes given.
        actual: usize,
    },
    /// Bits behind the last packed value are not zero.
    #[error("padding bits behind the last packed value are not zero")]
    Padding,
    /// No scale fits: L·u_max·2^guard is not below 2^(ℓ−1) even without fractional bits.
    #[error(
        "overflow: row norm bound {row_norm_bound} times u_max {u_max} with {guard_bits} guard \
         bits does not fit a ring of {ring_bits} bits"
    )]
    Range {
        /// L, in integer units of Y.
        row_norm_bound: u64,
        /// The bound on |u|.
        u_max: f64,
        /// Guard bits asked for.
        guard_bits: u32,
        /// ℓ.
        ring_bits: u32,
    },
    /// u_max is not a positive finite number.
    #[error("u_max must be positive and finite, got {actual}")]
    Bound {
        /// What was given.
        actual: f64,
    },
    /// u_max is less than one unit at the largest scale that fits: everything would become zero.
    #[error(
        "u_max {u_max} is below one unit of the encoding, 2^-{scale_bits}: everything would become zero"
    )]
    BelowUnit {
        /// The bound on |u|.
        u_max: f64,
        /// f_u, the largest scale that fits.
        scale_bits: u32,
    },
    /// The operating system gave no entropy.
    #[error("no entropy from the operating system: {source}")]
    Entropy {
        /// Its reason.
        source: getrandom::Error,
    },
}
