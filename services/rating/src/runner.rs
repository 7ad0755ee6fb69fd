//! A job from its approval to its end: the phases in their order, and a terminal state always.

use std::sync::Arc;

use s3rec_data::RatingSet;
use s3rec_job::rating::{RatingDone, RatingJob};
use s3rec_job::{JobDisclosure, JobEvent, JobId, JobState, Party, Phase, Proposal};
use s3rec_node::traces::join_trace;
use s3rec_spmm::ReleasePolicy;
use s3rec_wire::status::{Fault, Reason};
use tokio::sync::watch;
use tracing::{Instrument, info_span};

use crate::absence::{self, Absence, Over};
use crate::connection::{Lifeline, PeerConnection};
use crate::drive::{self, Checkpoint, Driver, Inputs};
use crate::factors::OwnRows;
use crate::imports::blocking;
use crate::ledger::Ledger;
use crate::plan::{Plan, plan};
use crate::platform::{Ask, Place, Platform};
use crate::tables::{DISCLOSURES, PROPOSALS};
use crate::{consent, ending, factors, friends_outcome, head_exchange, outcome};

/// A job that holds the running job's place.
pub(crate) struct Begun {
    pub(crate) platform: Arc<Platform>,
    pub(crate) job: JobId,
    pub(crate) place: Place,
    /// The connection and lifeline of the first attempt, where they stand already.
    pub(crate) connected: Option<(PeerConnection, Lifeline)>,
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
            let mut over = Over::Nothing;
            let mut attempt = Box::pin(attempt(&platform, job, connected.take(), &mut over));
            let ran = tokio::select! {
                // In this order: a person's request says more than the broken call that it causes.
                biased;
                end = asked_to_end(&mut asked) => {
                    // While the lifeline stands, or P1 would hear of a loss first.
                    if let Some(fault) = &end {
                        notify_peer(&platform, job, &fault.message).await;
                    }
                    Err(end)
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
            match absence.after(&platform, &name, fault, over) {
                Err(fault) => break Some(fault),
                Ok(wait) => {
                    let waited = tokio::select! {
                        biased;
                        end = asked_to_end(&mut asked) => end,
                        () = tokio::time::sleep(wait) => continue,
                    };
                    match waited {
                        Some(fault) => {
                            notify_peer(&platform, job, &fault.message).await;
                            break Some(fault);
                        }
                        None => return,
                    }
                }
            }
        };
        if let Some(fault) = ended {
            tracing::Span::current().record("reason", fault.reason.name());
            ending::end(&platform, job, &fault);
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
pub(crate) async fn notify_peer(platform: &Platform, job: JobId, reason: &str) {
    let notified = async {
        if let Ok(mut connection) = PeerConnection::open(platform).await {
            connection.abort(job, reason).await;
        }
    };
    let _ = tokio::time::timeout(LAST_NOTICE_TAKES, notified).await;
}

/// Longest time for telling P1 that a job is over.
const LAST_NOTICE_TAKES: std::time::Duration = std::time::Duration::from_secs(4);

/// One connection's worth of the job.
async fn attempt(
    platform: &Arc<Platform>,
    job: JobId,
    connected: Option<(PeerConnection, Lifeline)>,
    over: &mut Over,
) -> Result<(), Fault> {
    let (mut connection, lifeline) = match connected {
        Some(connected) => connected,
        None => {
            let mut connection = PeerConnection::open(platform).await?;
            let lifeline = connection.lifeline(job).await?;
            (connection, lifeline)
        }
    };
    *over = Over::Connection;
    // A P1 that has finished waits for nothing more, and ends nothing.
    let is_finished = lifeline.first().await? == JobState::Finished;
    tokio::select! {
        // In this order: P1's notice says more than the broken call that it causes.
        biased;
        ran = phases(platform, job, &mut connection, &lifeline, is_finished) => match ran {
            Err(fault) => {
                let fault = prefer_notice(fault, &lifeline).await;
                let is_theirs = matches!(
                    fault.reason,
                    Reason::PeerAborted | Reason::Rejected | Reason::Cancelled
                );
                // While the lifeline stands, or P1 would hear of a loss first.
                if !is_theirs && !absence::can_pass(platform, &job.to_string(), &fault, Over::Connection)? {
                    connection.abort(job, &fault.clone().outward().message).await;
                }
                Err(fault)
            }
            done => done,
        },
        fault = lifeline.broken() => Err(fault),
    }
}

/// When a call broke because P1 ended the job, P1's reason is on its way through the lifeline.
async fn prefer_notice(fault: Fault, lifeline: &Lifeline) -> Fault {
    let is_symptom = matches!(
        fault.reason,
        Reason::PeerVanished | Reason::Cancelled | Reason::OutOfOrder | Reason::Superseded
    );
    if !is_symptom {
        return fault;
    }
    // P1 erases what it kept of the job before it says that the job is over.
    let notice = tokio::time::timeout(std::time::Duration::from_secs(1), lifeline.broken());
    notice.await.unwrap_or(fault)
}

async fn phases(
    platform: &Arc<Platform>,
    job: JobId,
    connection: &mut PeerConnection,
    lifeline: &Lifeline,
    is_finished: bool,
) -> Result<(), Fault> {
    let name = job.to_string();
    let proposal: Option<Proposal> = platform.store.get(PROPOSALS, &name)?;
    let proposal = proposal.ok_or_else(|| Fault::new(Reason::NotFound, "the proposal is gone"))?;
    let heard = match platform.state(&name) {
        JobState::Proposed => lifeline.approved().await?,
        _ => lifeline.approval(),
    };
    let approval = consent::accept(platform, connection, &name, &heard)?;
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
    let ratings = load_proposed(platform, &proposal).await?;
    let own = factors::load(&platform.factors, &proposal).await?;
    let (ratings, plan) = blocking(move || {
        let plan = plan(&ratings, &request).map(|plan| Plan {
            own: own.map(|own| OwnRows::of(own, &ratings)),
            ..plan
        });
        (ratings, plan)
    })
    .await?;
    let plan = Arc::new(plan?);
    let mut ledger = Ledger::new(platform, job, connection.peer.clone(), &approval)?;
    let disclosed: Option<JobDisclosure> = platform.store.get(DISCLOSURES, &name)?;
    let disclosed = disclosed.unwrap_or_default();
    ledger.overlap = disclosed.overlap;
    let release = match proposal.release {
        ReleasePolicy::Friends(release) => Some(release),
        _ => None,
    };
    let inputs = Inputs {
        release,
        plan: Arc::clone(&plan),
        users: ratings.users.len(),
        stocks: Arc::clone(&platform.stocks),
        name: name.clone(),
        memory_bytes: platform.limits.memory_bytes,
        workers: platform.workers.clone(),
    };
    let mut driver = Driver::new(platform, connection, ledger, ratings);
    let checkpoint = driver.load().await?;
    let taken_up = move || {
        let seen = disclosed.openings;
        let inputs = Arc::new(inputs);
        let checkpoint = match checkpoint {
            Some(Checkpoint::Friends(checkpoint)) => {
                return RatingJob::take_up_friends(inputs, &proposal, checkpoint, is_finished);
            }
            Some(Checkpoint::Training(checkpoint)) => Some(*checkpoint),
            None => None,
        };
        RatingJob::take_up(inputs, &proposal, checkpoint, seen, is_finished)
    };
    let begun = drive::compute(taken_up).await?;
    let done = driver.run(begun).await?;
    let Driver {
        ledger, ratings, ..
    } = driver;
    let ratings = ratings.ok_or_else(|| Fault::new(Reason::Bug, "the ratings are gone"))?;
    match (done, release) {
        (RatingDone::Trained(training), _) => {
            outcome::finish(platform, &plan, ratings, *training, &ledger).await?;
        }
        (RatingDone::Friends(opened), Some(release)) => {
            let finish =
                friends_outcome::finish(platform, &plan, ratings, *opened, &ledger, release);
            finish.await?;
        }
        (RatingDone::Friends(_), None) => {
            let message = "friends' sums came of a job that has none";
            return Err(Fault::new(Reason::Bug, message));
        }
    }
    // The model stands, whether the last heads are signed or not.
    if let Err(fault) = head_exchange::sign(platform, connection, &name, Phase::Evaluation).await {
        tracing::warn!("the audit logs did not meet after the job: {fault}");
    }
    Ok(())
}

fn event(proposal: &Proposal, state: JobState, phase: Phase, message: &str) -> JobEvent {
    JobEvent {
        job: proposal.job.to_string(),
        state,
        phase: Some(phase),
        rounds: proposal.rounds,
        waiting_for: Some(Party::Social),
        message: message.into(),
        ..JobEvent::default()
    }
}

/// Reads the ratings of a job that P1 has consented to: those that the proposal commits to.
async fn load_proposed(platform: &Platform, proposal: &Proposal) -> Result<RatingSet, Fault> {
    let job = proposal.job.to_string();
    let version = platform.datasets.version_for(&job)?;
    if version.commitment != proposal.terms.rating_commitment {
        let message =
            format!("the ratings of the job {job} are not those that it was proposed with");
        return Err(Fault::new(Reason::StateLost, message).at("job", job));
    }
    platform.datasets.load(&job).await
}
