//! The end of a job that went well: metrics, the stored model, the report.

use std::sync::Arc;

use s3rec_data::RatingSet;
use s3rec_job::{
    AgreedParameters, FinishedJob, HeldOutErrors, JobEvent, JobResult, JobState, JointTraining,
    ModelRecord, ModelSettings, Phase, Standardisation, TrainedResult, product_error_bound,
};
use s3rec_model::evaluate::{RankingSettings, Relevance};
use s3rec_model::popularity::{self, DEFAULT_WEIGHT};
use s3rec_model::{Accuracy, Biases, GlobalMean, Model, Unit};
use s3rec_node::process::{now_unix_ms, peak_rss_bytes};
use s3rec_wire::status::Fault;

use crate::imports::blocking;
use crate::ledger::Ledger;
use crate::models;
use crate::plan::{Plan, metrics};
use crate::platform::Platform;
use crate::stored::StoredModel;
use crate::tables::{DISCLOSURES, MODELS, REPORTS};
use crate::warnings;

/// Measures, and stores everything; the job is FINISHED then.
pub(crate) async fn finish(
    platform: &Arc<Platform>,
    plan: &Arc<Plan>,
    ratings: RatingSet,
    training: JointTraining,
    ledger: &Ledger,
) -> Result<(), Fault> {
    let job = ledger.job.to_string();
    let sizes = sizes(&ratings);
    let saturations = training.saturations();
    let counts = platform.datasets.header_for(&job)?.counts;
    let (planned, directory, name) = (Arc::clone(plan), platform.models_dir(), job.clone());
    let bound = ledger
        .parameters
        .as_ref()
        .and_then(AgreedParameters::row_norm_bound)
        .unwrap_or(1);
    let found = blocking(move || {
        let found = Findings::of(training.model(), &planned, counts, saturations);
        let weight = found.popularity_weight;
        let stored = StoredModel::new(training.model(), &ratings, bound, weight);
        stored.write(&directory, &name).map(|()| found)
    })
    .await??;

    let result = TrainedResult {
        quality: found.quality.map(|errors| held_out_errors(errors, plan)),
        saturations,
        rounds: ledger.rounds.clone(),
        product_error_bound: error_bound(ledger),
        warnings: found.warnings.clone(),
        standardisation: Some(Standardisation {
            centre: found.unit.centre,
            spread: found.unit.spread,
            lowest: found.unit.lowest,
            highest: found.unit.highest,
            drawn_in: found.drawn_in,
        }),
        popularity_weight: found.popularity_weight,
    };
    store(platform, ledger, plan, sizes, JobResult::Trained(result))?;
    let mut message = match &found.quality {
        Some(quality) => format!("Finished: held-out RMSE {:.4}.", quality.rmse),
        None => "Finished; nothing was held out to measure.".into(),
    };
    for warning in &found.warnings {
        message.push_str(&format!(" Warning: {warning}."));
    }
    end(platform, ledger, message).await
}

/// Users, items and ratings.
pub(crate) fn sizes(ratings: &RatingSet) -> (u64, u64, u64) {
    let report = &ratings.report;
    (
        report.users as u64,
        report.items as u64,
        report.ratings as u64,
    )
}

/// The job is FINISHED.
pub(crate) async fn end(
    platform: &Arc<Platform>,
    ledger: &Ledger,
    message: String,
) -> Result<(), Fault> {
    let finished = JobEvent {
        job: ledger.job.to_string(),
        state: JobState::Finished,
        phase: Some(Phase::Evaluation),
        round: ledger.openings,
        rounds: ledger.proposal.rounds,
        phase_cost: Some(ledger.online_cost()),
        phase_progress: 1.0,
        training: ledger.rounds.last().copied(),
        message,
        ..JobEvent::default()
    };
    let platform = Arc::clone(platform);
    blocking(move || platform.end(finished)).await??;
    tracing::info!("finished");
    Ok(())
}

/// What is found out about a model when it is done.
struct Findings {
    quality: Option<Accuracy>,
    unit: Unit,
    drawn_in: u64,
    popularity_weight: f64,
    warnings: Vec<String>,
}

impl Findings {
    fn of(model: &Model, plan: &Plan, counts: bool, saturations: u64) -> Self {
        let (unit, settings) = (model.unit, &plan.settings);
        let quality = metrics(model, plan);
        let decays = (settings.user_bias_decay, settings.item_bias_decay);
        let biases = Biases::fit(&plan.train, plan.scale, decays.0, decays.1);
        let mean = metrics(&GlobalMean::fit(&plan.train), plan);
        let biases = metrics(&biases, plan);
        let baselines = [
            ("the mean of all ratings", mean.as_ref()),
            ("the mean with user and item biases", biases.as_ref()),
        ];
        let mut warnings = warnings::of_training(plan, &unit, saturations);
        warnings.extend(warnings::of_baselines(quality.as_ref(), &baselines));
        Self {
            quality,
            unit,
            drawn_in: unit.drawn_in(&plan.train) as u64,
            popularity_weight: popularity_weight(model, plan, counts),
            warnings,
        }
    }
}

/// Which items a list should have: of counts all that were chosen, of ratings the high ones.
pub(crate) fn relevance(counts: bool) -> Relevance {
    match counts {
        true => Relevance::EveryHeldOut,
        false => RankingSettings::default().relevance,
    }
}

/// How much popularity shall count in lists: as given, else what is best for the held-out
/// ratings, which the model has not seen.
fn popularity_weight(model: &Model, plan: &Plan, counts: bool) -> f64 {
    let judged = RankingSettings {
        relevance: relevance(counts),
        ..RankingSettings::default()
    };
    let learn = || popularity::learn(model, &plan.train, &model.unit, &plan.held_out, &judged);
    let given = plan.settings.popularity_weight;
    given.or_else(learn).unwrap_or(DEFAULT_WEIGHT)
}

/// What fixed point may have moved an opened value by, clipping aside.
fn error_bound(ledger: &Ledger) -> f64 {
    let product = ledger.parameters.as_ref();
    let product = product.and_then(AgreedParameters::product);
    let bound = product.and_then(|parameters| {
        let fixed = parameters.fixed_point().ok()?;
        let weight_bits = parameters.weight_bits();
        Some(product_error_bound(
            &fixed,
            parameters.row_norm_bound,
            weight_bits,
        ))
    });
    bound.unwrap_or_default()
}

/// Errors on what a plan holds out.
pub(crate) fn held_out_errors(errors: Accuracy, plan: &Plan) -> HeldOutErrors {
    HeldOutErrors {
        errors,
        ratings: plan.held_out.len() as u64,
    }
}

/// Stores the model's record and the report.
///
/// # Errors
/// [`Reason::StorageFailed`](s3rec_wire::status::Reason::StorageFailed).
pub(crate) fn store(
    platform: &Platform,
    ledger: &Ledger,
    plan: &Plan,
    (users, items, ratings): (u64, u64, u64),
    result: JobResult,
) -> Result<(), Fault> {
    // A job has one model, which has the job's name.
    let job = ledger.job.to_string();
    let model = ModelRecord {
        dataset: platform.request(&job)?.dataset,
        settings: ModelSettings::of(&plan.settings, plan.operator, plan.stop),
        users,
        items,
        quality: match &result {
            JobResult::Trained(trained) => trained.quality,
            JobResult::Friends(_) => None,
        },
        created_unix_ms: models::after_all(&platform.store, now_unix_ms())?,
    };
    let report = FinishedJob {
        parameters: ledger.parameters.clone(),
        offline: ledger.offline_cost(),
        online: ledger.online_cost(),
        peak_rss_bytes: peak_rss_bytes(),
        users,
        items,
        ratings,
        data_digest: platform.datasets.digest_for(&job)?,
        scale: plan.scale,
        result,
    };
    platform
        .store
        .put(DISCLOSURES, &job, &ledger.disclosure())?;
    platform.store.put(REPORTS, &job, &report)?;
    platform.store.put(MODELS, &job, &model)?;
    platform.models.set_newest(&job);
    Ok(())
}
