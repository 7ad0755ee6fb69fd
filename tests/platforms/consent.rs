//! Consent as a signature: over one proposal exactly, until it ends.

use std::time::Duration;

use s3rec_node::pki::CertificateRole::{Rating, Social};
use s3rec_node::process::now_unix_ms;
use s3rec_testkit::fields::one_field_changed;
use s3rec_wire::convert::{approval_from_bytes, proposal_to_wire};
use s3rec_wire::record::Record;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;
use s3rec_wire::v1::peer_client::PeerClient;

use crate::pair::{Pair, operator, request};

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_changed_by_any_one_field_after_approval_is_refused() {
    let mut pair = Pair::start().await;
    pair.import().await;
    let job = pair.propose(3).await;
    pair.approve(&job).await;
    let peer = operator(&pair.keys(), &pair.peer_address, Rating, Social).await;
    let mut peer = PeerClient::new(peer);
    let watch = v1::WatchDecisionRequest {
        job_id: job.clone(),
    };
    let mut decisions = peer.watch_decision(watch).await.unwrap().into_inner();
    let decision = loop {
        let decision = decisions.message().await.unwrap().unwrap();
        if decision.state() == JobState::Approved {
            break decision;
        }
    };
    let approved = approval_from_bytes(&decision.approval).unwrap();
    let proposal = proposal_to_wire(&approved.proposal);
    assert_eq!(proposal.job_id, job);
    // The same again is answered alike.
    let same = peer.propose(proposal.clone()).await.unwrap().into_inner();
    assert_eq!(same.state(), JobState::Approved);

    let descriptors = s3rec_wire::FILE_DESCRIPTOR_SET;
    let changes = one_field_changed(descriptors, "s3rec.v1.PeerProposal", &proposal.to_record());
    assert!(changes.len() > 30);
    for (field, bytes) in changes {
        let other = v1::PeerProposal::from_record(&bytes).unwrap();
        if field == "job_id" {
            // Another job: nobody has approved that one.
            let state = peer.propose(other).await.unwrap().into_inner().state();
            assert_eq!(state, JobState::Proposed);
            continue;
        }
        let refused = peer.propose(other).await.expect_err(&field);
        let reason = Fault::from_status(&refused).unwrap().reason;
        let reasons = [
            Reason::Contradiction,
            Reason::InvalidRequest,
            Reason::Unsupported,
        ];
        assert!(reasons.contains(&reason), "{field}: {refused:?}");
    }
    // What was approved still runs.
    drop(decisions);
    pair.begin(&job).await;
    let last = pair.watch(&job).await.pop().unwrap();
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_approval_opens_nothing() {
    let mut pair = Pair::start().await;
    pair.import().await;
    // Not in time to start.
    let mut late = request(3);
    late.expires_unix_ms = now_unix_ms() + 1500;
    let proposed = pair.rating.propose_job(late).await.unwrap();
    let job = proposed.into_inner().job_id;
    pair.approve(&job).await;
    tokio::time::sleep(Duration::from_millis(1600)).await;
    let start = v1::StartJobRequest {
        job_id: job.clone(),
        wait_for_approval: true,
    };
    let refused = pair.rating.start_job(start).await.unwrap_err();
    assert_eq!(
        Fault::from_status(&refused).unwrap().reason,
        Reason::Expired
    );
    let last = pair.watch(&job).await.pop().unwrap();
    assert_eq!(last.state(), JobState::Failed);
    assert!(last.message.contains("expired"), "{}", last.message);

    // Nor to approve.
    let mut late = request(3);
    late.expires_unix_ms = now_unix_ms() + 500;
    let proposed = pair.rating.propose_job(late).await.unwrap();
    let approve = v1::ApproveProposalRequest {
        job_id: proposed.into_inner().job_id,
        ..v1::ApproveProposalRequest::default()
    };
    tokio::time::sleep(Duration::from_millis(600)).await;
    let refused = pair.social.approve_proposal(approve).await.unwrap_err();
    let fault = Fault::from_status(&refused).unwrap();
    assert_eq!(fault.reason, Reason::Expired);

    // In the midst of its rounds: the next opening is refused.
    let proposed = pair.rating.propose_job(request(50_000)).await.unwrap();
    let job = proposed.into_inner().job_id;
    let approve = v1::ApproveProposalRequest {
        job_id: job.clone(),
        expires_unix_ms: now_unix_ms() + 4000,
        ..v1::ApproveProposalRequest::default()
    };
    pair.social.approve_proposal(approve).await.unwrap();
    pair.begin(&job).await;
    let last = pair.watch(&job).await.pop().unwrap();
    assert_eq!(last.state(), JobState::Failed);
    assert!(last.message.contains("expired"), "{}", last.message);
    let shown = pair.shown().await;
    let shown = shown
        .disclosures
        .iter()
        .find(|one| one.job_id == job)
        .unwrap();
    assert!(
        shown.openings > 0 && shown.openings < 50_000,
        "{}",
        shown.openings
    );
}
