//! The offline phase's ciphertexts through tfhe's own `encrypt_glwe_ciphertext` and
//! `decrypt_glwe_ciphertext`, beside which ours is measured.
//!
//! | work | tfhe's function | calls |
//! |---|---|---|
//! | P0 encrypts its rows | `encrypt_glwe_ciphertext` | uploaded rows × blocks |
//! | P1 re-randomises its responses | `encrypt_glwe_ciphertext` (of zero) | responses × blocks |
//! | P0 decrypts the responses | `decrypt_glwe_ciphertext` | responses × blocks |
//!
//! A sample is run on all threads at once and multiplied up, which the record says. tfhe encrypts
//! under the secret key, which P1 does not have; under the public one it would multiply κ + 1
//! polynomials more, so the second line flatters tfhe. Accumulation, which tfhe has no function
//! for, is not in its time at all.

use std::time::Instant;

use concrete_csprng::generators::DefaultRandomGenerator;
use rayon::prelude::*;
use s3rec_algebra::Seed;
use s3rec_he::SecretKey;
use s3rec_spmm::ProductParameters;
use serde::{Deserialize, Serialize};
use tfhe::core_crypto::algorithms::glwe_encryption::{
    decrypt_glwe_ciphertext, encrypt_glwe_ciphertext,
};
use tfhe::core_crypto::commons::ciphertext_modulus::CiphertextModulus;
use tfhe::core_crypto::commons::generators::EncryptionRandomGenerator;
use tfhe::core_crypto::commons::math::random::TUniform;
use tfhe::core_crypto::commons::parameters::{GlweSize, PlaintextCount, PolynomialSize};
use tfhe::core_crypto::entities::{GlweCiphertextOwned, PlaintextListOwned};

use crate::BenchError;
use crate::record::PhaseRecord;

/// tfhe's seconds for one offline phase, all threads at work, and the ratios to ours.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TfheReference {
    /// Calls of `encrypt_glwe_ciphertext` that P0's upload takes.
    pub uploads: u64,
    /// Responses: as many encryptions of zero and decryptions.
    pub responses: u64,
    /// Ciphertexts that were really encrypted and decrypted; the rest is multiplied up.
    pub sampled: u64,
    /// Seconds of one encryption, the sample's wall time over its size.
    pub encrypt_seconds: f64,
    /// Seconds of one decryption, likewise.
    pub decrypt_seconds: f64,
    /// P0's encryptions and decryptions alone.
    pub rating_seconds: f64,
    /// With P1's encryptions of zero: the same work as ours, but for the accumulation.
    pub seconds: f64,
    /// Our whole offline phase: both parties, accumulation and storage included.
    pub ours_seconds: f64,
    /// `seconds` over `ours_seconds`.
    pub ratio: f64,
    /// `rating_seconds` over `ours_seconds`: P0's half of the work against the whole of ours.
    pub strict_ratio: f64,
}

/// Runs a sample of `per_thread` ciphertexts on every thread.
///
/// # Errors
/// Parameters without a layout.
pub fn measure(
    parameters: &ProductParameters,
    ours: &PhaseRecord,
    per_thread: u64,
) -> Result<TfheReference, BenchError> {
    let layout = parameters.layout()?;
    let blocks = u64::from(layout.blocks);
    let uploads = u64::from(parameters.uploaded_rows) * blocks;
    let responses = u64::from(parameters.returned_rows.div_ceil(layout.rows_per_response)) * blocks;
    let glwe = parameters.glwe()?;
    let secret = SecretKey::generate(glwe, &Seed::from_bytes([3; 32]));
    let per_thread = per_thread.max(1);
    let threads = rayon::current_num_threads() as u64;
    let mut lanes: Vec<Lane> = (0..threads)
        .map(|lane| Lane::new(&secret, u128::from(lane)))
        .collect();
    let noise = TUniform::new(glwe.noise_bits());
    let mut timed = |work: fn(&mut Lane, &SecretKey, TUniform<u128>)| {
        let started = Instant::now();
        lanes
            .par_iter_mut()
            .for_each(|lane| (0..per_thread).for_each(|_| work(lane, &secret, noise)));
        started.elapsed().as_secs_f64() / (threads * per_thread) as f64
    };
    let encrypt_seconds = timed(Lane::encrypt);
    let decrypt_seconds = timed(Lane::decrypt);
    let rating_seconds = uploads as f64 * encrypt_seconds + responses as f64 * decrypt_seconds;
    let seconds = rating_seconds + responses as f64 * encrypt_seconds;
    Ok(TfheReference {
        uploads,
        responses,
        sampled: threads * per_thread,
        encrypt_seconds,
        decrypt_seconds,
        rating_seconds,
        seconds,
        ours_seconds: ours.seconds,
        ratio: seconds / ours.seconds,
        strict_ratio: rating_seconds / ours.seconds,
    })
}

/// What one thread works on.
struct Lane {
    randomness: EncryptionRandomGenerator<DefaultRandomGenerator>,
    plaintexts: PlaintextListOwned<u128>,
    ciphertext: GlweCiphertextOwned<u128>,
}

impl Lane {
    fn new(secret: &SecretKey, number: u128) -> Self {
        let key = secret.as_tfhe();
        let (dimension, size) = (key.glwe_dimension(), key.polynomial_size());
        Self {
            randomness: EncryptionRandomGenerator::new(
                concrete_csprng::seeders::Seed(number),
                &mut Fixed,
            ),
            plaintexts: PlaintextListOwned::new(0, PlaintextCount(size.0)),
            ciphertext: GlweCiphertextOwned::new(
                0,
                GlweSize(dimension.0 + 1),
                PolynomialSize(size.0),
                CiphertextModulus::new_native(),
            ),
        }
    }

    fn encrypt(&mut self, secret: &SecretKey, noise: TUniform<u128>) {
        encrypt_glwe_ciphertext(
            secret.as_tfhe(),
            &mut self.ciphertext,
            &self.plaintexts,
            noise,
            &mut self.randomness,
        );
    }

    fn decrypt(&mut self, secret: &SecretKey, _: TUniform<u128>) {
        decrypt_glwe_ciphertext(secret.as_tfhe(), &self.ciphertext, &mut self.plaintexts);
    }
}

/// Nothing here is secret: what is measured is time.
struct Fixed;

impl concrete_csprng::seeders::Seeder for Fixed {
    fn seed(&mut self) -> concrete_csprng::seeders::Seed {
        concrete_csprng::seeders::Seed(2)
    }

    fn is_available() -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_spmm::{OperatorKind, ProductRequest, Protocol, choose_parameters};

    #[test]
    fn the_calls_are_those_of_the_layout() {
        let request = ProductRequest {
            row_norm_bound: 64,
            nonzeros_bound: 256,
            ..ProductRequest::new(Protocol::Preprocessed, OperatorKind::Laplacian, 50, 4, 5)
        };
        let parameters = choose_parameters(&request).unwrap();
        let ours = PhaseRecord {
            seconds: 0.5,
            ..PhaseRecord::default()
        };
        let reference = measure(&parameters, &ours, 1).unwrap();
        let layout = parameters.layout().unwrap();
        assert_eq!(reference.uploads, 50 * u64::from(layout.blocks));
        assert_eq!(
            reference.responses,
            u64::from(50_u32.div_ceil(layout.rows_per_response) * layout.blocks)
        );
        assert!(reference.ratio > reference.strict_ratio && reference.strict_ratio > 0.0);
    }
}
