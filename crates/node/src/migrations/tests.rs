//! What older versions have kept, read by this one.

use s3rec_job::{
    Account, Counters, DataVersion, JobDisclosure, Shown, SignedApproval, StockRecord, StockStage,
};
use s3rec_sparse::PatternPolicy;
use s3rec_wire::convert::settings::model_to_wire;
use s3rec_wire::convert::{
    counters_to_wire, disclosure_to_wire, evaluation_to_wire, event_to_wire, file_header_to_wire,
    finished_to_wire, imported_factors_to_wire, imported_links_to_wire, imported_ratings_to_wire,
    job_cost_to_wire, proposal_to_wire, release_to_wire, stored_model_to_wire,
};

use s3rec_wire::record::Record;
use s3rec_wire::v1;

use super::*;
use crate::store::Store;
use crate::vectors_tests::{
    COUNTERS, consent, disclosure, evaluation, event, header, imported_factors, imported_links,
    imported_ratings, job_cost, job_record, model, opened_friends, proposal, trained, version,
};

/// A line of the ledger as version 0.1 stored it: every field set, encoded by that version.
const DISCLOSURE_0_1: &str = "0a2436376535353034342d313062312d343236662d393234372d6262363830653566653063381206726174696e\
    671802201628cc08321d080319000000000000104021000000000000f03f298dedb5a0f7c6b03e3801403248c0\
    843d52095030206c6561726e745880cc95f0a134e20306084610501832b2041003030303030303030303030303\
    030303ba041108011002181620cc083080cab5ee013803c1040000000000001640c9048dedb5a0f7c6b03ed204\
    0908b0a201101618cc08da04095031206c6561726e74f2060ff00601f80646800702880704900705fa06200505\
    05050505050505050505050505050505050505050505050505050505050582070bf0068001f8068020800702";

/// As this version reads it.
fn disclosure_0_1() -> JobDisclosure {
    JobDisclosure {
        pattern: Some(PatternPolicy::Nothing),
        counters: COUNTERS_0_1,
        ..disclosure()
    }
}

const COUNTERS_0_1: Counters = Counters {
    exact_values: 0,
    stocks: 3,
    ..COUNTERS
};

fn bytes_of(hexadecimal: &str) -> Vec<u8> {
    let digits = hexadecimal.as_bytes().chunks(2);
    let text = digits.map(|pair| std::str::from_utf8(pair).unwrap());
    text.map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

#[test]
fn what_version_0_1_counted_and_approved_stands() {
    let old = bytes_of(DISCLOSURE_0_1);
    assert_eq!(old, disclosure_to_wire(&disclosure_0_1()).to_record());
    // A line of before the openings, and records that were lost once.
    let bare = v1::Disclosure {
        job_id: "bare".into(),
        ..v1::Disclosure::default()
    };
    let missing = v1::Account {
        lineage: vec![3; 16],
        counters: Some(counters_to_wire(&COUNTERS_0_1)),
        ..v1::Account::default()
    };
    let approval = v1::StoredApproval {
        approval: vec![1, 2, 3],
        signature: vec![4; 64],
    };
    let (disclosures, missings) = (Table("disclosures"), Table("missing counters"));
    let approvals = Table("approvals");
    let directory = tempfile::tempdir().unwrap();
    {
        let store = Store::open(directory.path()).unwrap();
        let rows = [
            (disclosures, "job", old),
            (disclosures, "bare", bare.to_record()),
            (missings, "0303", missing.to_record()),
            (approvals, "job", approval.to_record()),
        ];
        store.put_all(&rows).unwrap();
        store.set_schema(3);
    }
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(
        store.get(disclosures, "job").unwrap(),
        Some(disclosure_0_1())
    );
    let bare: JobDisclosure = store.get(disclosures, "bare").unwrap().unwrap();
    assert_eq!((bare.job.as_str(), bare.openings), ("bare", 0));
    let missing: Account = store.get(missings, "0303").unwrap().unwrap();
    assert_eq!(missing.counters, COUNTERS_0_1);
    let signed: SignedApproval = store.get(approvals, "job").unwrap().unwrap();
    assert_eq!(signed.approval, [1, 2, 3]);
    assert_eq!(signed.signature, [4; 64]);
    // Once more finds nothing to do.
    drop(store);
    let store = Store::open(directory.path()).unwrap();
    assert!(store.get::<JobDisclosure>(disclosures, "job").is_ok());
}

#[test]
fn what_schema_4_kept_of_data_peers_and_stocks_stands() {
    let expected = version();
    let version = v1::DataVersion {
        dataset: expected.dataset.clone(),
        lineage: expected.lineage.clone(),
        version: expected.version,
        salt: expected.salt.clone(),
        commitment: expected.commitment.clone(),
        imported_unix_ms: expected.imported_unix_ms,
    };
    let deleted = v1::DataVersion {
        salt: vec![],
        commitment: vec![],
        ..version.clone()
    };
    let seen = v1::PeerHead {
        log: vec![5; 32],
        sequence: 6,
        hash: vec![7; 32],
    };
    let refused = v1::RefusedPeerHead {
        head: Some(v1::AuditHead {
            log: vec![8; 32],
            sequence: 9,
            hash: vec![10; 32],
        }),
        accepted: true,
    };
    let stock = v1::Stock {
        job_id: "job".into(),
        peer: "social".into(),
        state: v1::StockState::Ready.into(),
        identity: vec![11; 32],
        columns: 12,
        columns_made: 10,
        columns_used: 99,
        columns_left: 99,
        updated_unix_ms: 13,
    };
    let directory = tempfile::tempdir().unwrap();
    {
        let store = Store::open(directory.path()).unwrap();
        let rows = [
            (VERSIONS, "links", version.to_record()),
            (VERSIONS, "gone", deleted.to_record()),
            (COPY_VERSIONS, "job", version.to_record()),
            (SEEN, "social", seen.to_record()),
            (REFUSED, "social", refused.to_record()),
            (STOCKS, "job", stock.to_record()),
        ];
        store.put_all(&rows).unwrap();
        store.set_schema(4);
    }
    let store = Store::open(directory.path()).unwrap();
    let gone = DataVersion {
        salt: vec![],
        commitment: vec![],
        ..expected.clone()
    };
    let read = |table, key| store.get::<DataVersion>(table, key).unwrap();
    assert_eq!(read(VERSIONS, "links"), Some(expected.clone()));
    assert_eq!(read(VERSIONS, "gone"), Some(gone));
    assert_eq!(read(COPY_VERSIONS, "job"), Some(expected));
    let head = |log, sequence, hash| {
        SeenHead::of(&s3rec_audit::Head {
            log: [log; 32],
            sequence,
            hash: [hash; 32],
        })
    };
    let seen: Option<SeenHead> = store.get(SEEN, "social").unwrap();
    assert_eq!(seen, Some(head(5, 6, 7)));
    let refused: Option<RefusedHead> = store.get(REFUSED, "social").unwrap();
    let expected = RefusedHead {
        head: head(8, 9, 10),
        is_accepted: true,
    };
    assert_eq!(refused, Some(expected));
    let stocks = crate::stocks::Stocks::open(directory.path(), &store, |_| true).unwrap();
    let status = stocks.status(&store, "", |_| Ok(4)).unwrap();
    let [stock] = &status[..] else {
        panic!("{} stocks", status.len())
    };
    let expected = StockRecord {
        peer: "social".into(),
        stage: StockStage::Ready,
        identity: Some([11; 32]),
        columns: 12,
        columns_made: 10,
        updated_unix_ms: 13,
    };
    assert_eq!((stock.job.as_str(), &stock.record), ("job", &expected));
    assert_eq!((stock.used, stock.left()), (4, 6));
}

#[test]
fn what_schema_5_kept_of_jobs_stands() {
    let old = event_to_wire(event());
    let expected_cost = job_cost();
    let cost = job_cost_to_wire("job".into(), &expected_cost);
    let shown = v1::Shown {
        intersections: 2,
        ids_asked: 70,
        ..v1::Shown::default()
    };
    let proposed = proposal_to_wire(&proposal());
    // An alignment that no version after it takes.
    let refused = v1::PeerProposal {
        alignment: "psi-1".into(),
        ..proposed.clone()
    };
    let directory = tempfile::tempdir().unwrap();
    {
        let store = Store::open(directory.path()).unwrap();
        let rows = [
            (EVENTS, "job/0000000000", old.to_record()),
            (
                EVENTS,
                "bare/0000000000",
                v1::JobEvent::default().to_record(),
            ),
            (ENDINGS, "job", old.to_record()),
            (COSTS, "job", cost.to_record()),
            (BROUGHT, "job", shown.to_record()),
            (PROPOSALS, "job", proposed.to_record()),
            (PROPOSALS, "older", refused.to_record()),
            (EVENTS, "older/0000000000", old.to_record()),
            (OPEN, "job", vec![]),
            (OPEN, "older", vec![]),
        ];
        store.put_all(&rows).unwrap();
        store.set_schema(5);
    }
    let store = Store::open(directory.path()).unwrap();
    for (table, key) in [(EVENTS, "job/0000000000"), (ENDINGS, "job")] {
        assert_eq!(store.get(table, key).unwrap(), Some(event()));
    }
    let bare: Option<s3rec_job::JobEvent> = store.get(EVENTS, "bare/0000000000").unwrap();
    assert_eq!(bare, Some(s3rec_job::JobEvent::default()));
    assert_eq!(store.get(COSTS, "job").unwrap(), Some(expected_cost));
    let shown: Option<Shown> = store.get(BROUGHT, "job").unwrap();
    let expected = Shown {
        intersections: 2,
        ids_asked: 70,
        ..Shown::default()
    };
    assert_eq!(shown, Some(expected));
    assert_eq!(store.get(PROPOSALS, "job").unwrap(), Some(proposal()));
    assert_eq!(store.keys(PROPOSALS).unwrap(), ["job"]);
    // What was refused has ended, and people see why.
    let ended: JobEvent = store.get(ENDINGS, "older").unwrap().unwrap();
    assert_eq!(ended.state, JobState::Rejected);
    assert!(ended.message.contains("older version"), "{}", ended.message);
    assert!(ended.message.contains("alignment"), "{}", ended.message);
    assert_eq!(store.get(EVENTS, "older/0000000001").unwrap(), Some(ended));
    assert_eq!(store.keys(OPEN).unwrap(), ["job"]);
}

#[test]
fn what_schema_6_told_operators_stands() {
    let (job, friends) = ("job", "friends");
    let expected = job_record();
    let asked = expected.request.clone().unwrap();
    let request = v1::ProposeJobRequest {
        dataset: asked.dataset.clone(),
        model: Some(model_to_wire(&asked.model)),
        protocol: v1::Protocol::Preprocessed.into(),
        pattern_policy: v1::PatternPolicy::Nothing.into(),
        release_policy: Some(release_to_wire(&asked.release)),
        purpose: asked.purpose.clone(),
        seed: asked.seed,
        held_out_share: asked.held_out.share,
        held_out_latest: asked.held_out.is_latest,
        expires_unix_ms: asked.expires_unix_ms.unwrap(),
        factors: asked.factors.clone(),
        ..v1::ProposeJobRequest::default()
    };
    // Settings that no version after it takes.
    let refused = v1::ProposeJobRequest {
        model: None,
        ..request.clone()
    };
    let summary = v1::JobSummary {
        job_id: job.into(),
        created_unix_ms: expected.created_unix_ms,
        ..v1::JobSummary::default()
    };
    let asked_of = v1::ProposalSummary {
        peer: consent().peer,
        created_unix_ms: consent().created_unix_ms,
        warnings: consent().warnings,
        dataset: consent().dataset,
        policy: "a rule of the policy limits it".into(),
        ..v1::ProposalSummary::default()
    };
    let running = s3rec_job::JobEvent {
        job: "refused".into(),
        ..event()
    };
    let directory = tempfile::tempdir().unwrap();
    {
        let store = Store::open(directory.path()).unwrap();
        let header = file_header_to_wire(&header()).to_record();
        let ratings = imported_ratings_to_wire(imported_ratings());
        let links = imported_links_to_wire(imported_links());
        let factors = imported_factors_to_wire(imported_factors());
        let rows = [
            (JOBS, job, summary.to_record()),
            (JOBS, "refused", summary.to_record()),
            (REQUESTS, job, request.to_record()),
            (REQUESTS, "refused", refused.to_record()),
            (EVENTS, "refused/0000000000", running.to_row()),
            (OPEN, "refused", vec![]),
            (CONSENTS, job, asked_of.to_record()),
            (
                Table("models"),
                job,
                stored_model_to_wire(job, &model()).to_record(),
            ),
            (
                Table("reports"),
                job,
                finished_to_wire(&trained()).to_record(),
            ),
            (
                Table("reports"),
                friends,
                finished_to_wire(&opened_friends()).to_record(),
            ),
            (
                Table("evaluations"),
                job,
                evaluation_to_wire(job.into(), &evaluation()).to_record(),
            ),
            (Table("headers"), "links", header.clone()),
            (Table("job factors headers"), job, header),
            (Table("datasets"), "ratings", ratings.to_record()),
            (Table("datasets"), "links", links.to_record()),
            (Table("factors"), "factors", factors.to_record()),
        ];
        store.put_all(&rows).unwrap();
        store.set_schema(6);
    }
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(store.get(JOBS, job).unwrap(), Some(expected.clone()));
    let refused = JobRecord {
        request: None,
        ..expected
    };
    assert_eq!(store.get(JOBS, "refused").unwrap(), Some(refused));
    assert!(store.keys(REQUESTS).unwrap().is_empty());
    let ended: JobEvent = store.get(ENDINGS, "refused").unwrap().unwrap();
    assert_eq!(ended.state, JobState::Rejected);
    assert!(store.keys(OPEN).unwrap().is_empty());
    assert_eq!(store.get(CONSENTS, job).unwrap(), Some(consent()));
    assert_eq!(store.get(Table("models"), job).unwrap(), Some(model()));
    assert_eq!(store.get(Table("reports"), job).unwrap(), Some(trained()));
    let found = store.get(Table("reports"), friends).unwrap();
    assert_eq!(found, Some(opened_friends()));
    let found = store.get(Table("evaluations"), job).unwrap();
    assert_eq!(found, Some(evaluation()));
    assert_eq!(
        store.get(Table("headers"), "links").unwrap(),
        Some(header())
    );
    let found = store.get(Table("job factors headers"), job).unwrap();
    assert_eq!(found, Some(header()));
    let found = store.get(Table("datasets"), "ratings").unwrap();
    assert_eq!(found, Some(imported_ratings()));
    let found = store.get(Table("datasets"), "links").unwrap();
    assert_eq!(found, Some(imported_links()));
    let found = store.get(Table("factors"), "factors").unwrap();
    assert_eq!(found, Some(imported_factors()));
}
