//! The door while a job begins, ends, or is called over two connections: whatever comes first,
//! nothing that was counted is lowered, and nothing ends up uncounted.

use std::sync::Barrier;

use s3rec_audit::{Entry, Kind};
use s3rec_job::{
    CountedOpening, Counters, JobCost, JobDisclosure, JobId, JobState, Phase, Proposal,
};
use s3rec_node::checkpoint::AGREED;
use s3rec_node::store::Change;
use s3rec_sparse::{BoundsRule, OperatorKind, PublicBounds, StatedBounds};
use s3rec_spmm::noise_first::Sides;
use s3rec_spmm::{Admission, Asked, FriendsRelease, Protocol, ReleasePolicy};
use s3rec_wire::convert::proposal_to_wire;
use s3rec_wire::record::Record;
use s3rec_wire::status::Reason;

use crate::attack_tests::Bare;
use crate::bounds::Given;
use crate::ledger;
use crate::opening::Opening;
use crate::platform::Platform;
use crate::setup_tests::proposal;
use crate::tables::{COUNTED, DISCLOSURES};
use crate::{approval, consented, disclosing, proposals, witness};

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
    proposals::receive(platform, proposal, &message.to_record(), "rating".into()).unwrap();
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
    let _cleared = disclosing::clear_upload(platform, proposal.job, epoch, false).unwrap();
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
    let stale = disclosing::clear_upload(platform, proposal.job, epoch, false);
    assert_eq!(stale.unwrap_err().reason, Reason::Superseded);
    let stored = platform
        .store
        .get::<JobDisclosure>(DISCLOSURES, &proposal.job.to_string());
    assert_eq!(stored.unwrap(), None);
}

/// Queries for an upload's rows and the answers to it are one upload, as P0 counts it.
#[tokio::test]
async fn what_is_asked_of_an_upload_is_counted_with_it_and_once() {
    let (bare, proposal) = running().await;
    let platform = &bare.platform;
    let epoch = platform.slot.take(proposal.job, false).unwrap().epoch;
    for is_counted in [false, true] {
        let cleared = disclosing::clear_upload(platform, proposal.job, epoch, is_counted);
        let _cleared = cleared.unwrap();
        assert_eq!(stored(platform, &proposal).counters.stocks, 1);
    }
    let _cleared = disclosing::clear_upload(platform, proposal.job, epoch, false).unwrap();
    assert_eq!(stored(platform, &proposal).counters.stocks, 2);
}

#[test]
fn the_loss_of_an_old_lifeline_is_not_that_of_a_newer_one() {
    let slot = Bare::new();
    let (slot, job) = (&slot.platform.slot, JobId::random());
    let old = slot.attach(job);
    assert!(slot.detach(job, old));
    let newer = slot.attach(job);
    assert!(!slot.detach(job, old));
    assert!(slot.detach(job, newer));
}

/// A rule that allows the jobs of these tests.
fn rule(peer: &str, largest_rank: u32) -> String {
    format!(
        "[[rule]]\npeer = \"{peer}\"\ndataset = \"links\"\ndecide = \"ask\"\n\
         protocols = [\"preprocessed\"]\npatterns = [\"nothing\"]\nreleases = [\"exact\"]\n\
         largest_rank = {largest_rank}\nmost_intersections = 9\nmost_ids_asked = 900\n\
         most_columns_per_day = 900\nmost_values_per_day = 9000\nmost_columns = 900\n\
         most_values = 9000\nmost_stocks = 9\nmost_rho = 0.0\nmost_epsilon = 0.0\n\
         least_common_users = 2\ndegree_bound = 8\nlinks_bound = 40\nlongest_days = 7\n\n"
    )
}

/// A certificate with another name, whichever of both names has the rule that is tighter: the
/// rules of both are asked, and what is counted is counted for the platform.
#[tokio::test]
async fn another_name_of_the_caller_loosens_nothing() {
    let wide = [rule("rating", 8), rule("renamed", 8)].concat();
    let bare = Bare::under(Some(&wide));
    bare.import("links", "a\tb\nb\tc\nc\td\n").await;
    let platform = &bare.platform;
    let proposal = proposal(OperatorKind::Laplacian, Protocol::Preprocessed);
    approve(platform, &proposal);
    let opened = consented::begin(platform, &proposal.job.to_string()).unwrap();
    let may = |caller| disclosing::may_begin(platform, &proposal, caller, &opened, None);
    for (as_proposed, renamed, allowed) in [
        (8, 8, [true, true]),
        // The name that it was proposed under is asked about under either.
        (3, 8, [false, false]),
        (8, 3, [true, false]),
    ] {
        let text = [rule("rating", as_proposed), rule("renamed", renamed)].concat();
        bare.reload(&text);
        for (caller, allowed) in ["rating", "renamed"].into_iter().zip(allowed) {
            let asked = may(caller);
            assert_eq!(asked.is_ok(), allowed, "{caller}: {as_proposed}, {renamed}");
            if let Err(fault) = asked {
                assert_eq!(fault.reason, Reason::BeyondConsent);
                assert!(fault.message.contains("largest_rank"), "{fault}");
            }
        }
    }
    // A name that no rule is about shows nothing, though the other one's would.
    bare.reload(&rule("rating", 8));
    may("rating").unwrap();
    assert_eq!(may("renamed").unwrap_err().reason, Reason::BeyondConsent);
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
    let counts = JobCost::default();
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
            proposals::receive(platform, proposal, &message.to_record(), "rating".into())
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

/// Also where the job's own record was put back to before: it says that nothing was answered.
#[tokio::test]
async fn a_number_that_is_counted_is_of_one_message() {
    let (bare, proposal) = running().await;
    let (platform, name) = (&bare.platform, proposal.job.to_string());
    let epoch = platform.slot.take(proposal.job, false).unwrap().epoch;
    let ask = |digest: u8| {
        let asked = Asked {
            round: 0,
            number: 1,
            digest: [digest; 32],
            is_repeat: false,
        };
        let mut opening = Opening::new(platform, proposal.job, 1, epoch);
        let (permitted, counted) = (opening.permit(&asked), opening.count(&asked));
        assert_eq!(permitted.is_ok(), counted.is_ok());
        counted.is_ok()
    };
    let logged = || {
        let mut openings = 0;
        let count = |entry: &Entry| {
            openings += u32::from(entry.kind == Kind::Opening);
            Ok(())
        };
        platform.audit.each(count).unwrap();
        openings
    };
    assert!(ask(1) && !ask(2) && ask(1));
    assert_eq!((logged(), stored(platform, &proposal).openings), (1, 1));
    // A store of before knows it of the log again.
    let lost = [Change::Remove(COUNTED, &name)];
    platform.store.change(&lost).unwrap();
    assert!(!ask(1) && !ask(2));
    witness::hear(platform).unwrap();
    assert!(!ask(2) && ask(1));
    assert_eq!((logged(), stored(platform, &proposal).openings), (1, 1));
    // What is stored is raised to the log's number, and otherwise left alone.
    for (number, known) in [(2, [9; 32]), (1, [9; 32]), (0, [1; 32])] {
        let before = CountedOpening {
            number,
            message: [9; 32],
        };
        platform.store.put(COUNTED, &name, &before).unwrap();
        witness::hear(platform).unwrap();
        let after: CountedOpening = platform.store.get(COUNTED, &name).unwrap().unwrap();
        assert_eq!((after.number, after.message), (number.max(1), known));
    }
}

/// One file of one job, which does not read, ends the job, and not the daemon's start.
#[tokio::test]
async fn a_job_whose_files_do_not_read_ends_and_the_daemon_starts() {
    let (bare, proposal) = running().await;
    let (platform, name) = (&bare.platform, proposal.job.to_string());
    let files = platform.stocks.checkpoint(&name);
    files.save(AGREED, &7_u8).unwrap();
    crate::absence::take_up(platform).unwrap();
    assert_eq!(platform.state(&name), JobState::Failed);
}

const FRIENDS: ReleasePolicy = ReleasePolicy::Friends(FriendsRelease {
    mu: 1.0,
    sides: Sides::One,
    few_below: 5,
    calibration_share: 0.2,
    most_opened: 100,
    row_norm_bound: 1.0,
});
const NOISED: ReleasePolicy = ReleasePolicy::Noised {
    sigma: 8.0,
    row_norm_beta: 1.0,
    delta: 1e-6,
};

/// Where no rule stands too, and whichever of both comes last: friends' sums have a limit of √Σμ²
/// over all jobs, and so has what is opened with noise of the same data.
#[tokio::test]
async fn without_a_rule_mu_is_limited_of_whatever_follows_friends_sums() {
    for (before, now, nano_rho, is_beyond) in [
        (FRIENDS, NOISED, 2_100_000_000, true),
        (NOISED, NOISED, 2_100_000_000, false),
        (NOISED, FRIENDS, 2_100_000_000, true),
        // 2 in all, and no more.
        (FRIENDS, FRIENDS, 1_500_000_000, false),
        (FRIENDS, FRIENDS, 1_600_000_000, true),
    ] {
        let bare = Bare::new();
        let platform = &bare.platform;
        bare.import("links", "a\tb\nb\tc\nc\td\n").await;
        let proposal = released(now);
        approve(platform, &proposal);
        let opened = consented::begin(platform, &proposal.job.to_string()).unwrap();
        let row = JobDisclosure {
            job: "of before".into(),
            openings: 1,
            release: Some(before),
            lineage: opened.lineage,
            counters: Counters {
                jobs: 1,
                openings: 1,
                nano_rho,
                ..Counters::default()
            },
            ..JobDisclosure::default()
        };
        platform.store.put(DISCLOSURES, "of before", &row).unwrap();
        let opened = consented::begin(platform, &proposal.job.to_string()).unwrap();
        let may = disclosing::may_begin(platform, &proposal, "rating", &opened, None);
        let refused = may.err().map(|fault| fault.metadata["field"].clone());
        let expected = is_beyond.then(|| "most_mu_in_all".to_owned());
        assert_eq!(refused, expected, "{before:?}, {now:?}, {nano_rho}");
    }
}

/// What is approved and not opened yet is foreseen: also that it is friends' sums.
#[tokio::test]
async fn approved_friends_sums_are_foreseen_for_what_is_approved_after_them() {
    let bare = Bare::new();
    let platform = &bare.platform;
    bare.import("links", "a\tb\nb\tc\nc\td\n").await;
    let foreseen = |planned: Option<&Proposal>| {
        let bounds = PublicBounds {
            stated: StatedBounds {
                degree: 8,
                links: 40,
            },
            rule: BoundsRule::Stated,
        };
        let planned = planned.map(|proposal| (proposal, &bounds));
        let account = consented::planned(platform, "links", planned).unwrap();
        account.unwrap().of_data.has_friends
    };
    assert!(!foreseen(Some(&released(NOISED))));
    assert!(foreseen(Some(&released(FRIENDS))));
    approve(platform, &released(FRIENDS));
    assert!(foreseen(Some(&released(NOISED))) && foreseen(None));
}

fn released(release: ReleasePolicy) -> Proposal {
    let (operator, protocol, rounds) = match release {
        ReleasePolicy::Friends(_) => (OperatorKind::Friends, Protocol::NoiseFirst, 1),
        _ => (OperatorKind::Laplacian, Protocol::Preprocessed, 3),
    };
    Proposal {
        release,
        rounds,
        ..proposal(operator, protocol)
    }
}
