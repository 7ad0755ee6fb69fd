//! What people bring: rating and link files of any ids, checked and counted on the way in;
//! seeded splits; and seeded synthetic sets: one on which friends share tastes, and links whose
//! degrees follow a power law.
//!
//! Nothing in a file is trusted: every row is either kept, merged or dropped under a stated
//! rule and counted in a report, or refused with the file, line and field to mend.
//!
//! A file passes through a pipeline, each step in a file of its own: bytes out of any packing
//! under limits (`source`), lines of bounded length out of any encoding (`text`), the delimiter
//! told from the first of them (`delimiter`), fields (`record`), rows with a header and without
//! comments (`text_rows`, beside `json_rows` and `parquet_rows`), columns by name (`columns`),
//! rows of named fields (`table`), and at last ratings and links, numbers and ids, with the
//! account of what was odd about them (`id_forms`, `value_forms`, `suspicions`, `report`).

mod adjacency;
mod both;
mod column_error;
mod column_names;
mod columns;
mod delimiter;
mod error;
pub mod factors;
mod id_batch;
mod id_forms;
mod id_slots;
pub mod ids;
mod imported;
mod json_rows;
mod limits;
mod link_options;
pub mod links;
mod lists_file;
pub mod normalise;
mod numbers;
mod parquet_pages;
mod parquet_parts;
mod parquet_rows;
pub mod power_law;
mod rating_options;
pub mod ratings;
mod record;
pub mod report;
pub mod roster;
mod roster_parts;
mod source;
pub mod split;
pub mod suspicions;
pub mod synthetic;
pub mod table;
mod table_parts;
mod text;
mod text_rows;
mod value_forms;

pub use both::BothFiles;
pub use column_error::ColumnError;
pub use columns::{Column, NO_COLUMN};
pub use delimiter::Delimiter;
pub use error::DataError;
pub use factors::{FactorOptions, FactorReport, FactorSet, Vectors};
pub use ids::IdTable;
pub use imported::{FileHeader, FilePart, ImportedFactors, ImportedLinks, ImportedRatings};
pub use limits::{MAX_DECOMPRESSED_BYTES, MAX_ROW_BYTES, MAX_ROWS};
pub use link_options::{LinkOptions, LinkShape, Weights};
pub use links::LinkSet;
pub use lists_file::ListsFile;
pub use normalise::IdRule;
pub use parquet_parts::parquet_as_json_lines;
pub use power_law::{power_law_draws, power_law_links};
pub use rating_options::{Duplicates, OutOfScale, RatingOptions, Scale, Values};
pub use ratings::RatingSet;
pub use report::{LinkReport, RatingReport, Reading};
pub use roster::{Roster, RosterOptions, RosterReport};
pub use split::{Fold, k_fold, latest, ratio};
pub use suspicions::{Suspicion, SuspicionKind, explain_overlap};
pub use synthetic::{Synthetic, SyntheticSettings};
pub use table::Header;
