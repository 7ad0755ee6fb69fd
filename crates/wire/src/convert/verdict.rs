//! What an opening was worth, as P0's people are told.

use s3rec_job::HeldOutErrors;
use s3rec_job::report::{VerdictGroup, VerdictReport};
use s3rec_model::Accuracy;

use crate::v1;

/// The message.
#[must_use]
pub fn metrics_to_wire(found: &HeldOutErrors) -> v1::Metrics {
    v1::Metrics {
        rmse: found.errors.rmse,
        mae: found.errors.mae,
        ratings: found.ratings,
    }
}

/// The numbers of the message.
#[must_use]
pub fn metrics_from_wire(message: v1::Metrics) -> HeldOutErrors {
    HeldOutErrors {
        errors: Accuracy {
            rmse: message.rmse,
            mae: message.mae,
        },
        ratings: message.ratings,
    }
}

/// The message of a verdict.
#[must_use]
pub fn verdict_to_wire(verdict: &VerdictReport) -> v1::Verdict {
    let groups = verdict.groups.iter().map(|group| v1::VerdictGroup {
        task: group.task.clone(),
        group: group.group.clone(),
        users: u32::try_from(group.users).unwrap_or(u32::MAX),
        used: group.used,
        without: group.without,
        with: group.with,
        low: group.low,
        high: group.high,
    });
    v1::Verdict {
        task: verdict.task.clone(),
        group: verdict.group.clone(),
        without: verdict.without,
        with: verdict.with,
        low: verdict.low,
        high: verdict.high,
        worth_it: verdict.worth_it,
        sentence: verdict.sentence.clone(),
        warnings: verdict.warnings.clone(),
        groups: groups.collect(),
    }
}

/// The verdict of the message, as reports hold it.
#[must_use]
pub fn verdict_from_wire(message: &v1::Verdict) -> VerdictReport {
    let groups = message.groups.iter().map(|group| VerdictGroup {
        task: group.task.clone(),
        group: group.group.clone(),
        users: group.users.into(),
        used: group.used,
        without: group.without,
        with: group.with,
        low: group.low,
        high: group.high,
    });
    VerdictReport {
        task: message.task.clone(),
        group: message.group.clone(),
        without: message.without,
        with: message.with,
        low: message.low,
        high: message.high,
        worth_it: message.worth_it,
        sentence: message.sentence.clone(),
        warnings: message.warnings.clone(),
        groups: groups.collect(),
    }
}
