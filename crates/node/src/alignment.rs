//! Finds the users that both platforms have, by keyed hashes of their ids.
//!
//! **Not private**: both sides know the key, so whoever guesses an id can test it. Private set
//! intersection takes this module's place; its result keeps the form: common users in one order
//! that both sides derive alone.

use s3rec_wire::WireError;
use s3rec_wire::convert::digest_of;
use s3rec_wire::v1::AlignChunk;

/// Hashes in a chunk: just under 1 MiB.
const HASHES_PER_CHUNK: usize = 32_000;

/// Most users that one side may bring.
pub const MAX_USERS: u64 = 1 << 24;

/// A user's id under the key of one job.
pub type Hash = [u8; 32];

/// One side's hashes, ascending, each with that side's index of the user.
pub struct Hashed(Vec<(Hash, u32)>);

impl Hashed {
    /// Hashes `ids` under the key that both halves make together.
    pub fn new<'a>(
        rating_half: &[u8; 32],
        social_half: &[u8; 32],
        ids: impl Iterator<Item = &'a str>,
    ) -> Self {
        let mut key = blake3::Hasher::new_derive_key("s3rec v1 alignment by keyed hash");
        key.update(rating_half);
        key.update(social_half);
        let key = *key.finalize().as_bytes();
        let mut hashes: Vec<(Hash, u32)> = ids
            .zip(0_u32..)
            .map(|(id, index)| (*blake3::keyed_hash(&key, id.as_bytes()).as_bytes(), index))
            .collect();
        hashes.sort_unstable();
        Self(hashes)
    }

    /// The chunks to send after the first message.
    pub fn chunks(&self) -> impl Iterator<Item = AlignChunk> + '_ {
        self.0.chunks(HASHES_PER_CHUNK).map(|hashes| AlignChunk {
            hashes: hashes.iter().flat_map(|(hash, _)| *hash).collect(),
            ..AlignChunk::default()
        })
    }

    /// The common users: our indices, in the ascending order of the hashes.
    #[must_use]
    pub fn intersect(&self, theirs: &Received) -> Common {
        let mut digest = blake3::Hasher::new_derive_key("s3rec v1 ordered common users");
        let mut rows = Vec::new();
        let mut ours = self.0.iter().peekable();
        for hash in &theirs.hashes {
            while ours.next_if(|(own, _)| own < hash).is_some() {}
            if let Some((_, index)) = ours.next_if(|(own, _)| own == hash) {
                digest.update(hash);
                rows.push(*index);
            }
        }
        Common {
            rows,
            digest: *digest.finalize().as_bytes(),
        }
    }
}

/// The users that both platforms have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Common {
    /// This side's index of every common user, in the order of both.
    pub rows: Vec<u32>,
    /// Equal on both sides when the order is.
    pub digest: [u8; 32],
}

/// The other side's hashes as they come: strictly ascending, no more than announced.
pub struct Received {
    hashes: Vec<Hash>,
    total: u64,
}

impl Received {
    /// Expects `total` hashes.
    ///
    /// # Errors
    /// [`WireError::OutOfRange`] above [`MAX_USERS`].
    pub fn expecting(total: u64) -> Result<Self, WireError> {
        if total > MAX_USERS {
            return Err(WireError::OutOfRange {
                field: "total",
                least: 0,
                most: MAX_USERS,
                actual: total,
            });
        }
        Ok(Self {
            hashes: Vec::new(),
            total,
        })
    }

    /// Whether all have come.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.hashes.len() as u64 == self.total
    }

    /// Takes a chunk.
    ///
    /// # Errors
    /// [`WireError`] for a chunk that is empty, torn, out of order or beyond the total.
    pub fn take(&mut self, chunk: &AlignChunk) -> Result<(), WireError> {
        let field = "hashes";
        let form = |expected| WireError::Form { field, expected };
        if !chunk.job_id.is_empty() || !chunk.key_half.is_empty() || chunk.total != 0 {
            return Err(form("alone in every message after the first"));
        }
        if chunk.hashes.is_empty() || !chunk.hashes.len().is_multiple_of(32) {
            return Err(form("a whole number of 32-byte hashes"));
        }
        for bytes in chunk.hashes.chunks_exact(32) {
            let hash = digest_of(field, bytes)?;
            if self.hashes.last().is_some_and(|last| *last >= hash) {
                return Err(form("strictly ascending"));
            }
            if self.is_complete() {
                return Err(form("of the announced number"));
            }
            self.hashes.push(hash);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashed(ids: &[&str]) -> Hashed {
        Hashed::new(&[1; 32], &[2; 32], ids.iter().copied())
    }

    fn received(from: &Hashed) -> Received {
        let mut received = Received::expecting(from.0.len() as u64).unwrap();
        for chunk in from.chunks() {
            received.take(&chunk).unwrap();
        }
        assert!(received.is_complete());
        received
    }

    #[test]
    fn both_sides_find_the_same_users_in_the_same_order() {
        let (p0, p1) = (["ann", "bob", "cid", "eve"], ["eve", "bob", "zoe"]);
        let (ours, theirs) = (hashed(&p0), hashed(&p1));
        let left = ours.intersect(&received(&theirs));
        let right = theirs.intersect(&received(&ours));
        assert_eq!(left.digest, right.digest);
        let left: Vec<_> = left.rows.iter().map(|i| p0[*i as usize]).collect();
        let right: Vec<_> = right.rows.iter().map(|i| p1[*i as usize]).collect();
        assert_eq!(left, right);
        assert_eq!(left.len(), 2);
    }

    #[test]
    fn nobody_in_common_is_a_result() {
        let (ours, theirs) = (hashed(&["a"]), hashed(&["b"]));
        assert!(ours.intersect(&received(&theirs)).rows.is_empty());
    }

    #[test]
    fn broken_chunks_are_refused() {
        let chunk = |hashes: &[u8]| AlignChunk {
            hashes: hashes.to_vec(),
            ..AlignChunk::default()
        };
        let mut received = Received::expecting(2).unwrap();
        assert!(received.take(&chunk(&[])).is_err());
        assert!(received.take(&chunk(&[0; 33])).is_err());
        assert!(received.take(&chunk(&[0; 64])).is_err(), "twice the same");
        let mut received = Received::expecting(1).unwrap();
        let mut two = [0; 64];
        two[32] = 1;
        assert!(received.take(&chunk(&two)).is_err(), "more than announced");
        assert!(Received::expecting(MAX_USERS + 1).is_err());
    }
}
