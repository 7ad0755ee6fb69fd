//! The running job as stages: each holds what is known by then, and a call takes one and leaves
//! the next. A call out of order finds no stage that it could take.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use s3rec_link::pacing::AnswerTimes;
use s3rec_link::{Count, Meter};
use s3rec_node::alignment::Common;
use s3rec_sparse::SocialOperator;
use s3rec_spmm::he::SocialKeys;
use s3rec_spmm::preprocessed::SocialStock;
use s3rec_spmm::{ProductParameters, PublicPattern, SocialOperand};
use s3rec_wire::convert::{JobId, Proposal};
use s3rec_wire::status::{Fault, Reason};
use tokio::sync::watch;

use crate::stock::Progress;

/// What is known of the running job.
pub(crate) enum Stage {
    /// P1's operator consented.
    Approved,
    /// The common users, as indices of P1's ids.
    Aligned(Common),
    /// Y over the common users, and the halves of the seed of A_pk.
    Bounded(Box<Bounded>),
    /// The parameters that both sides agreed on.
    Agreed(Box<Agreed>),
    /// P0's public key: rounds of `he` can be answered.
    Keyed(Arc<Keyed>),
    /// `preprocessed`: a stock whose blocks are being made.
    Stocking(Box<Stocked>),
    /// All blocks are made; the platforms have not met over the stock yet.
    Sealed(Box<Stocked>),
    /// Rounds use the stock's columns.
    Stocked(Box<Stocked>),
    /// The stock is at rest: only Finish is due.
    Closed,
}

pub(crate) struct Bounded {
    pub(crate) operator: Arc<SocialOperator>,
    pub(crate) pattern: PublicPattern,
    pub(crate) users_digest: [u8; 32],
    pub(crate) rating_half: [u8; 32],
    pub(crate) social_half: [u8; 32],
}

pub(crate) struct Agreed {
    pub(crate) parameters: ProductParameters,
    pub(crate) parameters_digest: [u8; 32],
    pub(crate) operand: Arc<SocialOperand>,
    pub(crate) pattern: PublicPattern,
    pub(crate) users_digest: [u8; 32],
    pub(crate) rating_half: [u8; 32],
    pub(crate) social_half: [u8; 32],
    pub(crate) answer_times: AnswerTimes,
}

pub(crate) struct Keyed {
    pub(crate) parameters_digest: [u8; 32],
    pub(crate) keys: Arc<SocialKeys>,
    pub(crate) operand: Arc<SocialOperand>,
    pub(crate) answer_times: AnswerTimes,
}

/// P1's half of a stock, and how far it is.
pub(crate) struct Stocked {
    pub(crate) parameters_digest: [u8; 32],
    pub(crate) stock: SocialStock,
    pub(crate) blocks_made: u32,
    pub(crate) answer_times: AnswerTimes,
    pub(crate) progress: Progress,
}

/// The one running job and what is counted of it.
pub(crate) struct Running {
    pub(crate) job: JobId,
    pub(crate) proposal: Proposal,
    pub(crate) peer: String,
    pub(crate) offline: Phase,
    pub(crate) online: Phase,
    /// Openings that P1 has answered or is answering, by its own count.
    pub(crate) openings: u32,
    pub(crate) common_users: u32,
    pub(crate) parameters: Option<ProductParameters>,
    /// `None` while a call works on it.
    stage: Option<Stage>,
    cancel: watch::Sender<bool>,
}

/// Bytes and time of the phases before, or of the rounds.
#[derive(Default)]
pub(crate) struct Phase {
    pub(crate) meter: Meter,
    began: Option<Instant>,
    ended: Option<Instant>,
}

impl Phase {
    pub(crate) fn begin(&mut self) {
        self.began.get_or_insert_with(Instant::now);
    }

    pub(crate) fn touch(&mut self) {
        self.ended = Some(Instant::now());
    }

    pub(crate) fn seconds(&self) -> f64 {
        match (self.began, self.ended) {
            (Some(began), Some(ended)) => ended.duration_since(began).as_secs_f64(),
            _ => 0.0,
        }
    }

    pub(crate) fn count(&self) -> Count {
        self.meter.count()
    }
}

/// What a call works with: a stage, the counter, and the sign to stop.
pub(crate) struct Taken {
    pub(crate) stage: Stage,
    pub(crate) proposal: Proposal,
    pub(crate) meter: Meter,
    pub(crate) cancelled: watch::Receiver<bool>,
}

/// The place of the running job.
#[derive(Default)]
pub(crate) struct Slot {
    running: Mutex<Option<Running>>,
    /// The newest lifeline of each job: only its loss counts.
    lifelines: Mutex<HashMap<JobId, u64>>,
}

impl Slot {
    /// A lifeline of the job was opened; gives its number.
    pub(crate) fn attach(&self, job: JobId) -> u64 {
        let mut lifelines = self
            .lifelines
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let newest = lifelines.entry(job).or_default();
        *newest += 1;
        *newest
    }

    /// A lifeline was lost; true when it was the newest of its job.
    pub(crate) fn detach(&self, job: JobId, number: u64) -> bool {
        let mut lifelines = self
            .lifelines
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        lifelines.get(&job) == Some(&number) && lifelines.remove(&job).is_some()
    }

    fn is_attached(&self, job: JobId) -> bool {
        let lifelines = self
            .lifelines
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        lifelines.contains_key(&job)
    }

    /// Takes the place for a job.
    pub(crate) fn begin(&self, proposal: Proposal, peer: String) -> Result<(), Fault> {
        if !self.is_attached(proposal.job) {
            let message = "a job runs only while its WatchDecision call is open";
            return Err(Fault::new(Reason::OutOfOrder, message).at("job", proposal.job));
        }
        let mut slot = self.lock();
        if let Some(running) = &*slot {
            let message = if running.job == proposal.job {
                "this job runs already"
            } else {
                "another job of the two platforms is running"
            };
            return Err(Fault::new(Reason::Busy, message).at("running_job", running.job));
        }
        let mut offline = Phase::default();
        offline.begin();
        *slot = Some(Running {
            job: proposal.job,
            proposal,
            peer,
            offline,
            online: Phase::default(),
            openings: 0,
            common_users: 0,
            parameters: None,
            stage: Some(Stage::Approved),
            cancel: watch::channel(false).0,
        });
        Ok(())
    }

    /// Takes the stage for one call of the job.
    pub(crate) fn take(&self, job: JobId, online: bool) -> Result<Taken, Fault> {
        self.with(job, |running| {
            let stage = running.stage.take().ok_or_else(|| {
                Fault::new(Reason::OutOfOrder, "another call of this job is under way")
            })?;
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
            })
        })?
    }

    /// Leaves the next stage; fails when the job has ended meanwhile.
    pub(crate) fn leave(&self, job: JobId, stage: Stage) -> Result<(), Fault> {
        self.with(job, |running| {
            match &stage {
                Stage::Aligned(common) => {
                    running.common_users = u32::try_from(common.rows.len()).unwrap_or(u32::MAX);
                }
                Stage::Agreed(agreed) => running.parameters = Some(agreed.parameters.clone()),
                _ => {}
            }
            if running.openings == 0 {
                running.offline.touch();
            } else {
                running.online.touch();
            }
            running.stage = Some(stage);
        })
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
