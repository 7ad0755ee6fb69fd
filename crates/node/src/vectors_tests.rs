//! Known answers: rows of the store as this version writes them, and commitments to data.

use s3rec_job::rating::RoundReport;
use s3rec_job::report::PhaseCost;
use s3rec_job::{
    Account, Counters, JobCost, JobDisclosure, JobEvent, JobId, JobState, OpenedDay, Overlap,
    Party, Phase, Proposal, Shown, SignedApproval, Terms,
};
use s3rec_model::SolverKind;
use s3rec_sparse::{BoundsRule, OperatorKind, PatternPolicy, PublicBounds, StatedBounds};
use s3rec_spmm::{ProductRequest, Protocol, ReleasePolicy, choose_parameters};
use s3rec_vectors::Vectors;

use crate::rows::Row;
use crate::versions::{Commitment, DataVersion};

pub(crate) const COUNTERS: Counters = Counters {
    jobs: 1,
    openings: 2,
    opened_columns: 22,
    opened_values: 1100,
    exact_values: 3,
    nano_rho: 500_000_000,
    stocks: 4,
};

const SHOWN: Shown = Shown {
    intersections: 1,
    ids_asked: 70,
    bounds: 2,
    pattern_rows: 4,
    commitments: 5,
};

const DAY: OpenedDay = OpenedDay {
    day: 20_784,
    columns: 22,
    values: 1100,
};

pub(crate) fn disclosure() -> JobDisclosure {
    JobDisclosure {
        job: "67e55044-10b1-426f-9247-bb680e5fe0c8".into(),
        peer: "rating".into(),
        openings: 2,
        opened_columns: 22,
        opened_values: 1100,
        release: Some(ReleasePolicy::Noised {
            sigma: 4.0,
            row_norm_beta: 1.0,
            delta: 1e-6,
        }),
        pattern: Some(PatternPolicy::ActiveRows),
        common_users: 50,
        bytes: 1_000_000,
        statements: vec!["P0 learnt".into()],
        own_statements: vec!["P1 learnt".into()],
        updated_unix_ms: 1_795_800_000_000,
        overlap: Some(Overlap {
            rating_users: 70,
            social_users: 80,
            common_users: 50,
        }),
        lineage: vec![3; 16],
        counters: COUNTERS,
        epsilon: 5.5,
        delta: 1e-6,
        days: vec![DAY],
        shown: Some(SHOWN),
        peer_pin: vec![5; 32],
        bounds: Some(PublicBounds {
            stated: StatedBounds {
                degree: 128,
                links: 4096,
            },
            rule: BoundsRule::Ladder,
        }),
    }
}

fn account() -> Account {
    Account {
        peer_pin: vec![5; 32],
        peer: "rating".into(),
        lineage: vec![3; 16],
        dataset: "links".into(),
        counters: COUNTERS,
        bytes: 9,
        epsilon: 5.5,
        delta: 1e-6,
        days: vec![DAY],
        statements: vec!["P0 learnt".into()],
        shown: Some(SHOWN),
        ..Account::default()
    }
}

pub(crate) fn version() -> DataVersion {
    DataVersion {
        dataset: "links".into(),
        lineage: vec![1; 16],
        version: 3,
        salt: vec![2; 32],
        commitment: vec![3; 32],
        imported_unix_ms: 1_795_800_000_000,
    }
}

const COST: PhaseCost = PhaseCost {
    seconds: 1.5,
    bytes_to_social: 2,
    bytes_to_rating: 3,
    messages: 4,
};

/// Every field set.
pub(crate) fn event() -> JobEvent {
    JobEvent {
        job: "67e55044-10b1-426f-9247-bb680e5fe0c8".into(),
        time_unix_ms: 1_795_800_000_000,
        state: JobState::Running,
        phase: Some(Phase::Online),
        round: 3,
        rounds: 10,
        phase_cost: Some(COST),
        phase_progress: 0.25,
        remaining_seconds: 7.5,
        waiting_for: Some(Party::Social),
        waiting_since_unix_ms: 1_795_800_000_001,
        message: "Round 3".into(),
        training: Some(RoundReport {
            loss: 0.5,
            held_out_rmse: 0.75,
            saturations: 6,
        }),
        overlap: disclosure().overlap,
        peer_message: "for P0".into(),
    }
}

pub(crate) fn job_cost() -> JobCost {
    let request = ProductRequest::new(Protocol::Preprocessed, OperatorKind::Laplacian, 740, 10, 20);
    JobCost {
        parameters: Some(choose_parameters(&request).unwrap().into()),
        offline: COST,
        online: PhaseCost::default(),
        peak_rss_bytes: 5,
        common_users: 740,
    }
}

pub(crate) fn proposal() -> Proposal {
    Proposal {
        job: JobId::parse("67e55044-10b1-426f-9247-bb680e5fe0c8").unwrap(),
        purpose: "better recommendations".into(),
        rank: 10,
        solver: SolverKind::Als,
        operator: OperatorKind::NormalizedLaplacian,
        rounds: 20,
        social_weight: Some(0.5),
        regularization: None,
        learning_rate: Some(0.125),
        social_bias_weight: 0.0,
        protocol: Protocol::Preprocessed,
        pattern: PatternPolicy::Nothing,
        release: ReleasePolicy::Exact,
        saturation_bound: 8.0,
        guard_bits: 2,
        id_rule: "nfc-trim".into(),
        terms: Terms {
            rating_commitment: [6; 32],
            rating_lineage: [7; 16],
            expires_unix_ms: 1_795_800_000_002,
            ..Terms::default()
        },
    }
}

/// A changed row is another version of the store: it wants a step of the migrations.
#[test]
fn rows_and_commitments_are_the_known_ones() {
    let mut vectors = Vectors::new("rows of the store, commitments to data");
    vectors.group("rows");
    vectors.bytes("disclosure of a job", &disclosure().to_row());
    vectors.bytes("nothing disclosed", &JobDisclosure::default().to_row());
    vectors.bytes("account", &account().to_row());
    let signed = SignedApproval {
        approval: vec![1, 2, 3],
        signature: vec![4; 64],
    };
    vectors.bytes("approval", &signed.to_row());
    vectors.bytes("version of data", &version().to_row());
    vectors.bytes("event", &event().to_row());
    vectors.bytes("no event", &JobEvent::default().to_row());
    vectors.bytes("cost of a job", &job_cost().to_row());
    vectors.bytes("proposal", &proposal().to_row());
    vectors.bytes("ids brought", &SHOWN.to_row());
    vectors.group("commitments under the salt 01…");
    for (name, rows) in [
        ("no rows", &[][..]),
        ("a link", &[["alice", "bob"]][..]),
        ("two links", &[["alice", "bob"], ["größe", ""]][..]),
    ] {
        let mut commitment = Commitment::new(&[1; 32]);
        for [from, to] in rows {
            commitment.row(&[from.as_bytes(), to.as_bytes()]);
        }
        vectors.bytes(name, &commitment.finish());
    }
    vectors.check(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors.txt"));
}
