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

use s3rec_algebra::Seed;
use zeroize::Zeroizing;

use super::binding::Randomness;
use super::error::in_message;
use super::pack::Maker;
use super::spread::{PackMakers, PackWork, Packs};
use super::{Block, Friends, Job, NoiseFirstError, Opening, Parameters, SocialKeys, Split, Upload};
use crate::SpmmError;

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

    /// As [`Self::new`], the packs by `makers`.
    ///
    /// # Errors
    /// Those of [`Self::new`] and of the makers.
    pub fn new_by(
        makers: &dyn PackMakers,
        keys: &SocialKeys,
        users_digest: &[u8; 32],
        split: &Split,
        opening: &Opening,
        friends: &Friends,
        key: &Seed,
    ) -> Result<Self, SpmmError> {
        let job = keys.job(users_digest, split, opening)?;
        let block = friends.block(split)?;
        Self::by(makers, keys, job, block, key)
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
        let randomness = Randomness::new(key, &job, &block);
        let mut bodies = Zeroizing::new(vec![0; parameters.opened() * parameters.columns()]);
        let mut masks = vec![0; parameters.sizes().masks];
        let fresh = |pack| (!left_out.rerandomisation()).then(|| randomness.fresh(pack as u64));
        Maker::new(keys, job.opening()).make(keys, &block, fresh, &mut bodies, &mut masks);
        Self {
            parameters,
            job,
            block,
            randomness,
            bodies,
            masks,
        }
    }

    /// The same by `makers`, to whom the rows go, and of all randomness a seed a pack: byte for byte
    /// what this process makes.
    ///
    /// # Errors
    /// The makers'; [`NoiseFirstError::Task`] where they left packs out.
    pub(crate) fn by(
        makers: &dyn PackMakers,
        keys: &SocialKeys,
        job: Job,
        block: Block,
        key: &Seed,
    ) -> Result<Self, SpmmError> {
        let parameters = *keys.parameters();
        let randomness = Randomness::new(key, &job, &block);
        let mut packs = Packs::none(&parameters);
        let work = PackWork::new(keys, &job, &block, &randomness);
        makers.make(&work, &mut packs)?;
        let (bodies, masks) = packs.into_parts()?;
        Ok(Self {
            parameters,
            job,
            block,
            randomness,
            bodies,
            masks,
        })
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
