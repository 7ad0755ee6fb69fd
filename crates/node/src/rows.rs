//! What the store's tables hold, and as which bytes.
//!
//! A version byte, then postcard. A change of a row's type is a step of the migrations.

use s3rec_data::{FileHeader, ImportedFactors, ImportedLinks, ImportedRatings};
use s3rec_job::{
    Account, CalibrationSample, Consent, CountedOpening, DataVersion, Evaluation, FinishedJob,
    JobCost, JobDisclosure, JobEvent, JobRecord, ModelRecord, OpenedUsers, Proposal, Shown,
    SignedApproval, StockRecord,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::records::{RefusedHead, RestoredFrom, SeenHead};
use crate::store::StoreError;

/// First byte of a row of a type of ours.
const VERSION: u8 = 1;

/// A record of the store.
pub trait Row: Sized {
    /// The bytes to store.
    fn to_row(&self) -> Vec<u8>;

    /// Reads stored bytes.
    ///
    /// # Errors
    /// [`StoreError::Record`] or [`StoreError::Row`] for anything else.
    fn from_row(bytes: &[u8]) -> Result<Self, StoreError>;
}

macro_rules! rows {
    ($($own:ident),+ $(,)?) => {
        $(impl Row for $own {
            fn to_row(&self) -> Vec<u8> {
                encode(self)
            }

            fn from_row(bytes: &[u8]) -> Result<Self, StoreError> {
                decode(bytes).ok_or(StoreError::Row { what: stringify!($own) })
            }
        })+
    };
}

rows! {
    Account, CalibrationSample, Consent, CountedOpening, DataVersion, Evaluation, FileHeader,
    FinishedJob, ImportedFactors, ImportedLinks, ImportedRatings, JobCost, JobDisclosure, JobEvent,
    JobRecord, ModelRecord, OpenedUsers, Proposal, RefusedHead, RestoredFrom, SeenHead, Shown,
    SignedApproval, StockRecord,
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    // Unwrap safety: into memory, of types without maps or sequences of unknown length.
    postcard::to_extend(value, vec![VERSION]).expect("a row of ours encodes")
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (&VERSION, body) = bytes.split_first()? else {
        return None;
    };
    match postcard::take_from_bytes(body) {
        Ok((value, [])) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_whole_and_by_its_version_or_not_at_all() {
        let account = Account {
            peer: "p".into(),
            delta: 1e-6,
            ..Account::default()
        };
        let good = account.to_row();
        assert_eq!(Account::from_row(&good).unwrap(), account);
        let other_version = [&[2], &good[1..]].concat();
        let longer = [good.as_slice(), &[0]].concat();
        for bad in [&good[..good.len() - 1], &other_version, &longer, &[]] {
            let refused = Account::from_row(bad);
            assert!(
                matches!(refused, Err(StoreError::Row { .. })),
                "{refused:?}"
            );
        }
    }
}
