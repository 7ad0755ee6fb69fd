//! What P0 commits to is what it learns from, and a job leaves no copy behind.

use std::path::{Path, PathBuf};

use crate::pair::{Pair, request, small_data};
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;
use s3rec_wire::v1::file_chunk::Part;

/// Everything of a platform's imported data whose name holds `job`.
fn of_job(directory: &Path, kind: &str, job: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![directory.join(kind)];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.to_string_lossy().contains(job) {
                found.push(path);
            }
        }
    }
    found
}

/// Other ratings under a name that the job's copy might have.
fn under(dataset: &str) -> Vec<v1::FileChunk> {
    let header = v1::FileHeader {
        file_name: "ratings.tsv".into(),
        dataset: dataset.into(),
        ..v1::FileHeader::default()
    };
    // Everybody likes what they disliked.
    let mut opposite = String::new();
    for line in small_data().0.lines() {
        let (rated, value) = line.rsplit_once('\t').unwrap();
        let value: i32 = value.parse().unwrap();
        opposite += &format!("{rated}\t{}\n", 7 - value);
    }
    let part = |part| v1::FileChunk { part: Some(part) };
    vec![
        part(Part::Header(header)),
        part(Part::Data(opposite.into_bytes())),
    ]
}

/// Demonstration 5: an import under the name of the job's copy, after the approval.
#[tokio::test(flavor = "multi_thread")]
async fn a_data_set_under_the_name_of_a_jobs_copy_is_not_what_it_learns_from() {
    let mut pair = Pair::start().await;
    pair.import().await;
    let (undisturbed, _) = pair.run(request(3)).await;
    let expected = pair.model(&undisturbed).await;

    let job = pair.propose(3).await;
    pair.approve(&job).await;
    let directory = pair.directory.path().join("rating");
    let copies = of_job(&directory, "ratings", &job);
    assert_eq!(copies.len(), 1, "{copies:?}");
    let name = copies[0].file_name().unwrap().to_string_lossy();
    for name in [
        format!("job-{job}"),
        format!("job/{job}"),
        name.into_owned(),
    ] {
        // Refused, or at a place of its own.
        let _ = pair
            .rating
            .import_ratings(tokio_stream::iter(under(&name)))
            .await;
    }
    pair.begin(&job).await;
    let last = pair.watch(&job).await.pop().unwrap();
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);
    assert_eq!(
        pair.model(&job).await,
        expected,
        "it learnt from other ratings"
    );
}

/// The same by hand, beneath the daemon: what was committed to is verified when it is used.
#[tokio::test(flavor = "multi_thread")]
async fn ratings_that_are_not_those_committed_to_are_not_learnt_from() {
    let mut pair = Pair::start().await;
    pair.import().await;
    let job = pair.propose(3).await;
    pair.approve(&job).await;
    let copies = of_job(&pair.directory.path().join("rating"), "ratings", &job);
    let text = std::fs::read_to_string(&copies[0]).unwrap();
    // One rating of one user.
    let changed = text.replacen("\t4\n", "\t5\n", 1);
    assert_ne!(changed, text);
    std::fs::write(&copies[0], changed).unwrap();
    pair.begin(&job).await;
    let last = pair.watch(&job).await.pop().unwrap();
    assert_eq!(
        last.state(),
        JobState::Failed,
        "it learnt from other ratings"
    );
    let shown = pair.shown().await.disclosures;
    assert!(shown.iter().all(|one| one.openings == 0), "{shown:?}");
}

/// Neither platform keeps a job's copy once there is no such job any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_ended_leaves_no_copy_at_either_platform() {
    let mut pair = Pair::start().await;
    pair.import().await;
    let copies = |pair: &Pair, job: &str| {
        let directory = pair.directory.path();
        let rating = of_job(&directory.join("rating"), "ratings", job).len();
        (
            rating,
            of_job(&directory.join("social"), "links", job).len(),
        )
    };
    let (finished, _) = pair.run(request(2)).await;
    pair.social_end(&finished).await;
    assert_eq!(copies(&pair, &finished), (0, 0), "finished");

    let cancelled = pair.propose(2).await;
    pair.approve(&cancelled).await;
    assert_eq!(copies(&pair, &cancelled), (1, 1));
    let cancel = v1::CancelJobRequest {
        job_id: cancelled.clone(),
        reason: String::new(),
    };
    pair.rating.cancel_job(cancel).await.unwrap();
    pair.social_end(&cancelled).await;
    assert_eq!(copies(&pair, &cancelled), (0, 0), "cancelled");

    // A proposal that never reached P1.
    pair.stop_social.send_replace(true);
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let directory = pair.directory.path().join("rating");
    let before = of_job(&directory, "ratings", "").len();
    pair.rating.propose_job(request(2)).await.unwrap_err();
    let after = of_job(&directory, "ratings", "").len();
    assert_eq!(before, after, "a proposal that failed");
}
