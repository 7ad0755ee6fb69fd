//! What was read, kept, merged and dropped, and what was odd about it.

use serde::{Deserialize, Serialize};

use crate::suspicions::Suspicion;
use crate::{IdTable, RosterReport, Scale};

/// Ids shown of a file.
const SAMPLES: usize = 10;

/// The account of a rating file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RatingReport {
    /// Rows of data read.
    pub rows: u64,
    /// Users with a rating.
    pub users: usize,
    /// Items with a rating.
    pub items: usize,
    /// Distinct (user, item) pairs kept.
    pub ratings: usize,
    /// Ratings / (users × items).
    pub density: f64,
    /// The scale, given or observed.
    pub scale: Scale,
    /// The mean of what was kept.
    pub mean: f64,
    /// Rows that repeated a pair and were merged.
    pub duplicates_merged: u64,
    /// Among them, rows whose value differed from the one they met.
    pub duplicates_conflicting: u64,
    /// Rows dropped because their rating lies outside the scale.
    pub out_of_scale_dropped: u64,
    /// Rows dropped because they have no rating, or a count of 0.
    pub missing_dropped: u64,
    /// Who was listed beside it; none without a list.
    pub roster: Option<RosterReport>,
    /// How it was read.
    pub reading: Reading,
    /// The first items, as they are kept.
    pub sample_items: Vec<String>,
}

/// The account of a link file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkReport {
    /// Rows of data read.
    pub rows: u64,
    /// Users at either end of a kept link, or of a dropped self link.
    pub users: usize,
    /// Distinct directed links kept.
    pub links: usize,
    /// Rows, or entries of lists, that repeated a link.
    pub duplicates_merged: u64,
    /// Rows, or entries of lists, linking a user with themselves.
    pub self_links_dropped: u64,
    /// Rows whose weight is not positive.
    pub not_positive_dropped: u64,
    /// Rows dropped because they have no weight.
    pub missing_dropped: u64,
    /// Links added because every link was to count in both directions.
    pub reversed_added: u64,
    /// Rows that list nobody.
    pub empty_lists: u64,
    /// Who was listed beside it; none without a list.
    pub roster: Option<RosterReport>,
    /// How it was read.
    pub reading: Reading,
}

/// How a file was read.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Reading {
    /// Kind, header and columns, in words.
    pub read_as: String,
    /// Lines skipped as comments.
    pub comment_lines: u64,
    /// The first users, as they are kept.
    pub sample_users: Vec<String>,
    /// What is odd about the data.
    pub suspicions: Vec<Suspicion>,
}

/// The first ids, each cut to what a line can show.
pub(crate) fn samples(ids: &IdTable) -> Vec<String> {
    let shown = |id: &str| id.chars().take(60).collect();
    ids.names().take(SAMPLES).map(shown).collect()
}
