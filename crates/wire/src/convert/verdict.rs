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

alike!(group_to_wire, group_from_wire: VerdictGroup {
    task, group, users, used, without, with, low, high,
}, VerdictGroup);

alike!(pub verdict_to_wire, verdict_from_wire: VerdictReport {
    task, group, without, with, low, high, worth_it, sentence, warnings,
    groups each (group_to_wire, group_from_wire),
}, Verdict);
