//! P0's secret key: its public key, and the phases that only it can compute.

use s3rec_algebra::{PublicSeed, Seed, Stream};
use tfhe::core_crypto::commons::parameters::PolynomialSize;
use tfhe::core_crypto::entities::{GlweCiphertextOwned, GlweSecretKeyOwned};
use zeroize::{Zeroize, Zeroizing};

use crate::exact::{ExactProduct, Shared};
use crate::public::{PublicKeyBodies, PublicKeyMasks};
use crate::{GlweParameters, Response};

/// The binary key s ∈ R^κ, in tfhe's form and transformed for products. Erased on drop.
///
/// One for each stock; only P0 has it. Section 3.1.
pub struct SecretKey {
    parameters: GlweParameters,
    key: GlweSecretKeyOwned<u128>,
    product: ExactProduct<5>,
    shared: Vec<Shared<5>>,
    short_product: ExactProduct<3>,
    short_shared: Vec<Shared<3>>,
}

impl SecretKey {
    /// The key that `seed` determines: uniform bits.
    #[must_use]
    pub fn generate(parameters: GlweParameters, seed: &Seed) -> Self {
        let mut bits = Zeroizing::new(vec![0; parameters.lattice_dimension()]);
        Stream::new(&seed.derive("s3rec he: secret key", &[])).fill_binary(&mut bits);
        Self::from_bits(parameters, &bits)
    }

    fn from_bits(parameters: GlweParameters, bits: &[u8]) -> Self {
        let size = parameters.polynomial_size();
        let product = ExactProduct::new(size);
        let short_product = ExactProduct::new(size);
        let key = GlweSecretKeyOwned::from_container(
            bits.iter().map(|&bit| u128::from(bit)).collect(),
            PolynomialSize(size),
        );
        Self {
            parameters,
            key,
            shared: share_bits(&product, bits),
            product,
            short_shared: share_bits(&short_product, bits),
            short_product,
        }
    }

    /// The parameters that the key was made for.
    #[must_use]
    pub fn parameters(&self) -> &GlweParameters {
        &self.parameters
    }

    /// The key as tfhe's own functions take it.
    #[must_use]
    pub fn as_tfhe(&self) -> &GlweSecretKeyOwned<u128> {
        &self.key
    }

    /// P0's public key: the bodies of κ encryptions of zero, whose a-parts A_pk both sides
    /// expand from `masks` themselves. Bytes sent: [`GlweParameters::public_key_bytes`].
    #[must_use]
    pub fn public_key(&self, masks: &PublicSeed, errors: &Seed) -> PublicKeyBodies {
        let parameters = &self.parameters;
        let mut noise = Zeroizing::new(vec![0; parameters.lattice_dimension()]);
        Stream::new(&errors.derive("s3rec he: public key errors", &[]))
            .fill_tuniform(parameters.noise_bits(), &mut noise);
        let mut bodies: Vec<u128> = noise.iter().map(|&e| signed(e)).collect();
        let a_pk = PublicKeyMasks::new(parameters, masks);
        let mut mask = vec![0; parameters.lattice_dimension()];
        let mut workspace = self.workspace();
        let size = parameters.polynomial_size();
        for (row, body) in bodies.chunks_exact_mut(size).enumerate() {
            a_pk.fill_row(row, &mut mask);
            self.add_mask_product(&mask, body, &mut workspace);
        }
        PublicKeyBodies::new(bodies)
    }

    /// W, P0's share of a response's used slots: the top ℓ bits of body − a·s. Section 3.1,
    /// step 5. Constant time.
    ///
    /// # Panics
    /// When the response was decoded for other parameters.
    #[must_use]
    pub fn decrypt_share(&self, response: &Response) -> Vec<u64> {
        assert_eq!(
            response.parameters(),
            &self.parameters,
            "another key's response"
        );
        let product = &self.short_product;
        let size = self.parameters.polynomial_size();
        let transformed: Vec<_> = response
            .mask()
            .chunks_exact(size)
            .map(|mask| {
                let mut out = product.buffer();
                product.transform_u64(mask, &mut out);
                out
            })
            .collect();
        let mut sum = product.buffer();
        product.sum_of_products(self.short_shared.iter(), &transformed, &mut sum);
        let mut masked = Zeroizing::new(vec![0; size]);
        product.inverse_u64(&mut sum, &mut masked);
        response.share_from_mask_product(&masked)
    }

    /// body − a·s of a whole ciphertext, exactly, modulo 2^128.
    #[must_use]
    pub fn phase(&self, ciphertext: &GlweCiphertextOwned<u128>) -> Vec<u128> {
        let mut negated = vec![0; self.parameters.polynomial_size()];
        let mask = ciphertext.get_mask();
        self.add_mask_product(mask.as_ref(), &mut negated, &mut self.workspace());
        std::iter::zip(ciphertext.get_body().as_ref(), negated)
            .map(|(body, product)| body.wrapping_sub(product))
            .collect()
    }

    pub(crate) fn workspace(&self) -> SecretWorkspace {
        let buffers = self.parameters.dimension() + 1;
        SecretWorkspace(vec![self.product.buffer(); buffers])
    }

    /// Adds Σ a_j·s_j to `out`, `mask` being all κ polynomials.
    pub(crate) fn add_mask_product(
        &self,
        mask: &[u128],
        out: &mut [u128],
        workspace: &mut SecretWorkspace,
    ) {
        // Unwrap safety: a workspace has κ + 1 ≥ 2 buffers.
        let (sum, transformed) = workspace.0.split_last_mut().expect("not empty");
        let polynomials = mask.chunks_exact(self.parameters.polynomial_size());
        for (mask, transformed) in std::iter::zip(polynomials, &mut *transformed) {
            self.product.transform_u128(mask, transformed);
        }
        self.product
            .sum_of_products(self.shared.iter(), transformed, sum);
        self.product.add_inverse_u128(sum, out);
    }
}

/// Buffers for one thread's products with the secret key.
pub(crate) struct SecretWorkspace(Vec<crate::exact::Transformed<5>>);

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.key.as_mut().zeroize();
    }
}

fn share_bits<const P: usize>(product: &ExactProduct<P>, bits: &[u8]) -> Vec<Shared<P>> {
    let size = product.polynomial_size();
    bits.chunks_exact(size)
        .map(|bits| {
            let mut transformed = product.buffer();
            product.transform_binary(bits, &mut transformed);
            product.share(transformed)
        })
        .collect()
}

/// A signed integer modulo 2^128.
pub(crate) fn signed(value: i64) -> u128 {
    i128::from(value).cast_unsigned()
}
