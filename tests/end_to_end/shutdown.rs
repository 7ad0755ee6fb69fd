//! SIGTERM: a daemon says so and ends by itself, idle or at work.

use std::time::Duration;

use s3rec_tests::data::Files;
use s3rec_tests::job::Job;
use s3rec_tests::pair::Pair;
use s3rec_wire::v1;
use tokio::time::timeout;

const DRAIN: Duration = Duration::from_secs(15);

#[tokio::test]
async fn idle_daemons_end_with_success() {
    let mut pair = Pair::start();
    pair.rating.terminate();
    pair.social.terminate();
    assert!(pair.rating.wait(DRAIN).success(), "{}", pair.rating.log());
    assert!(pair.social.wait(DRAIN).success(), "{}", pair.social.log());
}

#[tokio::test]
async fn a_working_daemon_ends_its_job_and_then_itself() {
    let mut pair = Pair::start();
    let data = tempfile::tempdir().unwrap();
    let mut job = Job::start(&pair, &Files::small(data.path()), 50_000).await;
    job.reach_round(2).await;
    pair.rating.terminate();
    let last = timeout(DRAIN, job.end_at_social())
        .await
        .expect("P1 hears of it");
    assert!(
        matches!(last.state(), v1::JobState::Cancelled | v1::JobState::Failed),
        "{last:?}"
    );
    assert!(pair.rating.wait(DRAIN).success(), "{}", pair.rating.log());
    assert!(!pair.rating.log().contains("panicked"));
    pair.social.assert_well();
}
