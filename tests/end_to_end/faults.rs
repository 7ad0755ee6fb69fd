//! A peer that is absent, declines, or dies in the middle of a round.

use std::time::{Duration, Instant};

use s3rec_cli::failure::Failure;
use s3rec_testkit::addresses::free_address;
use s3rec_tests::data::Files;
use s3rec_tests::job::Job;
use s3rec_tests::pair::{Home, Pair};
use s3rec_tests::{binaries::Program, pair::Daemon};
use s3rec_wire::v1;
use tokio::time::timeout;

/// "Within seconds".
const SECONDS: Duration = Duration::from_secs(10);
/// So many rounds that no test sees the last.
const ENDLESS: u32 = 50_000;

#[tokio::test]
async fn a_social_platform_killed_in_a_round_is_reported_by_the_rating_platform() {
    let mut pair = Pair::start();
    let data = tempfile::tempdir().unwrap();
    let mut job = Job::start(&pair, &Files::small(data.path()), ENDLESS).await;
    job.reach_round(3).await;
    let killed = Instant::now();
    pair.social.kill();
    let last = timeout(SECONDS, job.end_at_rating())
        .await
        .expect("within seconds");
    assert_names_the_vanished(&last, "social");
    assert!(killed.elapsed() < SECONDS);
    pair.rating.assert_well();
    // It still serves, and remembers how the job ended.
    let jobs = job
        .rating
        .list_jobs(v1::ListJobsRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        jobs.jobs[0].last_event.as_ref().unwrap().state(),
        v1::JobState::Failed
    );
}

#[tokio::test]
async fn a_rating_platform_killed_in_a_round_is_reported_by_the_social_platform() {
    let mut pair = Pair::start();
    let data = tempfile::tempdir().unwrap();
    let mut job = Job::start(&pair, &Files::small(data.path()), ENDLESS).await;
    job.reach_round(3).await;
    pair.rating.kill();
    let last = timeout(SECONDS, job.end_at_social())
        .await
        .expect("within seconds");
    assert_names_the_vanished(&last, "rating");
    pair.social.assert_well();
    // What was opened until then is on record.
    let request = v1::ListSocialDisclosuresRequest {};
    let shown = job
        .social
        .list_disclosures(request)
        .await
        .unwrap()
        .into_inner();
    assert!(shown.disclosures[0].openings >= 2, "{shown:?}");
}

#[tokio::test]
async fn an_absent_peer_is_named_and_may_be_tried_again() {
    let home = Home::new();
    let free = free_address();
    let configuration = home.rating_configuration(&free);
    let rating = Daemon::start(Program::Rating, &configuration, &home.data_dir("rating"));
    let role = s3rec_node::pki::CertificateRole::RatingOperator;
    let connection = home.connection(role, &rating.operator_address);
    let mut client = s3rec_cli::client::rating(&connection).await.unwrap();
    let data = tempfile::tempdir().unwrap();
    let source = s3rec_cli::client::FileSource::new(&Files::small(data.path()).ratings, "test");
    s3rec_cli::client::import_ratings(&mut client, &source)
        .await
        .unwrap();

    let proposed = timeout(SECONDS, client.propose_job(s3rec_tests::job::proposal(1))).await;
    let failure = Failure::from(proposed.expect("within seconds").unwrap_err());
    assert_eq!(failure.reason(), "UNREACHABLE", "{failure:?}");
    assert!(failure.to_string().contains(&free), "{failure}");
    assert!(failure.to_json()["error"]["retry_after_seconds"].is_u64());
}

#[tokio::test]
async fn a_rejected_proposal_ends_with_the_reason() {
    let pair = Pair::start();
    let data = tempfile::tempdir().unwrap();
    let mut job = Job::propose(&pair, &Files::small(data.path()), 2).await;
    let request = v1::StartJobRequest {
        job_id: job.id.clone(),
        wait_for_approval: true,
    };
    job.rating.start_job(request).await.unwrap();
    let request = v1::RejectProposalRequest {
        job_id: job.id.clone(),
        reason: "not this week".into(),
    };
    job.social.reject_proposal(request).await.unwrap();
    let last = timeout(SECONDS, job.end_at_rating())
        .await
        .expect("within seconds");
    assert_eq!(last.state(), v1::JobState::Rejected);
    assert!(last.message.contains("not this week"), "{last:?}");
}

#[tokio::test]
async fn an_unapproved_job_does_not_start() {
    let pair = Pair::start();
    let data = tempfile::tempdir().unwrap();
    let mut job = Job::propose(&pair, &Files::small(data.path()), 2).await;
    let request = v1::StartJobRequest {
        job_id: job.id.clone(),
        wait_for_approval: false,
    };
    let failure = Failure::from(job.rating.start_job(request).await.unwrap_err());
    assert_eq!(failure.reason(), "NOT_APPROVED");
    let request = v1::ListSocialDisclosuresRequest {};
    let shown = job
        .social
        .list_disclosures(request)
        .await
        .unwrap()
        .into_inner();
    assert!(
        shown.disclosures.iter().all(|one| one.openings == 0),
        "{shown:?}"
    );
}

#[tokio::test]
async fn a_revoked_approval_ends_the_job_at_both_platforms() {
    let pair = Pair::start();
    let data = tempfile::tempdir().unwrap();
    let mut job = Job::start(&pair, &Files::small(data.path()), ENDLESS).await;
    job.reach_round(2).await;
    let request = v1::RevokeApprovalRequest {
        job_id: job.id.clone(),
        reason: "changed our mind".into(),
    };
    job.social.revoke_approval(request).await.unwrap();
    for last in [
        timeout(SECONDS, job.end_at_rating())
            .await
            .expect("within seconds"),
        timeout(SECONDS, job.end_at_social())
            .await
            .expect("within seconds"),
    ] {
        assert_eq!(last.state(), v1::JobState::Cancelled, "{last:?}");
    }
    let request = v1::ListRatingDisclosuresRequest {};
    let at_rating = job
        .rating
        .list_disclosures(request)
        .await
        .unwrap()
        .into_inner();
    let request = v1::ListSocialDisclosuresRequest {};
    let at_social = job
        .social
        .list_disclosures(request)
        .await
        .unwrap()
        .into_inner();
    let (seen, given) = (
        at_rating.disclosures[0].openings,
        at_social.disclosures[0].openings,
    );
    // What P1 has sent last may not have arrived.
    assert!(seen == given || seen + 1 == given, "{seen} {given}");
}

#[tokio::test]
async fn a_cancelled_job_ends_at_both_platforms() {
    let pair = Pair::start();
    let data = tempfile::tempdir().unwrap();
    let mut job = Job::start(&pair, &Files::small(data.path()), ENDLESS).await;
    job.reach_round(2).await;
    let request = v1::CancelJobRequest {
        job_id: job.id.clone(),
        reason: "enough".into(),
    };
    job.rating.cancel_job(request).await.unwrap();
    for last in [
        timeout(SECONDS, job.end_at_rating())
            .await
            .expect("within seconds"),
        timeout(SECONDS, job.end_at_social())
            .await
            .expect("within seconds"),
    ] {
        assert_eq!(last.state(), v1::JobState::Cancelled, "{last:?}");
    }
}

/// Which peer vanished, in which round, and what to do.
fn assert_names_the_vanished(last: &v1::JobEvent, who: &str) {
    assert_eq!(last.state(), v1::JobState::Failed, "{last:?}");
    let message = last.message.to_lowercase();
    assert!(message.contains(who), "{message}");
    assert!(
        message.contains("round") && message.contains(|c: char| c.is_ascii_digit()),
        "{message}"
    );
    assert!(
        message.contains("start it again") && message.contains("propose"),
        "{message}"
    );
}

/// The values that P1 has counted of a job, and its openings.
async fn counted(job: &mut Job) -> (u64, u32) {
    let request = v1::ListSocialDisclosuresRequest {};
    let shown = job.social.list_disclosures(request).await.unwrap();
    let shown = shown.into_inner().disclosures;
    let ours = shown.into_iter().find(|one| one.job_id == job.id).unwrap();
    let counters = ours.counters.unwrap_or_default();
    assert_eq!(counters.opened_values, ours.opened_values);
    (ours.opened_values, ours.openings)
}

/// A limit over all jobs counts values; a restart must not give them back.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_counted_stays_counted_when_a_job_ends_before_it_is_gone_on_with() {
    for protocol in [v1::Protocol::Preprocessed, v1::Protocol::He] {
        let mut pair = Pair::lasting();
        let data = tempfile::tempdir().unwrap();
        let mut request = s3rec_tests::job::proposal(2_000);
        request.set_protocol(protocol);
        let mut job = Job::start_with(&pair, &Files::small(data.path()), request).await;
        job.reach_round(3).await;
        let (before, openings) = counted(&mut job).await;
        assert!(before > 0 && openings > 0);
        let of_one = before / u64::from(openings);

        pair.social.kill();
        pair.rating.kill();
        pair.social.restart();
        job.social = s3rec_cli::client::social(&pair.social_connection())
            .await
            .unwrap();
        // Nobody comes back to a stock; without one the job has ended at the start.
        if protocol == v1::Protocol::Preprocessed {
            let request = v1::RevokeApprovalRequest {
                job_id: job.id.clone(),
                reason: "the rating platform is gone".into(),
            };
            job.social.revoke_approval(request).await.unwrap();
        }
        timeout(SECONDS, job.end_at_social())
            .await
            .expect("within seconds");
        let (after, openings) = counted(&mut job).await;
        assert!(after >= before, "{protocol:?}: {before} {after}");
        assert_eq!(after, of_one * u64::from(openings), "{protocol:?}");
        pair.social.assert_well();
    }
}
