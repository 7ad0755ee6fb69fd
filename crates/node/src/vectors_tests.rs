//! Known answers: rows of the store as this version writes them, and commitments to data.

use s3rec_job::{Account, Counters, JobDisclosure, OpenedDay, Overlap, Shown, SignedApproval};
use s3rec_sparse::{BoundsRule, PatternPolicy, PublicBounds, StatedBounds};
use s3rec_spmm::ReleasePolicy;
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
