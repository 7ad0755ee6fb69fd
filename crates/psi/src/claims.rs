//! What P0 tells P1 at the end: which ids are common, and that it could know.

use crate::session::{Session, Sizes};
use crate::{MAX_CHUNK_BYTES, PsiError};

/// The claims as they cross: a bit for each of P0's places, then of P1's, least significant
/// first, padding bits zero; then the proof.
#[derive(Clone, Debug)]
pub struct Claims(Vec<u8>);

impl Claims {
    /// `pairs` are matched places (P0's, P1's); `tags` P0's tag of each of P1's places.
    pub(crate) fn new(
        session: &Session,
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
        let proof = prove(session, pairs.iter().map(|pair| &tags[pair.1 as usize]));
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
        session: &Session,
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
        let expected = prove(session, rating.iter().map(|place| &tags[*place as usize]));
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

/// Over the last halves of the tags, in the order of P0's places: labels are first halves.
fn prove<'a>(session: &Session, tags: impl Iterator<Item = &'a [u8; 32]>) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_keyed(&session.proof_key);
    for tag in tags {
        hasher.update(&tag[16..]);
    }
    hasher.finalize()
}

fn set(bits: &mut [u8], place: u32) {
    bits[place as usize / 8] |= 1 << (place % 8);
}

fn places(bits: &[u8], size: u32) -> Result<Vec<u32>, PsiError> {
    let all = 8 * u32::try_from(bits.len()).unwrap_or(u32::MAX / 8);
    let is_set = |place: &u32| bits[*place as usize / 8] >> (place % 8) & 1 == 1;
    if (size..all).any(|place| is_set(&place)) {
        return Err(PsiError::Claims {
            what: "a padding bit is set",
        });
    }
    Ok((0..size).filter(is_set).collect())
}
