//! What the store's tables hold of data, of the other platform's audit log and of stocks: types of
//! the daemons' own, which no service carries.

use s3rec_audit::Head;
use s3rec_wire::v1;
use s3rec_wire::v1::StockState;
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
pub(crate) struct StockRecord {
    pub(crate) peer: String,
    pub(crate) stage: StockStage,
    /// The digest that names it at both platforms, once it is sealed.
    pub(crate) identity: Option<[u8; 32]>,
    /// Columns that the job needs.
    pub(crate) columns: u64,
    pub(crate) columns_made: u64,
    pub(crate) updated_unix_ms: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum StockStage {
    Making,
    Ready,
    Erased,
}

impl StockStage {
    /// One that nobody knows is not ready.
    pub(crate) fn of(state: StockState) -> Self {
        match state {
            StockState::Ready => Self::Ready,
            StockState::Erased => Self::Erased,
            StockState::Making | StockState::Unspecified => Self::Making,
        }
    }

    fn to_wire(self) -> StockState {
        match self {
            Self::Making => StockState::Making,
            Self::Ready => StockState::Ready,
            Self::Erased => StockState::Erased,
        }
    }
}

impl StockRecord {
    /// Reads what versions before schema 5 kept.
    pub(crate) fn from_wire(stock: v1::Stock) -> Self {
        Self {
            stage: StockStage::of(stock.state()),
            peer: stock.peer,
            identity: stock.identity.try_into().ok(),
            columns: stock.columns,
            columns_made: stock.columns_made,
            updated_unix_ms: stock.updated_unix_ms,
        }
    }

    /// As it is told, with the columns opened in its job.
    pub(crate) fn to_wire(&self, job: String, used: u64) -> v1::Stock {
        v1::Stock {
            job_id: job,
            peer: self.peer.clone(),
            state: self.stage.to_wire().into(),
            identity: self
                .identity
                .map_or_else(Vec::new, |identity| identity.to_vec()),
            columns: self.columns,
            columns_made: self.columns_made,
            columns_used: used,
            columns_left: match self.stage {
                StockStage::Erased => 0,
                _ => self.columns_made.saturating_sub(used),
            },
            updated_unix_ms: self.updated_unix_ms,
        }
    }
}
