//! Jobs that nobody begins: a proposal ends by itself, here as at the social platform.

use s3rec_job::{JobState, Proposal};
use s3rec_node::process::latest_unix_ms;
use s3rec_node::retention;
use s3rec_wire::convert::job_id;
use s3rec_wire::status::{Fault, Reason};

use crate::ending;
use crate::platform::Platform;
use crate::tables::PROPOSALS;

/// Ends the jobs that have not begun and whose proposal is over.
pub(crate) fn end_what_has_expired(platform: &Platform) {
    for job in platform.journal.open_jobs() {
        if !matches!(
            platform.state(&job),
            JobState::Proposed | JobState::Approved
        ) {
            continue;
        }
        if let Err(fault) = end_if_expired(platform, &job) {
            tracing::error!(
                job,
                "whether the proposal has expired is not known: {fault}"
            );
        }
    }
}

fn end_if_expired(platform: &Platform, name: &str) -> Result<(), Fault> {
    let proposal: Option<Proposal> = platform.store.get(PROPOSALS, name)?;
    let proposed = platform.journal.history(name)?;
    let began = proposed.first().map_or(0, |event| event.time_unix_ms);
    let states = proposal.map_or(i64::MAX, |proposal| proposal.terms.expires_unix_ms);
    let days = platform.limits.proposal_days;
    if latest_unix_ms() <= retention::proposal_end(began, states, days) {
        return Ok(());
    }
    let job = job_id("job_id", name)?;
    let message = "the proposal has expired before the job began";
    // One that waits for its approval ends by its own task.
    if !platform.cancel(job, message.into()) {
        ending::end_now(platform, job, &Fault::new(Reason::Expired, message));
    }
    Ok(())
}
