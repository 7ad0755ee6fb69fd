//! A job from its approval to its end: the phases in their order, and a terminal state always.

use std::sync::Arc;

use s3rec_wire::convert::{JobId, Proposal};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::{JobState, Phase};
use tokio::sync::watch;
use tracing::Instrument;

use crate::align;
use crate::imports;
use crate::outcome;
use crate::plan::plan;
use crate::platform::{PROPOSALS, Place, Platform};
use crate::product::Product;
use crate::session::{Lifeline, Session};
use crate::setup;
use crate::training::{self, Ledger};

/// A job whose connection and lifeline stand.
pub(crate) struct Begun {
    pub(crate) platform: Arc<Platform>,
    pub(crate) job: JobId,
    pub(crate) session: Session,
    pub(crate) lifeline: Lifeline,
    pub(crate) place: Place,
}

/// Runs the job to its end, whatever the end is.
pub(crate) async fn run(begun: Begun) {
    let Begun {
        platform,
        job,
        mut session,
        lifeline,
        place,
    } = begun;
    let span = tracing::info_span!("job", %job);
    async {
        let mut cancelled = place.cancelled.clone();
        let ran = tokio::select! {
            // In this order: P1's own words say more than the broken call that they cause.
            biased;
            fault = asked_to_end(&mut cancelled) => Err(fault),
            ran = phases(&platform, job, &mut session, &lifeline) => match ran {
                Err(fault) => Err(prefer_words(fault, &lifeline).await),
                done => done,
            },
            fault = lifeline.broken() => Err(fault),
        };
        // Whatever the end is: keys and masks go with the job.
        let (at, name) = (Arc::clone(&platform), job.to_string());
        let erased = imports::blocking(move || at.stocks.erase(&at.store, &name)).await;
        if let Err(fault) = ran.and(erased) {
            end(&platform, job, &fault);
            if !matches!(fault.reason, Reason::PeerVanished | Reason::Unreachable) {
                session.abort(job, &fault.message).await;
            }
        }
    }
    .instrument(span)
    .await;
    drop((lifeline, place));
}

/// Waits until an operator or the daemon's end asks the job to end.
async fn asked_to_end(cancelled: &mut watch::Receiver<Option<String>>) -> Fault {
    let reason = match cancelled.wait_for(Option::is_some).await {
        Ok(reason) => reason.clone(),
        Err(_) => None,
    };
    Fault::new(
        Reason::Cancelled,
        reason.unwrap_or_else(|| "the job was ended".into()),
    )
}

/// When a call broke because P1 ended the job, P1's reason is on its way through the lifeline.
async fn prefer_words(fault: Fault, lifeline: &Lifeline) -> Fault {
    let is_symptom = matches!(
        fault.reason,
        Reason::PeerVanished | Reason::Cancelled | Reason::OutOfOrder
    );
    if !is_symptom {
        return fault;
    }
    let words = tokio::time::timeout(std::time::Duration::from_millis(200), lifeline.broken());
    words.await.unwrap_or(fault)
}

async fn phases(
    platform: &Arc<Platform>,
    job: JobId,
    session: &mut Session,
    lifeline: &Lifeline,
) -> Result<(), Fault> {
    let name = job.to_string();
    let message: Option<v1::PeerProposal> = platform.store.get(PROPOSALS, &name)?;
    let message = message.ok_or_else(|| Fault::new(Reason::NotFound, "the proposal is gone"))?;
    let proposal = Proposal::from_wire(&message)?;
    let event = |state: JobState, phase: Phase, message: &str| v1::JobEvent {
        job_id: name.clone(),
        state: state.into(),
        phase: phase.into(),
        rounds: proposal.rounds,
        waiting_for: v1::Role::Social.into(),
        message: message.into(),
        ..v1::JobEvent::default()
    };
    if platform.state(&name) == JobState::Proposed {
        lifeline.approved().await?;
        let approved = "Approved by the social platform.";
        platform.record(event(JobState::Approved, Phase::Consent, approved))?;
    }
    platform.record(event(
        JobState::Running,
        Phase::Alignment,
        "Finding the common users.",
    ))?;
    let request = platform.request(&name)?;
    let ratings = imports::load(platform, &name).await?;
    let mut ledger = Ledger::new(job, proposal.clone(), session.peer.clone());
    let (ratings, common) = align::align(platform, session, job, ratings, &ledger.offline).await?;

    let found = format!(
        "{} common users. Agreeing on parameters.",
        common.rows.len()
    );
    platform.record(event(JobState::Running, Phase::Setup, &found))?;
    let (ratings, plan) = imports::blocking(move || {
        let plan = plan(&ratings, &request);
        (ratings, plan)
    })
    .await?;
    let plan = Arc::new(plan?);
    let setup = setup::agree(platform, session, &proposal, &common, &ledger.offline).await?;
    ledger.parameters = Some(setup.parameters.clone());
    let mut product = Product::prepare(platform, session, &setup, &ledger).await?;
    ledger.end_offline();

    let users = ratings.users.len();
    let trained = training::train(
        platform,
        session,
        &plan,
        &setup,
        &mut product,
        common.rows,
        users,
        &mut ledger,
    )
    .await?;
    product
        .close(platform, session, ledger.openings, &ledger.offline)
        .await?;
    platform.record(v1::JobEvent {
        waiting_for: v1::Role::Unspecified.into(),
        ..event(
            JobState::Running,
            Phase::Evaluation,
            "Measuring and storing the model.",
        )
    })?;
    outcome::finish(platform, session, &plan, ratings, trained, &ledger).await
}

/// Writes the end of a job and why, for people.
pub(crate) fn end(platform: &Platform, job: JobId, fault: &Fault) {
    let last = platform.journal.last(&job.to_string()).unwrap_or_default();
    let place = match last.phase() {
        Phase::Online => format!("In round {} of {}: ", last.round.max(1), last.rounds),
        Phase::Alignment => "While finding the common users: ".into(),
        Phase::Setup => "While agreeing on parameters and keys: ".into(),
        Phase::Offline => "While multiplying masks before the first round: ".into(),
        _ => String::new(),
    };
    let running = last.state() == JobState::Running;
    let placed = match fault.reason {
        // It answered before, so whoever does not answer now has vanished.
        Reason::PeerVanished | Reason::Unreachable if running => {
            let peer = &platform.peer.address;
            let what = &fault.message;
            let message = format!("{place}the social platform ({peer}) vanished: {what}");
            Fault::new(Reason::PeerVanished, message)
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
    let name = job.to_string();
    let message = match state {
        JobState::Failed => fault.advice(),
        _ => fault.message.clone(),
    };
    tracing::warn!(%job, reason = fault.reason.name(), "{}: {message}", state.as_str_name());
    let last = platform.journal.last(&name).unwrap_or_default();
    let ended = platform.record(v1::JobEvent {
        job_id: name,
        state: state.into(),
        waiting_for: v1::Role::Unspecified.into(),
        remaining_seconds: 0.0,
        message,
        ..last
    });
    if let Err(error) = ended {
        tracing::error!(%job, "the job's end is not stored: {error}");
    }
}
