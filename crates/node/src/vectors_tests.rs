//! Known answers: rows of the store as this version writes them, and commitments to data.

use s3rec_data::{
    FactorReport, FileHeader, FilePart, ImportedFactors, ImportedLinks, ImportedRatings,
    LinkReport, RatingReport, Reading, RosterReport, Scale, Suspicion, SuspicionKind,
};
use s3rec_job::rating::RoundReport;
use s3rec_job::report::{PhaseCost, VerdictGroup, VerdictReport};
use s3rec_job::{
    Account, Consent, Counters, DataVersion, Evaluation, FinishedJob, FriendsLearnt, FriendsResult,
    HeldOut, HeldOutErrors, JobCost, JobDisclosure, JobEvent, JobId, JobRecord, JobRequest,
    JobResult, JobState, ModelRecord, ModelSettings, OpenedDay, Overlap, Party, Phase, Proposal,
    Shown, SignedApproval, Standardisation, Terms, TrainedResult,
};
use s3rec_model::{Accuracy, Preset, SolverKind, StopRule};
use s3rec_sparse::{BoundsRule, OperatorKind, PatternPolicy, PublicBounds, StatedBounds};
use s3rec_spmm::noise_first::guarantee::Guarantee;
use s3rec_spmm::{ProductRequest, Protocol, ReleasePolicy, choose_parameters};
use s3rec_vectors::Vectors;

use crate::rows::Row;
use crate::versions::Commitment;

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

pub(crate) fn job_record() -> JobRecord {
    JobRecord {
        created_unix_ms: 1_795_800_000_003,
        request: Some(JobRequest {
            dataset: "ratings".into(),
            model: settings(),
            protocol: Protocol::Preprocessed,
            pattern: PatternPolicy::Nothing,
            release: ReleasePolicy::Exact,
            purpose: "better recommendations".into(),
            seed: 9,
            held_out: HeldOut {
                share: Some(0.25),
                is_latest: true,
            },
            expires_unix_ms: Some(1_795_800_000_002),
            factors: "factors".into(),
        }),
    }
}

fn settings() -> ModelSettings {
    let preset = Preset::named("published").unwrap();
    let rule = StopRule {
        patience: 3,
        objective_tolerance: 0.125,
    };
    ModelSettings {
        regularization: Some(2.5),
        ..ModelSettings::of(&preset.settings, preset.operator, Some(rule))
    }
}

pub(crate) fn consent() -> Consent {
    Consent {
        peer: "rating".into(),
        created_unix_ms: 1_795_800_000_003,
        warnings: vec!["nobody is linked".into()],
        dataset: "links".into(),
        is_ruled: true,
    }
}

const ERRORS: HeldOutErrors = HeldOutErrors {
    errors: Accuracy {
        rmse: 0.75,
        mae: 0.5,
    },
    ratings: 40,
};

pub(crate) fn model() -> ModelRecord {
    ModelRecord {
        dataset: "ratings".into(),
        settings: settings(),
        users: 70,
        items: 30,
        quality: Some(ERRORS),
        created_unix_ms: 1_795_800_000_004,
    }
}

pub(crate) fn evaluation() -> Evaluation {
    Evaluation {
        model: Some(ERRORS),
        no_social: None,
        warnings: vec!["no better than the mean".into()],
        ..Evaluation::default()
    }
}

pub(crate) fn trained() -> FinishedJob {
    FinishedJob {
        parameters: job_cost().parameters,
        offline: COST,
        online: PhaseCost::default(),
        peak_rss_bytes: 5,
        users: 70,
        items: 30,
        ratings: 200,
        data_digest: "00ff".into(),
        scale: (0.5, 5.0),
        result: JobResult::Trained(TrainedResult {
            quality: Some(ERRORS),
            saturations: 6,
            rounds: event().training.into_iter().collect(),
            product_error_bound: 0.001,
            warnings: vec!["few ratings".into()],
            standardisation: Some(Standardisation {
                centre: 3.5,
                spread: 1.5,
                lowest: 1.0,
                highest: 5.0,
                drawn_in: 2,
            }),
            popularity_weight: 0.02,
        }),
    }
}

pub(crate) fn opened_friends() -> FinishedJob {
    let verdict = VerdictReport {
        task: "lists".into(),
        group: "cold".into(),
        without: Some(0.0625),
        with: Some(0.125),
        low: Some(0.03),
        high: None,
        worth_it: true,
        sentence: "Worth it.".into(),
        warnings: vec!["one fold".into()],
        groups: vec![VerdictGroup {
            task: "lists".into(),
            group: "cold".into(),
            users: 12,
            used: 0.5,
            without: 0.0625,
            with: 0.125,
            low: 0.03,
            high: 0.08,
        }],
    };
    FinishedJob {
        parameters: None,
        result: JobResult::Friends(FriendsResult {
            guarantee: Guarantee {
                mu: 1.0,
                rho: 0.5,
                sensitivity: 2.0,
                sigma: 2.5,
                key_switch_share: 0.01,
                epsilon: 5.5,
                delta: 1e-6,
                prior_ceiling_5_percent: 0.3,
            },
            statement: "P0 learns".into(),
            learnt: Some(FriendsLearnt {
                opened: 30,
                calibration: 10,
                gain: 0.02,
                standard_error: 0.005,
                is_used: true,
                candidate: "factor".into(),
            }),
            verdict: Some(verdict),
        }),
        ..trained()
    }
}

pub(crate) fn header() -> FileHeader {
    FileHeader {
        file_name: "my links.tsv".into(),
        dataset: "links".into(),
        delimiter: "tab".into(),
        has_header: true,
        drop_missing: true,
        scale_min: 1.0,
        scale_max: 5.0,
        truster_column: "from".into(),
        trustee_column: "to".into(),
        undirected: true,
        lineage: "older".into(),
        length: 21,
        digest: vec![8; 32],
        parts: vec![FilePart {
            kind: "users".into(),
            file_name: "users.txt".into(),
            length: 9,
            column: "id".into(),
        }],
        ..FileHeader::default()
    }
}

fn reading() -> Reading {
    Reading {
        read_as: "text".into(),
        comment_lines: 2,
        sample_users: vec!["ann".into()],
        suspicions: vec![Suspicion {
            kind: SuspicionKind::LeadingZeros,
            field: "user".into(),
            count: 9,
            of: 30,
            example: "01".into(),
        }],
    }
}

pub(crate) fn imported_ratings() -> ImportedRatings {
    ImportedRatings {
        dataset: "ratings".into(),
        is_timestamped: true,
        report: RatingReport {
            rows: 11,
            users: 3,
            items: 4,
            ratings: 9,
            density: 0.75,
            scale: Scale { min: 0.5, max: 5.0 },
            mean: 3.25,
            duplicates_merged: 1,
            duplicates_conflicting: 2,
            out_of_scale_dropped: 6,
            missing_dropped: 7,
            roster: None,
            reading: reading(),
            sample_items: vec!["film".into()],
        },
    }
}

pub(crate) fn imported_links() -> ImportedLinks {
    ImportedLinks {
        dataset: "links".into(),
        largest_degree: 8,
        report: LinkReport {
            rows: 11,
            users: 3,
            links: 4,
            duplicates_merged: 1,
            self_links_dropped: 2,
            not_positive_dropped: 6,
            missing_dropped: 7,
            reversed_added: 9,
            empty_lists: 10,
            roster: Some(RosterReport {
                rows: 5,
                users: 4,
                duplicates_merged: 1,
                only_listed: 2,
                not_listed: 3,
                reading: Reading::default(),
            }),
            reading: reading(),
        },
    }
}

pub(crate) fn imported_factors() -> ImportedFactors {
    ImportedFactors {
        dataset: "factors".into(),
        ratings: "ratings".into(),
        report: FactorReport {
            users: 3,
            items: 4,
            width: 5,
            zero_users: 1,
            read_as: "numpy".into(),
            sample_users: vec!["ann".into()],
            sample_items: vec!["film".into()],
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
    vectors.bytes("job of P0", &job_record().to_row());
    vectors.bytes("job of an older version", &JobRecord::default().to_row());
    vectors.bytes("consent", &consent().to_row());
    vectors.bytes("model", &model().to_row());
    vectors.bytes("evaluation", &evaluation().to_row());
    vectors.bytes("trained job", &trained().to_row());
    vectors.bytes("job of friends' sums", &opened_friends().to_row());
    vectors.bytes("header of a file", &header().to_row());
    vectors.bytes("imported ratings", &imported_ratings().to_row());
    vectors.bytes("imported links", &imported_links().to_row());
    vectors.bytes("imported factors", &imported_factors().to_row());
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
