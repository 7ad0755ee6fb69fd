//! From residues back to integers modulo 2^128, by the Chinese remainder theorem.
//!
//! With y_i = x·(M/p_i)^−1 mod p_i (the factor is already in the shared operand),
//! x = Σ y_i·(M/p_i) − k·M, where k is Σ y_i/p_i rounded to the nearest integer because |x| is
//! far below M/2. So x modulo 2^128 needs products of small numbers only, in limbs of 26 bits
//! whose sums never overflow a word, and k needs 31 bits of precision.

use pulp::{Simd, WithSimd};

use super::prime::power;

/// Bits in a limb.
const LIMB_BITS: u32 = 26;
const LIMB_MASK: u64 = (1 << LIMB_BITS) - 1;
/// Limbs in 128 bits.
const LIMBS: usize = 5;
/// 1/p_i is kept in units of 2^−61.
const FRACTION_BITS: u32 = 61;

pub(super) struct Reconstruction<const P: usize> {
    moduli: [u32; P],
    /// 2^61/p_i.
    fractions: [u64; P],
    /// M/p_i modulo 2^128, limb by limb.
    cofactors: [[u64; P]; LIMBS],
    /// −M modulo 2^128, in limbs.
    negative_product: [u64; LIMBS],
}

impl<const P: usize> Reconstruction<P> {
    pub(super) fn new(moduli: [u32; P]) -> Self {
        let product_without = |skipped: Option<usize>| {
            (0..P)
                .filter(|&i| Some(i) != skipped)
                .fold(1u128, |product, i| product.wrapping_mul(moduli[i].into()))
        };
        let cofactors: [[u64; LIMBS]; P] = std::array::from_fn(|i| limbs(product_without(Some(i))));
        Self {
            moduli,
            fractions: moduli.map(|p| (1 << FRACTION_BITS) / u64::from(p)),
            cofactors: std::array::from_fn(|limb| cofactors.map(|cofactor| cofactor[limb])),
            negative_product: limbs(product_without(None).wrapping_neg()),
        }
    }

    /// (M/p_i)^−1 mod p_i.
    pub(super) fn cofactor_inverse(&self, i: usize) -> u64 {
        let p = u64::from(self.moduli[i]);
        let cofactor = (0..P)
            .filter(|&j| j != i)
            .fold(1, |product, j| product * u64::from(self.moduli[j]) % p);
        power(cofactor, p - 2, p)
    }
}

/// The two words of each x modulo 2^128, from its y_i in `residues`.
pub(super) struct Reconstruct<'a, const P: usize> {
    pub(super) constants: &'a Reconstruction<P>,
    pub(super) residues: [&'a [u32]; P],
    pub(super) low: &'a mut [u64],
    pub(super) high: &'a mut [u64],
}

impl<const P: usize> WithSimd for Reconstruct<'_, P> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let constants = self.constants;
        let length = self.low.len().min(self.high.len());
        let residues = self.residues.map(|values| &values[..length]);
        let (low, high) = (&mut self.low[..length], &mut self.high[..length]);
        for lane in 0..length {
            let y: [u64; P] = std::array::from_fn(
                #[inline(always)]
                |i| u64::from(residues[i][lane]),
            );
            let half = 1 << (FRACTION_BITS - 1);
            let k = (half + dot(&y, &constants.fractions)) >> FRACTION_BITS;
            let column = |limb: usize| {
                dot(&y, &constants.cofactors[limb]) + k * constants.negative_product[limb]
            };
            let c0 = column(0);
            let c1 = column(1) + (c0 >> LIMB_BITS);
            let c2 = column(2) + (c1 >> LIMB_BITS);
            let c3 = column(3) + (c2 >> LIMB_BITS);
            let c4 = column(4) + (c3 >> LIMB_BITS);
            let d2 = c2 & LIMB_MASK;
            low[lane] = (c0 & LIMB_MASK) | ((c1 & LIMB_MASK) << 26) | (d2 << 52);
            high[lane] = (d2 >> 12) | ((c3 & LIMB_MASK) << 14) | (c4 << 40);
        }
    }
}

#[inline(always)]
fn dot<const P: usize>(a: &[u64; P], b: &[u64; P]) -> u64 {
    (0..P).fold(0, |sum, i| sum + a[i] * b[i])
}

fn limbs(mut value: u128) -> [u64; LIMBS] {
    std::array::from_fn(|_| {
        #[expect(clippy::cast_possible_truncation, reason = "the low limb is meant")]
        let limb = value as u64 & LIMB_MASK;
        value >>= LIMB_BITS;
        limb
    })
}
