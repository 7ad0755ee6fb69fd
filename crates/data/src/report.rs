//! What was read, kept, merged and dropped.

use crate::Scale;
use serde::{Deserialize, Serialize};

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
    /// Rows that repeated a link.
    pub duplicates_merged: u64,
    /// Rows linking a user with themselves.
    pub self_links_dropped: u64,
    /// Rows whose weight column is given and not positive.
    pub not_positive_dropped: u64,
}
