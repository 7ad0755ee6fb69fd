//! Records on disk: named tables of named records in one redb file, with a schema version.

mod dump;
mod error;

use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use redb::{
    Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, TableError,
    WriteTransaction,
};

pub use error::StoreError;

use crate::migrations;
use crate::rows::Row;

/// Version of the tables. A newer daemon migrates, an older one refuses.
pub(crate) const SCHEMA_VERSION: u64 = migrations::STEPS.len() as u64 + 1;

/// A file that is in a data directory while a backup is being restored into it.
pub(crate) const RESTORING: &str = "restoring";

/// Memory for pages of the file: all that is read often fits.
const CACHE_BYTES: usize = 8 << 20;

const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");

/// A table of records; the name is part of the schema.
#[derive(Clone, Copy, Debug)]
pub struct Table(pub &'static str);

impl Table {
    fn definition(self) -> TableDefinition<'static, &'static str, &'static [u8]> {
        TableDefinition::new(self.0)
    }

    /// `None` before anything was written.
    fn written(self, transaction: &ReadTransaction) -> Result<Option<Written>, StoreError> {
        match transaction.open_table(self.definition()) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

type Written = redb::ReadOnlyTable<&'static str, &'static [u8]>;

/// One change of the store's records.
#[derive(Clone, Debug)]
pub enum Change<'a> {
    /// Writes a record over any of the same key.
    Put(Table, &'a str, Vec<u8>),
    /// Removes the record of a key, if there is one.
    Remove(Table, &'a str),
    /// Removes every record whose key begins so.
    RemoveAll(Table, &'a str),
}

impl Change<'_> {
    fn make(&self, transaction: &WriteTransaction) -> Result<(), StoreError> {
        match self {
            Self::Put(table, key, record) => {
                let mut table = transaction.open_table(table.definition())?;
                table.insert(*key, record.as_slice())?;
            }
            Self::Remove(table, key) => {
                transaction.open_table(table.definition())?.remove(*key)?;
            }
            Self::RemoveAll(table, prefix) => {
                let mut table = transaction.open_table(table.definition())?;
                let begins = |key: &str| key.starts_with(prefix);
                let mut keys = Vec::new();
                for entry in table.range(*prefix..)? {
                    let (key, _) = entry?;
                    if !begins(key.value()) {
                        break;
                    }
                    keys.push(key.value().to_owned());
                }
                for key in keys {
                    table.remove(key.as_str())?;
                }
            }
        }
        Ok(())
    }
}

/// The open store; clones share it. Every write is on disk when it returns.
#[derive(Clone)]
pub struct Store(Arc<Shared>);

struct Shared {
    path: PathBuf,
    /// `None` only when it could not be opened again after a failed write.
    database: RwLock<Option<Database>>,
}

impl Store {
    /// Opens the store in `data_dir`, creating the directory with mode 0700.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        if data_dir.join(RESTORING).exists() {
            return Err(StoreError::Restoring {
                path: data_dir.to_owned(),
            });
        }
        Self::open_restoring(data_dir)
    }

    /// The same, also while a backup is being restored into the directory.
    pub(crate) fn open_restoring(data_dir: &Path) -> Result<Self, StoreError> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(data_dir)
            .map_err(|source| StoreError::Directory {
                path: data_dir.to_owned(),
                source,
            })?;
        restrict(data_dir)?;
        let path = data_dir.join("store.redb");
        let database = match database_file(&path) {
            Ok(database) => database,
            Err(redb::DatabaseError::DatabaseAlreadyOpen) => {
                return Err(StoreError::InUse { path });
            }
            Err(error) => return Err(StoreError::from(error).at(&path)),
        };
        let store = Self(Arc::new(Shared {
            path,
            database: RwLock::new(Some(database)),
        }));
        store.write(|transaction| migrate(transaction, &store.0.path))?;
        Ok(store)
    }

    /// Writes one record over any of the same key.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn put(&self, table: Table, key: &str, record: &impl Row) -> Result<(), StoreError> {
        self.put_all(&[(table, key, record.to_row())])
    }

    /// Writes records, each with its table and key: all of them or none.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn put_all(&self, records: &[(Table, &str, Vec<u8>)]) -> Result<(), StoreError> {
        self.write(|transaction| {
            for (table, key, record) in records {
                let mut table = transaction.open_table(table.definition())?;
                table.insert(*key, record.as_slice())?;
            }
            Ok(())
        })
    }

    /// Makes changes in their order: all of them or none.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn change(&self, changes: &[Change<'_>]) -> Result<(), StoreError> {
        self.write(|transaction| {
            for change in changes {
                change.make(transaction)?;
            }
            Ok(())
        })
    }

    /// One transaction.
    fn write(
        &self,
        change: impl Fn(&WriteTransaction) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        off_the_executor(|| self.mended(|| self.try_write(&change)))
    }

    /// redb does nothing more after a write that failed (a full disk), not even read, until the
    /// file is opened anew: that is done here, once, so that a disk with room again serves.
    fn mended<T>(&self, work: impl Fn() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let done = match work() {
            Err(error) if error.is_poisoned() => self.reopen().and_then(|()| work()),
            done => done,
        };
        done.map_err(|error| error.at(&self.0.path))
    }

    fn try_write(
        &self,
        change: &impl Fn(&WriteTransaction) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let database = self.0.database.read();
        let database = database.unwrap_or_else(PoisonError::into_inner);
        let transaction = database.as_ref().ok_or_else(closed)?.begin_write()?;
        change(&transaction)?;
        Ok(transaction.commit()?)
    }

    /// Reads, while nobody opens the file anew.
    fn read<T>(
        &self,
        read: impl Fn(&ReadTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.mended(|| {
            let database = self.0.database.read();
            let database = database.unwrap_or_else(PoisonError::into_inner);
            read(&database.as_ref().ok_or_else(closed)?.begin_read()?)
        })
    }

    /// As another version of the daemon would have left it.
    #[cfg(test)]
    pub(crate) fn set_schema(&self, version: u64) {
        let set = self.write(|transaction| {
            transaction.open_table(META)?.insert("schema", version)?;
            Ok(())
        });
        set.unwrap();
    }

    fn reopen(&self) -> Result<(), StoreError> {
        let mut database = self.0.database.write();
        let database = match &mut database {
            Ok(database) => database,
            Err(poisoned) => poisoned.get_mut(),
        };
        // The file is locked by whoever has it open.
        drop(database.take());
        **database = Some(database_file(&self.0.path)?);
        Ok(())
    }

    /// Reads one record.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn get<R: Row>(&self, table: Table, key: &str) -> Result<Option<R>, StoreError> {
        self.read(|transaction| {
            let Some(table) = table.written(transaction)? else {
                return Ok(None);
            };
            let found = table.get(key)?;
            found.map(|bytes| R::from_row(bytes.value())).transpose()
        })
    }

    /// All records whose key begins with `prefix`, in the order of their keys.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn list<R: Row>(&self, table: Table, prefix: &str) -> Result<Vec<(String, R)>, StoreError> {
        self.read(|transaction| {
            let Some(table) = table.written(transaction)? else {
                return Ok(Vec::new());
            };
            let mut records = Vec::new();
            for entry in table.range(prefix..)? {
                let (key, bytes) = entry?;
                if !key.value().starts_with(prefix) {
                    break;
                }
                records.push((key.value().to_owned(), R::from_row(bytes.value())?));
            }
            Ok(records)
        })
    }

    /// The keys of a table, in order; no record is read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn keys(&self, table: Table) -> Result<Vec<String>, StoreError> {
        self.read(|transaction| {
            let Some(table) = table.written(transaction)? else {
                return Ok(Vec::new());
            };
            let keys = table.iter()?;
            keys.map(|entry| Ok(entry?.0.value().to_owned())).collect()
        })
    }

    /// The last record whose key begins with `prefix`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn last<R: Row>(
        &self,
        table: Table,
        prefix: &str,
    ) -> Result<Option<(String, R)>, StoreError> {
        // Above every key that begins so: no character of a key is larger.
        let above = format!("{prefix}{}", char::MAX);
        self.read(|transaction| {
            let Some(table) = table.written(transaction)? else {
                return Ok(None);
            };
            let last = table.range(prefix..above.as_str())?.next_back();
            let last = last.transpose()?.map(|(key, bytes)| {
                let record = R::from_row(bytes.value())?;
                Ok((key.value().to_owned(), record))
            });
            last.transpose()
        })
    }
}

/// Opens or makes the file.
fn database_file(path: &Path) -> Result<Database, redb::DatabaseError> {
    Database::builder().set_cache_size(CACHE_BYTES).create(path)
}

/// Takes away what group and others may do in a directory of ours: keys and salts lie in it,
/// and one that was made by hand, or by an image, often lets everybody read.
fn restrict(data_dir: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::Directory {
        path: data_dir.to_owned(),
        source,
    };
    let mode = std::fs::metadata(data_dir)
        .map_err(failed)?
        .permissions()
        .mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    tracing::warn!(
        "{} could be used by others (mode {:03o}); restricting it to 700",
        data_dir.display(),
        mode & 0o777
    );
    std::fs::set_permissions(data_dir, std::fs::Permissions::from_mode(0o700)).map_err(failed)
}

fn migrate(transaction: &WriteTransaction, path: &Path) -> Result<(), StoreError> {
    let mut meta = transaction.open_table(META)?;
    let actual = meta.get("schema")?.map(|version| version.value());
    if let Some(actual) = actual.filter(|actual| *actual > SCHEMA_VERSION) {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            actual,
            newest: SCHEMA_VERSION,
        });
    }
    // A new store has nothing to change.
    for step in (actual.unwrap_or(SCHEMA_VERSION)..SCHEMA_VERSION).filter_map(|version| {
        let place = usize::try_from(version.checked_sub(1)?).ok()?;
        migrations::STEPS.get(place)
    }) {
        step(transaction)?;
    }
    if actual != Some(SCHEMA_VERSION) {
        meta.insert("schema", SCHEMA_VERSION)?;
    }
    Ok(())
}

fn closed() -> StoreError {
    StoreError::Database {
        path: PathBuf::new(),
        source: Box::new(redb::Error::DatabaseClosed),
    }
}

/// Commits wait for the disk: on a thread of the executor, its other tasks are moved away first.
fn off_the_executor<T>(work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

#[cfg(test)]
mod tests;
