//! What P1's people state of their links, and what follows from it for the operator of a job.

use s3rec_data::ImportedLinks;
use s3rec_job::Proposal;
use s3rec_node::config::Limits;
use s3rec_node::datasets::Datasets;
use s3rec_sparse::{BoundsRule, OperatorBounds, PublicBounds, SocialOperator, StatedBounds};
use s3rec_spmm::fetch;
use s3rec_wire::status::{Fault, Reason};

use crate::imports::Links;
use crate::policy::{Policy, Rule};

/// A statement as an operator gives it with an approval; what is absent is the policy's, or the
/// configuration's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Given {
    pub(crate) degree: Option<u32>,
    pub(crate) links: Option<u64>,
    pub(crate) rule: Option<BoundsRule>,
}

/// What is stated of a data set, which must be true of all of it. A fault is for the people here:
/// it names what the links come to.
pub(crate) fn stated(
    (datasets, limits): (&Datasets<Links>, &Limits),
    dataset: &str,
    rule: Option<&Rule>,
    given: Given,
) -> Result<PublicBounds, Fault> {
    let report = datasets.imported(dataset)?;
    let otherwise = rule.map_or_else(|| configured(limits, &report), Rule::bounds);
    let bounds = PublicBounds {
        stated: StatedBounds {
            degree: given.degree.unwrap_or(otherwise.stated.degree),
            links: given.links.unwrap_or(otherwise.stated.links),
        },
        rule: given.rule.unwrap_or(otherwise.rule),
    };
    holds(&bounds.stated, dataset, &report).map(|()| bounds)
}

/// What is approved by itself shows, by whether it is approved, whether the links keep what is stated
/// of them. So none does where they do not: neither such links nor such a policy are taken.
pub(crate) fn approves_by_itself(
    policy: Option<&Policy>,
    dataset: &str,
    imported: &ImportedLinks,
) -> Result<(), Fault> {
    let rules = policy.into_iter().flat_map(|policy| policy.approving());
    rules
        .filter(|rule| rule.dataset == dataset)
        .try_for_each(|rule| holds(&rule.bounds().stated, dataset, imported))
}

/// The same of all data sets that are here.
pub(crate) fn all_approve_by_themselves(
    datasets: &Datasets<Links>,
    policy: Option<&Policy>,
) -> Result<(), Fault> {
    let rules = policy.into_iter().flat_map(|policy| policy.approving());
    for rule in rules {
        match datasets.imported(&rule.dataset) {
            Ok(report) => holds(&rule.bounds().stated, &rule.dataset, &report)?,
            Err(fault) if fault.reason == Reason::NotFound => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

/// Whether all of a data set keeps what is stated.
fn holds(stated: &StatedBounds, dataset: &str, imported: &ImportedLinks) -> Result<(), Fault> {
    let (degree, links) = (imported.largest_degree, imported.report.links as u64);
    if degree == 0 && links > 0 {
        let message = format!(
            "the data set {dataset:?} was imported by a version that did not count degrees"
        );
        return Err(Fault::new(Reason::WrongState, message)
            .remedied_by("Import the links again, under the same name."));
    }
    if stated.hold(degree, links) {
        return Ok(());
    }
    let message = format!(
        "the data set {dataset:?} has {links} links and a user with {degree} of them; what is \
         stated is at most {} links and {} of one user",
        stated.links, stated.degree
    );
    Err(Fault::new(Reason::LimitExceeded, message)
        .at("field", "bounds")
        .remedied_by(
            "State more, with room for links to come: --degree-bound and --links-bound of \
             `s3rec social approve`, degree_bound and links_bound of the policy's rule, or \
             limits.degree_bound and limits.links_per_user. The other platform learns what is \
             stated, and nothing of this error.",
        ))
}

/// Without a policy: by the configuration and the number of users in the data set, which P0
/// learns anyway.
fn configured(limits: &Limits, imported: &ImportedLinks) -> PublicBounds {
    PublicBounds {
        stated: StatedBounds {
            degree: limits.degree_bound.max(1),
            links: (imported.report.users as u64)
                .saturating_mul(limits.links_per_user.into())
                .max(1),
        },
        rule: BoundsRule::Stated,
    }
}

/// Refuses a product that is larger than the configuration allows, before anything is read for it.
pub(crate) fn within_product_values(
    limits: &Limits,
    proposal: &Proposal,
    users: u32,
) -> Result<(), Fault> {
    let values = u64::from(users) * u64::from(proposal.columns());
    let most = limits.product_values;
    if values <= most {
        return Ok(());
    }
    let message = format!(
        "the product has {values} values; limits.product_values of the social platform is {most}"
    );
    Err(Fault::new(Reason::LimitExceeded, message))
}

/// The public bounds of a job's operator. Only the ladder looks at it.
pub(crate) fn of_operator(bounds: &PublicBounds, operator: &SocialOperator) -> OperatorBounds {
    let users = u32::try_from(operator.users()).unwrap_or(u32::MAX);
    match bounds.rule {
        BoundsRule::Stated => bounds.stated.bounds(operator.kind(), users),
        BoundsRule::Ladder => OperatorBounds {
            row_norm: operator.row_norm_bound(),
            nonzeros: operator.nonzeros_bound(),
            linked_to: fetch::rows_bound_of(operator),
        },
    }
}
