//! Noise measured after each step over a million samples and more, against its formula; shares
//! and masked bodies against uniformity; the last place against its error rate.

use s3rec_algebra::{PublicSeed, Seed};

use crate::lib_tests::Job;
use crate::*;

/// Variance of TUniform(b) in units of 1/q².
fn variance(noise_bits: u32) -> f64 {
    ((2.0 * f64::from(noise_bits) + 1.0).exp2() + 1.0) / 6.0
}

/// Variance of rounding t bits off, to nearest.
fn rounding_variance(dropped_bits: u32) -> f64 {
    match dropped_bits {
        0 => 0.0,
        t => (2.0 * f64::from(t)).exp2() / 12.0,
    }
}

fn hamming_weight(secret: &SecretKey) -> f64 {
    secret.as_tfhe().as_ref().iter().sum::<u128>() as f64
}

struct Moments {
    count: f64,
    square: f64,
    largest: f64,
}

fn moments(samples: impl Iterator<Item = f64>) -> Moments {
    let start = Moments {
        count: 0.0,
        square: 0.0,
        largest: 0.0,
    };
    let sum = samples.fold(start, |m, x| Moments {
        count: m.count + 1.0,
        square: m.square + x * x,
        largest: m.largest.max(x.abs()),
    });
    Moments {
        square: sum.square / sum.count,
        ..sum
    }
}

fn centred(value: u128) -> f64 {
    value.cast_signed() as f64
}

#[test]
fn fresh_rows_carry_the_fresh_noise() {
    for (tag, dropped) in [(11, 0), (12, 3), (13, 16)] {
        let parameters = GlweParameters::new(1, 8192, dropped).unwrap();
        let rows = 124;
        let job = Job::new(parameters, 32, (rows, 8192, 0), tag);
        let (upload, masks) = (
            job.upload(0..rows),
            UploadMasks::new(parameters, &job.masks),
        );
        let mut samples = Vec::new();
        for row in 0..rows {
            let mut coefficients = vec![0; 2 * 8192];
            masks.fill(row, 0, &mut coefficients[..8192]);
            upload
                .read_rows(
                    &[u32::try_from(row).unwrap()],
                    0..8192,
                    &mut coefficients[8192..],
                )
                .unwrap();
            let ciphertext = Accumulated::new(parameters, coefficients).unwrap();
            let phase = job.secret.phase(ciphertext.as_tfhe());
            for (phase, &value) in std::iter::zip(phase, job.values.row(row)) {
                samples.push(centred(phase.wrapping_sub(u128::from(value) << 96)));
            }
        }
        let b = parameters.noise_bits();
        let expected = variance(b) + rounding_variance(dropped);
        let measured = moments(samples.into_iter());
        assert!(measured.count >= 1e6);
        let ratio = measured.square / expected;
        assert!((0.99..1.01).contains(&ratio), "t {dropped}: {ratio}");
        let bound =
            f64::from(b).exp2() + (f64::from(dropped) - 1.0).exp2() * f64::from(dropped.min(1));
        assert!(measured.largest <= bound, "t {dropped}");
    }
}

#[test]
fn accumulated_noise_follows_the_weights() {
    let parameters = GlweParameters::new(1, 8192, 9).unwrap();
    // Twenty rows in a response of 400 columns: their noises add up.
    for (tag, shape) in [(21, (150, 8192, 6)), (22, (2600, 400, 3))] {
        let job = Job::new(parameters, 32, shape, tag);
        let product = job.clear_product();
        let fresh = variance(parameters.noise_bits()) + rounding_variance(9);
        let mut samples = Vec::new();
        for (response, sum) in job.accumulate(1 << 24).iter().enumerate() {
            let rows = job.packing.rows_of(response, shape.0);
            let (mut square, mut norm) = (0i64, 0i64);
            for entries in rows.clone().map(|row| job.merged_row(row)) {
                square += entries.values().map(|w| w * w).sum::<i64>();
                norm += entries.values().map(|w| w.abs()).sum::<i64>();
            }
            if square == 0 {
                continue;
            }
            let bound = norm as f64 * (f64::from(parameters.noise_bits()).exp2() + 256.0);
            let scale = 1.0 / (square as f64 * fresh).sqrt();
            let values = &product[rows.start * shape.1..rows.end * shape.1];
            let phases = job.secret.phase(sum.as_tfhe());
            for (slot, phase) in phases.into_iter().enumerate() {
                let value = values.get(slot).copied().unwrap_or(0);
                let noise = centred(phase.wrapping_sub(u128::from(value) << 96));
                assert!(noise.abs() <= bound);
                samples.push(noise * scale);
            }
        }
        let measured = moments(samples.into_iter());
        assert!(measured.count >= 1e6, "{}", measured.count);
        assert!(
            (0.97..1.03).contains(&measured.square),
            "{}",
            measured.square
        );
    }
}

#[test]
fn rerandomised_noise_stays_under_its_formula() {
    let (parameters, keys, responses) = (GlweParameters::toy(16, 64, 4, 0), 40, 400);
    let lattice = parameters.lattice_dimension() as f64;
    let (mut samples, mut weight) = (Vec::new(), 0.0);
    for key in 0..keys {
        let seed = Seed::from_bytes([key; 32]);
        let secret = SecretKey::generate(parameters, &seed);
        weight += hamming_weight(&secret) / f64::from(keys);
        let a_pk = PublicSeed::combine("noise", &[&[key]]);
        let public =
            PublicKey::expand(parameters, &a_pk, &secret.public_key(&a_pk, &seed)).unwrap();
        let mut workspace = public.workspace();
        for response in 0..responses {
            let seed = seed.derive("response", &[&i32::to_le_bytes(response)]);
            let zero = Accumulated::new(parameters, vec![0; 17 * 64]).unwrap();
            let hidden = zero.rerandomise(&public, &seed, &mut workspace);
            samples.extend(secret.phase(hidden.as_tfhe()).into_iter().map(centred));
        }
    }
    let measured = moments(samples.into_iter());
    assert!(measured.count >= 1e6);
    // v·e_pk (v² is 1/2 on average), e₁·s and e₂.
    let expected = variance(4) * (lattice / 2.0 + weight + 1.0);
    let ratio = measured.square / expected;
    assert!((0.95..1.05).contains(&ratio), "{ratio}");
    assert!(measured.largest <= noise::bound(&parameters, 0, 1).unwrap() as f64);
}

/// The whole of [`rerandomised_noise_stays_under_its_formula`]'s bound, at a real size.
#[test]
fn responses_stay_under_b() {
    let parameters = GlweParameters::new(5, 1024, 12).unwrap();
    let job = Job::new(parameters, 32, (60, 100, 8), 31);
    let product = job.clear_product();
    let norm = (0..60).map(|row| job.norm(row)).max().unwrap();
    let bound = noise::bound(&parameters, norm, job.packing.rows_per_response()).unwrap();
    let mut workspace = job.public.workspace();
    for (response, sum) in job.accumulate(1 << 20).into_iter().enumerate() {
        let seed = job.response_seed(response);
        let hidden = sum.rerandomise(&job.public, &seed, &mut workspace);
        let phases = job.secret.phase(hidden.as_tfhe());
        for (slot, phase) in phases.into_iter().enumerate() {
            let value = product.get(response * 1000 + slot).copied().unwrap_or(0);
            let value = if slot < 1000 { value } else { 0 };
            let noise = phase.wrapping_sub(u128::from(value) << 96).cast_signed();
            assert!(noise.unsigned_abs() <= bound, "{noise} {bound}");
        }
    }
}

/// Chi-square of 256 equally likely bins: 255 degrees of freedom, deviation 22.6; five of them.
fn assert_uniform(name: &str, bytes: impl Iterator<Item = u8>) {
    let (mut counts, mut total) = ([0f64; 256], 0.0);
    for byte in bytes {
        counts[usize::from(byte)] += 1.0;
        total += 1.0;
    }
    assert!(total >= 1e6, "{name}: {total} samples");
    let expected = total / 256.0;
    let chi: f64 = counts
        .iter()
        .map(|c| (c - expected).powi(2) / expected)
        .sum();
    assert!((142.0..368.0).contains(&chi), "{name}: {chi}");
}

#[test]
fn shares_are_uniform_and_off_by_one_as_often_as_the_rounding_says() {
    let parameters = GlweParameters::new(1, 8192, 16).unwrap();
    let rows = 128;
    let job = Job::new(parameters, 32, (rows, 8192, 2), 41);
    let product = job.clear_product();
    let mut workspace = job.public.workspace();
    let (mut shares, mut own, mut bodies, mut off) = (Vec::new(), Vec::new(), Vec::new(), 0.0);
    for (response, sum) in job.accumulate(1 << 24).into_iter().enumerate() {
        let seed = job.response_seed(response);
        let hidden = sum.rerandomise(&job.public, &seed, &mut workspace);
        let (masked, r) = hidden.mask(job.ring, &seed, 8192);
        bodies.extend_from_slice(masked.as_tfhe().get_body().as_ref());
        let w = job.secret.decrypt_share(&masked.round(8192));
        for (slot, (w, r)) in std::iter::zip(&w, &r).enumerate() {
            let expected = product[response * 8192 + slot];
            off += f64::from(job.ring.reduce(w.wrapping_add(*r)) != expected);
        }
        shares.extend(w);
        own.extend(r);
    }
    assert_uniform("W, low", shares.iter().map(|w| *w as u8));
    assert_uniform("W, high", shares.iter().map(|w| (w >> 24) as u8));
    assert_uniform("R, low", own.iter().map(|r| *r as u8));
    assert_uniform("R, high", own.iter().map(|r| (r >> 24) as u8));
    for shift in [0, 40, 96, 120] {
        assert_uniform("body", bodies.iter().map(|body| (body >> shift) as u8));
    }
    // The error before the shift is nearly normal: Σ s·(uniform, Δ/2^13 wide) and the body's
    // Δ/2^6. A uniform place is carried across with probability E|error|/Δ.
    let deviation = (hamming_weight(&job.secret) / 12.0).sqrt() / 8192.0;
    let mask_error = deviation * (2.0 / std::f64::consts::PI).sqrt();
    let body_error = 1.0 / 64.0 / 4.0f64;
    let rate = off / (rows * 8192) as f64;
    // Together at least the larger, at most the sum, of the two.
    assert!(rate >= 0.95 * body_error.max(mask_error), "{rate}");
    assert!(rate <= 1.05 * (body_error + mask_error), "{rate}");
}
