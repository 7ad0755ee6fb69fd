//! What an opening was worth, as P0's people are told.

use s3rec_job::report::{VerdictGroup, VerdictReport};
use s3rec_model::{Accuracy, Verdict};

use crate::v1;

/// Errors over so many held-out ratings.
#[must_use]
pub fn metrics_to_wire(found: Accuracy, ratings: usize) -> v1::Metrics {
    v1::Metrics {
        rmse: found.rmse,
        mae: found.mae,
        ratings: ratings as u64,
    }
}

/// The message of a verdict.
#[must_use]
pub fn verdict_to_wire(verdict: &Verdict) -> v1::Verdict {
    let tasks = [
        ("lists", &verdict.details.lists),
        ("ratings", &verdict.details.ratings),
    ];
    let groups = tasks.into_iter().flat_map(|(task, found)| {
        let groups = found.iter().flat_map(|found| &found.groups);
        groups.map(move |group| v1::VerdictGroup {
            task: task.into(),
            group: group.group.clone(),
            users: u32::try_from(group.plain.users).unwrap_or(u32::MAX),
            used: group.used,
            without: group.plain.without,
            with: group.plain.with,
            low: group.plain.low,
            high: group.plain.high,
        })
    });
    v1::Verdict {
        task: verdict.task.name().into(),
        group: verdict.group.clone(),
        without: verdict.without,
        with: verdict.with,
        low: verdict.low,
        high: verdict.high,
        worth_it: verdict.worth_it,
        sentence: verdict.sentence.clone(),
        warnings: verdict.details.warnings.clone(),
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
