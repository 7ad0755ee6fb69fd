//! The client's key: seeded encryption and decryption of answers.

use s3rec_algebra::{PublicSeed, Stream};
#[cfg(test)]
use tfhe::core_crypto::prelude::{GlweSecretKeyOwned, PolynomialSize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::noise::NOISE_BITS;
use crate::parameters::{BODY_BITS, MASK_BITS, PLAINTEXT_BITS, POLYNOMIAL_SIZE};
use crate::transform::{Transformed, transform};

/// A binary GLWE key with κ = 1 and N = 2048, kept in transformed form too.
#[derive(ZeroizeOnDrop)]
pub(crate) struct SecretKey {
    coefficients: Vec<u64>,
    transformed: Key,
}

/// A transformed polynomial that is erased on drop, already divided by N.
struct Key(Transformed);

impl Zeroize for Key {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl ZeroizeOnDrop for Key {}

impl SecretKey {
    pub(crate) fn generate(stream: &mut Stream) -> Self {
        let mut bits = Zeroizing::new(vec![0; POLYNOMIAL_SIZE]);
        stream.fill_binary(&mut bits);
        let coefficients: Vec<u64> = bits.iter().map(|&bit| u64::from(bit)).collect();
        let mut transformed = Transformed::zero();
        transform().forward_wide(&coefficients, &mut transformed);
        transform().normalize(&mut transformed);
        Self {
            coefficients,
            transformed: Key(transformed),
        }
    }

    /// The key's N bits.
    pub(crate) fn coefficients(&self) -> &[u64] {
        &self.coefficients
    }

    /// The same key as tfhe's entity, for its reference algorithms.
    #[cfg(test)]
    pub(crate) fn to_tfhe(&self) -> GlweSecretKeyOwned<u64> {
        GlweSecretKeyOwned::from_container(
            self.coefficients.clone(),
            PolynomialSize(POLYNOMIAL_SIZE),
        )
    }

    /// body − mask·s at full precision, for tests that measure noise.
    #[cfg(test)]
    pub(crate) fn phase(&self, mask: &[u64], body: &[u64]) -> Vec<u64> {
        let product = self.product(mask);
        let pairs = body.iter().zip(product.iter());
        pairs
            .map(|(body, product)| body.wrapping_sub(*product))
            .collect()
    }

    /// mask·s: as good as the key to whoever knows the mask, so erased.
    fn product(&self, mask: &[u64]) -> Zeroizing<Vec<u64>> {
        let transform = transform();
        let mut left = [Transformed::zero()];
        transform.forward_wide(mask, &mut left[0]);
        let mut sum = Transformed::zero();
        transform.accumulate(&mut sum, &left, std::slice::from_ref(&self.transformed.0));
        let mut product = Zeroizing::new(vec![0; POLYNOMIAL_SIZE]);
        transform.inverse(&mut sum, &mut product);
        sum.zeroize();
        product
    }

    /// The body of ciphertext `index` under `mask_seed`: mask·s + message + e.
    pub(crate) fn encrypt_body(
        &self,
        masks: &Masks,
        index: u64,
        message: &[u64],
        noise: &mut Stream,
    ) -> Vec<u64> {
        let mut mask = vec![0; POLYNOMIAL_SIZE];
        masks.fill(index, &mut mask);
        let mut errors = Zeroizing::new(vec![0_i64; POLYNOMIAL_SIZE]);
        noise.fill_tuniform(NOISE_BITS, &mut errors);
        let product = self.product(&mask);
        let noisy = message
            .iter()
            .zip(errors.iter())
            .map(|(message, error)| message.wrapping_add(error.cast_unsigned()));
        product
            .iter()
            .zip(noisy)
            .map(|(product, noisy)| product.wrapping_add(noisy))
            .collect()
    }

    /// The bytes in an answer: `mask` and `body` as sent, [`MASK_BITS`] and [`BODY_BITS`] bits.
    ///
    /// The same work whatever the content; never fails, whatever the content.
    pub(crate) fn decrypt(&self, mut mask: Vec<u64>, body: &[u64]) -> Vec<u8> {
        for value in &mut mask {
            *value <<= 64 - MASK_BITS;
        }
        let half_step = 1 << (63 - PLAINTEXT_BITS);
        self.product(&mask)
            .iter()
            .zip(body)
            .map(|(&product, &body)| {
                let phase = (body << (64 - BODY_BITS)).wrapping_sub(product);
                let [byte, ..] = phase.wrapping_add(half_step).to_be_bytes();
                byte
            })
            .collect()
    }
}

/// The public masks of a client's ciphertexts: N values each, expanded from one seed by seeking.
pub(crate) struct Masks(Stream);

impl Masks {
    pub(crate) fn new(seed: &PublicSeed) -> Self {
        Self(Stream::public(seed))
    }

    /// The mask of ciphertext `index`; the keys come first, then the query.
    pub(crate) fn fill(&self, index: u64, mask: &mut [u64]) {
        self.0.at(index * 8 * POLYNOMIAL_SIZE as u64).fill_u64(mask);
    }
}
