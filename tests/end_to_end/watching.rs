//! A command that follows a job outlives the daemon that it follows it at.

use std::time::Duration;

use s3rec_testkit::addresses::free_address;
use s3rec_tests::command::{flags, run, s3rec};
use s3rec_tests::data::Files;
use s3rec_tests::pair::Pair;
use s3rec_tests::processes::wait_until;
use serde_json::Value;

#[test]
fn watch_goes_on_when_its_daemon_is_back_and_ends_with_the_job() {
    // The same port after the restart, as in every real configuration.
    let address = free_address();
    let mut pair = Pair::lasting_in(|data| match data.ends_with("rating-data") {
        true => vec![("S3REC_OPERATOR__LISTEN".into(), address.clone().into())],
        false => Vec::new(),
    });
    let data = tempfile::tempdir().unwrap();
    let files = Files::small(data.path());
    let home = pair.home.path().to_owned();
    let (rating, social) = (pair.rating_connection(), pair.social_connection());
    let line = |words: &str, connection| -> Vec<String> {
        let words = words.split(' ').map(String::from);
        words
            .chain(flags(connection))
            .chain(["--json".into()])
            .collect()
    };
    let at = |words: &str, connection| {
        let line = line(words, connection);
        run(&home, &line.iter().map(String::as_str).collect::<Vec<_>>())
    };
    at(
        &format!("rating import {}", files.ratings.display()),
        &rating,
    )
    .json();
    let proposed = at(
        "rating propose --purpose pilot --rank 4 --rounds 2",
        &rating,
    )
    .json();
    let job = proposed["job_id"].as_str().unwrap().to_owned();

    let watch = line(&format!("rating watch {job}"), &rating);
    let watch: Vec<&str> = watch.iter().map(String::as_str).collect();
    let stderr = home.join("watch.stderr");
    let mut watching = s3rec(&home, &watch);
    let watching = watching
        .stdout(std::process::Stdio::piped())
        .stderr(std::fs::File::create(&stderr).unwrap());
    let watching = watching.spawn().unwrap();
    // It has begun once the daemon tells it apart from nobody: the next look is after the kill.
    std::thread::sleep(Duration::from_secs(2));
    pair.rating.kill();
    wait_until("the absence is told", Duration::from_secs(30), || {
        let told = std::fs::read_to_string(&stderr).unwrap();
        told.contains("is away; it is waited for")
    });
    pair.rating.restart();
    at(&format!("social reject {job} --reason later"), &social).json();
    let ended = watching.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let events: Vec<Value> = serde_json::from_slice(&ended.stdout).unwrap();
    let states: Vec<&str> = events
        .iter()
        .map(|event| event["state"].as_str().unwrap())
        .collect();
    assert_eq!(
        states,
        ["JOB_STATE_PROPOSED", "JOB_STATE_REJECTED"],
        "each is told once"
    );
    let told = std::fs::read_to_string(&stderr).unwrap();
    assert!(told.contains("later"), "{told}");
}
