//! What was opened, in the words of the conversation.

use s3rec_job::rating::RoundReport;
use s3rec_job::{Account, Counters, JobDisclosure, OpenedDay, Overlap, Shown};

use super::{
    bounds_from_wire, bounds_to_wire, pattern_from_wire, pattern_to_wire, release_from_wire,
    release_to_wire,
};
use crate::{WireError, v1};

alike!(pub counters_to_wire, counters_from_wire: Counters {
    jobs, openings, opened_columns, opened_values, exact_values, nano_rho, stocks,
}, Counters);
alike!(pub overlap_to_wire, overlap_from_wire: Overlap {
    rating_users, social_users, common_users,
}, Overlap);
alike!(pub round_to_wire, round_from_wire: RoundReport {
    loss, held_out_rmse, saturations,
}, TrainingProgress);
alike!(day_to_wire, day_from_wire: OpenedDay { day, columns, values }, OpenedDay);
alike!(pub shown_to_wire, shown_from_wire: Shown {
    intersections, ids_asked, bounds, pattern_rows, commitments,
}, Shown);

/// The message.
#[must_use]
pub fn disclosure_to_wire(disclosure: &JobDisclosure) -> v1::Disclosure {
    v1::Disclosure {
        job_id: disclosure.job.clone(),
        peer: disclosure.peer.clone(),
        openings: disclosure.openings,
        opened_columns: disclosure.opened_columns,
        opened_values: disclosure.opened_values,
        release_policy: disclosure.release.as_ref().map(release_to_wire),
        pattern_policy: disclosure
            .pattern
            .map_or(v1::PatternPolicy::Unspecified, pattern_to_wire)
            .into(),
        common_users: disclosure.common_users,
        bytes: disclosure.bytes,
        statements: disclosure.statements.clone(),
        updated_unix_ms: disclosure.updated_unix_ms,
        lineage: disclosure.lineage.clone(),
        counters: Some(counters_to_wire(&disclosure.counters)),
        epsilon: disclosure.epsilon,
        delta: disclosure.delta,
        days: disclosure.days.iter().map(day_to_wire).collect(),
        own_statements: disclosure.own_statements.clone(),
        overlap: disclosure.overlap.as_ref().map(overlap_to_wire),
        shown: disclosure.shown.as_ref().map(shown_to_wire),
        peer_pin: disclosure.peer_pin.clone(),
        bounds: disclosure.bounds.as_ref().map(bounds_to_wire),
    }
}

/// The message.
#[must_use]
pub fn account_to_wire(account: &Account) -> v1::Account {
    v1::Account {
        peer_pin: account.peer_pin.clone(),
        peer: account.peer.clone(),
        lineage: account.lineage.clone(),
        dataset: account.dataset.clone(),
        counters: Some(counters_to_wire(&account.counters)),
        bytes: account.bytes,
        epsilon: account.epsilon,
        delta: account.delta,
        days: account.days.iter().map(day_to_wire).collect(),
        statements: account.statements.clone(),
        shown: account.shown.as_ref().map(shown_to_wire),
    }
}

/// Reads what version 0.1 stored; what it left open stays open.
///
/// # Errors
/// [`WireError`] naming a policy or statement that cannot be.
pub fn disclosure_from_wire(message: v1::Disclosure) -> Result<JobDisclosure, WireError> {
    let pattern = message.pattern_policy;
    Ok(JobDisclosure {
        release: message
            .release_policy
            .map(|release| release_from_wire(Some(release)))
            .transpose()?,
        pattern: match pattern {
            0 => None,
            pattern => Some(pattern_from_wire("pattern_policy", pattern)?),
        },
        job: message.job_id,
        peer: message.peer,
        openings: message.openings,
        opened_columns: message.opened_columns,
        opened_values: message.opened_values,
        common_users: message.common_users,
        bytes: message.bytes,
        statements: message.statements,
        own_statements: message.own_statements,
        updated_unix_ms: message.updated_unix_ms,
        overlap: message.overlap.map(overlap_from_wire),
        lineage: message.lineage,
        counters: counters_from_wire(message.counters.unwrap_or_default()),
        epsilon: message.epsilon,
        delta: message.delta,
        days: message.days.into_iter().map(day_from_wire).collect(),
        shown: message.shown.map(shown_from_wire),
        peer_pin: message.peer_pin,
        bounds: message
            .bounds
            .map(|bounds| bounds_from_wire(Some(bounds)))
            .transpose()?,
    })
}

/// As [`disclosure_from_wire`].
#[must_use]
pub fn account_from_wire(message: v1::Account) -> Account {
    Account {
        peer_pin: message.peer_pin,
        peer: message.peer,
        lineage: message.lineage,
        dataset: message.dataset,
        counters: counters_from_wire(message.counters.unwrap_or_default()),
        bytes: message.bytes,
        epsilon: message.epsilon,
        delta: message.delta,
        days: message.days.into_iter().map(day_from_wire).collect(),
        statements: message.statements,
        shown: message.shown.map(shown_from_wire),
        ..Account::default()
    }
}
