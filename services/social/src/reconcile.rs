//! After a restore: what the rating platform was shown since the backup is counted again, from its
//! own list of what it was shown. Counts are raised and never lowered.

use std::collections::BTreeMap;

use s3rec_audit::Kind;
use s3rec_job::{Consent, JobDisclosure, OpenedDay, Overlap, Shown};
use s3rec_spmm::ReleasePolicy;
use s3rec_wire::status::{Fault, Reason};

use crate::disclosing::AGREEMENT;
use crate::ledger;
use crate::platform::Platform;
use crate::tables::{CONSENTS, DISCLOSURES};

const STATED: &str =
    "Counted again after a restore, from what the rating platform says that it was shown.";

/// Raises the ledger to what the rating platform says of each job, and opens this platform for
/// jobs again; with an empty list, by the word of `who` alone. Gives the number of jobs of which
/// more is counted now.
///
/// Links of a lineage of which friends' sums were opened since are in no further such opening:
/// whose sums they were is not known here any more.
///
/// # Errors
/// [`Reason::WrongState`] for a platform that was not restored; [`Reason::InvalidRequest`] for a
/// list that is another platform's, or lacks what is counted here; [`Reason::StorageFailed`].
pub(crate) fn reconcile(
    platform: &Platform,
    stated: &[JobDisclosure],
    who: &str,
) -> Result<u32, Fault> {
    platform.refuse_reconciled()?;
    let counting = platform.counting();
    let known: BTreeMap<String, JobDisclosure> = platform
        .store
        .list::<JobDisclosure>(DISCLOSURES, "")?
        .into_iter()
        .collect();
    if !stated.is_empty() {
        platform.refuse_other_lists(stated, &known)?;
    }
    let peer = peer_of(platform, &known)?;
    let mut raised = 0;
    for theirs in stated {
        let ours = known.get(&theirs.job).cloned().unwrap_or_default();
        let is_shown = ours.shown.is_some_and(|shown| shown.intersections > 0);
        if ours.counters.contains(&theirs.counters) && (is_shown || theirs.overlap.is_none()) {
            continue;
        }
        // The log first, as the ledger's witness: a store that is lost once more hears it again.
        log_showing(platform, theirs, who)?;
        if theirs.openings > 0 {
            log_opening(platform, theirs, who)?;
        }
        if let Some(ReleasePolicy::Friends(_)) = theirs.release {
            forget_opened(platform, theirs)?;
        }
        let row = counted(theirs, ours, &peer);
        ledger::store(platform, &counting, row, None)?;
        raised += 1;
    }
    drop(counting);
    platform.reconciled(raised, stated.is_empty(), who)?;
    Ok(raised)
}

/// How the rating platform is called here.
fn peer_of(platform: &Platform, known: &BTreeMap<String, JobDisclosure>) -> Result<String, Fault> {
    let newest = known.values().max_by_key(|line| line.updated_unix_ms);
    if let Some(newest) = newest {
        return Ok(newest.peer.clone());
    }
    let consents = platform.store.list::<Consent>(CONSENTS, "")?;
    let newest = consents
        .into_iter()
        .max_by_key(|(_, consent)| consent.created_unix_ms);
    Ok(newest.map(|(_, consent)| consent.peer).unwrap_or_default())
}

/// What the rating platform says of a job, in the words of this one's ledger.
fn counted(theirs: &JobDisclosure, ours: JobDisclosure, peer: &str) -> JobDisclosure {
    let mut statements = ours.statements.clone();
    statements.push(STATED.into());
    JobDisclosure {
        peer: peer.into(),
        days: vec![day_of(theirs)],
        shown: Some(least_shown(theirs.overlap).joined(&ours.shown.unwrap_or_default())),
        statements,
        own_statements: ours.own_statements.clone(),
        ..theirs.clone()
    }
    .joined(&ours)
}

/// On one day, as the other platform does not count by days.
fn day_of(theirs: &JobDisclosure) -> OpenedDay {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    let day = theirs.updated_unix_ms.div_euclid(DAY_MS);
    OpenedDay {
        day: u32::try_from(day).unwrap_or(0),
        columns: theirs.counters.opened_columns,
        values: theirs.counters.opened_values,
    }
}

/// What a job has shown before its openings: one of each, and all of P0's ids. Those that were begun
/// again after a break are not known.
fn least_shown(overlap: Option<Overlap>) -> Shown {
    Shown {
        intersections: 1,
        ids_asked: overlap.map_or(0, |overlap| overlap.rating_users),
        bounds: 1,
        pattern_rows: 0,
        commitments: 1,
    }
}

fn log_showing(platform: &Platform, theirs: &JobDisclosure, who: &str) -> Result<(), Fault> {
    let (job, lineage) = (theirs.job.as_str(), theirs.lineage.as_slice());
    platform.audit.record(
        Kind::Showing,
        [
            ("job", job.into()),
            ("lineage", lineage.into()),
            ("what", "intersection".into()),
            ("ids", least_shown(theirs.overlap).ids_asked.into()),
            ("by", who.into()),
        ],
    )?;
    platform.audit.record(
        Kind::Stock,
        [
            ("job", job.into()),
            ("lineage", lineage.into()),
            ("number", theirs.counters.stocks.into()),
            ("by", who.into()),
        ],
    )?;
    Ok(())
}

fn log_opening(platform: &Platform, theirs: &JobDisclosure, who: &str) -> Result<(), Fault> {
    let (job, lineage) = (theirs.job.as_str(), theirs.lineage.as_slice());
    let (counters, day) = (&theirs.counters, day_of(theirs).day);
    let of_all = ledger::account(platform, lineage, Some(job))?.counters;
    let of_all = of_all.plus(counters);
    let entry = [
        ("job", job.into()),
        ("round", theirs.openings.into()),
        // The message that was answered is not known here; no other is ever answered in its place.
        ("message", of_nobody()?.into()),
        ("columns", counters.opened_columns.into()),
        ("values", counters.opened_values.into()),
        ("exact_values", counters.exact_values.into()),
        ("nano_rho", counters.nano_rho.into()),
        ("day", day.into()),
        ("lineage", lineage.into()),
        ("all_columns", of_all.opened_columns.into()),
        ("all_values", of_all.opened_values.into()),
        ("all_exact_values", of_all.exact_values.into()),
        ("all_nano_rho", of_all.nano_rho.into()),
        ("learnt", STATED.into()),
        ("by", who.into()),
    ];
    platform.audit.record(Kind::Opening, entry).map(drop)
}

/// Whose friends' sums were opened since is not known here: the log witnesses users that no store
/// has, so that no others are opened.
fn forget_opened(platform: &Platform, theirs: &JobDisclosure) -> Result<(), Fault> {
    let unknown = of_nobody()?;
    let entry = [
        ("job", theirs.job.as_str().into()),
        ("lineage", theirs.lineage.as_slice().into()),
        ("what", AGREEMENT.into()),
        ("opened_digest", unknown.into()),
        ("learnt", STATED.into()),
    ];
    platform.audit.record(Kind::Showing, entry)?;
    platform.witnessed().says(&theirs.lineage, unknown);
    Ok(())
}

/// A digest that is nothing's.
fn of_nobody() -> Result<[u8; 32], Fault> {
    let mut drawn = [0; 32];
    getrandom::fill(&mut drawn)
        .map_err(|_| Fault::new(Reason::Bug, "the system gives no entropy"))?;
    Ok(drawn)
}
