//! P0 as the attacker: it knows the secret key and all of its own noise, and looks for y.
//!
//! Each attack is first shown to work where the protocol leaves out the one step that stops it,
//! then to do no better than guessing against the whole protocol. A defence that could be
//! removed without a failure here would not be tested. Section 4.

use s3rec_algebra::{PublicSeed, Seed, Stream};

use crate::lib_tests::Job;
use crate::*;

/// Users at toy size, so that all rows y ∈ {−1, 0, 1}^m can be listed.
const USERS: usize = 8;
const ROWS: usize = 3usize.pow(USERS as u32);

fn candidate(index: usize) -> [i64; USERS] {
    std::array::from_fn(|f| (index / 3usize.pow(f as u32) % 3) as i64 - 1)
}

fn toy() -> GlweParameters {
    GlweParameters::toy(2, 64, 4, 3)
}

/// What is left out of the protocol.
#[derive(Clone, Copy, PartialEq)]
enum LeftOut {
    Nothing,
    Rerandomisation,
    Mask,
    LowBitsOfTheMask,
}

/// One upload of uniform masks Z and the answer to the single row y.
struct Trial {
    job: Job,
    y: [i64; USERS],
    masked: Masked,
}

impl Trial {
    fn new(tag: u64, y: [i64; USERS], left_out: LeftOut) -> Self {
        let mut job = Job::new(toy(), 32, (USERS, 64, 0), 1);
        // Keys stay; masks, errors, values and the response's randomness are the trial's own.
        job.seed = job.seed.derive("trial", &[&tag.to_le_bytes()]);
        job.masks = PublicSeed::combine("trial", &[&tag.to_le_bytes()]);
        let mut z = vec![0; USERS * 64];
        Stream::new(&job.seed.derive("z", &[])).fill_ring(job.ring, &mut z);
        job.values = s3rec_algebra::RingMatrix::new(job.ring, USERS, 64, z).unwrap();
        let offsets = [vec![0], vec![USERS; USERS]].concat();
        job.offsets = offsets;
        job.columns = (0..USERS as u32).collect();
        job.weights = y.to_vec();
        let sum = job.accumulate(1 << 20).swap_remove(0);
        let seed = job.response_seed(0);
        let hidden = match left_out {
            LeftOut::Rerandomisation => sum.without_rerandomisation(),
            _ => sum.rerandomise(&job.public, &seed, &mut job.public.workspace()),
        };
        let masked = match left_out {
            LeftOut::Mask => hidden.without_mask(job.ring),
            LeftOut::LowBitsOfTheMask => hidden.mask_with_multiples_of_delta(job.ring, &seed),
            _ => hidden.mask(job.ring, &seed, 64).0,
        };
        Self { job, y, masked }
    }

    /// Attack on the a-part, which without re-randomisation is Σ y_f·a_f: how far the kept bits
    /// are from those of a candidate, in bits lost.
    fn mask_distance(&self, y: &[i64; USERS]) -> f64 {
        let response = self.masked.round(64);
        let masks = UploadMasks::new(toy(), &self.job.masks);
        let mut distance = 0.0;
        // Four coefficients suffice to tell 3^8 rows apart.
        let mut sums = [0u128; 4];
        for (f, weight) in y.iter().enumerate() {
            let mut a = [0; 4];
            masks.fill(f, 0, &mut a);
            for (sum, a) in std::iter::zip(&mut sums, a) {
                *sum = sum.wrapping_add(a.wrapping_mul(i128::from(*weight).cast_unsigned()));
            }
        }
        for (seen, sum) in std::iter::zip(response.mask(), sums) {
            let seen = u128::from(*seen) << (128 - 45);
            let off = seen.wrapping_sub(sum).cast_signed().unsigned_abs();
            distance += (off as f64 + 1.0).log2();
        }
        distance
    }

    /// Attack on P0's share, which without the mask is y·Z.
    fn share_distance(&self, w: &[u64], y: &[i64; USERS]) -> f64 {
        let ring = self.job.ring;
        (0..4)
            .map(|slot| {
                let product = y.iter().enumerate().fold(0u64, |sum, (f, weight)| {
                    let z = self.job.values.row(f)[slot];
                    sum.wrapping_add(z.wrapping_mul(weight.cast_unsigned()))
                });
                let off = ring.to_signed(ring.reduce(w[slot].wrapping_sub(product)));
                (off.unsigned_abs() as f64 + 1.0).log2()
            })
            .sum()
    }

    /// The candidate that fits best.
    fn best(&self, distance: impl Fn(&[i64; USERS]) -> f64) -> [i64; USERS] {
        let mut best = (f64::INFINITY, [0; USERS]);
        for index in 0..ROWS {
            let y = candidate(index);
            let distance = distance(&y);
            if distance < best.0 {
                best = (distance, y);
            }
        }
        best.1
    }

    fn recovered_from_mask(&self) -> bool {
        self.best(|y| self.mask_distance(y)) == self.y
    }

    fn recovered_from_share(&self) -> bool {
        let w = self.job.secret.decrypt_share(&self.masked.round(64));
        self.best(|y| self.share_distance(&w, y)) == self.y
    }
}

fn draws(tag: u8, count: usize) -> Vec<[i64; USERS]> {
    let mut words = vec![0; count];
    Stream::new(&Seed::from_bytes([tag; 32])).fill_u64(&mut words);
    words
        .iter()
        .map(|word| candidate((word % ROWS as u64) as usize))
        .collect()
}

#[test]
fn without_rerandomisation_the_mask_part_gives_y_away() {
    for (tag, y) in (0..).zip(draws(1, 10)) {
        let trial = Trial::new(tag, y, LeftOut::Rerandomisation);
        assert!(trial.recovered_from_mask(), "trial {tag}");
    }
}

#[test]
fn without_the_mask_the_share_gives_y_away() {
    for (tag, y) in (0..).zip(draws(2, 10)) {
        let trial = Trial::new(tag, y, LeftOut::Mask);
        assert!(trial.recovered_from_share(), "trial {tag}");
    }
}

#[test]
fn each_defence_alone_stops_its_attack() {
    for (tag, y) in (0..).zip(draws(3, 10)) {
        assert!(!Trial::new(tag, y, LeftOut::Mask).recovered_from_mask());
        assert!(!Trial::new(tag, y, LeftOut::Rerandomisation).recovered_from_share());
    }
}

/// Against everything, telling two rows apart succeeds as often as a coin falls on heads.
#[test]
fn the_whole_protocol_leaves_the_attackers_guessing() {
    let trials = 600;
    let (mut from_mask, mut from_share) = (0i32, 0i32);
    let pairs = draws(4, 2 * trials);
    for (tag, pair) in (0..).zip(pairs.chunks_exact(2)) {
        let trial = Trial::new(1000 + tag, pair[0], LeftOut::Nothing);
        let w = trial.job.secret.decrypt_share(&trial.masked.round(64));
        from_mask += i32::from(trial.mask_distance(&pair[0]) < trial.mask_distance(&pair[1]));
        from_share +=
            i32::from(trial.share_distance(&w, &pair[0]) < trial.share_distance(&w, &pair[1]));
    }
    // Five deviations of a fair coin.
    let slack = (5.0 * (trials as f64 / 4.0).sqrt()) as i32;
    let fair = (trials / 2) as i32;
    assert!((from_mask - fair).abs() <= slack, "{from_mask} of {trials}");
    assert!(
        (from_share - fair).abs() <= slack,
        "{from_share} of {trials}"
    );
    for (tag, y) in (0..).zip(draws(5, 30)) {
        let trial = Trial::new(5000 + tag, y, LeftOut::Nothing);
        assert!(!trial.recovered_from_mask() && !trial.recovered_from_share());
    }
}

/// The attack on the noise: with ρ a multiple of Δ, the phase modulo Δ is
/// Σ y_f·e_f + v·e_pk + e₂ − e₁·s. The attacker knows every e_f; what it does not know is fresh
/// in each block, so over many blocks regression on the e_f isolates y.
fn regress(y: [i64; USERS], blocks: u64, left_out: LeftOut) -> [i64; USERS] {
    let mut normal = [[0f64; USERS]; USERS];
    let mut right = [0f64; USERS];
    for block in 0..blocks {
        let trial = Trial::new(10_000 + block, y, left_out);
        let (job, secret) = (&trial.job, &trial.job.secret);
        let noises: Vec<Vec<f64>> = (0..USERS).map(|f| upload_noise(job, f)).collect();
        let phases = secret.phase(trial.masked.as_tfhe());
        let low: Vec<f64> = phases
            .iter()
            .map(|phase| (phase << 32).cast_signed() as f64 / 32f64.exp2())
            .collect();
        // v is 1/2 on average: the known half of v·e_pk is taken out.
        for (slot, low) in low.iter().enumerate() {
            let residual = low - expected_key_noise(job, slot);
            for f in 0..USERS {
                right[f] += noises[f][slot] * residual;
                for g in 0..USERS {
                    normal[f][g] += noises[f][slot] * noises[g][slot];
                }
            }
        }
    }
    solve(normal, right).map(|weight| weight.round() as i64)
}

/// e_f of an uploaded row, its rounding included.
fn upload_noise(job: &Job, row: usize) -> Vec<f64> {
    let parameters = toy();
    let mut coefficients = vec![0; 3 * 64];
    let masks = UploadMasks::new(parameters, &job.masks);
    masks.fill(row, 0, &mut coefficients[..128]);
    let upload = job.upload(row..row + 1);
    upload
        .read_rows(
            &[u32::try_from(row).unwrap()],
            0..64,
            &mut coefficients[128..],
        )
        .unwrap();
    let ciphertext = Accumulated::new(parameters, coefficients).unwrap();
    std::iter::zip(job.secret.phase(ciphertext.as_tfhe()), job.values.row(row))
        .map(|(phase, &z)| phase.wrapping_sub(u128::from(z) << 96).cast_signed() as f64)
        .collect()
}

/// E[v·e_pk] at a slot: half the negacyclic sum of e_pk over both polynomials.
fn expected_key_noise(job: &Job, slot: usize) -> f64 {
    let e_pk = job.key_noise();
    e_pk.chunks_exact(64)
        .map(|e| (e[..=slot].iter().sum::<f64>() - e[slot + 1..].iter().sum::<f64>()) / 2.0)
        .sum()
}

/// Gaussian elimination; the normal matrix is positive definite.
fn solve(mut a: [[f64; USERS]; USERS], mut b: [f64; USERS]) -> [f64; USERS] {
    for pivot in 0..USERS {
        for row in pivot + 1..USERS {
            let (above, from_row) = a.split_at_mut(row);
            let (known, reduced) = (&above[pivot], &mut from_row[0]);
            let factor = reduced[pivot] / known[pivot];
            for (reduced, known) in std::iter::zip(reduced, known) {
                *reduced -= factor * known;
            }
            b[row] -= factor * b[pivot];
        }
    }
    let mut x = [0.0; USERS];
    for row in (0..USERS).rev() {
        let known: f64 = (row + 1..USERS)
            .map(|column| a[row][column] * x[column])
            .sum();
        x[row] = (b[row] - known) / a[row][row];
    }
    x
}

#[test]
fn a_mask_of_multiples_of_delta_gives_y_away_over_several_blocks() {
    for y in draws(6, 2) {
        assert_eq!(regress(y, 200, LeftOut::LowBitsOfTheMask), y);
    }
}

#[test]
fn a_full_mask_leaves_nothing_to_regress_on() {
    let mut right = 0;
    for y in draws(7, 2) {
        let guess = regress(y, 200, LeftOut::Nothing);
        right += std::iter::zip(guess, y)
            .filter(|(guess, y)| guess == y)
            .count();
    }
    // 16 weights; guessing one of three values would find 5, the estimates are astronomically off.
    assert!(right <= 1, "{right}");
}
