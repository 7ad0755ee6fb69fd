//! What leaves P1 before and beside the openings: limited, counted and logged before it leaves, and
//! the same whatever the links are.

use std::path::Path;
use std::time::Duration;

use s3rec_audit::{Kind, verify};
use s3rec_node::audit::LOG_FILE;
use s3rec_node::config::Limits;
use s3rec_node::pki::issue;
use s3rec_wire::record::Record;
use s3rec_wire::v1;
use s3rec_wire::v1::{JobState, Phase};

use crate::ledgers::{POLICY, change, denied, run_approved};
use crate::pair::{Pair, default_request};

pub(crate) async fn reload(pair: &mut Pair, policy: &str) {
    std::fs::write(pair.directory.path().join("policy.toml"), policy).unwrap();
    let reloaded = pair.social.reload_policy(v1::PolicyRequest {}).await;
    reloaded.unwrap();
}

/// Names of P1's audit entries of a job that tell of something leaving.
fn left(directory: &Path, job: &str) -> Vec<String> {
    let log = verify(&std::fs::read(directory.join("social").join(LOG_FILE)).unwrap()).unwrap();
    let entries = log.entries.iter().map(|(entry, _)| entry);
    let entries = entries.filter(|entry| entry.text("job") == Some(job));
    let named = entries.filter_map(|entry| match entry.kind.name() {
        "showing" => entry.text("what").map(String::from),
        kind @ ("opening" | "stock") => Some(kind.to_owned()),
        _ => None,
    });
    named.collect()
}

async fn account(pair: &mut Pair) -> v1::Account {
    pair.shown().await.accounts.remove(0)
}

/// What a job was approved under may become tighter: it ends by name, before anything leaves.
#[tokio::test(flavor = "multi_thread")]
async fn a_tightened_policy_reaches_a_job_that_was_approved() {
    let wide = POLICY.replace("most_columns = 20", "most_columns = 2000");
    let mut pair = Pair::start_under(&wide).await;
    pair.import().await;
    let nothing: &[&str] = &[];
    for (field, loose, tight, leaves) in [
        (
            "releases",
            "releases = [\"exact\"]",
            "releases = [\"noised\"]",
            nothing,
        ),
        (
            "protocols",
            "[\"he\", \"preprocessed\"]",
            "[\"preprocessed\"]",
            nothing,
        ),
        (
            "patterns",
            "patterns = [\"nothing\"]",
            "patterns = [\"active-rows\"]",
            nothing,
        ),
        (
            "largest_rank",
            "largest_rank = 4",
            "largest_rank = 3",
            nothing,
        ),
        (
            "no rule allows",
            "peer = \"s3rec rating\"",
            "peer = \"another\"",
            nothing,
        ),
        (
            "longest_days",
            "longest_days = 7",
            "longest_days = 0",
            nothing,
        ),
        (
            "expired",
            "longest_days = 7",
            "longest_days = 7\nexpires = \"2020-01-01T00:00:00Z\"",
            nothing,
        ),
        (
            "most_columns_per_day",
            "per_day = 100\n",
            "per_day = 11\n",
            nothing,
        ),
        (
            "most_columns",
            "most_columns = 2000",
            "most_columns = 11",
            nothing,
        ),
        (
            "most_stocks",
            "most_stocks = 10",
            "most_stocks = 0",
            nothing,
        ),
        (
            "most_intersections",
            "most_intersections = 100",
            "most_intersections = 0",
            nothing,
        ),
        (
            "most_ids_asked",
            "most_ids_asked = 10000",
            "most_ids_asked = 39",
            nothing,
        ),
        // Of what only the users in common tell: before anything of the links is read.
        (
            "most_values",
            "most_values = 100000",
            "most_values = 359",
            &["intersection"],
        ),
        (
            "least_common_users",
            "least_common_users = 30",
            "least_common_users = 31",
            &["intersection"],
        ),
    ] {
        let job = pair.propose(3).await;
        let tightened = wide.replace(loose, tight);
        assert_ne!(tightened, wide, "{field}");
        reload(&mut pair, &tightened).await;
        pair.begin(&job).await;
        let last = pair.watch(&job).await.pop().unwrap();
        assert_eq!(last.state(), JobState::Failed, "{field}: {}", last.message);
        assert!(last.message.contains(field), "{field}: {}", last.message);
        let ended = pair.social_end(&job).await;
        assert!(ended.message.contains(field), "{field}: {}", ended.message);
        let shown = pair.shown().await.disclosures;
        let shown = shown.iter().find(|shown| shown.job_id == job);
        assert!(shown.is_none_or(|shown| shown.openings == 0));
        assert_eq!(left(pair.directory.path(), &job), leaves, "{field}");
        reload(&mut pair, &wide).await;
    }
    // Nothing was lost: the next job runs, and only what left counts.
    let last = run_approved(&mut pair).await;
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);
    let account = account(&mut pair).await;
    assert_eq!(account.counters.unwrap().opened_columns, 12);
    let shown = account.shown.unwrap();
    assert_eq!((shown.intersections, shown.ids_asked), (3, 120));
    assert_eq!((shown.bounds, shown.commitments), (1, 1));
}

/// Also without any policy: people decide, and the other platform still does not ask without end.
#[tokio::test(flavor = "multi_thread")]
async fn intersections_are_counted_over_all_jobs_and_end() {
    let policy = POLICY
        .replace("most_intersections = 100", "most_intersections = 2")
        .replace("most_columns = 20", "most_columns = 2000")
        .replace("least_common_users = 30", "least_common_users = 31");
    let mut pair = Pair::start_under(&policy).await;
    pair.import().await;
    for expected in [
        "least_common_users",
        "least_common_users",
        "most_intersections",
    ] {
        let last = run_approved(&mut pair).await;
        assert_eq!(last.state(), JobState::Failed);
        assert!(last.message.contains(expected), "{}", last.message);
    }
    let shown = account(&mut pair).await.shown.unwrap();
    assert_eq!((shown.intersections, shown.ids_asked), (2, 80));
    let words = account(&mut pair).await.statements.join("\n");
    assert!(
        words.contains("2 set intersections") && words.contains("80 ids"),
        "{words}"
    );
    assert!(words.contains("0 of 2 intersections"), "{words}");
    // Not even a restart begins anew.
    let (directory, issued) = pair.stop().await;
    let mut pair = Pair::start_in(directory, issued).await;
    let last = run_approved(&mut pair).await;
    assert!(
        last.message.contains("most_intersections"),
        "{}",
        last.message
    );
}

/// What P1 brings is counted by P0 in the same way, over all jobs and restarts, in its log first;
/// beyond its limit nothing made of P0's ids leaves. A store that was lost is made up for.
#[tokio::test(flavor = "multi_thread")]
async fn ids_that_the_social_platform_brings_are_counted_over_all_jobs_and_end() {
    // P1 brings 35 ids each time.
    for (field, intersections, ids_asked) in [("ids_asked", 9, 104), ("intersections", 2, 1000)] {
        let limit = |limits: &mut Limits| {
            limits.intersections = intersections;
            limits.ids_asked = ids_asked;
        };
        let directory = tempfile::tempdir().unwrap();
        let issued = issue(&directory.path().join("keys"), &[]).unwrap();
        let mut pair = Pair::limited_in(directory, issued, limit).await;
        pair.import().await;
        for _ in 0..2 {
            let last = run_approved_by_hand(&mut pair).await;
            assert_eq!(last.state(), JobState::Finished, "{}", last.message);
        }
        let words = pair.seen().await.accounts.remove(0).statements.join("\n");
        assert!(words.contains("brought 70 of"), "{words}");
        for is_lost in [false, true] {
            let last = run_approved_by_hand(&mut pair).await;
            assert_eq!(last.state(), JobState::Failed);
            assert!(last.message.contains(field), "{}", last.message);
            let log = pair.directory.path().join("rating").join(LOG_FILE);
            let log = verify(&std::fs::read(log).unwrap()).unwrap();
            let entries = log.entries.iter().map(|(entry, _)| entry);
            let showings = entries.filter(|entry| entry.kind == Kind::Showing);
            let ids: Vec<_> = showings.map(|entry| entry.number("all_ids")).collect();
            assert_eq!(ids, [Some(35), Some(70)]);
            let (directory, issued) = pair.stop().await;
            if is_lost {
                std::fs::remove_file(directory.path().join("rating/store.redb")).unwrap();
            }
            pair = Pair::limited_in(directory, issued, limit).await;
            if is_lost {
                pair.import().await;
                let last = run_approved_by_hand(&mut pair).await;
                assert!(last.message.contains(field), "{}", last.message);
            }
        }
    }
}

async fn run_approved_by_hand(pair: &mut Pair) -> v1::JobEvent {
    let job = pair.propose(1).await;
    pair.approve(&job).await;
    pair.begin(&job).await;
    pair.watch(&job).await.pop().unwrap()
}

/// The account is the pinned platform's: a certificate with another name and key begins nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_of_the_rating_platform_begins_no_new_account() {
    let mut pair = Pair::start_under(POLICY).await;
    pair.import().await;
    let job = pair.propose(3).await;
    pair.begin(&job).await;
    assert_eq!(
        pair.watch(&job).await.pop().unwrap().state(),
        JobState::Finished
    );
    let (directory, issued) = pair.stop().await;
    // The job was another certificate's, that the operators had pinned before this one.
    change(&directory.path().join("social"), &job, |disclosure| {
        assert_eq!(disclosure.peer_pin.len(), 32);
        disclosure.peer = "the same platform, as it was called before".into();
        disclosure.peer_pin = vec![9; 32];
    });
    let mut pair = Pair::start_in(directory, issued).await;
    denied(&mut pair, "most_columns").await;
    assert_eq!(
        account(&mut pair).await.counters.unwrap().opened_columns,
        12
    );
}

/// Waits until the job is behind its intersection, and stops both daemons there.
async fn stopped_after_alignment(
    pair: Pair,
    job: &str,
) -> (tempfile::TempDir, s3rec_node::pki::Issuance) {
    let mut pair = pair;
    let watch = v1::WatchJobRequest { job_id: job.into() };
    let mut events = pair.rating.watch_job(watch).await.unwrap().into_inner();
    while let Some(event) = events.message().await.unwrap() {
        assert!(event.state() != JobState::Failed, "{}", event.message);
        assert!(event.phase() != Phase::Online, "too late to begin again");
        if event.phase() == Phase::Offline {
            break;
        }
    }
    drop(events);
    pair.stop().await
}

/// A job that begins again has the common users that it had, and asks for no others.
#[tokio::test(flavor = "multi_thread")]
async fn the_common_users_of_a_job_are_found_once() {
    for (which, ends_with) in [
        ("kept", None),
        ("lost", Some("no longer has them")),
        // P0's are others than P1 has found, and than P1 finds where it has lost its own.
        ("others", Some("no longer has them")),
        (
            "found again",
            Some("brought other users to this job before"),
        ),
    ] {
        let mut pair = Pair::start().await;
        pair.import().await;
        let proposed = pair.rating.propose_job(default_request(20_000)).await;
        let job = proposed.unwrap().into_inner().job_id;
        pair.approve(&job).await;
        pair.begin(&job).await;
        let (directory, issued) = stopped_after_alignment(pair, &job).await;
        let of = |party: &str| directory.path().join(party).join("stocks").join(&job);
        let kept = of("rating").join("common");
        assert!(kept.exists());
        match which {
            "kept" => {}
            "lost" => std::fs::remove_file(&kept).unwrap(),
            _ => std::fs::write(&kept, other_users()).unwrap(),
        }
        if which == "found again" {
            for file in ["common", "labelled"] {
                std::fs::remove_file(of("social").join(file)).unwrap();
            }
        }
        let mut pair = Pair::start_in(directory, issued).await;
        let watch = v1::WatchJobRequest {
            job_id: job.clone(),
        };
        let mut events = pair.rating.watch_job(watch).await.unwrap().into_inner();
        let (mut again, mut last) = (false, None);
        let until = async {
            while let Some(event) = events.message().await.unwrap() {
                again |= event.message.contains("common users found before");
                let is_over = event.phase() == Phase::Online || event.state() == JobState::Failed;
                last = Some(event);
                if is_over {
                    break;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(120), until)
            .await
            .unwrap();
        let last = last.unwrap();
        let is_failed = last.state() == JobState::Failed;
        assert_eq!(again, ends_with.is_none(), "{}", last.message);
        assert_eq!(is_failed, ends_with.is_some(), "{}", last.message);
        if let Some(words) = ends_with {
            assert!(last.message.contains(words), "{which}: {}", last.message);
            let ended = pair.social_end(&job).await.state();
            assert!(matches!(ended, JobState::Failed | JobState::Cancelled));
        }
        let shown = pair.shown().await.disclosures.remove(0).shown.unwrap();
        let times = if which == "found again" { 2 } else { 1 };
        assert_eq!(
            (shown.intersections, shown.ids_asked),
            (times, 40 * u64::from(times))
        );
        let entries = left(pair.directory.path(), &job);
        let intersections = entries.iter().filter(|what| *what == "intersection");
        assert_eq!(intersections.count(), times as usize);
        assert_eq!(shown.bounds, if is_failed { 1 } else { 2 });
    }
}

/// What P0 keeps of common users, as its first version wrote it, of one user whom no job here has
/// alone.
fn other_users() -> Vec<u8> {
    let message = v1::CommonUsers {
        rows: vec![0],
        digest: vec![9; 32],
        overlap: Some(v1::Overlap {
            rating_users: 40,
            social_users: 40,
            common_users: 1,
        }),
    };
    postcard::to_extend(&message.to_record(), vec![1]).unwrap()
}

/// A disk of P1 that refuses is told to P0 as that, without any path or cause.
#[tokio::test(flavor = "multi_thread")]
async fn a_storage_fault_of_the_social_platform_tells_nothing_of_its_files() {
    let mut pair = Pair::start().await;
    pair.import().await;
    let job = pair.propose(1).await;
    pair.approve(&job).await;
    let stocks = pair.directory.path().join("social/stocks");
    std::fs::remove_dir_all(&stocks).unwrap();
    std::fs::write(&stocks, "not a directory").unwrap();
    pair.begin(&job).await;
    let last = pair.watch(&job).await.pop().unwrap();
    assert_eq!(last.state(), JobState::Failed);
    let words = last.message;
    assert!(words.contains("that platform failed by itself"), "{words}");
    let path = pair.directory.path().display().to_string();
    for secret in [path.as_str(), "stocks", "irectory", "os error"] {
        assert!(!words.contains(secret), "{words}");
    }
}
