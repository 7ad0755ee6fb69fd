//! Takes proposals in, for the people here to decide on.

use s3rec_audit::Kind;
use s3rec_node::journal::is_terminal;
use s3rec_node::offer;
use s3rec_node::process::now_unix_ms;
use s3rec_wire::convert::Proposal;
use s3rec_wire::record::Record;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::{JobState, Phase};

use crate::approval;
use crate::consent;
use crate::platform::{CONSENTS, PROPOSALS, Platform};

/// Stores a proposal; the same one again is answered alike.
pub(crate) fn receive(
    platform: &Platform,
    proposal: &Proposal,
    message: &v1::PeerProposal,
    peer: String,
) -> Result<JobState, Fault> {
    let job = proposal.job.to_string();
    offer::check(proposal)?;
    approval::not_expired(proposal.terms.expires_unix_ms)?;
    if let Some(known) = platform.store.get::<v1::PeerProposal>(PROPOSALS, &job)? {
        if known == *message {
            return Ok(platform.state(&job));
        }
        let message = "another proposal has this job's id";
        return Err(Fault::new(Reason::Contradiction, message).at("job", job));
    }
    let stored = platform.store.list::<v1::ProposalSummary>(CONSENTS, "")?;
    let open = stored
        .iter()
        .filter(|(job, _)| !is_terminal(platform.state(job)))
        .count();
    if open >= platform.limits.open_jobs as usize {
        let message = format!("{open} proposals are open, which is the limit");
        return Err(Fault::new(Reason::LimitExceeded, message));
    }
    let consent = v1::ProposalSummary {
        job_id: job.clone(),
        peer,
        purpose: proposal.purpose.clone(),
        model: message.model,
        protocol: message.protocol,
        pattern_policy: message.pattern_policy,
        release_policy: message.release_policy,
        last_event: None,
        created_unix_ms: now_unix_ms(),
        warnings: consent::warnings(proposal),
        dataset: String::new(),
        accounts: Vec::new(),
        policy: String::new(),
        expires_unix_ms: proposal.terms.expires_unix_ms,
    };
    let entry = [
        ("job", job.as_str().into()),
        ("peer", consent.peer.as_str().into()),
        ("proposal", message.to_record().into()),
    ];
    platform.audit.record(Kind::Proposal, entry)?;
    platform.store.put(PROPOSALS, &job, message)?;
    platform.store.put(CONSENTS, &job, &consent)?;
    platform.journal.record(v1::JobEvent {
        job_id: job.clone(),
        state: JobState::Proposed.into(),
        phase: Phase::Consent.into(),
        rounds: proposal.rounds,
        waiting_for: v1::Role::Social.into(),
        message: "Waiting for the decision of the social platform's operator.".into(),
        ..v1::JobEvent::default()
    })?;
    approval::by_policy(platform, &job, proposal)?;
    Ok(platform.state(&job))
}
