//! What an opening's randomness is bound to. Repeating P1's randomness under anything that
//! changes what is sent would show differences of links exactly, so nothing that changes a sent
//! value is missing here.

use s3rec_algebra::{PublicSeed, Seed};

use super::{Block, Parameters, SessionSeeds};

/// One opening of a session, named by P0 before it encodes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Its number, used once.
    pub number: u64,
    /// P0's seed of its masks, fresh, used once.
    pub mask_seed: PublicSeed,
}

/// Names session, users, parameters and opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobDigest([u8; 32]);

impl JobDigest {
    /// Over everything public: both seeds, the keys as they were sent, the common users in their
    /// order (`users_digest`), who is opened and uploaded, every parameter and code width, and the
    /// opening.
    #[must_use]
    pub fn of(
        parameters: &Parameters,
        seeds: &SessionSeeds,
        keys_message: &[u8],
        users_digest: &[u8; 32],
        (opened, uploaded): (&[u32], &[u32]),
        opening: &Opening,
    ) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("s3rec 2026 noise-first job v1");
        hasher.update(seeds.rating.as_bytes());
        hasher.update(seeds.social.as_bytes());
        hasher.update(blake3::hash(keys_message).as_bytes());
        hasher.update(users_digest);
        for list in [opened, uploaded] {
            hasher.update(&(list.len() as u64).to_le_bytes());
            for user in list {
                hasher.update(&user.to_le_bytes());
            }
        }
        parameters.absorb(&mut hasher);
        hasher.update(&opening.number.to_le_bytes());
        hasher.update(opening.mask_seed.as_bytes());
        Self(*hasher.finalize().as_bytes())
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
}

/// P1's randomness for one opening and one snapshot of the links.
pub(crate) struct Randomness {
    key: Seed,
    job: JobDigest,
    /// Secret digest of the links that the release reads.
    links: [u8; 32],
}

impl Randomness {
    pub(crate) fn new(key: &Seed, job: JobDigest, block: &Block) -> Self {
        let digest_key = key.derive("s3rec noise-first links", &[]);
        let mut hasher = blake3::Hasher::new_keyed(digest_key.expose_bytes());
        block.absorb(&mut hasher);
        let links = *hasher.finalize().as_bytes();
        let key = key.clone();
        Self { key, job, links }
    }

    /// v and e₁ of a pack.
    pub(crate) fn fresh(&self, pack: u64) -> Seed {
        let content: [&[u8]; 3] = [&self.job.0, &self.links, &pack.to_le_bytes()];
        self.key.derive("s3rec noise-first rerand", &content)
    }

    /// η of a pack, bound to the upload besides.
    pub(crate) fn noise(&self, upload: &[u8; 32], pack: u64) -> Seed {
        let content: [&[u8]; 4] = [&self.job.0, &self.links, upload, &pack.to_le_bytes()];
        self.key.derive("s3rec noise-first noise", &content)
    }
}

impl Drop for Randomness {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.links);
    }
}
