//! Wall clocks that jump: nothing that waits goes by them, and no consent comes back to life.

use std::time::Duration;

use s3rec_cli::client;
use s3rec_cli::failure::Failure;
use s3rec_node::audit::LOG_FILE;
use s3rec_node::process::now_unix_ms;
use s3rec_tests::command::run;
use s3rec_tests::data::Files;
use s3rec_tests::job::{Job, proposal};
use s3rec_tests::machine::Machine;
use s3rec_tests::pair::Pair;
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;
use tokio::time::{sleep, timeout};

const SOON: Duration = Duration::from_secs(120);
const HOUR: i64 = 3600;
/// As far back as certificates reach that were issued for a test just now.
const BACK: i64 = -3000;

/// Both platforms, each with a clock of its own.
fn pair() -> (Pair, Machine, Machine) {
    let (rating, social) = (Machine::new(), Machine::new());
    let pair = Pair::lasting_in(|data_dir| match data_dir.ends_with("rating-data") {
        true => rating.environment(data_dir),
        false => social.environment(data_dir),
    });
    (pair, rating, social)
}

fn request(rounds: u32) -> v1::ProposeJobRequest {
    let mut request = proposal(rounds);
    request.set_protocol(v1::Protocol::Preprocessed);
    request.model.as_mut().unwrap().set_solver(v1::Solver::Als);
    request
}

/// Times as the events were stamped, to see that the jumps have happened at all.
async fn events(job: &mut Job) -> Vec<v1::JobEvent> {
    let request = v1::WatchJobRequest {
        job_id: job.id.clone(),
    };
    let mut events = job.rating.watch_job(request).await.unwrap().into_inner();
    let mut all = Vec::new();
    while let Some(event) = events.message().await.unwrap() {
        all.push(event);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_jump_end_no_job_and_reorder_nothing() {
    let (mut pair, rating, social) = pair();
    let data = tempfile::tempdir().unwrap();
    let files = Files::small(data.path());
    let mut job = Job::start_with(&pair, &files, request(600)).await;
    // Each place once: apart, together, and a platform that comes back under another clock.
    for (round, at_rating, at_social) in [
        (5, 5 * HOUR, BACK),
        (100, BACK, 7 * HOUR),
        (200, BACK, BACK),
    ] {
        job.reach_round(round).await;
        rating.set_clock(at_rating);
        social.set_clock(at_social);
    }
    job.reach_round(300).await;
    pair.social.kill();
    social.set_clock(3 * HOUR);
    pair.social.restart();
    let last = timeout(SOON, job.end_at_rating()).await.expect("an end");
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);
    job.social = client::social(&pair.social_connection()).await.unwrap();
    let theirs = timeout(SOON, job.end_at_social()).await.expect("an end");
    assert_eq!(theirs.state(), JobState::Finished, "{}", theirs.message);

    // In the order in which things happened, whatever the stamps say.
    let stored = events(&mut job).await;
    let rank = |event: &v1::JobEvent| (event.state, event.phase, event.round);
    let states: Vec<_> = stored.iter().map(rank).collect();
    assert!(states.is_sorted(), "{states:?}");
    let times: Vec<_> = stored.iter().map(|event| event.time_unix_ms).collect();
    assert!(!times.is_sorted(), "the clock never jumped: {times:?}");
    let log = |name: &str| pair.home.data_dir(name).join(LOG_FILE);
    let (ours, theirs) = (log("rating"), log("social"));
    let verify = ["audit", "verify", "--json", ours.to_str().unwrap()];
    let against = ["--against", theirs.to_str().unwrap()];
    run(data.path(), &[&verify[..], &against[..]].concat()).json();
    pair.rating.assert_well();
    pair.social.assert_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_brings_no_approval_back() {
    let (mut pair, rating, social) = pair();
    let data = tempfile::tempdir().unwrap();
    let mut job = Job::propose_with(&pair, &Files::small(data.path()), request(2)).await;
    let approve = v1::ApproveProposalRequest {
        job_id: job.id.clone(),
        dataset: String::new(),
        expires_unix_ms: now_unix_ms() + 3000,
        ..v1::ApproveProposalRequest::default()
    };
    job.social.approve_proposal(approve).await.unwrap();
    // By both clocks there is now the better part of an hour left.
    rating.set_clock(BACK);
    social.set_clock(BACK);
    sleep(Duration::from_millis(3500)).await;
    let start = v1::StartJobRequest {
        job_id: job.id.clone(),
        wait_for_approval: true,
    };
    if let Err(refused) = job.rating.start_job(start).await {
        assert_eq!(Failure::from(refused).reason(), "EXPIRED");
    } else {
        let last = timeout(SOON, job.end_at_rating()).await.expect("an end");
        assert_eq!(last.state(), JobState::Failed, "{last:?}");
        assert!(last.message.contains("expired"), "{last:?}");
    }
    let request = v1::ListSocialDisclosuresRequest {};
    let shown = job.social.list_disclosures(request).await.unwrap();
    let shown = shown.into_inner().disclosures;
    assert!(shown.iter().all(|one| one.openings == 0), "{shown:?}");
    pair.rating.assert_well();
    pair.social.assert_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_model_is_the_one_made_last_whatever_the_clock_said() {
    let (mut pair, rating, _social) = pair();
    let data = tempfile::tempdir().unwrap();
    let files = Files::small(data.path());
    let mut made = Vec::new();
    for clock in [0, BACK] {
        rating.set_clock(clock);
        let mut job = Job::start_with(&pair, &files, request(2)).await;
        let last = timeout(SOON, job.end_at_rating()).await.expect("an end");
        assert_eq!(last.state(), JobState::Finished, "{}", last.message);
        made.push(job.id);
    }
    // Nothing of it in memory.
    pair.rating.kill();
    pair.rating.restart();
    let mut client = client::rating(&pair.rating_connection()).await.unwrap();
    let newest = client::export(&mut client, "").await.unwrap();
    assert_eq!(Some(&newest.model_id), made.last());
}
