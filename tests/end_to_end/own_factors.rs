//! The verdict of `s3rec evaluate`, and factors of implicit's ALS in the place of ours, as the manual
//! tells people to train them.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use s3rec_cli::connection::Connection;
use s3rec_data::{FactorOptions, FactorSet};
use s3rec_tests::command::{Run, flags, run};
use s3rec_tests::data::Files;
use s3rec_tests::pair::Pair;
use serde_json::Value;

const EXAMPLE: &str = include_str!("../python/own_factors.py");

fn evaluate(directory: &Path, files: &Files, more: &[&str]) -> Value {
    let paths = [
        files.ratings.to_str().unwrap(),
        files.links.to_str().unwrap(),
    ];
    let given = [
        "evaluate", "--task", "lists", "--mu", "1", "--folds", "2", "--json",
    ];
    let files = ["--ratings", paths[0], "--links", paths[1]];
    let ran = run(directory, &[&given[..], &files, more].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stderr.contains("verdict: lists, part 5 of 5"),
        "{}",
        ran.stderr
    );
    ran.json()
}

#[test]
fn a_verdict_says_what_one_opening_was_worth_and_for_whom() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let files = Files::of_users(directory.path(), 500);
    let (friends, left_out) = (at("friends.parquet"), at("left_out.txt"));
    std::fs::write(at("users.txt"), "user-00001\nnobody-yet\nuser-00002\n").unwrap();
    let report = evaluate(
        directory.path(),
        &files,
        &[
            "--users",
            at("users.txt").to_str().unwrap(),
            "--export-friends",
            friends.to_str().unwrap(),
            "--calibration-out",
            left_out.to_str().unwrap(),
        ],
    );
    let verdict = &report["verdict"];
    assert_eq!(verdict["task"], "lists");
    assert_eq!(verdict["group"], "users with fewer than 5 ratings");
    assert!(verdict["worth_it"].is_boolean(), "{verdict}");
    let number = |key: &str| verdict[key].as_f64().unwrap();
    let gain = number("with") - number("without");
    assert!(number("low") <= gain && gain <= number("high"), "{verdict}");
    assert_eq!(verdict["worth_it"], number("low") > 0.0);
    let details = &verdict["details"];
    for task in ["lists", "ratings"] {
        assert_eq!(details[task]["groups"][0]["group"], "cold", "{details}");
    }
    let calibration = std::fs::read_to_string(&left_out).unwrap();
    let calibration = calibration.lines().count() as u64;
    assert_eq!(details["calibration"], calibration);

    // Everybody who was opened is in the file, the one who is only listed too.
    let written = FactorSet::read(&friends, None, &FactorOptions::default()).unwrap();
    assert_eq!(written.users.width, 8);
    assert!(written.users.ids.find("nobody-yet").is_some());
    let few = details["few"].as_u64().unwrap();
    assert_eq!(written.users.ids.len() as u64, few + calibration);
}

/// Runs the manual's example in `directory`: `left_out.txt` becomes `own.safetensors`.
fn train(python: &OsStr, files: &Files, directory: &Path) {
    let at = |name: &str| directory.join(name);
    std::fs::write(at("own_factors.py"), EXAMPLE).unwrap();
    let trained = Command::new(python)
        .arg(at("own_factors.py"))
        .args([&files.ratings, &at("left_out.txt"), &at("own.safetensors")])
        .env("OPENBLAS_NUM_THREADS", "1")
        .output()
        .unwrap();
    assert!(trained.status.success(), "{trained:?}");
}

#[test]
fn factors_of_another_recommender_take_the_place_of_ours() {
    let Some(python) = std::env::var_os("S3REC_PYTHON") else {
        eprintln!("SKIPPED: S3REC_PYTHON names no Python with implicit and safetensors");
        return;
    };
    assert!(include_str!("../../crates/job/src/manual/lists.md").contains("own_factors.py"));
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let path = |name: &str| at(name).to_str().unwrap().to_owned();
    let files = Files::of_users(directory.path(), 500);
    let left_out = path("left_out.txt");
    let ours = evaluate(directory.path(), &files, &["--calibration-out", &left_out]);
    train(&python, &files, directory.path());
    let (own, friends) = (path("own.safetensors"), path("friends.parquet"));
    let more = ["--factors", &own, "--export-friends", &friends];
    let theirs = evaluate(directory.path(), &files, &more);
    let calibration = |report: &Value| report["verdict"]["details"]["calibration"].clone();
    assert_eq!(calibration(&ours), calibration(&theirs));
    let warnings = theirs["verdict"]["details"]["warnings"].to_string();
    assert!(warnings.contains("--calibration-out"), "{warnings}");
    // Popularity is the same, whatever the factors.
    let cold = |report: &Value| {
        let cold = &report["verdict"]["details"]["lists"]["groups"][0];
        cold["without"].as_f64().unwrap()
    };
    assert!(
        (cold(&ours) - cold(&theirs)).abs() < 0.05,
        "{ours} {theirs}"
    );
    let written = FactorSet::read(
        at("friends.parquet").as_path(),
        None,
        &FactorOptions::default(),
    );
    assert_eq!(written.unwrap().users.width, 8);
}

/// The same over both daemons, by the commands that the manual names.
#[test]
fn a_job_takes_the_factors_of_another_recommender() {
    let Some(python) = std::env::var_os("S3REC_PYTHON") else {
        eprintln!("SKIPPED: S3REC_PYTHON names no Python with implicit and safetensors");
        return;
    };
    let pair = Pair::start();
    let directory = tempfile::tempdir().unwrap();
    let files = Files::of_users(directory.path(), 500);
    let (rating, social) = (pair.rating_connection(), pair.social_connection());
    let at = |connection: &Connection, line: &str| -> Run {
        let flags = flags(connection);
        let words = line.split(' ').chain(flags.iter().map(String::as_str));
        let ran = run(directory.path(), &words.collect::<Vec<_>>());
        assert_eq!(ran.code, Some(0), "{line}: {ran:?}");
        ran
    };
    at(
        &rating,
        &format!("rating import {}", files.ratings.display()),
    );
    at(&social, &format!("social import {}", files.links.display()));
    let path = |name: &str| directory.path().join(name).display().to_string();
    let left_out = path("left_out.txt");
    at(
        &rating,
        &format!("rating calibration-users --out {left_out}"),
    );
    train(&python, &files, directory.path());
    let own = path("own.safetensors");
    at(&rating, &format!("rating import-factors {own}"));
    let propose = "rating propose --purpose pilot --operator friends --factors default --json";
    let job = at(&rating, propose).json()["job_id"].clone();
    let job = job.as_str().unwrap();
    at(&social, &format!("social approve {job}"));
    at(&rating, &format!("rating start {job}"));
    at(&rating, &format!("rating watch {job}"));
    let report = at(&rating, &format!("rating report {job} --json")).json();
    let verdict = &report["verdict"];
    assert!(verdict["worth_it"].is_boolean(), "{report}");
    assert!(
        verdict.to_string().contains("calibration-users"),
        "{verdict}"
    );
    let friends = path("friends.parquet");
    at(
        &rating,
        &format!("rating export-friends --job {job} --out {friends}"),
    );
    let written = FactorSet::read(Path::new(&friends), None, &FactorOptions::default()).unwrap();
    // The noised sums are as wide as the opening, whatever the factors' own width.
    assert_eq!(written.users.width, 8);
}
