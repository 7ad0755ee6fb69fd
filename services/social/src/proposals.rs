//! Takes proposals in, for the people here to decide on.

use s3rec_audit::Kind;
use s3rec_job::{Consent, JobDisclosure, JobEvent, JobState, Party, Phase, Proposal};
use s3rec_node::offer;
use s3rec_node::process::now_unix_ms;
use s3rec_node::rows::Row;
use s3rec_wire::status::{Fault, Reason};

use crate::platform::Platform;
use crate::tables::{CONSENTS, DISCLOSURES, PROPOSALS};
use crate::{approval, approved};

/// Stores a proposal, which came as the bytes `received`; the same one again is answered alike.
pub(crate) fn receive(
    platform: &Platform,
    proposal: &Proposal,
    received: &[u8],
    peer: String,
) -> Result<JobState, Fault> {
    let job = proposal.job.to_string();
    offer::check(proposal)?;
    approved::not_expired(proposal.terms.expires_unix_ms)?;
    if let Some(state) = take_in(platform, proposal, received, peer)? {
        return Ok(state);
    }
    platform.ended.make_room();
    approval::by_policy(platform, &job, proposal)?;
    Ok(platform.state(&job))
}

/// Stores a proposal that is new; gives the state of one that is there. One call at a time: of two
/// with one id the first one's content is the proposal.
fn take_in(
    platform: &Platform,
    proposal: &Proposal,
    received: &[u8],
    peer: String,
) -> Result<Option<JobState>, Fault> {
    let _one_at_a_time = platform.deciding();
    let job = proposal.job.to_string();
    if let Some(known) = platform.store.get::<Proposal>(PROPOSALS, &job)? {
        if known == *proposal {
            return Ok(Some(platform.state(&job)));
        }
        let message = "another proposal has this job's id";
        return Err(Fault::new(Reason::Contradiction, message).at("job", job));
    }
    let shown: Option<JobDisclosure> = platform.store.get(DISCLOSURES, &job)?;
    if shown.is_some() {
        // Its details are forgotten, what it has disclosed is not.
        let message = "a job of this id has been before";
        return Err(Fault::new(Reason::Contradiction, message).at("job", job));
    }
    platform.proposing.take().map_err(|wait| {
        let most = platform.limits.proposals_per_hour;
        let message = format!("the social platform takes {most} proposals an hour");
        Fault::new(Reason::LimitExceeded, message).remedied_by(format!(
            "Propose again in {} s.",
            wait.as_secs().saturating_add(1)
        ))
    })?;
    let open = platform.journal.open_jobs().len();
    if open >= platform.limits.open_jobs as usize {
        let message = format!("{open} proposals are open, which is the limit");
        return Err(Fault::new(Reason::LimitExceeded, message));
    }
    let consent = Consent {
        peer,
        created_unix_ms: now_unix_ms(),
        ..Consent::default()
    };
    let entry = [
        ("job", job.as_str().into()),
        ("peer", consent.peer.as_str().into()),
        ("proposal", received.into()),
    ];
    platform.audit.record(Kind::Proposal, entry)?;
    platform.store.put_all(&[
        (PROPOSALS, &job, proposal.to_row()),
        (CONSENTS, &job, consent.to_row()),
    ])?;
    platform.journal.record(JobEvent {
        job: job.clone(),
        state: JobState::Proposed,
        phase: Some(Phase::Consent),
        rounds: proposal.rounds,
        waiting_for: Some(Party::Social),
        message: "Waiting for the decision of the social platform's operator.".into(),
        ..JobEvent::default()
    })?;
    Ok(None)
}
