//! What was opened and what it cost, by P1's own count. An opening is on disk before the first
//! byte of its answer leaves.

use s3rec_link::Count;
use s3rec_node::process::{now_unix_ms, peak_rss_bytes};
use s3rec_node::store::Table;
use s3rec_wire::convert::{JobId, parameters_to_wire, pattern_to_wire, release_to_wire};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;

use crate::consent;
use crate::platform::{COSTS, Platform};
use crate::session::{Phase, Running};

pub(crate) const DISCLOSURES: Table = Table("disclosures");

/// Counts round `round` as opened, on disk. Called before its answer leaves.
pub(crate) fn open(platform: &Platform, job: JobId, round: u32) -> Result<(), Fault> {
    if platform.state(&job.to_string()) != v1::JobState::Running {
        return Err(Fault::new(Reason::Cancelled, "the job has ended").at("job", job));
    }
    let disclosure = platform.slot.with(job, |running| {
        if round != running.openings + 1 || round > running.proposal.rounds {
            let message = format!(
                "opening {round} is due after {} of {} consented ones",
                running.openings, running.proposal.rounds
            );
            return Err(Fault::new(Reason::BeyondConsent, message));
        }
        running.openings = round;
        Ok(disclosure(running))
    })??;
    Ok(platform
        .store
        .put(DISCLOSURES, &job.to_string(), &disclosure)?)
}

/// The disclosure of the running job so far.
pub(crate) fn disclosure(running: &Running) -> v1::Disclosure {
    let proposal = &running.proposal;
    let columns = u64::from(running.openings) * u64::from(proposal.columns());
    let rows = running.parameters.as_ref().map_or(0, |p| p.returned_rows);
    let (offline, online) = (running.offline.count(), running.online.count());
    v1::Disclosure {
        job_id: running.job.to_string(),
        peer: running.peer.clone(),
        openings: running.openings,
        opened_columns: columns,
        opened_values: columns * u64::from(rows),
        release_policy: Some(release_to_wire(&proposal.release)),
        pattern_policy: pattern_to_wire(proposal.pattern).into(),
        common_users: running.common_users,
        bytes: bytes(offline) + bytes(online),
        statements: consent::statements(
            proposal,
            running.openings,
            running.common_users,
            running.parameters.as_ref().map(|p| p.row_norm_bound),
        ),
        updated_unix_ms: now_unix_ms(),
    }
}

fn bytes(count: Count) -> u64 {
    count.sent_bytes + count.received_bytes
}

/// Stores the cost of a job that has ended, and its last disclosure.
pub(crate) fn store_cost(platform: &Platform, running: &Running) -> Result<(), Fault> {
    let job = running.job.to_string();
    let parameters = running.parameters.as_ref();
    let cost = v1::JobCostResponse {
        job_id: job.clone(),
        parameters: parameters.and_then(|parameters| parameters_to_wire(parameters).ok()),
        offline: Some(cost(&running.offline)),
        online: Some(cost(&running.online)),
        peak_rss_bytes: peak_rss_bytes(),
        common_users: running.common_users,
    };
    platform.store.put(COSTS, &job, &cost)?;
    Ok(platform
        .store
        .put(DISCLOSURES, &job, &disclosure(running))?)
}

/// A phase's cost in the words of the conversation.
pub(crate) fn cost(phase: &Phase) -> v1::Cost {
    let count = phase.count();
    v1::Cost {
        seconds: phase.seconds(),
        bytes_to_social: count.received_bytes,
        bytes_to_rating: count.sent_bytes,
        messages: count.messages,
    }
}
