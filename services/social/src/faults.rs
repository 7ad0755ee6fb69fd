//! How faults of P0's calls are reported: to P0, and to the people here.

use std::time::Duration;

use s3rec_job::{JobError, JobId};
use s3rec_link::{DriveError, LinkError};
use s3rec_spmm::SpmmError;
use s3rec_wire::status::{Fault, Reason};
use tokio::sync::watch;
use tonic::Status;

use crate::platform::Platform;
use crate::slot::superseded;

/// A failed channel in the peer's eyes: its bytes are blamed on it, not on our operator.
pub(crate) fn blamed(error: LinkError, round: Option<u32>) -> Fault {
    let place = match round {
        Some(round) => format!(" in round {round}"),
        None => " before the first round".into(),
    };
    let mut fault = Fault::from(error);
    fault.message = match fault.reason {
        Reason::PeerVanished => format!("the rating platform vanished{place}: {}", fault.message),
        _ => format!(
            "{}{place} (the rating platform's side of the link)",
            fault.message
        ),
    };
    if let Some(round) = round {
        fault = fault.at("round", round);
    }
    fault
}

/// The only way by which a fault leaves for P0: without what is about this machine alone.
pub(crate) fn outward(fault: Fault) -> Status {
    if fault.is_own() {
        tracing::error!("told to the rating platform as a failure of ours: {fault}");
    }
    fault.outward().into_status()
}

/// How long after a broken exchange P0's Abort, or the loss of its lifeline, may arrive.
const ABORT_ARRIVES_WITHIN: Duration = Duration::from_millis(500);

/// Works until the job is ended by either side's people.
pub(crate) async fn unless_ended<T>(
    mut cancelled: watch::Receiver<bool>,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let worked = tokio::select! {
        worked = work => worked,
        _ = cancelled.wait_for(|cancelled| *cancelled) => Err(ended()),
    };
    match worked {
        // P0's Abort of the job may be overtaken by the end of the exchange.
        Err(fault) if fault.reason == Reason::PeerVanished => {
            let abort = cancelled.wait_for(|cancelled| *cancelled);
            let abort = tokio::time::timeout(ABORT_ARRIVES_WITHIN, abort).await;
            Err(abort.map_or(fault, |_| ended()))
        }
        worked => worked,
    }
}

fn ended() -> Fault {
    Fault::new(Reason::Cancelled, "the job was ended")
}

/// A fault of a call that was stopped: the job was ended, or goes on over another connection.
pub(crate) fn stale(platform: &Platform, job: JobId, epoch: u64, fault: Fault) -> Fault {
    match (
        platform.slot.is_current(job, epoch),
        platform.slot.running_job() == Some(job),
    ) {
        (true, _) => fault,
        (false, true) => superseded(),
        (false, false) => ended(),
    }
}

/// How a job's error is reported, in a round or before the first.
pub(crate) fn fault_of(error: JobError, at: Option<u32>) -> Fault {
    let reason = match error {
        JobError::Ours(error) | JobError::Theirs(error) => return fault(error.into(), at),
        JobError::NotDue | JobError::OtherRound { .. } => Reason::OutOfOrder,
        JobError::OtherParameters | JobError::OtherThanBound { .. } => Reason::Contradiction,
        JobError::BeyondConsent { .. } => Reason::BeyondConsent,
        JobError::BeganAgain { .. } | JobError::Lost | JobError::LinksChanged(_) => {
            Reason::StateLost
        }
        _ => Reason::Bug,
    };
    let fault = Fault::new(reason, error.to_string());
    match (reason, at) {
        (Reason::BeyondConsent | Reason::OutOfOrder, Some(round)) => fault.at("round", round),
        _ => fault,
    }
}

pub(crate) fn ours(error: SpmmError) -> Fault {
    fault(error.into(), None)
}

/// A failed exchange, blamed on whoever it was.
pub(crate) fn fault(error: DriveError, round: Option<u32>) -> Fault {
    match error {
        DriveError::Link(error) => blamed(error, round),
        other => {
            let fault = Fault::from(other);
            match round {
                Some(round) => fault.at("round", round),
                None => fault,
            }
        }
    }
}
