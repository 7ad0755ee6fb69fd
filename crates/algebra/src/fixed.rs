//! Fixed point: real factors into the ring, products out of it.

use crate::{AlgebraError, RealMatrix, RingBits, RingMatrix};

/// How many values [`FixedPoint::encode`] had to clip. P0's own log only: never sent, for no
/// party's visible behaviour may depend on values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Saturations(pub u64);

/// The encoding of U: |u| ≤ u_max as integers at scale 2^(f_u + guard), multiples of 2^guard.
///
/// Made by [`FixedPoint::fit`], which proves that no product of a row with
/// ‖y‖₁ ≤ `row_norm_bound` leaves the ring. With guard bits the result, exact to within
/// 1 ulp, is rounded to the nearest multiple of 2^guard and so is exact. Section 2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FixedPoint {
    ring: RingBits,
    scale_bits: u32,
    guard_bits: u32,
    u_max: f64,
}

impl FixedPoint {
    /// The most fractional bits that are ever used.
    pub const MAX_SCALE_BITS: u32 = 16;

    /// The largest scale f_u ≤ 16 with L·u_max·2^(f_u + guard) < 2^(ℓ−1).
    ///
    /// # Errors
    /// [`AlgebraError::Bound`] when u_max is not positive and finite, [`AlgebraError::Range`]
    /// when not even f_u = 0 fits, [`AlgebraError::BelowUnit`] when nothing but zero is within
    /// u_max at the scale that fits: the job is to be refused before any data moves.
    pub fn fit(
        ring: RingBits,
        row_norm_bound: u64,
        u_max: f64,
        guard_bits: u32,
    ) -> Result<Self, AlgebraError> {
        if !(u_max.is_finite() && u_max > 0.0) {
            return Err(AlgebraError::Bound { actual: u_max });
        }
        let fitting = (0..=Self::MAX_SCALE_BITS)
            .rev()
            .map(|scale_bits| Self {
                ring,
                scale_bits,
                guard_bits,
                u_max,
            })
            .find(|fixed| fixed.fits(row_norm_bound))
            .ok_or(AlgebraError::Range {
                row_norm_bound,
                u_max,
                guard_bits,
                ring_bits: ring.bits(),
            })?;
        if fitting.largest() >= 1.0 {
            return Ok(fitting);
        }
        Err(AlgebraError::BelowUnit {
            u_max,
            scale_bits: fitting.scale_bits,
        })
    }

    /// The largest encoded magnitude, ⌊u_max·2^f_u⌋ units.
    fn largest(&self) -> f64 {
        (self.u_max * f64::from(self.scale_bits).exp2()).floor()
    }

    /// Whether every product under this row norm bound stays in the ring, with one unit to
    /// spare for the protocol's last-place error.
    #[must_use]
    pub fn fits(&self, row_norm_bound: u64) -> bool {
        let largest = (self.u_max * f64::from(self.scale_bits).exp2()).ceil();
        // 2^48 is beyond every ring, so a larger bound need not be represented exactly.
        if largest < 1.0 || largest >= 48f64.exp2() || self.guard_bits >= RingBits::MIN {
            return false;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an integer between 1 and 2^48 by the check above"
        )]
        let largest = largest as u128;
        let product = u128::from(row_norm_bound)
            .checked_mul(largest << self.guard_bits)
            .and_then(|product| product.checked_add(1));
        product.is_some_and(|product| product < 1 << (self.ring.bits() - 1))
    }

    /// The ring of the encoded values.
    #[must_use]
    pub fn ring(&self) -> RingBits {
        self.ring
    }

    /// f_u, the fractional bits of U that survive.
    #[must_use]
    pub fn scale_bits(&self) -> u32 {
        self.scale_bits
    }

    /// Low bits kept zero in U and rounded away from the product.
    #[must_use]
    pub fn guard_bits(&self) -> u32 {
        self.guard_bits
    }

    /// The public bound on |u|.
    #[must_use]
    pub fn u_max(&self) -> f64 {
        self.u_max
    }

    /// `round(u·2^f_u)·2^guard` in the ring, clipped at ±⌊u_max·2^f_u⌋. Not a number becomes 0
    /// and counts as clipped.
    #[must_use]
    pub fn encode(&self, user_factors: &RealMatrix) -> (RingMatrix, Saturations) {
        let scale = f64::from(self.scale_bits).exp2();
        let largest = self.largest();
        let mut saturations = Saturations::default();
        let values = user_factors
            .values()
            .iter()
            .map(|&u| {
                let rounded = (u * scale).round();
                let kept = if rounded.is_nan() {
                    0.0
                } else {
                    rounded.clamp(-largest, largest)
                };
                saturations.0 += u64::from(kept != rounded);
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "|kept| is below 2^48: `fit` checked the bound"
                )]
                let integer = kept as i64;
                self.ring.from_signed(integer << self.guard_bits)
            })
            .collect();
        let encoded = RingMatrix::reduced(
            self.ring,
            user_factors.rows(),
            user_factors.columns(),
            values,
        )
        // Unwrap safety: one value for each value of `user_factors`.
        .expect("same shape");
        (encoded, saturations)
    }

    /// Rounds a product to the nearest multiple of 2^guard, which removes the protocol's
    /// last-place error: all protocols then agree bit for bit.
    pub fn round_guard(&self, product: &mut RingMatrix) {
        if self.guard_bits == 0 {
            return;
        }
        let half = 1u64 << (self.guard_bits - 1);
        let keep = !((1u64 << self.guard_bits) - 1);
        product.map(|value| value.wrapping_add(half) & keep);
    }

    /// Y·U as reals from the product over the ring, Y having scale 2^`weight_bits`. Rounds as
    /// [`Self::round_guard`] does (twice is the same as once).
    #[must_use]
    pub fn decode_product(&self, product: &RingMatrix, weight_bits: u32) -> RealMatrix {
        let mut rounded = product.clone();
        self.round_guard(&mut rounded);
        let scale = (-f64::from(self.scale_bits + self.guard_bits + weight_bits)).exp2();
        let values = rounded
            .values()
            .iter()
            .map(|&value| {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "below 2^47, which f64 holds exactly"
                )]
                let signed = self.ring.to_signed(value) as f64;
                signed * scale
            })
            .collect();
        RealMatrix::from_vec(product.rows(), product.columns(), values)
            // Unwrap safety: one value for each value of `product`.
            .expect("same shape")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(bits: u32) -> RingBits {
        RingBits::new(bits).unwrap()
    }

    #[test]
    fn fit_takes_the_largest_scale_below_the_bound() {
        // 2·L·u_max·2^guard = 2^(12 + f): f = 16 fits 32 bits with room, L = 2^15 does not.
        let fixed = FixedPoint::fit(ring(32), 512, 1.0, 2).unwrap();
        assert_eq!(fixed.scale_bits(), 16);
        let fixed = FixedPoint::fit(ring(32), 1 << 15, 1.0, 2).unwrap();
        // L·u_max·2^(f+2) < 2^31 ⇒ f < 14: equality must be refused.
        assert_eq!(fixed.scale_bits(), 13);
        let fixed = FixedPoint::fit(ring(48), 1 << 15, 8.0, 2).unwrap();
        assert_eq!(fixed.scale_bits(), 16);
    }

    #[test]
    fn overflow_and_bad_bounds_are_refused() {
        assert!(matches!(
            FixedPoint::fit(ring(32), 1 << 31, 1.0, 0),
            Err(AlgebraError::Range { .. })
        ));
        assert!(matches!(
            FixedPoint::fit(ring(32), u64::MAX, 1.0, 2),
            Err(AlgebraError::Range { .. })
        ));
        for u_max in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(
                FixedPoint::fit(ring(32), 1, u_max, 2),
                Err(AlgebraError::Bound { .. })
            ));
        }
        assert!(FixedPoint::fit(ring(32), 1, 1e300, 2).is_err());
        assert!(FixedPoint::fit(ring(32), 1, 1.0, 40).is_err());
    }

    #[test]
    fn a_bound_below_one_unit_is_refused() {
        // f_u is 16 where the ring allows it, so that one unit is 2^-16.
        let unit = (-16f64).exp2();
        let fixed = FixedPoint::fit(ring(32), 1, unit, 2).unwrap();
        let u = RealMatrix::from_vec(1, 2, vec![1.0, -unit]).unwrap();
        let (encoded, saturations) = fixed.encode(&u);
        assert_eq!(saturations, Saturations(1));
        assert_eq!(fixed.decode_product(&encoded, 0).values(), [unit, -unit]);
        for u_max in [unit * 0.999, 1e-9, f64::MIN_POSITIVE] {
            let refused = FixedPoint::fit(ring(32), 1, u_max, 2);
            let scale_bits = 16;
            assert_eq!(refused, Err(AlgebraError::BelowUnit { u_max, scale_bits }));
        }
        // A large row norm leaves a coarser unit, which the bound must not be below either.
        assert!(matches!(
            FixedPoint::fit(ring(32), 1 << 28, 0.4, 2),
            Err(AlgebraError::BelowUnit { scale_bits: 1, .. })
        ));
    }

    #[test]
    fn encode_clips_and_counts() {
        let fixed = FixedPoint::fit(ring(32), 16, 2.0, 2).unwrap();
        let u = RealMatrix::from_vec(1, 6, vec![0.5, -0.5, 2.0, 2.5, -99.0, f64::NAN]).unwrap();
        let (encoded, saturations) = fixed.encode(&u);
        assert_eq!(saturations, Saturations(3));
        let decoded = fixed.decode_product(&encoded, 0);
        assert_eq!(decoded.values(), [0.5, -0.5, 2.0, 2.0, -2.0, 0.0]);
    }

    #[test]
    fn the_guard_absorbs_one_unit_either_way() {
        let fixed = FixedPoint::fit(ring(40), 1000, 4.0, 2).unwrap();
        let u = RealMatrix::from_vec(1, 4, vec![0.0, 1.25, -1.25, -4.0]).unwrap();
        let (exact, _) = fixed.encode(&u);
        for error in [-1i64, 0, 1] {
            let off = exact
                .values()
                .iter()
                .map(|&value| value.wrapping_add(error.cast_unsigned()))
                .collect();
            let mut off = RingMatrix::reduced(ring(40), 1, 4, off).unwrap();
            fixed.round_guard(&mut off);
            assert_eq!(off, exact);
        }
    }

    #[test]
    fn extreme_products_stay_in_the_ring() {
        for (bits, norm) in [(32, 236u64), (32, 5262), (40, 5662), (48, 21215)] {
            for guard in [0, 2] {
                let fixed = FixedPoint::fit(ring(bits), norm, 3.7, guard).unwrap();
                let u = RealMatrix::from_vec(1, 1, vec![-1e9]).unwrap();
                let (encoded, _) = fixed.encode(&u);
                let u = ring(bits).to_signed(encoded.values()[0]);
                let product = i128::from(u) * i128::from(norm);
                assert!(product > -(1 << (bits - 1)), "{bits} {norm} {guard}");
            }
        }
    }
}
