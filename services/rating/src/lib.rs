//! The rating platform's daemon (P0): it holds the ratings, trains the model, and asks the
//! social platform for secure products.
//!
//! | module | one sentence |
//! |---|---|
//! | [`plan()`] | what a proposal means for given ratings |
//! | `platform` | what all calls share: store, journal, the one running job |
//! | `operator` | the verbs of the people here |
//! | `jobs`, `offered` | proposing, starting, cancelling; a proposal as it is sent |
//! | `estimate` | what a proposal would cost, before it is sent |
//! | `runner` | a job from its approval to its end |
//! | `decisions` | what the social platform decides, known here at once |
//! | `drive`, `emit` | what the job says: its exchanges, what it saves, what it tells |
//! | `absence`, `resume` | a social platform that is away, and what a job goes on from |
//! | `connection` | the connection to the social platform and its lifeline |
//! | `align`, `setup` | finding the common users, agreeing on parameters |
//! | `reconcile` | after a restore, P1 gives back what the backup does not know |
//! | `brought` | what P1 asks of P0's users, counted and limited |
//! | `outcome` | metrics, the stored model, the report |
//! | `warnings` | what people should know before they use a model |
//! | `head_exchange` | both platforms sign the heads of both audit logs |
//! | `ending`, `tables` | how a job ends, the records by table |
//! | `stored`, `model_cache`, `models` | models on disk and in memory |
//! | `answers` | predict, recommend, evaluate, export |

mod absence;
mod align;
mod align_vole;
mod answers;
mod args;
mod batch;
mod brought;
mod connection;
mod consent;
mod decisions;
mod drive;
mod emit;
mod ending;
mod estimate;
mod expiry;
pub mod factors;
mod friends_outcome;
mod friends_setup;
mod friends_sides;
mod head_exchange;
mod imports;
mod jobs;
mod ledger;
mod model_cache;
mod models;
mod offered;
mod operator;
mod outcome;
pub mod plan;
mod platform;
mod reconcile;
mod resume;
mod runner;
mod serve;
mod setup;
mod stored;
mod stored_friends;
mod tables;
mod warnings;

pub use args::Args;
pub use imports::rating_options;
pub use plan::{Plan, plan};
pub use s3rec_node::daemon::{Daemon, DaemonError};
pub use serve::start;

use std::process::ExitCode;

use s3rec_node::daemon;
use s3rec_node::pki::CertificateRole;

/// Checks a model's file in `directory`, as the daemon reads it before it serves from it.
///
/// # Errors
/// [`Reason::StorageFailed`](s3rec_wire::status::Reason) with what is wrong.
pub fn check_model(
    directory: &std::path::Path,
    name: &str,
) -> Result<(), s3rec_wire::status::Fault> {
    let (model, users, items) = stored::StoredModel::read(directory, name)?.into_model()?;
    drop((model, users, items));
    Ok(())
}

/// Serves until SIGTERM or SIGINT, then drains; or does what the verb says.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    daemon::run("s3rec-rating", CertificateRole::Rating, &args.daemon, start)
}
