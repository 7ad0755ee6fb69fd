//! The social platform's daemon (P1): it holds the links, decides on proposals, and takes part
//! in secure products that its operator has consented to.
//!
//! | module | one sentence |
//! |---|---|
//! | `platform` | what all calls share: store, journal, the one running job |
//! | `operator` | the verbs of the people here |
//! | `consent` | what consenting gives away, in words |
//! | `policy`, `approval` | who may be shown what, and the signature that says so |
//! | `approved`, `consented` | the approval as it is stored, and what a job begins with under it |
//! | `head_exchange` | both platforms sign the heads of both audit logs |
//! | `peer` | the rating platform's calls, in their order |
//! | `proposals`, `lifeline` | before a job runs, and while it does |
//! | `probe` | echoes for the examination of the link |
//! | `slot` | the place of the running job, and what is counted of it |
//! | `align`, `setup`, `rounds` | the phases of a job |
//! | `common_links` | Y of the links among the common users |
//! | `emit` | what the people here are notified of while a job runs |
//! | `absence` | a rating platform that is away, and a job that is taken up again |
//! | `held` | what is made of the links stays unseen until a public time |
//! | `disclosing` | the one door: permitted, counted and logged before anything leaves |
//! | `opening` | the same for the answer to an opening |
//! | `tables`, `ending`, `faults` | the records by table, how a job ends, how faults are reported |
//! | `ledger` | what was opened and shown over all jobs, and what it cost |
//! | `reconcile` | after a restore, the rating platform gives back what the backup does not know |
//! | `witness` | the audit log gives the ledger back what a store has lost |
//! | `budgets` | what is spent of every limit, and what a proposal would take |
//! | `bounds` | what the people here state of their links, and what follows for an operator |

mod absence;
mod align;
mod align_vole;
mod approval;
mod approved;
mod args;
#[cfg(test)]
mod attack_tests;
mod bounds;
mod budgets;
mod common_links;
mod consent;
mod consented;
mod disclosing;
#[cfg(test)]
mod door_tests;
mod emit;
mod ending;
mod expiry;
mod faults;
mod friends_setup;
mod head_exchange;
mod held;
mod imports;
mod ledger;
mod lifeline;
mod opening;
mod operator;
mod peer;
mod platform;
mod policy;
mod probe;
mod proposals;
mod reconcile;
mod rounds;
mod serve;
mod setup;
#[cfg(test)]
mod setup_tests;
mod slot;
mod tables;
mod witness;
#[cfg(test)]
mod witness_tests;
mod witnessed_opened;

pub use args::Args;
pub use imports::link_options;
pub use policy::PolicyError;
pub use s3rec_node::daemon::{Daemon, DaemonError};
pub use serve::start;

use std::process::ExitCode;

use s3rec_node::daemon;
use s3rec_node::pki::CertificateRole;

/// Serves until SIGTERM or SIGINT, then drains; or does what the verb says.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    daemon::run("s3rec-social", CertificateRole::Social, &args.daemon, start)
}

/// Checks a policy file, without any daemon.
///
/// # Errors
/// [`PolicyError`] with line and field.
pub fn check_policy(file: &std::path::Path) -> Result<(), PolicyError> {
    policy::Policy::read(file).map(drop)
}
