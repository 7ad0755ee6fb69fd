//! P1's work before X exists: the a-parts of all packs, collapsed under one key and re-randomised,
//! and the part of the bodies that goes with them.
//!
//! A pack holds n rows. a_k = Σ_f X^(−k_f)·a_(G_f) over the friends f of the row at place k; the
//! transform over the places gives β_j (see [`s3rec_lattice::columns`]); then, with y = β_(n−1) and
//! B = 0, for j = n−1 … 1: y and B are turned by τ, and y·τ(s) is switched to the key s by the
//! digits of y: y ← Σ digit_l·A_l + β_(j−1), B_c ← τ(B_c) + Σ digit_l·b_(l,c). The collapse of all
//! parts under one key is that of InsPIRe's packing: one key in place of log₂ n.
//!
//! Then one v and one e₁ for the whole pack: a += A_pk·v + e₁, B_c += b_(pk,c)·v. Only after that
//! does an a-part leave: before it, it is a known linear map of the links.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use s3rec_algebra::{Seed, Stream};
use s3rec_lattice::columns::Pack;
use s3rec_lattice::gaussian::Tails;
use s3rec_lattice::polynomial::{Sum, Summand};
use s3rec_lattice::transform::{Transform, transform};
use s3rec_lattice::{Coefficients, DEGREE, Points, Polynomial};
use zeroize::Zeroizing;

use super::binding::{Randomness, mask};
use super::error::in_message;
use super::parameters::FRESH;
use super::{Block, Friends, Job, NoiseFirstError, Opening, Parameters, SocialKeys, Split, Upload};

/// What is left out, by tests that show what it is for: nothing can be, in any other build.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    #[cfg(test)]
    pub(crate) rerandomisation: bool,
    #[cfg(test)]
    pub(crate) noise: bool,
}

#[cfg_attr(
    not(test),
    expect(clippy::unused_self, reason = "outside of tests nothing is left out")
)]
impl LeftOut {
    fn rerandomisation(self) -> bool {
        #[cfg(test)]
        return self.rerandomisation;
        #[cfg(not(test))]
        false
    }

    pub(crate) fn noise(self) -> bool {
        #[cfg(test)]
        return self.noise;
        #[cfg(not(test))]
        false
    }
}

/// The a-parts of an opening, and what P1 keeps for its answer: bound to one job and one snapshot
/// of the links, for one answer.
pub struct Prepared {
    pub(crate) parameters: Parameters,
    job: Job,
    pub(crate) block: Block,
    pub(crate) randomness: Randomness,
    /// The bodies' part, a residue for each answered value: row by row, C each.
    pub(crate) bodies: Zeroizing<Vec<u64>>,
    masks: Vec<u8>,
}

impl Prepared {
    /// Computes the a-parts for the links of `friends` between opened and uploaded users, in
    /// parallel over packs. Private: `friends` and P1's `key`, of which all randomness is derived.
    /// Public: everything else; `users_digest` is of the common users in their order.
    ///
    /// Its time depends on the links: nothing of it may leave before a public time.
    ///
    /// # Errors
    /// [`NoiseFirstError::Sides`], [`NoiseFirstError::Shape`] for a split that is not the terms' or
    /// friends of another number of users.
    pub fn new(
        keys: &SocialKeys,
        users_digest: &[u8; 32],
        split: &Split,
        opening: &Opening,
        friends: &Friends,
        key: &Seed,
    ) -> Result<Self, NoiseFirstError> {
        let job = keys.job(users_digest, split, opening)?;
        let block = friends.block(split)?;
        Ok(Self::of(keys, job, block, key, LeftOut::default()))
    }

    /// `block` is made of the split that `job` is for.
    pub(crate) fn of(
        keys: &SocialKeys,
        job: Job,
        block: Block,
        key: &Seed,
        left_out: LeftOut,
    ) -> Self {
        let parameters = *keys.parameters();
        let masks: Vec<Summand> = (0..parameters.groups() as u64)
            .into_par_iter()
            .map(|group| {
                let seed = mask(&keys.seeds, job.opening(), group);
                Summand::of(&Polynomial::uniform(&seed))
            })
            .collect();
        let randomness = Randomness::new(key, &job, &block);
        // A workspace is up to 33 MB: as many as there are threads, whoever takes which pack.
        let spare: Mutex<Vec<Workspace>> = Mutex::default();
        let spare = || spare.lock().unwrap_or_else(PoisonError::into_inner);
        let of_pack = parameters.places() * parameters.columns();
        let mut bodies = Zeroizing::new(vec![0; parameters.opened() * parameters.columns()]);
        let mut sent = vec![0; parameters.sizes().masks];
        bodies
            .par_chunks_mut(of_pack)
            .zip(sent.par_chunks_mut(parameters.mask_code.packed_bytes(DEGREE)))
            .enumerate()
            .for_each(|(pack, (bodies, sent))| {
                let work = spare().pop();
                let mut work = work.unwrap_or_else(|| Workspace::new(keys));
                let fresh = (!left_out.rerandomisation()).then(|| randomness.fresh(pack as u64));
                let mut mask = work.pack(keys, &masks, &block, pack, fresh.as_ref(), bodies);
                let packed = parameters.mask_code.pack_into(&mut mask, sent);
                debug_assert!(packed.is_ok(), "a pack's part of the message is as long");
                spare().push(work);
            });
        Self {
            parameters,
            job,
            block,
            randomness,
            bodies,
            masks: sent,
        }
    }

    /// What it is bound to.
    #[must_use]
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// Refuses an upload of another form or of another job.
    ///
    /// # Errors
    /// [`NoiseFirstError::Message`], [`NoiseFirstError::OtherJob`].
    pub fn expect(&self, upload: &Upload) -> Result<(), NoiseFirstError> {
        let (expected, actual) = (self.parameters.sizes().upload, upload.bytes().len());
        if expected != actual {
            let length = s3rec_lattice::LatticeError::Length { expected, actual };
            return Err(in_message("the upload")(length));
        }
        if upload.job() != Some(self.job.digest()) {
            let message = "the upload";
            return Err(NoiseFirstError::OtherJob { message });
        }
        Ok(())
    }

    /// The a-parts as they are sent.
    #[must_use]
    pub fn masks(&self) -> &[u8] {
        &self.masks
    }
}

/// What a thread needs for one pack after another.
struct Workspace {
    pack: Pack,
    sum: Sum,
    coefficients: Polynomial<Coefficients>,
    turned: Polynomial<Coefficients>,
    digits: Vec<Polynomial<Coefficients>>,
    /// Of the digits.
    points: Vec<Polynomial<Points>>,
    mask: Polynomial<Points>,
    bodies: Vec<Polynomial<Points>>,
    spare: Polynomial<Points>,
    fresh: Tails,
}

impl Workspace {
    fn new(keys: &SocialKeys) -> Self {
        let parameters = keys.parameters();
        let digits = parameters.gadget.digits();
        Self {
            pack: keys.columns.pack(),
            sum: Sum::default(),
            coefficients: Polynomial::zero(),
            turned: Polynomial::zero(),
            digits: (0..digits).map(|_| Polynomial::zero()).collect(),
            points: (0..digits).map(|_| Polynomial::zero()).collect(),
            mask: Polynomial::zero(),
            bodies: (0..parameters.secrets)
                .map(|_| Polynomial::zero())
                .collect(),
            spare: Polynomial::zero(),
            fresh: Tails::new(FRESH),
        }
    }

    /// The a-part; the used coefficients of the bodies go to `used`, C for each row.
    fn pack(
        &mut self,
        keys: &SocialKeys,
        masks: &[Summand],
        block: &Block,
        pack: usize,
        fresh: Option<&Seed>,
        used: &mut [u64],
    ) -> Vec<u64> {
        let parameters = keys.parameters();
        let places = parameters.places();
        let first = pack * places;
        let rows = used.len() / parameters.columns();
        self.accumulate(keys, masks, block, first, rows);
        keys.columns.transform(transform(), &mut self.pack);
        self.collapse(keys);
        if let Some(seed) = fresh {
            self.rerandomise(keys, seed);
        }
        let mut mask = Polynomial::zero();
        transform().inverse(&self.mask, &mut mask);
        if let Some(seed) = fresh {
            let mut error = Zeroizing::new(vec![0; DEGREE]);
            self.fresh.fill(&mut stream(seed, "e1"), &mut error);
            mask.add_small(&error);
        }
        let columns = parameters.columns();
        for (secret, body) in self.bodies.iter().enumerate() {
            transform().inverse(body, &mut self.coefficients);
            let residues = Zeroizing::new(self.coefficients.to_residues());
            let of_secret = secret * parameters.slots..columns.min((secret + 1) * parameters.slots);
            for (slot, column) in of_secret.enumerate() {
                for place in 0..rows {
                    used[place * columns + column] = residues[place + places * slot];
                }
            }
        }
        mask.to_residues()
    }

    /// X^k·a_k of every row of the pack, at its place.
    fn accumulate(
        &mut self,
        keys: &SocialKeys,
        masks: &[Summand],
        block: &Block,
        first: usize,
        rows: usize,
    ) {
        let places = keys.columns.places();
        for place in 0..places {
            let friends = if place < rows {
                block.row(first + place)
            } else {
                &[]
            };
            if friends.is_empty() {
                keys.columns.clear(&mut self.pack, place);
                continue;
            }
            self.sum.clear();
            for &friend in friends {
                let (group, at) = (friend as usize / places, friend as usize % places);
                self.sum.add_shifted(&masks[group], place + 2 * DEGREE - at);
            }
            self.sum.write(&mut self.coefficients);
            keys.columns
                .put(transform(), &mut self.pack, place, &self.coefficients);
        }
    }

    /// All parts under one key.
    fn collapse(&mut self, keys: &SocialKeys) {
        let transform: &Transform = transform();
        let places = keys.columns.places();
        for body in &mut self.bodies {
            transform.clear(body);
        }
        transform.clear(&mut self.mask);
        transform.add(&mut self.mask, self.pack.part(places - 1));
        for j in (1..places).rev() {
            transform.inverse(&self.mask, &mut self.coefficients);
            keys.turn
                .of_coefficients(&self.coefficients, &mut self.turned);
            keys.parameters()
                .gadget
                .split(&self.turned, &mut self.digits);
            for body in &mut self.bodies {
                keys.turn.of_points(body, &mut self.spare);
                std::mem::swap(body, &mut self.spare);
            }
            transform.clear(&mut self.mask);
            for (digit, points) in self.digits.iter().zip(&mut self.points) {
                transform.forward(digit, points);
            }
            transform.multiply_add_all(&mut self.mask, &self.points, &keys.digit_masks);
            let bodies = keys.digit_bodies.chunks_exact(self.points.len());
            for (sum, bodies) in self.bodies.iter_mut().zip(bodies) {
                transform.multiply_add_all(sum, &self.points, bodies);
            }
            transform.add(&mut self.mask, self.pack.part(j - 1));
        }
    }

    /// Adds an encryption of zero under P0's public key; e₁ is added to the coefficients.
    fn rerandomise(&mut self, keys: &SocialKeys, seed: &Seed) {
        let mut v = Zeroizing::new(vec![0; DEGREE]);
        self.fresh.fill(&mut stream(seed, "v"), &mut v);
        transform().forward(&Polynomial::from_small(&v), &mut self.spare);
        transform().multiply_add(&mut self.mask, &self.spare, &keys.public_mask);
        for (sum, body) in self.bodies.iter_mut().zip(&keys.public_bodies) {
            transform().multiply_add(sum, &self.spare, body);
        }
    }
}

fn stream(seed: &Seed, what: &str) -> Stream {
    Stream::new(&seed.derive(what, &[]))
}
