//! The one door by which anything that depends on P1's links or ids leaves for P0. Whoever builds
//! such a message needs a [`Cleared`], and only this module makes one: when the approval and the
//! whole rule in force allow it, after it is on disk in the ledger and, with its sizes, in the
//! audit log. A crash in between counts too much, never too little. What is made of the links comes
//! to the door as [`Held`]: after its public time.
//!
//! | what leaves | counted as |
//! |---|---|
//! | P1's number of ids, masked ids, labels of P0's ids | an intersection, and the ids that P0 brings |
//! | bounds of Y over the common users, and who has links where the pattern policy shows it | an answer with bounds, and users shown |
//! | the salted commitment to Y | a commitment |
//! | answers to an upload, and private queries for its rows | an upload, both together |
//! | that friends' sums are agreed on | its sizes, in the audit log |
//! | the answer to an opening | an opening, its columns and values (`opening`) |

use s3rec_audit::{Kind, Value};
use s3rec_job::social::Permit;
use s3rec_job::{
    Account, AgreedParameters, Counters, JobDisclosure, JobId, OpenedDay, Proposal, Shown, counting,
};
use s3rec_node::process::now_unix_ms;
use s3rec_sparse::{BoundsRule, OperatorKind};
use s3rec_spmm::ReleasePolicy;
use s3rec_spmm::noise_first::guarantee::Mu;
use s3rec_wire::status::{Fault, Reason};

use crate::held::Held;
use crate::platform::Platform;
use crate::policy::{Standing, USUAL_MU_IN_ALL, asks_for_mu, is_beyond};
use crate::slot::{Opened, Running, superseded};
use crate::{approved, ledger};

/// What the log calls an agreement on an opening of friends' sums.
pub(crate) const AGREEMENT: &str = "agreement on friends' sums";

/// What is about to leave, before the openings.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Leaving {
    /// Masked ids, labels and their number, for that many ids of P0.
    Intersection { ids: u64 },
    /// Bounds of Y, L among them, and users of the pattern.
    Bounds { row_norm: u64, pattern_rows: u64 },
    /// The salted commitment to Y, under the agreed L.
    Commitment { row_norm: u64 },
    /// That parameters of friends' sums are agreed on: for whom, and over whom.
    Agreement {
        opened: u32,
        uploaded: u32,
        /// Of one-sided releases.
        all: Option<AllOpened>,
    },
    /// Answers to an upload, or queries for its rows: one upload, whichever leaves first.
    Upload { is_counted: bool },
}

/// Everybody who was opened of a lineage, with whoever is about to be: what the log witnesses of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AllOpened {
    pub(crate) count: u64,
    pub(crate) digest: [u8; 32],
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

/// Whether something might leave, before anything is read for it.
pub(crate) fn may_leave(
    platform: &Platform,
    job: JobId,
    epoch: u64,
    leaving: Leaving,
) -> Result<(), Fault> {
    foreseen(platform, job, epoch, leaving).map(drop)
}

fn foreseen(
    platform: &Platform,
    job: JobId,
    epoch: u64,
    leaving: Leaving,
) -> Result<Foreseen, Fault> {
    let foreseen = platform
        .slot
        .with(job, |running| match running.is_of(epoch) {
            true => Ok(foresee(running, leaving)),
            false => Err(superseded()),
        })??;
    evaluate(
        platform,
        &foreseen.proposal,
        &foreseen.peer,
        &foreseen.opened,
        foreseen.common_users,
        &foreseen.whole,
    )?;
    Ok(foreseen)
}

/// Permits, counts and logs what is about to leave of what was made of the links or ids, and
/// gives it out. `epoch` is the connection's: a call of an older one shows nothing.
pub(crate) fn clear<T>(
    platform: &Platform,
    job: JobId,
    epoch: u64,
    held: Held<T>,
    leaving: impl FnOnce(&T) -> Leaving,
) -> Result<(T, Cleared), Fault> {
    let made = held.into_inner();
    let leaving = leaving(&made);
    Ok((made, count(platform, job, epoch, leaving)?))
}

/// The same of answers to an upload, which are held by their channel.
pub(crate) fn clear_upload(
    platform: &Platform,
    job: JobId,
    epoch: u64,
    is_counted: bool,
) -> Result<Cleared, Fault> {
    count(platform, job, epoch, Leaving::Upload { is_counted })
}

fn count(platform: &Platform, job: JobId, epoch: u64, leaving: Leaving) -> Result<Cleared, Fault> {
    // From what is known of the job to what is stored of it, nobody else counts.
    let counting = platform.counting();
    let Foreseen {
        opened,
        disclosure,
        common_users,
        ..
    } = foreseen(platform, job, epoch, leaving)?;
    let all = counting::with_job(&opened.before, &disclosure);
    let (all_shown, all_stocks) = (all.shown.unwrap_or_default(), all.counters.stocks);
    let name = job.to_string();
    let (kind, mut entry): (_, Vec<(&str, Value)>) = match leaving {
        Leaving::Intersection { ids } => (
            Kind::Showing,
            vec![
                ("what", "intersection".into()),
                ("ids", ids.into()),
                ("all_ids", all_shown.ids_asked.into()),
                ("all_intersections", all_shown.intersections.into()),
            ],
        ),
        Leaving::Bounds { pattern_rows, .. } => (
            Kind::Showing,
            vec![
                ("what", "bounds".into()),
                ("users", common_users.unwrap_or(0).into()),
                ("pattern_rows", pattern_rows.into()),
                ("all_bounds", all_shown.bounds.into()),
                ("all_pattern_rows", all_shown.pattern_rows.into()),
            ],
        ),
        Leaving::Commitment { .. } => (
            Kind::Showing,
            vec![
                ("what", "commitment".into()),
                ("all_commitments", all_shown.commitments.into()),
            ],
        ),
        Leaving::Agreement {
            opened,
            uploaded,
            all,
        } => {
            let mut entry = vec![
                ("what", AGREEMENT.into()),
                ("opened", opened.into()),
                ("uploaded", uploaded.into()),
            ];
            if let Some(all) = all {
                entry.push(("all_opened", all.count.into()));
                entry.push(("opened_digest", all.digest.into()));
            }
            (Kind::Showing, entry)
        }
        Leaving::Upload { .. } => (
            Kind::Stock,
            vec![("number", opened.stocks.into()), ("all", all_stocks.into())],
        ),
    };
    entry.push(("job", name.as_str().into()));
    entry.push(("lineage", opened.lineage.as_slice().into()));
    // The log first: it may say too much after a crash, never too little.
    platform.audit.record(kind, entry)?;
    ledger::store(platform, &counting, disclosure, None)?;
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
        .and_then(AgreedParameters::row_norm_bound);
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
        Leaving::Agreement { .. } => {}
        Leaving::Upload { is_counted } => {
            opened.stocks = opened.stocks.saturating_add(u32::from(!is_counted));
        }
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

pub(crate) fn common_users(running: &Running) -> Option<u32> {
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
        ReleasePolicy::Friends(release) => (
            0,
            openings.saturating_mul(counting::friends_nano_rho(&release)),
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
    if let ReleasePolicy::Friends(release) = proposal.release {
        return counting::friends_nano_rho(&release).saturating_mul(proposal.rounds.into());
    }
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
pub(crate) fn evaluate(
    platform: &Platform,
    proposal: &Proposal,
    peer: &str,
    opened: &Opened,
    common_users: Option<u32>,
    of_job: &JobDisclosure,
) -> Result<(), Fault> {
    let job = proposal.job.to_string();
    platform.refuse_ended(&job)?;
    platform.refuse_unreconciled()?;
    let approval = approved::in_force(platform, &job)?;
    let account = counting::with_job(&opened.before, of_job);
    let consent = platform.consent(&job)?;
    let policy = platform.policy();
    let day = counting::today(&account.days, now_unix_ms());
    let today = account.days.iter().find(|opened| opened.day == day);
    let of_year = ledger::year_nano_rho(platform, &opened.lineage, &job, day)?;
    let year_nano_rho = of_year.saturating_add(of_job.counters.nano_rho);
    let mut is_ruled = false;
    // Under the name that it was proposed by, and the one that the caller has now: whichever of
    // its certificates the other platform calls with loosens nothing.
    let names = [consent.peer.as_str(), peer];
    let names = if peer == consent.peer {
        &names[..1]
    } else {
        &names
    };
    for name in names {
        let Some(rule) = policy
            .as_ref()
            .map(|policy| policy.rule(name, &opened.dataset))
            .transpose()?
            .flatten()
        else {
            continue;
        };
        is_ruled = true;
        rule.permits(&Standing {
            proposal,
            approved_unix_ms: approval.approved_unix_ms,
            bounds: approval.bounds.rule,
            common_users,
            account: &account,
            today: today.copied().unwrap_or_default(),
            year_nano_rho: Some(year_nano_rho),
        })?;
    }
    if let Some(policy) = &policy {
        let others = ledger::in_all(platform, Some(&job))?;
        policy.permits_in_all(&counting::with_job(&others, of_job))?;
    }
    match (is_ruled, consent.is_ruled) {
        (true, _) => Ok(()),
        (false, false) => within_configuration(platform, proposal, &account),
        (false, true) => {
            let message =
                "no rule of the policy is about this job any more; it was approved under one";
            Err(Fault::new(Reason::BeyondConsent, message).at("job", &job))
        }
    }
}

/// What holds where no rule limits set intersections.
fn within_configuration(
    platform: &Platform,
    proposal: &Proposal,
    account: &Account,
) -> Result<(), Fault> {
    let mu = counting::mu_of(account.counters.nano_rho).map_or(0.0, Mu::value);
    if asks_for_mu(proposal, account) && is_beyond(mu, USUAL_MU_IN_ALL) {
        let message = format!(
            "√Σμ² of all noised openings of this data would be {mu:.4}; without a policy it is at \
             most {USUAL_MU_IN_ALL}"
        );
        return Err(Fault::new(Reason::BeyondConsent, message)
            .at("field", "most_mu_in_all")
            .remedied_by("Ask the social platform's operators, whose policy may allow more."));
    }
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
