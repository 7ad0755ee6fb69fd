//! What a query shows: necessary conditions only, the argument is GLWE's.

use s3rec_algebra::Seed;
use s3rec_pir::{PirParameters, query};

#[expect(clippy::unwrap_used, reason = "a test helper fails as its test does")]
fn message(needed: &[u32], tag: u8) -> Vec<u8> {
    let parameters = PirParameters::new(2_000, 100, 64).unwrap();
    let (_, message) = query(&parameters, needed, &Seed::from_bytes([tag; 32])).unwrap();
    message.encode()
}

fn sets() -> Vec<Vec<u32>> {
    vec![
        Vec::new(),
        vec![0],
        (0..64).collect(),
        (0..64).map(|i| i * 31).collect(),
        vec![1_999; 64],
    ]
}

#[test]
fn queries_for_any_rows_have_one_length() {
    let lengths: Vec<usize> = sets().iter().map(|set| message(set, 1).len()).collect();
    assert!(
        lengths.iter().all(|&length| length == lengths[0]),
        "{lengths:?}"
    );
}

#[test]
fn a_call_repeats_its_bytes_and_no_seed_serves_two_contents() {
    assert!(message(&[1, 2], 1) == message(&[2, 1, 1], 1));
    let [one, other] = [message(&[1, 2], 1), message(&[1, 3], 1)];
    // Hash seed and mask seed, then bodies: nothing in common but chance.
    assert!(one[..32] != other[..32] && one[32..64] != other[32..64]);
    let equal = one.iter().zip(&other).filter(|(a, b)| a == b).count() as f64;
    let expected = one.len() as f64 / 256.0;
    assert!(
        (equal - expected).abs() < 6.0 * expected.sqrt(),
        "{equal} of {expected}"
    );
}

#[test]
fn the_same_rows_under_another_seed_look_unrelated() {
    let [one, other] = [message(&[1, 2], 1), message(&[1, 2], 2)];
    let equal = one.iter().zip(&other).filter(|(a, b)| a == b).count() as f64;
    let expected = one.len() as f64 / 256.0;
    assert!(
        (equal - expected).abs() < 6.0 * expected.sqrt(),
        "{equal} of {expected}"
    );
}

/// Chi-square with 255 degrees of freedom over each of the eight bytes of a word: mean 255,
/// deviation 22.6. The same for every set, so no set shows in the distribution of its query.
#[test]
fn query_words_pass_a_chi_square_test_byte_by_byte() {
    for (tag, set) in (10..).zip(sets()) {
        let bytes = message(&set, tag);
        let words = (bytes.len() - 64) / 8;
        for byte in 0..8 {
            let mut counts = [0_f64; 256];
            for word in bytes[64..].chunks_exact(8) {
                counts[usize::from(word[byte])] += 1.0;
            }
            let expected = words as f64 / 256.0;
            let chi: f64 = counts
                .iter()
                .map(|c| (c - expected).powi(2) / expected)
                .sum();
            assert!(
                (150.0..380.0).contains(&chi),
                "set {tag}, byte {byte}: {chi}"
            );
        }
    }
}
