//! A response's way from accumulation to the wire, each step a type: nothing can be sent that
//! was not re-randomised and then masked, and no bit is dropped before both are done.

use s3rec_algebra::packing::{pack_u64, packed_bytes, unpack_u64};
use s3rec_algebra::{RingBits, Seed, Stream};
use tfhe::core_crypto::commons::parameters::PolynomialSize;
use tfhe::core_crypto::entities::GlweCiphertextOwned;
use zeroize::Zeroizing;

use crate::parameters::{MODULUS_BITS, RESPONSE_BODY_EXTRA_BITS, RESPONSE_MASK_EXTRA_BITS};
use crate::public::Workspace;
use crate::secret::signed;
use crate::{GlweParameters, HeError, PublicKey};

/// Σ_f y_if·ct_f, rotated and packed: a known linear map of y, so not to be sent. P1 only.
pub struct Accumulated {
    parameters: GlweParameters,
    ciphertext: GlweCiphertextOwned<u128>,
}

/// Hidden from whoever does not have the secret key; P0 has it. P1 only.
pub struct Rerandomised(Accumulated);

/// Hidden from P0 too: every coefficient of the body is uniform over Z_q. P1 only.
pub struct Masked {
    inner: Accumulated,
    ring: RingBits,
}

impl Accumulated {
    /// From κ + 1 polynomials, the body last, as [`crate::Accumulation`] fills them.
    ///
    /// # Errors
    /// [`HeError::Shape`] when there are not (κ+1)·N coefficients.
    pub fn new(parameters: GlweParameters, coefficients: Vec<u128>) -> Result<Self, HeError> {
        let expected = parameters.lattice_dimension() + parameters.polynomial_size();
        HeError::check("ciphertext coefficients", expected, coefficients.len())?;
        Ok(Self {
            ciphertext: GlweCiphertextOwned::from_container(
                coefficients,
                PolynomialSize(parameters.polynomial_size()),
                parameters.ciphertext_modulus(),
            ),
            parameters,
        })
    }

    /// Adds a fresh encryption of zero under P0's public key: a-part += A_pkᵀv + e₁,
    /// body += b_pk·v + e₂ with v binary, e₁ and e₂ TUniform(b), all from `seed`. Step 3.
    ///
    /// `seed` is this response's own: one label and content of P1's stock key.
    ///
    /// # Panics
    /// When the key is of other parameters.
    #[must_use]
    pub fn rerandomise(
        mut self,
        key: &PublicKey,
        seed: &Seed,
        workspace: &mut Workspace,
    ) -> Rerandomised {
        assert_eq!(key.parameters(), &self.parameters, "another key's response");
        let fresh = Fresh::draw(&self.parameters, seed);
        let coefficients = self.ciphertext.as_mut();
        key.add_zero_encryption(&fresh.v, coefficients, workspace);
        for (coefficient, &e) in std::iter::zip(coefficients, fresh.noise.iter()) {
            *coefficient = coefficient.wrapping_add(signed(e));
        }
        Rerandomised(self)
    }

    /// The ciphertext, for checks with the secret key.
    #[must_use]
    pub fn as_tfhe(&self) -> &GlweCiphertextOwned<u128> {
        &self.ciphertext
    }
}

/// What hides one response: from its own seed, and nothing of it in any other response.
pub(crate) struct Fresh {
    /// κ binary polynomials.
    pub(crate) v: Zeroizing<Vec<u8>>,
    /// e₁, then e₂: κ + 1 polynomials of TUniform(b).
    pub(crate) noise: Zeroizing<Vec<i64>>,
}

impl Fresh {
    pub(crate) fn draw(parameters: &GlweParameters, seed: &Seed) -> Self {
        let (key, all) = (
            parameters.lattice_dimension(),
            parameters.lattice_dimension() + parameters.polynomial_size(),
        );
        let mut v = Zeroizing::new(vec![0; key]);
        Stream::new(&seed.derive("s3rec he: v", &[])).fill_binary(&mut v);
        let mut noise = Zeroizing::new(vec![0; all]);
        Stream::new(&seed.derive("s3rec he: e1, e2", &[]))
            .fill_tuniform(parameters.noise_bits(), &mut noise);
        Self { v, noise }
    }
}

impl Rerandomised {
    /// Adds ρ, uniform over Z_q in every slot, to the body, and returns P1's share
    /// R = −(ρ >> (128−ℓ)) of the first `used_slots` slots. Step 4.
    #[must_use]
    pub fn mask(mut self, ring: RingBits, seed: &Seed, used_slots: usize) -> (Masked, Vec<u64>) {
        let rho = rho(&self.0.parameters, seed);
        let mut body = self.0.ciphertext.get_mut_body();
        for (body, &rho) in std::iter::zip(body.as_mut(), rho.iter()) {
            *body = body.wrapping_add(rho);
        }
        let share = share_of_rho(ring, &rho, used_slots);
        let masked = Masked {
            inner: self.0,
            ring,
        };
        (masked, share)
    }

    /// The ciphertext, for checks with the secret key.
    #[must_use]
    pub fn as_tfhe(&self) -> &GlweCiphertextOwned<u128> {
        &self.0.ciphertext
    }
}

/// P1's share R of a response whose [`Rerandomised::mask`] had the same `seed`, without the
/// response: in section 3.3 P1 keeps only the seed.
#[must_use]
pub fn social_share(
    parameters: &GlweParameters,
    ring: RingBits,
    seed: &Seed,
    used_slots: usize,
) -> Vec<u64> {
    share_of_rho(ring, &rho(parameters, seed), used_slots)
}

pub(crate) fn rho(parameters: &GlweParameters, seed: &Seed) -> Zeroizing<Vec<u128>> {
    let mut rho = Zeroizing::new(vec![0; parameters.polynomial_size()]);
    Stream::new(&seed.derive("s3rec he: rho", &[])).fill_u128(&mut rho);
    rho
}

fn share_of_rho(ring: RingBits, rho: &[u128], used_slots: usize) -> Vec<u64> {
    rho.iter()
        .take(used_slots)
        .map(|&rho| ring.reduce(top_bits(rho, ring.bits()).wrapping_neg()))
        .collect()
}

impl Masked {
    /// Adds Δ·`values` to the first slots: step 6 of the one-shot protocol, with `values` P1's
    /// share R and any release noise, after which P0's share is the result itself.
    #[must_use]
    pub fn add_to_used_slots(mut self, values: &[u64]) -> Self {
        let delta_bits = MODULUS_BITS - self.ring.bits();
        let mut body = self.inner.ciphertext.get_mut_body();
        for (body, &value) in std::iter::zip(body.as_mut(), values) {
            *body = body.wrapping_add(u128::from(value) << delta_bits);
        }
        self
    }

    /// Rounds to nearest and keeps ℓ + 13 bits of the a-part and ℓ + 6 of the first
    /// `used_slots` body coefficients. Step 5; the last one before sending.
    #[must_use]
    pub fn round(&self, used_slots: usize) -> Response {
        let (mask_bits, body_bits) = response_bits(self.ring);
        let round = |values: &[u128], bits: u32| -> Vec<u64> {
            let half = 1u128 << (MODULUS_BITS - bits - 1);
            values
                .iter()
                .map(|value| top_bits(value.wrapping_add(half), bits))
                .collect()
        };
        let (mask, body) = self.inner.ciphertext.get_mask_and_body();
        let body = body.as_ref();
        Response {
            parameters: self.inner.parameters,
            ring: self.ring,
            mask: round(mask.as_ref(), mask_bits),
            body: round(&body[..used_slots.min(body.len())], body_bits),
        }
    }

    /// The ciphertext, for checks with the secret key.
    #[must_use]
    pub fn as_tfhe(&self) -> &GlweCiphertextOwned<u128> {
        &self.inner.ciphertext
    }
}

/// What P0 receives: ℓ + 13 bits of each a-part coefficient, ℓ + 6 of each used body one.
///
/// Bytes sent: [`GlweParameters::response_bytes`].
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    parameters: GlweParameters,
    ring: RingBits,
    mask: Vec<u64>,
    body: Vec<u64>,
}

impl Response {
    /// The a-part packed, then the body packed.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (mask_bits, body_bits) = response_bits(self.ring);
        let length = self.parameters.response_bytes(self.ring, self.body.len());
        let mut bytes = Vec::with_capacity(length);
        pack_u64(&self.mask, mask_bits, &mut bytes)
            .and_then(|()| pack_u64(&self.body, body_bits, &mut bytes))
            // Unwrap safety: both widths were enforced by rounding or decoding.
            .expect("values of the response's widths");
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote for these parameters and this many used slots.
    ///
    /// # Errors
    /// [`HeError::Packing`] for any other length or for padding bits that are not zero,
    /// [`HeError::Shape`] for more slots than N.
    pub fn from_bytes(
        parameters: GlweParameters,
        ring: RingBits,
        used_slots: usize,
        bytes: &[u8],
    ) -> Result<Self, HeError> {
        if used_slots > parameters.polynomial_size() {
            return Err(HeError::Shape {
                what: "used slots",
                expected: parameters.polynomial_size(),
                actual: used_slots,
            });
        }
        let (mask_bits, body_bits) = response_bits(ring);
        let mask_count = parameters.lattice_dimension();
        let mask_bytes = packed_bytes(mask_count, mask_bits).min(bytes.len());
        let (mask, body) = bytes.split_at(mask_bytes);
        Ok(Self {
            parameters,
            ring,
            mask: unpack_u64(mask, mask_bits, mask_count)?,
            body: unpack_u64(body, body_bits, used_slots)?,
        })
    }

    /// The parameters it was made for.
    #[must_use]
    pub fn parameters(&self) -> &GlweParameters {
        &self.parameters
    }

    /// Slots that carry values.
    #[must_use]
    pub fn used_slots(&self) -> usize {
        self.body.len()
    }

    pub(crate) fn mask(&self) -> &[u64] {
        &self.mask
    }

    /// W from Σ a_j·s_j modulo 2^64, computed on the kept bits.
    pub(crate) fn share_from_mask_product(&self, mask_product: &[u64]) -> Vec<u64> {
        let missing = RESPONSE_MASK_EXTRA_BITS - RESPONSE_BODY_EXTRA_BITS;
        std::iter::zip(&self.body, mask_product)
            .map(|(&body, &product)| {
                let phase = (body << missing).wrapping_sub(product);
                self.ring.reduce(phase >> RESPONSE_MASK_EXTRA_BITS)
            })
            .collect()
    }
}

fn response_bits(ring: RingBits) -> (u32, u32) {
    (
        ring.bits() + RESPONSE_MASK_EXTRA_BITS,
        ring.bits() + RESPONSE_BODY_EXTRA_BITS,
    )
}

#[expect(clippy::cast_possible_truncation, reason = "at most 61 bits remain")]
fn top_bits(value: u128, bits: u32) -> u64 {
    (value >> (MODULUS_BITS - bits)) as u64
}

/// Steps left out, for the attackers of `attack_tests`; no other build has them.
#[cfg(test)]
impl Accumulated {
    pub(crate) fn without_rerandomisation(self) -> Rerandomised {
        Rerandomised(self)
    }
}

#[cfg(test)]
impl Rerandomised {
    pub(crate) fn without_mask(self, ring: RingBits) -> Masked {
        Masked {
            inner: self.0,
            ring,
        }
    }

    /// ρ uniform over the multiples of Δ only: the share is as good, the noise shows.
    pub(crate) fn mask_with_multiples_of_delta(mut self, ring: RingBits, seed: &Seed) -> Masked {
        let delta_bits = MODULUS_BITS - ring.bits();
        let rho = rho(&self.0.parameters, seed);
        for (body, rho) in std::iter::zip(self.0.ciphertext.get_mut_body().as_mut(), rho.iter()) {
            *body = body.wrapping_add(rho >> delta_bits << delta_bits);
        }
        self.without_mask(ring)
    }
}
