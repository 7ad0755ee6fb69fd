//! Entries as bytes of a file, each bound to all before it.
//!
//! A file begins with [`MAGIC`]. Each record is the body's length as `u32`, the body, and its
//! hash: BLAKE3 in the mode of key derivation with a context of ours, 32 bytes.

use crate::entry::{Entry, Fields, Kind, MAX_BODY_BYTES};
use crate::{AuditError, Value};

/// What a file begins with.
pub const MAGIC: &str = "s3rec audit log 1\n";

const CONTEXT: &str = "s3rec v1 audit entry";
const LENGTH_BYTES: usize = 4;
const HASH_BYTES: usize = 32;

/// A whole log in one value: its newest entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Names the log: the hash of its first entry.
    pub log: [u8; 32],
    /// The newest entry.
    pub sequence: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// The place where the next entry goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    head: Option<Head>,
}

impl Chain {
    /// Continues behind `head`.
    #[must_use]
    pub fn behind(head: Head) -> Self {
        Self { head: Some(head) }
    }

    /// The newest entry; none in an empty log.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        self.head
    }

    /// The bytes to append for a further entry, and the chain behind it.
    ///
    /// # Errors
    /// As [`Entry::encode`].
    pub fn next(
        &self,
        time_unix_ms: i64,
        kind: Kind,
        fields: Fields,
    ) -> Result<(Vec<u8>, Chain), AuditError> {
        let entry = Entry {
            sequence: self.head.map_or(0, |head| head.sequence + 1),
            time_unix_ms,
            previous: self.head.map_or([0; 32], |head| head.hash),
            kind,
            fields,
        };
        let body = entry.encode()?;
        let hash = hash_of(&body);
        let length = u32::try_from(body.len()).map_err(|_| AuditError::Form { what: "length" })?;
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend(&body);
        bytes.extend(hash);
        Ok((bytes, self.moved(&entry, hash)))
    }

    /// Reads the record at the beginning of `bytes`: its entry, the chain behind it and how
    /// many bytes it takes.
    ///
    /// # Errors
    /// [`AuditError`]; [`AuditError::Torn`] where the bytes end inside the record.
    pub fn read(&self, bytes: &[u8]) -> Result<(Entry, Chain, usize), AuditError> {
        let torn = |needed: usize| AuditError::Torn {
            missing: needed.saturating_sub(bytes.len()) as u64,
        };
        let length = bytes.first_chunk().ok_or_else(|| torn(LENGTH_BYTES))?;
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        if length > MAX_BODY_BYTES {
            return Err(AuditError::TooLong {
                most: MAX_BODY_BYTES,
                actual: length,
            });
        }
        let whole = LENGTH_BYTES + length + HASH_BYTES;
        let record = bytes.get(..whole).ok_or_else(|| torn(whole))?;
        let (body, hash) = record[LENGTH_BYTES..].split_at(length);
        let computed = hash_of(body);
        if computed != *hash {
            return Err(AuditError::Hash);
        }
        let entry = Entry::decode(body)?;
        let (expected, previous) = match self.head {
            Some(head) => (head.sequence + 1, head.hash),
            None => (0, [0; 32]),
        };
        if entry.sequence != expected {
            return Err(AuditError::Sequence {
                expected,
                actual: entry.sequence,
            });
        }
        if entry.previous != previous {
            return Err(AuditError::Chain);
        }
        let chain = self.moved(&entry, computed);
        Ok((entry, chain, whole))
    }

    fn moved(&self, entry: &Entry, hash: [u8; 32]) -> Chain {
        Chain::behind(Head {
            log: self.head.map_or(hash, |head| head.log),
            sequence: entry.sequence,
            hash,
        })
    }
}

impl Head {
    /// The fields that state this head, their names behind `party` and an underscore.
    #[must_use]
    pub fn fields(&self, party: &str) -> [(String, Value); 3] {
        [
            (format!("{party}_log"), self.log.into()),
            (format!("{party}_sequence"), self.sequence.into()),
            (format!("{party}_hash"), self.hash.into()),
        ]
    }

    /// Reads what [`Self::fields`] states.
    #[must_use]
    pub fn of(entry: &Entry, party: &str) -> Option<Self> {
        let bytes = |field: &str| entry.bytes(&format!("{party}_{field}"))?.try_into().ok();
        Some(Self {
            log: bytes("log")?,
            sequence: entry.number(&format!("{party}_sequence"))?,
            hash: bytes("hash")?,
        })
    }
}

fn hash_of(body: &[u8]) -> [u8; 32] {
    blake3::derive_key(CONTEXT, body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::fields;

    #[test]
    fn records_follow_each_other_and_nothing_else() {
        let empty = Chain::default();
        let (first, one) = empty.next(1, Kind::Daemon, Fields::new()).unwrap();
        let (second, two) = one
            .next(2, Kind::Call, fields([("who", "a".into())]))
            .unwrap();
        let (entry, chain, bytes) = empty.read(&first).unwrap();
        assert_eq!((entry.sequence, bytes, &chain), (0, first.len(), &one));
        assert_eq!(one.read(&second).unwrap().1, two);
        assert!(matches!(
            empty.read(&second),
            Err(AuditError::Sequence { .. })
        ));
        // Another first entry: the second no longer follows.
        let (_, other) = empty.next(9, Kind::Daemon, Fields::new()).unwrap();
        assert_eq!(other.read(&second), Err(AuditError::Chain));
        for shorter in 0..first.len() {
            let torn = empty.read(&first[..shorter]);
            assert!(matches!(torn, Err(AuditError::Torn { .. })), "{shorter}");
        }
    }

    #[test]
    fn a_record_of_the_longest_body_is_read() {
        let chain = Chain::default();
        let much = |bytes: usize| fields([("much", vec![7; bytes].into())]);
        let (short, _) = chain.next(1, Kind::Daemon, much(0)).unwrap();
        let frame = LENGTH_BYTES + HASH_BYTES;
        let rest = MAX_BODY_BYTES - (short.len() - frame);
        let (bytes, after) = chain.next(1, Kind::Daemon, much(rest)).unwrap();
        assert_eq!(bytes.len(), MAX_BODY_BYTES + frame);
        let (_, read, length) = chain.read(&bytes).unwrap();
        assert_eq!((read, length), (after, bytes.len()));
        assert!(chain.next(1, Kind::Daemon, much(rest + 1)).is_err());
    }

    /// How much is missing at least, for whoever mends a torn tail.
    #[test]
    fn a_torn_record_says_how_much_is_missing() {
        let chain = Chain::default();
        let (bytes, _) = chain.next(1, Kind::Daemon, Fields::new()).unwrap();
        let missing = |length: usize| match chain.read(&bytes[..length]) {
            Err(AuditError::Torn { missing }) => missing,
            other => panic!("{other:?}"),
        };
        assert_eq!(missing(0), 4);
        assert_eq!(missing(3), 1);
        assert_eq!(missing(4), bytes.len() as u64 - 4);
        assert_eq!(missing(bytes.len() - 1), 1);
    }

    #[test]
    fn a_length_is_bounded_before_anything_else() {
        let bytes = [0xff; 64];
        assert!(matches!(
            Chain::default().read(&bytes),
            Err(AuditError::TooLong { .. })
        ));
    }
}
