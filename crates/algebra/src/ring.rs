//! The ring Z_{2^ℓ}.

use serde::{Deserialize, Serialize};

use crate::AlgebraError;

/// The ring Z_{2^ℓ}, 32 ≤ ℓ ≤ 48, its elements held as `u64` below 2^ℓ.
///
/// Arithmetic wraps in `u64` and is reduced by [`RingBits::reduce`] when it matters: because
/// 2^ℓ divides 2^64, intermediate results need no reduction. Protocol page, section 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct RingBits(u32);

impl RingBits {
    /// The smallest ℓ.
    pub const MIN: u32 = 32;
    /// The largest ℓ.
    pub const MAX: u32 = 48;

    /// The ring of `bits` bits.
    ///
    /// # Errors
    /// [`AlgebraError::RingBits`] outside 32..=48.
    pub const fn new(bits: u32) -> Result<Self, AlgebraError> {
        if bits < Self::MIN || bits > Self::MAX {
            return Err(AlgebraError::RingBits { actual: bits });
        }
        Ok(Self(bits))
    }

    /// ℓ.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// 2^ℓ − 1.
    #[must_use]
    pub const fn mask(self) -> u64 {
        u64::MAX >> (u64::BITS - self.0)
    }

    /// The element congruent to `value`.
    #[must_use]
    pub const fn reduce(self, value: u64) -> u64 {
        value & self.mask()
    }

    /// The element congruent to a signed integer.
    #[must_use]
    pub const fn from_signed(self, value: i64) -> u64 {
        self.reduce(value.cast_unsigned())
    }

    /// The representative in −2^(ℓ−1) .. 2^(ℓ−1).
    #[must_use]
    pub const fn to_signed(self, element: u64) -> i64 {
        let unused = u64::BITS - self.0;
        (element << unused).cast_signed() >> unused
    }
}

impl TryFrom<u32> for RingBits {
    type Error = AlgebraError;

    fn try_from(bits: u32) -> Result<Self, AlgebraError> {
        Self::new(bits)
    }
}

impl From<RingBits> for u32 {
    fn from(ring: RingBits) -> u32 {
        ring.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_refused_outside() {
        for bits in [0, 31, 49, 64, u32::MAX] {
            assert_eq!(
                RingBits::new(bits),
                Err(AlgebraError::RingBits { actual: bits })
            );
        }
        assert_eq!(RingBits::new(32).unwrap().mask(), 0xffff_ffff);
        assert_eq!(RingBits::new(48).unwrap().mask(), 0xffff_ffff_ffff);
    }

    #[test]
    fn signed_values_survive() {
        for bits in 32..=48 {
            let ring = RingBits::new(bits).unwrap();
            let half = 1i64 << (bits - 1);
            for value in [0, 1, -1, half - 1, -half, 12345, -98765] {
                assert_eq!(ring.to_signed(ring.from_signed(value)), value);
                assert!(ring.from_signed(value) <= ring.mask());
            }
            assert_eq!(ring.to_signed(ring.from_signed(half)), -half);
        }
    }
}
