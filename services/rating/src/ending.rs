//! How a job ends, and why, for people.

use s3rec_job::{JobEvent, JobId, JobState, Phase};
use s3rec_node::observe;
use s3rec_wire::convert::state_name;
use s3rec_wire::status::{Fault, Reason};

use crate::platform::Platform;

/// Writes the end of a job and why, for people.
pub(crate) fn end(platform: &Platform, job: JobId, fault: &Fault) {
    let last = platform.journal.last(&job.to_string()).unwrap_or_default();
    let place = match last.phase {
        Some(Phase::Online) => format!("In round {} of {}: ", last.round.max(1), last.rounds),
        Some(Phase::Alignment) => "While finding the common users: ".into(),
        Some(Phase::Setup) => "While agreeing on parameters and keys: ".into(),
        Some(Phase::Offline) => "While multiplying masks before the first round: ".into(),
        _ => String::new(),
    };
    let running = last.state == JobState::Running;
    let placed = match fault.reason {
        // It answered before, so whoever does not answer now has vanished.
        Reason::PeerVanished | Reason::Unreachable if running => {
            let peer = &platform.peer.address;
            let what = &fault.message;
            let message = format!("{place}the social platform ({peer}) vanished: {what}");
            Fault::new(Reason::PeerVanished, message)
        }
        Reason::PeerStayedAway if running => {
            let peer = &platform.peer.address;
            let message = format!("{place}{} ({peer})", fault.message);
            Fault::new(fault.reason, message)
        }
        _ => Fault {
            message: format!("{place}{}", fault.message),
            ..fault.clone()
        },
    };
    end_now(platform, job, &placed);
}

/// Writes the end of a job. Never fails: what cannot be stored is logged, because the job has
/// ended all the same.
pub(crate) fn end_now(platform: &Platform, job: JobId, fault: &Fault) {
    let state = match fault.reason {
        Reason::Cancelled => JobState::Cancelled,
        Reason::Rejected => JobState::Rejected,
        _ => JobState::Failed,
    };
    if state == JobState::Failed {
        observe::job_failed(fault.reason);
    }
    let name = job.to_string();
    let message = match state {
        JobState::Failed => fault.advice(),
        _ => fault.message.clone(),
    };
    tracing::warn!(%job, reason = fault.reason.name(), "{}: {message}", state_name(state));
    let last = platform.journal.last(&name).unwrap_or_default();
    let ended = platform.end(JobEvent {
        job: name,
        state,
        waiting_for: None,
        remaining_seconds: 0.0,
        message,
        ..last
    });
    if let Err(error) = ended {
        tracing::error!(%job, "the job's end is not stored: {error}");
    }
}
