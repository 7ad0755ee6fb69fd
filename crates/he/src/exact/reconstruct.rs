//! From residues back to integers modulo 2^128, by the Chinese remainder theorem.
//!
//! With y_i = x·(M/p_i)^−1 mod p_i (the factor is already in the shared operand),
//! x = Σ y_i·(M/p_i) − k·M, where k is Σ y_i/p_i rounded to the nearest integer because |x| is
//! far below M/2. So x modulo 2^128 needs products of small numbers only, in limbs of 26 bits
//! whose sums never overflow a word, and k needs 31 bits of precision.

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

    /// The two words of each x modulo 2^128, from its y_i in `residues`.
    #[inline(always)]
    pub(super) fn reconstruct(&self, residues: [&[u32]; P], low: &mut [u64], high: &mut [u64]) {
        let length = low.len().min(high.len());
        let residues = residues.map(|values| &values[..length]);
        let (low, high) = (&mut low[..length], &mut high[..length]);
        for lane in 0..length {
            let y: [u64; P] = std::array::from_fn(|i| u64::from(residues[i][lane]));
            let half = 1 << (FRACTION_BITS - 1);
            let k = (half + dot(&y, &self.fractions)) >> FRACTION_BITS;
            let mut carry = 0;
            let [d0, d1, d2, d3, d4] = std::array::from_fn(|limb| {
                let column = dot(&y, &self.cofactors[limb]) + k * self.negative_product[limb];
                let digit = (column + carry) & LIMB_MASK;
                carry = (column + carry) >> LIMB_BITS;
                digit
            });
            low[lane] = d0 | d1 << 26 | d2 << 52;
            high[lane] = d2 >> 12 | d3 << 14 | d4 << 40;
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
