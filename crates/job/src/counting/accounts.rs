//! What all jobs on one lineage of data come to.

use s3rec_sparse::{BoundsRule, PatternPolicy};
use s3rec_spmm::ReleasePolicy;

use super::{Account, JobDisclosure, OpenedDay, epsilon_of};
use crate::{Counters, statements};

/// What `disclosures` of one peer and lineage come to, and what is left out of them, `missing`:
/// what the peer has counted and we have not (a ledger that was lost).
#[must_use]
pub fn account<'a>(
    lineage: &[u8],
    disclosures: impl IntoIterator<Item = &'a JobDisclosure>,
    missing: Counters,
) -> Account {
    let mut account = Account {
        lineage: lineage.to_vec(),
        counters: missing,
        is_promised: missing == Counters::default(),
        ..Account::default()
    };
    for disclosure in disclosures {
        add_job(&mut account, disclosure);
    }
    finish(account)
}

/// `before` and one further job.
#[must_use]
pub fn with_job(before: &Account, job: &JobDisclosure) -> Account {
    let mut account = before.clone();
    add_job(&mut account, job);
    finish(account)
}

fn add_job(account: &mut Account, job: &JobDisclosure) {
    let of_job = job.counters;
    account.counters = account.counters.plus(&of_job);
    account.bytes = account.bytes.saturating_add(job.bytes);
    account.peer.clone_from(&job.peer);
    if of_job.nano_rho > 0 {
        account.delta = match account.delta {
            0.0 => job.delta,
            least => least.min(job.delta),
        };
    }
    account.has_friends |=
        matches!(job.release, Some(ReleasePolicy::Friends(_))) && of_job.nano_rho > 0;
    account.is_promised &= is_promised(job);
    for opened in &job.days {
        count_day(&mut account.days, *opened);
    }
    if let Some(shown) = job.shown {
        account.shown = Some(account.shown.unwrap_or_default().plus(&shown));
    }
}

/// Whether nothing left that depends on the links but friends' sums. Other noised openings have no
/// part in it: what is counted of theirs is of one link, directed under `out-average`, where the
/// promise is of a pair of users.
fn is_promised(job: &JobDisclosure) -> bool {
    let has_bounds = match job.shown {
        Some(shown) => shown.bounds > 0,
        // P0's own count.
        None => job.common_users > 0,
    };
    if job.openings == 0 && !has_bounds {
        return true;
    }
    let is_stated = job
        .bounds
        .is_some_and(|bounds| bounds.rule == BoundsRule::Stated);
    let is_friends = matches!(job.release, Some(ReleasePolicy::Friends(_)))
        // Whatever the release is called: no noise covers these.
        && job.counters.exact_values == 0;
    is_stated && job.pattern == Some(PatternPolicy::Nothing) && (job.openings == 0 || is_friends)
}

fn finish(mut account: Account) -> Account {
    account.epsilon = epsilon_of(account.counters.nano_rho, account.delta);
    account.statements = statements::in_all(&account);
    account
}

/// Adds to a day's numbers. Days ascend.
pub fn count_day(days: &mut Vec<OpenedDay>, opened: OpenedDay) {
    match days.binary_search_by_key(&opened.day, |known| known.day) {
        Ok(place) => {
            if let Some(known) = days.get_mut(place) {
                known.columns = known.columns.saturating_add(opened.columns);
                known.values = known.values.saturating_add(opened.values);
            }
        }
        Err(place) => days.insert(place, opened),
    }
}

/// Today by our clock, but never before a day that was counted: a clock that was set back gives
/// no day a second time.
#[must_use]
pub fn today(days: &[OpenedDay], now_unix_ms: i64) -> u32 {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    let today = u32::try_from(now_unix_ms / DAY_MS).unwrap_or_default();
    days.last().map_or(today, |newest| newest.day.max(today))
}
