//! P0's rows as codes: user f at place k of group G is X^(−k)·(a_G, ·), whose body has x_f in the
//! coefficients 0, n, 2n …; a group's bodies lie in one polynomial a secret, side by side.
//!
//! The bound on a row is kept in integers before errors are drawn, and every effective row
//! (message, error and the rounding of its code) is checked afterwards: a row beyond β would defeat
//! the noise. Errors are never redrawn, which would make them depend on X.

use rayon::prelude::*;
use s3rec_algebra::{RealMatrix, Seed, Stream};
use s3rec_lattice::Polynomial;
use s3rec_lattice::gaussian::Tails;
use s3rec_lattice::modulus;
use s3rec_lattice::transform::transform;
use zeroize::Zeroizing;

use super::binding::mask as mask_seed;
use super::keys::times;
use super::parameters::ERROR;
use super::{Job, NoiseFirstError, Parameters, RatingKeys};

/// P0's rows in ring units, within the bound.
pub struct Rows {
    /// What they were encoded for.
    pub(crate) parameters: Parameters,
    /// |W| × C.
    values: Zeroizing<Vec<i64>>,
    /// Rows that were shortened to the bound.
    pub clipped: usize,
}

impl Rows {
    /// Rounds `rows` (|W| × C, in units of x) to ring units and shortens rows beyond the bound.
    ///
    /// # Errors
    /// [`NoiseFirstError::Shape`], [`NoiseFirstError::NotFinite`].
    pub fn encode(parameters: &Parameters, rows: &RealMatrix) -> Result<Self, NoiseFirstError> {
        for (what, expected, actual) in [
            (
                "the number of uploaded rows",
                parameters.uploaded(),
                rows.rows(),
            ),
            (
                "the number of columns",
                parameters.columns(),
                rows.columns(),
            ),
        ] {
            if expected != actual {
                return Err(NoiseFirstError::Shape {
                    what,
                    expected,
                    actual,
                });
            }
        }
        let (scale, bound) = (parameters.scale(), parameters.message_bound());
        // Rounding lengthens a row by √C/2 at most.
        let reach = bound - f64::from(parameters.terms().columns).sqrt() / 2.0;
        let mut values = Zeroizing::new(Vec::with_capacity(rows.values().len()));
        let mut clipped = 0;
        for index in 0..rows.rows() {
            let row = rows.row(index);
            let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
            if !norm.is_finite() {
                return Err(NoiseFirstError::NotFinite { row: index });
            }
            let factor = if norm * scale > reach {
                clipped += 1;
                reach.max(0.0) / norm
            } else {
                scale
            };
            #[expect(
                clippy::cast_possible_truncation,
                reason = "within the bound, below 2^49"
            )]
            let rounded = row.iter().map(|x| (x * factor).round() as i64);
            let first = values.len();
            values.extend(rounded);
            let square: i128 = values[first..].iter().map(|&x| i128::from(x).pow(2)).sum();
            if square as f64 > bound * bound {
                return Err(NoiseFirstError::EffectiveNorm { row: index });
            }
        }
        Ok(Self {
            parameters: *parameters,
            values,
            clipped,
        })
    }

    /// Secret: what the errors are bound to.
    fn digest(&self) -> Zeroizing<[u8; 32]> {
        let mut hasher = blake3::Hasher::new();
        for value in self.values.iter() {
            hasher.update(&value.to_le_bytes());
        }
        Zeroizing::new(*hasher.finalize().as_bytes())
    }

    /// The rows as they are sent, in units of x: what the sums are of.
    #[must_use]
    pub fn as_encoded(&self, parameters: &Parameters) -> Vec<f64> {
        let scale = parameters.scale();
        self.values
            .iter()
            .map(|&value| value as f64 / scale)
            .collect()
    }
}

/// An upload, finished: it is stored before its first byte leaves, and sent as it is however
/// often it is sent.
pub struct Upload {
    /// The job's digest, then the codes.
    bytes: Vec<u8>,
}

impl Upload {
    /// Encrypts `rows` under the session's keys for one opening. Private: rows and secrets, errors
    /// drawn from `errors`, a fresh seed that is used for nothing else. Public: the job, whose
    /// mask seed must never have been used.
    ///
    /// # Errors
    /// [`NoiseFirstError::OtherRows`]. [`NoiseFirstError::EffectiveNorm`]: a bug of ours, and nothing may leave.
    pub fn encrypt(
        keys: &RatingKeys,
        job: &Job,
        rows: &Rows,
        errors: &Seed,
    ) -> Result<Self, NoiseFirstError> {
        let parameters = *keys.parameters();
        if rows.parameters != parameters {
            return Err(NoiseFirstError::OtherRows);
        }
        let (columns, places) = (parameters.columns(), parameters.places());
        let tails = Tails::new(ERROR);
        let group_values = places * columns;
        let errors = errors.derive("s3rec noise-first upload", &[job.digest(), &*rows.digest()]);
        let codes: Vec<Zeroizing<Vec<u64>>> = rows
            .values
            .par_chunks(group_values)
            .enumerate()
            .map(|(group, messages)| {
                let index = group as u64;
                let seed = mask_seed(&keys.seeds, job.opening(), index);
                let mut mask = Polynomial::zero();
                transform().forward(&Polynomial::uniform(&seed), &mut mask);
                let hidden: Vec<_> = keys
                    .secrets
                    .iter()
                    .map(|secret| times(&mask, secret))
                    .collect();
                let seed = errors.derive("s3rec noise-first errors", &[&index.to_le_bytes()]);
                let mut error = Zeroizing::new(vec![0; messages.len()]);
                tails.fill(&mut Stream::new(&seed), &mut error);
                let mut bodies = Zeroizing::new(Vec::with_capacity(messages.len()));
                for (place, row) in messages.chunks(columns).enumerate() {
                    let mut square = 0.0;
                    for (column, &message) in row.iter().enumerate() {
                        let (secret, slot) = (column / parameters.slots, column % parameters.slots);
                        let hidden =
                            modulus::residue(hidden[secret].centred(place + places * slot));
                        let message = message + error[place * columns + column];
                        let body = modulus::add(hidden, modulus::residue(message));
                        let code = parameters.upload_code.encode(body);
                        let decoded = parameters.upload_code.decode(code);
                        let effective = modulus::centred(modulus::subtract(decoded, hidden)) as f64;
                        square += effective * effective;
                        bodies.push(code);
                    }
                    if square.sqrt() > parameters.effective_bound() {
                        let row = group * places + place;
                        return Err(NoiseFirstError::EffectiveNorm { row });
                    }
                }
                Ok(bodies)
            })
            .collect::<Result<_, _>>()?;
        let codes = Zeroizing::new(
            codes
                .iter()
                .flat_map(|group| group.iter().copied())
                .collect::<Vec<_>>(),
        );
        let mut bytes = Vec::with_capacity(parameters.sizes().upload);
        bytes.extend(job.digest());
        s3rec_algebra::packing::pack_u64(&codes, parameters.upload_code.bits(), &mut bytes)?;
        Ok(Self { bytes })
    }

    /// One that was stored.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// The digest of the job that it is for; none of bytes that are too few.
    pub(crate) fn job(&self) -> Option<&[u8; 32]> {
        self.bytes.first_chunk()
    }

    /// |W|·C codes, users in their order.
    pub(crate) fn codes(&self) -> &[u8] {
        self.bytes.get(32..).unwrap_or_default()
    }

    /// The job's digest and the codes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
