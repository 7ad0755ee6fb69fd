//! P0's rows encrypted elsewhere, as [`spread`](super::spread) has P1's packs made: what a coordinator
//! hands out, what a worker makes of it, and how it comes back.
//!
//! | bytes | holds | secret |
//! |---|---|---|
//! | the opening ([`GroupWork::opening`]) | parameters, both seeds, number and mask seed, and P0's secrets s_c | yes |
//! | a task ([`GroupWork::task`]) | some groups' rows, and the seed of the errors of each | yes |
//! | what was made ([`GroupWorker::make`]) | the groups' codes, as they are sent | no |

use std::ops::Range;

use s3rec_algebra::Seed;
use s3rec_lattice::{DEGREE, Points, Polynomial};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::keys::{at_points, factor, times};
use super::upload::{Encryptor, errors_of};
use super::{Job, NoiseFirstError, Opening, Parameters, RatingKeys, Rows, SessionSeeds};
use crate::SpmmError;

/// Number of the first group, and the number of values.
const HEADER: usize = 8 + 8;
const SEED: usize = 32;
const VALUE: usize = 8;
/// The job's, before the codes of an upload.
const DIGEST: usize = 32;

/// Who encrypts the groups of an upload, in whatever order and wherever.
pub trait GroupMakers: Send + Sync {
    /// Makes all of `work` and puts it in its place.
    ///
    /// # Errors
    /// Where some groups were not made; none of any has left then.
    fn make(&self, work: &GroupWork<'_>, made: &mut Groups) -> Result<(), SpmmError>;
}

/// Everything that the groups of one upload are made of. P0's secret.
pub struct GroupWork<'a> {
    keys: &'a RatingKeys,
    opening: Opening,
    rows: &'a Rows,
    errors: Seed,
}

#[derive(Serialize, Deserialize)]
struct Public {
    parameters: Parameters,
    seeds: SessionSeeds,
    opening: Opening,
}

impl<'a> GroupWork<'a> {
    pub(crate) fn new(keys: &'a RatingKeys, job: &Job, rows: &'a Rows, errors: Seed) -> Self {
        let opening = *job.opening();
        Self {
            keys,
            opening,
            rows,
            errors,
        }
    }

    /// How many groups there are. Public.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.keys.parameters().groups()
    }

    /// What every worker must know, for [`GroupWorker::new`]: a byte for each coefficient of each
    /// secret, then what is public.
    ///
    /// # Errors
    /// [`NoiseFirstError::Task`] where it cannot be written.
    pub fn opening(&self) -> Result<Zeroizing<Vec<u8>>, NoiseFirstError> {
        let public = Public {
            parameters: *self.keys.parameters(),
            seeds: self.keys.seeds,
            opening: self.opening,
        };
        let public = postcard::to_stdvec(&public);
        let public = public.map_err(|_| task("the opening cannot be written"))?;
        let secrets = &self.keys.secrets;
        let bytes = 1 + DEGREE * secrets.len() + public.len();
        let mut bytes = Zeroizing::new(Vec::with_capacity(bytes));
        let count = u8::try_from(secrets.len());
        bytes.push(count.map_err(|_| task("the opening has too many secrets"))?);
        let mut one = vec![0; DEGREE];
        one[0] = 1;
        let one = at_points(&Polynomial::from_small(&one));
        for secret in secrets {
            let secret = times(&one, secret);
            for place in 0..DEGREE {
                let coefficient = i8::try_from(secret.centred(place));
                let coefficient = coefficient.map_err(|_| task("a secret is not small"))?;
                bytes.push(coefficient.to_le_bytes()[0]);
            }
        }
        bytes.extend(public);
        Ok(bytes)
    }

    /// What the worker who makes `groups` must know besides: their rows, and a seed each.
    #[must_use]
    pub fn task(&self, groups: Range<usize>) -> Zeroizing<Vec<u8>> {
        let values = &self.rows.values[values_of(self.keys.parameters(), &groups)];
        let bytes = HEADER + VALUE * values.len() + SEED * groups.len();
        let mut bytes = Zeroizing::new(Vec::with_capacity(bytes));
        bytes.extend((groups.start as u64).to_le_bytes());
        bytes.extend((values.len() as u64).to_le_bytes());
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        for group in groups {
            bytes.extend(errors_of(&self.errors, group).expose_bytes());
        }
        bytes
    }
}

/// Values of the rows of `groups`; the last group may have fewer rows than its places.
fn values_of(parameters: &Parameters, groups: &Range<usize>) -> Range<usize> {
    let each = parameters.places() * parameters.columns();
    let all = parameters.uploaded() * parameters.columns();
    (groups.start * each).min(all)..(groups.end * each).min(all)
}

fn task(what: &'static str) -> NoiseFirstError {
    NoiseFirstError::Task { what }
}

/// A worker's part in one upload. P0's secret.
pub struct GroupWorker {
    parameters: Parameters,
    seeds: SessionSeeds,
    opening: Opening,
    secrets: Vec<Polynomial<Points>>,
}

impl GroupWorker {
    /// Reads P0's secrets and what is public of the opening.
    ///
    /// # Errors
    /// [`NoiseFirstError::Task`] for bytes that are no opening's, and what parameters are refused for.
    pub fn new(opening: &[u8]) -> Result<Self, NoiseFirstError> {
        let other = || task("the opening does not read");
        let (&count, rest) = opening.split_first().ok_or_else(other)?;
        let (secrets, public) = rest
            .split_at_checked(usize::from(count) * DEGREE)
            .ok_or_else(other)?;
        let (public, rest): (Public, _) = postcard::take_from_bytes(public).map_err(|_| other())?;
        if !rest.is_empty() || usize::from(count) != public.parameters.secrets {
            return Err(other());
        }
        public.parameters.validate()?;
        let secrets = secrets.chunks_exact(DEGREE).map(|secret| {
            let small = secret
                .iter()
                .map(|&byte| i64::from(i8::from_le_bytes([byte])));
            factor(&Polynomial::from_small(&Zeroizing::new(
                small.collect::<Vec<_>>(),
            )))
        });
        Ok(Self {
            parameters: public.parameters,
            seeds: public.seeds,
            opening: public.opening,
            secrets: secrets.collect(),
        })
    }

    /// Makes the groups of a task, in parallel.
    ///
    /// # Errors
    /// [`NoiseFirstError::Task`] for bytes that are no task of this opening, and
    /// [`NoiseFirstError::EffectiveNorm`].
    pub fn make(&self, bytes: &[u8]) -> Result<Vec<u8>, NoiseFirstError> {
        let other = || task("a task has another length than its numbers say");
        let parameters = &self.parameters;
        let (first, rest) = bytes.split_first_chunk().ok_or_else(other)?;
        let (count, rest) = rest.split_first_chunk().ok_or_else(other)?;
        let number = |bytes: &[u8; 8]| usize::try_from(u64::from_le_bytes(*bytes));
        let first = number(first).map_err(|_| other())?;
        let count = number(count).map_err(|_| other())?;
        let values_end = count.checked_mul(VALUE).ok_or_else(other)?;
        let (values, seeds) = rest.split_at_checked(values_end).ok_or_else(other)?;
        let (seeds, behind) = seeds.as_chunks::<SEED>();
        let end = first.checked_add(seeds.len()).ok_or_else(other)?;
        let is_whole = behind.is_empty() && !seeds.is_empty() && end <= parameters.groups();
        if !is_whole || values_of(parameters, &(first..end)).len() != count {
            return Err(other());
        }
        let (values, _) = values.as_chunks::<VALUE>();
        let values = values.iter().map(|value| i64::from_le_bytes(*value));
        let values = Zeroizing::new(values.collect::<Vec<i64>>());
        // Errors and rounding fit beside messages below it, as `Rows` has them.
        let reach = 1_u64 << 49;
        if values.iter().any(|value| value.unsigned_abs() > reach) {
            return Err(task("a task has a value that is none"));
        }
        let seeds: Vec<Seed> = seeds.iter().map(|seed| Seed::from_bytes(*seed)).collect();
        let mut codes = vec![0; parameters.upload_code.packed_bytes(count)];
        let encryptor = Encryptor {
            parameters,
            seeds: &self.seeds,
            opening: &self.opening,
            secrets: &self.secrets,
        };
        encryptor.groups(first, &values, |group| seeds[group].clone(), &mut codes)?;
        Ok(codes)
    }
}

/// Groups of an upload as they come back, each once and in its place.
pub struct Groups {
    parameters: Parameters,
    bytes: Vec<u8>,
    is_made: Vec<bool>,
}

impl Groups {
    pub(crate) fn none(parameters: &Parameters, job: &Job) -> Self {
        let mut bytes = vec![0; parameters.sizes().upload];
        bytes[..DIGEST].copy_from_slice(job.digest());
        Self {
            parameters: *parameters,
            bytes,
            is_made: vec![false; parameters.groups()],
        }
    }

    /// Puts what [`GroupWorker::make`] made of the task of `groups` in its place.
    ///
    /// # Errors
    /// [`NoiseFirstError::Task`] for bytes of another length, groups that do not exist, and groups
    /// that are there already: nothing is made twice.
    pub fn put(&mut self, groups: Range<usize>, made: &[u8]) -> Result<(), NoiseFirstError> {
        let places = self.is_made.get_mut(groups.clone());
        let places = places.ok_or_else(|| task("groups came back that nobody asked for"))?;
        if places.iter().any(|made| *made) {
            return Err(task("groups came back twice"));
        }
        let code = self.parameters.upload_code;
        let values = values_of(&self.parameters, &groups);
        // Groups begin at whole bytes, and the last ends with the upload.
        let (start, end) = (
            code.packed_bytes(values.start),
            code.packed_bytes(values.end),
        );
        let into = &mut self.bytes[DIGEST + start..DIGEST + end];
        if into.len() != made.len() {
            return Err(task("groups came back in another length than they are of"));
        }
        into.copy_from_slice(made);
        places.fill(true);
        Ok(())
    }

    pub(crate) fn into_bytes(self) -> Result<Vec<u8>, NoiseFirstError> {
        if self.is_made.iter().any(|made| !made) {
            return Err(task("some were not made"));
        }
        Ok(self.bytes)
    }
}
