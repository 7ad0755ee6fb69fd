//! Backups of daemons at work, and new daemons from them: nothing that counts is set back silently,
//! and no column of masks is used again.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use s3rec_tests::binaries::Program;
use s3rec_tests::command::{Run, at, run};
use s3rec_tests::data::Files;
use s3rec_tests::job::{Job, proposal};
use s3rec_tests::pair::Pair;
use s3rec_tests::processes::wait_until;
use s3rec_wire::v1;
use serde_json::Value;

/// Rounds of a job that outlasts a backup.
const MANY: u32 = 600;

fn request(rounds: u32) -> v1::ProposeJobRequest {
    let mut request = proposal(rounds);
    request.set_protocol(v1::Protocol::Preprocessed);
    request
}

fn back_up(pair: &Pair, platform: &str) -> PathBuf {
    let file = pair.home.path().join(format!("{platform}.backup"));
    let line = format!("{platform} backup --out {}", file.display());
    let written = at(pair, &line).json();
    let found = std::fs::metadata(&file).unwrap();
    assert_eq!(written["bytes"], found.len());
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    // Nothing is ever replaced.
    let again = at(pair, &line);
    assert!(
        again.code == Some(1) && again.stderr.contains("exists"),
        "{again:?}"
    );
    assert_eq!(std::fs::metadata(&file).unwrap().len(), found.len());
    file
}

/// The daemon's own command.
fn restore(pair: &Pair, platform: &str, arguments: &[&str]) -> Run {
    let program = match platform {
        "rating" => Program::Rating,
        _ => Program::Social,
    };
    let output = Command::new(program.path())
        .arg("--config")
        .arg(pair.home.path().join(format!("{platform}.toml")))
        .arg("restore")
        .args(arguments)
        .output()
        .unwrap();
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The data directory is gone, and made anew of the backup.
fn lose_and_restore(pair: &Pair, platform: &str, backup: &Path) {
    let data_dir = pair.home.data_dir(platform);
    let file = backup.to_str().unwrap();
    let refused = restore(pair, platform, &[file]);
    assert!(refused.stderr.contains("is not empty"), "{refused:?}");
    std::fs::rename(&data_dir, pair.home.path().join("lost")).unwrap();
    let restored = restore(pair, platform, &[file]);
    assert_eq!(restored.code, Some(0), "{restored:?}");
    assert!(
        restored.stdout.contains("1 jobs that were open have ended"),
        "{restored:?}"
    );
    assert!(restored.stdout.contains("reconcile"), "{restored:?}");
    assert!(!data_dir.join("stocks").exists());
}

fn state(pair: &Pair, platform: &str, job: &str) -> Value {
    let (line, list) = match platform {
        "rating" => ("rating jobs", "jobs"),
        _ => ("social proposals --all", "proposals"),
    };
    let listed = at(pair, line).json();
    let jobs = listed[list].as_array().unwrap();
    let ours = jobs.iter().find(|one| one["job_id"] == job).unwrap();
    ours["last_event"].clone()
}

/// What a platform counts of a job.
fn counted(pair: &Pair, platform: &str, job: &str) -> Value {
    let listed = at(pair, &format!("{platform} disclosures")).json();
    let lines = listed["disclosures"].as_array().unwrap();
    let line = lines.iter().find(|line| line["job_id"] == job);
    line.map_or(Value::Null, |line| line["counters"].clone())
}

fn logs_are_sound(pair: &Pair, platform: &str) {
    let data_dir = pair.home.data_dir(platform);
    let entries = std::fs::read_dir(&data_dir).unwrap().flatten();
    let earlier = entries.filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with("audit.until-") && name.ends_with(".log")
    });
    let earlier: Vec<_> = earlier.map(|entry| entry.path()).collect();
    assert_eq!(earlier.len(), 1);
    for log in [&data_dir.join("audit.log"), &earlier[0]] {
        let verified = run(
            pair.home.path(),
            &["audit", "verify", log.to_str().unwrap(), "--json"],
        );
        assert_eq!(verified.code, Some(0), "{verified:?}");
    }
}

/// Proposes once more; what comes of it after the start is the caller's.
fn propose(pair: &Pair) -> Run {
    at(
        pair,
        "rating propose --dataset test --purpose again --rank 4 --rounds 3 --solver gd --again",
    )
}

fn approve_and_run(pair: &Pair) -> (String, Run) {
    let job = propose(pair).json()["job_id"].as_str().unwrap().to_owned();
    at(pair, &format!("social approve {job}")).json();
    at(pair, &format!("rating start {job} --wait")).json();
    let watched = at(pair, &format!("rating watch {job}"));
    (job, watched)
}

/// The other platform's people accept the log that a job was refused for.
fn accept_log(pair: &Pair, refused: &Run, platform: &str) {
    let text = format!("{}{}", refused.stdout, refused.stderr);
    let (_, rest) = text
        .split_once(&format!("s3rec {platform} accept-log "))
        .unwrap_or_else(|| panic!("{refused:?}"));
    let log: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
    at(pair, &format!("{platform} accept-log {log}")).json();
}

fn reconcile(pair: &Pair, platform: &str, from: &str) -> Run {
    let listed = at(pair, &format!("{from} disclosures"));
    let file = pair.home.path().join(format!("{from}.json"));
    std::fs::write(&file, &listed.stdout).unwrap();
    at(pair, &format!("{platform} reconcile {}", file.display()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_social_platform_from_a_backup_counts_what_was_shown_since_before_anything_else_is() {
    let mut pair = Pair::lasting();
    let data = tempfile::tempdir().unwrap();
    let files = Files::small(data.path());
    let mut first = Job::start_with(&pair, &files, request(3)).await;
    assert_eq!(first.end_at_rating().await.state(), v1::JobState::Finished);
    let mut second = Job::start_with(&pair, &files, request(MANY)).await;
    second.reach_round(2).await;
    let backup = back_up(&pair, "social");
    // More is opened than the backup knows.
    assert_eq!(second.end_at_rating().await.state(), v1::JobState::Finished);
    let spent = counted(&pair, "rating", &second.id);
    assert_eq!(spent["openings"], u64::from(MANY));

    pair.social.kill();
    lose_and_restore(&pair, "social", &backup);
    pair.social.restart();
    let event = state(&pair, "social", &second.id);
    assert_eq!(event["state"], "JOB_STATE_FAILED");
    assert!(
        event["message"]
            .as_str()
            .unwrap()
            .starts_with("Not brought over by the backup")
    );
    let sets = at(&pair, "social datasets show test").json();
    assert!(sets["imported"]["links"].as_u64().unwrap() > 0);
    assert_eq!(
        counted(&pair, "social", &first.id),
        counted(&pair, "rating", &first.id)
    );
    let known = counted(&pair, "social", &second.id)["openings"]
        .as_u64()
        .unwrap();
    assert!(
        known < u64::from(MANY),
        "the backup came too late for this test"
    );
    logs_are_sound(&pair, "social");

    // Nothing is shown before that is counted, nor may it be counted from anything else.
    let proposed = propose(&pair).json();
    let job = proposed["job_id"].as_str().unwrap();
    let refused = at(&pair, &format!("social approve {job}")).error();
    assert_eq!(refused["reason"], "STATE_LOST", "{refused}");
    assert!(
        refused["remedy"]
            .as_str()
            .unwrap()
            .contains("s3rec social reconcile")
    );
    let own = reconcile(&pair, "social", "social").error();
    assert!(
        own["message"]
            .as_str()
            .unwrap()
            .contains("social platform's list"),
        "{own}"
    );
    let raised = reconcile(&pair, "social", "rating").json();
    assert_eq!(raised["jobs"], 1);
    assert_eq!(
        counted(&pair, "social", &second.id)["openings"],
        u64::from(MANY)
    );
    for figure in ["opened_values", "exact_values", "nano_rho", "jobs"] {
        let ours = counted(&pair, "social", &second.id)[figure].clone();
        assert_eq!(ours, spent[figure], "{figure}");
    }
    let again = at(&pair, "social reconcile --nothing-since").error();
    assert_eq!(again["reason"], "WRONG_STATE", "{again}");
    // Also after another start, from log or store.
    pair.social.kill();
    pair.social.restart();
    assert_eq!(
        counted(&pair, "social", &second.id)["openings"],
        u64::from(MANY)
    );

    // The other platform does not overlook it.
    at(&pair, &format!("rating cancel {job}")).json();
    let (_, failed) = approve_and_run(&pair);
    assert!(
        failed.stdout.contains("begun another audit log"),
        "{failed:?}"
    );
    accept_log(&pair, &failed, "rating");
    let (job, watched) = approve_and_run(&pair);
    assert_eq!(watched.code, Some(0), "{watched:?}");
    assert_eq!(
        counted(&pair, "social", &job),
        counted(&pair, "rating", &job)
    );
    logs_are_sound(&pair, "social");
    pair.social.assert_well();
    pair.rating.assert_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rating_platform_from_a_backup_has_its_models_and_uses_no_column_again() {
    let mut pair = Pair::lasting();
    let data = tempfile::tempdir().unwrap();
    let files = Files::small(data.path());
    let mut first = Job::start_with(&pair, &files, request(3)).await;
    assert_eq!(first.end_at_rating().await.state(), v1::JobState::Finished);
    let recommended = at(&pair, "rating recommend --user user-00001").json();
    let mut second = Job::start_with(&pair, &files, request(MANY)).await;
    second.reach_round(2).await;
    let backup = back_up(&pair, "rating");
    pair.rating.kill();
    lose_and_restore(&pair, "rating", &backup);
    // P1 notices that P0 is gone before it comes back as another.
    let second = second.id;
    let opened = |pair: &Pair| counted(pair, "social", &second)["opened_columns"].clone();
    let before = opened(&pair);
    assert!(before.as_u64().unwrap() > 0);
    pair.rating.restart();

    let event = state(&pair, "rating", &second);
    assert_eq!(event["state"], "JOB_STATE_FAILED");
    assert_eq!(
        at(&pair, "rating recommend --user user-00001").json(),
        recommended
    );
    assert_eq!(
        at(&pair, "rating datasets list").json()["datasets"][0]["dataset"],
        "test"
    );
    let stock = at(&pair, "rating stock").json();
    for stock in stock["stocks"].as_array().unwrap() {
        assert_eq!(stock["state"], "STOCK_STATE_ERASED", "{stock}");
    }
    logs_are_sound(&pair, "rating");
    let refused = propose(&pair).error();
    assert_eq!(refused["reason"], "STATE_LOST", "{refused}");
    at(&pair, "rating reconcile --nothing-since").json();

    // Nothing more is opened of the job that ran, whoever asks.
    let started = at(&pair, &format!("rating start {second}")).error();
    assert_eq!(started["reason"], "WRONG_STATE", "{started}");
    at(&pair, &format!("social revoke {second} --reason lost")).json();
    assert_eq!(opened(&pair), before);
    let (_, failed) = approve_and_run(&pair);
    assert!(
        failed.stdout.contains("begun another audit log"),
        "{failed:?}"
    );
    accept_log(&pair, &failed, "social");
    let (job, watched) = approve_and_run(&pair);
    assert_eq!(watched.code, Some(0), "{watched:?}");
    assert_eq!(
        counted(&pair, "social", &job),
        counted(&pair, "rating", &job)
    );
    assert_eq!(opened(&pair), before);
    wait_until("both are well", Duration::from_secs(5), || {
        pair.social.assert_well();
        pair.rating.assert_well();
        true
    });
}
