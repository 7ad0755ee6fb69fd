//! `s3rec audit` over the logs that two daemons have written, and `s3rec social policy check`.

use std::path::Path;
use std::time::Duration;

use s3rec_node::audit::{HEAD_FILE, LOG_FILE};
use s3rec_tests::command::{Run, flags, run};
use s3rec_tests::data::Files;
use s3rec_tests::job::Job;
use s3rec_tests::pair::Pair;
use s3rec_wire::v1::JobState;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_checked_compared_and_exported_without_a_daemon() {
    let pair = Pair::start();
    let data = tempfile::tempdir().unwrap();
    let mut job = Job::start(&pair, &Files::small(data.path()), 2).await;
    let ended = job.end_at_rating().await;
    assert_eq!(ended.state(), JobState::Finished, "{}", ended.message);
    let at = |name: &str| pair.home.data_dir(name).join(LOG_FILE);
    // Each configuration pins the other platform.
    let pinned = |by: &str| {
        let pin = std::fs::read_to_string(pair.home.pin_file(by)).unwrap();
        pin.trim().to_owned()
    };
    let (rating, social) = (at("rating"), at("social"));
    let (rating, social) = (rating.to_str().unwrap(), social.to_str().unwrap());
    let (own, peer) = (pinned("social"), pinned("rating"));
    let pins = ["--own-pin", &own, "--peer-pin", &peer];
    let verify = |log: &[&str], pins: &[&str]| {
        let verify = ["audit", "verify", "--json"];
        let all: Vec<&str> = verify.iter().chain(log).chain(pins).copied().collect();
        run(data.path(), &all)
    };

    // The daemons are still running: a log may be read at any time.
    let sound = verify(&[rating, "--against", social], &pins).json();
    assert_eq!(
        (&sound["role"], &sound["compared"]),
        (&"rating".into(), &true.into())
    );
    assert!(sound["meetings"].as_u64().unwrap() >= 5, "{sound}");
    let directory = pair.home.data_dir("social");
    verify(&["--data-dir", directory.to_str().unwrap()], &[]).json();
    let swapped = verify(&[rating], &["--own-pin", &peer]).error();
    assert_eq!(swapped["reason"], "AUDIT", "{swapped}");

    let export = run(data.path(), &["audit", "export", rating]);
    let lines: Vec<Value> = export
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(lines.len() as u64 >= sound["entries"].as_u64().unwrap());
    let opened = lines
        .iter()
        .filter(|line| line["kind"] == "opening")
        .count();
    assert_eq!(opened, 2);

    tampered(data.path(), rating, |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
    tampered(data.path(), rating, |bytes| bytes.truncate(bytes.len() - 1));
    tampered(data.path(), rating, Vec::clear);
}

/// A platform that has lost its audit log gets no job until a person at the other one has named
/// the new log.
#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_log_is_refused_until_a_person_accepts_it() {
    let mut pair = Pair::lasting();
    let data = tempfile::tempdir().unwrap();
    let files = Files::small(data.path());
    let mut job = Job::start(&pair, &files, 1).await;
    assert_eq!(job.end_at_rating().await.state(), JobState::Finished);

    for (lost, other) in [("rating", "social"), ("social", "rating")] {
        let directory = pair.home.data_dir(lost);
        let daemon = match lost {
            "rating" => &mut pair.rating,
            _ => &mut pair.social,
        };
        daemon.terminate();
        assert!(daemon.wait(Duration::from_secs(30)).success());
        for file in [LOG_FILE, HEAD_FILE] {
            std::fs::remove_file(directory.join(file)).unwrap();
        }
        daemon.restart();
        let mut job = Job::start(&pair, &files, 1).await;
        let ended = job.end_at_rating().await;
        assert_eq!(ended.state(), JobState::Failed, "{}", ended.message);
        let remedy = format!("s3rec {other} accept-log ");
        for words in ["has begun another audit log", &remedy] {
            assert!(ended.message.contains(words), "{}", ended.message);
        }
        assert_eq!(ended.rounds.min(ended.round), 0, "nothing was opened");

        // Its people read the new log's id to the others.
        let directory = directory.to_str().unwrap();
        let verified = ["audit", "verify", "--json", "--data-dir", directory];
        let id = run(data.path(), &verified).json()["id"].clone();
        let id = id.as_str().unwrap();
        assert!(ended.message.contains(id), "{}", ended.message);
        let connection = match other {
            "rating" => pair.rating_connection(),
            _ => pair.social_connection(),
        };
        let flags = flags(&connection);
        let accept = |log: &str| {
            let flags = flags.iter().map(String::as_str);
            let verb = [other, "accept-log", log, "--json"].into_iter();
            run(data.path(), &verb.chain(flags).collect::<Vec<_>>())
        };
        let wrong = accept(&"ab".repeat(32)).error();
        assert_eq!(wrong["reason"], "INVALID_REQUEST", "{wrong}");
        accept(id).json();
        assert_eq!(accept(id).error()["reason"], "WRONG_STATE");
        let mut job = Job::start(&pair, &files, 1).await;
        let ended = job.end_at_rating().await;
        assert_eq!(ended.state(), JobState::Finished, "{}", ended.message);
    }
}

/// A changed copy is refused, by the entry.
fn tampered(directory: &Path, log: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(log).unwrap();
    change(&mut bytes);
    let copy = directory.join("tampered.log");
    std::fs::write(&copy, bytes).unwrap();
    let run: Run = run(
        directory,
        &["audit", "verify", "--json", copy.to_str().unwrap()],
    );
    assert_eq!(run.code, Some(1));
    let message = run.error()["message"].to_string();
    assert!(message.contains("entry "), "{message}");
}

#[test]
fn a_policy_is_checked_before_it_is_taken() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.toml");
    let check = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let file = path.to_str().unwrap();
        run(
            directory.path(),
            &["social", "policy", "check", file, "--json"],
        )
    };
    check("default = \"ask\"\n").json();
    let refused = check("default = \"ask\"\nlimit = 3\n");
    assert_eq!(refused.code, Some(2));
    let message = refused.error()["message"].to_string();
    assert!(
        message.contains("line 2") && message.contains("limit"),
        "{message}"
    );
}
