//! What leaves is counted exactly, in the ledger and in the audit log, and limits are limits to
//! the last one, with a policy and without.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use s3rec_audit::Entry;
use s3rec_job::{Counters, JobDisclosure, Proposal};
use s3rec_node::audit::{HEAD_FILE, LOG_FILE};
use s3rec_node::store::{Store, Table};
use s3rec_spmm::preprocessed::{MemoryStorage, RatingStock};
use s3rec_spmm::{OperatorKind, PatternPolicy, Protocol, ReleasePolicy};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;

use crate::attacker::{Attacker, proposal};
use crate::target::{Target, everybody, file, policy, ring_of_links};

fn numbers<const N: usize>(entry: &Entry, fields: [&str; N]) -> [u64; N] {
    fields.map(|field| entry.number(field).unwrap())
}

/// A job of two openings of four columns for forty users, and what is said of it.
#[tokio::test(flavor = "multi_thread")]
async fn every_number_of_the_ledger_and_of_the_log_is_what_left() {
    let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let proposal = proposal(Protocol::Preprocessed, 2);
    let agreed = attacker.agreed(&proposal, &everybody()).await;
    let shown = target.shown().await.accounts.remove(0).shown.unwrap();
    assert_eq!((shown.intersections, shown.ids_asked), (1, 40));
    assert_eq!((shown.bounds, shown.commitments), (1, 1));
    assert_eq!(shown.pattern_rows, 0);

    let stock = attacker.stock(&agreed).await.unwrap();
    let mut stock = attacker.meet(&agreed, stock).await.unwrap();
    for round in 1..=2u32 {
        let opened = attacker.open(agreed.round(round), stock, agreed.probing(0));
        stock = opened.await.unwrap().1;
        let openings = u64::from(round);
        let values = 160 * openings;
        let counters = target.counters().await;
        assert_eq!((counters.jobs, counters.stocks), (1, 1));
        let counted = [
            counters.openings,
            counters.opened_columns,
            counters.opened_values,
            counters.exact_values,
            counters.nano_rho,
        ];
        assert_eq!(counted, [openings, 4 * openings, values, values, 0]);
        let account = target.shown().await.accounts.remove(0);
        let days: Vec<_> = account
            .days
            .iter()
            .map(|day| (day.columns, day.values))
            .collect();
        assert_eq!(days, [(4 * openings, values)]);

        let logged = target.logged("opening");
        assert_eq!(logged.len() as u64, openings);
        let entry = logged.last().unwrap();
        let of_job = numbers(entry, ["round", "columns", "values"]);
        assert_eq!(of_job, [openings, 4 * openings, values]);
        let of_all = [
            "all_columns",
            "all_values",
            "all_exact_values",
            "all_nano_rho",
        ];
        assert_eq!(numbers(entry, of_all), [4 * openings, values, values, 0]);
    }
    let stocks = target.logged("stock");
    assert_eq!(stocks.len(), 1);
    assert_eq!(numbers(&stocks[0], ["number", "all"]), [1, 1]);
    assert_eq!(target.showings(), ["intersection", "bounds", "commitment"]);
    let showings = target.logged("showing");
    let of_all = ["ids", "all_ids", "all_intersections"];
    assert_eq!(numbers(&showings[0], of_all), [40, 40, 1]);
    let of_all = ["users", "pattern_rows", "all_bounds", "all_pattern_rows"];
    assert_eq!(numbers(&showings[1], of_all), [40, 0, 1, 0]);
    assert_eq!(numbers(&showings[2], ["all_commitments"]), [1]);
}

/// What was approved and is not used yet is taken off what is left: nobody collects approvals.
#[tokio::test(flavor = "multi_thread")]
async fn approvals_count_before_they_are_used() {
    // Jobs of 2 · 4 columns over a stock each.
    for (field, most, expected) in [
        ("most_columns", "7", 0),
        ("most_columns", "8", 1),
        ("most_columns", "23", 2),
        ("most_columns", "24", 3),
        ("most_stocks", "0", 0),
        ("most_stocks", "2", 2),
    ] {
        let target = Target::start(&policy(&[(field, most)]), &ring_of_links()).await;
        let mut attacker = target.attacker().await;
        let mut approved = 0;
        for _ in 0..4 {
            let state = attacker.propose(&proposal(Protocol::Preprocessed, 2)).await;
            approved += u32::from(state.unwrap() == JobState::Approved);
        }
        assert_eq!(approved, expected, "{field} = {most}");
    }
}

/// As far as the common users, approved by people where no policy decides.
async fn intersected(
    target: &mut Target,
    attacker: &mut Attacker,
    ids: &[String],
) -> Result<(), Fault> {
    let proposal = proposal(Protocol::Preprocessed, 1);
    let state = attacker.propose(&proposal).await.unwrap();
    assert_eq!(state, JobState::Proposed);
    let approve = v1::ApproveProposalRequest {
        job_id: proposal.job.to_string(),
        degree_bound: 20,
        links_bound: 400,
        ..v1::ApproveProposalRequest::default()
    };
    target.people().approve_proposal(approve).await.unwrap();
    attacker.attach(proposal.job).await.unwrap();
    let aligned = attacker.align(proposal.job, ids).await.map(drop);
    attacker.abort(proposal.job).await;
    aligned
}

/// Where people decide alone the configuration still ends it: at its number and not before.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_rule_intersections_end_at_the_configured_number() {
    for (field, intersections, ids_asked) in [("intersections", 2, 1_000), ("ids_asked", 10, 80)] {
        let mut target = Target::configured("default = \"ask\"\n", |settings| {
            settings.limits.intersections = intersections;
            settings.limits.ids_asked = ids_asked;
        })
        .await;
        target.import(&ring_of_links()).await;
        let mut attacker = target.attacker().await;
        for _ in 0..2 {
            let aligned = intersected(&mut target, &mut attacker, &everybody()).await;
            aligned.unwrap();
        }
        let two = everybody()[..2].to_vec();
        let refused = intersected(&mut target, &mut attacker, &two).await;
        let fault = refused.expect_err(field);
        assert_eq!(fault.reason, Reason::BeyondConsent, "{fault:?}");
        assert!(fault.message.contains(field), "{fault:?}");
        assert_eq!(target.showings(), ["intersection"; 2]);
        let shown = target.shown().await.accounts.remove(0).shown.unwrap();
        assert_eq!((shown.intersections, shown.ids_asked), (2, 80));
    }
}

/// Sensitivity √8 for one link at β = 1: σ = 8 spends ρ = 1/16 an opening, a quarter in all.
fn noised() -> Proposal {
    Proposal {
        release: ReleasePolicy::Noised {
            sigma: 8.0,
            row_norm_beta: 1.0,
            delta: 1e-6,
        },
        ..proposal(Protocol::Preprocessed, 4)
    }
}

/// All openings of a noised job are foreseen: it is not approved, nor begun under a rule that has
/// become tighter, when they together exceed what one of them does not.
#[tokio::test(flavor = "multi_thread")]
async fn the_noise_of_all_openings_is_foreseen() {
    for (most_rho, is_allowed) in [("0.2501", true), ("0.2499", false), ("0.1", false)] {
        let tight = policy(&[("most_rho", most_rho)]);
        let target = Target::start(&tight, &ring_of_links()).await;
        let mut attacker = target.attacker().await;
        let state = attacker.propose(&noised()).await.unwrap();
        assert_eq!(
            state == JobState::Approved,
            is_allowed,
            "{most_rho}: {state:?}"
        );
        // By the normalised operator one link weighs more, and how much follows from what is stated.
        let normalized = Proposal {
            operator: OperatorKind::NormalizedLaplacian,
            ..noised()
        };
        let state = attacker.propose(&normalized).await.unwrap();
        assert_ne!(state, JobState::Approved, "{most_rho}");
        // Approvals that are not used yet count as if they were.
        let second = attacker.propose(&noised()).await.unwrap();
        assert_ne!(second, JobState::Approved, "{most_rho}");

        let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
        let mut attacker = target.attacker().await;
        let proposal = noised();
        attacker.approved(&proposal).await;
        target.reload(&tight).await;
        let aligned = attacker.align(proposal.job, &everybody()).await;
        assert_eq!(aligned.is_ok(), is_allowed, "{most_rho}");
        if let Err(fault) = aligned {
            assert_eq!(fault.reason, Reason::BeyondConsent, "{fault:?}");
            assert!(fault.message.contains("most_rho"), "{fault:?}");
            assert!(target.showings().is_empty());
        }
    }
}

/// What is on disk of a name, to be put back later.
fn saved(data_dir: &Path, names: &[&str]) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = names.iter().map(|name| data_dir.join(name));
    paths
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}

fn put_back(saved: &[(PathBuf, Vec<u8>)]) {
    for (path, bytes) in saved {
        std::fs::write(path, bytes).unwrap();
    }
}

/// P1's store is put back to an older state beside its newer log, or is lost: every number comes
/// back from the log, and every limit with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_put_back_or_lost_is_made_up_for_by_the_log() {
    const STORE: &str = "store.redb";
    for is_lost in [false, true] {
        let most = policy(&[("most_columns", "15"), ("most_intersections", "2")]);
        let mut target = Target::start(&most, &ring_of_links()).await;
        let attacker = target.attacker().await;
        let mut backup = Vec::new();
        let backed_up = |data_dir: &Path| backup = saved(data_dir, &[STORE]);
        let mut attacker = target.restart(attacker, backed_up).await;
        let mut proposal = proposal(Protocol::Preprocessed, 2);
        if !is_lost {
            proposal.release = noised().release;
        }
        let agreed = attacker.agreed(&proposal, &everybody()).await;
        let stock = attacker.stock(&agreed).await.unwrap();
        let mut stock = attacker.meet(&agreed, stock).await.unwrap();
        for round in 1..=2 {
            let opened = attacker.open(agreed.round(round), stock, agreed.probing(0));
            stock = opened.await.unwrap().1;
        }
        let before = target.shown().await.accounts.remove(0);
        let counted = before.counters.unwrap();
        assert_eq!(counted.opened_columns, 8);
        assert_eq!(counted.exact_values > 0, is_lost);
        assert_eq!(counted.nano_rho > 0, !is_lost);
        let logged = target.logged("opening");
        let of_all = numbers(logged.last().unwrap(), ["all_exact_values", "all_nano_rho"]);
        assert_eq!(of_all, [counted.exact_values, counted.nano_rho]);

        let lose = |data_dir: &Path| match is_lost {
            false => put_back(&backup),
            true => std::fs::remove_file(data_dir.join(STORE)).unwrap(),
        };
        let mut attacker = target.restart(attacker, lose).await;
        if is_lost {
            target.import(&ring_of_links()).await;
        }
        let after = target.shown().await.accounts.remove(0);
        assert_eq!(after.lineage, before.lineage);
        assert_eq!(after.counters, before.counters);
        assert_eq!((after.days, after.shown), (before.days, before.shown));
        let said = target.logged("disclosure");
        assert!(
            said.iter()
                .any(|entry| entry.text("learnt").unwrap().contains("audit log"))
        );
        // Nothing begins anew: a job of as many columns again is too much.
        let state = attacker
            .propose(&crate::attacker::proposal(Protocol::Preprocessed, 2))
            .await;
        assert_ne!(state.unwrap(), JobState::Approved, "lost: {is_lost}");
        // And what was made up for is so once.
        let _attacker = target.restart(attacker, |_| ()).await;
        let again = target.shown().await.accounts.remove(0);
        assert_eq!(again.counters, before.counters);
        assert_eq!(target.logged("disclosure").len(), said.len());
    }
}

/// The same links under another name have an account of their own, and the people who decide are
/// told what all names come to.
#[tokio::test(flavor = "multi_thread")]
async fn links_under_another_name_are_said_to_add_up() {
    let asking = policy(&[("decide", "\"ask\"")]);
    let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let first = proposal(Protocol::Preprocessed, 1);
    let agreed = attacker.agreed(&first, &everybody()).await;
    let stock = attacker.stock(&agreed).await.unwrap();
    let stock = attacker.meet(&agreed, stock).await.unwrap();
    let opened = attacker.open(agreed.round(1), stock, agreed.probing(0));
    opened.await.unwrap();
    attacker.abort(first.job).await;
    target
        .reload(&(asking.clone() + &asking.replace("\"links\"", "\"friends\"")))
        .await;
    let second = proposal(Protocol::Preprocessed, 1);
    attacker.propose(&second).await.unwrap();
    // One data set is one account, and there is nothing more to say.
    let page = target.page(&second).await;
    assert_eq!(page.accounts.len(), 1);
    assert!(!page.warnings.join("\n").contains("of a new name"));

    let friends = file("friends", &ring_of_links());
    target.people().import_links(friends).await.unwrap();
    let page = target.page(&second).await;
    let warnings = page.warnings.join("\n");
    for words in [
        "of a new name begins at zero",
        "4 columns",
        "160 values",
        "40 ids",
    ] {
        assert!(warnings.contains(words), "{words}: {warnings}");
    }
    let counted = |account: &v1::Account| account.counters.unwrap_or_default().opened_columns;
    let counted: Vec<u64> = page.accounts.iter().map(counted).collect();
    assert_eq!(page.accounts.len(), 3, "{counted:?}");
    assert_eq!(counted.iter().sum::<u64>(), 8, "{counted:?}");
    assert_eq!(counted[2], 4);
}

/// The daemon ended between its stock's record and the count: the opening that comes again, byte
/// for byte, is no opening that is counted already.
#[tokio::test(flavor = "multi_thread")]
async fn an_opening_that_the_stock_alone_has_on_record_is_counted_when_it_comes_again() {
    const DISCLOSURES: Table = Table("disclosures");
    let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let proposal = proposal(Protocol::Preprocessed, 2);
    let job = proposal.job.to_string();
    let agreed = attacker.agreed(&proposal, &everybody()).await;
    let storage = MemoryStorage::default();
    let stock = attacker.stock_in(&agreed, storage.clone()).await.unwrap();
    let stock = attacker.meet(&agreed, stock).await.unwrap();
    // Nor had the log an entry of it.
    let log = saved(target.data_dir(), &[LOG_FILE, HEAD_FILE]);
    let opened = attacker.open(agreed.round(1), stock, agreed.probing(0));
    let (first, _) = opened.await.unwrap();
    let counted = target.counters().await;
    assert_eq!(counted.opened_columns, 4);

    let forget = |data_dir: &Path| {
        put_back(&log);
        let store = Store::open(data_dir).unwrap();
        let mut disclosure: JobDisclosure = store.get(DISCLOSURES, &job).unwrap().unwrap();
        let stocks = disclosure.counters.stocks;
        disclosure.counters = Counters {
            stocks,
            ..Counters::default()
        };
        disclosure.openings = 0;
        disclosure.opened_columns = 0;
        disclosure.days.clear();
        store.put(DISCLOSURES, &job, &disclosure).unwrap();
    };
    let mut attacker = target.restart(attacker, forget).await;
    assert_eq!(target.counters().await.opened_columns, 0);
    attacker.hello().await;
    attacker.attach(proposal.job).await.unwrap();
    let pattern = Arc::clone(&agreed.pattern);
    let stock = RatingStock::open(Arc::new(storage), pattern).unwrap();
    let stock = attacker.meet(&agreed, stock).await.unwrap();
    let again = attacker.open(agreed.round(1), stock, agreed.probing(0));
    assert_eq!(again.await.unwrap().0, first);
    assert_eq!(target.counters().await, counted);
    assert_eq!(target.logged("opening").len(), 1);
}

/// How large a product may be is asked before a link is read, to the last value.
#[tokio::test(flavor = "multi_thread")]
async fn a_product_beyond_the_configured_values_gets_no_bounds() {
    // Forty users and four columns.
    for (most, is_allowed) in [(160, true), (159, false), (44, false), (10, false)] {
        let mut target = Target::configured(&policy(&[]), |settings| {
            settings.limits.product_values = most;
        })
        .await;
        target.import(&ring_of_links()).await;
        let mut attacker = target.attacker().await;
        let proposal = proposal(Protocol::Preprocessed, 1);
        attacker.approved(&proposal).await;
        let (common, _) = attacker.align(proposal.job, &everybody()).await.unwrap();
        let request = Attacker::setup_request(proposal.job, &common);
        let answer = attacker.setup(request).await;
        assert_eq!(answer.is_ok(), is_allowed, "{most}");
        if let Err(fault) = answer {
            assert_eq!(fault.reason, Reason::LimitExceeded, "{fault:?}");
            assert_eq!(target.showings(), ["intersection"]);
        }
    }
}

/// Whoever is shown to have links is counted, as a row and as a column.
#[tokio::test(flavor = "multi_thread")]
async fn users_whose_pattern_is_shown_are_counted() {
    let patterns = "[\"active-rows\", \"active-rows-and-columns\"]";
    for (pattern, expected) in [
        (PatternPolicy::ActiveRows, 40),
        (PatternPolicy::ActiveRowsAndColumns, 80),
    ] {
        let policy = policy(&[("patterns", patterns)]);
        let mut target = Target::start(&policy, &ring_of_links()).await;
        let mut attacker = target.attacker().await;
        let proposal = Proposal {
            pattern,
            ..proposal(Protocol::Preprocessed, 1)
        };
        attacker.approved(&proposal).await;
        let (common, _) = attacker.align(proposal.job, &everybody()).await.unwrap();
        let request = Attacker::setup_request(proposal.job, &common);
        attacker.setup(request).await.unwrap();
        let shown = target.shown().await.accounts.remove(0).shown.unwrap();
        assert_eq!(shown.pattern_rows, expected);
        let of_all = ["pattern_rows", "all_pattern_rows"];
        let logged = target.logged("showing");
        assert_eq!(numbers(logged.last().unwrap(), of_all), [expected; 2]);
    }
}
