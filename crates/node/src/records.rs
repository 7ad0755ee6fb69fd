//! What the store's tables hold of data, of the other platform's audit log and of stocks: types of
//! the daemons' own, which no service carries.

use s3rec_audit::Head;
use serde::{Deserialize, Serialize};

/// One version of an imported data set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataVersion {
    /// Name of the data set.
    pub dataset: String,
    /// Stays the same over all versions, 16 bytes, random.
    pub lineage: Vec<u8>,
    /// From 1.
    pub version: u32,
    /// Secret key of the commitment, 32 bytes, fresh for every version; empty once deleted.
    pub salt: Vec<u8>,
    /// BLAKE3 of the canonical data under the salt, 32 bytes; empty once deleted.
    pub commitment: Vec<u8>,
    /// When it was imported, milliseconds since the Unix epoch.
    pub imported_unix_ms: i64,
}

/// The newest head that the other platform has shown of its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenHead {
    log: [u8; 32],
    sequence: u64,
    hash: [u8; 32],
}

/// A head that does not go on from the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RefusedHead {
    pub(crate) head: SeenHead,
    /// A person here has accepted it since.
    pub(crate) is_accepted: bool,
}

impl SeenHead {
    pub(crate) fn of(head: &Head) -> Self {
        Self {
            log: head.log,
            sequence: head.sequence,
            hash: head.hash,
        }
    }

    pub(crate) fn head(self) -> Head {
        Head {
            log: self.log,
            sequence: self.sequence,
            hash: self.hash,
        }
    }
}

/// What is kept of a stock, under its job's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockRecord {
    /// Name of the other platform.
    pub peer: String,
    /// How far it is.
    pub stage: StockStage,
    /// The digest that names it at both platforms, once it is sealed.
    pub identity: Option<[u8; 32]>,
    /// Columns that the job needs.
    pub columns: u64,
    /// Columns that are made.
    pub columns_made: u64,
    /// When that was noted, milliseconds since the Unix epoch.
    pub updated_unix_ms: i64,
}

/// How far a stock is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StockStage {
    /// Being multiplied.
    Making,
    /// All blocks are made.
    Ready,
    /// With its job's end.
    Erased,
}
