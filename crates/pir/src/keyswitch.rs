//! The automorphisms X → X^(N/2^j + 1) and the key switch behind each, by transforms.
//!
//! The result is bit for bit that of tfhe's `keyswitch_glwe_ciphertext`, which a test compares;
//! tfhe multiplies by Karatsuba and takes 4–9 ms, this takes about a tenth of a millisecond.

use s3rec_algebra::Stream;
use zeroize::Zeroizing;

use crate::parameters::{BASE_LOG, KEY_LEVELS, POLYNOMIAL_SIZE};
use crate::secret::{Masks, SecretKey};
use crate::transform::{Transformed, transform};

const DIGITS: usize = KEY_LEVELS as usize;

/// The exponent N/2^level + 1 of an expansion level's automorphism.
pub(crate) fn exponent(level: u32) -> usize {
    (POLYNOMIAL_SIZE >> level) + 1
}

/// p(X^exponent), for an odd exponent: coefficient i goes to i·exponent modulo 2N, with
/// X^N = −1.
pub(crate) fn automorphism(polynomial: &[u64], exponent: usize, out: &mut [u64]) {
    let mut target = 0;
    for &coefficient in polynomial {
        let slot = &mut out[target % POLYNOMIAL_SIZE];
        *slot = if target < POLYNOMIAL_SIZE {
            coefficient
        } else {
            coefficient.wrapping_neg()
        };
        target = (target + exponent) % (2 * POLYNOMIAL_SIZE);
    }
}

/// The client's side: bodies of the key switching key from s(X^exponent) to s, one for each
/// digit, least significant first; ciphertexts `first_index..` under the mask seed.
pub(crate) fn encrypt_key(
    secret: &SecretKey,
    exponent: usize,
    masks: &Masks,
    first_index: u64,
    noise: &mut Stream,
) -> Vec<u64> {
    let mut image = Zeroizing::new(vec![0; POLYNOMIAL_SIZE]);
    automorphism(secret.coefficients(), exponent, &mut image);
    let mut bodies = Vec::with_capacity(DIGITS * POLYNOMIAL_SIZE);
    for digit in 0..KEY_LEVELS {
        let shift = 64 - BASE_LOG * (KEY_LEVELS - digit);
        let message = Zeroizing::new(image.iter().map(|&s| s << shift).collect::<Vec<_>>());
        let index = first_index + u64::from(digit);
        bodies.extend(secret.encrypt_body(masks, index, &message, noise));
    }
    bodies
}

/// The server's side: one automorphism's key in transformed form, divided by N beforehand.
pub(crate) struct SwitchingKey {
    exponent: usize,
    masks: Vec<Transformed>,
    bodies: Vec<Transformed>,
}

impl SwitchingKey {
    /// From the bodies that [`encrypt_key`] made.
    pub(crate) fn new(exponent: usize, bodies: &[u64], masks: &Masks, first_index: u64) -> Self {
        let transformed = |polynomial: &[u64]| {
            let mut out = Transformed::zero();
            transform().forward_wide(polynomial, &mut out);
            transform().normalize(&mut out);
            out
        };
        let mut mask = vec![0; POLYNOMIAL_SIZE];
        let masks = (0..u64::from(KEY_LEVELS))
            .map(|digit| {
                masks.fill(first_index + digit, &mut mask);
                transformed(&mask)
            })
            .collect();
        let bodies = bodies
            .chunks_exact(POLYNOMIAL_SIZE)
            .map(transformed)
            .collect();
        Self {
            exponent,
            masks,
            bodies,
        }
    }

    /// Writes to `scratch` the image of (mask, body) under the automorphism, switched back to
    /// the secret key: mask −`product_mask`, body `image_body` − `product_body`.
    pub(crate) fn switch(&self, mask: &[u64], body: &[u64], scratch: &mut Scratch) {
        let transform = transform();
        automorphism(mask, self.exponent, &mut scratch.image_mask);
        automorphism(body, self.exponent, &mut scratch.image_body);
        transform.digits(&scratch.image_mask, decompose, &mut scratch.digits);
        for digit in &mut scratch.digits {
            transform.forward_residues(digit);
        }
        for (key, product) in [
            (&self.masks, &mut scratch.product_mask),
            (&self.bodies, &mut scratch.product_body),
        ] {
            scratch.sum.clear();
            transform.accumulate(&mut scratch.sum, &scratch.digits, key);
            transform.inverse(&mut scratch.sum, product);
        }
    }
}

/// Working memory of one thread's key switches.
pub(crate) struct Scratch {
    image_mask: Vec<u64>,
    digits: Vec<Transformed>,
    sum: Transformed,
    /// The body's image under the automorphism.
    pub(crate) image_body: Vec<u64>,
    /// Σ digit·key mask.
    pub(crate) product_mask: Vec<u64>,
    /// Σ digit·key body.
    pub(crate) product_body: Vec<u64>,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        let polynomial = || vec![0; POLYNOMIAL_SIZE];
        Self {
            image_mask: polynomial(),
            digits: vec![Transformed::zero(); DIGITS],
            sum: Transformed::zero(),
            image_body: polynomial(),
            product_mask: polynomial(),
            product_body: polynomial(),
        }
    }
}

/// The signed digits of `value`, least significant first: Σ d_i·2^(22 + 6i) is within 2^21 of it
/// modulo 2^64, and every |d_i| ≤ 32. Ties as in tfhe's `SignedDecomposer`.
#[inline(always)]
fn decompose(value: u64) -> [u64; DIGITS] {
    const KEPT: u32 = BASE_LOG * KEY_LEVELS;
    const BASE_MASK: u64 = (1 << BASE_LOG) - 1;
    let above = value >> (63 - KEPT);
    let rounded = ((above + 1) >> 1) & (u64::MAX >> (64 - KEPT));
    let tie = (above & 1) << (KEPT - 1);
    let negative = ((rounded.wrapping_sub(1) | tie) & rounded) >> (KEPT - 1);
    let mut state = rounded.wrapping_sub(negative << KEPT);
    let mut digits = [0; DIGITS];
    for digit in &mut digits {
        let low = state & BASE_MASK;
        state = (state.cast_signed() >> BASE_LOG).cast_unsigned();
        let carry = ((low.wrapping_sub(1) | state) & low) >> (BASE_LOG - 1);
        state = state.wrapping_add(carry);
        *digit = low.wrapping_sub(carry << BASE_LOG);
    }
    digits
}

#[cfg(test)]
mod tests {
    use s3rec_algebra::{PublicSeed, Seed};
    use tfhe::core_crypto::prelude::*;

    use super::*;

    fn uniform(tag: u8, count: usize) -> Vec<u64> {
        let mut values = vec![0; count];
        Stream::new(&s3rec_algebra::Seed::from_bytes([tag; 32])).fill_u64(&mut values);
        values
    }

    #[test]
    fn digits_are_those_of_tfhe() {
        let decomposer = SignedDecomposer::<u64>::new(
            DecompositionBaseLog(BASE_LOG as usize),
            DecompositionLevelCount(DIGITS),
        );
        let edges = [
            0,
            1,
            1 << 21,
            (1 << 21) - 1,
            1 << 63,
            (1 << 63) - 1,
            u64::MAX,
        ];
        let ties = (0..64).map(|shift| 0x8208_2082_0820_8208_u64.rotate_left(shift));
        for value in edges.into_iter().chain(ties).chain(uniform(1, 50_000)) {
            let expected: Vec<u64> = decomposer
                .decompose(value)
                .map(|term| term.value())
                .collect();
            assert_eq!(decompose(value).as_slice(), expected, "{value:#x}");
        }
    }

    #[test]
    fn switching_is_bit_for_bit_that_of_tfhe() {
        let mut stream = Stream::new(&Seed::from_bytes([2; 32]));
        let secret = SecretKey::generate(&mut stream);
        let masks = Masks::new(&PublicSeed::from_bytes([3; 32]));
        let size = PolynomialSize(POLYNOMIAL_SIZE);
        let native = CiphertextModulus::new_native();
        for level in [0_u8, 5, 10] {
            let tag = 40 + level;
            let level = u32::from(level);
            let first_index = u64::from(level) * 7;
            let bodies = encrypt_key(&secret, exponent(level), &masks, first_index, &mut stream);
            let ours = SwitchingKey::new(exponent(level), &bodies, &masks, first_index);

            let mut data = Vec::new();
            // tfhe keeps the ciphertexts in the order of its decomposition: ours as well.
            for (digit, body) in (0..).zip(bodies.chunks_exact(POLYNOMIAL_SIZE)) {
                let mut mask = vec![0; POLYNOMIAL_SIZE];
                masks.fill(first_index + digit, &mut mask);
                data.extend(mask);
                data.extend_from_slice(body);
            }
            let theirs = GlweKeyswitchKey::from_container(
                data,
                DecompositionBaseLog(BASE_LOG as usize),
                DecompositionLevelCount(DIGITS),
                GlweSize(2),
                size,
                native,
            );

            let input = uniform(tag, 2 * POLYNOMIAL_SIZE);
            let (mask, body) = input.split_at(POLYNOMIAL_SIZE);
            let mut image = vec![0; 2 * POLYNOMIAL_SIZE];
            let (image_mask, image_body) = image.split_at_mut(POLYNOMIAL_SIZE);
            automorphism(mask, exponent(level), image_mask);
            automorphism(body, exponent(level), image_body);
            let image = GlweCiphertext::from_container(image, size, native);
            let mut expected = GlweCiphertext::new(0_u64, GlweSize(2), size, native);
            keyswitch_glwe_ciphertext(&theirs, &image, &mut expected);

            let mut scratch = Scratch::new();
            ours.switch(mask, body, &mut scratch);
            let (expected_mask, expected_body) = expected.as_ref().split_at(POLYNOMIAL_SIZE);
            for i in 0..POLYNOMIAL_SIZE {
                assert_eq!(scratch.product_mask[i].wrapping_neg(), expected_mask[i]);
                let body = scratch.image_body[i].wrapping_sub(scratch.product_body[i]);
                assert_eq!(body, expected_body[i]);
            }
        }
    }

    #[test]
    fn our_keys_encrypt_what_tfhe_would() {
        let mut stream = Stream::new(&Seed::from_bytes([4; 32]));
        let secret = SecretKey::generate(&mut stream);
        let masks = Masks::new(&PublicSeed::from_bytes([5; 32]));
        let bodies = encrypt_key(&secret, exponent(3), &masks, 0, &mut stream);
        let mut image = vec![0; POLYNOMIAL_SIZE];
        automorphism(secret.coefficients(), exponent(3), &mut image);
        for (digit, body) in (0..7_u32).zip(bodies.chunks_exact(POLYNOMIAL_SIZE)) {
            let mut data = vec![0; POLYNOMIAL_SIZE];
            masks.fill(u64::from(digit), &mut data);
            data.extend_from_slice(body);
            let ciphertext = GlweCiphertext::from_container(
                data,
                PolynomialSize(POLYNOMIAL_SIZE),
                CiphertextModulus::new_native(),
            );
            let mut plain = PlaintextList::new(0_u64, PlaintextCount(POLYNOMIAL_SIZE));
            decrypt_glwe_ciphertext(&secret.to_tfhe(), &ciphertext, &mut plain);
            for (plain, &s) in plain.as_ref().iter().zip(&image) {
                let error = plain.wrapping_sub(s << (22 + 6 * digit)).cast_signed();
                assert!(error.abs() <= 1 << crate::noise::NOISE_BITS);
            }
        }
    }
}
