//! The one door by which anything that depends on P1's links or ids leaves for P0. Whoever builds
//! such a message needs a [`Cleared`], and only this module makes one: when the approval and the
//! whole rule in force allow it, after it is on disk in the ledger and, with its sizes, in the
//! audit log. A crash in between counts too much, never too little.
//!
//! | what leaves | counted as |
//! |---|---|
//! | P1's number of ids, masked ids, labels of P0's ids | an intersection, and the ids that P0 brings |
//! | bounds of Y over the common users, and who has links where the pattern policy shows it | an answer with bounds, and users shown |
//! | the salted commitment to Y | a commitment |
//! | answers to an upload, and private queries | an upload |
//! | the answer to an opening | an opening, its columns and values ([`Opening`]) |

use std::sync::Arc;

use s3rec_audit::Kind;
use s3rec_job::social::Permit;
use s3rec_job::{Account, Counters, JobDisclosure, JobId, OpenedDay, Proposal, Shown, counting};
use s3rec_node::observe;
use s3rec_node::process::now_unix_ms;
use s3rec_node::rows::Row;
use s3rec_sparse::{BoundsRule, OperatorKind};
use s3rec_spmm::{Admission, Asked, ReleasePolicy, SpmmError};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;

use crate::platform::Platform;
use crate::policy::Standing;
use crate::session::{Opened, Running, superseded};
use crate::tables::{COSTS, DISCLOSURES};
use crate::{approved, ledger};

/// What is about to leave, before the openings.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Leaving {
    /// Masked ids, labels and their number, for that many ids of P0.
    Intersection { ids: u64 },
    /// Bounds of Y, L among them, and users of the pattern.
    Bounds { row_norm: u64, pattern_rows: u64 },
    /// The salted commitment to Y, under the agreed L.
    Commitment { row_norm: u64 },
    /// Answers to an upload, or queries for its rows.
    Upload,
}

/// Proof that something was permitted, counted and logged before it leaves.
#[derive(Debug)]
#[must_use = "what was cleared is to leave now"]
pub(crate) struct Cleared(());

impl Permit for Cleared {}

/// Whether a job may begin, or begin again, with what is known of it.
pub(crate) fn may_begin(
    platform: &Platform,
    proposal: &Proposal,
    peer: &str,
    opened: &Opened,
    common_users: Option<u32>,
) -> Result<(), Fault> {
    let whole = whole(proposal, opened, common_users, None);
    evaluate(platform, proposal, peer, opened, common_users, &whole)
}

/// Whether a running job may go on with what is known of it now, above all its common users.
pub(crate) fn may_go_on(platform: &Platform, job: JobId) -> Result<(), Fault> {
    let (proposal, peer, opened, common_users) = platform.slot.with(job, |running| {
        (
            running.proposal.clone(),
            running.peer.clone(),
            running.opened.clone(),
            common_users(running),
        )
    })?;
    may_begin(platform, &proposal, &peer, &opened, common_users)
}

/// Permits, counts and logs what is about to leave.
pub(crate) fn clear(platform: &Platform, job: JobId, leaving: Leaving) -> Result<Cleared, Fault> {
    let foreseen = platform
        .slot
        .with(job, |running| foresee(running, leaving))?;
    let Foreseen {
        opened,
        disclosure,
        whole,
        peer,
        proposal,
        common_users,
    } = foreseen;
    evaluate(platform, &proposal, &peer, &opened, common_users, &whole)?;
    let all = counting::with_job(&opened.before, &disclosure);
    let (all_shown, all_stocks) = (all.shown.unwrap_or_default(), all.counters.stocks);
    let name = job.to_string();
    let of_job = ("job", name.as_str().into());
    let lineage = ("lineage", opened.lineage.as_slice().into());
    // The log first: it may say too much after a crash, never too little.
    match leaving {
        Leaving::Intersection { ids } => platform.audit.record(
            Kind::Showing,
            [
                of_job,
                lineage,
                ("what", "intersection".into()),
                ("ids", ids.into()),
                ("all_ids", all_shown.ids_asked.into()),
                ("all_intersections", all_shown.intersections.into()),
            ],
        ),
        Leaving::Bounds { pattern_rows, .. } => platform.audit.record(
            Kind::Showing,
            [
                of_job,
                lineage,
                ("what", "bounds".into()),
                ("users", common_users.unwrap_or(0).into()),
                ("pattern_rows", pattern_rows.into()),
                ("all_bounds", all_shown.bounds.into()),
                ("all_pattern_rows", all_shown.pattern_rows.into()),
            ],
        ),
        Leaving::Commitment { .. } => platform.audit.record(
            Kind::Showing,
            [
                of_job,
                lineage,
                ("what", "commitment".into()),
                ("all_commitments", all_shown.commitments.into()),
            ],
        ),
        Leaving::Upload => platform.audit.record(
            Kind::Stock,
            [
                of_job,
                ("number", opened.stocks.into()),
                ("all", all_stocks.into()),
            ],
        ),
    }?;
    platform.store.put(DISCLOSURES, &name, &disclosure)?;
    platform.slot.with(job, |running| running.opened = opened)?;
    Ok(Cleared(()))
}

/// A job with what is about to leave.
struct Foreseen {
    opened: Opened,
    /// What will be stored of it.
    disclosure: JobDisclosure,
    /// What it would come to as a whole.
    whole: JobDisclosure,
    peer: String,
    proposal: Proposal,
    common_users: Option<u32>,
}

fn foresee(running: &Running, leaving: Leaving) -> Foreseen {
    let mut opened = running.opened.clone();
    let mut more = Shown::default();
    let mut row_norm = running
        .parameters
        .as_ref()
        .map(|agreed| agreed.row_norm_bound);
    match leaving {
        Leaving::Intersection { ids } => (more.intersections, more.ids_asked) = (1, ids),
        Leaving::Bounds {
            row_norm: bound,
            pattern_rows,
        } => {
            (more.bounds, more.pattern_rows) = (1, pattern_rows);
            row_norm = Some(bound);
        }
        Leaving::Commitment { row_norm: bound } => {
            more.commitments = 1;
            row_norm = Some(bound);
        }
        Leaving::Upload => opened.stocks = opened.stocks.saturating_add(1),
    }
    opened.shown = opened.shown.plus(&more);
    let common_users = common_users(running);
    Foreseen {
        disclosure: ledger::counted(running, running.openings, &opened)
            .disclosure(true, now_unix_ms()),
        whole: whole(&running.proposal, &opened, common_users, row_norm),
        opened,
        peer: running.peer.clone(),
        proposal: running.proposal.clone(),
        common_users,
    }
}

fn common_users(running: &Running) -> Option<u32> {
    let overlap = running.overlap?;
    Some(u32::try_from(overlap.common_users).unwrap_or(u32::MAX))
}

/// All that the job comes to when every opening is made, each of a value for every common user.
fn whole(
    proposal: &Proposal,
    opened: &Opened,
    common_users: Option<u32>,
    row_norm: Option<u64>,
) -> JobDisclosure {
    let openings = u64::from(proposal.rounds);
    let columns = openings.saturating_mul(proposal.columns().into());
    let values = columns.saturating_mul(common_users.unwrap_or(0).into());
    let (exact_values, nano_rho) = match proposal.release {
        ReleasePolicy::Noised { .. } => (
            0,
            planned_nano_rho(proposal, opened, common_users, row_norm),
        ),
        ReleasePolicy::Exact | ReleasePolicy::Coarse { .. } => (values, 0),
    };
    JobDisclosure {
        counters: Counters {
            jobs: 1,
            openings,
            opened_columns: columns,
            opened_values: values,
            exact_values,
            nano_rho,
            stocks: opened.stocks.max(1),
        },
        shown: Some(opened.shown),
        days: vec![OpenedDay {
            day: counting::today(&opened.before.days, now_unix_ms()),
            columns,
            values,
        }],
        ..JobDisclosure::default()
    }
}

fn planned_nano_rho(
    proposal: &Proposal,
    opened: &Opened,
    common_users: Option<u32>,
    row_norm: Option<u64>,
) -> u64 {
    let users = common_users.unwrap_or(proposal.terms.most_common_users);
    let stated = opened.bounds.stated.bounds(proposal.operator, users);
    let row_norm = match (row_norm, opened.bounds.rule) {
        (Some(bound), _) => Some(bound),
        (None, BoundsRule::Stated) => Some(stated.row_norm),
        (None, BoundsRule::Ladder) => None,
    };
    nano_rho(proposal, row_norm)
}

/// ρ of all openings of a job in units of 10⁻⁹; 0 without noise, and for an operator whose ρ
/// depends on a bound that is not known yet.
pub(crate) fn nano_rho(proposal: &Proposal, row_norm: Option<u64>) -> u64 {
    let ReleasePolicy::Noised {
        sigma,
        row_norm_beta,
        ..
    } = proposal.release
    else {
        return 0;
    };
    let one = match (row_norm, proposal.operator) {
        (None, OperatorKind::NormalizedLaplacian) => return 0,
        (bound, kind) => counting::nano_rho(kind, bound.unwrap_or(1), row_norm_beta, sigma),
    };
    one.saturating_mul(proposal.rounds.into())
}

/// The approval and the whole rule in force, asked in this one place: before a job begins, when
/// the platforms agree, and before whatever leaves. `of_job` is what the job comes to with it.
fn evaluate(
    platform: &Platform,
    proposal: &Proposal,
    peer: &str,
    opened: &Opened,
    common_users: Option<u32>,
    of_job: &JobDisclosure,
) -> Result<(), Fault> {
    let approval = approved::in_force(platform, &proposal.job.to_string())?;
    let account = counting::with_job(&opened.before, of_job);
    let policy = platform.policy();
    let rule = match &policy {
        Some(policy) => policy.rule(peer, &opened.dataset)?,
        None => None,
    };
    let Some(rule) = rule else {
        return within_configuration(platform, &account);
    };
    let day = counting::today(&account.days, now_unix_ms());
    let today = account.days.iter().find(|opened| opened.day == day);
    let standing = Standing {
        proposal,
        approved_unix_ms: approval.approved_unix_ms,
        bounds: approval.bounds.rule,
        common_users,
        account: &account,
        today: today.copied().unwrap_or_default(),
    };
    Ok(rule.permits(&standing)?)
}

/// What holds where no rule limits set intersections.
fn within_configuration(platform: &Platform, account: &Account) -> Result<(), Fault> {
    let (limits, shown) = (&platform.limits, account.shown.unwrap_or_default());
    let asked = [
        (
            "intersections",
            u64::from(shown.intersections),
            u64::from(limits.intersections),
        ),
        ("ids_asked", shown.ids_asked, limits.ids_asked),
    ];
    match asked.into_iter().find(|(_, is, most)| is > most) {
        None => Ok(()),
        Some((name, would, most)) => {
            let message = format!(
                "limits.{name} = {most} of the social platform would be exceeded over all jobs: {would}"
            );
            Err(Fault::new(Reason::BeyondConsent, message)
                .at("field", name)
                .remedied_by("Ask the social platform's operators, who set the limit."))
        }
    }
}

/// P1's word on the input of one round: the answer to it is an opening.
pub(crate) struct Opening {
    platform: Arc<Platform>,
    job: JobId,
    /// Of the exchange's header, from 1.
    round: u32,
    /// Of the connection: what an older one asks for is not answered.
    epoch: u64,
}

impl Opening {
    pub(crate) fn new(platform: &Arc<Platform>, job: JobId, round: u32, epoch: u64) -> Self {
        Self {
            platform: Arc::clone(platform),
            job,
            round,
            epoch,
        }
    }

    fn contradicts(&self, what: &str, of: u32) -> Fault {
        let message = format!(
            "the exchange is for round {}, the {what} is of round {of}",
            self.round
        );
        Fault::new(Reason::Contradiction, message).at("round", self.round)
    }

    /// What the job comes to with this opening, and whether it is counted already.
    fn foresee(&self, asked: &Asked) -> Result<(ForeseenOpening, bool), Fault> {
        self.platform.slot.with(self.job, |running| {
            if !running.is_of(self.epoch) {
                return Err(superseded());
            }
            if asked.number > running.proposal.rounds {
                let message = format!(
                    "opening {} exceeds the {} consented to",
                    asked.number, running.proposal.rounds
                );
                return Err(Fault::new(Reason::BeyondConsent, message));
            }
            let mut opened = running.opened.clone();
            let counted_before: u64 = opened.days.iter().map(|day| day.columns).sum();
            let columns = u64::from(asked.number) * u64::from(running.proposal.columns());
            // Of a round that the stock alone has on record, because the daemon ended in
            // between, everything is counted now.
            let columns = columns.saturating_sub(counted_before);
            let rows = running.parameters.as_ref().map_or(0, |p| p.returned_rows);
            let mut all_days = opened.before.days.clone();
            let days = opened.days.iter();
            days.for_each(|day| counting::count_day(&mut all_days, *day));
            let now = OpenedDay {
                day: counting::today(&all_days, now_unix_ms()),
                columns,
                values: columns * u64::from(rows),
            };
            if columns > 0 {
                counting::count_day(&mut opened.days, now);
            }
            let disclosure =
                ledger::counted(running, asked.number, &opened).disclosure(true, now_unix_ms());
            let foreseen = ForeseenOpening {
                disclosure,
                opened,
                cost: ledger::cost_of(running),
                peer: running.peer.clone(),
                proposal: running.proposal.clone(),
                common_users: common_users(running),
            };
            Ok((foreseen, asked.is_repeat && columns == 0))
        })?
    }

    fn may(&self, asked: &Asked) -> Result<(), Fault> {
        if self.platform.state(&self.job.to_string()) != v1::JobState::Running {
            return Err(Fault::new(Reason::Cancelled, "the job has ended").at("job", self.job));
        }
        if asked.number != self.round {
            return Err(self.contradicts("record's next opening", asked.number));
        }
        let (foreseen, is_counted) = self.foresee(asked)?;
        // The recorded message, byte for byte, and counted: its answer shows nothing new.
        if is_counted {
            return Ok(());
        }
        let ForeseenOpening {
            disclosure,
            opened,
            peer,
            proposal,
            common_users,
            ..
        } = foreseen;
        let platform = &self.platform;
        evaluate(
            platform,
            &proposal,
            &peer,
            &opened,
            common_users,
            &disclosure,
        )
    }

    fn enter(&self, asked: &Asked) -> Result<(), Fault> {
        let (foreseen, is_counted) = self.foresee(asked)?;
        let ForeseenOpening {
            disclosure,
            opened,
            cost,
            ..
        } = foreseen;
        let (platform, name) = (&self.platform, self.job.to_string());
        if !is_counted {
            let all = counting::with_job(&opened.before, &disclosure);
            let counters = all.counters;
            let entry = [
                ("job", name.as_str().into()),
                ("round", asked.number.into()),
                ("message", asked.digest.into()),
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
            (DISCLOSURES, &name, disclosure.to_row()),
            (COSTS, &name, cost.to_row()),
        ])?;
        platform.slot.with(self.job, |running| {
            running.openings = asked.number;
            running.opened = opened;
        })?;
        if !is_counted {
            observe::round_done();
        }
        Ok(())
    }
}

struct ForeseenOpening {
    disclosure: JobDisclosure,
    opened: Opened,
    cost: v1::JobCostResponse,
    peer: String,
    proposal: Proposal,
    common_users: Option<u32>,
}

impl Admission for Opening {
    fn named(&mut self, round: u32) -> Result<(), SpmmError> {
        match round.checked_add(1) {
            Some(of) if of == self.round => Ok(()),
            of => Err(refused(self.contradicts("input", of.unwrap_or(round)))),
        }
    }

    fn permit(&mut self, asked: &Asked) -> Result<(), SpmmError> {
        self.may(asked).map_err(refused)
    }

    fn count(&mut self, asked: &Asked) -> Result<(), SpmmError> {
        self.enter(asked).map_err(refused)
    }
}

fn refused(fault: Fault) -> SpmmError {
    SpmmError::Refused(Box::new(fault))
}
