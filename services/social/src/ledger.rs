//! What was opened and what it cost, by P1's own count, over all jobs. An opening is on disk,
//! and in the audit log, before the first byte of its answer leaves.

use s3rec_audit::Kind;
use s3rec_link::Count;
use s3rec_node::counting::{self, Counted};
use s3rec_node::journal::is_terminal;
use s3rec_node::observe;
use s3rec_node::process::peak_rss_bytes;
use s3rec_node::store::Table;
use s3rec_node::versions;
use s3rec_spmm::ProductParameters;
use s3rec_wire::convert::{Approval, JobId, Proposal, as_counted, contains, parameters_to_wire};
use s3rec_wire::record::Record;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::Counters;

use crate::approval;
use crate::imports;
use crate::platform::{CONSENTS, COSTS, Platform};
use crate::session::{Phase, Running};

pub(crate) const DISCLOSURES: Table = Table("disclosures");

/// What a running job knows of the openings of its lineage.
#[derive(Clone, Default)]
pub(crate) struct Opened {
    /// The data set it uses, and that one's lineage.
    pub(crate) dataset: String,
    pub(crate) lineage: Vec<u8>,
    /// The consent's end.
    pub(crate) expires_unix_ms: i64,
    /// All other jobs of this peer on this lineage.
    pub(crate) before: v1::Account,
    /// This job's uploads answered, and its openings by day.
    pub(crate) stocks: u32,
    pub(crate) days: Vec<v1::OpenedDay>,
}

/// Refuses a job whose consent is not in force or not for the data as they are; gives what it
/// goes on from.
pub(crate) fn begin(platform: &Platform, job: &str, peer: &str) -> Result<Opened, Fault> {
    let approval = approval::in_force(platform, job)?;
    let dataset = platform.consent(job)?.dataset;
    let version = match platform.state(job) {
        // It began before, with what it was approved with, and goes on with that.
        v1::JobState::Running => imports::version_for(platform, job)?,
        _ => versions::of(&platform.store, &dataset)?,
    };
    let version = version.unwrap_or_default();
    if version.commitment != approval.social_commitment {
        let message = "the links were imported anew after they were approved for this job";
        return Err(Fault::new(Reason::WrongState, message)
            .remedied_by("Propose the job anew, so that the new links can be approved."));
    }
    let earlier: Option<v1::Disclosure> = platform.store.get(DISCLOSURES, job)?;
    let earlier = earlier.unwrap_or_default();
    Ok(Opened {
        before: account(platform, peer, &version.lineage, Some(job))?,
        lineage: version.lineage,
        dataset,
        expires_unix_ms: approval.expires_unix_ms,
        stocks: earlier.counters.unwrap_or_default().stocks,
        days: earlier.days,
    })
}

/// What a job goes on from that ran before this daemon's start: what was approved then stands,
/// whatever was imported since. Its end is looked at before the next opening.
pub(crate) fn go_on(platform: &Platform, job: &str, peer: &str) -> Result<Opened, Fault> {
    let signed = approval::signed(platform, job)?.unwrap_or_default();
    let approval = Approval::decode(&signed.approval)?;
    let earlier: Option<v1::Disclosure> = platform.store.get(DISCLOSURES, job)?;
    let earlier = earlier.unwrap_or_default();
    Ok(Opened {
        before: account(platform, peer, &approval.social_lineage, Some(job))?,
        lineage: approval.social_lineage.to_vec(),
        dataset: platform.consent(job)?.dataset,
        expires_unix_ms: approval.expires_unix_ms,
        stocks: earlier.counters.unwrap_or_default().stocks,
        days: earlier.days,
    })
}

/// Counts round `round` as opened, on disk. Called before its answer leaves.
pub(crate) fn open(platform: &Platform, job: JobId, round: u32) -> Result<(), Fault> {
    if platform.state(&job.to_string()) != v1::JobState::Running {
        return Err(Fault::new(Reason::Cancelled, "the job has ended").at("job", job));
    }
    let (disclosure, cost, before, peer, opened, is_new) =
        platform.slot.with(job, |running| {
            // Of a stock: the round whose answer did not arrive, which was counted then.
            let again = round == running.openings && running.proposal.protocol.is_preprocessed();
            if (round != running.openings + 1 && !again) || round > running.proposal.rounds {
                let message = format!(
                    "opening {round} is due after {} of {} consented ones",
                    running.openings, running.proposal.rounds
                );
                return Err(Fault::new(Reason::BeyondConsent, message));
            }
            let mut opened = running.opened.clone();
            let columns = u64::from(round) * u64::from(running.proposal.columns());
            let counted_before: u64 = opened.days.iter().map(|day| day.columns).sum();
            // Nothing of a round that was counted already; of one that the stock alone has counted,
            // because the daemon ended in between, everything.
            let columns = columns.saturating_sub(counted_before);
            let rows = running.parameters.as_ref().map_or(0, |p| p.returned_rows);
            let mut all_days = opened.before.days.clone();
            opened
                .days
                .iter()
                .for_each(|day| counting::count_day(&mut all_days, *day));
            let now = v1::OpenedDay {
                day: counting::today(&all_days),
                columns,
                values: columns * u64::from(rows),
            };
            if columns > 0 {
                counting::count_day(&mut opened.days, now);
            }
            let disclosure = counted(running, round, &opened).disclosure(true);
            Ok((
                disclosure,
                cost_of(running),
                opened.before.clone(),
                running.peer.clone(),
                opened,
                columns > 0,
            ))
        })??;
    let name = job.to_string();
    if is_new {
        approval::not_expired(opened.expires_unix_ms)?;
        let account = counting::with_job(&before, &disclosure);
        limit(platform, &peer, &opened.dataset, &account)?;
        let counters = account.counters.unwrap_or_default();
        let entry = [
            ("job", name.as_str().into()),
            ("round", round.into()),
            ("columns", disclosure.opened_columns.into()),
            ("values", disclosure.opened_values.into()),
            ("lineage", opened.lineage.as_slice().into()),
            ("all_columns", counters.opened_columns.into()),
            ("all_values", counters.opened_values.into()),
            ("all_exact_values", counters.exact_values.into()),
            ("all_nano_rho", counters.nano_rho.into()),
        ];
        // The log first: it may say too much after a crash, never too little.
        platform.audit.record(Kind::Opening, entry)?;
    }
    platform.store.put_all(&[
        (DISCLOSURES, &name, disclosure.to_record()),
        (COSTS, &name, cost.to_record()),
    ])?;
    platform.slot.with(job, |running| {
        running.openings = round;
        running.opened = opened;
    })?;
    if is_new {
        observe::round_done();
    }
    Ok(())
}

/// Counts an upload as answered, on disk, before anything of the answer leaves: the first of a
/// job, and every further one. Each adds 2^-40 to what P0 could tell from a simulation.
pub(crate) fn answer_upload(platform: &Platform, job: JobId) -> Result<(), Fault> {
    let (disclosure, before, peer, opened) = platform.slot.with(job, |running| {
        let mut opened = running.opened.clone();
        opened.stocks = opened.stocks.saturating_add(1);
        let disclosure = counted(running, running.openings, &opened).disclosure(true);
        (
            disclosure,
            opened.before.clone(),
            running.peer.clone(),
            opened,
        )
    })?;
    let account = counting::with_job(&before, &disclosure);
    limit(platform, &peer, &opened.dataset, &account)?;
    let entry = [
        ("job", job.to_string().into()),
        ("number", opened.stocks.into()),
        ("all", account.counters.unwrap_or_default().stocks.into()),
    ];
    platform.audit.record(Kind::Stock, entry)?;
    platform
        .store
        .put(DISCLOSURES, &job.to_string(), &disclosure)?;
    platform.slot.with(job, |running| running.opened = opened)
}

/// Refuses what the policy's limits over days and over all jobs do not allow.
fn limit(
    platform: &Platform,
    peer: &str,
    dataset: &str,
    account: &v1::Account,
) -> Result<(), Fault> {
    let Some(policy) = platform.policy() else {
        return Ok(());
    };
    let Some(rule) = policy.rule(peer, dataset)? else {
        return Ok(());
    };
    let day = counting::today(&account.days);
    let today = account.days.iter().find(|opened| opened.day == day);
    rule.check_opened(account, today.copied().unwrap_or_default())
}

/// Refuses a job that could not make all of its openings, before anything of Y leaves: too few
/// users in common, or more values than are left.
pub(crate) fn whole_job_fits(
    platform: &Platform,
    job: JobId,
    parameters: &ProductParameters,
) -> Result<(), Fault> {
    let (whole, peer, opened) = platform.slot.with(job, |running| {
        let mut opened = running.opened.clone();
        let columns = u64::from(running.proposal.columns()) * u64::from(running.proposal.rounds);
        opened.stocks = opened.stocks.max(1);
        let now = v1::OpenedDay {
            day: counting::today(&opened.before.days),
            columns,
            values: columns * u64::from(parameters.returned_rows),
        };
        counting::count_day(&mut opened.days, now);
        let rounds = running.proposal.rounds;
        let mut counted = counted(running, rounds, &opened);
        counted.parameters = Some(parameters);
        let whole = counting::with_job(&opened.before, &counted.disclosure(true));
        (whole, running.peer.clone(), opened)
    })?;
    if let Some(policy) = platform.policy()
        && let Some(rule) = policy.rule(&peer, &opened.dataset)?
    {
        rule.check_overlap(parameters.users)?;
    }
    limit(platform, &peer, &opened.dataset, &whole)
}

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
        let of_job = counted(running, done, &running.opened).disclosure(true);
        let account = counting::with_job(&running.opened.before, &of_job);
        (account.counters.unwrap_or_default(), done)
    })?;
    let theirs = theirs.unwrap_or_default();
    ours.stocks = theirs.stocks;
    match as_counted(&ours, &theirs) {
        None => Ok(()),
        Some(difference) => {
            let message = format!(
                "the platforms' ledgers differ after {done} openings of this job: {difference}"
            );
            Err(Fault::new(Reason::LedgersDiffer, message).at("job", job))
        }
    }
}

/// What `peer` has been shown of a lineage over all jobs, one left out.
pub(crate) fn account(
    platform: &Platform,
    peer: &str,
    lineage: &[u8],
    except: Option<&str>,
) -> Result<v1::Account, Fault> {
    let stored = platform.store.list::<v1::Disclosure>(DISCLOSURES, "")?;
    let counted = stored.iter().filter(|(job, disclosure)| {
        disclosure.lineage == lineage && disclosure.peer == peer && Some(job.as_str()) != except
    });
    let disclosures = counted.map(|(_, disclosure)| disclosure);
    let mut account = counting::account(lineage, disclosures, Counters::default());
    account.peer = peer.into();
    account.peer_pin = platform.pins().0.to_vec();
    Ok(account)
}

/// The account of a data set's lineage with everything that was approved and not opened yet, and
/// with `proposal`; none for a data set that is not there. Values are not foreseen.
pub(crate) fn planned(
    platform: &Platform,
    peer: &str,
    dataset: &str,
    proposal: Option<&Proposal>,
) -> Result<Option<v1::Account>, Fault> {
    let Some(version) = versions::of(&platform.store, dataset)? else {
        return Ok(None);
    };
    let mut account = account(platform, peer, &version.lineage, None)?;
    let mut counters = account.counters.unwrap_or_default();
    let mut plan = |proposal: &Proposal, opened: Counters| {
        let columns = u64::from(proposal.rounds) * u64::from(proposal.columns());
        counters.opened_columns += columns.saturating_sub(opened.opened_columns);
        counters.stocks += u32::from(opened.stocks == 0);
    };
    for (job, consent) in platform.store.list::<v1::ProposalSummary>(CONSENTS, "")? {
        let approved = approval::signed(platform, &job)?.is_some();
        if !approved || consent.peer != peer || is_terminal(platform.state(&job)) {
            continue;
        }
        let of_dataset = versions::of(&platform.store, &consent.dataset)?.unwrap_or_default();
        if of_dataset.lineage == version.lineage {
            let opened: Option<v1::Disclosure> = platform.store.get(DISCLOSURES, &job)?;
            let opened = opened.and_then(|opened| opened.counters);
            plan(&platform.proposal(&job)?, opened.unwrap_or_default());
        }
    }
    if let Some(proposal) = proposal {
        plan(proposal, Counters::default());
    }
    account.counters = Some(counters);
    account.dataset = dataset.into();
    Ok(Some(account))
}

/// The accounts of one peer, by the lineages of the data sets that are here.
pub(crate) fn accounts(platform: &Platform, peer: &str) -> Result<Vec<v1::Account>, Fault> {
    let mut accounts: Vec<v1::Account> = Vec::new();
    for version in versions::all(&platform.store)? {
        if accounts
            .iter()
            .any(|known| known.lineage == version.lineage)
        {
            continue;
        }
        let mut account = account(platform, peer, &version.lineage, None)?;
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
    Ok(accounts)
}

fn counted<'a>(running: &'a Running, openings: u32, opened: &'a Opened) -> Counted<'a> {
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
    }
}

/// The disclosure of the running job so far.
pub(crate) fn disclosure(running: &Running) -> v1::Disclosure {
    counted(running, running.openings, &running.opened).disclosure(true)
}

fn bytes(count: Count) -> u64 {
    count.sent_bytes + count.received_bytes
}

/// Stores the cost of a job that has ended, and its last disclosure.
pub(crate) fn store_cost(platform: &Platform, running: &Running) -> Result<(), Fault> {
    let job = running.job.to_string();
    platform.store.put(COSTS, &job, &cost_of(running))?;
    let mut disclosure = disclosure(running);
    // What was counted once is never taken back, whatever a running job has lost of itself.
    if let Some(stored) = platform.store.get::<v1::Disclosure>(DISCLOSURES, &job)?
        && !contains(
            &disclosure.counters.unwrap_or_default(),
            &stored.counters.unwrap_or_default(),
        )
    {
        tracing::error!(job, "the running job counted less than is stored of it");
        disclosure = stored;
    }
    platform.store.put(DISCLOSURES, &job, &disclosure)?;
    let entry = [
        ("job", job.into()),
        ("openings", running.openings.into()),
        ("columns", disclosure.opened_columns.into()),
        ("values", disclosure.opened_values.into()),
        ("bytes", disclosure.bytes.into()),
        ("learnt", disclosure.statements.join("\n").into()),
    ];
    platform.audit.record(Kind::Disclosure, entry).map(drop)
}

/// What was counted of a job before this daemon's start.
pub(crate) fn counts(platform: &Platform, job: &str) -> Result<v1::JobCostResponse, Fault> {
    let counts: Option<v1::JobCostResponse> = platform.store.get(COSTS, job)?;
    Ok(counts.unwrap_or_default())
}

fn cost_of(running: &Running) -> v1::JobCostResponse {
    let parameters = running.parameters.as_ref();
    v1::JobCostResponse {
        job_id: running.job.to_string(),
        parameters: parameters.and_then(|parameters| parameters_to_wire(parameters).ok()),
        offline: Some(cost(&running.offline)),
        online: Some(cost(&running.online)),
        peak_rss_bytes: peak_rss_bytes(),
        common_users: running.common_users,
    }
}

/// A phase's cost in the words of the conversation.
pub(crate) fn cost(phase: &Phase) -> v1::Cost {
    let count = phase.count();
    v1::Cost {
        seconds: phase.seconds(),
        bytes_to_social: count.received_bytes,
        bytes_to_rating: count.sent_bytes,
        messages: count.messages,
    }
}
