//! One party's own ids on their way out: masked, in a secret random order, chunk by chunk.

use std::sync::Arc;

use rand::seq::SliceRandom;
use rand_chacha::ChaCha20Rng;
use rayon::slice::ParallelSliceMut;

use crate::PsiError;
use crate::group::{IdHash, Secret, hash_id};
use crate::session::PsiSession;

/// Masked ids of a message, 256 KiB: a tenth of a second's work on four cores.
const POINTS_PER_CHUNK: usize = 8_192;

/// Masks and hands out this party's ids.
pub struct Masking {
    session: PsiSession,
    secret: Arc<Secret>,
    ids: Vec<(IdHash, u32)>,
    next: usize,
    stream: blake3::Hasher,
}

impl Masking {
    /// Takes exactly `announced` distinct ids.
    pub(crate) fn new<'a>(
        session: &PsiSession,
        secret: Arc<Secret>,
        announced: u32,
        ids: impl Iterator<Item = &'a str>,
        random: &mut ChaCha20Rng,
    ) -> Result<Self, PsiError> {
        let mut ids: Vec<(IdHash, u32)> = ids
            .zip(0_u32..)
            .map(|(id, index)| (hash_id(session, id), index))
            .collect();
        if ids.len() != announced as usize {
            return Err(PsiError::Count {
                expected: u64::from(announced),
                actual: ids.len() as u64,
            });
        }
        ids.par_sort_unstable();
        if ids.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(PsiError::OwnDuplicate);
        }
        ids.shuffle(random);
        Ok(Self {
            session: session.clone(),
            secret,
            ids,
            next: 0,
            stream: blake3::Hasher::new(),
        })
    }

    /// The next masked ids, 32 bytes each; `None` when all are out. Computes on all cores.
    pub fn next_chunk(&mut self) -> Option<Vec<u8>> {
        let end = self.ids.len().min(self.next + POINTS_PER_CHUNK);
        let hashes: Vec<IdHash> = self
            .ids
            .get(self.next..end)?
            .iter()
            .map(|(hash, _)| *hash)
            .collect();
        if hashes.is_empty() {
            return None;
        }
        self.next = end;
        let bytes = self.secret.mask(&self.session, &hashes).concat();
        self.stream.update(&bytes);
        Some(bytes)
    }

    /// How many ids are out.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.next as u64
    }

    /// All are out: what remains is their order.
    ///
    /// # Errors
    /// [`PsiError::Unfinished`] while some are not.
    pub fn finish(self) -> Result<Sent, PsiError> {
        if self.next != self.ids.len() {
            return Err(PsiError::Unfinished {
                what: "masked ids sent",
                expected: self.ids.len() as u64,
                actual: self.next as u64,
            });
        }
        Ok(Sent {
            order: self.ids.iter().map(|(_, index)| *index).collect(),
            digest: *self.stream.finalize().as_bytes(),
        })
    }

    /// The file's own order, for tests that show what the random one is for.
    #[cfg(test)]
    pub(crate) fn unshuffled(mut self) -> Self {
        self.ids.sort_unstable_by_key(|(_, index)| *index);
        self
    }
}

/// This party's ids are all out.
pub struct Sent {
    /// This party's index of the id at each place.
    pub(crate) order: Vec<u32>,
    /// Over everything sent.
    pub(crate) digest: [u8; 32],
}
