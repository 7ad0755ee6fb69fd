//! The edges: which bytes of a stream a row takes, where a bound is met exactly, how a bit is
//! rounded, and what is refused. Every expectation is worked out a second way.

use std::ops::Range;

use s3rec_algebra::packing::unpack_u64;
use s3rec_algebra::{PublicSeed, RingBits, RingMatrix, Seed, Stream};
use serde::Deserialize;
use serde::de::value::{Error as ValueError, MapDeserializer};

use crate::public::PublicKeyMasks;
use crate::*;

fn seed(tag: u8) -> Seed {
    Seed::from_bytes([tag; 32])
}

fn masks() -> PublicSeed {
    PublicSeed::combine("edges", &[&[1]])
}

fn ring() -> RingBits {
    RingBits::new(32).unwrap()
}

fn values(rows: usize, columns: usize) -> RingMatrix {
    let mut values = vec![0; rows * columns];
    Stream::new(&seed(9)).fill_ring(ring(), &mut values);
    RingMatrix::new(ring(), rows, columns, values).unwrap()
}

fn bodies(upload: &RowBodies, size: usize) -> Vec<Vec<u128>> {
    let read = |row: usize| {
        let mut body = vec![0; size];
        let rows = [u32::try_from(row).unwrap()];
        upload.read_rows(&rows, 0..size, &mut body).unwrap();
        body
    };
    upload.rows().map(read).collect()
}

/// Rows that shared a byte of their masks or errors would tell the difference of what they hold.
#[test]
fn every_row_takes_bytes_of_its_own_and_none_is_left_out() {
    let parameters = GlweParameters::toy(2, 128, 20, 0);
    let (rows, size) = (5, parameters.polynomial_size());
    let key = parameters.lattice_dimension();

    let mut all = vec![0u128; rows * key];
    Stream::public(&masks().derive("s3rec he: upload masks", &[])).fill_u128(&mut all);
    let upload_masks = UploadMasks::new(parameters, &masks());
    let mut whole = vec![0u128; rows * key];
    Stream::public(&masks().derive("s3rec he: public key masks", &[])).fill_u128(&mut whole);
    let key_masks = PublicKeyMasks::new(&parameters, &masks());
    for row in 0..rows {
        let mut mask = vec![0; key];
        upload_masks.fill(row, 0, &mut mask);
        assert!(mask == all[row * key..(row + 1) * key], "row {row}");
        upload_masks.fill(row, 3, &mut mask[3..]);
        assert!(mask == all[row * key..(row + 1) * key], "row {row} from 3");
        key_masks.fill_row(row, &mut mask);
        assert!(mask == whole[row * key..(row + 1) * key], "A_pk, row {row}");
    }

    // Of zeros, and nothing rounded, the phase is the error alone.
    for noise_bits in [3, 20, 40] {
        let parameters = GlweParameters::toy(2, 128, noise_bits, 0);
        let secret = SecretKey::generate(parameters, &seed(1));
        let zeros = RingMatrix::new(ring(), rows, 1, vec![0; rows]).unwrap();
        let upload = secret.encrypt_rows(&zeros, &masks(), &seed(2), 0..rows);
        let mut expected = vec![0i64; rows * size];
        Stream::new(&seed(2).derive("s3rec he: upload errors", &[]))
            .fill_tuniform(noise_bits, &mut expected);
        let upload_masks = UploadMasks::new(parameters, &masks());
        for (row, body) in bodies(&upload.unwrap(), size).into_iter().enumerate() {
            let mut ciphertext = vec![0; key];
            upload_masks.fill(row, 0, &mut ciphertext);
            ciphertext.extend(body);
            let ciphertext = Accumulated::new(parameters, ciphertext).unwrap();
            let errors = secret.phase(ciphertext.as_tfhe()).into_iter();
            let errors: Vec<_> = errors.map(u128::cast_signed).collect();
            let expected = expected[row * size..(row + 1) * size].iter();
            assert!(errors.into_iter().eq(expected.map(|&e| i128::from(e))));
        }
    }
}

#[test]
fn a_row_is_the_same_from_whatever_chunk_it_comes() {
    let parameters = GlweParameters::toy(2, 128, 12, 3);
    let secret = SecretKey::generate(parameters, &seed(1));
    let values = values(6, 5);
    let all = secret
        .encrypt_rows(&values, &masks(), &seed(2), 0..6)
        .unwrap();
    let row_bytes = parameters.upload_bytes_per_row();
    for rows in [0..1, 2..5, 5..6, 3..3] {
        let expected = &all.as_bytes()[rows.start * row_bytes..rows.end * row_bytes];
        let part = secret.encrypt_rows(&values, &masks(), &seed(2), rows.clone());
        assert!(part.unwrap().as_bytes() == expected);
        let chunk: Vec<u64> = rows
            .clone()
            .flat_map(|row| values.row(row).to_vec())
            .collect();
        let chunk = RingMatrix::new(ring(), rows.len(), 5, chunk).unwrap();
        let part = secret.encrypt_chunk(&chunk, rows.start, &masks(), &seed(2));
        let part = part.unwrap();
        assert!(part.as_bytes() == expected && part.rows() == rows);
        assert!(part.into_bytes() == expected);
    }
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_encrypted() {
    let parameters = GlweParameters::toy(1, 16, 4, 0);
    let secret = SecretKey::generate(parameters, &seed(1));
    let upload = |columns: usize, rows: Range<usize>| {
        secret.encrypt_rows(&values(3, columns), &masks(), &seed(2), rows)
    };
    assert!(upload(16, 0..3).is_ok() && upload(16, 3..3).is_ok());
    for (columns, start, end) in [(17, 0, 3), (16, 0, 4), (16, 4, 4), (16, 2, 1), (16, 9, 3)] {
        let refused = upload(columns, Range { start, end });
        assert!(
            matches!(refused, Err(HeError::Shape { .. })),
            "{columns}, {start}..{end}"
        );
    }
    let wide = secret.encrypt_chunk(&values(3, 17), 0, &masks(), &seed(2));
    assert!(matches!(wide, Err(HeError::Shape { .. })));
}

/// Half a unit at most, and to the nearest: a rounding that is off would be noise that no bound
/// counts.
#[test]
fn dropped_bits_are_rounded_to_the_nearest() {
    for dropped in [1, 2, 9] {
        let [exact, rounded] = [0, dropped].map(|dropped| {
            let parameters = GlweParameters::toy(2, 128, 12, dropped);
            let secret = SecretKey::generate(parameters, &seed(1));
            let upload = secret.encrypt_rows(&values(3, 128), &masks(), &seed(2), 0..3);
            bodies(&upload.unwrap(), 128).concat()
        });
        let half = 1i128 << (dropped - 1);
        let off = std::iter::zip(exact, rounded)
            .map(|(exact, rounded)| rounded.wrapping_sub(exact).cast_signed());
        let off: Vec<_> = off.collect();
        assert!(off.iter().all(|off| (1 - half..=half).contains(off)));
        assert!(off.contains(&half) && off.iter().any(|off| *off <= 0));
    }

    let parameters = GlweParameters::toy(2, 128, 12, 0);
    let secret = SecretKey::generate(parameters, &seed(1));
    let bodies = secret.public_key(&masks(), &seed(3));
    let public = PublicKey::expand(parameters, &masks(), &bodies).unwrap();
    for ring_bits in [32, 40, 48] {
        let ring = RingBits::new(ring_bits).unwrap();
        let nothing = Accumulated::new(parameters, vec![0; 3 * 128]).unwrap();
        let hidden = nothing.rerandomise(&public, &seed(4), &mut public.workspace());
        let (masked, _) = hidden.mask(ring, &seed(4), 100);
        let (mask_bits, body_bits) = (ring_bits + 13, ring_bits + 6);
        let sent = masked.round(100).to_bytes();
        let (mask, body) = sent.split_at((256 * mask_bits as usize).div_ceil(8));
        let coefficients: &[u128] = masked.as_tfhe().as_ref();
        let mut largest = 0f64;
        for (bytes, bits, count, first) in [(mask, mask_bits, 256, 0), (body, body_bits, 100, 256)]
        {
            let kept = unpack_u64(bytes, bits, count).unwrap();
            for (&kept, &value) in std::iter::zip(&kept, &coefficients[first..]) {
                let off = (u128::from(kept) << (128 - bits))
                    .wrapping_sub(value)
                    .cast_signed();
                let half = 1i128 << (127 - bits);
                assert!((1 - half..=half).contains(&off));
                largest = largest.max(off as f64 / half as f64);
            }
        }
        assert!(largest > 0.9, "{largest}");
    }
}

#[test]
fn the_noise_bound_is_the_worst_case_of_its_parts() {
    for (dimension, size, dropped) in [(1, 8192, 0), (10, 512, 9), (320, 16, 1), (3, 2048, 20)] {
        let parameters = GlweParameters::new(dimension, size, dropped).unwrap();
        let fresh = 1u128 << parameters.noise_bits();
        let key = parameters.lattice_dimension() as u128;
        for row_norm in [0u64, 1, 1_024, u64::from(u32::MAX)] {
            for rows in [1usize, 7, 400] {
                // Each of L·p units of weight brings a fresh error and half of what was dropped;
                // a zero encryption brings e₂, and κN times e₁·s and e·v.
                let units = u128::from(row_norm) * rows as u128;
                let halves = if dropped == 0 {
                    0
                } else {
                    (units << dropped) / 2
                };
                let expected = units * fresh + halves + fresh + 2 * key * fresh;
                assert_eq!(noise::bound(&parameters, row_norm, rows), Some(expected));
            }
        }
        assert_eq!(noise::bound(&parameters, u64::MAX, usize::MAX), None);
    }
}

#[test]
fn privacy_is_asked_for_to_the_last_bit() {
    for ring_bits in [32u32, 41, 48] {
        let ring = RingBits::new(ring_bits).unwrap();
        let delta = 1u128 << (128 - ring_bits);
        for log in [0u32, 1, 17, 39, 40, 41, 55, 79, 80, 96, 100, 127] {
            for bound in [(1u128 << log) - 1, 1 << log, (1 << log) + 1] {
                for opened in [0u64, 1, 3, 1 << 20, (1 << 20) + 1] {
                    // The most bits s with B·n·2^s ≤ Δ.
                    let exposed = bound.checked_mul(u128::from(opened));
                    let fits = |bits: &u32| {
                        exposed
                            .and_then(|exposed| exposed.max(1).checked_mul(1u128 << bits))
                            .is_some_and(|exposed| exposed <= delta)
                    };
                    let most = (0..=96).take_while(fits).last().unwrap_or(0);
                    let actual = noise::statistical_bits(ring, bound, opened);
                    assert_eq!(actual, most, "B {bound}, n {opened}, ℓ {ring_bits}");
                    let is_private = noise::is_private(ring, bound, opened);
                    assert_eq!(is_private, exposed == Some(0) || fits(&40));
                }
            }
        }
    }
}

#[test]
fn correctness_ends_where_the_error_reaches_one_unit() {
    for (dimension, size) in [(1, 8192), (10, 512), (2, 4096), (320, 16)] {
        let parameters = GlweParameters::new(dimension, size, 0).unwrap();
        let key = parameters.lattice_dimension() as u128;
        for ring_bits in [32u32, 40, 48] {
            let ring = RingBits::new(ring_bits).unwrap();
            let delta = 1u128 << (128 - ring_bits);
            // κN·Δ/2^14 + Δ/2^7 + B < Δ.
            let most = delta - key * (delta >> 14) - (delta >> 7) - 1;
            for allowed in [0, 1, most - 1, most] {
                assert!(noise::is_correct(&parameters, ring, allowed));
            }
            for beyond in [most + 1, most + 2, delta, u128::MAX] {
                assert!(!noise::is_correct(&parameters, ring, beyond));
            }
            let bound = noise::bound(&parameters, 64, 1).unwrap();
            for opened in [1, 1 << 20, 1 << 60] {
                let both = noise::is_private(ring, bound, opened) && bound <= most;
                assert_eq!(noise::permits(&parameters, ring, 64, 1, opened), both);
            }
        }
    }
}

/// Parameters that a file or a peer names are those that the noise table gives, or refused.
#[test]
fn parameters_that_were_written_down_are_checked_when_read() {
    let read = |noise_bits: u32| {
        let fields = [
            ("polynomial_size", 512u64),
            ("dimension", 10),
            ("noise_bits", noise_bits.into()),
            ("dropped_body_bits", 9),
        ];
        GlweParameters::deserialize(MapDeserializer::<_, ValueError>::new(fields.into_iter()))
    };
    let expected = GlweParameters::new(10, 512, 9).unwrap();
    let noise_bits = expected.noise_bits();
    assert_eq!(read(noise_bits).unwrap(), expected);
    for wrong in [0, noise_bits - 1, noise_bits + 1] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
    for (dimension, size, bits) in [(10, 512, 135), (3, 2048, 164), (1, 8192, 225)] {
        let parameters = GlweParameters::new(dimension, size, 0).unwrap();
        assert_eq!(parameters.security_bits(), bits);
    }
}

#[test]
fn sparse_rows_are_empty_when_they_have_no_row() {
    let none = SparseRows::new(&[0], &[], &[], 1).unwrap();
    assert!(none.is_empty());
    let one = SparseRows::new(&[0, 0], &[], &[], 1).unwrap();
    assert!(!one.is_empty() && one.len() == 1);
}
