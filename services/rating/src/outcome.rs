//! The end of a job that went well: metrics, the stored model, the report.

use std::sync::Arc;

use s3rec_data::RatingSet;
use s3rec_model::{Accuracy, Predictor, accuracy};
use s3rec_node::process::{now_unix_ms, peak_rss_bytes};
use s3rec_train::JointTraining;
use s3rec_wire::convert::parameters_to_wire;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::{JobState, Phase};

use crate::imports::blocking;
use crate::models;
use crate::plan::Plan;
use crate::platform::{DISCLOSURES, JOBS, Platform, REPORTS};
use crate::session::{Session, read, timed};
use crate::stored::StoredModel;
use crate::training::Ledger;

/// Agrees with P1 on the openings, measures, and stores everything; the job is FINISHED then.
pub(crate) async fn finish(
    platform: &Arc<Platform>,
    session: &mut Session,
    plan: &Arc<Plan>,
    ratings: RatingSet,
    training: JointTraining,
    ledger: &Ledger,
) -> Result<(), Fault> {
    let job = ledger.job.to_string();
    let request = v1::FinishRequest {
        job_id: job.clone(),
        openings: ledger.openings,
    };
    let answered = session.client.finish(timed(request)).await;
    let theirs = answered
        .map_err(|status| read(&status))?
        .into_inner()
        .openings;
    if theirs != ledger.openings {
        let message = format!(
            "the social platform counts {theirs} openings, we {}",
            ledger.openings
        );
        return Err(Fault::new(Reason::Contradiction, message));
    }

    let report = &ratings.report;
    let sizes = (
        report.users as u64,
        report.items as u64,
        report.ratings as u64,
    );
    let saturations = training.saturations();
    let (planned, directory, name) = (Arc::clone(plan), platform.models_dir(), job.clone());
    let bound = ledger
        .parameters
        .as_ref()
        .map_or(1, |parameters| parameters.row_norm_bound);
    let quality = blocking(move || {
        let quality = metrics(training.model(), &planned);
        let stored = StoredModel::new(training.model(), &ratings, bound);
        stored.write(&directory, &name).map(|()| quality)
    })
    .await??;

    store(platform, ledger, quality, sizes, saturations)?;
    let message = match &quality {
        Some(quality) => format!("Finished: held-out RMSE {:.4}.", quality.rmse),
        None => "Finished; nothing was held out to measure.".into(),
    };
    platform.record(v1::JobEvent {
        job_id: job.clone(),
        state: JobState::Finished.into(),
        phase: Phase::Evaluation.into(),
        round: ledger.openings,
        rounds: ledger.proposal.rounds,
        phase_cost: Some(ledger.online_cost()),
        phase_progress: 1.0,
        training: ledger.rounds.last().copied(),
        message,
        ..v1::JobEvent::default()
    })?;
    tracing::info!("finished");
    Ok(())
}

/// Errors on what was held out; none when nothing was.
pub(crate) fn metrics(predictor: &dyn Predictor, plan: &Plan) -> Option<v1::Metrics> {
    let Accuracy { rmse, mae } = accuracy(predictor, &plan.held_out).ok()?;
    Some(v1::Metrics {
        rmse,
        mae,
        ratings: plan.held_out.len() as u64,
    })
}

fn store(
    platform: &Platform,
    ledger: &Ledger,
    quality: Option<v1::Metrics>,
    (users, items, ratings): (u64, u64, u64),
    saturations: u64,
) -> Result<(), Fault> {
    let job = ledger.job.to_string();
    let stored: Option<v1::JobSummary> = platform.store.get(JOBS, &job)?;
    // A job has one model, which has the job's name.
    let summary = v1::JobSummary {
        model_id: job.clone(),
        ..stored.unwrap_or_default()
    };
    let model = v1::ModelSummary {
        model_id: job.clone(),
        job_id: job.clone(),
        dataset: summary.dataset.clone(),
        settings: summary.model,
        users,
        items,
        quality,
        created_unix_ms: now_unix_ms(),
    };
    let parameters = ledger.parameters.as_ref();
    let report = v1::JobReportResponse {
        job: Some(summary.clone()),
        parameters: parameters.and_then(|parameters| parameters_to_wire(parameters).ok()),
        offline: Some(ledger.offline_cost()),
        online: Some(ledger.online_cost()),
        quality,
        disclosure: Some(ledger.disclosure()),
        saturations,
        peak_rss_bytes: peak_rss_bytes(),
        users,
        items,
        ratings,
        rounds: ledger.rounds.clone(),
    };
    platform
        .store
        .put(DISCLOSURES, &job, &ledger.disclosure())?;
    platform.store.put(REPORTS, &job, &report)?;
    platform.store.put(models::MODELS, &job, &model)?;
    Ok(platform.store.put(JOBS, &job, &summary)?)
}
