//! What was opened and what it cost, by P1's own count, over all jobs. What is counted when is
//! [`disclosing`]'s.

use s3rec_audit::Kind;
use s3rec_job::counting::{self, Counted};
use s3rec_job::report::PhaseCost;
use s3rec_job::{Account, Counters, JobCost, JobDisclosure, JobId};
use s3rec_link::Count;
use s3rec_node::process::{now_unix_ms, peak_rss_bytes};
use s3rec_node::rows::Row;
use s3rec_node::versions;
use s3rec_wire::status::{Fault, Reason};

use crate::platform::{Counting, Platform};
use crate::slot::{Opened, PhaseMeter, Running};
use crate::tables::{COSTS, DISCLOSURES};

/// Compares what P0 has counted before round `round` (after the last one with `None`) with our
/// own count. Uploads answered are not compared: an answer that was lost counts here only.
pub(crate) fn compare(
    platform: &Platform,
    job: JobId,
    round: Option<u32>,
    theirs: Option<Counters>,
) -> Result<(), Fault> {
    let (mut ours, done) = platform.slot.with(job, |running| {
        let done = round.map_or(running.openings, |round| round.saturating_sub(1));
        let of_job = counted(running, done, &running.opened).disclosure(true, now_unix_ms());
        let account = counting::with_job(&running.opened.before, &of_job);
        (account.counters, done)
    })?;
    let theirs = theirs.unwrap_or_default();
    ours.stocks = theirs.stocks;
    match ours.difference(&theirs) {
        None => Ok(()),
        Some(difference) => {
            let message = format!(
                "the platforms' ledgers differ after {done} openings of this job: {difference}"
            );
            Err(Fault::new(Reason::LedgersDiffer, message).at("job", job))
        }
    }
}

/// What was shown of a lineage over all jobs, one left out.
///
/// A daemon knows one rating platform: whoever it has let through by a pin. All of its jobs count
/// together, whatever its certificate was called and whatever pin it had then, so that a new
/// certificate begins nothing anew.
pub(crate) fn account(
    platform: &Platform,
    lineage: &[u8],
    except: Option<&str>,
) -> Result<Account, Fault> {
    let stored = platform.store.list::<JobDisclosure>(DISCLOSURES, "")?;
    let counted = stored
        .iter()
        .filter(|(job, disclosure)| disclosure.lineage == lineage && Some(job.as_str()) != except);
    let disclosures = counted.map(|(_, disclosure)| disclosure);
    let mut account = counting::account(lineage, disclosures, Counters::default());
    account.peer_pin = platform.identity.peer_pin().digest().to_vec();
    Ok(account)
}

/// What was shown of all lineages together, one job left out: links of the same people that were
/// imported under a new name have a lineage of their own.
pub(crate) fn in_all(platform: &Platform, except: Option<&str>) -> Result<Account, Fault> {
    let stored = platform.store.list::<JobDisclosure>(DISCLOSURES, "")?;
    let counted = stored
        .iter()
        .filter(|(job, _)| Some(job.as_str()) != except);
    let disclosures = counted.map(|(_, disclosure)| disclosure);
    let mut account = counting::account(&[], disclosures, Counters::default());
    account.dataset = EVERY_NAME.into();
    account.peer_pin = platform.identity.peer_pin().digest().to_vec();
    Ok(account)
}

/// ρ of all noised openings of a lineage in the year up to `day`, one job left out, in units of
/// 10⁻⁹. A job counts whole as long as any of its openings is of that year.
pub(crate) fn year_nano_rho(
    platform: &Platform,
    lineage: &[u8],
    except: &str,
    day: u32,
) -> Result<u64, Fault> {
    const DAYS: u32 = 366;
    let stored = platform.store.list::<JobDisclosure>(DISCLOSURES, "")?;
    let of_year = stored.iter().filter(|(job, disclosure)| {
        let newest = disclosure.days.last().map_or(day, |opened| opened.day);
        disclosure.lineage == lineage && job != except && newest.saturating_add(DAYS) >= day
    });
    Ok(of_year.fold(0, |sum: u64, (_, disclosure)| {
        sum.saturating_add(disclosure.counters.nano_rho)
    }))
}

/// The accounts by the lineages of the data sets that are here; `peer` selects the rules.
pub(crate) fn accounts(platform: &Platform, peer: &str) -> Result<Vec<Account>, Fault> {
    let mut accounts: Vec<Account> = Vec::new();
    for version in versions::all(&platform.store)? {
        if accounts
            .iter()
            .any(|known| known.lineage == version.lineage)
        {
            continue;
        }
        let mut account = account(platform, &version.lineage, None)?;
        account.dataset.clone_from(&version.dataset);
        if let Some(policy) = platform.policy() {
            account
                .statements
                .push(match policy.rule(peer, &version.dataset) {
                    Ok(Some(rule)) => rule.left(&account),
                    Ok(None) => "no rule of the policy limits it".into(),
                    Err(fault) => fault.message,
                });
        }
        accounts.push(account);
    }
    accounts.extend(whatever_the_name(platform, &accounts)?);
    Ok(accounts)
}

/// What was shown of all lineages together, where there are others than the one that is here.
fn whatever_the_name(platform: &Platform, here: &[Account]) -> Result<Option<Account>, Fault> {
    let stored = platform.store.list::<JobDisclosure>(DISCLOSURES, "")?;
    let is_here = |disclosure: &JobDisclosure| {
        here.iter()
            .any(|account| account.lineage == disclosure.lineage)
    };
    let mut account = in_all(platform, None)?;
    let is_told = account.counters != Counters::default() || account.shown.is_some();
    let is_one = here.len() == 1 && stored.iter().all(|(_, disclosure)| is_here(disclosure));
    if !is_told || is_one {
        return Ok(None);
    }
    let policy = platform.policy();
    let limits = policy.as_ref().and_then(|policy| policy.in_all());
    account.statements.push(limits.map_or_else(
        || {
            "No limit holds for this sum: limits count by data set, and the policy has no \
             [all_data_sets]. Where the same people are in several of them, what was shown of each \
             adds up; import newer links of the same people under the same name, or with --lineage \
             NAME."
                .into()
        },
        |limits| limits.left(&account),
    ));
    Ok(Some(account))
}

/// What people who decide should know of a data set whose account is still empty.
pub(crate) fn of_other_names(accounts: &[Account]) -> Option<String> {
    let all = accounts
        .iter()
        .find(|account| account.dataset == EVERY_NAME)?;
    let shown = all.shown.unwrap_or_default();
    Some(format!(
        "A rule counts by data set, and one of a new name begins at zero. Of all data sets together \
         the rating platform was shown {} columns and {} values, and brought {} ids: where they are \
         of the same people, that is what it knows.",
        all.counters.opened_columns, all.counters.opened_values, shown.ids_asked
    ))
}

/// In the place of a data set's name, which no data set can have.
const EVERY_NAME: &str = "all data sets of whatever name";

pub(crate) fn counted<'a>(running: &'a Running, openings: u32, opened: &'a Opened) -> Counted<'a> {
    Counted {
        proposal: &running.proposal,
        peer: &running.peer,
        lineage: &opened.lineage,
        openings,
        stocks: opened.stocks,
        overlap: running.overlap,
        parameters: running.parameters.as_ref(),
        bytes: bytes(running.offline.count()) + bytes(running.online.count()),
        days: opened.days.clone(),
        bounds: Some(opened.bounds),
        shown: Some(opened.shown),
        peer_pin: opened.peer_pin.clone(),
    }
}

/// The disclosure of the running job so far.
pub(crate) fn disclosure(running: &Running) -> JobDisclosure {
    counted(running, running.openings, &running.opened).disclosure(true, now_unix_ms())
}

fn bytes(count: Count) -> u64 {
    count.sent_bytes + count.received_bytes
}

/// The one writer of what jobs have disclosed. What is stored is joined with it: no number that
/// was counted is ever lowered, whatever a running job has lost of itself.
pub(crate) fn store(
    platform: &Platform,
    _: &Counting<'_>,
    disclosure: JobDisclosure,
    cost: Option<&JobCost>,
) -> Result<JobDisclosure, Fault> {
    let job = disclosure.job.clone();
    let disclosure = match platform.store.get::<JobDisclosure>(DISCLOSURES, &job)? {
        Some(stored) => {
            if !disclosure.counters.contains(&stored.counters) {
                tracing::error!(job, "the running job counted less than is stored of it");
            }
            disclosure.joined(&stored)
        }
        None => disclosure,
    };
    let mut rows = vec![(DISCLOSURES, job.as_str(), disclosure.to_row())];
    rows.extend(cost.map(|cost| (COSTS, job.as_str(), cost.to_row())));
    platform.store.put_all(&rows)?;
    Ok(disclosure)
}

/// Stores the cost of a job that has ended, and its last disclosure.
pub(crate) fn store_cost(
    platform: &Platform,
    counting: &Counting<'_>,
    running: &Running,
) -> Result<(), Fault> {
    let job = running.job.to_string();
    let cost = cost_of(running);
    let disclosure = store(platform, counting, disclosure(running), Some(&cost))?;
    let entry = [
        ("job", job.into()),
        ("openings", disclosure.openings.into()),
        ("columns", disclosure.opened_columns.into()),
        ("values", disclosure.opened_values.into()),
        ("bytes", disclosure.bytes.into()),
        ("learnt", disclosure.statements.join("\n").into()),
    ];
    platform.audit.record(Kind::Disclosure, entry).map(drop)
}

/// What was counted of a job before this daemon's start.
pub(crate) fn counts(platform: &Platform, job: &str) -> Result<JobCost, Fault> {
    let counts: Option<JobCost> = platform.store.get(COSTS, job)?;
    Ok(counts.unwrap_or_default())
}

pub(crate) fn cost_of(running: &Running) -> JobCost {
    JobCost {
        parameters: running.parameters.clone(),
        offline: cost(&running.offline),
        online: cost(&running.online),
        peak_rss_bytes: peak_rss_bytes(),
        common_users: running.common_users,
    }
}

/// By which phase; what P1 sends goes to P0.
pub(crate) fn cost(phase: &PhaseMeter) -> PhaseCost {
    let count = phase.count();
    PhaseCost {
        seconds: phase.seconds(),
        bytes_to_social: count.received_bytes,
        bytes_to_rating: count.sent_bytes,
        messages: count.messages,
    }
}
