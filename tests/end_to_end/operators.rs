//! A day at both platforms with the command, as a user types it.

use std::time::Duration;

use s3rec_tests::command::{Run, flags, run};
use s3rec_tests::data::Files;
use s3rec_tests::pair::Pair;
use s3rec_tests::processes::wait_until;
use serde_json::Value;

#[test]
fn from_import_to_recommendation() {
    let pair = Pair::start();
    let data = tempfile::tempdir().unwrap();
    let files = Files::small(data.path());
    let at_rating = |arguments: &[&str]| at(&pair, "rating", arguments);
    let at_social = |arguments: &[&str]| at(&pair, "social", arguments);

    let imported = at_rating(&["import", files.ratings.to_str().unwrap()]).json();
    let users = imported["users"].as_u64().unwrap();
    assert!(users > 70, "{imported}");
    at_social(&["import", files.links.to_str().unwrap()]).json();

    let proposal = [
        "propose",
        "--purpose",
        "a test",
        "--rank",
        "4",
        "--rounds",
        "3",
        "--solver",
        "adam",
    ];
    let job = text(&at_rating(&proposal).json()["job_id"]);
    let pending = at_social(&["proposals", "--pending"]).json();
    let seen = &pending["proposals"][0];
    assert_eq!(text(&seen["job_id"]), job);
    assert_eq!(seen["purpose"], "a test");
    // The measured figures stand where P1 consents.
    let warnings = seen["warnings"].to_string();
    for figure in ["of all links without an error", "94 %", "not"] {
        assert!(warnings.contains(figure), "{warnings}");
    }

    assert_eq!(
        at_rating(&["start", &job]).error()["reason"],
        "NOT_APPROVED"
    );
    // It really waits: the command ends when somebody has decided, and not before.
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            loop {
                let run = at_rating(&["start", &job, "--wait"]);
                if run.code == Some(0) {
                    break run.json();
                }
                // One that only asks, below, is in the way for a moment.
                assert_eq!(run.error()["reason"], "BUSY");
            }
        });
        wait_until("the job waits", Duration::from_secs(30), || {
            at_rating(&["start", &job]).error()["reason"] == "BUSY"
        });
        // Whoever is in the way is named, and how to get by.
        let other = at_rating(&["propose", "--purpose", "another", "--rounds", "1"]).json();
        let other = other["job_id"].as_str().unwrap();
        let busy = at_rating(&["start", other]).error();
        assert_eq!(busy["reason"], "BUSY");
        assert!(busy["message"].as_str().unwrap().contains(&job), "{busy}");
        assert!(
            busy["remedy"].as_str().unwrap().contains("cancel"),
            "{busy}"
        );
        at_rating(&["cancel", other, "--reason", "a test"]).json();
        assert!(!waiting.is_finished(), "nobody has decided yet");
        assert_eq!(
            at_social(&["approve", &job]).json()["state"],
            "JOB_STATE_APPROVED"
        );
        let started = waiting.join().unwrap();
        assert_ne!(started["state"], "JOB_STATE_PROPOSED", "{started}");
    });
    let events = at_rating(&["watch", &job]).json();
    let states: Vec<&Value> = events
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["state"])
        .collect();
    assert_eq!(
        states.last().unwrap().as_str(),
        Some("JOB_STATE_FINISHED"),
        "{events}"
    );
    // P0's training figures never reach P1's watchers.
    let seen_by_social = at_social(&["watch", &job]).json();
    assert!(
        seen_by_social
            .as_array()
            .unwrap()
            .iter()
            .all(|event| event["training"].is_null())
    );

    let report = at_rating(&["report", &job]).json();
    let cost = at_social(&["cost", &job]).json();
    // Each side counts for itself at its own channel.
    for phase in ["offline", "online"] {
        for figure in ["bytes_to_social", "bytes_to_rating", "messages"] {
            assert_eq!(
                report[phase][figure], cost[phase][figure],
                "{phase} {figure}"
            );
        }
    }
    let (at_p0, at_p1) = (
        at_rating(&["disclosures"]).json(),
        at_social(&["disclosures"]).json(),
    );
    for figure in [
        "openings",
        "opened_columns",
        "opened_values",
        "common_users",
    ] {
        assert_eq!(
            at_p0["disclosures"][0][figure], at_p1["disclosures"][0][figure],
            "{figure}"
        );
    }
    assert_eq!(at_p0["disclosures"][0]["openings"], 3);

    let evaluation = at_rating(&["evaluate"]).json();
    let rmse = |row: &str| evaluation[row]["rmse"].as_f64().unwrap();
    assert!(rmse("model") < rmse("global_mean"), "{evaluation}");
    let exported = at_rating(&["export"]).json();
    assert_eq!(exported["users"].as_array().unwrap().len() as u64, users);
    assert_eq!(
        at_rating(&["models"]).json()["models"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    // And the one that was in the way.
    assert_eq!(
        at_rating(&["jobs"]).json()["jobs"]
            .as_array()
            .unwrap()
            .len(),
        2
    );

    let user = text(&exported["users"][0]["id"]);
    let best = at_rating(&["recommend", "--user", &user, "--count", "5"]).json();
    assert_eq!(best["known_user"], true);
    let items = best["items"].as_array().unwrap();
    assert_eq!(items.len(), 5);
    let rated = std::fs::read_to_string(&files.ratings).unwrap();
    for item in items {
        assert!(
            !rated.contains(&format!("{user}\t{}\t", text(&item["item_id"]))),
            "{item}"
        );
    }
    let item = text(&items[0]["item_id"]);
    let predicted = at_rating(&["predict", "--user", &user, "--item", &item]).json();
    assert!(
        (1.0..=5.0).contains(&predicted["rating"].as_f64().unwrap()),
        "{predicted}"
    );
    let unknown = at_rating(&["predict", "--user", "nobody", "--item", &item]).json();
    assert_eq!(unknown["known_user"], false);
    what_is_stored_is_listed_and_deleted(&pair, &job, users);
}

/// What a day leaves, by the verbs that list, show and delete it.
fn what_is_stored_is_listed_and_deleted(pair: &Pair, job: &str, users: u64) {
    let at_rating = |arguments: &[&str]| at(pair, "rating", arguments);
    let at_social = |arguments: &[&str]| at(pair, "social", arguments);
    let listed = at_rating(&["datasets", "list"]).json();
    let name = text(&listed["datasets"][0]["dataset"]);
    assert_eq!(listed["datasets"][0]["users"], users);
    assert_eq!(listed["datasets"][0]["jobs"][0], job);
    let shown = at_rating(&["datasets", "show", &name]).json();
    assert_eq!(shown["imported"]["users"], users);
    let told = run_text(pair, "social", &["datasets", "list"]);
    assert!(
        told.stdout.contains("links") && told.code == Some(0),
        "{told:?}"
    );
    let told = run_text(pair, "social", &["datasets", "show", &name]);
    assert!(told.stdout.contains("no job uses it"), "{told:?}");

    let refused = at_rating(&["datasets", "delete", &name]).error();
    assert_eq!(refused["reason"], "WRONG_STATE");
    assert!(refused.to_string().contains(job), "{refused}");
    let refused = at_rating(&["jobs", "delete", job]).error();
    assert!(refused.to_string().contains("models delete"), "{refused}");
    let deleted = at_rating(&["models", "delete", job]).json();
    assert_eq!(deleted["model_id"], job);
    for (platform, verb, what) in [
        ("rating", "datasets", name.as_str()),
        ("rating", "jobs", job),
        ("social", "datasets", name.as_str()),
        ("social", "jobs", job),
    ] {
        at(pair, platform, &[verb, "delete", what]).json();
        let again = at(pair, platform, &[verb, "delete", what]).error();
        assert_eq!(again["reason"], "NOT_FOUND", "{platform} {verb}");
    }
    let left = at_rating(&["jobs"]).json();
    let left = left["jobs"].as_array().unwrap();
    assert!(left.iter().all(|one| one["job_id"] != job), "{left:?}");
    let opened = at_social(&["disclosures"]).json();
    assert_eq!(opened["disclosures"][0]["openings"], 3, "{opened}");
    assert_eq!(opened["accounts"][0]["counters"]["openings"], 3, "{opened}");
}

#[test]
fn people_read_text_and_get_exit_codes() {
    let pair = Pair::start();
    let jobs = run_text(&pair, "rating", &["jobs"]);
    assert_eq!(jobs.code, Some(0), "{jobs:?}");
    assert!(jobs.stdout.contains("data set"), "{jobs:?}");
    let missing = run_text(&pair, "rating", &["report", "no-such-job"]);
    assert_eq!(missing.code, Some(1), "{missing:?}");
    assert!(missing.stderr.starts_with("s3rec: "), "{missing:?}");

    let temporary = tempfile::tempdir().unwrap();
    let unconfigured = run(temporary.path(), &["rating", "jobs"]);
    assert_eq!(unconfigured.code, Some(2));
    assert!(
        unconfigured.stderr.contains("--address"),
        "{unconfigured:?}"
    );
}

#[test]
fn a_platform_out_of_reach_is_code_3() {
    let pair = Pair::start();
    let connection = s3rec_cli::connection::Connection {
        address: "https://127.0.0.1:1".into(),
        ..pair.rating_connection()
    };
    let flags = flags(&connection);
    let arguments: Vec<&str> = ["rating", "jobs", "--json"]
        .into_iter()
        .chain(flags.iter().map(String::as_str))
        .collect();
    let run = run(pair.home.path(), &arguments);
    assert_eq!(run.code, Some(3));
    assert_eq!(run.error()["reason"], "UNREACHABLE");
}

#[test]
fn keys_are_issued_once() {
    let temporary = tempfile::tempdir().unwrap();
    let keys = temporary.path().join("keys");
    let arguments = [
        "pki",
        "--out",
        keys.to_str().unwrap(),
        "--host",
        "p0.example",
        "--json",
    ];
    let issued = run(temporary.path(), &arguments).json();
    assert_eq!(issued["identities"].as_array().unwrap().len(), 4);
    assert_eq!(issued["identities"][0]["pin"].as_str().unwrap().len(), 64);
    assert_eq!(run(temporary.path(), &arguments).error()["reason"], "PKI");
}

fn at(pair: &Pair, platform: &str, arguments: &[&str]) -> Run {
    let with_json: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
    run_text(pair, platform, &with_json)
}

fn run_text(pair: &Pair, platform: &str, arguments: &[&str]) -> Run {
    let connection = match platform {
        "rating" => pair.rating_connection(),
        _ => pair.social_connection(),
    };
    let flags = flags(&connection);
    let all: Vec<&str> = [platform]
        .into_iter()
        .chain(arguments.iter().copied())
        .chain(flags.iter().map(String::as_str))
        .collect();
    run(pair.home.path(), &all)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
