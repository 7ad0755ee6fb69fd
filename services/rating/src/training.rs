//! The rounds: local step, secure product, solver step, and word of each to whoever watches.

use std::sync::Arc;

use s3rec_algebra::RingMatrix;
use s3rec_audit::Kind;
use s3rec_job::{Advance, CommonUsers, JointTraining, TrainingState};
use s3rec_model::accuracy;
use s3rec_node::observe;
use s3rec_spmm::ProductParameters;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::{JobState, Phase, TrainingProgress};

use crate::imports::blocking;
use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::platform::{DISCLOSURES, Platform};
use crate::product::Product;
use crate::resume;
use crate::session::Session;

/// A training whose next opening is known, or that has had all of them.
pub(crate) struct Trainee {
    training: JointTraining,
    opening: Option<RingMatrix>,
}

impl Trainee {
    /// A training from its start, or from where it was kept, up to the opening that comes next.
    pub(crate) async fn begin(
        plan: &Arc<Plan>,
        parameters: &ProductParameters,
        common: Vec<u32>,
        users: usize,
        kept: Option<TrainingState>,
    ) -> Result<Self, Fault> {
        let bug = |error: s3rec_job::TrainError| Fault::new(Reason::Bug, error.to_string());
        let common = CommonUsers::new(common, users).map_err(bug)?;
        let fixed = parameters
            .fixed_point()
            .map_err(|error| Fault::new(Reason::ParametersRefused, error.to_string()))?;
        let (weight_bits, bound) = (parameters.weight_bits(), parameters.row_norm_bound);
        let plan = Arc::clone(plan);
        blocking(move || {
            let solver = plan.solver(bound);
            let solver =
                solver.map_err(|error| Fault::new(Reason::InvalidRequest, error.to_string()))?;
            let mut training = JointTraining::new(solver, common, fixed, weight_bits);
            if let Some(kept) = kept {
                training.resume(kept).map_err(other_state)?;
            }
            Self::advance(training)
        })
        .await?
    }

    /// Local steps up to the next opening.
    fn advance(mut training: JointTraining) -> Result<Self, Fault> {
        loop {
            let opening = match training.advance().map_err(diverged)? {
                Advance::Open(opening) => Some(opening),
                Advance::Stepped(_) => continue,
                Advance::Finished => None,
            };
            return Ok(Self { training, opening });
        }
    }

    /// What is opened next.
    pub(crate) fn opening(&self) -> Option<&RingMatrix> {
        self.opening.as_ref()
    }

    /// What the next opening and everything after it depend on.
    pub(crate) fn state(&self) -> TrainingState {
        self.training.state()
    }

    pub(crate) fn into_training(self) -> JointTraining {
        self.training
    }

    async fn absorb(
        self,
        opened: RingMatrix,
        plan: &Arc<Plan>,
    ) -> Result<(Self, TrainingProgress), Fault> {
        let (mut training, plan) = (self.training, Arc::clone(plan));
        blocking(move || {
            let step = training.absorb(&opened).map_err(diverged)?;
            let progress = TrainingProgress {
                loss: step.objective,
                held_out_rmse: accuracy(training.model(), &plan.held_out)
                    .map_or(0.0, |accuracy| accuracy.rmse),
                saturations: training.saturations(),
            };
            Ok((Self::advance(training)?, progress))
        })
        .await?
    }
}

/// Trains to the end. The training that an opening belongs to is on disk before the opening
/// leaves, where the product is one that can be gone on with.
pub(crate) async fn train(
    platform: &Arc<Platform>,
    session: &Session,
    plan: &Arc<Plan>,
    product: &mut Product,
    mut trainee: Trainee,
    ledger: &mut Ledger,
) -> Result<Trainee, Fault> {
    while let Some(opening) = trainee.opening.take() {
        let round = ledger.openings + 1;
        tell_waiting(platform, ledger, round);
        product.count(ledger.counters());
        let opened = product
            .multiply(platform, session, round, opening, &ledger.online)
            .await?;
        ledger.openings = round;
        observe::round_done();
        ledger.touch_online();
        note_opening(platform, ledger)?;
        platform
            .store
            .put(DISCLOSURES, &ledger.job.to_string(), &ledger.disclosure())?;
        let progress;
        (trainee, progress) = trainee.absorb(opened, plan).await?;
        ledger.touch_online();
        ledger.rounds.push(progress);
        if product.can_go_on() {
            let kept = resume::Progress::of(ledger, trainee.state(), false);
            resume::keep_progress(platform, ledger.job, kept).await?;
        }
        tell_round(platform, ledger, progress)?;
    }
    Ok(trainee)
}

fn other_state(error: s3rec_job::TrainError) -> Fault {
    let message = format!("what is kept of the training does not fit: {error}");
    Fault::new(Reason::StateLost, message)
}

fn diverged(error: s3rec_job::TrainError) -> Fault {
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

/// What has just been opened to us, in the audit log.
fn note_opening(platform: &Platform, ledger: &Ledger) -> Result<(), Fault> {
    let (disclosure, counters) = (ledger.disclosure(), ledger.counters());
    let entry = [
        ("job", disclosure.job_id.into()),
        ("round", ledger.openings.into()),
        ("columns", disclosure.opened_columns.into()),
        ("values", disclosure.opened_values.into()),
        ("lineage", disclosure.lineage.into()),
        ("all_columns", counters.opened_columns.into()),
        ("all_values", counters.opened_values.into()),
        ("all_exact_values", counters.exact_values.into()),
        ("all_nano_rho", counters.nano_rho.into()),
    ];
    platform.audit.record(Kind::Opening, entry).map(drop)
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
    ledger: &Ledger,
    progress: TrainingProgress,
) -> Result<(), Fault> {
    let round = ledger.openings;
    platform.record(v1::JobEvent {
        training: Some(progress),
        message: format!("Round {round} of {} done.", ledger.proposal.rounds),
        ..event(ledger, round, round)
    })
}
