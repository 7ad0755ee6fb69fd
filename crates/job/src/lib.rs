//! A job at two parties, without I/O: what is agreed on, the training, what is counted, and what
//! comes next; the manual.
//!
//! | module | what |
//! |---|---|
//! | [`Proposal`], [`Approval`] | what P1 consents to, and its consent |
//! | [`Counters`], [`counting`] | what was opened, of one job and over all |
//! | [`JobRequest`], [`FinishedJob`] | what P0's people ask for, and what came of it |
//! | [`statements`] | what each side could have learnt, in words |
//! | [`rating`] | P0's job: what comes next, what is saved before what leaves, resuming |
//! | [`social`] | P1's job: which call is due, what is saved before what leaves, resuming |
//! | [`CommonUsers`] | P0's users ↔ rows of Y |
//! | [`JointTraining`] | prepare opening → encode → product → solver step |
//! | [`oracle`] | the same loop over the clear product, in float64 |
//! | [`Parity`], [`product_error_bound`] | how far a secure run is, and may be, from it |
//! | [`estimate`] | what a job would cost, before any data moves |
//! | [`JobEvent`] | what happened to a job, as it is shown and kept |
//! | [`number_format`] | numbers, names and times as people read them |
//! | [`report`] | the schema of `report.json` |
//! | [`manual`] | how and why |

mod agreed;
mod approval;
mod common_users;
mod counters;
pub mod counting;
#[macro_use]
mod endpoints;
mod error;
pub mod estimate;
mod event;
mod finished;
mod id;
mod job_error;
pub mod manual;
pub mod number_format;
mod opened_users;
pub mod oracle;
mod parity;
mod phase;
mod proposal;
pub mod rating;
mod records;
pub mod report;
mod request;
pub mod social;
pub mod statements;
mod training;

pub use agreed::AgreedParameters;
pub use approval::{Approval, SignedApproval};
pub use common_users::CommonUsers;
pub use counters::Counters;
pub use counting::{Account, CountedOpening, JobDisclosure, OpenedDay, Overlap, Shown};
pub use error::TrainError;
pub use event::{JobCost, JobEvent, JobState, Party};
pub use finished::{
    Evaluation, FinishedJob, FriendsLearnt, FriendsResult, HeldOutErrors, JobResult, ModelRecord,
    Standardisation, TrainedResult,
};
pub use id::JobId;
pub use job_error::JobError;
pub use opened_users::{CalibrationSample, OpenedUsers};
pub use oracle::{max_abs_factor_difference, run_oracle};
pub use parity::{Parity, product_error_bound};
pub use phase::Phase;
pub use proposal::{LEAST_SECURITY_BITS, LEAST_STATISTICAL_BITS, Proposal, Terms};
pub use records::{Consent, DataVersion, JobRecord, StockRecord, StockStage};
pub use report::RunReport;
pub use request::{HeldOut, JobRequest, LocalSettings, ModelSettings, defaults_of};
pub use training::{Advance, JointTraining, LogEntry, TrainingState};
