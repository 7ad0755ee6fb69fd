//! P1's steps 2 to 6, each a method that consumes one state and gives the next.
//!
//! A state covers a range of responses, so that memory is bounded by the caller. Nothing is
//! dropped from a ciphertext before both [`Multiplied::rerandomise`] and [`Rerandomised::mask`]
//! are done: the types leave no other order.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use s3rec_algebra::{PublicSeed, Seed, Stream};
use s3rec_he::{Accumulated, Accumulation, RowPacking, RowSource, UploadMasks};
use zeroize::Zeroizing;

use super::SocialKeys;
use super::answer::StoredBodies;
use crate::fetch::FetchedBodies;
use crate::operand::SocialOperand;
use crate::release::Release;
use crate::{SpmmError, Step};

/// The master mask seed that a payload is.
pub(crate) fn mask_seed(payload: &[u8]) -> Result<PublicSeed, SpmmError> {
    let malformed = |_| SpmmError::Malformed {
        step: Step::MaskSeed,
    };
    let seed = payload.try_into().map_err(malformed)?;
    Ok(PublicSeed::from_bytes(seed))
}

/// Digest of a whole upload: the master mask seed, then all bodies in order.
pub(crate) fn upload_hasher(mask_seed: &PublicSeed) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new_derive_key("s3rec 2025 he upload digest v1");
    hasher.update(mask_seed.as_bytes());
    hasher
}

/// Where P1 keeps the bodies of an upload.
pub(crate) enum Bodies {
    /// All of them, as they came.
    All(StoredBodies),
    /// Only the rows that P1 fetched.
    Fetched(FetchedBodies),
}

impl Bodies {
    /// Everything that decides the ciphertexts, given the digest of what crossed.
    fn content_digest(&self, upload: &[u8; 32]) -> [u8; 32] {
        match self {
            Bodies::All(_) => *upload,
            Bodies::Fetched(bodies) => bodies.content_digest(upload),
        }
    }
}

impl RowSource for Bodies {
    type Error = SpmmError;

    fn read_rows(
        &self,
        rows: &[u32],
        coefficients: Range<usize>,
        out: &mut [u128],
    ) -> Result<(), SpmmError> {
        match self {
            Bodies::All(bodies) => bodies.read_rows(rows, coefficients, out),
            Bodies::Fetched(bodies) => bodies.read_rows(rows, coefficients, out),
        }
    }
}

/// A whole upload, as P1 holds it: nothing of its answer exists before it is complete.
pub struct Received {
    keys: Arc<SocialKeys>,
    masks: UploadMasks,
    bodies: Bodies,
    /// Root of all randomness that answers this upload and this Y, and nothing else.
    root: Seed,
}

impl Received {
    /// Binds the answer's randomness to everything it depends on: the session, Y, the round
    /// and the whole upload (section 3.3, "P1's randomness is derived").
    pub(crate) fn new(
        keys: &Arc<SocialKeys>,
        operand: &SocialOperand,
        round: u32,
        mask_seed: PublicSeed,
        upload: &[u8; 32],
        bodies: Bodies,
    ) -> Result<Received, SpmmError> {
        let root = keys.stock_key.derive(
            "s3rec he answer",
            &[
                &keys.session_digest,
                operand.digest().expose_bytes(),
                &round.to_le_bytes(),
                &bodies.content_digest(upload),
            ],
        );
        let glwe = keys.parameters.glwe()?;
        Ok(Received {
            keys: Arc::clone(keys),
            masks: UploadMasks::new(glwe, &mask_seed),
            bodies,
            root,
        })
    }

    /// The root, for tests of what it depends on.
    #[cfg(test)]
    pub(crate) fn root(&self) -> &Seed {
        &self.root
    }

    /// Step 2: c_i = Σ_f y_if · ct_f over the non-zeros, p rows rotated into each response.
    ///
    /// # Errors
    /// [`SpmmError::He`] when a body does not decode.
    pub fn multiply(
        &self,
        operand: &SocialOperand,
        responses: Range<usize>,
        tile_bytes: usize,
    ) -> Result<Multiplied, SpmmError> {
        let parameters = &self.keys.parameters;
        let glwe = parameters.glwe()?;
        let packing = RowPacking::new(&glwe, parameters.layout()?.block_columns as usize)?;
        let accumulation = Accumulation::new(glwe, packing, operand.sparse_rows()?, tile_bytes);
        let first = responses.start;
        let accumulated = accumulation.accumulate(responses, &self.masks, &self.bodies)?;
        Ok(Multiplied {
            keys: Arc::clone(&self.keys),
            root: self.root.clone(),
            first,
            accumulated,
        })
    }
}

/// After step 2: ciphertexts that are known linear maps of y. They never leave P1.
pub struct Multiplied {
    keys: Arc<SocialKeys>,
    root: Seed,
    first: usize,
    accumulated: Vec<Accumulated>,
}

impl Multiplied {
    /// The next `count` responses, or what is left of them; they go on to step 3 apart from the
    /// others, so that only they are copied on the way to the wire.
    pub fn take(&mut self, count: usize) -> Option<Multiplied> {
        if self.accumulated.is_empty() {
            return None;
        }
        let count = count.clamp(1, self.accumulated.len());
        let first = self.first;
        self.first += count;
        Some(Multiplied {
            keys: Arc::clone(&self.keys),
            root: self.root.clone(),
            first,
            accumulated: self.accumulated.drain(..count).collect(),
        })
    }

    /// Which response of the block is the first of these.
    pub fn first(&self) -> usize {
        self.first
    }

    /// Step 3: adds a fresh encryption of zero under P0's public key to each.
    pub fn rerandomise(self) -> Rerandomised {
        let seeds = seeds(
            &self.root,
            "s3rec he re-randomisation",
            self.first,
            self.accumulated.len(),
        );
        let fresh = self
            .accumulated
            .into_par_iter()
            .zip(seeds)
            .map_init(
                || self.keys.public.workspace(),
                |workspace, (ciphertext, seed)| {
                    ciphertext.rerandomise(&self.keys.public, &seed, workspace)
                },
            )
            .collect();
        Rerandomised {
            keys: self.keys,
            root: self.root,
            first: self.first,
            fresh,
        }
    }
}

/// After step 3.
pub struct Rerandomised {
    keys: Arc<SocialKeys>,
    root: Seed,
    first: usize,
    fresh: Vec<s3rec_he::Rerandomised>,
}

impl Rerandomised {
    /// The ciphertexts, for tests of what hides them.
    #[cfg(test)]
    pub(crate) fn ciphertexts(&self) -> &[s3rec_he::Rerandomised] {
        &self.fresh
    }

    /// Step 4: adds ρ, uniform over all of Z_q, to every coefficient of every body; P1's share
    /// is R = −(ρ >> (128 − ℓ)).
    ///
    /// # Errors
    /// [`SpmmError::Algebra`] for a ring that does not exist.
    pub fn mask(self) -> Result<Masked, SpmmError> {
        let ring = self.keys.parameters.ring()?;
        let used_slots = self.keys.parameters.layout()?.used_slots();
        let seeds = seeds(&self.root, "s3rec he mask", self.first, self.fresh.len());
        let (masked, shares) = self
            .fresh
            .into_par_iter()
            .zip(seeds)
            .map(|(ciphertext, seed)| {
                let (masked, share) = ciphertext.mask(ring, &seed, used_slots);
                (masked, Zeroizing::new(share))
            })
            .unzip();
        Ok(Masked {
            masked,
            shares,
            used_slots,
            root: self.root,
            first: self.first,
        })
    }
}

/// After step 4: uniform to anyone, P0 included, up to the product itself.
pub struct Masked {
    masked: Vec<s3rec_he::Masked>,
    shares: Vec<Zeroizing<Vec<u64>>>,
    used_slots: usize,
    root: Seed,
    first: usize,
}

impl Masked {
    /// Step 6, one shot: adds Δ·R and the release policy's noise (section 6) on the used slots,
    /// so that P0's share is the result.
    #[must_use]
    pub(crate) fn add_share(mut self, release: Release) -> Masked {
        let seeds = seeds(
            &self.root,
            "s3rec he release noise",
            self.first,
            self.masked.len(),
        );
        let masked = self
            .masked
            .into_par_iter()
            .zip(&mut self.shares)
            .zip(seeds)
            .map(|((ciphertext, share), seed)| {
                release.add_noise(share, &mut Stream::new(&seed));
                ciphertext.add_to_used_slots(share)
            })
            .collect();
        Masked { masked, ..self }
    }

    /// P1's shares R, one vector a response: what `preprocessed` keeps instead of step 6.
    pub fn shares(&self) -> &[Zeroizing<Vec<u64>>] {
        &self.shares
    }

    /// Step 5: rounds to nearest and packs, ℓ + 13 bits of the a-part, ℓ + 6 of the body.
    pub fn round(self) -> Vec<u8> {
        let responses: Vec<Vec<u8>> = self
            .masked
            .par_iter()
            .map(|ciphertext| ciphertext.round(self.used_slots).to_bytes())
            .collect();
        responses.concat()
    }
}

/// One seed for each response of a range: its own purpose, its own content.
fn seeds(root: &Seed, label: &str, first: usize, count: usize) -> Vec<Seed> {
    (first as u64..)
        .take(count)
        .map(|index| root.derive(label, &[&index.to_le_bytes()]))
        .collect()
}
