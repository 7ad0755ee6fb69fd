//! What people bring: rating and link files of any ids, checked and counted on the way in;
//! seeded splits; and seeded synthetic sets: one on which friends share tastes, and links whose
//! degrees follow a power law.
//!
//! Nothing in a file is trusted: every row is either kept, merged or dropped under a stated
//! rule and counted in a report, or refused with the file, line and field to mend.

mod bounded;
mod error;
pub mod ids;
pub mod links;
pub mod normalise;
mod parquet_rows;
pub mod power_law;
pub mod ratings;
pub mod report;
pub mod split;
pub mod synthetic;
pub mod table;

pub use bounded::MAX_DECOMPRESSED_BYTES;
pub use error::DataError;
pub use ids::IdTable;
pub use links::{LinkOptions, LinkSet};
pub use normalise::IdRule;
pub use power_law::power_law_links;
pub use ratings::{Duplicates, OutOfScale, RatingOptions, RatingSet, Scale, Values};
pub use report::{LinkReport, RatingReport};
pub use split::{Fold, k_fold, latest, ratio};
pub use synthetic::{Synthetic, SyntheticSettings};
pub use table::{Column, Delimiter, Header};
