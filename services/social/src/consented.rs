//! What a job begins, or goes on, with: the consent to it, the data as they were approved, and
//! everything that was approved and not opened yet.

use s3rec_job::{Account, Approval, Counters, JobDisclosure, JobState, Proposal};
use s3rec_node::versions;
use s3rec_sparse::{BoundsRule, PublicBounds};
use s3rec_spmm::ReleasePolicy;
use s3rec_spmm::preprocessed::{DirectoryStorage, SocialStock};
use s3rec_wire::convert::approval_from_bytes;
use s3rec_wire::status::{Fault, Reason};

use crate::platform::Platform;
use crate::policy::Planned;
use crate::slot::Opened;
use crate::tables::DISCLOSURES;
use crate::{approved, disclosing, ledger};

/// Refuses a job whose consent is not in force or not for the data as they are; gives what it
/// goes on from.
pub(crate) fn begin(platform: &Platform, job: &str) -> Result<Opened, Fault> {
    let approval = approved::in_force(platform, job)?;
    let dataset = platform.consent(job)?.dataset;
    let version = match platform.state(job) {
        // It began before, with what it was approved with, and goes on with that.
        JobState::Running => Some(platform.datasets.version_for(job)?),
        _ => versions::of(&platform.store, &dataset)?,
    };
    let is_approved = version.is_some_and(|version| {
        version.commitment == approval.social_commitment
            && version.lineage == approval.social_lineage
    });
    if !is_approved {
        let message = "the links were imported anew after they were approved for this job";
        return Err(Fault::new(Reason::WrongState, message)
            .remedied_by("Propose the job anew, so that the new links can be approved."));
    }
    opened(platform, job, dataset, &approval)
}

/// What a job goes on from that ran before this daemon's start: what was approved then stands,
/// whatever was imported since. Its end, and the whole rule, are looked at before the next thing
/// that leaves.
pub(crate) fn go_on(platform: &Platform, job: &str) -> Result<Opened, Fault> {
    let signed = approved::signed(platform, job)?.ok_or_else(|| {
        Fault::new(Reason::StateLost, "the approval of a running job is gone").at("job", job)
    })?;
    let approval = approval_from_bytes(&signed.approval)?;
    opened(platform, job, platform.consent(job)?.dataset, &approval)
}

fn opened(
    platform: &Platform,
    job: &str,
    dataset: String,
    approval: &Approval,
) -> Result<Opened, Fault> {
    let earlier: Option<JobDisclosure> = platform.store.get(DISCLOSURES, job)?;
    let earlier = earlier.unwrap_or_default();
    Ok(Opened {
        before: ledger::account(platform, &approval.social_lineage, Some(job))?,
        lineage: approval.social_lineage.to_vec(),
        dataset,
        bounds: approval.bounds,
        peer_pin: approval.rating_pin.to_vec(),
        openings: openings(platform, job)?,
        stocks: earlier.counters.stocks,
        shown: earlier.shown.unwrap_or_default(),
        days: earlier.days,
    })
}

/// P1's own count: of the stock, whose record is written before an answer exists, or of what is
/// disclosed, whichever is ahead.
fn openings(platform: &Platform, job: &str) -> Result<u32, Fault> {
    let disclosed: Option<JobDisclosure> = platform.store.get(DISCLOSURES, job)?;
    let record = DirectoryStorage::peek(&platform.stocks.path(job))
        .map_err(|error| Fault::storage(error.to_string(), error.kind()))?;
    let answered = record.and_then(|record| SocialStock::openings_of(&record).ok());
    Ok(disclosed
        .map_or(0, |disclosed| disclosed.openings)
        .max(answered.unwrap_or(0)))
}

/// The accounts of a data set's lineage and of all data sets with everything that was approved and
/// not opened yet, and with a proposal under bounds; none for a data set that is not there. Values
/// are not foreseen, nor ρ where it depends on a bound from the links.
pub(crate) fn planned(
    platform: &Platform,
    dataset: &str,
    proposal: Option<(&Proposal, &PublicBounds)>,
) -> Result<Option<Planned>, Fault> {
    let Some(version) = versions::of(&platform.store, dataset)? else {
        return Ok(None);
    };
    let mut planned = Planned {
        of_data: ledger::account(platform, &version.lineage, None)?,
        of_all: ledger::in_all(platform, None)?,
    };
    for job in platform.journal.open_jobs() {
        let Some(signed) = approved::signed(platform, &job)? else {
            continue;
        };
        // One of a version before this is never in force again.
        let Ok(approval) = approval_from_bytes(&signed.approval) else {
            continue;
        };
        let opened: Option<JobDisclosure> = platform.store.get(DISCLOSURES, &job)?;
        let opened = opened.map(|opened| opened.counters).unwrap_or_default();
        let (proposal, bounds) = (&approval.proposal, &approval.bounds);
        plan(&mut planned.of_all, proposal, bounds, opened);
        if approval.social_lineage == version.lineage.as_slice() {
            plan(&mut planned.of_data, proposal, bounds, opened);
        }
    }
    if let Some((proposal, bounds)) = proposal {
        for account in [&mut planned.of_data, &mut planned.of_all] {
            plan(account, proposal, bounds, Counters::default());
        }
    }
    planned.of_data.dataset = dataset.into();
    Ok(Some(planned))
}

/// Adds to `account` what a job may open beyond what it has opened.
fn plan(account: &mut Account, proposal: &Proposal, bounds: &PublicBounds, opened: Counters) {
    account.has_friends |= matches!(proposal.release, ReleasePolicy::Friends(_));
    let columns = u64::from(proposal.rounds) * u64::from(proposal.columns());
    let rho = planned_nano_rho(proposal, bounds).saturating_sub(opened.nano_rho);
    account.counters = account.counters.plus(&Counters {
        opened_columns: columns.saturating_sub(opened.opened_columns),
        stocks: u32::from(opened.stocks == 0),
        nano_rho: rho,
        ..Counters::default()
    });
}

fn planned_nano_rho(proposal: &Proposal, bounds: &PublicBounds) -> u64 {
    let users = proposal.terms.most_common_users;
    let stated = bounds.stated.bounds(proposal.operator, users);
    let row_norm = (bounds.rule == BoundsRule::Stated).then_some(stated.row_norm);
    disclosing::nano_rho(proposal, row_norm)
}
