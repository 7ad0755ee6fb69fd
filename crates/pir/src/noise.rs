//! How much noise each step adds, and how much a response may carry.
//!
//! Variances are in units of q = 2^64, that is of the integers that are stored. The formulas
//! are those of section 3.2; tests measure every one of them.
//!
//! | symbol | meaning | value |
//! |---|---|---|
//! | N | polynomial size | 2048 |
//! | σ² | variance of a fresh coefficient, TUniform([`NOISE_BITS`]) | 2^34.4 |
//! | w, l | key switching base and levels | 6, 7 |
//! | V_ks | variance added by a key switch | 2^56.7 |
//! | h | expansion levels | ≤ 11 |
//! | p' | bits of a plaintext coefficient, centred | 8 |

use crate::parameters::{
    BASE_LOG, BODY_BITS, KEY_LEVELS, MASK_BITS, PLAINTEXT_BITS, POLYNOMIAL_SIZE,
};

/// b of the noise TUniform(b): the smallest whose variance reaches tfhe's
/// `minimal_glwe_variance_for_132_bits_security_tuniform` at κN = 2048 and q = 2^64.
///
/// 17, which tfhe's own parameter sets use, falls short of that variance by 4 parts in 10^9
/// (the formula's floor); section 2's rule is followed all the same, and costs no byte.
pub const NOISE_BITS: u32 = 18;

/// How many standard deviations must fit below half a plaintext step.
const MARGIN_SIGMAS: f64 = 10.0;

fn power(exponent: u32) -> f64 {
    f64::from(exponent).exp2()
}

fn size() -> f64 {
    // Lossless: 2048.
    POLYNOMIAL_SIZE as f64
}

/// σ², the variance of a fresh coefficient.
#[must_use]
pub fn fresh_variance() -> f64 {
    (power(2 * NOISE_BITS + 1) + 1.0) / 6.0
}

/// V_ks = N·l·(2^(2w) + 2)/12·σ² + (N/2)·2^(2(64−wl))/12, what one key switch adds.
#[must_use]
pub fn key_switch_variance() -> f64 {
    let digits = f64::from(KEY_LEVELS) * (power(2 * BASE_LOG) + 2.0) / 12.0;
    let rounding = power(2 * (64 - BASE_LOG * KEY_LEVELS)) / 12.0;
    size() * digits * fresh_variance() + size() / 2.0 * rounding
}

/// 2^h·(σ² + V_ks), the variance of an expanded selector's coefficients on average over the
/// ciphertext: each level doubles what is there and adds a key switch.
#[must_use]
pub fn expanded_variance(levels: u32) -> f64 {
    power(levels) * (fresh_variance() + key_switch_variance())
}

/// Variance of an answer's coefficients before rounding: `summed` selectors, each times a
/// row polynomial of N coefficients uniform over p' centred bits.
///
/// `summed` is the rows of the bucket, times the buckets whose tails share the ciphertext.
#[must_use]
pub fn product_variance(levels: u32, summed: u64) -> f64 {
    let row = power(2 * PLAINTEXT_BITS) / 12.0;
    summed as f64 * size() * expanded_variance(levels) * row
}

/// Variance added by keeping 17 bits of the mask and 12 of the body.
#[must_use]
pub fn rounding_variance() -> f64 {
    let mask = power(2 * (64 - MASK_BITS)) / 12.0;
    let body = power(2 * (64 - BODY_BITS)) / 12.0;
    size() / 2.0 * mask + body
}

/// σ_r², the variance of an answer's coefficients as the client decrypts them.
#[must_use]
pub fn response_variance(levels: u32, summed: u64) -> f64 {
    product_variance(levels, summed) + rounding_variance()
}

/// log₂ of 10 σ_r, to be compared with 63 − p'.
#[must_use]
pub fn margin_bits(levels: u32, summed: u64) -> f64 {
    (MARGIN_SIGMAS * response_variance(levels, summed).sqrt()).log2()
}

/// Whether 2^(63−p') ≥ 10·σ_r.
#[must_use]
pub fn fits(levels: u32, summed: u64) -> bool {
    margin_bits(levels, summed) <= f64::from(63 - PLAINTEXT_BITS)
}

#[cfg(test)]
mod tests {
    use tfhe::core_crypto::commons::noise_formulas::secure_noise::minimal_glwe_variance_for_132_bits_security_tuniform as minimal_variance;
    use tfhe::core_crypto::prelude::{CiphertextModulus, GlweDimension, PolynomialSize, TUniform};

    use super::*;

    #[test]
    fn noise_bits_are_the_smallest_that_tfhe_calls_secure() {
        let required =
            minimal_variance(GlweDimension(1), PolynomialSize(POLYNOMIAL_SIZE), power(64));
        let modulus = CiphertextModulus::<u64>::new_native();
        let variance = |bits| TUniform::<u64>::new(bits).variance(modulus_log(modulus)).0;
        assert!(variance(NOISE_BITS) >= required.0);
        assert!(variance(NOISE_BITS - 1) < required.0);
        let ours = fresh_variance() / power(128);
        assert!((variance(NOISE_BITS) / ours - 1.0).abs() < 1e-12);
    }

    fn modulus_log(_: CiphertextModulus<u64>) -> f64 {
        power(64)
    }

    #[test]
    fn the_condition_holds_at_the_sizes_we_promise_and_fails_far_above() {
        assert!(fits(11, 3_500));
        assert!(!fits(11, 4_800));
    }
}
