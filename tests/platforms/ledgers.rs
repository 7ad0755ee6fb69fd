//! What was opened over all jobs: counted alike on both sides, compared, limited; and the audit
//! logs of both platforms.

use std::path::Path;

use s3rec_audit::record::MAGIC;
use s3rec_audit::{AuditError, Chain, Verified, compare, verify};
use s3rec_job::{Counters, JobDisclosure};
use s3rec_node::audit::LOG_FILE;
use s3rec_node::pki::inspect;
use s3rec_node::store::{Store, Table};
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;

use crate::pair::{Pair, file, request, small_data};

const DISCLOSURES: Table = Table("disclosures");

/// One job of 3 × 4 columns may be shown, and no second one.
pub(crate) const POLICY: &str = r#"
[[rule]]
peer = "s3rec rating"
dataset = "small"
decide = "approve"
protocols = ["he", "preprocessed"]
patterns = ["nothing"]
releases = ["exact"]
largest_rank = 4
most_intersections = 100
most_ids_asked = 10000
most_columns_per_day = 100
most_values_per_day = 100000
most_columns = 20
most_values = 100000
most_stocks = 10
most_rho = 0.0
most_epsilon = 0.0
least_common_users = 30
degree_bound = 8
links_bound = 100
longest_days = 7
"#;

async fn accounts(pair: &mut Pair) -> (v1::Account, v1::Account) {
    let seen = pair.seen().await;
    let shown = pair.shown().await;
    assert_eq!((seen.accounts.len(), shown.accounts.len()), (1, 1));
    (seen.accounts[0].clone(), shown.accounts[0].clone())
}

/// Runs a job that somebody or something else approves.
pub(crate) async fn run_approved(pair: &mut Pair) -> v1::JobEvent {
    let job = pair.propose(3).await;
    pair.begin(&job).await;
    pair.watch(&job).await.pop().unwrap()
}

pub(crate) async fn denied(pair: &mut Pair, field: &str) {
    let job = pair.propose(3).await;
    let last = pair.social_end(&job).await;
    assert_eq!(last.state(), JobState::Rejected, "{}", last.message);
    assert!(last.message.contains(field), "{}", last.message);
    let start = v1::StartJobRequest {
        job_id: job,
        wait_for_approval: true,
    };
    assert!(pair.rating.start_job(start).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_over_all_jobs_outlives_restarts_and_new_versions() {
    let mut pair = Pair::start_under(POLICY).await;
    pair.import().await;
    let last = run_approved(&mut pair).await;
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);
    denied(&mut pair, "most_columns").await;

    let (directory, issued) = pair.stop().await;
    let mut pair = Pair::start_in(directory, issued).await;
    denied(&mut pair, "most_columns").await;

    // The same lineage under a new version, even with other links.
    let links = small_data().1 + "u10\tu31\n";
    pair.social
        .import_links(file("more.tsv", &links))
        .await
        .unwrap();
    denied(&mut pair, "most_columns").await;

    // Nor can a person go beyond the policy.
    let job = pair.propose(3).await;
    let approve = v1::ApproveProposalRequest {
        job_id: job,
        ..v1::ApproveProposalRequest::default()
    };
    assert!(pair.social.approve_proposal(approve).await.is_err());

    // A bad file changes nothing, a good one takes force at once.
    let path = pair.directory.path().join("policy.toml");
    std::fs::write(&path, POLICY.replace("most_stocks = 10", "most_stock = 10")).unwrap();
    let refused = pair
        .social
        .reload_policy(v1::PolicyRequest {})
        .await
        .unwrap_err();
    let words = refused.message();
    assert!(
        words.contains("most_stock") && words.contains("line"),
        "{words}"
    );
    denied(&mut pair, "most_columns").await;
    let wider = POLICY.replace("most_columns = 20", "most_columns = 24");
    std::fs::write(&path, wider).unwrap();
    pair.social
        .reload_policy(v1::PolicyRequest {})
        .await
        .unwrap();
    let last = run_approved(&mut pair).await;
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);
    let (seen, shown) = accounts(&mut pair).await;
    assert_eq!(seen.counters.unwrap().opened_columns, 24);
    assert_eq!(seen.counters, shown.counters);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_kept_at_the_opening_that_would_exceed_it() {
    let mut pair = Pair::start_under(POLICY).await;
    pair.import().await;
    // Approved while the limit was wide; narrow before the openings.
    let job = pair.propose(3).await;
    let path = pair.directory.path().join("policy.toml");
    let narrow = POLICY.replace("most_values_per_day = 100000", "most_values_per_day = 100");
    std::fs::write(&path, narrow).unwrap();
    pair.social
        .reload_policy(v1::PolicyRequest {})
        .await
        .unwrap();
    pair.begin(&job).await;
    let last = pair.watch(&job).await.pop().unwrap();
    assert_eq!(last.state(), JobState::Failed);
    assert!(
        last.message.contains("most_values_per_day"),
        "{}",
        last.message
    );

    // Too few users in common.
    let many = POLICY.replace("least_common_users = 30", "least_common_users = 31");
    std::fs::write(&path, many).unwrap();
    pair.social
        .reload_policy(v1::PolicyRequest {})
        .await
        .unwrap();
    let last = run_approved(&mut pair).await;
    assert_eq!(last.state(), JobState::Failed);
    assert!(
        last.message.contains("least_common_users"),
        "{}",
        last.message
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ledgers_and_what_could_be_learnt_are_the_same_on_both_sides() {
    let mut pair = Pair::start().await;
    pair.import().await;
    for _ in 0..2 {
        let (_, events) = pair.run(request(2)).await;
        assert_eq!(events.last().unwrap().state(), JobState::Finished);
    }
    let (seen, shown) = accounts(&mut pair).await;
    let counters = seen.counters.unwrap();
    assert_eq!(seen.counters, shown.counters);
    assert_eq!(
        (counters.jobs, counters.openings, counters.stocks),
        (2, 4, 2)
    );
    assert_eq!(
        (counters.opened_columns, counters.opened_values),
        (16, 16 * 30)
    );
    assert_eq!(counters.exact_values, counters.opened_values);
    assert_eq!((seen.bytes, &seen.lineage), (shown.bytes, &shown.lineage));

    let seen = pair.seen().await;
    let shown = pair.shown().await;
    for (seen, shown) in seen.disclosures.iter().zip(&shown.disclosures) {
        assert_eq!(seen.counters, shown.counters);
        assert_eq!(seen.own_statements, shown.statements);
        assert_eq!(seen.statements, shown.own_statements);
        assert!(
            seen.own_statements
                .join("")
                .contains("% of FilmTrust's links from one such opening")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ledgers_that_differ_end_the_job_by_name_and_lost_ones_are_made_up() {
    let mut pair = Pair::start().await;
    pair.import().await;
    let (first, _) = pair.run(request(2)).await;
    let (directory, issued) = pair.stop().await;
    // P0 believes to have been shown one column more.
    change(&directory.path().join("rating"), &first, |disclosure| {
        disclosure.counters.opened_columns += 1;
    });
    let mut pair = Pair::start_in(directory, issued).await;
    let (job, events) = pair.run(request(2)).await;
    let last = events.last().unwrap();
    assert_eq!(last.state(), JobState::Failed, "{}", last.message);
    assert!(last.message.contains("ledgers differ"), "{}", last.message);
    assert!(last.message.contains("opened columns"), "{}", last.message);
    assert_eq!(pair.social_end(&job).await.state(), JobState::Failed);

    // P0 has lost what it counted: P1's signed count stands, and both agree again.
    let (directory, issued) = pair.stop().await;
    change(&directory.path().join("rating"), &first, |disclosure| {
        disclosure.counters = Counters::default();
    });
    let mut pair = Pair::start_in(directory, issued).await;
    let (_, events) = pair.run(request(2)).await;
    let last = events.last().unwrap();
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);
    let (seen, shown) = accounts(&mut pair).await;
    assert_eq!(seen.counters.unwrap().opened_columns, 16);
    assert_eq!(seen.counters, shown.counters);
}

pub(crate) fn change(data_dir: &Path, job: &str, change: impl FnOnce(&mut JobDisclosure)) {
    let store = Store::open(data_dir).unwrap();
    let mut disclosure: JobDisclosure = store.get(DISCLOSURES, job).unwrap().unwrap();
    change(&mut disclosure);
    store.put(DISCLOSURES, job, &disclosure).unwrap();
}

fn log(directory: &Path, name: &str) -> Vec<u8> {
    std::fs::read(directory.join(name).join(LOG_FILE)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_audit_logs_hold_the_job_and_each_other() {
    let mut pair = Pair::start().await;
    pair.import().await;
    let (job, _) = pair.run(crate::pair::default_request(2)).await;
    // The last meeting follows the job's end.
    let met = |log: &[u8]| verify(log).unwrap().head_exchanges.len();
    let directory = pair.directory.path().to_owned();
    for _ in 0..100 {
        if met(&log(&directory, "social")) == 6 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let (directory, issued) = pair.stop().await;
    let bytes = (
        log(directory.path(), "rating"),
        log(directory.path(), "social"),
    );
    let (rating, social) = (verify(&bytes.0).unwrap(), verify(&bytes.1).unwrap());
    compare(&rating, &social).unwrap();
    for (log, calls) in [
        (&rating, ["ImportRatings", "ProposeJob", "StartJob"]),
        (
            &social,
            ["ImportLinks", "ApproveProposal", "ApproveProposal"],
        ),
    ] {
        assert_eq!((log.head_exchanges.len(), log.approvals), (6, 1));
        let count = |kind: &str| {
            let entries = log.entries.iter();
            entries
                .filter(|(entry, _)| entry.kind.name() == kind)
                .count()
        };
        assert_eq!(
            (count("opening"), count("proposal"), count("end")),
            (2, 1, 1)
        );
        assert_eq!((count("import"), count("disclosure")), (1, 1));
        for call in calls {
            let by = log
                .entries
                .iter()
                .find(|(e, _)| e.text("verb") == Some(call));
            let (entry, _) = by.unwrap();
            assert!(entry.text("who").unwrap().contains("operator"), "{call}");
        }
        // So do what they brought and what P1's have decided.
        let by_people: &[&str] = match log.role.as_str() {
            "rating" => &["import"],
            _ => &["import", "decision"],
        };
        for kind in by_people {
            let entry = log.entries.iter().find(|(e, _)| e.kind.name() == *kind);
            let by = entry.unwrap().0.text("by").unwrap();
            assert!(by.contains("operator"), "{kind}: {by}");
        }
        // Whose signatures these are, everybody can check who knows the pins.
        for (_, party, certificate) in log.certificates() {
            let own = party == "own";
            let name = if (log.role == "rating") == own {
                "rating"
            } else {
                "social"
            };
            let inspected = inspect(certificate).unwrap();
            assert_eq!(inspected.role.name(), name);
            assert_eq!(inspected.pin, issued.identity(inspected.role).unwrap().pin);
        }
    }
    assert!(
        social
            .entries
            .iter()
            .any(|(e, _)| e.text("job") == Some(&job))
    );

    cut_off(&rating, &social, &bytes.1);
}

/// Whatever was cut off P1's log before its last signed head is missed.
fn cut_off(rating: &Verified, social: &Verified, bytes: &[u8]) {
    let signed = rating.head_exchanges.last().unwrap().1.social.sequence;
    let (mut missed, mut chain, mut length) = (0, Chain::default(), MAGIC.len());
    while length < bytes.len() {
        let (_, next, of_entry) = chain.read(&bytes[length..]).unwrap();
        (chain, length) = (next, length + of_entry);
        let shorter = verify(&bytes[..length]).unwrap();
        let compared = compare(rating, &shorter);
        if shorter.entries.len() as u64 <= signed {
            assert!(matches!(compared, Err(AuditError::Truncated { .. })));
            missed += 1;
        }
    }
    assert!(missed > 10 && missed < social.entries.len(), "{missed}");
}
