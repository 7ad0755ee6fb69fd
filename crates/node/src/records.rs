//! What the store's tables hold of the other platform's audit log, and of a restore.

use s3rec_audit::Head;
use serde::{Deserialize, Serialize};

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

/// The backup that a store came out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RestoredFrom {
    /// When it was made, milliseconds since the Unix epoch.
    pub(crate) made_unix_ms: i64,
    /// When it was restored.
    pub(crate) restored_unix_ms: i64,
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
