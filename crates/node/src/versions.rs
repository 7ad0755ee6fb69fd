//! Versions of imported data: which lineage they belong to, and a commitment that says nothing
//! about them.
//!
//! A commitment is BLAKE3 over the canonical data, keyed with a salt that never leaves and is
//! fresh for every version. A plain digest would let the other platform test every guess: all
//! 2.7 million one-link changes of FilmTrust in 45 seconds (protocol page, section 3.3).

use rayon::prelude::*;
use s3rec_job::DataVersion;
use s3rec_wire::status::{Fault, Reason};

use crate::process::now_unix_ms;
use crate::store::{Store, Table};

/// What each data set is a version of, by its name; data sets of factors have a table of their own.
pub const VERSIONS: Table = Table("data versions");

/// Bytes of rows that are hashed at a time, on all cores: a power of two, so that every hashing begins
/// where the tree of hashes has one of its larger branches.
const HASHED_BYTES: usize = 1 << 20;

/// A field's length, before it.
const LENGTH_BYTES: usize = size_of::<u64>();
/// Rows that one thread lays out.
const ROWS_BY_ONE: usize = 1 << 11;
/// Rows that are held laid out.
const ROWS_AT_ONCE: usize = 1 << 15;

/// A commitment under construction.
pub struct Commitment {
    hasher: blake3::Hasher,
    /// Rows that are not hashed yet.
    rows: Vec<u8>,
}

impl Commitment {
    /// Begins with the salt of a version.
    #[must_use]
    pub fn new(salt: &[u8; 32]) -> Self {
        Self {
            hasher: blake3::Hasher::new_keyed(salt),
            rows: Vec::new(),
        }
    }

    /// Adds a row; each field is bound to its place by its length.
    pub fn row(&mut self, fields: &[&[u8]]) {
        for field in fields {
            self.rows
                .extend_from_slice(&(field.len() as u64).to_le_bytes());
            self.rows.extend_from_slice(field);
        }
        self.hash();
    }

    /// Adds rows in their order, as [`Self::row`] would each: laid out and hashed on all cores.
    pub fn rows<'a, T: Sync, const N: usize>(
        &mut self,
        rows: &'a [T],
        fields: impl Fn(&'a T) -> [&'a [u8]; N] + Sync,
    ) {
        let length = |row| -> usize {
            let fields = fields(row).into_iter();
            fields.map(|field| LENGTH_BYTES + field.len()).sum()
        };
        for rows in rows.chunks(ROWS_AT_ONCE) {
            let parts = rows.par_chunks(ROWS_BY_ONE);
            let lengths = parts.clone().map(|rows| rows.iter().map(length).sum());
            let lengths: Vec<usize> = lengths.collect();
            let before = self.rows.len();
            self.rows.resize(before + lengths.iter().sum::<usize>(), 0);
            let mut room = &mut self.rows[before..];
            let mut rooms = Vec::with_capacity(lengths.len());
            for length in lengths {
                let (part, rest) = std::mem::take(&mut room).split_at_mut(length);
                rooms.push(part);
                room = rest;
            }
            rooms
                .into_par_iter()
                .zip(parts)
                .for_each(|(mut room, rows)| {
                    for field in rows.iter().flat_map(&fields) {
                        let (laid_out, rest) = room.split_at_mut(LENGTH_BYTES + field.len());
                        let (length, bytes) = laid_out.split_at_mut(LENGTH_BYTES);
                        length.copy_from_slice(&(field.len() as u64).to_le_bytes());
                        bytes.copy_from_slice(field);
                        room = rest;
                    }
                });
            self.hash();
        }
    }

    /// Hashes what is held in whole pieces.
    fn hash(&mut self) {
        let whole = self.rows.len() / HASHED_BYTES * HASHED_BYTES;
        if whole > 0 {
            self.hasher.update_rayon(&self.rows[..whole]);
            self.rows.drain(..whole);
        }
    }

    /// The commitment.
    #[must_use]
    pub fn finish(mut self) -> [u8; 32] {
        self.hasher.update_rayon(&self.rows);
        *self.hasher.finalize().as_bytes()
    }
}

/// What a proposal or an approval binds: commitment and lineage.
///
/// # Errors
/// [`Reason::StorageFailed`] where they are not what was stored.
pub fn binding(version: &DataVersion) -> Result<([u8; 32], [u8; 16]), Fault> {
    let commitment = version.commitment.as_slice().try_into();
    let lineage = version.lineage.as_slice().try_into();
    match (commitment, lineage) {
        (Ok(commitment), Ok(lineage)) => Ok((commitment, lineage)),
        _ => Err(Fault::new(
            Reason::StorageFailed,
            "a stored version of the data is damaged",
        )),
    }
}

/// A fresh salt.
///
/// # Errors
/// [`Reason::Bug`] without entropy.
pub fn salt() -> Result<[u8; 32], Fault> {
    random()
}

/// The next version of `dataset`, not stored yet. `continues` names the data set whose lineage
/// it goes on with; empty: its own, or a new one.
///
/// # Errors
/// [`Reason::NotFound`] for a lineage that is not there, [`Reason::StorageFailed`].
pub fn next(
    store: &Store,
    (table, dataset): (Table, &str),
    continues: &str,
    salt: [u8; 32],
    commitment: [u8; 32],
) -> Result<DataVersion, Fault> {
    let known = ever(store, table, dataset)?;
    let elder = match continues {
        "" => known.clone(),
        name => Some(ever(store, table, name)?.ok_or_else(|| {
            let message = format!("there is no data set {name:?} whose lineage could go on");
            Fault::new(Reason::NotFound, message).at("field", "lineage")
        })?),
    };
    let lineage = match elder {
        Some(elder) => elder.lineage,
        None => random::<16>()?.to_vec(),
    };
    if let Some(known) = &known
        && known.lineage != lineage
    {
        let message = format!("the data set {dataset:?} belongs to another lineage already");
        return Err(Fault::new(Reason::InvalidRequest, message).at("field", "lineage"));
    }
    Ok(DataVersion {
        dataset: dataset.into(),
        lineage,
        version: known.map_or(1, |known| known.version.saturating_add(1)),
        salt: salt.to_vec(),
        commitment: commitment.to_vec(),
        imported_unix_ms: now_unix_ms(),
    })
}

/// Stores a version under its data set's name.
///
/// # Errors
/// [`Reason::StorageFailed`].
pub fn keep(store: &Store, version: &DataVersion) -> Result<(), Fault> {
    Ok(store.put(VERSIONS, &version.dataset, version)?)
}

/// Keeps the lineage of a data set that is not known here any more, so that it goes on when the
/// data are imported again under that name; true where it was not known. A known one stays as it is.
///
/// # Errors
/// [`Reason::StorageFailed`].
pub fn remember(store: &Store, dataset: &str, lineage: &[u8], version: u32) -> Result<bool, Fault> {
    if ever(store, VERSIONS, dataset)?.is_some() {
        return Ok(false);
    }
    let forgotten = DataVersion {
        dataset: dataset.into(),
        lineage: lineage.to_vec(),
        version,
        ..DataVersion::default()
    };
    keep(store, &forgotten)?;
    Ok(true)
}

/// The newest version of a data set.
///
/// # Errors
/// [`Reason::StorageFailed`].
pub fn of(store: &Store, dataset: &str) -> Result<Option<DataVersion>, Fault> {
    of_kind(store, VERSIONS, dataset)
}

/// As [`of`], of a data set whose versions are in another table.
pub(crate) fn of_kind(
    store: &Store,
    table: Table,
    dataset: &str,
) -> Result<Option<DataVersion>, Fault> {
    let known = ever(store, table, dataset)?;
    Ok(known.filter(|known| !known.commitment.is_empty()))
}

/// The newest version of a data set, also of a deleted one.
fn ever(store: &Store, table: Table, dataset: &str) -> Result<Option<DataVersion>, Fault> {
    Ok(store.get(table, dataset)?)
}

/// What stays of a deleted data set: its lineage, under which a later import of its name counts,
/// and how many versions there were. The salt goes, so that nothing says what the data were.
pub(crate) fn deleted(version: DataVersion) -> DataVersion {
    DataVersion {
        salt: Vec::new(),
        commitment: Vec::new(),
        ..version
    }
}

/// The newest versions of all data sets, the deleted ones too.
///
/// # Errors
/// [`Reason::StorageFailed`].
pub fn all(store: &Store) -> Result<Vec<DataVersion>, Fault> {
    let stored = store.list::<DataVersion>(VERSIONS, "")?;
    Ok(stored.into_iter().map(|(_, version)| version).collect())
}

fn random<const N: usize>() -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|_| Fault::new(Reason::Bug, "the system gives no entropy"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lineage_goes_on_over_versions_and_only_where_it_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let import = |dataset: &str, continues: &str| {
            let version = next(&store, (VERSIONS, dataset), continues, salt()?, [1; 32])?;
            keep(&store, &version).map(|()| version)
        };
        let first = import("links", "").unwrap();
        let second = import("links", "").unwrap();
        assert_eq!((first.version, second.version), (1, 2));
        assert_eq!(first.lineage, second.lineage);
        assert_ne!(first.salt, second.salt);
        let renamed = import("links-2027", "links").unwrap();
        assert_eq!(renamed.lineage, first.lineage);
        let other = import("other", "").unwrap();
        assert_ne!(other.lineage, first.lineage);
        assert_eq!(import("x", "nothing").unwrap_err().reason, Reason::NotFound);
        // Once counted under one lineage, always.
        let moved = import("links", "other").unwrap_err();
        assert_eq!(moved.reason, Reason::InvalidRequest);
    }

    /// Over more rows than are laid out or hashed at a time, and over few.
    #[test]
    fn rows_of_one_field_are_hashed_as_one_after_the_other() {
        let all: Vec<String> = (0..100_000_u32)
            .map(|row| "x".repeat(row as usize % 40) + &row.to_string())
            .collect();
        for count in [
            0,
            1,
            ROWS_BY_ONE,
            ROWS_BY_ONE + 1,
            ROWS_AT_ONCE + 1,
            100_000,
        ] {
            let names: Vec<&str> = all.iter().take(count).map(String::as_str).collect();
            let mut hasher = blake3::Hasher::new_keyed(&[7; 32]);
            let field = |hasher: &mut blake3::Hasher, field: &[u8]| {
                hasher.update(&(field.len() as u64).to_le_bytes());
                hasher.update(field);
            };
            let (mut joined, mut single) = (Commitment::new(&[7; 32]), Commitment::new(&[7; 32]));
            for name in ["", "users"] {
                field(&mut hasher, name.as_bytes());
            }
            for name in &names {
                field(&mut hasher, name.as_bytes());
            }
            joined.row(&[b"", b"users"]);
            joined.rows(&names, |name| [name.as_bytes()]);
            single.row(&[b"", b"users"]);
            for name in &names {
                single.row(&[name.as_bytes()]);
            }
            let expected = *hasher.finalize().as_bytes();
            assert_eq!(joined.finish(), expected, "{count}");
            assert_eq!(single.finish(), expected, "{count}");
        }
    }

    #[test]
    fn a_commitment_depends_on_salt_rows_and_where_fields_end() {
        let of = |salt: u8, rows: &[[&str; 2]]| {
            let mut commitment = Commitment::new(&[salt; 32]);
            for [a, b] in rows {
                commitment.row(&[a.as_bytes(), b.as_bytes()]);
            }
            commitment.finish()
        };
        let one = of(1, &[["ab", "c"]]);
        assert_eq!(one, of(1, &[["ab", "c"]]));
        for other in [
            of(2, &[["ab", "c"]]),
            of(1, &[["a", "bc"]]),
            of(1, &[["ab", "c"], ["", ""]]),
        ] {
            assert_ne!(one, other);
        }
    }
}
