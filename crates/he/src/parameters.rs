//! GLWE parameters: validated once, carried everywhere.

use s3rec_algebra::RingBits;
use s3rec_algebra::packing::packed_bytes;
use serde::{Deserialize, Serialize};
use tfhe::core_crypto::commons::ciphertext_modulus::CiphertextModulus;
use tfhe::core_crypto::commons::math::random::TUniform;
use tfhe::core_crypto::commons::noise_formulas::secure_noise::minimal_glwe_variance_for_132_bits_security_tuniform;
use tfhe::core_crypto::commons::parameters::{GlweDimension, PolynomialSize};

use crate::HeError;

/// Bits of q: ciphertexts live in `Z_{2^128}[X]/(X^N + 1)`.
pub const MODULUS_BITS: u32 = 128;
/// Extra bits kept of each a-part coefficient of a response, beyond ℓ.
pub const RESPONSE_MASK_EXTRA_BITS: u32 = 13;
/// Extra bits kept of each body coefficient of a response, beyond ℓ.
pub const RESPONSE_BODY_EXTRA_BITS: u32 = 6;

/// N, κ, b and t of section 2, checked against the security floor and the noise table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Unchecked", into = "Unchecked")]
pub struct GlweParameters {
    polynomial_size: usize,
    dimension: usize,
    noise_bits: u32,
    dropped_body_bits: u32,
}

/// The same numbers before they are checked, as they come from a configuration or a peer.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    polynomial_size: usize,
    dimension: usize,
    noise_bits: u32,
    dropped_body_bits: u32,
}

impl GlweParameters {
    /// The smallest lattice dimension κN that is ever used.
    pub const MIN_LATTICE_DIMENSION: usize = 5120;
    /// The largest: 13 and 6 bits kept are proven correct up to here.
    pub const MAX_LATTICE_DIMENSION: usize = 8192;
    /// The largest t: two bytes and a half of a body.
    pub const MAX_DROPPED_BODY_BITS: u32 = 20;

    /// Parameters of κ = `dimension`, N = `polynomial_size`, b from the noise table and
    /// t = `dropped_body_bits`.
    ///
    /// # Errors
    /// The [`HeError`] that names the number out of range.
    pub fn new(
        dimension: usize,
        polynomial_size: usize,
        dropped_body_bits: u32,
    ) -> Result<Self, HeError> {
        let noise_bits = noise_bits(dimension, polynomial_size)?;
        if dropped_body_bits > Self::MAX_DROPPED_BODY_BITS {
            return Err(HeError::DroppedBodyBits {
                maximum: Self::MAX_DROPPED_BODY_BITS,
                actual: dropped_body_bits,
            });
        }
        Ok(Self {
            polynomial_size,
            dimension,
            noise_bits,
            dropped_body_bits,
        })
    }

    /// Parameters far below the security floor, for tests that break the scheme at toy size.
    #[cfg(test)]
    pub(crate) fn toy(
        dimension: usize,
        polynomial_size: usize,
        noise_bits: u32,
        dropped_body_bits: u32,
    ) -> Self {
        Self {
            polynomial_size,
            dimension,
            noise_bits,
            dropped_body_bits,
        }
    }

    /// N.
    #[must_use]
    pub fn polynomial_size(&self) -> usize {
        self.polynomial_size
    }

    /// κ.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// κN.
    #[must_use]
    pub fn lattice_dimension(&self) -> usize {
        self.dimension * self.polynomial_size
    }

    /// b: every error is TUniform(b), between −2^b and 2^b.
    #[must_use]
    pub fn noise_bits(&self) -> u32 {
        self.noise_bits
    }

    /// t: low bits rounded off the uploaded bodies.
    #[must_use]
    pub fn dropped_body_bits(&self) -> u32 {
        self.dropped_body_bits
    }

    /// Bits of an uploaded body coefficient, 128 − t.
    #[must_use]
    pub fn body_bits(&self) -> u32 {
        MODULUS_BITS - self.dropped_body_bits
    }

    /// The lowest attack in bits, see [`security_bits`].
    #[must_use]
    pub fn security_bits(&self) -> u32 {
        security_bits(self.lattice_dimension())
    }

    /// Bytes that one uploaded row takes: N bodies, the masks cost nothing.
    #[must_use]
    pub fn upload_bytes_per_row(&self) -> usize {
        packed_bytes(self.polynomial_size, self.body_bits())
    }

    /// Bytes of one response of which `used_slots` body coefficients are sent.
    #[must_use]
    pub fn response_bytes(&self, ring: RingBits, used_slots: usize) -> usize {
        packed_bytes(
            self.lattice_dimension(),
            ring.bits() + RESPONSE_MASK_EXTRA_BITS,
        ) + packed_bytes(used_slots, ring.bits() + RESPONSE_BODY_EXTRA_BITS)
    }

    /// Bytes of P0's public key on the wire: κ bodies, the a-parts come from the shared seed.
    #[must_use]
    pub fn public_key_bytes(&self) -> usize {
        packed_bytes(self.lattice_dimension(), MODULUS_BITS)
    }

    pub(crate) fn ciphertext_modulus(&self) -> CiphertextModulus<u128> {
        CiphertextModulus::new_native()
    }
}

impl TryFrom<Unchecked> for GlweParameters {
    type Error = HeError;

    fn try_from(unchecked: Unchecked) -> Result<Self, HeError> {
        let checked = Self::new(
            unchecked.dimension,
            unchecked.polynomial_size,
            unchecked.dropped_body_bits,
        )?;
        if checked.noise_bits != unchecked.noise_bits {
            return Err(HeError::NoiseBits {
                expected: checked.noise_bits,
                actual: unchecked.noise_bits,
            });
        }
        Ok(checked)
    }
}

impl From<GlweParameters> for Unchecked {
    fn from(parameters: GlweParameters) -> Self {
        Self {
            polynomial_size: parameters.polynomial_size,
            dimension: parameters.dimension,
            noise_bits: parameters.noise_bits,
            dropped_body_bits: parameters.dropped_body_bits,
        }
    }
}

/// b: the smallest integer for which TUniform(b) has at least the variance that tfhe's formula
/// asks of κ = `dimension`, N = `polynomial_size` at q = 2^128 and 132 bits.
///
/// Not the neighbouring `minimal_glwe_bound_…`, which has no floor. Section 2; pinned by a test.
///
/// # Errors
/// [`HeError::PolynomialSize`] or [`HeError::LatticeDimension`].
pub fn noise_bits(dimension: usize, polynomial_size: usize) -> Result<u32, HeError> {
    if !polynomial_size.is_power_of_two() || !(16..=8192).contains(&polynomial_size) {
        return Err(HeError::PolynomialSize {
            actual: polynomial_size,
        });
    }
    let lattice_dimension = dimension.saturating_mul(polynomial_size);
    let permitted = GlweParameters::MIN_LATTICE_DIMENSION..=GlweParameters::MAX_LATTICE_DIMENSION;
    if !permitted.contains(&lattice_dimension) {
        return Err(HeError::LatticeDimension {
            actual: lattice_dimension,
        });
    }
    Ok(noise_bits_unchecked(dimension, polynomial_size))
}

fn noise_bits_unchecked(dimension: usize, polynomial_size: usize) -> u32 {
    let modulus = f64::from(MODULUS_BITS).exp2();
    let needed = minimal_glwe_variance_for_132_bits_security_tuniform(
        GlweDimension(dimension),
        PolynomialSize(polynomial_size),
        modulus,
    );
    (0..MODULUS_BITS - 2)
        .find(|&b| TUniform::<u128>::new(b).variance(modulus).0 >= needed.0)
        .unwrap_or(MODULUS_BITS - 2)
}

/// The cost of the cheapest known attack in bits, by the lattice-estimator (MATZOV cost model):
/// 135 at κN = 5120, 164 at 6144, 225 at 8192. Between these the next lower one is stated,
/// which is safe because the cost grows with the dimension and the noise floor is chosen for
/// 132 bits; below 5120 nothing is claimed.
#[must_use]
pub fn security_bits(lattice_dimension: usize) -> u32 {
    match lattice_dimension {
        8192.. => 225,
        6144.. => 164,
        5120.. => 135,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_noise_table_is_pinned() {
        let table = [(10, 512, 5), (5, 1024, 5), (80, 64, 5), (320, 16, 5)];
        for (dimension, size, expected) in table {
            assert_eq!(noise_bits(dimension, size), Ok(expected));
        }
        // From κN = 5248 up, whatever the split.
        for (dimension, size) in [(41, 128), (82, 64), (21, 256), (12, 512), (3, 2048)] {
            assert_eq!(noise_bits(dimension, size), Ok(4), "{dimension} × {size}");
        }
        for (dimension, size) in [(1, 8192), (2, 4096), (8, 1024), (512, 16)] {
            assert_eq!(noise_bits(dimension, size), Ok(4), "{dimension} × {size}");
        }
        // Below the floor nothing is offered, but the formula itself is pinned there too.
        assert_eq!(noise_bits_unchecked(1, 4096), 30);
        // κN is a multiple of 16: the step itself.
        assert_eq!(noise_bits_unchecked(320, 16), 5);
        assert_eq!(noise_bits_unchecked(321, 16), 4);
    }

    #[test]
    fn the_floor_holds() {
        assert!(matches!(
            GlweParameters::new(1, 4096, 0),
            Err(HeError::LatticeDimension { actual: 4096 })
        ));
        assert!(GlweParameters::new(2, 8192, 0).is_err());
        assert!(GlweParameters::new(usize::MAX, 64, 0).is_err());
        assert!(GlweParameters::new(1000, 8, 0).is_err());
        assert!(GlweParameters::new(2, 3000, 0).is_err());
        assert!(GlweParameters::new(1, 8192, 21).is_err());
        assert_eq!(GlweParameters::new(1, 8192, 16).unwrap().body_bits(), 112);
    }

    #[test]
    fn security_never_rounds_up() {
        for (dimension, bits) in [
            (5119, 0),
            (5120, 135),
            (6143, 135),
            (6144, 164),
            (8192, 225),
        ] {
            assert_eq!(security_bits(dimension), bits);
        }
    }

    #[test]
    fn sizes_are_those_of_the_protocol_page() {
        // 3.3: bodies 112 bits up, 83 bits down at ℓ = 32, N = 8192, κ = 1, t = 16.
        let parameters = GlweParameters::new(1, 8192, 16).unwrap();
        let ring = RingBits::new(32).unwrap();
        assert_eq!(parameters.upload_bytes_per_row(), 8192 * 112 / 8);
        assert_eq!(parameters.response_bytes(ring, 8192), 8192 * 83 / 8);
        assert_eq!(parameters.public_key_bytes(), 8192 * 16);
    }
}
