//! How often encoding fails, and why less than once in 2^40: bounds, and statistics nearer to the
//! threshold, where failures can be seen.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "tests cut known values short"
)]

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::okvs::{self, DENSE, MOST_CORE, core_size, segment};
use crate::group::IdHash;
use crate::{MAX_IDS, PsiError};

fn ids(count: usize, random: &mut ChaCha20Rng) -> Vec<IdHash> {
    let mut ids = vec![[0; 32]; count];
    random.fill_bytes(ids.as_flattened_mut());
    ids
}

/// Looks an id up in plain 64-bit values.
fn look_up(vector: &[u64], id: &IdHash, segment: u32) -> u64 {
    let rows: Vec<_> = vector.iter().map(|value| [*value, !*value, 0]).collect();
    okvs::Lookup::new(&rows, segment).sum(id)[0]
}

/// As [`look_up`], without laying rows out for every id.
fn look_up_in(vector: &[u64], id: &IdHash, segment: u32) -> u64 {
    let sparse = okvs::places(id, segment).map(|place| vector[place]);
    let dense = u64::from_le_bytes(id[8..16].try_into().unwrap());
    let dense = (0..DENSE).filter(|bit| dense >> bit & 1 == 1);
    let dense = dense.fold(0, |sum, bit| sum ^ vector[3 * segment as usize + bit]);
    sparse.iter().fold(dense, |sum, value| sum ^ value)
}

#[test]
fn every_id_looks_its_value_up() {
    let mut random = ChaCha20Rng::from_seed([1; 32]);
    for count in [0, 1, 2, 3, 7, 40, 64, 65, 200, 1_000] {
        let ids = ids(count, &mut random);
        let segment = segment(u32::try_from(count).unwrap());
        let vector = okvs::encode(&ids, segment, 3 * segment as usize + DENSE + 5).unwrap();
        assert_eq!(vector.len(), 3 * segment as usize + DENSE + 5);
        for id in &ids {
            assert_eq!(look_up(&vector, id, segment), okvs::value(id), "of {count}");
        }
    }
}

/// Many are encoded in rounds: every id looks its value up, and how threads take turns does not matter.
#[test]
fn many_ids_are_encoded_alike_by_any_number_of_threads() {
    let mut random = ChaCha20Rng::from_seed([6; 32]);
    for (count, short) in [(20_000, 0), (20_000, 3), (60_000, 0)] {
        let mut ids = ids(count, &mut random);
        // A small core: two at the same places.
        let of_one = ids[7];
        ids[9_999][16..].copy_from_slice(&of_one[16..]);
        let segment = segment(u32::try_from(count).unwrap()) - short;
        let length = 3 * segment as usize + DENSE;
        let by = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let encode = || okvs::encode(&ids, segment, length).unwrap();
            pool.build().unwrap().install(encode)
        };
        let vector = by(1);
        for threads in [2, 3, 8] {
            assert!(*by(threads) == *vector, "{count} by {threads}");
        }
        for id in &ids {
            assert_eq!(
                look_up_in(&vector, id, segment),
                okvs::value(id),
                "of {count}"
            );
        }
    }
}

/// With a sparse part far too short everything is left to elimination: it solves what can be solved.
#[test]
fn what_does_not_peel_is_solved() {
    let mut random = ChaCha20Rng::from_seed([2; 32]);
    for (count, segment) in [(60, 1), (300, 105), (1_000, 380), (2_000, 760)] {
        let ids = ids(count, &mut random);
        assert!(core_size(&ids, segment) > count / 2);
        let vector = okvs::encode(&ids, segment, 0).unwrap();
        for id in ids.iter().step_by(17) {
            assert_eq!(look_up(&vector, id, segment), okvs::value(id));
        }
    }
}

#[test]
fn equations_that_contradict_and_cores_too_large_fail() {
    let mut random = ChaCha20Rng::from_seed([3; 32]);
    // More equations than unknowns.
    let many = ids(80, &mut random);
    assert_eq!(okvs::encode(&many, 1, 0).err(), Some(PsiError::Encoding));
    // The same places, another value.
    let mut twice = ids(2, &mut random);
    twice[1] = twice[0];
    twice[1][0] ^= 1;
    assert_eq!(okvs::encode(&twice, 100, 0).err(), Some(PsiError::Encoding));
    let many = ids(3 * MOST_CORE, &mut random);
    let short = u32::try_from(MOST_CORE).unwrap();
    assert_eq!(
        okvs::encode(&many, short, 0).err(),
        Some(PsiError::Encoding)
    );
}

/// The first moment: the expected number of non-empty sets of equations that add up to nothing, which bounds
/// the probability that there is one.
///
/// A set of k has k places in each third. They cancel with probability
/// k!·\[z^k\] cosh(z)^s / s^k ≤ k!·cosh(z)^s/(z·s)^k for every z > 0, the 64 dense bits with 2^-64.
#[test]
fn dependent_equations_are_rarer_than_2_to_the_minus_54() {
    let log2_expected = |count: u64, segment: f64| {
        let n = count as f64;
        let mut largest = f64::NEG_INFINITY;
        let step = (count / 20_000).max(1) & !1 | u64::from(count < 40_000);
        let mut terms = 0.0_f64;
        let mut k = 2;
        while k <= count {
            let size = k as f64;
            // ln C(n, k) ≤ n·H(k/n); ln k! ≤ 1 + ln(k)/2 + k·(ln k − 1).
            let share = size / n;
            let entropy = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
            let subsets = n * (entropy(share) + entropy(1.0 - share));
            let factorial = 1.0 + size.ln() / 2.0 + size * (size.ln() - 1.0);
            // The best z has z·tanh z = k/s.
            let target = size / segment;
            let mut z = target.sqrt().max(target);
            for _ in 0..60 {
                z -= (z * z.tanh() - target) / (z.tanh() + z / z.cosh().powi(2));
            }
            let ln_cosh = z + (-2.0 * z).exp().ln_1p() - 2.0_f64.ln();
            let cancels = factorial + segment * ln_cosh - size * (z * segment).ln();
            let term = subsets + 3.0 * cancels.min(0.0);
            largest = largest.max(term);
            terms += 1.0;
            // k odd never cancels; between steps the terms are smooth, and the largest counts for all.
            k += if step < 2 { 2 } else { step };
        }
        let all = largest + (n.min(terms * step as f64 + 1.0)).ln();
        all / 2.0_f64.ln() - 64.0
    };
    for count in (2..300).chain([1_000, 4_096, 16_384, 100_000, 1_000_000, MAX_IDS]) {
        let segment = f64::from(segment(u32::try_from(count).unwrap()));
        let bound = log2_expected(count, segment);
        assert!(bound < -54.0, "{count}: 2^{bound}");
    }
}

/// The length at which cores disappear is normal, 0.3·√n above the threshold with a deviation of
/// about 0.8·√n, as Dembo and Montanari's theorem says: a tenth of our margin of 9·√n places. The
/// share of cores at several margins against the normal law, and that it falls as fast.
#[test]
fn cores_disappear_as_finite_size_scaling_says() {
    let mut random = ChaCha20Rng::from_seed([4; 32]);
    let count = 6_400_usize;
    let runs = 300;
    // Margin in √n, and what the normal law gives: Φ((0.3 − margin)/0.8), within 4.5 deviations.
    for (margin, normal) in [
        (-0.8, 0.915),
        (0.0, 0.646),
        (0.8, 0.266),
        (1.6, 0.052),
        (2.4, 0.0043),
    ] {
        let sparse = 1.2218 * count as f64 + margin * (count as f64).sqrt();
        let segment = (sparse / 3.0).round() as u32;
        let large = (0..runs).filter(|_| core_size(&ids(count, &mut random), segment) > count / 20);
        let share = large.count() as f64 / f64::from(runs);
        let deviation = (normal * (1.0 - normal) / f64::from(runs)).sqrt();
        let difference = (share - normal).abs();
        assert!(
            difference < 4.5 * deviation + 0.02,
            "{margin}: {share}, not {normal}"
        );
    }
}

#[test]
fn our_sizes_leave_next_to_nothing_to_elimination() {
    let mut random = ChaCha20Rng::from_seed([5; 32]);
    for (count, runs) in [(500, 400), (5_000, 100), (40_000, 20)] {
        let segment = segment(u32::try_from(count).unwrap());
        for _ in 0..runs {
            // Pairs of ids with the same three places, seldom.
            assert!(core_size(&ids(count, &mut random), segment) <= 6);
        }
    }
}

/// Raghuraman and Rindal's fit (their library's, weight 3): what it takes for 2^-40.
#[test]
fn the_vector_is_longer_than_the_papers_fit() {
    for bits in 10..=24 {
        let count = 1_u32 << bits;
        let slope = 2.0_f64.powf(0.555 * f64::from(bits) + 2.336);
        let fit = (1.223 + (40.0 + 9.2) / slope) * f64::from(count);
        assert!(3.0 * f64::from(segment(count)) > fit, "2^{bits}");
    }
}
