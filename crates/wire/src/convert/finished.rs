//! What P0 keeps of finished jobs.

use s3rec_job::{
    Evaluation, FinishedJob, FriendsLearnt, FriendsResult, JobResult, ModelRecord, Standardisation,
    TrainedResult,
};

use super::parameters::{agreed_from_wire, agreed_to_wire};
use super::settings::{model_from_wire, model_to_wire};
use super::{
    cost_from_wire, cost_to_wire, guarantee_from_wire, guarantee_to_wire, metrics_from_wire,
    metrics_to_wire, round_from_wire, round_to_wire, verdict_from_wire, verdict_to_wire,
};
use crate::{WireError, v1};

alike!(scale_to_wire, scale_from_wire: Standardisation {
    centre, spread, lowest, highest, drawn_in,
}, Standardisation);
alike!(learnt_to_wire, learnt_from_wire: FriendsLearnt {
    opened, calibration, gain, standard_error, is_used, candidate,
}, FriendsLearnt);

/// The message, without what is kept elsewhere: the job itself and what it disclosed.
#[must_use]
pub fn finished_to_wire(job: &FinishedJob) -> v1::JobReportResponse {
    let (parameters, friends_parameters) = agreed_to_wire(job.parameters.as_ref());
    let report = v1::JobReportResponse {
        parameters,
        friends_parameters,
        offline: Some(cost_to_wire(&job.offline)),
        online: Some(cost_to_wire(&job.online)),
        peak_rss_bytes: job.peak_rss_bytes,
        users: job.users,
        items: job.items,
        ratings: job.ratings,
        data_digest: job.data_digest.clone(),
        scale_min: job.scale.0,
        scale_max: job.scale.1,
        ..v1::JobReportResponse::default()
    };
    match &job.result {
        JobResult::Trained(trained) => v1::JobReportResponse {
            quality: trained.quality.as_ref().map(metrics_to_wire),
            saturations: trained.saturations,
            rounds: trained.rounds.iter().map(round_to_wire).collect(),
            product_error_bound: trained.product_error_bound,
            warnings: trained.warnings.clone(),
            standardisation: trained.standardisation.as_ref().map(scale_to_wire),
            popularity_weight: trained.popularity_weight,
            ..report
        },
        JobResult::Friends(friends) => v1::JobReportResponse {
            guarantee: Some(guarantee_to_wire(&friends.guarantee)),
            guarantee_statement: friends.statement.clone(),
            friends: friends.learnt.as_ref().map(learnt_to_wire),
            verdict: friends.verdict.as_ref().map(verdict_to_wire),
            ..report
        },
    }
}

/// Reads what versions before schema 7 stored. Parameters that this version refuses are left out.
#[must_use]
pub fn finished_from_wire(message: v1::JobReportResponse) -> FinishedJob {
    let product = message.parameters.as_ref();
    FinishedJob {
        parameters: agreed_from_wire(product, message.friends_parameters.as_ref()),
        offline: message.offline.map(cost_from_wire).unwrap_or_default(),
        online: message.online.map(cost_from_wire).unwrap_or_default(),
        peak_rss_bytes: message.peak_rss_bytes,
        users: message.users,
        items: message.items,
        ratings: message.ratings,
        data_digest: message.data_digest,
        scale: (message.scale_min, message.scale_max),
        result: match message.guarantee {
            Some(guarantee) => JobResult::Friends(FriendsResult {
                guarantee: guarantee_from_wire(guarantee),
                statement: message.guarantee_statement,
                learnt: message.friends.map(learnt_from_wire),
                verdict: message.verdict.map(verdict_from_wire),
            }),
            None => JobResult::Trained(TrainedResult {
                quality: message.quality.map(metrics_from_wire),
                saturations: message.saturations,
                rounds: message.rounds.into_iter().map(round_from_wire).collect(),
                product_error_bound: message.product_error_bound,
                warnings: message.warnings,
                standardisation: message.standardisation.map(scale_from_wire),
                popularity_weight: message.popularity_weight,
            }),
        },
    }
}

/// The message of a model, which has its job's name.
#[must_use]
pub fn stored_model_to_wire(job: &str, model: &ModelRecord) -> v1::ModelSummary {
    v1::ModelSummary {
        model_id: job.into(),
        job_id: job.into(),
        dataset: model.dataset.clone(),
        settings: Some(model_to_wire(&model.settings)),
        users: model.users,
        items: model.items,
        quality: model.quality.as_ref().map(metrics_to_wire),
        created_unix_ms: model.created_unix_ms,
    }
}

/// Reads what versions before schema 7 stored.
///
/// # Errors
/// [`WireError`] naming a setting that there is not.
pub fn stored_model_from_wire(message: v1::ModelSummary) -> Result<ModelRecord, WireError> {
    let settings = message.settings.as_ref();
    Ok(ModelRecord {
        settings: model_from_wire(settings.ok_or(WireError::Missing { field: "settings" })?)?,
        dataset: message.dataset,
        users: message.users,
        items: message.items,
        quality: message.quality.map(metrics_from_wire),
        created_unix_ms: message.created_unix_ms,
    })
}

/// The message.
#[must_use]
pub fn evaluation_to_wire(model: String, found: &Evaluation) -> v1::EvaluateResponse {
    v1::EvaluateResponse {
        model_id: model,
        model: found.model.as_ref().map(metrics_to_wire),
        global_mean: found.global_mean.as_ref().map(metrics_to_wire),
        biases: found.biases.as_ref().map(metrics_to_wire),
        no_social: found.no_social.as_ref().map(metrics_to_wire),
        warnings: found.warnings.clone(),
    }
}

/// Reads what versions before schema 7 stored.
#[must_use]
pub fn evaluation_from_wire(message: v1::EvaluateResponse) -> Evaluation {
    Evaluation {
        model: message.model.map(metrics_from_wire),
        global_mean: message.global_mean.map(metrics_from_wire),
        biases: message.biases.map(metrics_from_wire),
        no_social: message.no_social.map(metrics_from_wire),
        warnings: message.warnings,
    }
}
