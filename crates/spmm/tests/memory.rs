//! P1's memory in an opening of `he`: one answer under any limit, a peak below it.
//!
//! Alone in its process: what is measured is the whole process's largest resident set.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::sync::Arc;

use s3rec_algebra::{RingMatrix, Seed, Stream};
use s3rec_sparse::{SecretPattern, SocialMatrix, SocialOperator, declassify};
use s3rec_spmm::pair::{self, Honest};
use s3rec_spmm::{
    Endpoint, Frame, OperatorKind, ProductRequest, Protocol, SocialOperand, SpmmError, Uncounted,
    WorkingSpace, choose_parameters, cost, he,
};

const USERS: u32 = 9_000;
const MIB: usize = 1 << 20;

/// A field of the process's status, in bytes.
fn status_bytes(field: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kibibytes = line.unwrap().trim().strip_suffix("kB").unwrap().trim();
    kibibytes.parse::<usize>().unwrap() * 1024
}

/// What `work` gives, and by how much it raised the resident set at its largest.
fn with_peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status_bytes("VmRSS:");
    let done = work();
    (done, status_bytes("VmHWM:").saturating_sub(before))
}

/// A circle, some chords, and one user whom many follow.
fn links() -> impl Iterator<Item = (u32, u32)> {
    let around = (0..USERS).map(|user| (user, (user + 1) % USERS));
    let chords = (0..USERS).map(|user| (user, (user * 7 + 3) % USERS));
    let star = (1..800).map(|user| (user * 11, 0));
    around.chain(chords).chain(star)
}

#[test]
fn an_opening_keeps_to_its_memory_limit_and_is_the_same_under_any() {
    // Each thread has buffers of its own beside the limit: as many as on the smallest machine.
    let threads = rayon::ThreadPoolBuilder::new().num_threads(2);
    threads.build_global().unwrap();
    let social = SocialMatrix::from_links(USERS as usize, links()).unwrap();
    let operator = SocialOperator::build(OperatorKind::Laplacian, &social);
    let mut request = ProductRequest::new(Protocol::He, OperatorKind::Laplacian, USERS, 10, 2);
    request.row_norm_bound = operator.row_norm_bound();
    request.nonzeros_bound = operator.nonzeros_bound();
    let parameters = choose_parameters(&request).unwrap();
    let pattern = Arc::new(declassify(
        &SecretPattern::of(&operator),
        parameters.pattern,
    ));
    let salt = Seed::from_bytes([1; 32]);
    let operand = Arc::new(SocialOperand::new(&parameters, &pattern, &operator, &salt).unwrap());

    let seed = he::public_key_seed(&[1; 32], &[2; 32], b"memory");
    let rating_keys = Arc::new(he::RatingKeys::generate(&parameters, &seed).unwrap());
    let mut announcing = he::RatingKeySetup::new(&rating_keys).unwrap();
    let mut receiving = he::SocialKeySetup::new(&parameters, &seed).unwrap();
    pair::run(&mut announcing, &mut receiving, &mut Honest).unwrap();
    let keys = Arc::new(receiving.into_keys().unwrap());

    let ring = parameters.ring().unwrap();
    let mut values = vec![0; USERS as usize * 10];
    Stream::new(&Seed::from_bytes([2; 32])).fill_u64(&mut values);
    let small = values
        .iter()
        .map(|value| ring.reduce((value % 1000) << 2))
        .collect();
    let factors = RingMatrix::new(ring, USERS as usize, 10, small).unwrap();
    let mut rating = he::RatingRound::new(&rating_keys, &pattern, &factors).unwrap();
    let mut upload: Vec<Frame> = Vec::new();
    while let Some(frame) = rating.poll_send().unwrap() {
        upload.push(frame);
    }
    let round = cost::predict(&parameters).unwrap().round;
    let kept_bytes = usize::try_from(round.bytes()).unwrap();
    println!("{kept_bytes} bytes of upload and answer, {parameters:?}");
    assert!(kept_bytes > 35 * MIB, "{kept_bytes}");

    let directory = tempfile::tempdir().unwrap();
    let space = |memory_limit_bytes| WorkingSpace {
        memory_limit_bytes,
        directory: directory.path().to_owned(),
    };
    // P1's part alone: the frames that it sends are digested, not kept.
    let answer = |limit, see: &mut dyn FnMut(Frame)| {
        let mut round = he::SocialRound::new(&keys, &operand, 0, Uncounted, &space(limit)).unwrap();
        for frame in &upload {
            round.receive(frame.clone()).unwrap();
        }
        while let Some(frame) = round.poll_send().unwrap() {
            see(frame);
        }
        assert!(round.is_done());
    };
    let digested = |limit| {
        let mut hasher = blake3::Hasher::new();
        answer(limit, &mut |frame| {
            hasher.update(&frame.payload);
        });
        hasher.finalize()
    };

    let mut digests = Vec::new();
    for (limit, most) in [
        (8 * MIB, 8 * MIB),
        (32 * MIB, 32 * MIB),
        (1 << 30, usize::MAX),
    ] {
        let (digest, peak) = with_peak(|| digested(limit));
        println!("limit {} MiB: {} KiB at the most", limit / MIB, peak / 1024);
        assert!(peak < most, "{peak} bytes under a limit of {limit}");
        let predicted = cost::footprint(&parameters, limit as u64).unwrap();
        let predicted = usize::try_from(predicted.social_memory_bytes).unwrap();
        assert!(
            peak < predicted,
            "{peak} bytes where {predicted} were predicted"
        );
        digests.push(digest);
        // The file of the spilled bytes had no name, and is gone.
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        if limit == 1 << 30 {
            assert!(
                peak > kept_bytes,
                "with room, all of it is in memory: {peak}"
            );
        }
    }
    assert!(digests.iter().all(|digest| *digest == digests[0]));

    // And it is the product.
    answer(8 * MIB, &mut |frame| rating.receive(frame).unwrap());
    let product = rating.into_product().unwrap();
    assert!(product == s3rec_spmm::ideal::product(&operator, &factors).unwrap());

    // Too little for one response is refused before anything crosses, with the least there is.
    let refused = he::SocialRound::new(&keys, &operand, 0, Uncounted, &space(1 << 10)).err();
    let Some(SpmmError::MemoryLimit {
        least_bytes,
        actual_bytes: 1024,
    }) = refused
    else {
        panic!("{refused:?}")
    };
    let least = usize::try_from(least_bytes).unwrap();
    assert_eq!(digested(least), digests[0]);
    let message = SpmmError::MemoryLimit {
        least_bytes,
        actual_bytes: 1024,
    }
    .to_string();
    assert!(
        message.contains(&format!("limits.memory_bytes to at least {least}")),
        "{message}"
    );
}
