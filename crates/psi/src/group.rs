//! ristretto255: hashing to it, and multiplying many elements by one secret scalar.
//!
//! Multiplication and hashing take constant time. Encoding two at a time the price of one
//! inversion is what the library's batch does, at the price of a doubling: the scalar in effect
//! is twice the drawn one, which is as uniform.

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use rand::RngCore;
use rand_chacha::ChaCha20Rng;
use rayon::prelude::*;
use zeroize::{Zeroize, Zeroizing};

use crate::session::PsiSession;
use crate::{MAX_CHUNK_BYTES, PointFault, PsiError};

/// Bytes of an encoded element.
pub(crate) const POINT_BYTES: usize = 32;
/// Most elements of a message.
pub(crate) const MOST_POINTS: usize = MAX_CHUNK_BYTES / POINT_BYTES;
/// Elements that one thread encodes together.
const BATCH: usize = 128;

/// A fresh seed of a party's secrets: its scalar and its order.
pub(crate) fn entropy() -> Result<Zeroizing<[u8; 32]>, PsiError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(|_| PsiError::Entropy)?;
    Ok(seed)
}

/// A secret scalar, not zero, erased on drop.
pub(crate) struct Secret(Scalar);

impl Secret {
    /// Draws one; ristretto255 has prime order, so every other element hides it alike.
    pub(crate) fn draw(random: &mut ChaCha20Rng) -> Self {
        loop {
            let mut wide = Zeroizing::new([0; 64]);
            random.fill_bytes(&mut *wide);
            let scalar = Scalar::from_bytes_mod_order_wide(&wide);
            if scalar != Scalar::ZERO {
                return Self(scalar);
            }
        }
    }

    /// No blinding at all, for tests that show what it is for.
    #[cfg(test)]
    pub(crate) fn one() -> Self {
        Self(Scalar::ONE)
    }

    /// Hashes to the group and masks.
    pub(crate) fn mask(&self, session: &PsiSession, ids: &[IdHash]) -> Vec<[u8; POINT_BYTES]> {
        ids.par_chunks(BATCH)
            .flat_map_iter(|ids| {
                let points: Vec<_> = ids
                    .iter()
                    .map(|id| self.0 * hash_to_group(session, id))
                    .collect();
                encode(&points)
            })
            .collect()
    }

    /// Checks and masks what the peer masked; `first` is the place of the first element.
    pub(crate) fn mask_again(
        &self,
        masked: &[[u8; POINT_BYTES]],
        first: u64,
    ) -> Result<Vec<[u8; POINT_BYTES]>, PsiError> {
        let batches: Result<Vec<_>, PsiError> = masked
            .par_chunks(BATCH)
            .enumerate()
            .map(|(index, batch)| {
                let points: Result<Vec<_>, PsiError> = batch
                    .iter()
                    .zip(first + (index * BATCH) as u64..)
                    .map(|(bytes, position)| Ok(self.0 * decode(bytes, position)?))
                    .collect();
                Ok(encode(&points?))
            })
            .collect();
        Ok(batches?.concat())
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// An id under the session's key, so that states need not hold the ids.
pub(crate) type IdHash = [u8; 32];

/// The id's hash.
pub(crate) fn hash_id(session: &PsiSession, id: &str) -> IdHash {
    *blake3::keyed_hash(&session.id_key, id.as_bytes()).as_bytes()
}

fn hash_to_group(session: &PsiSession, id: &IdHash) -> RistrettoPoint {
    let mut wide = [0; 64];
    blake3::Hasher::new_keyed(&session.point_key)
        .update(id)
        .finalize_xof()
        .fill(&mut wide);
    RistrettoPoint::from_uniform_bytes(&wide)
}

fn encode(points: &[RistrettoPoint]) -> Vec<[u8; POINT_BYTES]> {
    let encoded = RistrettoPoint::double_and_compress_batch(points);
    encoded.iter().map(CompressedRistretto::to_bytes).collect()
}

pub(crate) fn decode(bytes: &[u8; POINT_BYTES], position: u64) -> Result<RistrettoPoint, PsiError> {
    let fault = |fault| PsiError::Point { position, fault };
    let point = CompressedRistretto(*bytes)
        .decompress()
        .ok_or(fault(PointFault::NotCanonical))?;
    if point.is_identity() {
        return Err(fault(PointFault::Identity));
    }
    Ok(point)
}

/// Tag of a doubly masked id: its beginning is the label, its last half proves a match.
pub(crate) fn tag(session: &PsiSession, doubly_masked: &[u8; POINT_BYTES]) -> [u8; 32] {
    *blake3::keyed_hash(&session.tag_key, doubly_masked).as_bytes()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn session() -> PsiSession {
        PsiSession::new(&[0; 16], &[1; 32], &[2; 32], "nfc-trim")
    }

    fn secret(seed: u8) -> Secret {
        Secret::draw(&mut ChaCha20Rng::from_seed([seed; 32]))
    }

    #[test]
    fn both_orders_of_masking_agree_and_differ_for_other_ids() {
        let session = session();
        let ids: Vec<_> = (0..300)
            .map(|i| hash_id(&session, &i.to_string()))
            .collect();
        let (a, b) = (secret(1), secret(2));
        let first = a.mask_again(&b.mask(&session, &ids), 0).unwrap();
        let second = b.mask_again(&a.mask(&session, &ids), 0).unwrap();
        assert_eq!(first, second);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), ids.len());
        assert_ne!(first, secret(3).mask(&session, &ids));
    }

    #[test]
    fn improper_elements_are_refused_by_their_place() {
        let good = secret(1).mask(&session(), &[[5; 32], [6; 32]]);
        let mut negative = good[0];
        negative[0] |= 1;
        let mut points = vec![good[1]; 200];
        for (bad, fault) in [
            ([0; 32], PointFault::Identity),
            ([0xff; 32], PointFault::NotCanonical),
            (negative, PointFault::NotCanonical),
        ] {
            points[150] = bad;
            let refused = secret(2).mask_again(&points, 1_000).unwrap_err();
            let position = 1_150;
            assert_eq!(refused, PsiError::Point { position, fault });
        }
    }
}
