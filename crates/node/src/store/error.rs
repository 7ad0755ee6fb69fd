//! Failures of the store.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use s3rec_wire::WireError;
use s3rec_wire::status::Fault;

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
    /// A restore was cut short.
    #[error(
        "a backup was being restored into {path} and the restore did not end; empty the directory and \
         restore it again"
    )]
    Restoring {
        /// The data directory.
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
    #[error("{path}: {source}")]
    Database {
        /// The store's file; empty until whoever has it open adds it.
        path: PathBuf,
        /// Why.
        source: Box<redb::Error>,
    },
    /// A message that does not decode.
    #[error(transparent)]
    Record(#[from] WireError),
    /// A record of ours that does not decode.
    #[error("a stored {what} does not decode")]
    Row {
        /// Name of the record.
        what: &'static str,
    },
}

macro_rules! from_redb {
    ($($error:ident),+) => {$(
        impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> Self {
                Self::Database {
                    path: PathBuf::new(),
                    source: Box::new(error.into()),
                }
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
        Self::storage(error.to_string(), error.kind())
    }
}

impl StoreError {
    /// What kind of error the file system's was; `Other` where none of its caused this.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Directory { source, .. } => source.kind(),
            Self::Database { source, .. } => match &**source {
                redb::Error::Io(error) => error.kind(),
                _ => ErrorKind::Other,
            },
            Self::InUse { .. }
            | Self::Restoring { .. }
            | Self::Newer { .. }
            | Self::Record(_)
            | Self::Row { .. } => ErrorKind::Other,
        }
    }

    /// The same with the store's file.
    pub(super) fn at(self, file: &Path) -> Self {
        match self {
            Self::Database { source, .. } => Self::Database {
                path: file.to_owned(),
                source,
            },
            other => other,
        }
    }

    /// Whether the file must be opened anew before anything is read or written again.
    pub(super) fn is_poisoned(&self) -> bool {
        let Self::Database { source, .. } = self else {
            return false;
        };
        matches!(
            **source,
            redb::Error::PreviousIo | redb::Error::DatabaseClosed
        )
    }
}
