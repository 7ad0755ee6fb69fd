//! The policy in force, whatever was approved under an earlier one, and in units that P0 cannot
//! choose.

use std::time::Duration;

use s3rec_job::Proposal;
use s3rec_spmm::preprocessed::MemoryStorage;
use s3rec_spmm::{PatternPolicy, Protocol, ReleasePolicy};
use s3rec_wire::status::Reason;
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;

use crate::attacker::proposal;
use crate::target::{Target, everybody, file, policy, ring_of_links};

/// Fields made narrower, so that what is played here is no longer allowed.
const NARROWER: &[(&str, &str)] = &[
    ("releases", "[\"noised\"]"),
    ("protocols", "[\"he\"]"),
    ("patterns", "[]"),
    ("largest_rank", "3"),
    ("most_columns", "3"),
    ("most_columns_per_day", "3"),
    ("most_stocks", "0"),
    ("peer", "\"somebody else\""),
];

/// Demonstration 3, before anything has begun.
#[tokio::test(flavor = "multi_thread")]
async fn an_approved_job_that_the_policy_no_longer_allows_does_not_begin() {
    let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    for narrower in NARROWER {
        target.reload(&policy(&[])).await;
        let proposal = proposal(Protocol::Preprocessed, 2);
        attacker.approved(&proposal).await;
        target.reload(&policy(&[*narrower])).await;
        let aligned = attacker.align(proposal.job, &everybody()).await;
        let fault = aligned.map(drop).expect_err(narrower.0);
        assert_eq!(fault.reason, Reason::BeyondConsent, "{fault:?}");
        assert!(
            fault.message.contains(narrower.0) || narrower.0 == "peer",
            "{fault:?}"
        );
    }
    // Not a size of P1's was told.
    assert!(target.showings().is_empty());
    assert_eq!(target.counters().await.openings, 0);
}

/// Nor does an intersection that has begun go on: in neither form is another id labelled.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_tightened_during_an_intersection_leaves_the_rest_unlabelled() {
    for (others, largest_rank) in [(0, "8"), (0, "3"), (4_096, "8"), (4_096, "3")] {
        let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
        let mut attacker = target.attacker().await;
        let proposal = proposal(Protocol::Preprocessed, 1);
        let others = (0..others).map(|n| format!("v{n}"));
        let ids: Vec<String> = everybody().into_iter().chain(others).collect();
        attacker.approved(&proposal).await;
        let narrower = policy(&[("largest_rank", largest_rank)]);
        let reloaded = target.reload(&narrower);
        let labelled = attacker.align_pausing(proposal.job, &ids, reloaded).await;
        if largest_rank == "8" {
            assert!(labelled.unwrap() > 0);
            continue;
        }
        let fault = labelled.unwrap_err();
        assert_eq!(fault.reason, Reason::BeyondConsent, "{fault:?}");
        let (state, why) = target.end_of(&proposal.job.to_string()).await;
        assert_eq!(state, JobState::Failed, "{why}");
        assert!(why.contains("largest_rank"), "{why}");
    }
}

/// Demonstration 3, between two openings.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_job_that_the_policy_no_longer_allows_opens_nothing_more() {
    for narrower in NARROWER {
        let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
        let mut attacker = target.attacker().await;
        let proposal = proposal(Protocol::Preprocessed, 3);
        let agreed = attacker.agreed(&proposal, &everybody()).await;
        let stock = attacker.stock(&agreed).await.unwrap();
        let stock = attacker.meet(&agreed, stock).await.unwrap();
        let opened = attacker.open(agreed.round(1), stock, agreed.probing(0));
        let (_, stock) = opened.await.unwrap();
        let counted = target.counters().await;

        target.reload(&policy(&[*narrower])).await;
        let opened = attacker.open(agreed.round(2), stock, agreed.probing(4));
        let fault = opened.await.map(drop).expect_err(narrower.0);
        assert_eq!(fault.reason, Reason::BeyondConsent, "{fault:?}");
        assert_eq!(attacker.answered_bytes, 0, "{}", narrower.0);
        assert_eq!(target.counters().await, counted);
        assert_eq!(target.logged("opening").len(), 1);
        let (state, why) = target.end_of(&proposal.job.to_string()).await;
        assert_eq!(state, JobState::Failed, "{why}");
        assert!(why.contains(narrower.0) || narrower.0 == "peer", "{why}");
    }
}

/// Nor while an input is on its way: the rule is asked again when all of it is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_input_that_is_on_its_way_when_the_policy_is_tightened_is_not_answered() {
    let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let proposal = proposal(Protocol::Preprocessed, 2);
    let agreed = attacker.agreed(&proposal, &everybody()).await;
    let stock = attacker.stock(&agreed).await.unwrap();
    let stock = attacker.meet(&agreed, stock).await.unwrap();
    let (tightened, go) = std::sync::mpsc::channel();
    let opening = attacker.open_after(agreed.round(1), stock, agreed.probing(0), go);
    let tightening = async {
        // By then the call is taken, and what it needs was asked.
        tokio::time::sleep(Duration::from_millis(700)).await;
        target.reload(&policy(&[("largest_rank", "3")])).await;
        tightened.send(()).unwrap();
    };
    let (opened, ()) = tokio::join!(opening, tightening);
    opened.map(drop).expect_err("an opening");
    assert_eq!(attacker.answered_bytes, 0);
    assert_eq!(target.counters().await.openings, 0);
    assert!(target.logged("opening").is_empty());
    let (state, why) = target.end_of(&proposal.job.to_string()).await;
    assert_eq!(state, JobState::Failed, "{why}");
    assert!(why.contains("largest_rank"), "{why}");
}

/// A job that was approved under a rule does not lose its limits with the rule.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_rule_is_gone_shows_nothing_more() {
    let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let proposal = proposal(Protocol::Preprocessed, 2);
    let agreed = attacker.agreed(&proposal, &everybody()).await;
    target.reload("default = \"ask\"\n").await;
    let fault = attacker.stock(&agreed).await.map(drop).unwrap_err();
    assert_eq!(fault.reason, Reason::BeyondConsent, "{fault:?}");
    assert_eq!(attacker.answered_bytes, 0);
    assert!(target.logged("stock").is_empty());
}

/// Between the agreement and the upload, which tells P0 a commitment, is no gap either.
#[tokio::test(flavor = "multi_thread")]
async fn an_agreed_job_that_the_policy_no_longer_allows_takes_no_upload() {
    let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let proposal = proposal(Protocol::Preprocessed, 2);
    let agreed = attacker.agreed(&proposal, &everybody()).await;
    target
        .reload(&policy(&[("releases", "[\"noised\"]")]))
        .await;
    let stock = attacker.stock(&agreed).await;
    let fault = stock.map(drop).unwrap_err();
    assert_eq!(fault.reason, Reason::BeyondConsent, "{fault:?}");
    assert_eq!(attacker.answered_bytes, 0);
    assert!(target.logged("stock").is_empty());
}

/// Nor between two blocks of one stock: what is under way ends with what allowed it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stock_that_the_policy_no_longer_allows_gets_no_further_block() {
    const WIDE: &[(&str, &str)] = &[
        ("most_columns", "100000"),
        ("most_columns_per_day", "100000"),
        ("most_values", "10000000"),
        ("most_values_per_day", "10000000"),
    ];
    let mut target = Target::start(&policy(WIDE), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let proposal = proposal(Protocol::Preprocessed, 4096);
    let agreed = attacker.agreed(&proposal, &everybody()).await;
    assert!(agreed.blocks() >= 2, "{}", agreed.blocks());
    let stock = attacker.begin_stock(&agreed, MemoryStorage::default());
    let stock = stock.await.unwrap();
    let stock = attacker.block(&agreed, stock).await.unwrap();
    assert_ne!(attacker.answered_bytes, 0);
    target
        .reload(&policy(&[&[("releases", "[\"noised\"]")], WIDE].concat()))
        .await;
    // It may hear no more than that the call is over: it computes while it is refused.
    let block = attacker.block(&agreed, stock).await;
    block.map(drop).expect_err("a further block");
    assert_eq!(attacker.answered_bytes, 0);
    let (state, why) = target.end_of(&proposal.job.to_string()).await;
    assert_eq!(state, JobState::Failed, "{why}");
    assert!(why.contains("releases"), "{why}");
}

fn noised(sigma: f64, delta: f64) -> Proposal {
    Proposal {
        release: ReleasePolicy::Noised {
            sigma,
            row_norm_beta: 1.0,
            delta,
        },
        ..proposal(Protocol::Preprocessed, 1)
    }
}

/// Plays a noised job of one opening as far as it goes; true when it was answered.
async fn is_opened(target: &mut Target, proposal: &Proposal) -> bool {
    let mut attacker = target.attacker().await;
    match attacker.propose(proposal).await {
        Ok(JobState::Approved) => {}
        Ok(_) | Err(_) => return false,
    }
    attacker.attach(proposal.job).await.unwrap();
    let played = async {
        let (common, overlap) = attacker.align(proposal.job, &everybody()).await?;
        let agreed = attacker.agree(proposal, (&common, overlap), |_| ()).await?;
        let stock = attacker.stock(&agreed).await?;
        let stock = attacker.meet(&agreed, stock).await?;
        let opened = attacker.open(agreed.round(1), stock, agreed.probing(0));
        opened.await.map(drop)
    };
    let played = played.await;
    assert!(played.is_ok() || attacker.answered_bytes == 0, "{played:?}");
    played.is_ok()
}

/// Demonstration 4: δ = 0.999999, so that ρ = 16 is booked as ε = 3.16.
#[tokio::test(flavor = "multi_thread")]
async fn no_delta_of_the_rating_platform_buys_more_than_the_policy_allows() {
    let policy = policy(&[("most_epsilon", "4.0"), ("releases", "[\"noised\"]")]);
    // Sensitivity 2√2 · β for a Laplacian's one link, so σ = 0.5 is ρ = 16 for one opening.
    for delta in [0.999_999, 0.9, 0.5, 1e-6] {
        let mut target = Target::start(&policy, &ring_of_links()).await;
        let opened = is_opened(&mut target, &noised(0.5, delta)).await;
        assert!(!opened, "δ = {delta}");
        assert_eq!(target.counters().await.nano_rho, 0);
        assert!(target.logged("opening").is_empty());
    }
    // The same game within the limit is answered, and counted in ρ.
    let mut target = Target::start(&policy, &ring_of_links()).await;
    assert!(is_opened(&mut target, &noised(8.0, 1e-6)).await);
    let counted = target.counters().await.nano_rho;
    assert!((1..16_000_000_000 / 100).contains(&counted), "{counted}");
}

/// Noise beside an exact list of who has links states what is not so.
#[tokio::test(flavor = "multi_thread")]
async fn noise_does_not_go_with_a_list_of_who_has_links() {
    let policy = policy(&[(
        "patterns",
        "[\"nothing\", \"active-rows\", \"active-rows-and-columns\"]",
    )]);
    let target = Target::start(&policy, &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    for pattern in [
        PatternPolicy::ActiveRows,
        PatternPolicy::ActiveRowsAndColumns,
    ] {
        let both = Proposal {
            pattern,
            ..noised(8.0, 1e-6)
        };
        let fault = attacker.propose(&both).await.unwrap_err();
        assert_eq!(fault.reason, Reason::Unsupported, "{fault:?}");
    }
    assert!(target.logged("proposal").is_empty());
}

/// What was shown of links under one name counts against the same limit as what would be of those
/// under another, whose own rule would allow it.
#[tokio::test(flavor = "multi_thread")]
async fn all_data_sets_together_keep_to_limits_of_their_own() {
    let limited = |dataset: &str, changed: Option<(&str, &str)>| {
        let mut text = policy(&[("dataset", dataset)]) + "[all_data_sets]\n";
        for (field, most) in [
            ("most_intersections", "2"),
            ("most_ids_asked", "80"),
            ("most_columns", "8"),
            ("most_values", "320"),
            ("most_stocks", "2"),
            ("most_rho", "1.0"),
        ] {
            let changed = changed.filter(|(changed, _)| *changed == field);
            text += &format!("{field} = {}\n", changed.map_or(most, |(_, most)| most));
        }
        text
    };
    let mut target = Target::start(&limited("\"links\"", None), &ring_of_links()).await;
    let friends = file("friends", &ring_of_links());
    target.people().import_links(friends).await.unwrap();
    let mut attacker = target.attacker().await;
    let first = proposal(Protocol::Preprocessed, 1);
    let agreed = attacker.agreed(&first, &everybody()).await;
    let stock = attacker.stock(&agreed).await.unwrap();
    let stock = attacker.meet(&agreed, stock).await.unwrap();
    let opened = attacker.open(agreed.round(1), stock, agreed.probing(0));
    opened.await.unwrap();
    attacker.abort(first.job).await;

    // One less than what two such jobs come to: neither approved nor, where it was, begun.
    for narrower in [
        ("most_intersections", "1"),
        ("most_ids_asked", "79"),
        ("most_columns", "7"),
        ("most_stocks", "1"),
    ] {
        target.reload(&limited("\"friends\"", None)).await;
        let proposal = proposal(Protocol::Preprocessed, 1);
        attacker.approved(&proposal).await;
        target.reload(&limited("\"friends\"", Some(narrower))).await;
        let aligned = attacker.align(proposal.job, &everybody()).await;
        let fault = aligned.map(drop).expect_err(narrower.0);
        assert_eq!(fault.reason, Reason::BeyondConsent, "{fault:?}");
        assert!(fault.message.contains("of all data sets"), "{fault:?}");
        assert!(fault.message.contains(narrower.0), "{fault:?}");
    }
    // Nor do people approve it by hand, whom a wider one left to decide.
    let narrower = limited("\"friends\"", Some(("most_columns", "7")));
    let asking = limited("\"friends\"", None).replace("\"approve\"", "\"ask\"");
    target.reload(&asking).await;
    let asked = proposal(Protocol::Preprocessed, 1);
    attacker.propose(&asked).await.unwrap();
    target.reload(&narrower).await;
    let by_hand = v1::ApproveProposalRequest {
        job_id: asked.job.to_string(),
        dataset: "friends".into(),
        ..v1::ApproveProposalRequest::default()
    };
    let refused = target.people().approve_proposal(by_hand).await.unwrap_err();
    assert!(refused.message().contains("of all data sets"), "{refused}");
    let denied = attacker.propose(&proposal(Protocol::Preprocessed, 1)).await;
    assert_eq!(denied.unwrap(), JobState::Rejected);

    // Nor is what has begun opened: how many values there will be is known by then.
    target.reload(&limited("\"friends\"", None)).await;
    let second = proposal(Protocol::Preprocessed, 1);
    let agreed = attacker.agreed(&second, &everybody()).await;
    // What is approved and not opened yet counts too.
    let denied = attacker.propose(&proposal(Protocol::Preprocessed, 1)).await;
    assert_eq!(denied.unwrap(), JobState::Rejected);
    let stock = attacker.stock(&agreed).await.unwrap();
    let stock = attacker.meet(&agreed, stock).await.unwrap();
    let narrower = limited("\"friends\"", Some(("most_values", "319")));
    target.reload(&narrower).await;
    let opened = attacker.open(agreed.round(1), stock, agreed.probing(0));
    let fault = opened.await.map(drop).unwrap_err();
    assert_eq!(fault.reason, Reason::BeyondConsent, "{fault:?}");
    assert!(fault.message.contains("most_values = 319"), "{fault:?}");
    assert_eq!(attacker.answered_bytes, 0);
    assert_eq!(target.logged("opening").len(), 1);
    let accounts = target.shown().await.accounts;
    let said = accounts.last().unwrap().statements.join("\n");
    assert!(said.contains("4 of most_columns = 8"), "{said}");
}
