//! Exact products in Z[X]/(X^N + 1) by number-theoretic transforms over several 30-bit primes.
//!
//! One factor may be any integer polynomial, the other is binary, so over the integers a sum of
//! κ products is below κN·2^128 in absolute value: five primes (2^149.9) hold it, two or three
//! hold the short sums of a decryption. Transforms are tfhe-ntt's; what surrounds them (reduction
//! into the primes, products, the way back) is ours, because an operand that takes part in many
//! products stays transformed and a sum of products is transformed back once.
//!
//! All of it is branch-free in the values: secrets pass through here.

mod prime;
mod reconstruct;

use pulp::Arch;
use zeroize::{Zeroize, ZeroizeOnDrop};

use prime::{Prime, ReduceU64, ReduceU128, SumOfProducts};
use reconstruct::{Reconstruct, Reconstruction};

/// tfhe-ntt's own primes for `native_binary128`: all ≡ 1 modulo 2^17, below 2^30.
pub(crate) const PRIMES: [u32; 5] = [
    0x3f5a_0001,
    0x3f5d_0001,
    0x3f76_0001,
    0x3f82_0001,
    0x3fac_0001,
];

/// This processor's vectors, and every kind below them.
#[cfg(test)]
pub(crate) fn arches() -> Vec<Arch> {
    let mut arches = vec![Arch::Scalar, Arch::new()];
    #[cfg(target_arch = "x86_64")]
    arches.extend(pulp::x86::V3::try_new().map(Arch::V3));
    arches
}

/// tfhe-ntt transforms 32 coefficients or more; a smaller N is embedded by X = Y^(32/N).
const MIN_TRANSFORM: usize = 32;
/// Coefficients worked on at a time: their intermediate values stay in the first-level cache.
const LANES: usize = 128;

/// Products modulo X^N + 1 of polynomials whose result fits `P` primes.
pub(crate) struct ExactProduct<const P: usize> {
    arch: Arch,
    polynomial_size: usize,
    stride: usize,
    primes: [Prime; P],
    reconstruction: Reconstruction<P>,
}

/// A polynomial's residues in transformed form, prime after prime.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Transformed<const P: usize>(Vec<u32>);

/// A [`Transformed`] operand of many products: in Montgomery form and scaled so that what comes
/// back from the inverse transform is ready for reconstruction.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Shared<const P: usize>(Vec<u32>);

impl<const P: usize> Transformed<P> {
    fn zero(length: usize) -> Self {
        Self(vec![0; length])
    }
}

impl<const P: usize> ExactProduct<P> {
    /// The transforms for N = `polynomial_size`, a power of two from 16 to 8192.
    pub(crate) fn new(polynomial_size: usize) -> Self {
        debug_assert!(polynomial_size.is_power_of_two() && polynomial_size <= 8192);
        let transform_size = polynomial_size.max(MIN_TRANSFORM);
        let moduli: [u32; P] = std::array::from_fn(|i| PRIMES[i]);
        let reconstruction = Reconstruction::new(moduli);
        Self {
            arch: Arch::new(),
            polynomial_size,
            stride: transform_size / polynomial_size,
            primes: std::array::from_fn(|i| {
                Prime::new(
                    moduli[i],
                    transform_size,
                    reconstruction.cofactor_inverse(i),
                )
            }),
            reconstruction,
        }
    }

    pub(crate) fn polynomial_size(&self) -> usize {
        self.polynomial_size
    }

    fn transform_size(&self) -> usize {
        self.polynomial_size * self.stride
    }

    /// An empty place for a transformed polynomial, to be used many times.
    pub(crate) fn buffer(&self) -> Transformed<P> {
        Transformed::zero(P * self.transform_size())
    }

    /// Transforms N unsigned coefficients of 128 bits.
    pub(crate) fn transform_u128(&self, coefficients: &[u128], out: &mut Transformed<P>) {
        debug_assert_eq!(coefficients.len(), self.polynomial_size);
        for (prime, out) in self.per_prime(&mut out.0) {
            let reduced = &mut out[..coefficients.len()];
            self.arch.dispatch(ReduceU128 {
                prime,
                coefficients,
                out: reduced,
            });
            self.spread(out);
            prime.forward(out);
        }
    }

    /// Transforms N unsigned coefficients below 2^62.
    pub(crate) fn transform_u64(&self, coefficients: &[u64], out: &mut Transformed<P>) {
        debug_assert_eq!(coefficients.len(), self.polynomial_size);
        for (prime, out) in self.per_prime(&mut out.0) {
            let reduced = &mut out[..coefficients.len()];
            self.arch.dispatch(ReduceU64 {
                prime,
                coefficients,
                out: reduced,
            });
            self.spread(out);
            prime.forward(out);
        }
    }

    /// Transforms N coefficients that are 0 or 1.
    pub(crate) fn transform_binary(&self, coefficients: &[u8], out: &mut Transformed<P>) {
        debug_assert_eq!(coefficients.len(), self.polynomial_size);
        debug_assert!(coefficients.iter().all(|&bit| bit < 2));
        for (prime, out) in self.per_prime(&mut out.0) {
            out.fill(0);
            for (out, &bit) in std::iter::zip(&mut *out, coefficients) {
                *out = u32::from(bit);
            }
            self.spread(out);
            prime.forward(out);
        }
    }

    /// Makes a transformed polynomial the shared operand of many products.
    pub(crate) fn share(&self, mut operand: Transformed<P>) -> Shared<P> {
        for (prime, values) in self.per_prime(&mut operand.0) {
            prime.share(values);
        }
        Shared(std::mem::take(&mut operand.0))
    }

    /// Σ shared·other in transformed form, over all pairs.
    pub(crate) fn sum_of_products<'a>(
        &self,
        shared: impl Iterator<Item = &'a Shared<P>> + Clone,
        others: &[Transformed<P>],
        out: &mut Transformed<P>,
    ) {
        let size = self.transform_size();
        let mut terms: Vec<(&[u32], &[u32])> = Vec::with_capacity(others.len());
        for (index, (prime, out)) in self.per_prime(&mut out.0).enumerate() {
            let own = index * size..(index + 1) * size;
            terms.clear();
            terms.extend(
                std::iter::zip(shared.clone(), others)
                    .map(|(a, b)| (&a.0[own.clone()], &b.0[own.clone()])),
            );
            self.arch.dispatch(SumOfProducts {
                prime,
                terms: &terms,
                out,
            });
        }
    }

    /// Adds the polynomial behind `sum`, modulo 2^128, to `out`. `sum` is used up.
    pub(crate) fn add_inverse_u128(&self, sum: &mut Transformed<P>, out: &mut [u128]) {
        debug_assert_eq!(out.len(), self.polynomial_size);
        self.invert(sum, |chunk_start, low, high| {
            let first = chunk_start / self.stride;
            for (out, i) in std::iter::zip(&mut out[first..], (0..low.len()).step_by(self.stride)) {
                let value = u128::from(low[i]) | u128::from(high[i]) << 64;
                *out = out.wrapping_add(value);
            }
        });
    }

    /// Writes the polynomial behind `sum`, modulo 2^64, to `out`. `sum` is used up.
    pub(crate) fn inverse_u64(&self, sum: &mut Transformed<P>, out: &mut [u64]) {
        debug_assert_eq!(out.len(), self.polynomial_size);
        self.invert(sum, |chunk_start, low, _| {
            let first = chunk_start / self.stride;
            for (out, &value) in std::iter::zip(&mut out[first..], low.iter().step_by(self.stride))
            {
                *out = value;
            }
        });
    }

    fn invert(&self, sum: &mut Transformed<P>, mut take: impl FnMut(usize, &[u64], &[u64])) {
        for (prime, values) in self.per_prime(&mut sum.0) {
            prime.inverse(values);
        }
        let size = self.transform_size();
        let (mut low, mut high) = ([0; LANES], [0; LANES]);
        for start in (0..size).step_by(LANES) {
            let length = LANES.min(size - start);
            let residues: [&[u32]; P] = std::array::from_fn(|i| {
                let first = i * size + start;
                &sum.0[first..first + length]
            });
            self.arch.dispatch(Reconstruct {
                constants: &self.reconstruction,
                residues,
                low: &mut low[..length],
                high: &mut high[..length],
            });
            take(start, &low[..length], &high[..length]);
        }
        low.zeroize();
        high.zeroize();
    }

    /// Moves coefficient i of a small polynomial to i·stride, X being Y^stride.
    fn spread(&self, values: &mut [u32]) {
        if self.stride == 1 {
            return;
        }
        values[self.polynomial_size..].fill(0);
        for i in (0..self.polynomial_size).rev() {
            let value = std::mem::take(&mut values[i]);
            values[i * self.stride] = value;
        }
    }

    fn per_prime<'a>(
        &'a self,
        values: &'a mut [u32],
    ) -> impl Iterator<Item = (&'a Prime, &'a mut [u32])> {
        debug_assert_eq!(values.len(), P * self.transform_size());
        std::iter::zip(&self.primes, values.chunks_exact_mut(self.transform_size()))
    }
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "tests cut known values short"
)]
mod tests {
    use s3rec_algebra::{Seed, Stream};
    use tfhe_ntt::native_binary128::Plan32;

    use super::*;

    fn stream(tag: u8) -> Stream {
        Stream::new(&Seed::from_bytes([tag; 32]))
    }

    fn schoolbook(a: &[u128], s: &[u8]) -> Vec<u128> {
        let n = a.len();
        let mut out = vec![0u128; n];
        for (i, &a) in a.iter().enumerate() {
            for (j, &s) in s.iter().enumerate() {
                let term = a.wrapping_mul(u128::from(s));
                if i + j < n {
                    out[i + j] = out[i + j].wrapping_add(term);
                } else {
                    out[i + j - n] = out[i + j - n].wrapping_sub(term);
                }
            }
        }
        out
    }

    /// One side of every pair shared, either the binary one or the other.
    fn product(size: usize, a: &[Vec<u128>], s: &[Vec<u8>], share_binary: bool) -> Vec<u128> {
        let plan = ExactProduct::<5>::new(size);
        let mut wide: Vec<_> = a.iter().map(|_| plan.buffer()).collect();
        let mut binary = wide.clone();
        for (out, a) in std::iter::zip(&mut wide, a) {
            plan.transform_u128(a, out);
        }
        for (out, s) in std::iter::zip(&mut binary, s) {
            plan.transform_binary(s, out);
        }
        let (shared, others) = if share_binary {
            (binary, wide)
        } else {
            (wide, binary)
        };
        let shared: Vec<_> = shared.into_iter().map(|x| plan.share(x)).collect();
        let mut sum = plan.buffer();
        plan.sum_of_products(shared.iter(), &others, &mut sum);
        let mut out = vec![0; size];
        plan.add_inverse_u128(&mut sum, &mut out);
        out
    }

    #[test]
    fn products_equal_the_schoolbook_at_extreme_values() {
        for size in [16, 32, 64, 256] {
            for terms in [1usize, 2, 7, 8, 9, 17] {
                let mut randomness = stream(size as u8 ^ terms as u8);
                let (mut a, mut s) = (Vec::new(), Vec::new());
                for term in 0..terms {
                    let mut wide = vec![0u128; size];
                    let mut bits = vec![0u8; size];
                    if term % 3 == 1 {
                        wide.fill(u128::MAX);
                        bits.fill(1);
                    } else {
                        randomness.fill_u128(&mut wide);
                        randomness.fill_binary(&mut bits);
                    }
                    a.push(wide);
                    s.push(bits);
                }
                let mut expected = vec![0u128; size];
                for (a, s) in std::iter::zip(&a, &s) {
                    for (sum, value) in std::iter::zip(&mut expected, schoolbook(a, s)) {
                        *sum = sum.wrapping_add(value);
                    }
                }
                for share_binary in [false, true] {
                    assert!(
                        product(size, &a, &s, share_binary) == expected,
                        "{size} {terms}"
                    );
                }
            }
        }
    }

    #[test]
    fn products_equal_tfhe_ntts_native_plan() {
        for size in [1024, 4096, 8192] {
            let mut randomness = stream(3);
            let mut a = vec![0u128; size];
            let mut s = vec![0u8; size];
            randomness.fill_u128(&mut a);
            randomness.fill_binary(&mut s);
            let wide_s: Vec<u128> = s.iter().map(|&bit| u128::from(bit)).collect();
            let mut expected = vec![0u128; size];
            Plan32::try_new(size)
                .unwrap()
                .negacyclic_polymul(&mut expected, &a, &wide_s);
            assert!(product(size, &[a], &[s], true) == expected);
        }
    }

    #[test]
    fn every_kind_of_processor_gets_the_same_product() {
        let mut results = Vec::new();
        for arch in arches() {
            let mut plan = ExactProduct::<5>::new(256);
            plan.arch = arch;
            let mut randomness = stream(4);
            let (mut shared, mut others) = (Vec::new(), Vec::new());
            for _ in 0..9 {
                let (mut a, mut s) = (vec![0; 256], vec![0; 256]);
                randomness.fill_u128(&mut a);
                randomness.fill_binary(&mut s);
                let (mut wide, mut binary) = (plan.buffer(), plan.buffer());
                plan.transform_u128(&a, &mut wide);
                plan.transform_binary(&s, &mut binary);
                shared.push(plan.share(binary));
                others.push(wide);
            }
            let (mut sum, mut out) = (plan.buffer(), vec![0; 256]);
            plan.sum_of_products(shared.iter(), &others, &mut sum);
            plan.add_inverse_u128(&mut sum, &mut out);
            results.push(out);
        }
        assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn largest_sums_still_fit_the_primes() {
        // Every coefficient extreme, κN = 8192, signs that never cancel in coefficient N − 1.
        let (size, terms) = (64, 128);
        let a = vec![vec![u128::MAX; size]; terms];
        let s = vec![vec![1u8; size]; terms];
        let one = schoolbook(&a[0], &s[0]);
        let expected: Vec<u128> = one.iter().map(|x| x.wrapping_mul(terms as u128)).collect();
        assert!(product(size, &a, &s, true) == expected);
    }

    #[test]
    fn short_products_are_exact_modulo_a_word() {
        short::<2>(45);
        short::<3>(61);
    }

    fn short<const P: usize>(bits: u32) {
        for size in [16usize, 64, 2048, 8192] {
            let terms = 8192 / size;
            let plan = ExactProduct::<P>::new(size);
            let mut randomness = stream(bits as u8);
            let mut shared = Vec::new();
            let mut others = Vec::new();
            let mut expected = vec![0u64; size];
            for term in 0..terms.min(20) {
                let mut s = vec![1u8; size];
                let mut a = vec![(1u64 << bits) - 1; size];
                if term % 2 == 1 {
                    randomness.fill_binary(&mut s);
                    randomness.fill_u64(&mut a);
                    a.iter_mut().for_each(|a| *a >>= 64 - bits);
                }
                if size <= 64 {
                    let wide: Vec<u128> = a.iter().map(|&a| u128::from(a)).collect();
                    for (sum, value) in std::iter::zip(&mut expected, schoolbook(&wide, &s)) {
                        *sum = sum.wrapping_add(value as u64);
                    }
                }
                let mut out = plan.buffer();
                plan.transform_binary(&s, &mut out);
                shared.push(plan.share(out));
                let mut out = plan.buffer();
                plan.transform_u64(&a, &mut out);
                others.push(out);
            }
            let mut sum = plan.buffer();
            plan.sum_of_products(shared.iter(), &others, &mut sum);
            let mut out = vec![0; size];
            plan.inverse_u64(&mut sum, &mut out);
            if size <= 64 {
                assert_eq!(out, expected, "{size}");
            }
        }
    }
}
