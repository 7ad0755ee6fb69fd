//! Balanced digits of residues, for key switching: a centred residue is rounded to the nearest
//! multiple of 2^drop, drop = max(0, 51 − w·d), and written with d digits of base 2^w, all but the
//! last between −2^(w−1) and 2^(w−1); the last takes the rest.

use pulp::Arch;

use crate::LatticeError;
use crate::modulus::{nearest, reduce};
use crate::polynomial::{Coefficients, Polynomial};
use s3rec_algebra::vectors::dispatch;

/// Number and width of the digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gadget {
    digits: u32,
    width: u32,
}

impl Gadget {
    /// `digits` digits (1 to 8) of `width` bits (4 to 26), which cover at least 28 bits, none of them
    /// beyond the 50 bits of a residue.
    ///
    /// # Errors
    /// [`LatticeError::OutOfRange`].
    pub fn new(digits: u32, width: u32) -> Result<Self, LatticeError> {
        let checked = [
            ("the number of digits", digits, 1, 8),
            ("the width of a digit", width, 4, 26),
            (
                "the bits of all digits",
                digits.saturating_mul(width),
                28,
                78,
            ),
        ];
        for (what, actual, least, most) in checked {
            if !(least..=most).contains(&actual) {
                return Err(LatticeError::OutOfRange {
                    what,
                    actual: actual.into(),
                    least: least.into(),
                    most: most.into(),
                });
            }
        }
        let gadget = Self { digits, width };
        let highest = gadget.weight_bits(gadget.digits() - 1);
        if highest > 49 {
            return Err(LatticeError::OutOfRange {
                what: "the weight of the highest digit, in bits",
                actual: highest.into(),
                least: 0,
                most: 49,
            });
        }
        Ok(gadget)
    }

    /// d.
    #[must_use]
    pub fn digits(self) -> usize {
        self.digits as usize
    }

    /// w, bits of a digit.
    #[must_use]
    pub fn width(self) -> u32 {
        self.width
    }

    /// Low bits that are rounded off.
    #[must_use]
    pub fn dropped_bits(self) -> u32 {
        51u32.saturating_sub(self.digits * self.width)
    }

    /// log₂ of what a unit of digit `index` stands for.
    #[must_use]
    pub fn weight_bits(self, index: usize) -> u32 {
        self.dropped_bits() + self.width * u32::try_from(index).unwrap_or(u32::MAX)
    }

    /// Writes the digits of every coefficient, one polynomial a digit. The coefficients are
    /// between −q and q.
    pub fn split(
        self,
        polynomial: &Polynomial<Coefficients>,
        out: &mut [Polynomial<Coefficients>],
    ) {
        debug_assert_eq!(out.len(), self.digits());
        let unit = f64::from(self.dropped_bits()).exp2();
        let base = f64::from(self.width).exp2();
        let (unit_inverse, base_inverse) = (unit.recip(), base.recip());
        let Some((first, rest)) = out.split_first_mut() else {
            return;
        };
        dispatch(
            Arch::new(),
            #[inline(always)]
            || {
                // What is left to write stands where the next digit will.
                for (value, out) in polynomial.values.iter().zip(&mut first.values) {
                    *out = nearest(reduce(*value) * unit_inverse);
                }
                let mut left = &mut *first;
                for next in rest.iter_mut() {
                    for (left, next) in left.values.iter_mut().zip(&mut next.values) {
                        *next = nearest(*left * base_inverse);
                        *left = (-*next).mul_add(base, *left);
                    }
                    left = next;
                }
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use s3rec_algebra::PublicSeed;

    use super::*;
    use crate::modulus::MODULUS;
    use crate::polynomial::DEGREE;

    #[test]
    fn digits_add_up_and_are_small() {
        let mut polynomial = Polynomial::uniform(&PublicSeed::from_bytes([1; 32]));
        let half = (MODULUS / 2).cast_signed();
        for (place, value) in [half, -half, 0, 1, -1].into_iter().enumerate() {
            polynomial.values[place] = value as f64;
        }
        for (digits, width) in [(2, 16), (3, 12), (3, 13), (5, 8), (4, 13), (6, 9)] {
            let gadget = Gadget::new(digits, width).unwrap();
            let mut out: Vec<_> = (0..digits).map(|_| Polynomial::zero()).collect();
            gadget.split(&polynomial, &mut out);
            for place in 0..DEGREE {
                let value = polynomial.centred(place);
                let mut sum = 0i64;
                for (index, digit) in out.iter().enumerate() {
                    let digit = digit.centred(place);
                    let is_last = index + 1 == gadget.digits();
                    let largest = 1i64 << (width - 1);
                    assert!(digit.abs() <= largest + i64::from(is_last), "{digit}");
                    sum += digit << gadget.weight_bits(index);
                }
                let rounding = (1i64 << gadget.dropped_bits()) / 2;
                assert!((value - sum).abs() <= rounding, "{value} {sum}");
            }
        }
    }

    /// A weight of 2^50 and more would wrap, and its digit be zero.
    #[test]
    fn every_gadget_has_weights_below_the_modulus() {
        let mut count = 0;
        for (digits, width) in (0..12).flat_map(|d| (0..30).map(move |w| (d, w))) {
            if let Ok(gadget) = Gadget::new(digits, width) {
                let weight = gadget.weight_bits(gadget.digits() - 1);
                assert!(1u64 << weight < MODULUS, "{digits} {width}");
                count += 1;
            }
        }
        assert!(count > 30, "{count}");
        assert!(Gadget::new(6, 13).is_err() && Gadget::new(7, 11).is_err());
    }

    #[test]
    fn gadgets_out_of_range_are_refused() {
        for (digits, width) in [(0, 16), (9, 8), (2, 3), (2, 27), (2, 13)] {
            assert!(Gadget::new(digits, width).is_err(), "{digits} {width}");
        }
    }
}
