//! The place of the running job: a call takes the job in its stage and leaves it in the next.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use s3rec_audit::Head;
use s3rec_job::report::PhaseCost;
use s3rec_job::social::SocialJob;
use s3rec_job::{
    Account, AgreedParameters, JobCost, JobError, JobId, OpenedDay, Overlap, Party, Proposal, Shown,
};
use s3rec_link::pacing::AnswerTimes;
use s3rec_link::{Count, Meter};
use s3rec_node::audit::Audit;
use s3rec_node::journal::Journal;
use s3rec_node::observe;
use s3rec_node::stock_progress::StockProgress;
use s3rec_sparse::PublicBounds;
use s3rec_wire::status::{Fault, Reason};
use tokio::sync::watch;

/// What a running job knows of the openings of its lineage.
#[derive(Clone)]
pub(crate) struct Opened {
    /// The data set it uses, and that one's lineage.
    pub(crate) dataset: String,
    pub(crate) lineage: Vec<u8>,
    /// What was stated of the links when it was approved.
    pub(crate) bounds: PublicBounds,
    /// Pin of P0's certificate then.
    pub(crate) peer_pin: Vec<u8>,
    /// All other jobs on this lineage.
    pub(crate) before: Account,
    /// This job's openings, uploads answered, what left beside the openings, and its openings by
    /// day, as they are stored; of the openings the stock's own count where that is ahead.
    pub(crate) openings: u32,
    pub(crate) stocks: u32,
    pub(crate) shown: Shown,
    pub(crate) days: Vec<OpenedDay>,
}

/// The one running job and what is counted of it.
pub(crate) struct Running {
    pub(crate) job: JobId,
    pub(crate) proposal: Proposal,
    pub(crate) peer: String,
    pub(crate) offline: PhaseMeter,
    pub(crate) online: PhaseMeter,
    /// Openings that P1 has answered or is answering, by its own count.
    pub(crate) openings: u32,
    pub(crate) common_users: u32,
    /// Sizes of both sides, once the common users are known.
    pub(crate) overlap: Option<Overlap>,
    pub(crate) parameters: Option<AgreedParameters>,
    /// What was opened before, on which days, and until when it may be.
    pub(crate) opened: Opened,
    /// While a stock is made.
    pub(crate) stock: Option<StockProgress>,
    /// Of the queries that were sent, under the protocols that fetch privately.
    pub(crate) queried_bytes: u64,
    /// Public times of the answers, once the parameters are agreed on.
    pub(crate) answer_times: AnswerTimes,
    /// Public time of what the call under way computes of the links; zero where it computes nothing.
    pub(crate) computing: Duration,
    /// Until when a computation of a connection that was given up may still go on.
    rests_until: Option<Instant>,
    /// `None` while a call works on it.
    stage: Option<SocialJob>,
    /// Our audit log's head when the latest call began.
    head: Option<Head>,
    cancel: watch::Sender<bool>,
    /// Counts the connections of P0: what a call of an older one leaves is dropped.
    epoch: u64,
}

/// A job that P0 was found to be away from.
pub(crate) struct Suspended {
    pub(crate) epoch: u64,
    pub(crate) openings: u32,
    /// Whether there is anything that it could come back to.
    pub(crate) can_go_on: bool,
}

/// Bytes and time of the phases before, or of the rounds.
pub(crate) struct PhaseMeter {
    pub(crate) meter: Meter,
    began: Option<Instant>,
    ended: Option<Instant>,
    /// Before this daemon's start.
    earlier_seconds: f64,
}

impl PhaseMeter {
    fn of(phase: observe::MeteredPhase) -> Self {
        Self {
            meter: observe::meter(phase),
            began: None,
            ended: None,
            earlier_seconds: 0.0,
        }
    }

    pub(crate) fn begin(&mut self) {
        self.began.get_or_insert_with(Instant::now);
    }

    pub(crate) fn touch(&mut self) {
        self.ended = Some(Instant::now());
    }

    pub(crate) fn seconds(&self) -> f64 {
        let here = match (self.began, self.ended) {
            (Some(began), Some(ended)) => ended.duration_since(began).as_secs_f64(),
            _ => 0.0,
        };
        self.earlier_seconds + here
    }

    /// Goes on from what was counted before this daemon's start.
    fn after(phase: observe::MeteredPhase, cost: &PhaseCost) -> Self {
        Self {
            meter: observe::meter(phase).starting_at(Count {
                sent_bytes: cost.bytes_to_rating,
                received_bytes: cost.bytes_to_social,
                messages: cost.messages,
            }),
            earlier_seconds: cost.seconds,
            ..Self::of(phase)
        }
    }

    pub(crate) fn count(&self) -> Count {
        self.meter.count()
    }
}

/// What a call works with: a stage, the counter, and the sign to stop.
pub(crate) struct Taken {
    pub(crate) stage: SocialJob,
    pub(crate) proposal: Proposal,
    pub(crate) meter: Meter,
    pub(crate) cancelled: watch::Receiver<bool>,
    /// To be given back when the next stage is left.
    pub(crate) epoch: u64,
}

impl Running {
    fn new(proposal: Proposal, peer: String, opened: Opened, stage: SocialJob) -> Self {
        Self {
            job: proposal.job,
            proposal,
            peer,
            opened,
            offline: PhaseMeter::of(observe::MeteredPhase::Offline),
            online: PhaseMeter::of(observe::MeteredPhase::Online),
            openings: 0,
            common_users: 0,
            overlap: None,
            parameters: None,
            stock: None,
            queried_bytes: 0,
            answer_times: AnswerTimes::default(),
            computing: Duration::ZERO,
            rests_until: None,
            stage: Some(stage),
            head: None,
            cancel: watch::channel(false).0,
            epoch: 0,
        }
    }

    fn is_away(&self) -> bool {
        self.stage.as_ref().is_some_and(SocialJob::is_away)
    }

    /// How long nothing more is begun, so that what a connection that was given up left behind is
    /// over: computations that pile up would miss their public times, by what follows the links.
    pub(crate) fn rest(&self) -> Duration {
        let now = Instant::now();
        self.rests_until
            .map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// Whether P0's connection is still the one of that number.
    pub(crate) fn is_of(&self, epoch: u64) -> bool {
        self.epoch == epoch
    }
}

fn lost_state(error: JobError) -> Fault {
    Fault::new(Reason::StateLost, error.to_string())
}

/// What a call of a connection that was given up ends with.
pub(crate) fn superseded() -> Fault {
    let message = "the rating platform has given up the connection of this call";
    Fault::new(Reason::Superseded, message)
}

/// By job; no number is given twice, so that the loss of an old one is never taken for a newer
/// one's.
#[derive(Default)]
struct Lifelines {
    given: u64,
    newest: HashMap<JobId, u64>,
}

/// The place of the running job.
pub(crate) struct Slot {
    /// Told who is waited for: P0 between its calls, nobody during one.
    journal: Journal,
    audit: Audit,
    running: Mutex<Option<Running>>,
    /// The newest lifeline of each job: only its loss counts.
    lifelines: Mutex<Lifelines>,
}

impl Slot {
    pub(crate) fn new(journal: Journal, audit: Audit) -> Self {
        Self {
            journal,
            audit,
            running: Mutex::default(),
            lifelines: Mutex::default(),
        }
    }

    /// A lifeline of the job was opened; gives its number.
    pub(crate) fn attach(&self, job: JobId) -> u64 {
        let mut lifelines = self.lifelines();
        lifelines.given += 1;
        let number = lifelines.given;
        lifelines.newest.insert(job, number);
        number
    }

    /// A lifeline was lost; true when it was the newest of its job.
    pub(crate) fn detach(&self, job: JobId, number: u64) -> bool {
        let newest = &mut self.lifelines().newest;
        newest.get(&job) == Some(&number) && newest.remove(&job).is_some()
    }

    fn is_attached(&self, job: JobId) -> bool {
        self.lifelines().newest.contains_key(&job)
    }

    fn lifelines(&self) -> MutexGuard<'_, Lifelines> {
        let lifelines = self.lifelines.lock();
        lifelines.unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the place for a job, from the openings that were counted of it, here or before: who
    /// has opened something does not begin again.
    pub(crate) fn begin(
        &self,
        proposal: Proposal,
        peer: String,
        opened: Opened,
    ) -> Result<(), Fault> {
        if !self.is_attached(proposal.job) {
            let message = "a job runs only while its WatchDecision call is open";
            return Err(Fault::new(Reason::OutOfOrder, message).at("job", proposal.job));
        }
        let mut slot = self.lock();
        if let Some(running) = slot.as_mut().filter(|running| running.job == proposal.job)
            && running.is_away()
        {
            let openings = running.openings.max(opened.openings);
            let begun = SocialJob::begin_again(openings).map_err(lost_state)?;
            running.peer = peer;
            running.opened = opened;
            running.stage = Some(begun);
            running.offline.begin();
            return Ok(());
        }
        if let Some(running) = &*slot {
            let message = if running.job == proposal.job {
                "this job runs already"
            } else {
                "another job of the two platforms is running"
            };
            return Err(Fault::new(Reason::Busy, message).at("running_job", running.job));
        }
        let begun = SocialJob::begin_again(opened.openings).map_err(lost_state)?;
        let mut running = Running::new(proposal, peer, opened, begun);
        running.offline.begin();
        *slot = Some(running);
        Ok(())
    }

    /// Takes the place for a job that ran before this daemon's start, with what was counted then;
    /// false where another one has it.
    #[must_use]
    pub(crate) fn take_up(
        &self,
        proposal: Proposal,
        peer: String,
        opened: Opened,
        counts: JobCost,
    ) -> bool {
        let mut slot = self.lock();
        if slot.is_some() {
            return false;
        }
        *slot = Some(Running {
            openings: opened.openings,
            common_users: counts.common_users,
            offline: PhaseMeter::after(observe::MeteredPhase::Offline, &counts.offline),
            online: PhaseMeter::after(observe::MeteredPhase::Online, &counts.online),
            ..Running::new(proposal, peer, opened, SocialJob::Approved)
        });
        true
    }

    /// P0 is away from its running job: calls under way are stopped, and what they leave is
    /// dropped. `None` when the job does not run or waits for P0 already.
    pub(crate) fn suspend(&self, job: JobId) -> Option<Suspended> {
        let mut slot = self.lock();
        let running = slot.as_mut().filter(|running| running.job == job)?;
        if running.is_away() {
            return None;
        }
        running.cancel.send_replace(true);
        running.cancel = watch::channel(false).0;
        let computing = std::mem::take(&mut running.computing);
        if running.stage.is_none() && !computing.is_zero() {
            running.rests_until = Some(Instant::now() + computing);
        }
        running.stage = Some(SocialJob::Away);
        running.epoch += 1;
        Some(Suspended {
            epoch: running.epoch,
            openings: running.openings,
            can_go_on: running.proposal.can_resume_after(running.openings),
        })
    }

    /// Whether P0 has been away from its job since that time.
    pub(crate) fn is_away(&self, job: JobId, epoch: u64) -> bool {
        let away = |running: &mut Running| running.epoch == epoch && running.is_away();
        self.with(job, away).unwrap_or(false)
    }

    /// Whether P0 is away from its job, so that only the calls that take it up again are due.
    pub(crate) fn refuse_while_away(&self, job: JobId) -> Result<(), Fault> {
        match self.with(job, |running| running.is_away())? {
            true => Err(superseded().at("job", job)),
            false => Ok(()),
        }
    }

    /// Whether calls of that time are still those of the running job.
    pub(crate) fn is_current(&self, job: JobId, epoch: u64) -> bool {
        self.with(job, |running| running.epoch == epoch)
            .unwrap_or(false)
    }

    /// Takes the stage for one call of the job.
    pub(crate) fn take(&self, job: JobId, online: bool) -> Result<Taken, Fault> {
        self.journal.awaits(&job.to_string(), None);
        let head = self.audit.head()?;
        self.with(job, |running| {
            let stage = running.stage.take().ok_or_else(|| {
                Fault::new(Reason::OutOfOrder, "another call of this job is under way")
            })?;
            running.head = Some(head);
            let phase = if online {
                running.online.begin();
                &running.online
            } else {
                &running.offline
            };
            Ok(Taken {
                stage,
                proposal: running.proposal.clone(),
                meter: phase.meter.clone(),
                cancelled: running.cancel.subscribe(),
                epoch: running.epoch,
            })
        })?
    }

    /// Leaves the next stage; fails when the job has ended meanwhile, or P0 has given up the
    /// connection that the stage was taken over.
    pub(crate) fn leave(&self, job: JobId, epoch: u64, stage: SocialJob) -> Result<(), Fault> {
        self.with(job, |running| {
            if running.epoch != epoch {
                return Err(superseded());
            }
            if let SocialJob::Aligned(common) = &stage {
                running.common_users = u32::try_from(common.rows.len()).unwrap_or(u32::MAX);
            }
            if running.openings == 0 {
                running.offline.touch();
            } else {
                running.online.touch();
            }
            running.computing = Duration::ZERO;
            running.stage = Some(stage);
            Ok(())
        })??;
        self.journal.awaits(&job.to_string(), Some(Party::Rating));
        Ok(())
    }

    /// The head of our audit log for P0: while a call of the running job is under way that of its
    /// beginning, so that no entry's time tells how far the call is.
    pub(crate) fn head(&self) -> Result<Head, Fault> {
        let under_way = |running: &Running| match running.stage {
            None => running.head,
            Some(_) => None,
        };
        let frozen = self.lock().as_ref().and_then(under_way);
        frozen.map_or_else(|| self.audit.head(), Ok)
    }

    /// Looks at or changes the running job of that name.
    pub(crate) fn with<T>(
        &self,
        job: JobId,
        look: impl FnOnce(&mut Running) -> T,
    ) -> Result<T, Fault> {
        let mut slot = self.lock();
        match slot.as_mut().filter(|running| running.job == job) {
            Some(running) => Ok(look(running)),
            None => Err(Fault::new(Reason::OutOfOrder, "this job is not running").at("job", job)),
        }
    }

    /// Empties the place, when that job has it, and stops its calls.
    pub(crate) fn end(&self, job: &str) -> Option<Running> {
        let mut slot = self.lock();
        let running = slot.take_if(|running| running.job.to_string() == job)?;
        running.cancel.send_replace(true);
        Some(running)
    }

    /// Which job runs.
    pub(crate) fn running_job(&self) -> Option<JobId> {
        self.lock().as_ref().map(|running| running.job)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
