//! Arithmetic modulo one 30-bit prime, in Montgomery form with radix 2^32.
//!
//! The loops carry no dependence from one coefficient to the next. Each is an operation for
//! pulp's dispatch, which compiles it for AVX-512, AVX2 and no vectors and picks at run time.

use pulp::{Simd, WithSimd};
use tfhe_ntt::prime32::Plan;

/// Products below 2^60 summed in a word before they are reduced: 8·p² < 2^63.
const TERMS: usize = 8;
/// Coefficients whose sums of products stay in registers.
const PRODUCT_LANES: usize = 32;

pub(super) struct Prime {
    p: u64,
    /// p^−1 mod 2^32.
    inverse: u32,
    /// 2^(32i + 32) mod p: turns 32-bit limb i into its residue by one Montgomery reduction.
    limb_factors: [u64; 4],
    /// (M/p)^−1 / transform size, times 2^64, mod p: see [`Prime::share`].
    share_factor: u64,
    plan: Plan,
}

impl Prime {
    /// `cofactor_inverse` is (M/p)^−1 mod p, M the product of all primes in use.
    pub(super) fn new(p: u32, transform_size: usize, cofactor_inverse: u64) -> Self {
        let plan = Plan::try_new(transform_size, p)
            // Unwrap safety: every prime is 1 modulo 2·8192 and sizes are powers of two from 32.
            .expect("a transform for each prime and size");
        let p = u64::from(p);
        let size_inverse = power(transform_size as u64, p - 2, p);
        let share_factor = [size_inverse, power(2, 64, p)]
            .iter()
            .fold(cofactor_inverse, |product, factor| product * factor % p);
        Self {
            p,
            inverse: inverse_modulo_word(low_u32(p)),
            limb_factors: std::array::from_fn(|i| power(2, 32 * (i as u64 + 1), p)),
            share_factor,
            plan,
        }
    }

    pub(super) fn forward(&self, values: &mut [u32]) {
        self.plan.fwd(values);
    }

    pub(super) fn inverse(&self, values: &mut [u32]) {
        self.plan.inv(values);
    }

    /// Into Montgomery form, and divided by the transform's size and by M/p, so that neither
    /// the inverse transform nor the reconstruction has to.
    pub(super) fn share(&self, values: &mut [u32]) {
        for value in values {
            *value = self.reduce(u64::from(*value) * self.share_factor);
        }
    }

    /// sum·2^−32 mod p for any word.
    #[inline(always)]
    fn reduce(&self, sum: u64) -> u32 {
        let p = self.p;
        let quotient = u64::from(low_u32(sum).wrapping_mul(self.inverse));
        // sum − quotient·p is divisible by 2^32; adding p keeps the result positive: below
        // 2^32 + p < 6p. The subtractions wrap when they must not happen.
        let mut value = (sum >> 32) + p - ((quotient * p) >> 32);
        value = value.min(value.wrapping_sub(4 * p));
        value = value.min(value.wrapping_sub(2 * p));
        low_u32(value.min(value.wrapping_sub(p)))
    }
}

/// Coefficients of 128 bits into residues.
pub(super) struct ReduceU128<'a> {
    pub(super) prime: &'a Prime,
    pub(super) coefficients: &'a [u128],
    pub(super) out: &'a mut [u32],
}

impl WithSimd for ReduceU128<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let limbs: &[[u32; 4]] = bytemuck::must_cast_slice(self.coefficients);
        let [f0, f1, f2, f3] = self.prime.limb_factors;
        for (out, &[l0, l1, l2, l3]) in std::iter::zip(self.out, limbs) {
            // Each product is below 2^32·p, the sum below 2^34·p < 2^64.
            let sum =
                u64::from(l0) * f0 + u64::from(l1) * f1 + u64::from(l2) * f2 + u64::from(l3) * f3;
            *out = self.prime.reduce(sum);
        }
    }
}

/// Coefficients of 64 bits into residues.
pub(super) struct ReduceU64<'a> {
    pub(super) prime: &'a Prime,
    pub(super) coefficients: &'a [u64],
    pub(super) out: &'a mut [u32],
}

impl WithSimd for ReduceU64<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let [f0, f1, ..] = self.prime.limb_factors;
        for (out, &value) in std::iter::zip(self.out, self.coefficients) {
            let sum = (value & 0xffff_ffff) * f0 + (value >> 32) * f1;
            *out = self.prime.reduce(sum);
        }
    }
}

/// Σ a·b of several pairs of transformed polynomials, a in Montgomery form.
pub(super) struct SumOfProducts<'a> {
    pub(super) prime: &'a Prime,
    pub(super) terms: &'a [(&'a [u32], &'a [u32])],
    pub(super) out: &'a mut [u32],
}

impl WithSimd for SumOfProducts<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { prime, terms, out } = self;
        // A transform's size is a multiple of these lanes.
        let (chunks, _) = out.as_chunks_mut::<PRODUCT_LANES>();
        for (index, out) in chunks.iter_mut().enumerate() {
            let start = index * PRODUCT_LANES;
            *out = [0; PRODUCT_LANES];
            for group in terms.chunks(TERMS) {
                let mut sums = [0u64; PRODUCT_LANES];
                for (a, b) in group {
                    let (Some(a), Some(b)) = (lanes(a, start), lanes(b, start)) else {
                        continue;
                    };
                    for i in 0..PRODUCT_LANES {
                        sums[i] += u64::from(a[i]) * u64::from(b[i]);
                    }
                }
                for i in 0..PRODUCT_LANES {
                    let both = u64::from(out[i]) + u64::from(prime.reduce(sums[i]));
                    out[i] = low_u32(both.min(both.wrapping_sub(prime.p)));
                }
            }
        }
    }
}

#[inline(always)]
fn lanes(values: &[u32], start: usize) -> Option<&[u32; PRODUCT_LANES]> {
    values.get(start..)?.first_chunk()
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
#[inline(always)]
fn low_u32(value: u64) -> u32 {
    value as u32
}

/// base^exponent mod p, for p below 2^32.
pub(super) fn power(base: u64, mut exponent: u64, p: u64) -> u64 {
    let (mut result, mut square) = (1, base % p);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result * square % p;
        }
        square = square * square % p;
        exponent >>= 1;
    }
    result
}

/// Newton's iteration doubles the correct bits: 3, 6, 12, 24, 48.
fn inverse_modulo_word(odd: u32) -> u32 {
    (0..4).fold(odd, |x, _| {
        x.wrapping_mul(2u32.wrapping_sub(odd.wrapping_mul(x)))
    })
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "tests cut known values short"
)]
mod tests {
    use pulp::Arch;

    use super::*;
    use crate::exact::PRIMES;

    fn reduce(operation: impl WithSimd) {
        Arch::new().dispatch(operation);
    }

    #[test]
    fn reductions_agree_with_division() {
        for p in PRIMES {
            let prime = Prime::new(p, 32, 1);
            let modulus = u128::from(p);
            let words = [
                0u128,
                1,
                modulus - 1,
                modulus,
                u128::MAX,
                u128::MAX - modulus,
            ];
            let mut values: Vec<u128> = words.to_vec();
            for shift in 0..128 {
                values.push(1 << shift);
                values.push((1 << shift) - 1);
                values.push(u128::MAX << shift);
            }
            let mut out = vec![0; values.len()];
            reduce(ReduceU128 {
                prime: &prime,
                coefficients: &values,
                out: &mut out,
            });
            for (value, out) in std::iter::zip(&values, &out) {
                assert_eq!(u128::from(*out), value % modulus, "{value} mod {p}");
            }
            let short: Vec<u64> = values.iter().map(|&v| (v as u64) >> 2).collect();
            reduce(ReduceU64 {
                prime: &prime,
                coefficients: &short,
                out: &mut out,
            });
            for (value, out) in std::iter::zip(&short, &out) {
                assert_eq!(u64::from(*out), value % u64::from(p));
            }
            for sum in [u64::MAX, u64::MAX - u64::from(p), 0, 1 << 63, 1 << 32] {
                let back = u128::from(prime.reduce(sum)) << 32;
                assert!(back >> 32 < modulus);
                assert_eq!(back % modulus, u128::from(sum) % modulus);
            }
        }
    }
}
