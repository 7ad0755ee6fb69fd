//! The links of a job are those that were committed to when it was approved.

use std::path::{Path, PathBuf};

use s3rec_spmm::Protocol;
use s3rec_wire::status::Reason;
use s3rec_wire::v1::JobState;

use crate::attacker::proposal;
use crate::target::{Target, everybody, policy, ring_of_links};

/// The one file beneath P1's data that holds the links of a job, whatever it is called.
fn of_job(data_dir: &Path, job: &str) -> PathBuf {
    let files = std::fs::read_dir(data_dir.join("links")).unwrap();
    let mut named = files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains(job));
    let found = named.next().expect("the job has no copy");
    assert!(named.next().is_none());
    found
}

/// A file that somebody changed beneath the daemon: by a link, and by its order alone.
#[tokio::test(flavor = "multi_thread")]
async fn links_that_are_not_those_committed_to_are_not_used() {
    let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let proposal = proposal(Protocol::Preprocessed, 1);
    attacker.approved(&proposal).await;
    let copy = of_job(target.data_dir(), &proposal.job.to_string());
    let changed = ring_of_links().replace("u0\tu2\n", "u0\tu3\n");
    assert_ne!(changed, ring_of_links());
    std::fs::write(copy, changed).unwrap();
    let told = async {
        let (common, _) = attacker.align(proposal.job, &everybody()).await?;
        let request = crate::attacker::Attacker::setup_request(proposal.job, &common);
        attacker.setup(request).await
    };
    let fault = told.await.map(drop).expect_err("other links were used");
    assert_eq!(fault.reason, Reason::PlatformFailed, "{fault:?}");
    let (state, why) = target.end_of(&proposal.job.to_string()).await;
    assert_eq!(state, JobState::Failed, "{why}");
    let counters = target.counters().await;
    assert_eq!((counters.stocks, counters.openings), (0, 0));
}

/// The control: the same links in another order are the same links.
#[tokio::test(flavor = "multi_thread")]
async fn links_in_another_order_are_the_same_links() {
    let target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let proposal = proposal(Protocol::Preprocessed, 1);
    attacker.approved(&proposal).await;
    let copy = of_job(target.data_dir(), &proposal.job.to_string());
    let reversed: Vec<String> = ring_of_links().lines().rev().map(String::from).collect();
    std::fs::write(copy, reversed.join("\n") + "\n").unwrap();
    let (common, overlap) = attacker.align(proposal.job, &everybody()).await.unwrap();
    let agreed = attacker.agree(&proposal, (&common, overlap), |_| ()).await;
    agreed.unwrap();
}

/// Links that were imported anew after the approval: the job does not begin with either.
#[tokio::test(flavor = "multi_thread")]
async fn links_that_were_imported_after_the_approval_are_not_used() {
    let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let proposal = proposal(Protocol::Preprocessed, 1);
    attacker.approved(&proposal).await;
    target.import(&(ring_of_links() + "u1\tu0\n")).await;
    let aligned = attacker.align(proposal.job, &everybody()).await;
    let fault = aligned.map(drop).unwrap_err();
    assert_eq!(fault.reason, Reason::WrongState, "{fault:?}");
    assert!(target.showings().is_empty());
}

/// A data set under the name of a job's copy.
#[tokio::test(flavor = "multi_thread")]
async fn no_data_set_has_the_name_of_a_jobs_copy() {
    let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let proposal = proposal(Protocol::Preprocessed, 1);
    attacker.approved(&proposal).await;
    let copy = of_job(target.data_dir(), &proposal.job.to_string());
    let before = std::fs::read(&copy).unwrap();
    let name = copy.file_name().unwrap().to_string_lossy().into_owned();
    let other = crate::target::file(&name, "u0\tu1\nu1\tu2\n");
    target.people().import_links(other).await.unwrap_err();
    assert_eq!(std::fs::read(&copy).unwrap(), before);
}
