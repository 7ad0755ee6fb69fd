//! The tables as a file of their own, for backups: what redb writes is of its version, and has
//! room in it.
//!
//! Records one behind the other: table, key and value, each behind its length as `u32`. The schema
//! is the one record of the table that has it, its value eight bytes.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use redb::{ReadableTable, TableHandle};

use super::{META, Store, StoreError};

/// Records that are written in one transaction.
const AT_ONCE: usize = 4096;
/// Longest table, key or value, bytes: far above what is ever stored.
const LONGEST: u32 = 1 << 30;

impl Store {
    /// Writes all tables to a new file, as they are at one moment; jobs go on meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Database`], or [`StoreError::Directory`] naming the file.
    pub(crate) fn dump(&self, path: &Path) -> Result<(), StoreError> {
        let failed = |source| StoreError::Directory {
            path: path.to_owned(),
            source,
        };
        self.read(|transaction| {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            let mut file = BufWriter::new(options.open(path).map_err(failed)?);
            for table in transaction.list_tables()? {
                let name = table.name();
                if name == META.name() {
                    for entry in transaction.open_table(META)?.iter()? {
                        let (key, value) = entry?;
                        let value = value.value().to_le_bytes();
                        record(&mut file, [name.as_bytes(), key.value().as_bytes(), &value])
                            .map_err(failed)?;
                    }
                    continue;
                }
                let rows = redb::TableDefinition::<&str, &[u8]>::new(name);
                for entry in transaction.open_table(rows)?.iter()? {
                    let (key, value) = entry?;
                    let parts = [name.as_bytes(), key.value().as_bytes(), value.value()];
                    record(&mut file, parts).map_err(failed)?;
                }
            }
            let file = file
                .into_inner()
                .map_err(|error| failed(error.into_error()))?;
            file.sync_all().map_err(failed)
        })
    }

    /// Writes the records of a dump over an empty store's.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Newer`] for a dump of a later schema.
    pub(crate) fn load(&self, path: &Path) -> Result<(), StoreError> {
        let failed = |source| StoreError::Directory {
            path: path.to_owned(),
            source,
        };
        let mut file = BufReader::new(File::open(path).map_err(failed)?);
        loop {
            let mut records = Vec::new();
            while records.len() < AT_ONCE {
                let Some(record) = next(&mut file).map_err(failed)? else {
                    break;
                };
                records.push(record);
            }
            if records.is_empty() {
                return Ok(());
            }
            self.write(|transaction| {
                for [table, key, value] in &records {
                    let (table, key) = (text(table).map_err(failed)?, text(key).map_err(failed)?);
                    if table == META.name() {
                        let value = value.as_slice().try_into();
                        let value = value.map_err(|_| failed(io::ErrorKind::InvalidData.into()))?;
                        let mut meta = transaction.open_table(META)?;
                        meta.insert(key, u64::from_le_bytes(value))?;
                        continue;
                    }
                    let rows = redb::TableDefinition::<&str, &[u8]>::new(table);
                    transaction
                        .open_table(rows)?
                        .insert(key, value.as_slice())?;
                }
                Ok(())
            })?;
        }
    }
}

fn text(bytes: &[u8]) -> io::Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
}

fn record(file: &mut impl Write, parts: [&[u8]; 3]) -> io::Result<()> {
    for part in parts {
        let length = u32::try_from(part.len()).ok();
        let length = length.filter(|length| *length <= LONGEST);
        let length = length.ok_or(io::ErrorKind::InvalidData)?;
        file.write_all(&length.to_le_bytes())?;
        file.write_all(part)?;
    }
    Ok(())
}

/// The next record; none at the end, which is nowhere else.
fn next(file: &mut impl Read) -> io::Result<Option<[Vec<u8>; 3]>> {
    let mut parts = [Vec::new(), Vec::new(), Vec::new()];
    for (place, part) in parts.iter_mut().enumerate() {
        let mut length = [0; 4];
        let got = file.read(&mut length[..1])?;
        if got == 0 && place == 0 {
            return Ok(None);
        }
        file.read_exact(&mut length[got..])?;
        let length = u32::from_le_bytes(length);
        if length > LONGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        // Bounded by what is there, whatever the length says.
        file.by_ref().take(length.into()).read_to_end(part)?;
        if part.len() != length as usize {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(Some(parts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Table;
    use s3rec_job::Shown;

    #[test]
    fn a_dump_has_every_record_and_nothing_that_came_later() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("one")).unwrap();
        let tables = [Table("first"), Table("second")];
        let shown = |ids_asked| Shown {
            ids_asked,
            ..Shown::default()
        };
        for key in ["0", "2999"] {
            store.put(tables[0], key, &shown(1)).unwrap();
        }
        store.put(tables[1], "2999", &shown(3000)).unwrap();
        let dump = directory.path().join("dump");
        store.dump(&dump).unwrap();
        store.put(tables[0], "later", &shown(9)).unwrap();
        let other = Store::open(&directory.path().join("other")).unwrap();
        other.load(&dump).unwrap();
        assert_eq!(other.keys(tables[0]).unwrap(), ["0", "2999"]);
        let read: Option<Shown> = other.get(tables[1], "2999").unwrap();
        assert_eq!(read.unwrap().ids_asked, 3000);

        // Cut off within a record, it is refused.
        let whole = std::fs::read(&dump).unwrap();
        for end in [whole.len() - 1, 3] {
            std::fs::write(&dump, &whole[..end]).unwrap();
            assert!(other.load(&dump).is_err(), "{end}");
        }
    }

    #[test]
    fn a_dump_of_a_later_schema_is_not_opened() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("one")).unwrap();
        store.set_schema(99);
        let dump = directory.path().join("dump");
        store.dump(&dump).unwrap();
        let path = directory.path().join("other");
        let other = Store::open(&path).unwrap();
        other.load(&dump).unwrap();
        drop(other);
        let refused = Store::open(&path).err().unwrap();
        assert!(
            matches!(refused, StoreError::Newer { actual: 99, .. }),
            "{refused}"
        );
    }
}
