//! A job from its approval to its end: the phases in their order, and a terminal state always.

use std::sync::Arc;

use s3rec_data::RatingSet;
use s3rec_node::observe;
use s3rec_node::traces::join_trace;
use s3rec_wire::convert::{JobId, Proposal};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::{JobState, Phase};
use tokio::sync::watch;
use tracing::{Instrument, info_span};

use crate::absence::{self, Absence};
use crate::imports::{self, blocking};
use crate::ledger::Ledger;
use crate::plan::{Plan, plan};
use crate::platform::{Ask, DISCLOSURES, PROPOSALS, Place, Platform};
use crate::product::Product;
use crate::session::{Lifeline, Session};
use crate::training::{self, Trainee};
use crate::{align, consent, meetings, outcome, resume, setup};

/// A job that holds the running job's place.
pub(crate) struct Begun {
    pub(crate) platform: Arc<Platform>,
    pub(crate) job: JobId,
    pub(crate) place: Place,
    /// The connection and lifeline of the first attempt, where they stand already.
    pub(crate) connected: Option<(Session, Lifeline)>,
}

/// Runs the job to its end, whatever the end is, or until the daemon stops: then it goes on at
/// the next start. A connection that breaks is one attempt; each begins from what is on disk.
pub(crate) async fn run(begun: Begun) {
    let Begun {
        platform,
        job,
        place,
        mut connected,
    } = begun;
    let span = info_span!("job", %job, reason = tracing::field::Empty);
    join_trace(&span, job);
    async {
        let name = job.to_string();
        let mut asked = place.asked.clone();
        let mut absence = Absence::new(&platform);
        let ended = loop {
            let mut attempt = Box::pin(attempt(&platform, job, connected.take()));
            let ran = tokio::select! {
                // In this order: a person's word says more than the broken call that it causes.
                biased;
                word = asked_to_end(&mut asked) => {
                    // While the lifeline stands, or P1 would hear of a loss first.
                    if let Some(fault) = &word {
                        tell(&platform, job, &fault.message).await;
                    }
                    Err(word)
                }
                ran = &mut attempt => ran.map_err(Some),
            };
            drop(attempt);
            let fault = match ran {
                Ok(()) => break None,
                Err(None) => {
                    tracing::info!("resting: the job goes on at the daemon's next start");
                    return;
                }
                Err(Some(fault)) => fault,
            };
            match absence.after(&platform, &name, fault) {
                Err(fault) => break Some(fault),
                Ok(wait) => {
                    let waited = tokio::select! {
                        biased;
                        word = asked_to_end(&mut asked) => word,
                        () = tokio::time::sleep(wait) => continue,
                    };
                    match waited {
                        Some(fault) => {
                            tell(&platform, job, &fault.message).await;
                            break Some(fault);
                        }
                        None => return,
                    }
                }
            }
        };
        if let Some(fault) = ended {
            tracing::Span::current().record("reason", fault.reason.name());
            end(&platform, job, &fault);
        }
    }
    .instrument(span)
    .await;
    drop(place);
}

/// Waits until an operator asks the job to end, which gives the reason, or the daemon stops.
async fn asked_to_end(asked: &mut watch::Receiver<Ask>) -> Option<Fault> {
    let asked = asked.wait_for(|ask| *ask != Ask::Run).await;
    match asked.map(|ask| ask.clone()) {
        Ok(Ask::End(reason)) => Some(Fault::new(Reason::Cancelled, reason)),
        _ => None,
    }
}

/// Tells P1 that the job is over. Best effort: P1 stops waiting by itself.
pub(crate) async fn tell(platform: &Platform, job: JobId, reason: &str) {
    let told = async {
        if let Ok(mut session) = Session::open(platform).await {
            session.abort(job, reason).await;
        }
    };
    let _ = tokio::time::timeout(LAST_WORD_TAKES, told).await;
}

/// Longest time for telling P1 that a job is over.
const LAST_WORD_TAKES: std::time::Duration = std::time::Duration::from_secs(4);

/// One connection's worth of the job.
async fn attempt(
    platform: &Arc<Platform>,
    job: JobId,
    connected: Option<(Session, Lifeline)>,
) -> Result<(), Fault> {
    let (mut session, lifeline) = match connected {
        Some(connected) => connected,
        None => {
            let mut session = Session::open(platform).await?;
            let lifeline = session.lifeline(job).await?;
            (session, lifeline)
        }
    };
    // A P1 that has finished waits for nothing more, and ends nothing.
    let is_finished = lifeline.first().await? == JobState::Finished;
    tokio::select! {
        // In this order: P1's own words say more than the broken call that they cause.
        biased;
        ran = phases(platform, job, &mut session, &lifeline, is_finished) => match ran {
            Err(fault) => {
                let fault = prefer_words(fault, &lifeline).await;
                let is_theirs = matches!(
                    fault.reason,
                    Reason::PeerAborted | Reason::Rejected | Reason::Cancelled
                );
                // While the lifeline stands, or P1 would hear of a loss first.
                if !is_theirs && !absence::can_pass(platform, &job.to_string(), &fault)? {
                    session.abort(job, &fault.clone().outward().message).await;
                }
                Err(fault)
            }
            done => done,
        },
        fault = lifeline.broken() => Err(fault),
    }
}

/// When a call broke because P1 ended the job, P1's reason is on its way through the lifeline.
async fn prefer_words(fault: Fault, lifeline: &Lifeline) -> Fault {
    let is_symptom = matches!(
        fault.reason,
        Reason::PeerVanished | Reason::Cancelled | Reason::OutOfOrder | Reason::Superseded
    );
    if !is_symptom {
        return fault;
    }
    // P1 erases what it kept of the job before it says that the job is over.
    let words = tokio::time::timeout(std::time::Duration::from_secs(1), lifeline.broken());
    words.await.unwrap_or(fault)
}

async fn phases(
    platform: &Arc<Platform>,
    job: JobId,
    session: &mut Session,
    lifeline: &Lifeline,
    is_finished: bool,
) -> Result<(), Fault> {
    let name = job.to_string();
    let message: Option<v1::PeerProposal> = platform.store.get(PROPOSALS, &name)?;
    let message = message.ok_or_else(|| Fault::new(Reason::NotFound, "the proposal is gone"))?;
    let proposal = Proposal::from_wire(&message)?;
    let heard = match platform.state(&name) {
        JobState::Proposed => lifeline.approved().await?,
        _ => lifeline.approval(),
    };
    let approval = consent::accept(platform, session, &name, &heard)?;
    if platform.state(&name) == JobState::Proposed {
        let approved = "Approved by the social platform.";
        platform.record(event(
            &proposal,
            JobState::Approved,
            Phase::Consent,
            approved,
        ))?;
    }
    let request = platform.request(&name)?;
    let ratings = imports::load_proposed(platform, &proposal).await?;
    let users = ratings.users.len();
    let (ratings, plan) = blocking(move || {
        let plan = plan(&ratings, &request);
        (ratings, plan)
    })
    .await?;
    let plan = Arc::new(plan?);
    let mut ledger = Ledger::new(platform, job, session.peer.clone(), &approval)?;

    let (ratings, trainee) = match resume::load(platform, job).await? {
        Some((agreed, progress)) => {
            let disclosed: Option<v1::Disclosure> = platform.store.get(DISCLOSURES, &name)?;
            ledger.overlap = disclosed.and_then(|disclosed| disclosed.overlap);
            let is_agreed = progress.is_agreed();
            let kept = progress.restore(&mut ledger)?;
            ledger.parameters = Some(agreed.parameters.clone());
            let common = agreed.common.clone();
            let begun = Trainee::begin(&plan, &agreed.parameters, common, users, Some(kept));
            let mut trainee = begun.await?;
            if !is_finished && !is_agreed {
                let mut product = Product::reopen(platform, job, &agreed).await?;
                let opening = trainee.opening();
                product.meet(platform, session, opening, &ledger).await?;
                trainee = rounds(platform, session, &plan, product, trainee, &mut ledger).await?;
            }
            (ratings, trainee)
        }
        None => {
            begin_again(platform, &ledger).await?;
            let (ratings, product, trainee) =
                prepare(platform, session, &plan, ratings, &mut ledger).await?;
            let ran = rounds(platform, session, &plan, product, trainee, &mut ledger);
            (ratings, ran.await?)
        }
    };
    platform.record(v1::JobEvent {
        waiting_for: v1::Role::Unspecified.into(),
        ..event(
            &ledger.proposal,
            JobState::Running,
            Phase::Evaluation,
            "Measuring and storing the model.",
        )
    })?;
    outcome::finish(platform, session, &plan, ratings, trainee, &ledger).await?;
    // The model stands, whether the last heads are signed or not.
    if let Err(fault) = meetings::meet(platform, session, &name, Phase::Evaluation).await {
        tracing::warn!("the audit logs did not meet after the job: {fault}");
    }
    Ok(())
}

/// A job without anything to go on from begins, or begins again; never after an opening.
async fn begin_again(platform: &Arc<Platform>, ledger: &Ledger) -> Result<(), Fault> {
    let name = ledger.job.to_string();
    let disclosed: Option<v1::Disclosure> = platform.store.get(DISCLOSURES, &name)?;
    let openings = disclosed.map_or(0, |disclosed| disclosed.openings);
    if openings > 0 {
        let message = match ledger.proposal.protocol.is_preprocessed() {
            true => format!("what the job goes on from after {openings} openings is gone"),
            false => format!(
                "the job was interrupted after {openings} openings, and rounds of {} are not \
                 taken up again: each would count as another opening",
                ledger.proposal.protocol.name()
            ),
        };
        return Err(Fault::new(Reason::StateLost, message));
    }
    let at = Arc::clone(platform);
    Ok(blocking(move || at.stocks.discard(&name)).await??)
}

/// Everything before the first round.
async fn prepare(
    platform: &Arc<Platform>,
    session: &mut Session,
    plan: &Arc<Plan>,
    ratings: RatingSet,
    ledger: &mut Ledger,
) -> Result<(RatingSet, Product, Trainee), Fault> {
    let job = ledger.job;
    let told = |phase, message: &str, ledger: &Ledger| {
        let event = event(&ledger.proposal, JobState::Running, phase, message);
        platform.record(event)
    };
    told(Phase::Alignment, "Finding the common users.", ledger)?;
    let name = job.to_string();
    meetings::meet(platform, session, &name, Phase::Consent).await?;
    let users = ratings.users.len();
    let aligned = align::align(platform, session, job, ratings, ledger);
    let (ratings, common) = aligned.instrument(info_span!("align")).await?;
    meetings::meet(platform, session, &name, Phase::Alignment).await?;
    told(Phase::Setup, "Agreeing on parameters.", ledger)?;
    let agreed = setup::agree(
        platform,
        session,
        &ledger.proposal,
        &ledger.bounds,
        &common,
        &ledger.offline,
    );
    let setup = agreed.instrument(info_span!("setup")).await?;
    ledger.parameters = Some(setup.parameters.clone());
    meetings::meet(platform, session, &name, Phase::Setup).await?;
    let mut product = Product::prepare(platform, session, &setup, ledger).await?;
    ledger.stocks += 1;
    let agreed = resume::Agreed::of(&setup, &common.rows);
    let begun = Trainee::begin(plan, &setup.parameters, common.rows, users, None);
    let trainee = begun.await?;
    if product.can_go_on() {
        // From here on nothing is begun again: the stock goes with this training.
        resume::keep_agreed(platform, job, agreed).await?;
        let progress = resume::Progress::of(ledger, trainee.state(), false);
        resume::keep_progress(platform, job, progress).await?;
    }
    let opening = trainee.opening();
    product.meet(platform, session, opening, ledger).await?;
    ledger.end_offline();
    meetings::meet(platform, session, &name, Phase::Offline).await?;
    Ok((ratings, product, trainee))
}

/// The rounds, and both sides' word on how many there were.
async fn rounds(
    platform: &Arc<Platform>,
    session: &mut Session,
    plan: &Arc<Plan>,
    mut product: Product,
    trainee: Trainee,
    ledger: &mut Ledger,
) -> Result<Trainee, Fault> {
    let trained = training::train(platform, session, plan, &mut product, trainee, ledger).await?;
    meetings::meet(platform, session, &ledger.job.to_string(), Phase::Online).await?;
    let (openings, meter) = (ledger.openings, ledger.offline.clone());
    product.close(platform, session, openings, &meter).await?;
    Ok(trained)
}

fn event(proposal: &Proposal, state: JobState, phase: Phase, message: &str) -> v1::JobEvent {
    v1::JobEvent {
        job_id: proposal.job.to_string(),
        state: state.into(),
        phase: phase.into(),
        rounds: proposal.rounds,
        waiting_for: v1::Role::Social.into(),
        message: message.into(),
        ..v1::JobEvent::default()
    }
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
    tracing::warn!(%job, reason = fault.reason.name(), "{}: {message}", state.as_str_name());
    let last = platform.journal.last(&name).unwrap_or_default();
    let ended = platform.end(v1::JobEvent {
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
