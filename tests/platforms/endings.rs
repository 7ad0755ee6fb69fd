//! However a job ends, both sides say so, and go on serving.

use std::time::{Duration, Instant};

use crate::pair::Pair;
use s3rec_wire::v1;
use s3rec_wire::v1::{JobState, Phase};

/// Starts a long job and waits until it is in its rounds.
async fn running(pair: &mut Pair) -> String {
    pair.import().await;
    let job = pair.propose(50_000).await;
    pair.approve(&job).await;
    pair.begin(&job).await;
    let request = v1::WatchJobRequest {
        job_id: job.clone(),
    };
    let mut events = pair.rating.watch_job(request).await.unwrap().into_inner();
    while let Some(event) = events.message().await.unwrap() {
        assert!(event.state() != JobState::Failed, "{}", event.message);
        if event.phase() == Phase::Online && event.round >= 2 {
            break;
        }
    }
    job
}

async fn ends(pair: &mut Pair, job: &str) -> (v1::JobEvent, v1::JobEvent) {
    let ours = pair.watch(job).await.pop().unwrap();
    (ours, pair.social_end(job).await)
}

/// The same daemons still train.
async fn still_serve(pair: &mut Pair) {
    let job = pair.propose(1).await;
    pair.approve(&job).await;
    pair.begin(&job).await;
    let (ours, theirs) = ends(pair, &job).await;
    assert_eq!(ours.state(), JobState::Finished, "{}", ours.message);
    assert_eq!(theirs.state(), JobState::Finished);
}

#[tokio::test(flavor = "multi_thread")]
async fn either_operator_can_end_a_running_job() {
    let mut pair = Pair::start().await;
    let job = running(&mut pair).await;
    let busy = pair.propose(1).await;
    let request = v1::StartJobRequest {
        job_id: busy,
        wait_for_approval: true,
    };
    let refused = pair.rating.start_job(request).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::ResourceExhausted);

    let request = v1::CancelJobRequest {
        job_id: job.clone(),
        reason: "a change of mind".into(),
    };
    let state = pair
        .rating
        .cancel_job(request)
        .await
        .unwrap()
        .into_inner()
        .state();
    assert_eq!(state, JobState::Cancelled);
    let (ours, theirs) = ends(&mut pair, &job).await;
    assert!(
        ours.message.contains("a change of mind"),
        "{}",
        ours.message
    );
    assert_eq!(theirs.state(), JobState::Cancelled, "{}", theirs.message);

    let job = running(&mut pair).await;
    let request = v1::RevokeApprovalRequest {
        job_id: job.clone(),
        reason: "too much shown".into(),
    };
    pair.social.revoke_approval(request).await.unwrap();
    let (ours, theirs) = ends(&mut pair, &job).await;
    assert_eq!(ours.state(), JobState::Cancelled, "{}", ours.message);
    assert!(ours.message.contains("too much shown"), "{}", ours.message);
    assert_eq!(theirs.state(), JobState::Cancelled);

    // What was opened before stays in both ledgers.
    let shown = pair.shown().await;
    assert!(shown.disclosures.iter().all(|shown| shown.openings >= 1));
    still_serve(&mut pair).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_proposal_ends_with_its_reason() {
    let mut pair = Pair::start().await;
    pair.import().await;
    let job = pair.propose(1).await;
    pair.begin(&job).await;
    let request = v1::RejectProposalRequest {
        job_id: job.clone(),
        reason: "not this year".into(),
    };
    pair.social.reject_proposal(request).await.unwrap();
    let (ours, _) = ends(&mut pair, &job).await;
    assert_eq!(ours.state(), JobState::Rejected);
    assert!(ours.message.contains("not this year"), "{}", ours.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_stops_is_missed_at_once() {
    let mut pair = Pair::start().await;
    let job = running(&mut pair).await;
    let began = Instant::now();
    pair.stop_rating.send_replace(true);
    let theirs = pair.social_end(&job).await;
    assert!(began.elapsed() < Duration::from_secs(8));
    assert!(
        matches!(theirs.state(), JobState::Cancelled | JobState::Failed),
        "{}",
        theirs.message
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_social_platform_that_stops_says_so() {
    let mut pair = Pair::start().await;
    let job = running(&mut pair).await;
    let began = Instant::now();
    pair.stop_social.send_replace(true);
    let ours = pair.watch(&job).await.pop().unwrap();
    assert!(began.elapsed() < Duration::from_secs(8));
    assert_eq!(ours.state(), JobState::Failed, "{}", ours.message);
    assert!(ours.message.contains("social platform"), "{}", ours.message);
}
