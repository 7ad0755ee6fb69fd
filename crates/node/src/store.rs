//! Records on disk: named tables of named records in one redb file, with a schema version.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError};
use s3rec_wire::WireError;
use s3rec_wire::record::Record;
use s3rec_wire::status::{Fault, Reason};

/// Version of the tables. A newer daemon migrates, an older one refuses.
const SCHEMA_VERSION: u64 = 1;

const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");

/// Failures of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The data directory cannot be used.
    #[error("data directory {path}: {source}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process has the store open.
    #[error("{path} is in use by another daemon")]
    InUse {
        /// The store's file.
        path: PathBuf,
    },
    /// The store was written by a newer version.
    #[error("{path} has schema version {actual}; this version reads up to {newest}")]
    Newer {
        /// The store's file.
        path: PathBuf,
        /// What it has.
        actual: u64,
        /// What we read.
        newest: u64,
    },
    /// The database refused: a full or failing disk, mostly.
    #[error("the store refused: {0}")]
    Database(Box<redb::Error>),
    /// A record that does not decode.
    #[error(transparent)]
    Record(#[from] WireError),
}

macro_rules! from_redb {
    ($($error:ident),+) => {$(
        impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> Self {
                Self::Database(Box::new(error.into()))
            }
        }
    )+};
}

from_redb!(
    DatabaseError,
    TransactionError,
    TableError,
    StorageError,
    CommitError
);

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::new(Reason::StorageFailed, error.to_string())
    }
}

/// A table of records; the name is part of the schema.
#[derive(Clone, Copy, Debug)]
pub struct Table(pub &'static str);

impl Table {
    fn definition(self) -> TableDefinition<'static, &'static str, &'static [u8]> {
        TableDefinition::new(self.0)
    }
}

/// The open store; clones share it. Every write is on disk when it returns.
#[derive(Clone)]
pub struct Store(Arc<Database>);

impl Store {
    /// Opens the store in `data_dir`, creating the directory with mode 0700.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(data_dir)
            .map_err(|source| StoreError::Directory {
                path: data_dir.to_owned(),
                source,
            })?;
        let path = data_dir.join("store.redb");
        let database = match Database::create(&path) {
            Ok(database) => database,
            Err(redb::DatabaseError::DatabaseAlreadyOpen) => {
                return Err(StoreError::InUse { path });
            }
            Err(error) => return Err(error.into()),
        };
        let store = Self(Arc::new(database));
        store.check_schema(&path)?;
        Ok(store)
    }

    fn check_schema(&self, path: &Path) -> Result<(), StoreError> {
        let transaction = self.0.begin_write()?;
        {
            let mut meta = transaction.open_table(META)?;
            let actual = meta.get("schema")?.map(|version| version.value());
            match actual {
                Some(actual) if actual > SCHEMA_VERSION => {
                    return Err(StoreError::Newer {
                        path: path.to_owned(),
                        actual,
                        newest: SCHEMA_VERSION,
                    });
                }
                Some(_) => {}
                None => drop(meta.insert("schema", SCHEMA_VERSION)?),
            }
        }
        Ok(transaction.commit()?)
    }

    /// Writes one record over any of the same key.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn put(&self, table: Table, key: &str, record: &impl Record) -> Result<(), StoreError> {
        let transaction = self.0.begin_write()?;
        transaction
            .open_table(table.definition())?
            .insert(key, record.to_record().as_slice())?;
        Ok(transaction.commit()?)
    }

    /// Reads one record.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn get<R: Record>(&self, table: Table, key: &str) -> Result<Option<R>, StoreError> {
        let transaction = self.0.begin_read()?;
        let table = match transaction.open_table(table.definition()) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let found = table.get(key)?;
        let record = found.map(|bytes| R::from_record(bytes.value()));
        Ok(record.transpose()?)
    }

    /// All records whose key begins with `prefix`, in the order of their keys.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn list<R: Record>(
        &self,
        table: Table,
        prefix: &str,
    ) -> Result<Vec<(String, R)>, StoreError> {
        let transaction = self.0.begin_read()?;
        let table = match transaction.open_table(table.definition()) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut records = Vec::new();
        for entry in table.range(prefix..)? {
            let (key, bytes) = entry?;
            if !key.value().starts_with(prefix) {
                break;
            }
            records.push((key.value().to_owned(), R::from_record(bytes.value())?));
        }
        Ok(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_wire::v1::JobEvent;

    const EVENTS: Table = Table("events");

    fn event(message: &str) -> JobEvent {
        JobEvent {
            message: message.into(),
            ..JobEvent::default()
        }
    }

    #[test]
    fn records_survive_and_are_listed_by_prefix() {
        let directory = tempfile::tempdir().unwrap();
        {
            let store = Store::open(directory.path()).unwrap();
            assert!(store.get::<JobEvent>(EVENTS, "a/1").unwrap().is_none());
            for key in ["b/1", "a/2", "a/1"] {
                store.put(EVENTS, key, &event(key)).unwrap();
            }
        }
        let store = Store::open(directory.path()).unwrap();
        let listed = store.list::<JobEvent>(EVENTS, "a/").unwrap();
        let keys: Vec<_> = listed.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["a/1", "a/2"]);
        assert_eq!(store.get(EVENTS, "b/1").unwrap(), Some(event("b/1")));
    }

    #[test]
    fn a_store_is_opened_once() {
        let directory = tempfile::tempdir().unwrap();
        let _store = Store::open(directory.path()).unwrap();
        assert!(matches!(
            Store::open(directory.path()),
            Err(StoreError::InUse { .. })
        ));
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        {
            let store = Store::open(directory.path()).unwrap();
            let transaction = store.0.begin_write().unwrap();
            transaction
                .open_table(META)
                .unwrap()
                .insert("schema", 99)
                .unwrap();
            transaction.commit().unwrap();
        }
        assert!(matches!(
            Store::open(directory.path()),
            Err(StoreError::Newer { actual: 99, .. })
        ));
    }
}
