//! What is spent of every limit over all jobs, and what a proposal would take on top.

use s3rec_job::counting::mu_of;
use s3rec_job::{Account, Proposal};
use s3rec_node::versions;
use s3rec_spmm::noise_first::guarantee::Mu;
use s3rec_wire::status::Fault;

use crate::bounds::{self, Given};
use crate::platform::Platform;
use crate::policy::{USUAL_MU_IN_ALL, asks_for_mu};
use crate::{consented, ledger};

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Columns,
    Values,
    Uploads,
    Rho,
    Epsilon,
    Mu,
    Intersections,
    IdsAsked,
}

/// One limit and what is spent of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Budget {
    pub(crate) limit: Limit,
    pub(crate) spent: f64,
    /// With everything that is approved, and the proposal where it is about one.
    pub(crate) planned: f64,
    pub(crate) most: f64,
}

/// The budgets of every data set that is here, by its name, and of all together; `peer` selects the
/// rules.
pub(crate) fn of(
    platform: &Platform,
    peer: &str,
    proposal: Option<&Proposal>,
) -> Result<Vec<(String, Budget)>, Fault> {
    let mut all = Vec::new();
    let mut together = None;
    for version in versions::all(&platform.store)? {
        let dataset = version.dataset;
        let policy = platform.policy();
        let rule = match &policy {
            // Nothing may be shown of it: there is no budget.
            Some(policy) => match policy.rule(peer, &dataset) {
                Ok(rule) => rule,
                Err(_) => continue,
            },
            None => None,
        };
        let now = ledger::account(platform, &version.lineage, None)?;
        // Links that do not keep what is stated of them cannot be approved as they are.
        let stated = bounds::stated(
            (&platform.datasets, &platform.limits),
            &dataset,
            rule,
            Given::default(),
        )
        .ok();
        let asked = proposal.zip(stated.as_ref());
        let Some(planned) = consented::planned(platform, &dataset, asked)? else {
            continue;
        };
        let budgets = match rule {
            Some(rule) => rule.budgets(&now, &planned.of_data),
            None => usual(platform, &now, &planned.of_data, proposal),
        };
        all.extend(budgets.into_iter().map(|budget| (dataset.clone(), budget)));
        together = Some(planned.of_all);
    }
    let policy = platform.policy();
    let limits = policy.as_ref().and_then(|policy| policy.in_all());
    if let Some((limits, planned)) = limits.zip(together) {
        let now = ledger::in_all(platform, None)?;
        let budgets = limits.budgets(&now, &planned).into_iter();
        all.extend(budgets.map(|budget| (now.dataset.clone(), budget)));
    }
    Ok(all)
}

/// Without a rule: what the configuration limits, and √Σμ² where friends' sums are among what is
/// opened.
fn usual(
    platform: &Platform,
    now: &Account,
    planned: &Account,
    proposal: Option<&Proposal>,
) -> Vec<Budget> {
    let mu = |account: &Account| mu_of(account.counters.nano_rho).map_or(0.0, Mu::value);
    let is_limited =
        planned.has_friends || proposal.is_some_and(|proposal| asks_for_mu(proposal, planned));
    let mut budgets = Vec::new();
    if is_limited {
        budgets.push(Budget {
            limit: Limit::Mu,
            spent: mu(now),
            planned: mu(planned),
            most: USUAL_MU_IN_ALL,
        });
    }
    let shown = now.shown.unwrap_or_default();
    let limits = &platform.limits;
    for (limit, spent, most) in [
        (
            Limit::Intersections,
            u64::from(shown.intersections),
            u64::from(limits.intersections),
        ),
        (Limit::IdsAsked, shown.ids_asked, limits.ids_asked),
    ] {
        budgets.push(Budget {
            limit,
            spent: spent as f64,
            planned: spent as f64,
            most: most as f64,
        });
    }
    budgets
}
