//! A rating platform that comes back with an older disk.

use s3rec_spmm::Protocol;
use s3rec_spmm::preprocessed::{MemoryStorage, RatingStock};
use s3rec_wire::status::Reason;
use s3rec_wire::v1::JobState;

use crate::attacker::proposal;
use crate::target::{Target, everybody, policy, ring_of_links};

/// P0's stock as it was before the first opening: it would give the first columns to another
/// input.
#[tokio::test(flavor = "multi_thread")]
async fn a_rating_platform_that_was_restored_is_not_answered_again() {
    let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let proposal = proposal(Protocol::Preprocessed, 3);
    let agreed = attacker.agreed(&proposal, &everybody()).await;
    let storage = MemoryStorage::default();
    let stock = attacker.stock_in(&agreed, storage.clone()).await.unwrap();
    let stock = attacker.meet(&agreed, stock).await.unwrap();
    let backup = storage.snapshot();
    let opened = attacker.open(agreed.round(1), stock, agreed.probing(0));
    opened.await.unwrap();
    let counted = target.counters().await;

    // Restored within the session: the same nonces, and the columns as if unused.
    let pattern = std::sync::Arc::clone(&agreed.pattern);
    let restored = RatingStock::open(std::sync::Arc::new(backup), pattern).unwrap();
    assert_eq!(restored.cursor(), 0);
    attacker.detach();
    attacker.hello().await;
    attacker.attach(proposal.job).await.unwrap();
    let met = attacker.meet(&agreed, restored).await;
    if let Ok(stock) = met {
        // P0's own rule moves it on; a deviating one would not, so it is made to stay.
        let header = agreed.round(1);
        let opened = attacker.open(header, stock, agreed.probing(4)).await;
        let fault = opened.map(drop).expect_err("the first columns twice");
        assert_ne!(fault.reason, Reason::Bug, "{fault:?}");
        assert_eq!(attacker.answered_bytes, 0);
    }
    assert_eq!(target.counters().await, counted);
    assert_eq!(target.logged("opening").len(), 1);
    let (state, why) = target.end_of(&proposal.job.to_string()).await;
    assert_eq!(state, JobState::Failed, "{why}");
}

/// P0 goes and comes back without end: each time is some lines of log and journal.
#[tokio::test(flavor = "multi_thread")]
async fn a_rating_platform_that_is_away_too_often_is_waited_for_no_more() {
    let mut target = Target::configured(&policy(&[]), |settings| {
        settings.limits.proposals_per_hour = 2;
    })
    .await;
    target.import(&ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let proposal = proposal(Protocol::Preprocessed, 3);
    attacker.agreed(&proposal, &everybody()).await;
    let name = proposal.job.to_string();
    let mut times = 0;
    while target.state(&name).await.0 == JobState::Running {
        times += 1;
        assert!(times < 100, "waited for every time");
        attacker.detach();
        attacker.attach(proposal.job).await.unwrap();
        // What was found before is told again.
        let again = attacker.align(proposal.job, &everybody()).await;
        assert_ne!(again.map(drop).unwrap_err().reason, Reason::Bug);
    }
    assert!(times > 3);
    let (state, why) = target.end_of(&name).await;
    assert_eq!(state, JobState::Failed, "{why}");
    assert!(why.contains("more often"), "{why}");
}
