//! What an opening's randomness is bound to. Repeating P1's randomness under anything that
//! changes what is sent would show differences of links exactly, so nothing that changes a sent
//! value is missing here.

use s3rec_algebra::{PublicSeed, Seed};
use serde::{Deserialize, Serialize};

use super::{Block, NoiseFirstError, Parameters, SessionSeeds, Split};

/// One opening of a session, named by P0 before it encodes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Its number, used once.
    pub number: u64,
    /// P0's seed of its masks, fresh, used once.
    pub mask_seed: PublicSeed,
}

/// An opening and the digest of everything public that it is bound to. Each side computes it for
/// itself from what it will work with, and P1 compares before it prepares and before it answers:
/// under two views of one opening P0's masks would not cancel, and what is left of them is a
/// linear map of the links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    opening: Opening,
    digest: [u8; 32],
}

impl Job {
    /// Over both seeds, the keys as they were sent, the common users in their order
    /// (`users_digest`), who is opened and uploaded, every parameter and code width, and the
    /// opening.
    ///
    /// # Errors
    /// [`NoiseFirstError::Sides`], [`NoiseFirstError::Shape`] for a split that is not the terms'.
    pub(crate) fn of(
        parameters: &Parameters,
        seeds: &SessionSeeds,
        keys_message: &[u8],
        users_digest: &[u8; 32],
        split: &Split,
        opening: &Opening,
    ) -> Result<Self, NoiseFirstError> {
        split.check(parameters.terms())?;
        let mut hasher = blake3::Hasher::new_derive_key("s3rec 2026 noise-first job v1");
        hasher.update(seeds.rating.as_bytes());
        hasher.update(seeds.social.as_bytes());
        hasher.update(blake3::hash(keys_message).as_bytes());
        hasher.update(users_digest);
        split.absorb(&mut hasher);
        parameters.absorb(&mut hasher);
        hasher.update(&opening.number.to_le_bytes());
        hasher.update(opening.mask_seed.as_bytes());
        Ok(Self {
            opening: *opening,
            digest: *hasher.finalize().as_bytes(),
        })
    }

    /// Number and mask seed.
    #[must_use]
    pub fn opening(&self) -> &Opening {
        &self.opening
    }

    /// As messages carry it. Public.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

/// The seed of a group's mask: P0's seed, P1's session seed and the number decide it.
pub(crate) fn mask(seeds: &SessionSeeds, opening: &Opening, group: u64) -> PublicSeed {
    let contributions: [&[u8]; 4] = [
        opening.mask_seed.as_bytes(),
        seeds.social.as_bytes(),
        &opening.number.to_le_bytes(),
        &group.to_le_bytes(),
    ];
    PublicSeed::combine("s3rec noise-first mask", &contributions)
}

/// P1's randomness for one opening and one snapshot of the links.
pub(crate) struct Randomness {
    key: Seed,
    job: [u8; 32],
    /// Secret digest of the links that the release reads.
    links: [u8; 32],
}

impl Randomness {
    pub(crate) fn new(key: &Seed, job: &Job, block: &Block) -> Self {
        let links = block.digest(key);
        let key = key.clone();
        let job = job.digest;
        Self { key, job, links }
    }

    /// v and e₁ of a pack.
    pub(crate) fn fresh(&self, pack: u64) -> Seed {
        let content: [&[u8]; 3] = [&self.job, &self.links, &pack.to_le_bytes()];
        self.key.derive("s3rec noise-first rerand", &content)
    }

    /// η of a pack, bound to the upload besides.
    pub(crate) fn noise(&self, upload: &[u8; 32], pack: u64) -> Seed {
        let content: [&[u8]; 4] = [&self.job, &self.links, upload, &pack.to_le_bytes()];
        self.key.derive("s3rec noise-first noise", &content)
    }
}

impl Drop for Randomness {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.links);
    }
}
