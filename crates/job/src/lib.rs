//! One joint training as steps over the secure product and the model; the manual.
//!
//! P0 owns everything here: which of its users are common, the fixed-point encoding, the
//! solver. Who computes the product is decided outside; [`oracle`] computes it in the clear.
//!
//! | module | what |
//! |---|---|
//! | [`CommonUsers`] | P0's users ↔ rows of Y |
//! | [`JointTraining`] | prepare opening → encode → product → solver step |
//! | [`oracle`] | the same loop over the clear product, in float64 |
//! | [`Parity`], [`product_error_bound`] | how far a secure run is, and may be, from it |
//! | [`report`] | the schema of `report.json` |
//! | [`manual`] | how and why |

mod common_users;
mod error;
pub mod manual;
pub mod oracle;
mod parity;
pub mod report;
mod training;

pub use common_users::CommonUsers;
pub use error::TrainError;
pub use oracle::{max_abs_factor_difference, run_oracle};
pub use parity::{Parity, product_error_bound};
pub use report::RunReport;
pub use training::{Advance, JointTraining, LogEntry, TrainingState};
