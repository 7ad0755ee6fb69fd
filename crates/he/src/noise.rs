//! The bound B and the two conditions of section 3.1: privacy's inequality and correctness.
//!
//! | symbol | meaning |
//! |---|---|
//! | L | row norm bound, in integer units of Y |
//! | p | rows packed in a response; 1 when every slot is used |
//! | n | returned rows × columns ever made for the stock |
//! | Δ | 2^(128−ℓ) |

use s3rec_algebra::RingBits;

use crate::GlweParameters;
use crate::parameters::{MODULUS_BITS, RESPONSE_BODY_EXTRA_BITS, RESPONSE_MASK_EXTRA_BITS};

/// Statistical security asked of every stock, in bits.
pub const STATISTICAL_BITS: u32 = 40;

/// B = p·L·(2^b + \[t>0\]·2^(t−1)) + 2^b·(2κN + 1): no phase of a response is farther than this
/// from Δ·y·u before masking. Worst case, for TUniform is bounded. `None` when it exceeds 2^128.
#[must_use]
pub fn bound(parameters: &GlweParameters, row_norm_bound: u64, packed_rows: usize) -> Option<u128> {
    let fresh = 1u128 << parameters.noise_bits();
    let rounding = match parameters.dropped_body_bits() {
        0 => 0,
        t => 1u128 << (t - 1),
    };
    let accumulated = (packed_rows as u128)
        .checked_mul(u128::from(row_norm_bound))?
        .checked_mul(fresh + rounding)?;
    let rerandomised = fresh * (2 * parameters.lattice_dimension() as u128 + 1);
    accumulated.checked_add(rerandomised)
}

/// The bits by which Δ exceeds B·n, rounded down: what P0's view leaks is below 2^−this for the
/// whole stock. 0 when Δ does not exceed it.
#[must_use]
pub fn statistical_bits(ring: RingBits, bound: u128, opened_values: u64) -> u32 {
    let exposed = bound.saturating_mul(u128::from(opened_values)).max(1);
    let ceiling_log2 = MODULUS_BITS - (exposed - 1).leading_zeros();
    (MODULUS_BITS - ring.bits()).saturating_sub(ceiling_log2)
}

/// The inequality 2^(128−ℓ) ≥ B·n·2^40.
#[must_use]
pub fn is_private(ring: RingBits, bound: u128, opened_values: u64) -> bool {
    bound
        .checked_mul(u128::from(opened_values))
        .and_then(|exposed| exposed.checked_mul(1 << STATISTICAL_BITS))
        .is_some_and(|exposed| exposed <= 1 << (MODULUS_BITS - ring.bits()))
}

/// The result is within 1 ulp: κN·2^−(13+1) + 2^−(6+1) + B/Δ < 1.
#[must_use]
pub fn is_correct(parameters: &GlweParameters, ring: RingBits, bound: u128) -> bool {
    let delta_bits = MODULUS_BITS - ring.bits();
    // In units of Δ·2^−delta_bits, exactly.
    let mask = (parameters.lattice_dimension() as u128)
        .checked_mul(1 << (delta_bits - RESPONSE_MASK_EXTRA_BITS - 1));
    let body = 1u128 << (delta_bits - RESPONSE_BODY_EXTRA_BITS - 1);
    mask.and_then(|mask| mask.checked_add(body)?.checked_add(bound))
        .is_some_and(|error| error < 1 << delta_bits)
}

/// Both conditions: the ones that the parameter chooser asks for.
#[must_use]
pub fn permits(
    parameters: &GlweParameters,
    ring: RingBits,
    row_norm_bound: u64,
    packed_rows: usize,
    opened_values: u64,
) -> bool {
    bound(parameters, row_norm_bound, packed_rows).is_some_and(|bound| {
        is_private(ring, bound, opened_values) && is_correct(parameters, ring, bound)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log2(bound: u128) -> f64 {
        (bound as f64).log2()
    }

    fn ring(bits: u32) -> RingBits {
        RingBits::new(bits).unwrap()
    }

    #[test]
    fn bounds_are_those_of_the_protocol_page() {
        // Epinions, N = 4096, κ = 2, t = 0: raw 5,262, normalised 21,215; packed at k = 10.
        let parameters = GlweParameters::new(2, 4096, 0).unwrap();
        let raw = bound(&parameters, 5262, 1).unwrap();
        assert!((log2(raw) - 18.4).abs() < 0.05, "{}", log2(raw));
        let packed = bound(&parameters, 5262, 409).unwrap();
        assert!((log2(packed) - 25.1).abs() < 0.06, "{}", log2(packed));
        let normalised = bound(&parameters, 21215, 1).unwrap();
        assert!(
            (log2(normalised) - 19.2).abs() < 0.05,
            "{}",
            log2(normalised)
        );
        let packed = bound(&parameters, 21215, 409).unwrap();
        assert!((log2(packed) - 27.1).abs() < 0.05, "{}", log2(packed));
    }

    #[test]
    fn dropped_bits_end_where_the_page_says() {
        // Epinions, 8,192 columns, κN = 8192, ℓ = 32: t ≤ 16 (raw) or 14 (normalised).
        let opened = 49_288 * 8192;
        let largest = |norm| {
            (0..=GlweParameters::MAX_DROPPED_BODY_BITS)
                .filter(|&t| {
                    let parameters = GlweParameters::new(1, 8192, t).unwrap();
                    permits(&parameters, ring(32), norm, 1, opened)
                })
                .max()
        };
        assert_eq!(largest(5262), Some(16));
        assert_eq!(largest(21_215), Some(14));
    }

    #[test]
    fn statistical_bits_agree_with_the_inequality() {
        let parameters = GlweParameters::new(5, 1024, 8).unwrap();
        for bits in [32, 36, 40, 44, 48] {
            for opened in [1u64, 1000, 1 << 20, 1 << 30, u64::MAX] {
                let bound = bound(&parameters, 1000, 100).unwrap();
                assert_eq!(
                    is_private(ring(bits), bound, opened),
                    statistical_bits(ring(bits), bound, opened) >= STATISTICAL_BITS,
                );
            }
        }
    }

    #[test]
    fn absurd_numbers_are_refused_not_wrapped() {
        let parameters = GlweParameters::new(1, 8192, 16).unwrap();
        assert_eq!(bound(&parameters, u64::MAX, usize::MAX), None);
        assert!(!permits(&parameters, ring(32), u64::MAX, 1 << 40, 1));
        assert!(!is_private(ring(48), u128::MAX, 1));
        assert_eq!(statistical_bits(ring(32), u128::MAX, u64::MAX), 0);
    }

    #[test]
    fn correctness_needs_a_noise_below_delta() {
        let parameters = GlweParameters::new(1, 8192, 0).unwrap();
        assert!(is_correct(&parameters, ring(32), 1 << 90));
        assert!(!is_correct(&parameters, ring(32), 1 << 95));
        assert!(!is_correct(&parameters, ring(32), u128::MAX));
    }
}
