//! P0's public key: κ encryptions of zero under masks that neither party chose.

use s3rec_algebra::packing::{pack_u128, unpack_u128};
use s3rec_algebra::{PublicSeed, Stream};

use crate::exact::{ExactProduct, Shared, Transformed};
use crate::parameters::MODULUS_BITS;
use crate::{GlweParameters, HeError};

/// The bodies of P0's public key, as sent: κ polynomials of 128-bit coefficients.
///
/// Any bodies are well formed: a malformed key defeats the noise it was to bring, which the
/// threat model says of a deviating P0; P1's masking does not depend on it.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKeyBodies(Vec<u128>);

impl PublicKeyBodies {
    pub(crate) fn new(bodies: Vec<u128>) -> Self {
        Self(bodies)
    }

    /// 16 bytes a coefficient, little-endian.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        pack_u128(&self.0, MODULUS_BITS, &mut bytes)
            // Unwrap safety: no u128 is wider than 128 bits.
            .expect("full width");
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`HeError::Packing`] when the length is not exactly that of `parameters`.
    pub fn from_bytes(parameters: &GlweParameters, bytes: &[u8]) -> Result<Self, HeError> {
        let count = parameters.lattice_dimension();
        Ok(Self(unpack_u128(bytes, MODULUS_BITS, count)?))
    }
}

/// A_pk, expanded row by row from the seed that both sides contributed to.
pub(crate) struct PublicKeyMasks {
    stream: Stream,
    row_bytes: u64,
}

impl PublicKeyMasks {
    pub(crate) fn new(parameters: &GlweParameters, seed: &PublicSeed) -> Self {
        Self {
            stream: Stream::public(&seed.derive("s3rec he: public key masks", &[])),
            row_bytes: 16 * parameters.lattice_dimension() as u64,
        }
    }

    /// The κ polynomials of row `row` of A_pk.
    pub(crate) fn fill_row(&self, row: usize, out: &mut [u128]) {
        self.stream.at(row as u64 * self.row_bytes).fill_u128(out);
    }
}

/// P0's public key as P1 uses it: A_pk and the bodies, transformed once for all responses.
pub struct PublicKey {
    parameters: GlweParameters,
    product: ExactProduct<5>,
    /// Row-major: A_{ij} at iκ + j.
    masks: Vec<Shared<5>>,
    bodies: Vec<Shared<5>>,
}

impl PublicKey {
    /// Expands A_pk from `seed` and transforms everything.
    ///
    /// `seed` must come from both sides' contributions ([`PublicSeed::combine`]), this side's
    /// own among them: re-randomisation hides nothing under masks that P0 alone chose.
    ///
    /// # Errors
    /// [`HeError::Shape`] when the bodies are of other parameters.
    pub fn expand(
        parameters: GlweParameters,
        seed: &PublicSeed,
        bodies: &PublicKeyBodies,
    ) -> Result<Self, HeError> {
        HeError::check(
            "public key coefficients",
            parameters.lattice_dimension(),
            bodies.0.len(),
        )?;
        let size = parameters.polynomial_size();
        let product = ExactProduct::new(size);
        let share = |coefficients: &[u128]| {
            let mut transformed = product.buffer();
            product.transform_u128(coefficients, &mut transformed);
            product.share(transformed)
        };
        let a_pk = PublicKeyMasks::new(&parameters, seed);
        let mut row = vec![0; parameters.lattice_dimension()];
        let mut masks = Vec::with_capacity(parameters.dimension().pow(2));
        for i in 0..parameters.dimension() {
            a_pk.fill_row(i, &mut row);
            masks.extend(row.chunks_exact(size).map(&share));
        }
        let bodies = bodies.0.chunks_exact(size).map(&share).collect();
        Ok(Self {
            parameters,
            masks,
            bodies,
            product,
        })
    }

    /// The parameters that the key was made for.
    #[must_use]
    pub fn parameters(&self) -> &GlweParameters {
        &self.parameters
    }

    /// Buffers for one thread's re-randomisations.
    #[must_use]
    pub fn workspace(&self) -> Workspace {
        Workspace {
            binary: vec![self.product.buffer(); self.parameters.dimension()],
            sum: self.product.buffer(),
        }
    }

    /// Adds Σ_i A_ij·v_i to each polynomial j of the a-part and Σ_i b_i·v_i to the body.
    /// `ciphertext` is κ + 1 polynomials, the body last; `v` is κ binary ones.
    pub(crate) fn add_zero_encryption(
        &self,
        v: &[u8],
        ciphertext: &mut [u128],
        workspace: &mut Workspace,
    ) {
        let (size, dimension) = (
            self.parameters.polynomial_size(),
            self.parameters.dimension(),
        );
        for (v, out) in std::iter::zip(v.chunks_exact(size), &mut workspace.binary) {
            self.product.transform_binary(v, out);
        }
        for (j, polynomial) in ciphertext.chunks_exact_mut(size).enumerate() {
            let sum = &mut workspace.sum;
            if j < dimension {
                let column = self.masks.iter().skip(j).step_by(dimension);
                self.product.sum_of_products(column, &workspace.binary, sum);
            } else {
                self.product
                    .sum_of_products(self.bodies.iter(), &workspace.binary, sum);
            }
            self.product.add_inverse_u128(sum, polynomial);
        }
    }
}

/// Buffers that hold a re-randomisation's transformed randomness. Erased on drop.
pub struct Workspace {
    binary: Vec<Transformed<5>>,
    sum: Transformed<5>,
}
