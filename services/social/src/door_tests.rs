//! The door while a job begins, ends, or is called over two connections: whatever comes first,
//! nothing that was counted is lowered, and nothing ends up uncounted.

use std::sync::Barrier;

use s3rec_job::{JobDisclosure, Proposal};
use s3rec_sparse::{BoundsRule, OperatorKind};
use s3rec_spmm::Protocol;
use s3rec_wire::convert::proposal_to_wire;
use s3rec_wire::status::Reason;
use s3rec_wire::v1;
use s3rec_wire::v1::{JobState, Phase};

use crate::attack_tests::Bare;
use crate::bounds::Given;
use crate::ledger;
use crate::platform::Platform;
use crate::setup_tests::proposal;
use crate::tables::DISCLOSURES;
use crate::{approval, consented, disclosing, proposals};

const GIVEN: Given = Given {
    degree: Some(8),
    links: Some(40),
    rule: Some(BoundsRule::Stated),
};

/// A platform and a job of it that runs.
async fn running() -> (Bare, Proposal) {
    let bare = Bare::new();
    bare.import("links", "a\tb\nb\tc\nc\td\n").await;
    let proposal = proposal(OperatorKind::Laplacian, Protocol::Preprocessed);
    approve(&bare.platform, &proposal);
    begin(&bare.platform, &proposal).unwrap();
    let (name, state) = (proposal.job.to_string(), JobState::Running);
    bare.platform
        .advance(&name, state, Phase::Alignment, "")
        .unwrap();
    (bare, proposal)
}

fn approve(platform: &Platform, proposal: &Proposal) {
    let message = proposal_to_wire(proposal);
    proposals::receive(platform, proposal, &message, "rating".into()).unwrap();
    let name = proposal.job.to_string();
    approval::give(platform, &name, "links", 0, GIVEN, "a test").unwrap();
    platform.slot.attach(proposal.job);
}

/// As Align does, but for the question whether the job may begin.
fn begin(platform: &Platform, proposal: &Proposal) -> Result<(), s3rec_wire::status::Fault> {
    let opened = consented::begin(platform, &proposal.job.to_string())?;
    platform
        .slot
        .begin(proposal.clone(), "rating".into(), opened)
}

fn stored(platform: &Platform, proposal: &Proposal) -> JobDisclosure {
    let stored = platform.store.get(DISCLOSURES, &proposal.job.to_string());
    stored.unwrap().unwrap()
}

/// Counts that many openings of the running job.
fn open(platform: &Platform, proposal: &Proposal, openings: u32) {
    let disclosure = platform.slot.with(proposal.job, |running| {
        running.openings = openings;
        ledger::disclosure(running)
    });
    let counting = platform.counting();
    ledger::store(platform, &counting, disclosure.unwrap(), None).unwrap();
}

/// The end of a job takes a time, in which its place is empty and the journal says that it runs.
#[tokio::test]
async fn a_job_that_is_ending_neither_begins_nor_loses_its_count() {
    let (bare, proposal) = running().await;
    let (platform, name) = (&bare.platform, proposal.job.to_string());
    open(platform, &proposal, 2);
    let counted = stored(platform, &proposal);
    assert_eq!(counted.counters.opened_columns, 8);

    platform.begin_to_end(&name);
    assert_eq!(platform.state(&name), JobState::Running);
    let opened = consented::begin(platform, &name).unwrap();
    let may = disclosing::may_begin(platform, &proposal, "rating", &opened, None);
    assert_eq!(may.unwrap_err().reason, Reason::Cancelled);
    // Nor for whoever was asked about just before: what was opened of it is counted.
    let begun = begin(platform, &proposal);
    assert_eq!(begun.unwrap_err().reason, Reason::StateLost);
    platform.end(&name, JobState::Cancelled, "enough");
    assert_eq!(stored(platform, &proposal).counters, counted.counters);
    let may = disclosing::may_begin(platform, &proposal, "rating", &opened, None);
    assert_eq!(may.unwrap_err().reason, Reason::Cancelled);
}

/// Whoever writes less than is stored.
#[tokio::test]
async fn a_count_that_is_stored_is_never_lowered() {
    let (bare, proposal) = running().await;
    let platform = &bare.platform;
    open(platform, &proposal, 3);
    let most = stored(platform, &proposal);
    open(platform, &proposal, 1);
    assert_eq!(stored(platform, &proposal).counters, most.counters);
    let epoch = platform.slot.take(proposal.job, false).unwrap().epoch;
    let _cleared = disclosing::clear_upload(platform, proposal.job, epoch).unwrap();
    let after = stored(platform, &proposal).counters;
    assert_eq!(after.opened_columns, most.counters.opened_columns);
    assert_eq!(after.stocks, most.counters.stocks + 1);
}

#[tokio::test]
async fn a_call_of_an_older_connection_counts_nothing() {
    let (bare, proposal) = running().await;
    let platform = &bare.platform;
    let epoch = platform.slot.take(proposal.job, false).unwrap().epoch;
    platform.slot.suspend(proposal.job).unwrap();
    let stale = disclosing::clear_upload(platform, proposal.job, epoch);
    assert_eq!(stale.unwrap_err().reason, Reason::Superseded);
    let stored = platform
        .store
        .get::<JobDisclosure>(DISCLOSURES, &proposal.job.to_string());
    assert_eq!(stored.unwrap(), None);
}

/// Two jobs that the journal calls running when a daemon starts: one of them was ending.
#[tokio::test]
async fn no_job_is_taken_up_over_another_one() {
    let (bare, first) = running().await;
    let platform = &bare.platform;
    let second = proposal(OperatorKind::Laplacian, Protocol::Preprocessed);
    approve(platform, &second);
    let name = second.job.to_string();
    platform
        .advance(&name, JobState::Running, Phase::Alignment, "")
        .unwrap();
    let opened = consented::go_on(platform, &name).unwrap();
    let counts = v1::JobCostResponse::default();
    let taken_up = platform
        .slot
        .take_up(second.clone(), "rating".into(), opened, counts);
    assert!(!taken_up);
    assert_eq!(platform.slot.running_job(), Some(first.job));
    // The start itself ends whichever comes second.
    platform.slot.end(&first.job.to_string());
    crate::absence::take_up(platform).unwrap();
    let jobs = [&first, &second].map(|job| platform.state(&job.job.to_string()));
    assert!(jobs.contains(&JobState::Running) && jobs.contains(&JobState::Failed));
}

#[test]
fn of_two_proposals_with_one_id_one_is_taken() {
    for _ in 0..10 {
        let bare = Bare::new();
        let platform = &bare.platform;
        let one = proposal(OperatorKind::Laplacian, Protocol::Preprocessed);
        let other = Proposal {
            purpose: "another".into(),
            ..one.clone()
        };
        let together = Barrier::new(2);
        let receive = |proposal: &Proposal| {
            let message = proposal_to_wire(proposal);
            together.wait();
            proposals::receive(platform, proposal, &message, "rating".into())
        };
        let (first, second) = std::thread::scope(|scope| {
            let first = scope.spawn(|| receive(&one));
            let second = scope.spawn(|| receive(&other));
            (first.join().unwrap(), second.join().unwrap())
        });
        let (taken, refused) = match (first, second) {
            (Ok(_), Err(fault)) => (&one, fault),
            (Err(fault), Ok(_)) => (&other, fault),
            both => panic!("{both:?}"),
        };
        assert_eq!(refused.reason, Reason::Contradiction);
        let stored = platform.proposal(&one.job.to_string()).unwrap();
        assert_eq!(stored.purpose, taken.purpose);
    }
}
