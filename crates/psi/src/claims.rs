//! What P0 tells P1 at the end: which ids are common, and that it could know.

use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::session::{PsiSession, Sizes};
use crate::{MAX_CHUNK_BYTES, PsiError};

/// Bytes of the last half of a tag.
const HALF_BYTES: usize = 16;
/// Halves that are hashed together.
const HALVES_AT_ONCE: usize = 1 << 16;

/// The claims as they cross: a bit for each of P0's places (of Diffie-Hellman's form alone), then
/// of P1's, least significant first, padding bits zero; then the proof.
#[derive(Clone, Debug)]
pub struct Claims(Vec<u8>);

impl Claims {
    /// `pairs` are matched places (P0's, P1's); `tags` P0's tag of each of P1's places.
    pub(crate) fn new(
        session: &PsiSession,
        sizes: Sizes,
        pairs: &mut [(u32, u32)],
        tags: &[[u8; 32]],
    ) -> Self {
        let mut bytes = vec![0; sizes.claims_bytes()];
        let offset = sizes.rating_bitmap_bytes();
        for (rating, social) in &*pairs {
            set(&mut bytes, *rating);
            set(&mut bytes[offset..], *social);
        }
        pairs.sort_unstable();
        let half = |claim: usize| &tags[pairs[claim].1 as usize][16..];
        let proof = prove(session, pairs.len(), half);
        let at = bytes.len() - 32;
        bytes[at..].copy_from_slice(proof.as_bytes());
        Self(bytes)
    }

    /// The messages to send.
    pub fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        self.0.chunks(MAX_CHUNK_BYTES)
    }

    /// P1's bits.
    pub(crate) fn social_members(&self, sizes: Sizes) -> &[u8] {
        let offset = sizes.rating_bitmap_bytes();
        &self.0[offset..offset + sizes.social_bitmap_bytes()]
    }

    /// Checks claims received against P1's own tags; gives P1's places, ascending.
    pub(crate) fn check(
        &self,
        session: &PsiSession,
        sizes: Sizes,
        tags: &[[u8; 32]],
    ) -> Result<Vec<u32>, PsiError> {
        let (members, proof) = self.0.split_at(self.0.len() - 32);
        let (rating, social) = members.split_at(sizes.rating_bitmap_bytes());
        let rating = places(rating, sizes.rating())?;
        let social = places(social, sizes.social())?;
        if rating.len() != social.len() {
            return Err(PsiError::Claims {
                what: "both sides' numbers of common ids differ",
            });
        }
        let half = |claim: usize| &tags[rating[claim] as usize][16..];
        let expected = prove(session, rating.len(), half);
        // BLAKE3's hashes compare in constant time.
        if expected != *proof {
            return Err(PsiError::Unproven);
        }
        Ok(social)
    }

    /// Claims as received, once whole.
    pub(crate) fn received(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

/// Over the last halves of the claimed ids' tags, in an order that both know: labels are first
/// halves. Computes on all cores.
pub(crate) fn prove<'a>(
    session: &PsiSession,
    claims: usize,
    half: impl Fn(usize) -> &'a [u8] + Sync,
) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_keyed(&session.proof_key);
    let mut halves = Zeroizing::new(vec![0; HALF_BYTES * claims.min(HALVES_AT_ONCE)]);
    for first in (0..claims).step_by(HALVES_AT_ONCE) {
        let count = HALVES_AT_ONCE.min(claims - first);
        let halves = &mut halves[..HALF_BYTES * count];
        halves
            .par_chunks_exact_mut(HALF_BYTES)
            .with_min_len(1 << 10)
            .enumerate()
            .for_each(|(claim, into)| into.copy_from_slice(half(first + claim)));
        hasher.update_rayon(halves);
    }
    hasher.finalize()
}

/// Adds a part of the claims to what has come.
pub(crate) fn take(received: &mut Vec<u8>, bytes: &[u8], expected: usize) -> Result<(), PsiError> {
    let what = "bytes of claims";
    if bytes.is_empty() {
        return Err(PsiError::Torn {
            what,
            element_bytes: 1,
            most: expected,
            actual: 0,
        });
    }
    if received.len() + bytes.len() > expected {
        return Err(PsiError::Surplus {
            what,
            expected: expected as u64,
        });
    }
    received.extend_from_slice(bytes);
    Ok(())
}

pub(crate) fn set(bits: &mut [u8], place: u32) {
    bits[place as usize / 8] |= 1 << (place % 8);
}

pub(crate) fn places(bits: &[u8], size: u32) -> Result<Vec<u32>, PsiError> {
    let all = 8 * u32::try_from(bits.len()).unwrap_or(u32::MAX / 8);
    let is_set = |place: &u32| bits[*place as usize / 8] >> (place % 8) & 1 == 1;
    if (size..all).any(|place| is_set(&place)) {
        return Err(PsiError::Claims {
            what: "a padding bit is set",
        });
    }
    let places = (0..size).into_par_iter().with_min_len(1 << 12);
    Ok(places.filter(is_set).collect())
}
