//! What platforms keep of jobs and data, and no service carries.

use serde::{Deserialize, Serialize};

use crate::JobRequest;

/// A job as P0 proposed it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobRecord {
    /// When, milliseconds since the Unix epoch.
    pub created_unix_ms: i64,
    /// What was asked for; none where an older version took what this one refuses.
    pub request: Option<JobRequest>,
}

/// What P1's people were asked over a proposal, and have decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Name of the other platform.
    pub peer: String,
    /// When the proposal came, milliseconds since the Unix epoch.
    pub created_unix_ms: i64,
    /// What has shown itself since.
    pub warnings: Vec<String>,
    /// The data set that it was approved with; empty before.
    pub dataset: String,
    /// A rule of the policy limited it when it was approved: without a rule such a job shows
    /// nothing more.
    pub is_ruled: bool,
}

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
