//! Consent is to one proposal, signed, for a time: what is begun must be that.

use std::path::Path;

use s3rec_job::{Proposal, SignedApproval};
use s3rec_node::process::now_unix_ms;
use s3rec_node::store::{Store, Table};
use s3rec_spmm::{Protocol, ReleasePolicy};
use s3rec_wire::convert::{approval_from_bytes, approval_to_bytes};
use s3rec_wire::status::Reason;
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;

use crate::attacker::proposal;
use crate::target::{Target, everybody, policy, ring_of_links};

const APPROVALS: Table = Table("approvals");
const PROPOSALS: Table = Table("proposals");

/// What a job's beginning is refused with after P1's store was changed beneath it.
async fn begun_after(change: impl FnOnce(&Store, &Proposal)) -> Reason {
    let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let proposal = proposal(Protocol::Preprocessed, 2);
    attacker.approved(&proposal).await;
    let changed = |data_dir: &Path| change(&Store::open(data_dir).unwrap(), &proposal);
    let mut attacker = target.restart(attacker, changed).await;
    attacker.attach(proposal.job).await.unwrap();
    let aligned = attacker.align(proposal.job, &everybody()).await;
    let fault = aligned.map(drop).expect_err("begun");
    assert!(target.showings().is_empty());
    let counters = target.counters().await;
    assert_eq!((counters.stocks, counters.openings), (0, 0));
    fault.reason
}

fn approval_of(store: &Store, proposal: &Proposal) -> SignedApproval {
    let job = proposal.job.to_string();
    store.get(APPROVALS, &job).unwrap().unwrap()
}

/// The control: what nobody has changed begins.
#[tokio::test(flavor = "multi_thread")]
async fn an_approval_outlives_a_restart() {
    let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let proposal = proposal(Protocol::Preprocessed, 2);
    attacker.approved(&proposal).await;
    let mut attacker = target.restart(attacker, |_| ()).await;
    attacker.attach(proposal.job).await.unwrap();
    attacker.align(proposal.job, &everybody()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_this_platform_has_not_signed_begins_nothing() {
    // Another end, under the old signature.
    let extended = |store: &Store, proposal: &Proposal| {
        let mut signed = approval_of(store, proposal);
        let mut approval = approval_from_bytes(&signed.approval).unwrap();
        approval.expires_unix_ms -= 1;
        signed.approval = approval_to_bytes(&approval);
        let job = proposal.job.to_string();
        store.put(APPROVALS, &job, &signed).unwrap();
    };
    assert_eq!(begun_after(extended).await, Reason::NotSigned);
    // Another signature under the old text.
    let forged = |store: &Store, proposal: &Proposal| {
        let mut signed = approval_of(store, proposal);
        signed.signature[7] ^= 1;
        let job = proposal.job.to_string();
        store.put(APPROVALS, &job, &signed).unwrap();
    };
    assert_eq!(begun_after(forged).await, Reason::NotSigned);
}

/// More openings, and exact ones, in the stored proposal than were approved.
#[tokio::test(flavor = "multi_thread")]
async fn a_stored_proposal_that_is_not_the_approved_one_begins_nothing() {
    let changes: [fn(&mut Proposal); 2] = [
        |proposal| proposal.rounds = 100,
        |proposal| {
            proposal.release = ReleasePolicy::Noised {
                sigma: 1e-9,
                row_norm_beta: 1.0,
                delta: 1e-6,
            };
        },
    ];
    for change in changes {
        let widened = |store: &Store, proposal: &Proposal| {
            let mut other = proposal.clone();
            change(&mut other);
            let job = proposal.job.to_string();
            store.put(PROPOSALS, &job, &other).unwrap();
        };
        assert_eq!(begun_after(widened).await, Reason::NotSigned);
    }
}

/// The approval of another job, which this platform has signed indeed.
#[tokio::test(flavor = "multi_thread")]
async fn the_approval_of_another_job_begins_nothing() {
    let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let (narrow, wide) = (
        proposal(Protocol::Preprocessed, 1),
        proposal(Protocol::Preprocessed, 50),
    );
    attacker.approved(&narrow).await;
    target.reload(&policy(&[("decide", "\"ask\"")])).await;
    assert_eq!(attacker.propose(&wide).await.unwrap(), JobState::Proposed);
    // The people here have approved the narrow one alone.
    attacker.attach(wide.job).await.unwrap();
    let aligned = attacker.align(wide.job, &everybody()).await;
    assert_eq!(aligned.map(drop).unwrap_err().reason, Reason::NotApproved);

    let moved = |data_dir: &Path| {
        let store = Store::open(data_dir).unwrap();
        let signed = approval_of(&store, &narrow);
        store
            .put(APPROVALS, &wide.job.to_string(), &signed)
            .unwrap();
    };
    let mut attacker = target.restart(attacker, moved).await;
    attacker.attach(wide.job).await.unwrap();
    attacker
        .align(wide.job, &everybody())
        .await
        .map(drop)
        .unwrap_err();
    assert!(target.showings().is_empty());
}

/// The same id with other terms, after the approval.
#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_that_is_altered_after_its_approval_is_refused() {
    let target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let approved = proposal(Protocol::Preprocessed, 2);
    attacker.approved(&approved).await;
    let wider = Proposal {
        rounds: 200,
        ..approved.clone()
    };
    let fault = attacker.propose(&wider).await.unwrap_err();
    assert_eq!(fault.reason, Reason::Contradiction, "{fault:?}");
    let logged = target.logged("proposal");
    assert_eq!(logged.len(), 1);
    // What was approved is what runs.
    let agreed = {
        let (common, overlap) = attacker.align(approved.job, &everybody()).await.unwrap();
        let agreed = attacker.agree(&approved, (&common, overlap), |_| ()).await;
        agreed.unwrap()
    };
    assert_eq!(agreed.parameters.rounds, 2);
}

/// An approval that ended, before the beginning and between two openings.
#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_has_ended_opens_nothing() {
    let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let mut late = proposal(Protocol::Preprocessed, 2);
    late.terms.expires_unix_ms = now_unix_ms() + 400;
    attacker.approved(&late).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let aligned = attacker.align(late.job, &everybody()).await;
    assert_eq!(aligned.map(drop).unwrap_err().reason, Reason::Expired);
    attacker.abort(late.job).await;

    let mut ending = proposal(Protocol::Preprocessed, 2);
    ending.terms.expires_unix_ms = now_unix_ms() + 15_000;
    let agreed = attacker.agreed(&ending, &everybody()).await;
    let stock = attacker.stock(&agreed).await.unwrap();
    let stock = attacker.meet(&agreed, stock).await.unwrap();
    let opened = attacker.open(agreed.round(1), stock, agreed.probing(0));
    let (_, stock) = opened.await.unwrap();
    let left = ending.terms.expires_unix_ms - now_unix_ms() + 100;
    let left = std::time::Duration::from_millis(left.max(0).unsigned_abs());
    tokio::time::sleep(left).await;
    // Not the next one, and in the old one's name no other either.
    let opened = attacker
        .open(agreed.round(2), stock, agreed.probing(4))
        .await;
    assert_eq!(opened.map(drop).unwrap_err().reason, Reason::Expired);
    assert_eq!(attacker.answered_bytes, 0);
    assert_eq!(target.counters().await.openings, 1);
    assert_eq!(target.logged("opening").len(), 1);
}

/// Consent that was taken back, while the rating platform goes on as if it were not.
#[tokio::test(flavor = "multi_thread")]
async fn consent_that_was_taken_back_opens_nothing() {
    let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let proposal = proposal(Protocol::Preprocessed, 2);
    let agreed = attacker.agreed(&proposal, &everybody()).await;
    let stock = attacker.stock(&agreed).await.unwrap();
    let stock = attacker.meet(&agreed, stock).await.unwrap();
    let revoke = v1::RevokeApprovalRequest {
        job_id: proposal.job.to_string(),
        reason: "enough".into(),
    };
    target.people().revoke_approval(revoke).await.unwrap();
    let opened = attacker
        .open(agreed.round(1), stock, agreed.probing(0))
        .await;
    opened.map(drop).unwrap_err();
    assert_eq!(attacker.answered_bytes, 0);
    attacker
        .align(proposal.job, &everybody())
        .await
        .map(drop)
        .unwrap_err();
    attacker
        .propose(&proposal)
        .await
        .map(|state| assert_eq!(state, JobState::Cancelled))
        .unwrap();
    assert_eq!(target.counters().await.openings, 0);
    assert!(target.logged("opening").is_empty());
}
