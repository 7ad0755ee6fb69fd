//! One opening of friends' sums with three workers a platform, each a process: the job is as without
//! them, and `kill -9` of one ends the attempt or, when it is back in time, only delays it. Nothing is
//! counted twice.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use s3rec_cluster::{Members, serve};
use s3rec_tests::workers::Workers;
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;
use tokio::sync::watch;

use crate::friends_data::{data, noise_of, request, stored};
use crate::pair::{Pair, file};

const FILE: &str = "S3REC_TEST_WORKERS";

/// Not a test of its own: what the tests below run as separate processes.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a process that the other tests start and kill"]
async fn worker_process() {
    let file = std::env::var(FILE).unwrap();
    let serving = serve(Members::read(Path::new(&file)).unwrap()).await;
    let (_never, stop) = watch::channel(false);
    serving.unwrap().until(stop).await.unwrap();
}

fn worker(file: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--ignored",
        "--exact",
        "cluster::worker_process",
        "--nocapture",
    ]);
    command.env(FILE, file).stdout(Stdio::null());
    command
}

/// Two platforms with data, each with three workers that wait so long for one that is gone.
async fn imported(wait_seconds: u64) -> (Pair, Workers, Workers) {
    let of_platform = || Workers::start(3, wait_seconds, worker);
    let (rating, social) = (of_platform(), of_platform());
    let mut pair = Pair::with_workers(Some(rating.file()), Some(social.file())).await;
    let (ratings, links) = data();
    let given = pair.rating.import_ratings(file("ratings.tsv", &ratings));
    given.await.unwrap();
    let given = pair.social.import_links(file("links.tsv", &links));
    given.await.unwrap();
    (pair, rating, social)
}

/// What both platforms have counted, in all: openings, and nano-ρ.
async fn counted(pair: &mut Pair) -> [(u64, u64); 2] {
    let (seen, shown) = (pair.seen().await, pair.shown().await);
    let of = |counters: v1::Counters| (counters.openings, counters.nano_rho);
    [
        seen.disclosures
            .iter()
            .filter_map(|d| d.counters)
            .map(of)
            .fold((0, 0), add),
        shown
            .disclosures
            .iter()
            .filter_map(|d| d.counters)
            .map(of)
            .fold((0, 0), add),
    ]
}

fn add(left: (u64, u64), right: (u64, u64)) -> (u64, u64) {
    (left.0 + right.0, left.1 + right.1)
}

/// The sums are those of the data, with noise of the width agreed on.
fn are_the_sums(pair: &Pair, job: &str) {
    let stored = stored(pair, job);
    let ratio = noise_of(&stored, None);
    let allowed = 5.0 / (2.0 * stored.5.len() as f64).sqrt() + 0.005;
    assert!((ratio - 1.0).abs() < allowed, "{ratio}");
}

async fn begun(pair: &mut Pair) -> String {
    let proposed = pair.rating.propose_job(request(1.0)).await.unwrap();
    let job = proposed.into_inner().job_id;
    pair.approve(&job).await;
    pair.begin(&job).await;
    job
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_by_workers_is_as_one_without_and_kill_9_of_one_ends_it_by_name() {
    let (mut pair, mut rating, mut social) = imported(1).await;
    let (job, events) = pair.run(request(1.0)).await;
    let last = events.last().unwrap();
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);
    are_the_sums(&pair, &job);
    assert_eq!(counted(&mut pair).await, [(1, 500_000_000); 2]);

    // The social platform's: while it is waited for, it dies and stays so.
    social.freeze(2);
    let job = begun(&mut pair).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    social.kill(2);
    let ended = pair.social_end(&job).await;
    assert_eq!(ended.state(), JobState::Failed, "{}", ended.message);
    let name = social.name(2);
    assert!(ended.message.contains(&name), "{}", ended.message);
    let told = pair.watch(&job).await.pop().unwrap();
    assert_eq!(told.state(), JobState::Failed, "{}", told.message);
    // Who computes for it is nobody else's business.
    assert!(!told.message.contains("w2"), "{}", told.message);
    assert!(
        told.message.contains("failed by itself"),
        "{}",
        told.message
    );
    assert_eq!(counted(&mut pair).await, [(1, 500_000_000); 2]);
    social.restart(2);

    // The rating platform's likewise, before any row leaves.
    rating.kill(3);
    let job = begun(&mut pair).await;
    let told = pair.watch(&job).await.pop().unwrap();
    assert_eq!(told.state(), JobState::Failed, "{}", told.message);
    assert!(told.message.contains(&rating.name(3)), "{}", told.message);
    let ended = pair.social_end(&job).await;
    assert!(!ended.message.contains("w3"), "{}", ended.message);
    assert_eq!(counted(&mut pair).await, [(1, 500_000_000); 2]);
    rating.restart(3);

    let (job, events) = pair.run(request(1.0)).await;
    let last = events.last().unwrap();
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);
    are_the_sums(&pair, &job);
    assert_eq!(counted(&mut pair).await, [(2, 1_000_000_000); 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_back_in_time_only_delays_the_job() {
    let (mut pair, _rating, mut social) = imported(120).await;
    social.freeze(1);
    let job = begun(&mut pair).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    social.kill(1);
    tokio::time::sleep(Duration::from_secs(1)).await;
    social.restart(1);
    let last = pair.watch(&job).await.pop().unwrap();
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);
    are_the_sums(&pair, &job);
    assert_eq!(counted(&mut pair).await, [(1, 500_000_000); 2]);
}
