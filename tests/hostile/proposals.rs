//! A rating platform that proposes and takes back without end: it costs the social platform
//! nothing that stays.

use std::path::Path;
use std::process::Command;

use s3rec_node::process::rss_bytes;
use s3rec_spmm::Protocol;
use s3rec_wire::status::Reason;
use s3rec_wire::v1::JobState;

use crate::attacker::{Attacker, proposal};
use crate::target::{Target, policy, ring_of_links};

const MEBIBYTE: u64 = 1 << 20;

/// What may come and go while proposals do.
const FLAT_BYTES: u64 = 5 * MEBIBYTE;

/// Memory can only be measured where nothing else runs: in a process of its own.
#[test]
fn a_thousand_proposals_that_are_taken_back_leave_memory_and_disk_flat() {
    let measured = "proposals::in_a_process_of_its_own";
    let mut alone = Command::new(std::env::current_exe().unwrap());
    alone.args(["--exact", measured, "--ignored", "--nocapture"]);
    let ended = alone.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    let figures = said.lines().find(|line| line.contains("1,000 proposals"));
    assert!(ended.status.success() && figures.is_some(), "{said}");
    eprintln!("{}", figures.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the test above, alone"]
async fn in_a_process_of_its_own() {
    let asked = policy(&[("decide", "\"ask\"")]);
    let mut target = Target::configured(&asked, |settings| {
        settings.limits.proposals_per_hour = 1_000_000;
        settings.retention.ended_jobs = 100;
    })
    .await;
    target.import(&ring_of_links()).await;
    let mut attacker = target.attacker().await;
    // What a daemon takes once, and what it keeps of so many at most.
    taken_back(&mut attacker, 1_000).await;
    let before = (rss_bytes(), on_disk(target.data_dir()));
    taken_back(&mut attacker, 1_000).await;
    let after = (rss_bytes(), on_disk(target.data_dir()));
    let mebibytes = |bytes: u64| bytes as f64 / MEBIBYTE as f64;
    eprintln!(
        "1,000 proposals with aborts: memory {:.1} to {:.1} MiB, disk {:.1} to {:.1} MiB",
        mebibytes(before.0),
        mebibytes(after.0),
        mebibytes(before.1),
        mebibytes(after.1),
    );
    assert!(after.0.abs_diff(before.0) <= FLAT_BYTES, "memory");
    assert!(after.1.abs_diff(before.1) <= FLAT_BYTES, "disk");
}

/// Under the limits as they are a flood is refused long before.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_proposals_is_refused_by_its_rate() {
    let asked = policy(&[("decide", "\"ask\"")]);
    let mut target = Target::without_links(&asked).await;
    target.import(&ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let mut taken = 0;
    let refused = loop {
        let proposal = proposal(Protocol::Preprocessed, 1);
        match attacker.propose(&proposal).await {
            Ok(_) => attacker.abort(proposal.job).await,
            Err(fault) => break fault,
        }
        taken += 1;
        assert!(taken < 1_000, "all were taken");
    };
    assert_eq!(refused.reason, Reason::LimitExceeded, "{refused:?}");
    assert_eq!(target.logged("proposal").len(), taken);
}

/// Proposes and takes back that many times.
async fn taken_back(attacker: &mut Attacker, count: u32) {
    for _ in 0..count {
        let proposal = proposal(Protocol::Preprocessed, 1);
        assert_eq!(
            attacker.propose(&proposal).await.unwrap(),
            JobState::Proposed
        );
        attacker.abort(proposal.job).await;
    }
}

/// Bytes of all files beneath a directory, the audit log too, which says all and is never shortened.
fn on_disk(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).unwrap().flatten();
    let sizes = entries.map(|entry| {
        let path = entry.path();
        match path.is_dir() {
            true => on_disk(&path),
            false => path.metadata().map_or(0, |file| file.len()),
        }
    });
    sizes.sum()
}
