//! Known answers: proposals, approvals, what names parameters, chunks of both streams; and what is
//! refused, each named for its fault.

use s3rec_audit::Head;
use s3rec_job::{Approval, Counters, JobId, Phase, Proposal, Terms};
use s3rec_model::SolverKind;
use s3rec_sparse::{BoundsRule, OperatorKind, PatternPolicy, PublicBounds, StatedBounds};
use s3rec_spmm::{Frame, ProductRequest, Protocol, ReleasePolicy, Step, choose_parameters};
use s3rec_vectors::Vectors;
use s3rec_wire::convert::{
    AlignOpening, ChunkHeader, Direction, align_chunk, approval_from_bytes, approval_to_bytes,
    chunk_of_header, head_to_wire, parameters_digest, parameters_to_wire, proposal_from_wire,
    proposal_to_wire,
};
use s3rec_wire::record::Record;
use s3rec_wire::v1;
use s3rec_wire::v1::align_chunk::Part;

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors");

#[expect(clippy::unwrap_used, reason = "a test helper fails as its test does")]
fn job() -> JobId {
    JobId::parse("67e55044-10b1-426f-9247-bb680e5fe0c8").unwrap()
}

fn proposal() -> Proposal {
    Proposal {
        job: job(),
        purpose: "better recommendations".into(),
        rank: 10,
        solver: SolverKind::Adam,
        operator: OperatorKind::NormalizedLaplacian,
        rounds: 20,
        social_weight: Some(0.5),
        regularization: Some(0.1),
        learning_rate: Some(0.01),
        social_bias_weight: 0.25,
        protocol: Protocol::Preprocessed,
        pattern: PatternPolicy::ActiveRows,
        release: ReleasePolicy::Noised {
            sigma: 1.5,
            row_norm_beta: 2.0,
            delta: 1e-6,
        },
        saturation_bound: 8.0,
        guard_bits: 2,
        id_rule: "nfc-trim".into(),
        terms: Terms {
            rating_commitment: [1; 32],
            rating_lineage: [2; 16],
            most_common_users: 2_000,
            expires_unix_ms: 1_800_000_000_000,
            ..Terms::default()
        },
    }
}

fn plain() -> Proposal {
    Proposal {
        purpose: String::new(),
        solver: SolverKind::Als,
        operator: OperatorKind::Laplacian,
        social_weight: Some(0.0),
        regularization: Some(0.0),
        learning_rate: None,
        social_bias_weight: 0.0,
        protocol: Protocol::He,
        pattern: PatternPolicy::Nothing,
        release: ReleasePolicy::Exact,
        guard_bits: 0,
        ..proposal()
    }
}

fn counters() -> Counters {
    Counters {
        jobs: 1,
        openings: 20,
        opened_columns: 220,
        opened_values: 300_000,
        exact_values: 0,
        nano_rho: 7,
        stocks: 2,
    }
}

fn approval(proposal: Proposal) -> Approval {
    Approval {
        proposal,
        social_commitment: [3; 32],
        social_lineage: [4; 16],
        approved_unix_ms: 1_799_000_000_000,
        expires_unix_ms: 1_799_999_999_999,
        rating_pin: [5; 32],
        social_pin: [6; 32],
        before: counters(),
        bounds: PublicBounds {
            stated: StatedBounds {
                degree: 300,
                links: 20_000,
            },
            rule: BoundsRule::Stated,
        },
    }
}

#[test]
fn signed_encodings_are_the_known_ones() {
    let mut vectors = Vectors::new("proposals and approvals as they are signed");
    vectors.group("proposals");
    for (name, proposal) in [("all fields", proposal()), ("least fields", plain())] {
        let bytes = proposal_to_wire(&proposal).to_record();
        vectors.bytes(name, &bytes);
        let read = v1::PeerProposal::from_record(&bytes).unwrap();
        assert_eq!(proposal_from_wire(&read).unwrap(), proposal);
    }
    vectors.group("approvals");
    let least = Approval {
        before: Counters::default(),
        ..approval(plain())
    };
    for (name, approval) in [
        ("all fields", approval(proposal())),
        ("least fields", least),
    ] {
        let bytes = approval_to_bytes(&approval);
        vectors.bytes(name, &bytes);
        assert_eq!(approval_from_bytes(&bytes).unwrap(), approval);
    }
    vectors.group("refused");
    for (name, bytes) in refused() {
        let fault = approval_from_bytes(&bytes).unwrap_err().to_string();
        vectors.text(name, &fault);
    }
    vectors.check(format!("{FILES}/signed.txt"));
}

/// Approvals that are none, by their fault.
#[expect(clippy::unwrap_used, reason = "a test helper fails as its test does")]
fn refused() -> Vec<(&'static str, Vec<u8>)> {
    let honest = approval(proposal());
    let bytes = approval_to_bytes(&honest);
    let changed = |change: fn(&mut v1::Approval)| {
        let mut message = v1::Approval::from_record(&bytes).unwrap();
        change(&mut message);
        message.to_record()
    };
    let end = v1::Approval {
        expires_unix_ms: honest.expires_unix_ms,
        ..v1::Approval::default()
    };
    // Field 15 of the wire type varint: no approval has one.
    let behind = |tail: &[u8]| [bytes.as_slice(), tail].concat();
    vec![
        ("nothing", Vec::new()),
        ("a torn message", bytes[..bytes.len() - 1].to_vec()),
        ("an unknown field", behind(&[0x78, 1])),
        ("a field twice", behind(&end.to_record())),
        ("too long", vec![0; 20 << 10]),
        ("no proposal", changed(|a| a.proposal = None)),
        ("no bounds", changed(|a| a.bounds = None)),
        ("no counters", changed(|a| a.before = None)),
        ("a short pin", changed(|a| a.social_pin.truncate(31))),
        ("an empty lineage", changed(|a| a.social_lineage.clear())),
        (
            "an end beyond the proposal's",
            changed(|a| a.expires_unix_ms = 1_800_000_000_001),
        ),
        (
            "another number of columns",
            changed(|a| a.proposal.as_mut().unwrap().columns += 1),
        ),
        (
            "an unknown protocol",
            changed(|a| a.proposal.as_mut().unwrap().protocol = 99),
        ),
    ]
}

#[test]
fn names_of_parameters_are_the_known_ones() {
    let mut vectors = Vectors::new("parameters of the product: message and digest");
    for protocol in [Protocol::He, Protocol::Preprocessed] {
        let mut request = ProductRequest::new(protocol, OperatorKind::Laplacian, 1_000, 11, 20);
        (request.row_norm_bound, request.nonzeros_bound) = (600, 41_000);
        let parameters = choose_parameters(&request).unwrap();
        let message = parameters_to_wire(&parameters).unwrap();
        vectors.group(protocol.name());
        vectors.bytes("message", &message.to_record());
        vectors.bytes("digest", &parameters_digest(&message));
    }
    vectors.check(format!("{FILES}/parameters.txt"));
}

#[test]
fn chunks_of_both_streams_are_the_known_ones() {
    let mut vectors = Vectors::new("chunks of Exchange and Align");
    let online = ChunkHeader {
        job: job(),
        phase: Phase::Online,
        round: 3,
        parameters_digest: [9; 32],
        counters: Some(counters()),
        goes_on: false,
    };
    let offline = ChunkHeader {
        phase: Phase::Offline,
        round: 0,
        counters: None,
        ..online.clone()
    };
    for (name, header) in [("offline", offline), ("online", online)] {
        vectors.group(name);
        vectors.bytes("header", &chunk_of_header(&header).to_record());
        for (sender, role) in [("P0", v1::Role::Rating), ("P1", v1::Role::Social)] {
            let mut direction = Direction::new(&header, role);
            for (sequence, payload) in [(0, vec![7; 5]), (1, vec![]), (300, vec![8; 3])] {
                let step = Step::MaskedFactors;
                let chunk = direction.chunk_of(Frame {
                    step,
                    sequence,
                    payload,
                });
                vectors.bytes(&format!("{sender}, {sequence}"), &chunk.to_record());
            }
        }
    }
    vectors.group("Align");
    let opening = AlignOpening {
        job: job(),
        session_half: [7; 32],
        total: 12,
        id_rule: "nfc-trim-casefold".into(),
        common_digest: None,
    };
    let again = AlignOpening {
        common_digest: Some([9; 32]),
        ..opening.clone()
    };
    vectors.bytes("opening", &opening.to_wire().to_record());
    vectors.bytes("opening, found before", &again.to_wire().to_record());
    vectors.bytes(
        "points",
        &align_chunk(Part::Points(vec![1; 32])).to_record(),
    );
    vectors.bytes("labels", &align_chunk(Part::Labels(vec![2; 8])).to_record());
    vectors.bytes(
        "claims",
        &align_chunk(Part::Claims(vec![3; 34])).to_record(),
    );
    vectors.group("head of an audit log");
    let head = Head {
        log: [1; 32],
        sequence: 300,
        hash: [2; 32],
    };
    vectors.bytes("head", &head_to_wire(&head).to_record());
    vectors.check(format!("{FILES}/chunks.txt"));
}
