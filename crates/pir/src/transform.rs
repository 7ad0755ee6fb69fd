//! Exact products in Z_{2^64}\[X\]/(X^N + 1) by number-theoretic transforms modulo three primes.
//!
//! tfhe-ntt's 30-bit prime plans do the transforms. A product is computed over the integers,
//! represented modulo p₀p₁p₂ ≈ 2^89.9 and brought back as a signed number: exact while the sum
//! stays below 2^88.9 in absolute value. Callers say why theirs does:
//!
//! | product | bound |
//! |---|---|
//! | key switch: 7 digits of at most 2^5, 64-bit keys | 2^(5+64+11+2.9) = 2^82.9 |
//! | answer: bytes of at most 2^7, 64-bit selectors, [`MAX_SUMMED`] rows | 2^(7+64+11+6.9) = 2^88.9 |
//! | encryption: 64-bit mask, binary key | 2^(64+11) = 2^75 |

use std::sync::OnceLock;

use tfhe_ntt::{native_binary64, native64, prime32};
use zeroize::Zeroize;

use crate::parameters::POLYNOMIAL_SIZE;

const PRIMES: usize = 3;

/// Most products of a selector and a row polynomial that one accumulator may sum.
pub(crate) const MAX_SUMMED: usize = 118;

/// Most products that [`Transform::accumulate`] takes at once: 16 of them, and what was there,
/// fit 64 bits as every prime is below 2^29.99.
pub(crate) const MAX_BATCH: usize = 16;

/// A polynomial in transformed form: N residues modulo each of the three primes.
#[derive(Clone)]
pub(crate) struct Transformed(Box<[u32]>);

impl Transformed {
    pub(crate) fn zero() -> Self {
        Self(vec![0; PRIMES * POLYNOMIAL_SIZE].into_boxed_slice())
    }

    pub(crate) fn clear(&mut self) {
        self.0.fill(0);
    }

    fn residues(&mut self) -> [&mut [u32]; PRIMES] {
        let (first, rest) = self.0.split_at_mut(POLYNOMIAL_SIZE);
        let (second, third) = rest.split_at_mut(POLYNOMIAL_SIZE);
        [first, second, third]
    }
}

impl Zeroize for Transformed {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

/// The plans, made once.
pub(crate) struct Transform {
    forward: native64::Plan32,
    // The first three of the same primes; brings residues together again.
    recombine: native_binary64::Plan32,
    reducers: [Reducer; PRIMES],
    arch: pulp::Arch,
}

/// The process's plans for N = 2048.
pub(crate) fn transform() -> &'static Transform {
    static TRANSFORM: OnceLock<Transform> = OnceLock::new();
    TRANSFORM.get_or_init(|| {
        // Unwrap safety: tfhe-ntt's primes are 1 modulo 2^16, so plans exist up to N = 2^15.
        let forward = native64::Plan32::try_new(POLYNOMIAL_SIZE).expect("a plan exists");
        let recombine = native_binary64::Plan32::try_new(POLYNOMIAL_SIZE).expect("a plan exists");
        let reducers = [forward.ntt_0(), forward.ntt_1(), forward.ntt_2()]
            .map(|plan| Reducer::new(plan.modulus()));
        Transform {
            forward,
            recombine,
            reducers,
            arch: pulp::Arch::new(),
        }
    })
}

impl Transform {
    fn plans(&self) -> [&prime32::Plan; PRIMES] {
        [
            self.forward.ntt_0(),
            self.forward.ntt_1(),
            self.forward.ntt_2(),
        ]
    }

    /// Transforms 64-bit coefficients, as unsigned numbers.
    pub(crate) fn forward_wide(&self, coefficients: &[u64], out: &mut Transformed) {
        let [first, second, third] = out.residues();
        self.recombine.fwd(coefficients, first, second, third);
    }

    /// Transforms bytes as centred 8-bit coefficients; those beyond the slice are zero.
    pub(crate) fn forward_bytes(&self, bytes: &[u8], out: &mut Transformed) {
        let arch = self.arch;
        for ((residues, reducer), plan) in out
            .residues()
            .into_iter()
            .zip(&self.reducers)
            .zip(self.plans())
        {
            let prime = reducer.prime;
            let (used, unused) = residues.split_at_mut(bytes.len().min(POLYNOMIAL_SIZE));
            arch.dispatch(Kernel(
                #[inline(always)]
                || {
                    for (residue, &byte) in used.iter_mut().zip(bytes) {
                        let value = i32::from(byte.cast_signed()).cast_unsigned();
                        // A negative byte's bits are all ones from bit 31 down to its own.
                        *residue = value.wrapping_add(prime & 0_u32.wrapping_sub(value >> 31));
                    }
                },
            ));
            unused.fill(0);
            plan.fwd(residues);
        }
    }

    /// Transforms what [`Self::digits`] left in place.
    pub(crate) fn forward_residues(&self, out: &mut Transformed) {
        for (residues, plan) in out.residues().into_iter().zip(self.plans()) {
            plan.fwd(residues);
        }
    }

    /// Writes residues of small signed numbers, digit d of coefficient i being
    /// `decompose(coefficients[i])[d]`, into `out[d]`, not transformed yet.
    pub(crate) fn digits<const D: usize>(
        &self,
        coefficients: &[u64],
        decompose: impl Fn(u64) -> [u64; D] + Copy,
        out: &mut [Transformed],
    ) {
        let reducers = self.reducers;
        self.arch.dispatch(Kernel(
            #[inline(always)]
            || {
                let mut block = [[0_u64; BLOCK]; D];
                for start in (0..POLYNOMIAL_SIZE).step_by(BLOCK) {
                    for (i, &coefficient) in coefficients[start..start + BLOCK].iter().enumerate() {
                        let digits = decompose(coefficient);
                        for (row, digit) in block.iter_mut().zip(digits) {
                            row[i] = digit;
                        }
                    }
                    for (digits, out) in block.iter().zip(&mut *out) {
                        for (residues, reducer) in out.residues().into_iter().zip(&reducers) {
                            let residues = &mut residues[start..start + BLOCK];
                            for (residue, &digit) in residues.iter_mut().zip(digits) {
                                let value = low(digit);
                                *residue = value
                                    .wrapping_add(reducer.prime & 0_u32.wrapping_sub(value >> 31));
                            }
                        }
                    }
                }
            },
        ));
    }

    /// `sum` += Σ left\[i\]·right\[i\], at most [`MAX_BATCH`] products.
    pub(crate) fn accumulate(
        &self,
        sum: &mut Transformed,
        left: &[Transformed],
        right: &[Transformed],
    ) {
        debug_assert!(left.len() <= MAX_BATCH && left.len() == right.len());
        let reducers = self.reducers;
        self.arch.dispatch(Kernel(
            #[inline(always)]
            || {
                for (index, sums) in sum.0.chunks_exact_mut(BLOCK).enumerate() {
                    let range = index * BLOCK..(index + 1) * BLOCK;
                    let reducer = reducers[index * BLOCK / POLYNOMIAL_SIZE];
                    let mut wide = [0_u64; BLOCK];
                    for (wide, &residue) in wide.iter_mut().zip(&*sums) {
                        *wide = u64::from(residue);
                    }
                    for (left, right) in left.iter().zip(right) {
                        let (left, right) = (&left.0[range.clone()], &right.0[range.clone()]);
                        for ((wide, &a), &b) in wide.iter_mut().zip(left).zip(right) {
                            *wide += u64::from(a) * u64::from(b);
                        }
                    }
                    for (residue, &wide) in sums.iter_mut().zip(&wide) {
                        *residue = reducer.reduce(wide);
                    }
                }
            },
        ));
    }

    /// Divides by N modulo each prime, which the inverse transform leaves undone.
    pub(crate) fn normalize(&self, polynomial: &mut Transformed) {
        for (residues, plan) in polynomial.residues().into_iter().zip(self.plans()) {
            plan.normalize(residues);
        }
    }

    /// Back to coefficients modulo 2^64, of a polynomial that [`Self::normalize`] or one of its
    /// factors went through; destroys the argument.
    pub(crate) fn inverse(&self, polynomial: &mut Transformed, out: &mut [u64]) {
        let [first, second, third] = polynomial.residues();
        self.recombine.inv(out, first, second, third);
    }
}

/// A loop to be compiled for every vector unit. Not a plain closure: those reach pulp through a
/// shim that is not inlined, and so would be compiled for the oldest processor.
struct Kernel<F>(F);

impl<F: FnMut()> pulp::NullaryFnOnce for Kernel<F> {
    type Output = ();

    #[inline(always)]
    fn call(mut self) {
        (self.0)();
    }
}

/// Residues that a kernel handles at a time, so that wide sums stay in the first-level cache.
const BLOCK: usize = 256;

/// Reduction of 64-bit numbers modulo a prime below 2^30, by 32-bit multiplications only, which
/// every vector unit has.
#[derive(Clone, Copy)]
struct Reducer {
    prime: u32,
    /// 2^32 mod p, and ⌊2^32·that/p⌋.
    radix: u32,
    radix_quotient: u32,
    /// ⌊2^32/p⌋.
    one_quotient: u32,
}

impl Reducer {
    fn new(prime: u32) -> Self {
        let radix = (1_u64 << 32) % u64::from(prime);
        Self {
            prime,
            radix: low(radix),
            radix_quotient: low((radix << 32) / u64::from(prime)),
            one_quotient: low((1_u64 << 32) / u64::from(prime)),
        }
    }

    #[inline(always)]
    fn reduce(self, value: u64) -> u32 {
        let (high, low_half) = (value >> 32, value & 0xffff_ffff);
        let prime = u64::from(self.prime);
        // Shoup: each of the two is below 2p.
        let quotient = (high * u64::from(self.radix_quotient)) >> 32;
        let from_high = high * u64::from(self.radix) - quotient * prime;
        let quotient = (low_half * u64::from(self.one_quotient)) >> 32;
        let from_low = low_half - quotient * prime;
        // Below 4p < 2^32.
        let sum = low(from_high + from_low);
        let sum = sum.min(sum.wrapping_sub(2 * self.prime));
        sum.min(sum.wrapping_sub(self.prime))
    }
}

#[inline(always)]
fn low(value: u64) -> u32 {
    (value & 0xffff_ffff) as u32
}

#[cfg(test)]
mod tests {
    use s3rec_algebra::{Seed, Stream};

    use super::*;

    fn uniform(tag: u8, count: usize) -> Vec<u64> {
        let mut values = vec![0; count];
        Stream::new(&Seed::from_bytes([tag; 32])).fill_u64(&mut values);
        values
    }

    /// Schoolbook product modulo X^N + 1 and 2^64.
    fn schoolbook(left: &[u64], right: &[u64]) -> Vec<u64> {
        let n = left.len();
        let mut product = vec![0_u64; n];
        for (i, &a) in left.iter().enumerate() {
            for (j, &b) in right.iter().enumerate() {
                let term = a.wrapping_mul(b);
                let slot = &mut product[(i + j) % n];
                *slot = if i + j < n {
                    slot.wrapping_add(term)
                } else {
                    slot.wrapping_sub(term)
                };
            }
        }
        product
    }

    #[test]
    fn reduction_is_exact_at_the_edges() {
        for reducer in transform().reducers {
            let prime = u64::from(reducer.prime);
            assert!(u128::from(prime).pow(2) * 16 + u128::from(prime) < 1 << 64);
            let edges = [0, 1, prime - 1, prime, prime + 1, 2 * prime, u64::MAX];
            for value in edges.into_iter().chain(uniform(1, 100_000)) {
                assert_eq!(u64::from(reducer.reduce(value)), value % prime, "{value}");
            }
        }
    }

    #[test]
    fn products_are_exact_at_the_largest_sums_allowed() {
        let transform = transform();
        let n = POLYNOMIAL_SIZE;
        // The worst case: every product positive and as large as it gets, at coefficient N − 1.
        let wide = vec![u64::MAX; n];
        let bytes = vec![0x80; n];
        let mut selector = Transformed::zero();
        transform.forward_wide(&wide, &mut selector);
        let mut row = Transformed::zero();
        transform.forward_bytes(&bytes, &mut row);
        let mut sum = Transformed::zero();
        let mut left = MAX_SUMMED;
        while left > 0 {
            let batch = left.min(MAX_BATCH);
            let (rows, selectors) = (vec![row.clone(); batch], vec![selector.clone(); batch]);
            transform.accumulate(&mut sum, &rows, &selectors);
            left -= batch;
        }
        transform.normalize(&mut sum);
        let mut actual = vec![0; n];
        transform.inverse(&mut sum, &mut actual);
        let minus_128 = vec![128_u64.wrapping_neg(); n];
        let expected: Vec<u64> = schoolbook(&wide, &minus_128)
            .into_iter()
            .map(|value| value.wrapping_mul(MAX_SUMMED as u64))
            .collect();
        assert_eq!(actual, expected);
    }

    #[test]
    fn products_equal_schoolbook_ones() {
        let transform = transform();
        let n = POLYNOMIAL_SIZE;
        for tag in 2..5 {
            let wide = uniform(tag, n);
            let bytes: Vec<u8> = uniform(tag + 50, n)
                .iter()
                .map(|v| v.to_le_bytes()[3])
                .collect();
            let used = [n, 1, 700][usize::from(tag - 2)];
            let mut selector = Transformed::zero();
            transform.forward_wide(&wide, &mut selector);
            let mut row = Transformed::zero();
            transform.forward_bytes(&bytes[..used], &mut row);
            let mut sum = Transformed::zero();
            transform.accumulate(&mut sum, &[row], &[selector]);
            transform.normalize(&mut sum);
            let mut actual = vec![0; n];
            transform.inverse(&mut sum, &mut actual);
            let mut row: Vec<u64> = bytes[..used]
                .iter()
                .map(|&byte| i64::from(byte.cast_signed()).cast_unsigned())
                .collect();
            row.resize(n, 0);
            assert_eq!(actual, schoolbook(&wide, &row));
        }
    }
}
