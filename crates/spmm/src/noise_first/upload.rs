//! P0's rows as codes: user f at place k of group G is X^(−k)·(a_G, ·), whose body has x_f in the
//! coefficients 0, n, 2n …; a group's bodies lie in one polynomial a secret, side by side.
//!
//! The bound on a row is kept in integers before errors are drawn, and every effective row
//! (message, error and the rounding of its code) is checked afterwards: a row beyond β would defeat
//! the noise. Errors are never redrawn, which would make them depend on X.

use rayon::prelude::*;
use s3rec_algebra::{RealMatrix, Seed, Stream};
use s3rec_lattice::gaussian::Tails;
use s3rec_lattice::modulus;
use s3rec_lattice::transform::transform;
use s3rec_lattice::{Points, Polynomial};
use zeroize::Zeroizing;

use super::binding::mask as mask_seed;
use super::keys::times;
use super::parameters::ERROR;
use super::spread_groups::{GroupMakers, GroupWork, Groups};
use super::{Job, NoiseFirstError, Opening, Parameters, RatingKeys, SessionSeeds};
use crate::SpmmError;

/// Rows that a thread encodes at a time, and values that are hashed at a time: one by one their
/// hashing takes longer than their encryption.
const ROWS_AT_ONCE: usize = 1 << 10;
const HASHED_AT_ONCE: usize = 1 << 12;

/// P0's rows in ring units, within the bound.
pub struct Rows {
    /// What they were encoded for.
    pub(crate) parameters: Parameters,
    /// |W| × C.
    pub(crate) values: Zeroizing<Vec<i64>>,
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
        let mut values = Zeroizing::new(vec![0; rows.values().len()]);
        let clipped = values
            .par_chunks_mut(parameters.columns())
            .zip(rows.values().par_chunks(parameters.columns()))
            .enumerate()
            .with_min_len(ROWS_AT_ONCE)
            .map(|(index, (values, row))| {
                let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
                if !norm.is_finite() {
                    return Err(NoiseFirstError::NotFinite { row: index });
                }
                let is_clipped = norm * scale > reach;
                let factor = if is_clipped {
                    reach.max(0.0) / norm
                } else {
                    scale
                };
                for (value, x) in values.iter_mut().zip(row) {
                    #[expect(
                        clippy::cast_possible_truncation,
                        reason = "within the bound, below 2^49"
                    )]
                    let rounded = (x * factor).round() as i64;
                    *value = rounded;
                }
                let square: i128 = values.iter().map(|&x| i128::from(x).pow(2)).sum();
                if square as f64 > bound * bound {
                    return Err(NoiseFirstError::EffectiveNorm { row: index });
                }
                Ok(usize::from(is_clipped))
            })
            .try_reduce(|| 0, |some, others| Ok(some + others))?;
        Ok(Self {
            parameters: *parameters,
            values,
            clipped,
        })
    }

    /// Secret: what the errors are bound to.
    fn digest(&self) -> Zeroizing<[u8; 32]> {
        let mut hasher = blake3::Hasher::new();
        let mut bytes = Zeroizing::new([0; 8 * HASHED_AT_ONCE]);
        for values in self.values.chunks(HASHED_AT_ONCE) {
            let (places, _) = bytes.as_chunks_mut();
            for (place, value) in places.iter_mut().zip(values) {
                *place = value.to_le_bytes();
            }
            hasher.update(&bytes[..8 * values.len()]);
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

/// Of a group's errors.
pub(crate) fn errors_of(errors: &Seed, group: usize) -> Seed {
    errors.derive("s3rec noise-first errors", &[&(group as u64).to_le_bytes()])
}

/// What rows are encrypted with. A group's codes are a pure function of it, the group's number, rows
/// and seed: the same wherever they are made, in this process or at a worker of the platform's.
pub(crate) struct Encryptor<'a> {
    pub(crate) parameters: &'a Parameters,
    pub(crate) seeds: &'a SessionSeeds,
    pub(crate) opening: &'a Opening,
    /// s_c at the points, over N.
    pub(crate) secrets: &'a [Polynomial<Points>],
}

impl Encryptor<'_> {
    /// The groups from `first` on, in parallel: `values` are their rows, C each, and `errors` the
    /// seeds of their errors, counted from 0 here.
    pub(crate) fn groups(
        &self,
        first: usize,
        values: &[i64],
        errors: impl Fn(usize) -> Seed + Sync,
        codes: &mut [u8],
    ) -> Result<(), NoiseFirstError> {
        let parameters = self.parameters;
        let group_values = parameters.places() * parameters.columns();
        let tails = Tails::new(ERROR);
        // A group's codes begin and end at whole bytes: it has a power of two of rows, 32 at least.
        codes
            .par_chunks_mut(parameters.upload_code.packed_bytes(group_values))
            .zip(values.par_chunks(group_values))
            .enumerate()
            .try_for_each(|(group, (codes, messages))| {
                self.group(first + group, messages, &errors(group), &tails, codes)
            })
    }

    fn group(
        &self,
        group: usize,
        messages: &[i64],
        errors: &Seed,
        tails: &Tails,
        codes: &mut [u8],
    ) -> Result<(), NoiseFirstError> {
        let parameters = self.parameters;
        let (columns, places) = (parameters.columns(), parameters.places());
        let seed = mask_seed(self.seeds, self.opening, group as u64);
        let mut mask = Polynomial::zero();
        transform().forward(&Polynomial::uniform(&seed), &mut mask);
        let secrets = self.secrets.iter();
        let hidden: Vec<_> = secrets.map(|secret| times(&mask, secret)).collect();
        let mut error = Zeroizing::new(vec![0; messages.len()]);
        tails.fill(&mut Stream::new(errors), &mut error);
        let mut bodies = Zeroizing::new(Vec::with_capacity(messages.len()));
        for (place, row) in messages.chunks(columns).enumerate() {
            let mut square = 0.0;
            for (column, &message) in row.iter().enumerate() {
                let (secret, slot) = (column / parameters.slots, column % parameters.slots);
                let hidden = modulus::residue(hidden[secret].centred(place + places * slot));
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
        let bits = parameters.upload_code.bits();
        Ok(s3rec_algebra::packing::pack_into_u64(&bodies, bits, codes)?)
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
        let errors = errors.derive("s3rec noise-first upload", &[job.digest(), &*rows.digest()]);
        let mut bytes = vec![0; parameters.sizes().upload];
        let (named, codes) = bytes.split_at_mut(job.digest().len());
        named.copy_from_slice(job.digest());
        let encryptor = Encryptor {
            parameters: &parameters,
            seeds: &keys.seeds,
            opening: job.opening(),
            secrets: &keys.secrets,
        };
        let of_group = |group| errors_of(&errors, group);
        encryptor.groups(0, &rows.values, of_group, codes)?;
        Ok(Self { bytes })
    }

    /// As [`Self::encrypt`], the groups by `makers`: byte for byte what this process makes.
    ///
    /// # Errors
    /// Those of [`Self::encrypt`] and of the makers; [`NoiseFirstError::Task`] where they left groups
    /// out.
    pub fn encrypt_by(
        makers: &dyn GroupMakers,
        keys: &RatingKeys,
        job: &Job,
        rows: &Rows,
        errors: &Seed,
    ) -> Result<Self, SpmmError> {
        if rows.parameters != *keys.parameters() {
            return Err(NoiseFirstError::OtherRows.into());
        }
        let errors = errors.derive("s3rec noise-first upload", &[job.digest(), &*rows.digest()]);
        let mut groups = Groups::none(keys.parameters(), job);
        makers.make(&GroupWork::new(keys, job, rows, errors), &mut groups)?;
        let bytes = groups.into_bytes()?;
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
