//! What the people here are notified of while a job runs, and what is noted of its stock.

use s3rec_job::rating::RatingEvent;
use s3rec_job::{JobEvent, JobState, Party, Phase};
use s3rec_node::stock_progress::StockProgress;
use s3rec_node::stocks::StockStage;
use s3rec_wire::status::Fault;

use crate::ledger::Ledger;
use crate::platform::Platform;

/// Records what a job says; of the bytes before the rounds that share has crossed.
pub(crate) fn emit(
    platform: &Platform,
    ledger: &Ledger,
    event: RatingEvent,
    share: f64,
) -> Result<(), Fault> {
    match event {
        RatingEvent::Begins(phase) => platform.record(begins(ledger, phase)),
        RatingEvent::StockBegins { columns, blocks } => {
            platform.record(JobEvent {
                waiting_for: None,
                message: format!(
                    "Multiplying masks for {columns} columns in {blocks} blocks; the rounds need \
                     no cryptography then."
                ),
                ..offline(ledger, 0.0, 0.0)
            })?;
            note(platform, ledger, StockStage::Making, (0, columns), None)
        }
        RatingEvent::StockGoesOn { .. } => platform.record(JobEvent {
            message: format!(
                "Going on with the masks where the connection broke, at {:.0} %.",
                100.0 * share
            ),
            ..offline(ledger, share, 0.0)
        }),
        RatingEvent::StockGrows {
            columns,
            of,
            identity,
        } => {
            let state = StockStage::Making;
            note(platform, ledger, state, (columns, of), identity)
        }
        RatingEvent::StockStands { columns, identity } => {
            let made = (columns, columns);
            note(platform, ledger, StockStage::Ready, made, identity)?;
            if ledger.openings == 0 {
                platform.record(JobEvent {
                    message: "The stock of masked columns is complete.".into(),
                    ..offline(ledger, 1.0, 0.0)
                })?;
            }
            Ok(())
        }
        RatingEvent::Prepared | RatingEvent::RoundsBegin => Ok(()),
        RatingEvent::Asks { round } => {
            platform.journal.notify(JobEvent {
                waiting_for: Some(Party::Social),
                message: format!("Round {round}: waiting for the social platform's product."),
                ..online(ledger, round, round - 1)
            });
            Ok(())
        }
        RatingEvent::FriendsOpened {
            users,
            columns,
            sigma,
        } => platform.record(JobEvent {
            message: format!(
                "Friends' sums of {users} users are here: {columns} numbers each, with noise of \
                 standard deviation {sigma:.3}."
            ),
            ..online(ledger, 1, 1)
        }),
        RatingEvent::RoundDone { round, report } => platform.record(JobEvent {
            training: Some(report),
            message: format!("Round {round} of {} done.", ledger.proposal.rounds),
            ..online(ledger, round, round)
        }),
    }
}

fn begins(ledger: &Ledger, phase: Phase) -> JobEvent {
    let message = match phase {
        Phase::Alignment => "Finding the common users.",
        Phase::Evaluation => "Measuring and storing the model.",
        _ => "Agreeing on parameters.",
    };
    let waiting_for = match phase {
        Phase::Evaluation => None,
        _ => Some(Party::Social),
    };
    JobEvent {
        job: ledger.job.to_string(),
        state: JobState::Running,
        phase: Some(phase),
        rounds: ledger.proposal.rounds,
        waiting_for,
        message: message.into(),
        ..JobEvent::default()
    }
}

/// Of the masks, of which that share is multiplied.
fn offline(ledger: &Ledger, share: f64, remaining_seconds: f64) -> JobEvent {
    JobEvent {
        job: ledger.job.to_string(),
        state: JobState::Running,
        phase: Some(Phase::Offline),
        rounds: ledger.proposal.rounds,
        phase_cost: Some(ledger.offline_cost()),
        phase_progress: share,
        remaining_seconds,
        ..JobEvent::default()
    }
}

/// Of a round, when so many are done.
fn online(ledger: &Ledger, round: u32, done: u32) -> JobEvent {
    let rounds = ledger.proposal.rounds;
    let mean = ledger.online_seconds / f64::from(done.max(1));
    JobEvent {
        job: ledger.job.to_string(),
        state: JobState::Running,
        phase: Some(Phase::Online),
        round,
        rounds,
        phase_cost: Some(ledger.online_cost()),
        phase_progress: f64::from(done) / f64::from(rounds),
        remaining_seconds: mean * f64::from(rounds - done.min(rounds)),
        ..JobEvent::default()
    }
}

fn note(
    platform: &Platform,
    ledger: &Ledger,
    state: StockStage,
    made: (u64, u64),
    identity: Option<[u8; 32]>,
) -> Result<(), Fault> {
    let stock = (ledger.job, ledger.peer.as_str());
    let noted = platform
        .stocks
        .note_made(&platform.store, stock, state, made, identity);
    Ok(noted?)
}

/// So many bytes more have crossed before the rounds.
pub(crate) fn moved(platform: &Platform, ledger: &Ledger, stock: &mut StockProgress, bytes: usize) {
    if let Some(notice) = stock.moved(bytes) {
        platform.journal.notify(JobEvent {
            message: notice.message,
            ..offline(ledger, notice.share, notice.remaining_seconds)
        });
    }
}
