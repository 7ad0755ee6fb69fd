//! Proposals that no job begins with: they end by themselves, decided or not.

use s3rec_job::JobState;
use s3rec_node::process::latest_unix_ms;
use s3rec_node::retention;
use s3rec_wire::convert::approval_from_bytes;
use s3rec_wire::status::{Fault, Reason};

use crate::approved;
use crate::platform::Platform;

/// Ends the proposals, and the approvals of them, that are over before their job began.
pub(crate) fn end_what_has_expired(platform: &Platform) {
    for job in platform.journal.open_jobs() {
        if !matches!(
            platform.state(&job),
            JobState::Proposed | JobState::Approved
        ) {
            continue;
        }
        match has_expired(platform, &job) {
            Ok(false) => {}
            Ok(true) => {
                let fault = Fault::new(
                    Reason::Expired,
                    "the proposal, or the approval of it, has expired before the job began",
                );
                platform.end(&job, JobState::Failed, &fault.advice());
            }
            Err(fault) => {
                tracing::error!(
                    job,
                    "whether the proposal has expired is not known: {fault}"
                );
            }
        }
    }
}

fn has_expired(platform: &Platform, job: &str) -> Result<bool, Fault> {
    let mut states = platform.proposal(job)?.terms.expires_unix_ms;
    if let Some(signed) = approved::signed(platform, job)? {
        states = states.min(approval_from_bytes(&signed.approval)?.expires_unix_ms);
    }
    let proposed = platform.consent(job)?.created_unix_ms;
    let end = retention::proposal_end(proposed, states, platform.limits.proposal_days);
    Ok(latest_unix_ms() > end)
}
