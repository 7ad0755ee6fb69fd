//! A rating platform that proposes and takes back without end: it costs the social platform
//! nothing that stays.

use std::path::Path;

use s3rec_tests::pair::Pair;
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;

use crate::peer_port::{PeerClient, hello, peer, proposal};

const MEBIBYTE: u64 = 1 << 20;

/// What may come and go while proposals do: `audit.log` alone grows, by a few hundred bytes each.
const FLAT_BYTES: u64 = 5 * MEBIBYTE;

/// Bytes of all files beneath a directory.
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

/// Proposes and takes back that many times.
async fn taken_back(client: &mut PeerClient, from: u32, count: u32) {
    for number in from..from + count {
        let job_id = format!("0d9a1f6e-6a0e-4c6e-9f0e-{number:012x}");
        let message = proposal(|proposal| proposal.job_id.clone_from(&job_id));
        client.propose(message).await.unwrap();
        let reason = "never mind".into();
        let abort = v1::AbortRequest { job_id, reason };
        let aborted = client.abort(abort).await.unwrap().into_inner();
        assert_eq!(aborted.state(), JobState::Cancelled);
    }
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "the figures")]
async fn a_thousand_proposals_that_are_taken_back_leave_memory_and_disk_flat() {
    let mut pair = Pair::start();
    let mut client = peer(&pair).await;
    client.hello(hello()).await.unwrap();
    // What a daemon takes once, and what it keeps of so many at most.
    taken_back(&mut client, 0, 1_000).await;
    let data_dir = pair.home.data_dir("social");
    let before = (pair.social.resident_bytes(), on_disk(&data_dir));
    taken_back(&mut client, 1_000, 1_000).await;
    let after = (pair.social.resident_bytes(), on_disk(&data_dir));
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
    pair.social.assert_well();
}
