//! Packs made elsewhere: what a coordinator hands out, what a worker makes of it, and how it comes
//! back. Nothing here does I/O, and what carries these bytes need not understand them.
//!
//! | bytes | holds | secret |
//! |---|---|---|
//! | the opening ([`PackWork::opening`]) | parameters, both seeds, P0's keys, number and mask seed | no |
//! | a task ([`PackWork::task`]) | rows of some packs, and the seed of v and e₁ of each | yes |
//! | what was made ([`PackWorker::make`]) | a-parts as they are sent, the bodies' part | yes |
//!
//! A worker holds no key of P1's: of each pack that it makes it is given the one seed, and whatever
//! it makes twice is the same twice. It decides on nothing, stores nothing and answers nobody but
//! whoever gave it the task.

use std::ops::Range;

use s3rec_algebra::Seed;
use s3rec_lattice::{DEGREE, modulus};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::binding::Randomness;
use super::pack::Maker;
use super::{Block, Job, NoiseFirstError, Opening, Parameters, SessionSeeds, SocialKeys};
use crate::SpmmError;

/// Rows and links of a task.
const HEADER: usize = 4 + 8;
const SEED: usize = 32;
const BODY: usize = 8;

/// Who makes the packs of an opening, in whatever order and wherever.
pub trait PackMakers: Send + Sync {
    /// Makes all of `work` and puts it in its place.
    ///
    /// # Errors
    /// Where some packs were not made; none of any has left then.
    fn make(&self, work: &PackWork<'_>, made: &mut Packs) -> Result<(), SpmmError>;
}

/// Everything that the packs of one opening are made of. P1's secret.
pub struct PackWork<'a> {
    keys: &'a SocialKeys,
    opening: Opening,
    block: &'a Block,
    randomness: &'a Randomness,
}

#[derive(Serialize, Deserialize)]
struct Public {
    parameters: Parameters,
    seeds: SessionSeeds,
    keys: Vec<u8>,
    opening: Opening,
}

impl<'a> PackWork<'a> {
    pub(crate) fn new(
        keys: &'a SocialKeys,
        job: &Job,
        block: &'a Block,
        randomness: &'a Randomness,
    ) -> Self {
        let opening = *job.opening();
        Self {
            keys,
            opening,
            block,
            randomness,
        }
    }

    /// How many packs there are. Public.
    #[must_use]
    pub fn packs(&self) -> usize {
        self.keys.parameters().packs()
    }

    /// Bytes that one pack comes back in. Public.
    #[must_use]
    pub fn made_bytes(&self) -> usize {
        let parameters = self.keys.parameters();
        made_bytes(parameters, parameters.places())
    }

    /// What every worker must know, for [`PackWorker::new`]. Public, and the same for all.
    ///
    /// # Errors
    /// [`NoiseFirstError::Task`] where it cannot be written.
    pub fn opening(&self) -> Result<Vec<u8>, NoiseFirstError> {
        let public = Public {
            parameters: *self.keys.parameters(),
            seeds: self.keys.seeds,
            keys: self.keys.message.clone(),
            opening: self.opening,
        };
        postcard::to_stdvec(&public).map_err(|_| task("the opening cannot be written"))
    }

    /// What the worker who makes `packs` must know besides: their rows, and a seed each.
    #[must_use]
    pub fn task(&self, packs: Range<usize>) -> Zeroizing<Vec<u8>> {
        let rows = rows_of(self.keys.parameters(), &packs);
        let links: usize = rows.clone().map(|row| self.block.row(row).len()).sum();
        let bytes = HEADER + 4 * (rows.len() + links) + SEED * packs.len();
        let mut bytes = Zeroizing::new(Vec::with_capacity(bytes));
        bytes.extend(in_u32(rows.len()).to_le_bytes());
        bytes.extend((links as u64).to_le_bytes());
        for row in rows.clone() {
            bytes.extend(in_u32(self.block.row(row).len()).to_le_bytes());
        }
        for row in rows {
            let columns = self.block.row(row).iter();
            bytes.extend(columns.flat_map(|column| column.to_le_bytes()));
        }
        for pack in packs {
            bytes.extend(self.randomness.fresh(pack as u64).expose_bytes());
        }
        bytes
    }
}

/// Rows are counted in 32 bits throughout.
fn in_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Rows of `packs`; the last pack may have fewer than its places.
fn rows_of(parameters: &Parameters, packs: &Range<usize>) -> Range<usize> {
    let (places, rows) = (parameters.places(), parameters.opened());
    (packs.start * places).min(rows)..(packs.end * places).min(rows)
}

/// Of a pack with so many rows.
fn made_bytes(parameters: &Parameters, rows: usize) -> usize {
    parameters.mask_code.packed_bytes(DEGREE) + BODY * rows * parameters.columns()
}

fn task(what: &'static str) -> NoiseFirstError {
    NoiseFirstError::Task { what }
}

/// A worker's part in one opening.
pub struct PackWorker {
    keys: SocialKeys,
    maker: Maker,
}

impl PackWorker {
    /// Reads what is public of the opening and expands its masks: 16 KiB for each group of n uploaded
    /// users.
    ///
    /// # Errors
    /// [`NoiseFirstError::Task`] for bytes that are no opening's, and what P0's keys are refused for.
    pub fn new(opening: &[u8]) -> Result<Self, NoiseFirstError> {
        let read = postcard::take_from_bytes(opening);
        let (public, rest): (Public, _) = read.map_err(|_| task("the opening does not read"))?;
        if !rest.is_empty() {
            return Err(task("the opening has bytes behind it"));
        }
        let keys = SocialKeys::accept(&public.parameters, &public.seeds, &public.keys)?;
        let maker = Maker::new(&keys, &public.opening);
        Ok(Self { keys, maker })
    }

    /// Makes the packs of a task, in parallel.
    ///
    /// # Errors
    /// [`NoiseFirstError::Task`] for bytes that are no task of this opening.
    pub fn make(&self, bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, NoiseFirstError> {
        let parameters = self.keys.parameters();
        let (rows, seeds) = self.read(bytes)?;
        let mask_bytes = parameters.mask_code.packed_bytes(DEGREE);
        let mut bodies = Zeroizing::new(vec![0; rows.rows() * parameters.columns()]);
        let mut masks = vec![0; seeds.len() * mask_bytes];
        let fresh = |pack: usize| seeds.get(pack).cloned();
        self.maker
            .make(&self.keys, &rows, fresh, &mut bodies, &mut masks);
        let mut made = Zeroizing::new(Vec::with_capacity(masks.len() + BODY * bodies.len()));
        made.extend(masks);
        made.extend(bodies.iter().flat_map(|body| body.to_le_bytes()));
        Ok(made)
    }

    /// Rows and seeds of a task: as many seeds as the rows have packs, and no column that is nobody.
    fn read(&self, bytes: &[u8]) -> Result<(Block, Vec<Seed>), NoiseFirstError> {
        let other = || task("a task has another length than its numbers say");
        let parameters = self.keys.parameters();
        let (rows, rest) = bytes.split_first_chunk().ok_or_else(other)?;
        let (links, rest) = rest.split_first_chunk().ok_or_else(other)?;
        let rows = u32::from_le_bytes(*rows) as usize;
        let links = usize::try_from(u64::from_le_bytes(*links)).map_err(|_| other())?;
        let degrees_end = rows.checked_mul(4).ok_or_else(other)?;
        let columns_end = links.checked_mul(4).ok_or_else(other)?;
        let (degrees, rest) = rest.split_at_checked(degrees_end).ok_or_else(other)?;
        let (columns, seeds) = rest.split_at_checked(columns_end).ok_or_else(other)?;
        let packs = rows.div_ceil(parameters.places());
        if rows == 0 || rows > parameters.opened() || seeds.len() != packs * SEED {
            return Err(other());
        }
        let numbers = |bytes: &[u8]| {
            let (numbers, _) = bytes.as_chunks::<4>();
            numbers
                .iter()
                .map(|number| u32::from_le_bytes(*number))
                .collect::<Vec<u32>>()
        };
        let degrees = Zeroizing::new(numbers(degrees));
        let rows = Block::of_rows(degrees.iter().copied(), numbers(columns)).ok_or_else(other)?;
        let nobody = parameters.uploaded();
        if (0..rows.rows()).any(|row| rows.row(row).iter().any(|&at| at as usize >= nobody)) {
            return Err(task("a task names a user who uploads nothing"));
        }
        let (seeds, _) = seeds.as_chunks::<SEED>();
        Ok((
            rows,
            seeds.iter().map(|seed| Seed::from_bytes(*seed)).collect(),
        ))
    }
}

/// Packs of an opening as they come back, each once and in its place. P1's secret.
pub struct Packs {
    parameters: Parameters,
    bodies: Zeroizing<Vec<u64>>,
    masks: Vec<u8>,
    is_made: Vec<bool>,
}

impl Packs {
    pub(crate) fn none(parameters: &Parameters) -> Self {
        let packs = parameters.packs();
        Self {
            parameters: *parameters,
            bodies: Zeroizing::new(vec![0; parameters.opened() * parameters.columns()]),
            masks: vec![0; parameters.sizes().masks],
            is_made: vec![false; packs],
        }
    }

    /// Whether a pack is there.
    #[must_use]
    pub fn is_made(&self, pack: usize) -> bool {
        self.is_made.get(pack).is_some_and(|made| *made)
    }

    /// Puts what [`PackWorker::make`] made of the task of `packs` in its place.
    ///
    /// # Errors
    /// [`NoiseFirstError::Task`] for bytes of another form, packs that do not exist, and packs that
    /// are there already: nothing is made twice.
    pub fn put(&mut self, packs: Range<usize>, made: &[u8]) -> Result<(), NoiseFirstError> {
        let places = self.is_made.get_mut(packs.clone());
        let places = places.ok_or_else(|| task("packs came back that nobody asked for"))?;
        if places.iter().any(|made| *made) {
            return Err(task("packs came back twice"));
        }
        let (columns, rows) = (self.parameters.columns(), rows_of(&self.parameters, &packs));
        let mask_bytes = self.parameters.mask_code.packed_bytes(DEGREE);
        let other = || task("packs came back in another length than they are of");
        let masks = made.split_at_checked(packs.len() * mask_bytes);
        let (masks, bodies) = masks.ok_or_else(other)?;
        let into = &mut self.bodies[rows.start * columns..rows.end * columns];
        let (bodies, rest) = bodies.as_chunks::<BODY>();
        if bodies.len() != into.len() || !rest.is_empty() {
            return Err(other());
        }
        if bodies
            .iter()
            .any(|body| u64::from_le_bytes(*body) >= modulus::MODULUS)
        {
            return Err(task("packs came back with values that do not exist"));
        }
        for (place, body) in into.iter_mut().zip(bodies) {
            *place = u64::from_le_bytes(*body);
        }
        self.masks[packs.start * mask_bytes..packs.end * mask_bytes].copy_from_slice(masks);
        places.fill(true);
        Ok(())
    }

    pub(crate) fn into_parts(self) -> Result<(Zeroizing<Vec<u64>>, Vec<u8>), NoiseFirstError> {
        if self.is_made.iter().any(|made| !made) {
            return Err(task("some were not made"));
        }
        Ok((self.bodies, self.masks))
    }
}
