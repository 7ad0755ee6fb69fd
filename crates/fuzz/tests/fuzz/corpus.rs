//! The kept corpus: whole messages, and broken ones each named for its fault.
//!
//! Every target replays the files of its folder, `__fuzz__/FILE__TARGET/corpus`, before its random
//! run. Those made here follow the encodings: with S3REC_WRITE=1 this test writes them anew. What
//! a run has found is put beside them by hand.

#![expect(
    clippy::unwrap_used,
    reason = "honest messages, made here; a failure is the test's"
)]

use std::fs;
use std::path::Path;

use s3rec_job::{Approval, Counters, JobId, Phase, Proposal, Terms};
use s3rec_sparse::{BoundsRule, OperatorKind, PatternPolicy, PublicBounds, StatedBounds};
use s3rec_spmm::{Frame, ProductRequest, Protocol, ReleasePolicy, Step, choose_parameters};
use s3rec_wire::convert::{
    AlignOpening, ChunkHeader, Direction, align_chunk, align_opening, approval_from_bytes,
    approval_to_bytes, chunk_of_header, file_header_from_wire, header_of, parameters_from_wire,
    parameters_to_wire, proposal_from_wire, proposal_to_wire, release_from_wire, release_to_wire,
    solver_from_wire,
};
use s3rec_wire::record::Record;
use s3rec_wire::v1;
use s3rec_wire::v1::align_chunk::Part;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/__fuzz__");

/// Name and content of a file.
type File = (&'static str, Vec<u8>);

fn job() -> JobId {
    JobId::parse("67e55044-10b1-426f-9247-bb680e5fe0c8").unwrap()
}

fn proposal() -> Proposal {
    Proposal {
        job: job(),
        purpose: "größer".into(),
        rank: 10,
        solver: solver_from_wire("solver", v1::Solver::Als.into()).unwrap(),
        operator: OperatorKind::OutAverage,
        rounds: 20,
        social_weight: Some(0.5),
        regularization: Some(0.1),
        learning_rate: None,
        social_bias_weight: 0.25,
        protocol: Protocol::PreprocessedPir,
        pattern: PatternPolicy::Nothing,
        release: noised(),
        saturation_bound: 8.0,
        guard_bits: 2,
        id_rule: "nfc-trim".into(),
        terms: Terms {
            expires_unix_ms: 1_800_000_000_000,
            ..Terms::default()
        },
    }
}

fn noised() -> ReleasePolicy {
    ReleasePolicy::Noised {
        sigma: 1.5,
        row_norm_beta: 2.0,
        delta: 1e-6,
    }
}

fn approval() -> Vec<u8> {
    approval_to_bytes(&Approval {
        proposal: proposal(),
        social_commitment: [3; 32],
        social_lineage: [4; 16],
        approved_unix_ms: 1_799_000_000_000,
        expires_unix_ms: 1_800_000_000_000,
        rating_pin: [5; 32],
        social_pin: [6; 32],
        before: Counters::default(),
        bounds: PublicBounds {
            stated: StatedBounds {
                degree: 300,
                links: 20_000,
            },
            rule: BoundsRule::Stated,
        },
    })
}

fn approvals() -> Vec<File> {
    let whole = approval();
    assert!(approval_from_bytes(&whole).is_ok());
    let broken = |change: fn(&mut v1::Approval)| {
        let mut message = v1::Approval::from_record(&whole).unwrap();
        change(&mut message);
        message.to_record()
    };
    let end = v1::Approval {
        expires_unix_ms: 1_800_000_000_000,
        ..v1::Approval::default()
    };
    vec![
        ("a-field-more", [&whole[..], &[0x78, 1]].concat()),
        ("a-field-twice", [whole.clone(), end.to_record()].concat()),
        ("torn", whole[..whole.len() / 2].to_vec()),
        ("ends-late", broken(|a| a.expires_unix_ms += 1)),
        ("pin-of-31", broken(|a| a.rating_pin.truncate(31))),
        ("without-bounds", broken(|a| a.bounds = None)),
        ("without-proposal", broken(|a| a.proposal = None)),
        ("no-links", broken(|a| a.bounds.as_mut().unwrap().links = 0)),
        ("whole", whole),
    ]
}

fn proposals() -> Vec<File> {
    let whole = proposal_to_wire(&proposal());
    assert!(proposal_from_wire(&whole).is_ok());
    let broken = |change: fn(&mut v1::PeerProposal)| {
        let mut message = whole.clone();
        change(&mut message);
        message.to_record()
    };
    vec![
        ("whole", whole.to_record()),
        ("a-column-more", broken(|p| p.columns += 1)),
        ("nan", broken(|p| p.saturation_bound = f64::NAN)),
        (
            "minus-zero",
            broken(|p| p.model.as_mut().unwrap().social_weight = Some(-0.0)),
        ),
        (
            "most-rounds",
            broken(|p| p.model.as_mut().unwrap().rounds = u32::MAX),
        ),
        (
            "own-settings",
            broken(|p| {
                p.model.as_mut().unwrap().local = Some(v1::LocalSettings::default());
            }),
        ),
        (
            "name-in-capitals",
            broken(|p| p.job_id = p.job_id.to_uppercase()),
        ),
        (
            "name-in-braces",
            broken(|p| p.job_id = format!("{{{}}}", p.job_id)),
        ),
        ("unknown-protocol", broken(|p| p.protocol = 99)),
        ("long-purpose", broken(|p| p.purpose = "x".repeat(2_001))),
        ("never-ends", broken(|p| p.expires_unix_ms = i64::MIN)),
        (
            "beta-of-nothing",
            broken(|p| p.release_policy.as_mut().unwrap().row_norm_beta = 0.0),
        ),
    ]
}

fn protocol_messages() -> Vec<File> {
    let kind = OperatorKind::Laplacian;
    let mut request = ProductRequest::new(Protocol::Preprocessed, kind, 1_000, 11, 20);
    (request.row_norm_bound, request.nonzeros_bound) = (600, 41_000);
    let parameters = parameters_to_wire(&choose_parameters(&request).unwrap()).unwrap();
    assert!(parameters_from_wire(&parameters).is_ok());
    let contradicting = v1::ProductParameters {
        security_bits: parameters.security_bits + 1,
        ..parameters
    };
    let huge = v1::ProductParameters {
        users: u32::MAX,
        columns: u32::MAX,
        rounds: u32::MAX,
        ..parameters
    };
    // As the target expects them.
    let header = ChunkHeader {
        job: job(),
        phase: Phase::Setup,
        round: 0,
        parameters_digest: [0; 32],
        counters: None,
        goes_on: false,
    };
    let first = chunk_of_header(&header);
    assert!(header_of(&first).is_ok());
    let frame = || {
        Direction::new(&header, v1::Role::Rating).chunk_of(Frame {
            step: Step::PublicKey,
            sequence: 0,
            payload: vec![7; 40],
        })
    };
    let mut other_digest = frame();
    other_digest.digest[0] ^= 1;
    let mut other_step = frame();
    other_step.step = 255;
    let both = v1::ExchangeChunk {
        header: first.header.clone(),
        ..frame()
    };
    let opening = AlignOpening {
        job: job(),
        session_half: [7; 32],
        total: u64::MAX,
        id_rule: "nfc-trim".into(),
        common_digest: Some([9; 32]),
    };
    assert!(align_opening(opening.to_wire()).is_ok());
    let release = release_to_wire(&noised());
    assert!(release_from_wire(Some(release)).is_ok());
    let mut stray = release_to_wire(&ReleasePolicy::Exact);
    stray.released_bits = 1;
    vec![
        ("parameters", parameters.to_record()),
        ("parameters-contradicting", contradicting.to_record()),
        ("parameters-of-everybody", huge.to_record()),
        ("chunk-header", first.to_record()),
        ("chunk", frame().to_record()),
        ("chunk-other-digest", other_digest.to_record()),
        ("chunk-other-step", other_step.to_record()),
        ("chunk-with-header", both.to_record()),
        ("align-opening", opening.to_wire().to_record()),
        (
            "align-points",
            align_chunk(Part::Points(vec![1; 32])).to_record(),
        ),
        (
            "align-nothing",
            align_chunk(Part::Claims(Vec::new())).to_record(),
        ),
        ("release", release.to_record()),
        ("release-stray", stray.to_record()),
        ("job", job().to_string().into_bytes()),
    ]
}

fn requests() -> Vec<File> {
    let header = v1::FileHeader {
        file_name: "ratings.tsv".into(),
        dataset: "small".into(),
        user_column: "1".into(),
        item_column: "2".into(),
        rating_column: "3".into(),
        delimiter: "tab".into(),
        scale_min: 1.0,
        scale_max: 5.0,
        ..v1::FileHeader::default()
    };
    assert!(s3rec_rating::rating_options(&file_header_from_wire(header.clone())).is_ok());
    let same_column = v1::FileHeader {
        item_column: "1".into(),
        ..header.clone()
    };
    let no_scale = v1::FileHeader {
        scale_min: f64::NAN,
        scale_max: f64::MAX,
        ..header.clone()
    };
    let request = v1::ProposeJobRequest {
        dataset: "small".into(),
        model: Some(v1::ModelSettings {
            rank: 4,
            solver: v1::Solver::Als.into(),
            operator: v1::Operator::Laplacian.into(),
            rounds: 3,
            ..Default::default()
        }),
        protocol: v1::Protocol::Preprocessed.into(),
        pattern_policy: v1::PatternPolicy::Nothing.into(),
        release_policy: Some(release_to_wire(&ReleasePolicy::Exact)),
        purpose: "a test".into(),
        ..Default::default()
    };
    let mut greedy = request.clone();
    let model = greedy.model.as_mut().unwrap();
    (model.rank, model.rounds) = (u32::MAX, u32::MAX);
    vec![
        ("header", header.to_record()),
        ("header-same-column", same_column.to_record()),
        ("header-no-scale", no_scale.to_record()),
        ("request", request.to_record()),
        ("request-greedy", greedy.to_record()),
    ]
}

/// Frames as the targets of endpoints spell them: step, sequence, length, what fills the payload.
fn frames(frames: &[(Step, u8, u16, u8)]) -> Vec<u8> {
    let spelt = frames.iter().flat_map(|(step, sequence, length, fill)| {
        let [low, high] = length.to_le_bytes();
        let filled = std::iter::repeat_n(*fill, usize::from(*length).min(1));
        [step.number(), *sequence, low, high]
            .into_iter()
            .chain(filled)
    });
    spelt.collect()
}

fn rounds_at_social() -> Vec<File> {
    vec![
        (
            "seed-then-bodies",
            frames(&[(Step::MaskSeed, 0, 2, 3), (Step::Bodies, 1, 4, 0)]),
        ),
        (
            "seed-twice",
            frames(&[(Step::MaskSeed, 0, 2, 3), (Step::MaskSeed, 1, 2, 3)]),
        ),
        ("seed-out-of-turn", frames(&[(Step::MaskSeed, 1, 2, 3)])),
        ("bodies-first", frames(&[(Step::Bodies, 0, 4, 0)])),
        ("empty-seed", frames(&[(Step::MaskSeed, 0, 0, 0)])),
    ]
}

fn key_setups() -> Vec<File> {
    vec![
        ("zeros", frames(&[(Step::PublicKey, 0, 8, 0)])),
        ("ones", frames(&[(Step::PublicKey, 0, 8, 0xff)])),
        ("short", frames(&[(Step::PublicKey, 0, 7, 0)])),
        ("long", frames(&[(Step::PublicKey, 0, 9, 0)])),
        (
            "twice",
            frames(&[(Step::PublicKey, 0, 8, 0), (Step::PublicKey, 1, 8, 0)]),
        ),
    ]
}

fn text(files: &[(&'static str, &str)]) -> Vec<File> {
    let files = files.iter();
    files
        .map(|(name, text)| (*name, text.as_bytes().to_vec()))
        .collect()
}

fn ratings() -> Vec<File> {
    text(&[
        ("tab", "a\tx\t4\nb\tx\t3.5\na\ty\t1\n"),
        ("header", "user,item,rating,timestamp\na,x,4,1\nb,y,2,2\n"),
        ("quoted", "\"a, b\";\"x\";\"4\"\n\"c\"\"\";y;1\n"),
        (
            "double-colon",
            "1::1193::5::978300760\r\n1::661::3::978302109\r\n",
        ),
        (
            "json",
            "{\"user\":\"a\",\"item\":\"x\",\"rating\":4}\n{\"user\":\"b\",\"item\":\"y\",\"rating\":2}\n",
        ),
        ("marked", "\u{feff}a\tx\t4\nb\ty\t2\n"),
        ("infinite", "a\tx\tinf\nb\ty\tNaN\n"),
        ("overflow", "a\tx\t1e999\nb\ty\t-0\n"),
        ("two-columns", "a\tx\nb\ty\n"),
        ("unequal-rows", "a\tx\t4\nb\ty\nc\n"),
        ("open-quote", "\"a\tx\t4\nb\ty\t2\n"),
        ("nothing", ""),
        ("line-ends", "\n\r\n\r\n"),
    ])
}

fn links() -> Vec<File> {
    text(&[
        ("tab", "a\tb\nb\tc\n"),
        ("weights", "a\tb\t1\nb\tc\t-1\nc\ta\t0\n"),
        ("lists", "a: b c d\nb: a\nc:\n"),
        ("with-itself", "a\ta\nb\tb\n"),
        ("one-column", "a\nb\nc\n"),
        (
            "comment",
            "# Directed graph\n# Nodes: 3 Edges: 2\n0\t1\n1\t2\n",
        ),
        ("nothing", ""),
    ])
}

#[test]
fn kept_messages_are_the_known_ones() {
    let folders: [(&str, Vec<File>); 9] = [
        ("approvals__approvals", approvals()),
        ("wire__proposals", proposals()),
        ("bytes__protocol_messages", protocol_messages()),
        ("operators__imports_and_proposals", requests()),
        (
            "endpoints__a_round_at_the_social_platform",
            rounds_at_social(),
        ),
        ("endpoints__key_setup_at_the_social_platform", key_setups()),
        ("files__ratings", ratings()),
        ("files__links", links()),
        ("files__ratings_in_files_of_every_kind", ratings()),
    ];
    for (folder, files) in folders {
        let folder = Path::new(FOLDER).join(folder).join("corpus");
        if std::env::var_os("S3REC_WRITE").is_some() {
            fs::create_dir_all(&folder).unwrap();
            for (name, content) in &files {
                fs::write(folder.join(name), content).unwrap();
            }
        }
        for (name, content) in files {
            let file = folder.join(name);
            let kept =
                fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            assert!(
                kept == content,
                "{}: another encoding now; S3REC_WRITE=1 cargo test -p s3rec-fuzz the_known_ones writes it",
                file.display()
            );
        }
    }
}

/// A folder that no target reads would keep nothing.
#[test]
fn every_kept_folder_is_a_target() {
    let source = |file: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fuzz")
            .join(file);
        fs::read_to_string(path.with_extension("rs")).unwrap()
    };
    for entry in fs::read_dir(FOLDER).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let (file, target) = name.split_once("__").unwrap();
        assert!(source(file).contains(&format!("fn {target}()")), "{name}");
    }
}
