//! Arithmetic modulo q = 2^50 − 16383, a prime that is 1 modulo 2^14.
//!
//! Integers are held in doubles, which are exact below 2^53 = 8q. A product a·b is computed as
//! h + l, h its double and l the rest, which a fused multiply-add gives exactly; the multiple of q
//! that is nearest to h is taken off, again exactly. With |a| ≤ V·q and |b| ≤ q/2 three roundings
//! of relative 2^-53 shift the multiple by at most 0.19·V, so that the result lies within
//! (0.5 + 0.19·V)·q. The technique is that of FLINT's `fft_small` (Schultz, 2022).

#[cfg(test)]
use pulp::Arch;

/// The modulus q.
pub const MODULUS: u64 = (1 << MODULUS_BITS) - FOLD;

/// Bits of q.
pub const MODULUS_BITS: u32 = 50;

/// 2^50 modulo q.
const FOLD: u64 = 16383;

/// q as a double.
pub(crate) const Q: f64 = MODULUS as f64;
const Q_INVERSE: f64 = 1.0 / Q;
/// 1.5·2^52: adding and taking it off rounds a double below 2^51 to the nearest integer.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// 2^52: the bits of a double between it and twice it are an integer's.
const UNIT: u64 = 0x4330_0000_0000_0000;

/// The nearest integer to `x`, |x| ≤ 2^51.
#[inline(always)]
pub(crate) fn nearest(x: f64) -> f64 {
    (x + ROUND) - ROUND
}

/// a·b modulo q for |a| ≤ 4q and |b| ≤ q/2; see the module for the range of the result.
#[inline(always)]
pub(crate) fn multiply(a: f64, b: f64) -> f64 {
    let high = a * b;
    let low = a.mul_add(b, -high);
    (-nearest(high * Q_INVERSE)).mul_add(Q, high) + low
}

/// `a` modulo q, between −q/2 and q/2 (one beyond at most), for |a| ≤ 8q.
#[inline(always)]
pub(crate) fn reduce(a: f64) -> f64 {
    (-nearest(a * Q_INVERSE)).mul_add(Q, a)
}

/// An integer between 0 and q as a double.
#[inline(always)]
pub(crate) fn to_double(value: u64) -> f64 {
    f64::from_bits(value | UNIT) - f64::from_bits(UNIT)
}

/// `a` modulo q, between 0 and q, for |a| ≤ 8q.
#[inline(always)]
pub(crate) fn to_residue(a: f64) -> u64 {
    let balanced = reduce(a);
    let lifted = if balanced < 0.0 {
        balanced + Q
    } else {
        balanced
    };
    let lifted = if lifted >= Q { lifted - Q } else { lifted };
    (lifted + f64::from_bits(UNIT)).to_bits() & (u64::MAX >> 12)
}

/// A sum of at most 2^12 residues or their negatives, as a residue: 2^50 is 16383 modulo q.
#[inline(always)]
pub(crate) fn fold(sum: i64) -> u64 {
    let lifted = sum.cast_unsigned().wrapping_add(MODULUS << 12);
    let high = lifted >> MODULUS_BITS;
    let value = (lifted & ((1 << MODULUS_BITS) - 1)) + ((high << 14) - high);
    value.min(value.wrapping_sub(MODULUS))
}

/// `a` + `b` of residues.
#[must_use]
pub fn add(a: u64, b: u64) -> u64 {
    let sum = a + b;
    sum.min(sum.wrapping_sub(MODULUS))
}

/// `a` − `b` of residues.
#[must_use]
pub fn subtract(a: u64, b: u64) -> u64 {
    let difference = a.wrapping_sub(b);
    difference.min(difference.wrapping_add(MODULUS))
}

/// a·b of residues.
#[must_use]
pub fn product(a: u64, b: u64) -> u64 {
    #[expect(clippy::cast_possible_truncation, reason = "below q")]
    let residue = (u128::from(a) * u128::from(b) % u128::from(MODULUS)) as u64;
    residue
}

/// `base` to the power `exponent`.
#[must_use]
pub fn power(base: u64, mut exponent: u64) -> u64 {
    let (mut result, mut square) = (1, base);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = product(result, square);
        }
        square = product(square, square);
        exponent >>= 1;
    }
    result
}

/// The inverse of a residue other than 0.
#[must_use]
pub fn inverse(a: u64) -> u64 {
    power(a, MODULUS - 2)
}

/// The representative of a residue between −q/2 and q/2.
#[must_use]
pub fn centred(residue: u64) -> i64 {
    let value = residue.cast_signed();
    if residue > MODULUS / 2 {
        value - MODULUS.cast_signed()
    } else {
        value
    }
}

/// The residue of any integer.
#[must_use]
pub fn residue(value: i64) -> u64 {
    value.rem_euclid(MODULUS.cast_signed()).cast_unsigned()
}

/// A primitive root of unity of that order, a power of two up to 2^14: always the same one.
#[must_use]
pub(crate) fn root_of_unity(order: u64) -> u64 {
    debug_assert!(order.is_power_of_two() && order <= 1 << 14);
    // The first candidate whose (order/2)-th power is −1: half of all candidates are.
    (2..)
        .map(|candidate| power(candidate, (MODULUS - 1) / order))
        .find(|&root| power(root, order / 2) == MODULUS - 1)
        .unwrap_or(1)
}

/// This processor's vectors, and every kind below them.
#[cfg(test)]
pub(crate) fn arches() -> Vec<Arch> {
    let mut arches = vec![Arch::Scalar, Arch::new()];
    #[cfg(target_arch = "x86_64")]
    arches.extend(pulp::x86::V3::try_new().map(Arch::V3));
    arches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn q_is_the_pages_prime() {
        assert_eq!(MODULUS, 1_125_899_906_826_241);
        assert_eq!(MODULUS % (1 << 14), 1);
        // Pocklington: 2^14·(2^36 − 1) divides q − 1 wholly; its odd primes.
        for prime in [2u64, 3, 5, 7, 13, 19, 37, 73, 109] {
            assert_eq!((MODULUS - 1) % prime, 0, "{prime}");
            let witness = (2..200).find(|&base| {
                power(base, MODULUS - 1) == 1 && power(base, (MODULUS - 1) / prime) != 1
            });
            assert!(witness.is_some(), "{prime}");
        }
        let parts = [3u64, 3, 3, 5, 7, 13, 19, 37, 73, 109];
        assert_eq!(parts.iter().product::<u64>() << 14, MODULUS - 1);
    }

    proptest! {
        #[test]
        fn products_in_doubles_are_exact(a in -(4 * MODULUS.cast_signed())..=4 * MODULUS.cast_signed(), b in 0..MODULUS) {
            let b = centred(b);
            let exact = (i128::from(a) * i128::from(b)).rem_euclid(i128::from(MODULUS));
            let actual = multiply(a as f64, b as f64);
            prop_assert!(actual.abs() <= 1.3 * Q);
            prop_assert_eq!(i128::from(to_residue(actual)), exact);
        }

        #[test]
        fn folding_is_reduction(sum in -(1i64 << 61)..=1 << 61) {
            prop_assert_eq!(fold(sum), residue(sum));
        }

        #[test]
        fn residues_survive_doubles(value in 0..MODULUS) {
            prop_assert_eq!(to_residue(to_double(value)), value);
            prop_assert_eq!(to_residue(centred(value) as f64), value);
            prop_assert_eq!(to_residue(to_double(value) - 7.0 * Q), value);
        }
    }

    #[test]
    fn edges_are_exact() {
        let q = MODULUS.cast_signed();
        for a in [0, 1, -1, q / 2, -q / 2, q, -q, 4 * q, -4 * q, 4 * q - 1] {
            for b in [0, 1, -1, q / 2, -(q / 2)] {
                let exact = (i128::from(a) * i128::from(b)).rem_euclid(i128::from(q));
                let actual = to_residue(multiply(a as f64, b as f64));
                assert_eq!(i128::from(actual), exact, "{a} {b}");
            }
        }
        for value in [0, 1, MODULUS - 1, MODULUS / 2, MODULUS / 2 + 1] {
            assert_eq!(to_residue(to_double(value)), value);
        }
        for sum in [0, -1, q, -q, 4096 * q - 1, -4096 * (q - 1)] {
            assert_eq!(fold(sum), residue(sum), "{sum}");
        }
    }

    #[test]
    fn roots_have_their_order() {
        for order in [2u64, 16, 512, 4096] {
            let root = root_of_unity(order);
            assert_eq!(power(root, order), 1);
            assert_ne!(power(root, order / 2), 1);
        }
    }
}
