//! What a stock's record tells its owner, without opening the stock.

use serde::Serialize;

use super::record::{self, RatingRecord, SocialRecord, VoidReason};
use crate::SpmmError;

/// A stock at a glance. Nothing secret is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StockSummary {
    /// Made by P0, never used twice.
    pub stock_id: [u8; 16],
    /// The stock's name; `None` while its offline phase is under way, or was when it stopped.
    pub identity: Option<[u8; 32]>,
    /// Common users.
    pub users: u32,
    /// Columns of one opening.
    pub columns: u32,
    /// Rounds that the stock was made for.
    pub rounds: u32,
    /// Rounds whose columns are used or burnt.
    pub used_rounds: u32,
    /// P1's own count of openings; `None` in P0's record.
    pub openings: Option<u32>,
    /// How often P1 answered all unused blocks anew for another Y, each a further stock in the
    /// accounting of section 3.1; `None` in P0's record.
    pub renewals: Option<u32>,
    /// Why the stock may not be used any more, as far as this side knows.
    pub void: Option<VoidReason>,
}

impl StockSummary {
    /// Reads P0's record, as [`DirectoryStorage::peek`](super::DirectoryStorage::peek) gives it.
    ///
    /// # Errors
    /// [`SpmmError::UnreadableStock`].
    pub fn read_rating(encoded: &[u8]) -> Result<StockSummary, SpmmError> {
        let record: RatingRecord = record::decode(encoded)?;
        let parameters = &record.terms.parameters;
        Ok(StockSummary {
            stock_id: record.terms.stock_id,
            identity: record.identity,
            users: parameters.users,
            columns: parameters.columns,
            rounds: parameters.rounds,
            used_rounds: record.cursor.min(parameters.rounds),
            openings: None,
            renewals: None,
            void: record.void,
        })
    }

    /// Reads P1's record.
    ///
    /// # Errors
    /// [`SpmmError::UnreadableStock`].
    pub fn read_social(encoded: &[u8]) -> Result<StockSummary, SpmmError> {
        let record: SocialRecord = record::decode(encoded)?;
        let parameters = &record.terms.parameters;
        Ok(StockSummary {
            stock_id: record.terms.stock_id,
            identity: record.identity,
            users: parameters.users,
            columns: parameters.columns,
            rounds: parameters.rounds,
            used_rounds: record.cursor.min(parameters.rounds),
            openings: Some(record.openings),
            renewals: Some(record.renewals),
            void: record.void,
        })
    }
}
