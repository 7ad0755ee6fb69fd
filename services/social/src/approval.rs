//! Consent as a signature: by an operator's hand or by the policy, for one proposal exactly as
//! it stands, until it ends, and for the data as they are now.

use s3rec_audit::Kind;
use s3rec_job::{Approval, JobState, Phase, Proposal, SignedApproval};
use s3rec_node::alignment::same_rule;
use s3rec_node::audit::APPROVAL_LABEL;
use s3rec_node::datasets::DatasetName;
use s3rec_node::process::now_unix_ms;
use s3rec_node::rows::Row;
use s3rec_node::versions::binding;
use s3rec_spmm::ReleasePolicy;
use s3rec_spmm::noise_first::guarantee::Unstated;
use s3rec_wire::convert::approval_to_bytes;
use s3rec_wire::status::{Fault, Reason};

use crate::approved::not_expired;
use crate::bounds::{self, Given};
use crate::platform::Platform;
use crate::policy::{Standing, Verdict};
use crate::tables::{APPROVALS, CONSENTS};
use crate::{consented, ledger};

/// Signs the consent to a proposal that waits for it. `latest_end` 0 leaves the end to the
/// proposal and the policy; `given` is what is stated of the links. `by` is who decided, for our
/// own log only.
pub(crate) fn give(
    platform: &Platform,
    job: &str,
    dataset: &str,
    latest_end: i64,
    given: Given,
    by: &str,
) -> Result<(), Fault> {
    platform.refuse_unreconciled()?;
    let _one_at_a_time = platform.deciding();
    let proposal = platform.proposal(job)?;
    if platform.state(job) != JobState::Proposed {
        let state = platform.state(job);
        let message = format!("the proposal is {} already", state.name());
        return Err(Fault::new(Reason::WrongState, message).at("job", job));
    }
    let end = match latest_end {
        0 => proposal.terms.expires_unix_ms,
        given => given.min(proposal.terms.expires_unix_ms),
    };
    let mut consent = platform.consent(job)?;
    let id_rule = platform.datasets.id_rule(dataset)?;
    same_rule(&proposal.id_rule, id_rule.name())?;
    let policy = platform.policy();
    let rule = match &policy {
        Some(policy) => policy.rule(&consent.peer, dataset)?,
        None => None,
    };
    let bounds = bounds::stated((&platform.datasets, &platform.limits), dataset, rule, given)?;
    if let ReleasePolicy::Friends(_) = proposal.release {
        // What is promised of friends' sums would be false beside it.
        Unstated::check(proposal.pattern, bounds.rule).map_err(|unstated| {
            Fault::new(Reason::Unsupported, unstated.to_string())
                .at("field", "bounds")
                .remedied_by("Approve it with bounds that are stated.")
        })?;
    }
    let planned = consented::planned(platform, dataset, Some((&proposal, &bounds)))?;
    let planned = planned.ok_or_else(|| no_version(dataset))?;
    if let Some(rule) = rule {
        rule.permits(&Standing::planned(&proposal, bounds.rule, &planned.of_data))?;
    }
    if let Some(policy) = &policy {
        policy.permits_in_all(&planned.of_all)?;
    }
    let end = rule.map_or(end, |rule| end.min(rule.latest_end()));
    not_expired(end)?;

    // The job keeps these links, whatever is imported later.
    let name = DatasetName::parse(dataset)?;
    let copy = platform.datasets.copy(&name, proposal.job)?;
    let version = &copy.version;
    let before = ledger::account(platform, &version.lineage, Some(job))?;
    let (social_commitment, social_lineage) = binding(version)?;
    let (rating_pin, social_pin) = platform.pins();
    let approval = Approval {
        social_commitment,
        social_lineage,
        approved_unix_ms: now_unix_ms(),
        expires_unix_ms: end,
        rating_pin,
        social_pin,
        before: before.counters,
        bounds,
        proposal,
    };
    let approval = approval_to_bytes(&approval);
    let signature = platform.audit.sign(APPROVAL_LABEL, &approval);
    let entry = [
        ("job", job.into()),
        ("decision", "approved".into()),
        ("by", by.into()),
        ("dataset", dataset.into()),
        ("approval", approval.as_slice().into()),
        ("signature", signature.into()),
    ];
    platform.audit.record(Kind::Decision, entry)?;
    let signed = SignedApproval {
        approval,
        signature: signature.to_vec(),
    };
    consent.dataset = dataset.into();
    consent.is_ruled = rule.is_some();
    platform.store.put_all(&[
        (APPROVALS, job, signed.to_row()),
        (CONSENTS, job, consent.to_row()),
    ])?;
    copy.keep();
    let message = "Approved by the social platform.";
    platform.advance(job, JobState::Approved, Phase::Consent, message)?;
    if !platform.journal.is_open(job) {
        // The other platform took it back meanwhile, when there was no copy to release yet.
        platform.datasets.release(job);
    }
    tracing::info!(job, by, "approved");
    Ok(())
}

/// Lets the policy decide on a proposal that has just come.
pub(crate) fn by_policy(platform: &Platform, job: &str, proposal: &Proposal) -> Result<(), Fault> {
    let Some(policy) = platform.policy() else {
        return Ok(());
    };
    match verdict(platform, job, proposal)? {
        Verdict::Ask => Ok(()),
        Verdict::Approve { dataset } => {
            let id_rule = platform.datasets.id_rule(&dataset)?;
            same_rule(&proposal.id_rule, id_rule.name())?;
            // Whatever else stands against it is about our data or disk: it waits for people
            // here, and the other platform hears nothing of why.
            if let Err(fault) = give(platform, job, &dataset, 0, Given::default(), "policy") {
                tracing::warn!(job, "the policy approves it, but: {}", fault.advice());
            }
            Ok(())
        }
        Verdict::Deny { why } => {
            let path = policy.path.display().to_string();
            let entry = [
                ("job", job.into()),
                ("decision", "rejected".into()),
                ("by", "policy".into()),
                ("policy", path.into()),
                ("reason", why.as_str().into()),
            ];
            platform.audit.record(Kind::Decision, entry)?;
            let message = format!("The social platform's policy: {why}.");
            let _one_at_a_time = platform.deciding();
            if platform.state(job) != JobState::Proposed {
                return Ok(());
            }
            platform.advance(job, JobState::Rejected, Phase::Consent, message)
        }
    }
}

/// What the policy in force says to a proposal; people decide where there is none.
pub(crate) fn verdict(
    platform: &Platform,
    job: &str,
    proposal: &Proposal,
) -> Result<Verdict, Fault> {
    let peer = platform.consent(job)?.peer;
    let Some(policy) = platform.policy() else {
        return Ok(Verdict::Ask);
    };
    policy.judge(&peer, proposal, |dataset, bounds| {
        consented::planned(platform, dataset, Some((proposal, bounds)))
    })
}

fn no_version(dataset: &str) -> Fault {
    let message = format!("there is no data set {dataset:?}");
    Fault::new(Reason::NotFound, message)
        .at("field", "dataset")
        .remedied_by("Import the links again: this version commits to what it imports.")
}
