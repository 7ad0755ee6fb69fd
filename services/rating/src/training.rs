//! The rounds: local step, secure product, solver step, and word of each to whoever watches.

use std::sync::Arc;
use std::time::Instant;

use s3rec_link::Meter;
use s3rec_model::accuracy;
use s3rec_node::process::now_unix_ms;
use s3rec_spmm::ProductParameters;
use s3rec_train::{Advance, CommonUsers, JointTraining};
use s3rec_wire::convert::{JobId, Proposal, pattern_to_wire, release_to_wire};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::{JobState, Phase, TrainingProgress};

use crate::imports::blocking;
use crate::plan::Plan;
use crate::platform::{DISCLOSURES, Platform};
use crate::product::Product;
use crate::session::Session;
use crate::setup::Setup;

/// What P0 counts of a job.
pub(crate) struct Ledger {
    pub(crate) job: JobId,
    pub(crate) proposal: Proposal,
    pub(crate) peer: String,
    pub(crate) offline: Meter,
    pub(crate) online: Meter,
    pub(crate) parameters: Option<ProductParameters>,
    pub(crate) openings: u32,
    pub(crate) rounds: Vec<TrainingProgress>,
    began: Instant,
    offline_ended: Option<Instant>,
    online_seconds: f64,
}

impl Ledger {
    pub(crate) fn new(job: JobId, proposal: Proposal, peer: String) -> Self {
        Self {
            job,
            proposal,
            peer,
            offline: Meter::default(),
            online: Meter::default(),
            parameters: None,
            openings: 0,
            rounds: Vec::new(),
            began: Instant::now(),
            offline_ended: None,
            online_seconds: 0.0,
        }
    }

    /// Everything before the rounds is done.
    pub(crate) fn end_offline(&mut self) {
        self.offline_ended = Some(Instant::now());
    }

    fn touch_online(&mut self) {
        self.online_seconds = self
            .offline_ended
            .map_or(0.0, |at| at.elapsed().as_secs_f64());
    }

    pub(crate) fn offline_cost(&self) -> v1::Cost {
        let seconds = self
            .offline_ended
            .map_or_else(|| self.began.elapsed(), |ended| ended - self.began);
        cost(&self.offline, seconds.as_secs_f64())
    }

    pub(crate) fn online_cost(&self) -> v1::Cost {
        cost(&self.online, self.online_seconds)
    }

    /// What P0 was shown so far.
    pub(crate) fn disclosure(&self) -> v1::Disclosure {
        let columns = u64::from(self.openings) * u64::from(self.proposal.columns());
        let parameters = self.parameters.as_ref();
        let rows = parameters.map_or(0, |parameters| parameters.returned_rows);
        let bytes = |meter: &Meter| meter.count().sent_bytes + meter.count().received_bytes;
        v1::Disclosure {
            job_id: self.job.to_string(),
            peer: self.peer.clone(),
            openings: self.openings,
            opened_columns: columns,
            opened_values: columns * u64::from(rows),
            release_policy: Some(release_to_wire(&self.proposal.release)),
            pattern_policy: pattern_to_wire(self.proposal.pattern).into(),
            common_users: parameters.map_or(0, |parameters| parameters.users),
            bytes: bytes(&self.offline) + bytes(&self.online),
            statements: vec![
                "The social platform could have learnt: which users both platforms have (and any \
                 id it guessed), rank, rounds, their times, and when training stopped; nothing of \
                 the ratings or factors."
                    .into(),
            ],
            updated_unix_ms: now_unix_ms(),
        }
    }
}

fn cost(meter: &Meter, seconds: f64) -> v1::Cost {
    let count = meter.count();
    v1::Cost {
        seconds,
        bytes_to_social: count.sent_bytes,
        bytes_to_rating: count.received_bytes,
        messages: count.messages,
    }
}

/// Trains to the end and gives the training with its model.
#[expect(
    clippy::too_many_arguments,
    reason = "each phase hands over what it learnt"
)]
pub(crate) async fn train(
    platform: &Arc<Platform>,
    session: &Session,
    plan: &Arc<Plan>,
    setup: &Setup,
    product: &mut Product,
    common: Vec<u32>,
    users: usize,
    ledger: &mut Ledger,
) -> Result<JointTraining, Fault> {
    let bug = |error: s3rec_train::TrainError| Fault::new(Reason::Bug, error.to_string());
    let common = CommonUsers::new(common, users).map_err(bug)?;
    let parameters = &setup.parameters;
    let fixed = parameters
        .fixed_point()
        .map_err(|error| Fault::new(Reason::ParametersRefused, error.to_string()))?;
    let (weight_bits, bound) = (parameters.weight_bits(), parameters.row_norm_bound);
    let planned = Arc::clone(plan);
    let solver = blocking(move || planned.solver(bound)).await?;
    let solver = solver.map_err(|error| Fault::new(Reason::InvalidRequest, error.to_string()))?;
    let mut training = JointTraining::new(solver, common, fixed, weight_bits);
    loop {
        let advanced;
        (training, advanced) = blocking(move || {
            let advanced = training.advance();
            (training, advanced)
        })
        .await?;
        let opening = match advanced.map_err(diverged)? {
            Advance::Open(opening) => opening,
            Advance::Stepped(_) => continue,
            Advance::Finished => return Ok(training),
        };
        let round = ledger.openings + 1;
        tell_waiting(platform, ledger, round);
        let opened = product
            .multiply(platform, session, round, opening, &ledger.online)
            .await?;
        ledger.openings = round;
        ledger.touch_online();
        platform
            .store
            .put(DISCLOSURES, &ledger.job.to_string(), &ledger.disclosure())?;

        let planned = Arc::clone(plan);
        let progress;
        (training, progress) = blocking(move || {
            let progress = training.absorb(&opened).map(|step| TrainingProgress {
                loss: step.objective,
                held_out_rmse: accuracy(training.model(), &planned.held_out)
                    .map_or(0.0, |accuracy| accuracy.rmse),
                saturations: training.saturations(),
            });
            (training, progress)
        })
        .await?;
        ledger.touch_online();
        tell_round(platform, ledger, progress.map_err(diverged)?)?;
    }
}

fn diverged(error: s3rec_train::TrainError) -> Fault {
    Fault::new(Reason::ParametersRefused, error.to_string())
        .remedied_by("Lower the learning rate or the social weight and propose the job anew.")
}

fn event(ledger: &Ledger, round: u32, done: u32) -> v1::JobEvent {
    let rounds = ledger.proposal.rounds;
    let mean = ledger.online_seconds / f64::from(done.max(1));
    v1::JobEvent {
        job_id: ledger.job.to_string(),
        state: JobState::Running.into(),
        phase: Phase::Online.into(),
        round,
        rounds,
        phase_cost: Some(ledger.online_cost()),
        phase_progress: f64::from(done) / f64::from(rounds),
        remaining_seconds: mean * f64::from(rounds - done.min(rounds)),
        ..v1::JobEvent::default()
    }
}

fn tell_waiting(platform: &Platform, ledger: &Ledger, round: u32) {
    platform.journal.mention(v1::JobEvent {
        waiting_for: v1::Role::Social.into(),
        message: format!("Round {round}: waiting for the social platform's product."),
        ..event(ledger, round, round - 1)
    });
}

fn tell_round(
    platform: &Platform,
    ledger: &mut Ledger,
    progress: TrainingProgress,
) -> Result<(), Fault> {
    let round = ledger.openings;
    ledger.rounds.push(progress);
    platform.record(v1::JobEvent {
        training: Some(progress),
        message: format!("Round {round} of {} done.", ledger.proposal.rounds),
        ..event(ledger, round, round)
    })
}
