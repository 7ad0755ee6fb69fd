//! Events of a job.

use s3rec_job::report::PhaseCost;
use s3rec_job::{JobCost, JobEvent, JobState, Party};

use super::parameters::{agreed_from_wire, agreed_to_wire};
use super::{
    overlap_from_wire, overlap_to_wire, phase_from_wire, phase_to_wire, round_from_wire,
    round_to_wire,
};
use crate::v1;

/// The wire's name of a state.
#[must_use]
pub fn state_to_wire(state: JobState) -> v1::JobState {
    match state {
        JobState::Unknown => v1::JobState::Unspecified,
        JobState::Proposed => v1::JobState::Proposed,
        JobState::Approved => v1::JobState::Approved,
        JobState::Rejected => v1::JobState::Rejected,
        JobState::Running => v1::JobState::Running,
        JobState::Finished => v1::JobState::Finished,
        JobState::Failed => v1::JobState::Failed,
        JobState::Cancelled => v1::JobState::Cancelled,
    }
}

/// The state; one that this version does not know is unknown.
#[must_use]
pub fn state_from_wire(state: i32) -> JobState {
    match v1::JobState::try_from(state).unwrap_or_default() {
        v1::JobState::Unspecified => JobState::Unknown,
        v1::JobState::Proposed => JobState::Proposed,
        v1::JobState::Approved => JobState::Approved,
        v1::JobState::Rejected => JobState::Rejected,
        v1::JobState::Running => JobState::Running,
        v1::JobState::Finished => JobState::Finished,
        v1::JobState::Failed => JobState::Failed,
        v1::JobState::Cancelled => JobState::Cancelled,
    }
}

/// A state as logs name it: `JOB_STATE_RUNNING`.
#[must_use]
pub fn state_name(state: JobState) -> &'static str {
    state_to_wire(state).as_str_name()
}

/// A phase as logs name it: `PHASE_ONLINE`.
#[must_use]
pub fn phase_name(phase: Option<s3rec_job::Phase>) -> &'static str {
    optional_phase(phase).as_str_name()
}

fn optional_phase(phase: Option<s3rec_job::Phase>) -> v1::Phase {
    phase.map_or(v1::Phase::Unspecified, phase_to_wire)
}

/// The wire's name of a platform, or of nobody.
#[must_use]
pub fn party_to_wire(party: Option<Party>) -> v1::Role {
    match party {
        None => v1::Role::Unspecified,
        Some(Party::Rating) => v1::Role::Rating,
        Some(Party::Social) => v1::Role::Social,
    }
}

alike!(pub cost_to_wire, cost_from_wire: PhaseCost {
    seconds, bytes_to_social, bytes_to_rating, messages,
}, Cost);

/// The message.
#[must_use]
pub fn event_to_wire(event: JobEvent) -> v1::JobEvent {
    v1::JobEvent {
        job_id: event.job,
        state: state_to_wire(event.state).into(),
        phase: optional_phase(event.phase).into(),
        round: event.round,
        rounds: event.rounds,
        phase_cost: event.phase_cost.as_ref().map(cost_to_wire),
        phase_progress: event.phase_progress,
        remaining_seconds: event.remaining_seconds,
        waiting_for: party_to_wire(event.waiting_for).into(),
        time_unix_ms: event.time_unix_ms,
        message: event.message,
        training: event.training.as_ref().map(round_to_wire),
        overlap: event.overlap.as_ref().map(overlap_to_wire),
        waiting_since_unix_ms: event.waiting_since_unix_ms,
        peer_message: event.peer_message,
    }
}

/// Reads what versions before schema 6 stored; a phase or platform that there is not is left out.
#[must_use]
pub fn event_from_wire(message: v1::JobEvent) -> JobEvent {
    JobEvent {
        state: state_from_wire(message.state),
        phase: phase_from_wire("phase", message.phase).ok(),
        round: message.round,
        rounds: message.rounds,
        phase_cost: message.phase_cost.map(cost_from_wire),
        phase_progress: message.phase_progress,
        remaining_seconds: message.remaining_seconds,
        waiting_for: match message.waiting_for() {
            v1::Role::Rating => Some(Party::Rating),
            v1::Role::Social => Some(Party::Social),
            v1::Role::Unspecified => None,
        },
        time_unix_ms: message.time_unix_ms,
        training: message.training.map(round_from_wire),
        overlap: message.overlap.map(overlap_from_wire),
        waiting_since_unix_ms: message.waiting_since_unix_ms,
        job: message.job_id,
        message: message.message,
        peer_message: message.peer_message,
    }
}

/// The message.
#[must_use]
pub fn job_cost_to_wire(job: String, cost: &JobCost) -> v1::JobCostResponse {
    let (parameters, friends_parameters) = agreed_to_wire(cost.parameters.as_ref());
    v1::JobCostResponse {
        job_id: job,
        parameters,
        friends_parameters,
        offline: Some(cost_to_wire(&cost.offline)),
        online: Some(cost_to_wire(&cost.online)),
        peak_rss_bytes: cost.peak_rss_bytes,
        common_users: cost.common_users,
    }
}

/// Reads what versions before schema 6 stored. Parameters that this version refuses are left out;
/// what was counted stands.
#[must_use]
pub fn job_cost_from_wire(message: v1::JobCostResponse) -> JobCost {
    let product = message.parameters.as_ref();
    JobCost {
        parameters: agreed_from_wire(product, message.friends_parameters.as_ref()),
        offline: message.offline.map(cost_from_wire).unwrap_or_default(),
        online: message.online.map(cost_from_wire).unwrap_or_default(),
        peak_rss_bytes: message.peak_rss_bytes,
        common_users: message.common_users,
    }
}
