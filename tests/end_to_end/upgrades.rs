//! The daemons of today on what those of 0.1 left behind: nothing is lost, nothing counted anew, and
//! the platforms go on. `tests/fixtures/release-0.1/make.sh` says how that was made.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use s3rec_tests::command::{at, run};
use s3rec_tests::pair::{Home, Pair};
use serde_json::Value;

/// What 0.1 left behind, with keys and configurations of today.
fn left_behind() -> Home {
    let home = Home::new();
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/release-0.1/data.tar.gz");
    let unpacked = Command::new("tar")
        .arg("-xzf")
        .arg(archive)
        .current_dir(home.path())
        .status();
    assert!(unpacked.unwrap().success());
    for platform in ["rating", "social"] {
        std::fs::rename(home.path().join(platform), home.data_dir(platform)).unwrap();
    }
    home
}

fn said(home: &Home, file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(home.path().join(file)).unwrap()).unwrap()
}

/// What was opened of the data, by all its jobs.
fn opened(disclosures: &Value) -> (u64, u64) {
    let counters = &disclosures["accounts"][0]["counters"];
    let count = |name: &str| counters[name].as_u64().unwrap();
    (count("openings"), count("opened_values"))
}

fn items(recommended: &Value) -> Vec<(String, f64)> {
    let items = recommended["items"].as_array().unwrap().iter();
    items
        .map(|item| {
            let id = item["item_id"].as_str().unwrap().to_owned();
            (id, item["score"].as_f64().unwrap())
        })
        .collect()
}

/// The last event of a job as its platform lists it.
fn last(pair: &Pair, list: &str, job: &Value) -> Value {
    let listed = at(pair, list).json();
    let all = listed.as_object().unwrap().values().next().unwrap();
    let one = all.as_array().unwrap().iter();
    let mut one = one.filter(|listed| &listed["job_id"] == job);
    one.next().unwrap()["last_event"].clone()
}

#[test]
fn the_data_of_0_1_are_gone_on_with() {
    let mut pair = Pair::lasting_at(left_behind());
    let jobs = said(&pair.home, "jobs.json");

    // What a platform served and counted, it serves and counts.
    let then = items(&said(&pair.home, "recommended.json"));
    let now = items(&at(&pair, "rating recommend --user u1 --count 3").json());
    assert_eq!(then.len(), 3);
    for (then, now) in then.iter().zip(&now) {
        assert_eq!(then.0, now.0);
        assert!((then.1 - now.1).abs() < 1e-12, "{then:?} {now:?}");
    }
    for platform in ["rating", "social"] {
        let before = opened(&said(&pair.home, &format!("{platform}-disclosures.json")));
        assert_eq!(before, (3, 3 * 4 * 60));
        let line = format!("{platform} disclosures");
        assert_eq!(opened(&at(&pair, &line).json()), before, "{platform}");
    }
    for list in ["rating jobs", "social proposals --all"] {
        let finished = last(&pair, list, &jobs["finished"]);
        assert_eq!(finished["state"], "JOB_STATE_FINISHED", "{list}");
        // The common users were found otherwise then, so nobody can begin with what was proposed.
        let waiting = last(&pair, list, &jobs["waiting"]);
        assert_eq!(waiting["state"], "JOB_STATE_REJECTED", "{list}");
        let message = waiting["message"].as_str().unwrap();
        assert!(message.contains("Propose the job anew"), "{message}");
    }
    let rejected = last(&pair, "social proposals --all", &jobs["rejected"]);
    let message = rejected["message"].as_str().unwrap();
    assert!(message.contains("not this year"), "{message}");

    // The next job, over the same data and by the same counters.
    let propose = "rating propose --purpose anew --rank 4 --rounds 2";
    let job = at(&pair, propose).json()["job_id"].clone();
    let job = job.as_str().unwrap();
    at(&pair, &format!("social approve {job}")).json();
    at(&pair, &format!("rating start {job}")).json();
    let watched = at(&pair, &format!("rating watch {job}")).json();
    let ended = watched.as_array().unwrap().last().unwrap();
    assert_eq!(ended["state"], "JOB_STATE_FINISHED", "{ended}");
    for platform in ["rating", "social"] {
        let now = opened(&at(&pair, &format!("{platform} disclosures")).json());
        assert_eq!(now, (5, 5 * 4 * 60), "{platform}");
        let log = pair.home.data_dir(platform);
        let verify = [
            "audit",
            "verify",
            "--json",
            "--data-dir",
            log.to_str().unwrap(),
        ];
        run(pair.home.path(), &verify).json();
    }

    // Brought up to date once.
    for daemon in [&mut pair.rating, &mut pair.social] {
        let said = |log: String| log.matches("older version").count();
        let before = said(daemon.log());
        assert!(before > 0);
        daemon.terminate();
        assert!(daemon.wait(Duration::from_secs(30)).success());
        daemon.restart();
        assert_eq!(said(daemon.log()), before, "{}", daemon.log());
    }
    assert_eq!(opened(&at(&pair, "social disclosures").json()).0, 5);
}
