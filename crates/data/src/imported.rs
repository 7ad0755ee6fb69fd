//! Imports of the platforms: how a file on its way in is to be read, and what was found in it.

use serde::{Deserialize, Serialize};

use crate::{FactorReport, LinkReport, RatingReport};

/// How a file that is imported is to be read. What a platform does not import is left empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FileHeader {
    /// As the operator knows it; named in errors.
    pub file_name: String,
    /// Name of the data set to create or replace.
    pub dataset: String,
    /// What stands between fields, by [`Delimiter::named`](crate::Delimiter::named).
    pub delimiter: String,
    /// The first row names the columns; neither this nor `no_header`: told from the first line.
    pub has_header: bool,
    /// The first row is data.
    pub no_header: bool,
    /// The first column only numbers the rows.
    pub index_column: bool,
    /// Numbers have a decimal comma.
    pub decimal_comma: bool,
    /// Rows without a rating or weight are dropped and counted.
    pub drop_missing: bool,
    /// Ratings: lowest value of the scale; both 0: taken from the data.
    pub scale_min: f64,
    /// Ratings: highest value.
    pub scale_max: f64,
    /// Ratings: rows outside the scale are dropped and counted.
    pub drop_out_of_scale: bool,
    /// Ratings: the rating column counts how often a user chose the item.
    pub counts: bool,
    /// The name ends as those of gzip do; what the bytes are is told by themselves.
    pub gzip: bool,
    /// Upper and lower case of user ids count alike.
    pub fold_case: bool,
    /// Where users stand, by [`Column::named`](crate::Column::named), as are all columns.
    pub user_column: String,
    /// Items.
    pub item_column: String,
    /// Ratings.
    pub rating_column: String,
    /// Times of ratings.
    pub timestamp_column: String,
    /// Those who trust.
    pub truster_column: String,
    /// Those who are trusted.
    pub trustee_column: String,
    /// Weights of links.
    pub weight_column: String,
    /// Links: a row is a user and all whom they trust.
    pub adjacency: bool,
    /// Links: each counts in both directions.
    pub undirected: bool,
    /// Links: rows of any weight are links.
    pub any_weight: bool,
    /// The data set that this is a newer version of; empty: the one of the same name, if any.
    pub lineage: String,
    /// Factors: the data set of ratings whose users and items these are; empty: the only one.
    pub ratings: String,
    /// Bytes of the file, its parts included.
    pub length: u64,
    /// Their BLAKE3, 32 bytes.
    pub digest: Vec<u8>,
    /// Further files, the end of the data in this order.
    pub parts: Vec<FilePart>,
}

/// A file that goes with another in one import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePart {
    /// What it is: `users`, or `items` of factors.
    pub kind: String,
    /// As the operator knows it.
    pub file_name: String,
    /// Its bytes.
    pub length: u64,
    /// Where ids stand.
    pub column: String,
}

/// What an import of ratings found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImportedRatings {
    /// The data set.
    pub dataset: String,
    /// Every rating has a time.
    pub is_timestamped: bool,
    /// The account.
    pub report: RatingReport,
}

/// What an import of links found. P1's secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImportedLinks {
    /// The data set.
    pub dataset: String,
    /// Most links of one user, both directions together; 0 with links: an older version did not
    /// count them.
    pub largest_degree: u32,
    /// The account.
    pub report: LinkReport,
}

/// What an import of factors found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImportedFactors {
    /// The data set.
    pub dataset: String,
    /// The data set of ratings that they were imported for.
    pub ratings: String,
    /// The account.
    pub report: FactorReport,
}
