//! The conditions that the guarantee rests on, from formulas written down a second time, and the
//! bounds on what is uploaded, at their edges.

use s3rec_algebra::{RealMatrix, Seed, packing};
use s3rec_lattice::code::CodeBits;
use s3rec_lattice::digits::Gadget;
use s3rec_lattice::modulus;
use s3rec_lattice::polynomial::Polynomial;
use s3rec_lattice::transform::transform;

use super::guarantee::Mu;
use super::keys::times;
use super::parameters::Shape;
use super::tests::{World, terms};
use super::*;

/// Shapes of the chooser and one of six secrets, for both kinds of release.
fn all() -> Vec<Parameters> {
    let mut all = Vec::new();
    for (sides, opened, uploaded, columns, degree_bound) in [
        (Sides::One, 333, 1_234, 12, 128),
        (Sides::Two, 400, 400, 12, 100),
        (Sides::Two, 7_000, 7_000, 40, 1_000),
        (Sides::One, 90, 5_000, 1, 7),
    ] {
        let terms = Terms {
            degree_bound,
            ..terms(sides, opened, uploaded, columns)
        };
        all.push(choose(terms).unwrap());
    }
    let chosen = all[1];
    let wide = Shape {
        slots: 2,
        secrets: 6,
        gadget: Gadget::new(5, 9).unwrap(),
        key_code: CodeBits::new("", 49).unwrap(),
        ..chosen.shape()
    };
    all.push(Parameters::complete(*chosen.terms(), wide).unwrap());
    all
}

fn is_near(actual: f64, expected: f64) -> bool {
    (actual - expected).abs() <= 1e-9 * expected.abs()
}

/// log₂ of the variance of rounding to 2^`bits` units, each as likely.
fn rounding(bits: f64) -> f64 {
    (2.0 * bits).exp2() / 12.0
}

#[test]
fn the_noise_of_key_switching_and_rounding_is_that_of_the_design_page() {
    for parameters in all() {
        let terms = parameters.terms;
        let (g, modulus_bits) = (f64::from(parameters.result_bits), 50.0);
        let (places, degree) = ((2_048 / parameters.slots) as f64, 2_048.0);
        let gadget = parameters.gadget;
        let code = |code: CodeBits| f64::from(code.bits());

        // A key switch: digits uniform in 2^w values times errors of deviation 4 and the code's
        // rounding, and what the digits leave out times a ternary secret.
        let digit = rounding(f64::from(gadget.width()));
        let key = 16.0 + rounding(modulus_bits - code(parameters.key_code));
        let mut step = degree * gadget.digits() as f64 * digit * key;
        if gadget.dropped_bits() > 0 {
            step += rounding(f64::from(gadget.dropped_bits())) * degree * 2.0 / 3.0;
        }
        let deviation = (step * (places - 1.0)).sqrt();
        assert!(is_near(parameters.key_switch_deviation(), deviation));

        // Two graphs differ in the packs of one row or of two, each of n rows of C values.
        let rows = if terms.sides == Sides::One { 1.0 } else { 2.0 };
        let values = rows * places * f64::from(terms.columns);
        let sigma_units = (modulus_bits - g).exp2();
        let share = (2.0 * values).sqrt() * deviation / sigma_units;
        assert!(
            is_near(parameters.key_switch_share(), share),
            "{parameters:?}"
        );

        // σ takes what key switching leaves of μ.
        let left = terms.mu.value() - 1.5 * share;
        assert!(is_near(parameters.sigma(), terms.sensitivity() / left));

        // In units of σ = 2^(50−g): upload over twenty friends, bodies, masks times a ternary
        // secret, the public key times v of deviation 8.
        let square = 20.0 * rounding(g - code(parameters.upload_code))
            + rounding(g - code(parameters.body_code))
            + rounding(g - code(parameters.mask_code)) * degree * 2.0 / 3.0
            + rounding(g - code(parameters.public_key_code)) * degree * 64.0;
        assert!(is_near(parameters.residual(), square.sqrt()));

        // β in units, less C errors of at most 64 and half a step of the code.
        let bound = terms.row_norm_bound / parameters.sigma() * sigma_units;
        assert!(is_near(parameters.effective_bound(), bound));
        let half = (49.0 - code(parameters.upload_code)).exp2();
        let room = bound - f64::from(terms.columns).sqrt() * (64.0 + half);
        assert!(is_near(parameters.message_bound(), room));

        let sizes = parameters.sizes();
        let total = [sizes.keys, sizes.upload, sizes.masks, sizes.bodies];
        assert_eq!(sizes.total(), total.iter().sum::<usize>());
    }
}

#[test]
fn a_result_has_room_for_the_largest_sum_and_seven_deviations() {
    for sides in [Sides::One, Sides::Two] {
        for degree_bound in [1, 2, 9, 25, 249, 250, 1 << 12, 1 << 20] {
            for (row_norm_bound, mu) in [(1.0, 1.0), (0.5, 1.0), (4.0, 0.25), (1.0, 3.0)] {
                let terms = Terms {
                    degree_bound,
                    row_norm_bound,
                    mu: Mu::new(mu).unwrap(),
                    ..terms(sides, 10, 10, 4)
                };
                // Sums of degree rows of norm β in units of σ ≥ Δ/μ, Δ being β or √2·β.
                let root = if sides == Sides::One {
                    1.0
                } else {
                    2f64.sqrt()
                };
                let largest = f64::from(degree_bound) * mu / root;
                let expected = (largest + 7.0).log2().ceil() + 1.0;
                assert_eq!(terms.result_bits().map(f64::from), Some(expected.max(2.0)));
            }
        }
    }
    // 9 + 7 = 2⁴ fits exactly.
    let terms = Terms {
        degree_bound: 9,
        ..terms(Sides::One, 10, 10, 4)
    };
    assert_eq!(terms.result_bits(), Some(5));
}

#[test]
fn every_condition_refuses_what_is_just_beyond_it() {
    let refused = |parameters: Parameters, expected: &str| {
        let error = parameters.validate().unwrap_err();
        assert!(
            matches!(&error, NoiseFirstError::Refused { what, .. } if *what == expected),
            "{expected}: {error}"
        );
    };
    let code = |bits: u32| CodeBits::new("", bits).unwrap();
    for good in all() {
        good.validate().unwrap();
        for slots in [0, 1, 3, 128] {
            refused(Parameters { slots, ..good }, "s");
        }
        for secrets in [0, 7] {
            refused(Parameters { secrets, ..good }, "c");
        }
        if good.columns() > 2 {
            let (slots, secrets) = (2, 1);
            refused(
                Parameters {
                    slots,
                    secrets,
                    ..good
                },
                "s·c",
            );
        }
        if good.columns() <= 32 {
            let (slots, secrets) = (64, 1);
            refused(
                Parameters {
                    slots,
                    secrets,
                    ..good
                },
                "n·C",
            );
        }
        for result_bits in [good.result_bits - 1, good.result_bits + 1] {
            refused(
                Parameters {
                    result_bits,
                    ..good
                },
                "g",
            );
        }
        let public_key_code = code(good.result_bits + 12);
        refused(
            Parameters {
                public_key_code,
                ..good
            },
            "bits of the public key",
        );
        let key_code = code(20);
        refused(
            Parameters { key_code, ..good },
            "the share of key switching in μ",
        );
        // Less noise by a millionth spends more than μ; more noise is no fault.
        let sigma = good.sigma * (1.0 - 1e-6);
        refused(Parameters { sigma, ..good }, "μ as spent");
        for sigma in [f64::NAN, f64::INFINITY, 0.0, -good.sigma] {
            refused(Parameters { sigma, ..good }, "σ");
        }
        let body_code = code(good.result_bits);
        refused(Parameters { body_code, ..good }, "the residual of rounding");
        let sigma = good.effective_bound() * good.sigma;
        refused(
            Parameters { sigma, ..good },
            "the share of β left for a message",
        );
        // A bit less of the upload's code than keeps the rows' length.
        let short = (good.result_bits..good.upload_code.bits()).rev().map(code);
        let short = short.map(|upload_code| Parameters {
            upload_code,
            ..good
        });
        let mut short = short.filter(|parameters| parameters.residual() <= 0.05);
        if let Some(shorter) = short.find(|parameters| parameters.kept() < 0.98) {
            refused(shorter, "the share of β left for a message");
        }
    }
}

/// Rows are as long as they may be: what the upload's code takes off them is signal.
#[test]
fn rows_keep_their_length_at_every_width_and_mu() {
    for columns in [1, 2, 12, 33, 64, 160, 384] {
        for mu in [0.05, 0.1, 0.25, 0.5, 1.0, 2.0] {
            for sides in [Sides::One, Sides::Two] {
                let terms = Terms {
                    mu: Mu::new(mu).unwrap(),
                    ..terms(sides, 3_000, 3_000, columns)
                };
                let Ok(chosen) = choose(terms) else {
                    assert!(columns > 100 && mu < 0.5, "{columns} {mu}: nothing fits");
                    continue;
                };
                // By the code's half step and the largest error, written down again.
                let step = (49.0 - f64::from(chosen.upload_code.bits())).exp2();
                let lost = f64::from(columns).sqrt() * (step + 64.0) * chosen.sigma;
                let lost = lost / (50.0 - f64::from(chosen.result_bits)).exp2();
                assert!(lost <= 0.02, "{columns} {mu} {sides:?}: {lost}");
            }
        }
    }
}

#[test]
fn every_shape_has_the_values_that_the_bound_is_a_tail_over() {
    for columns in 1..=384 {
        let mut count = 0;
        for (slots, secrets) in chooser::shapes(columns) {
            assert!(slots * secrets >= columns && slots >= 2);
            assert!(2_048 / slots * columns >= 1_024, "{columns}: {slots}");
            count += 1;
        }
        assert!(count > 0, "{columns}");
    }
}

/// Key switching may take a fiftieth of μ, whatever μ is, and a public key no bit less than it needs.
#[test]
fn key_switching_has_its_share_of_any_mu() {
    for mu in [0.5, 1.0, 4.0] {
        let terms = Terms {
            mu: Mu::new(mu).unwrap(),
            ..terms(Sides::One, 90, 5_000, 1)
        };
        let good = choose(terms).unwrap();
        let mut refused = 0;
        for bits in 25..=49 {
            let key_code = CodeBits::new("", bits).unwrap();
            let share = Parameters { key_code, ..good }.key_switch_share();
            let shape = Shape {
                key_code,
                ..good.shape()
            };
            let is_refused = matches!(
                Parameters::complete(terms, shape),
                Err(NoiseFirstError::Refused { what, .. }) if what.contains("share of key switching")
            );
            assert_eq!(is_refused, 1.5 * share > 0.02 * mu, "μ = {mu}, {bits} bits");
            refused += u32::from(is_refused);
        }
        assert!((1..25).contains(&refused), "{refused}");
        let public_key_code = CodeBits::new("", good.result_bits + 13).unwrap();
        let least = Parameters {
            public_key_code,
            ..good
        }
        .validate();
        assert!(!matches!(
            least,
            Err(NoiseFirstError::Refused { what, .. }) if what.contains("public key")
        ));
    }
}

#[test]
fn terms_out_of_range_are_refused_by_both_ends() {
    let good = terms(Sides::One, 10, 10, 4);
    good.validate().unwrap();
    let chosen = choose(good).unwrap();
    let mu = |value: f64| Mu::new(value).unwrap();
    for bad in [
        Terms { opened: 0, ..good },
        Terms {
            opened: (1 << 24) + 1,
            ..good
        },
        Terms {
            uploaded: 0,
            ..good
        },
        Terms {
            uploaded: (1 << 24) + 1,
            ..good
        },
        Terms {
            uploaded: 1 << 24,
            columns: 17,
            ..good
        },
        Terms { columns: 0, ..good },
        Terms {
            columns: 385,
            ..good
        },
        Terms {
            row_norm_bound: 0.0,
            ..good
        },
        Terms {
            row_norm_bound: 2e9,
            ..good
        },
        Terms {
            row_norm_bound: f64::NAN,
            ..good
        },
        Terms {
            degree_bound: 0,
            ..good
        },
        Terms {
            degree_bound: (1 << 24) + 1,
            ..good
        },
        Terms {
            mu: mu(1e-4),
            ..good
        },
        Terms {
            mu: mu(101.0),
            ..good
        },
    ] {
        assert!(bad.validate().is_err(), "{bad:?}");
        assert!(choose(bad).is_err());
        assert!(
            Parameters {
                terms: bad,
                ..chosen
            }
            .validate()
            .is_err()
        );
    }
}

/// What P1 adds up is error and rounding too: a row whose effective norm exceeds β by them must
/// not leave.
#[test]
fn a_row_that_its_errors_lengthen_beyond_the_bound_is_not_sent() {
    let world = World::new(3, terms(Sides::One, 20, 3_000, 2));
    let (mut rows, upload) = world.upload();
    let encrypt = |parameters: Parameters, rows: &mut Rows| {
        let keys = RatingKeys::generate(&parameters, &world.seeds, &Seed::from_bytes([0; 32]));
        let keys = keys.unwrap();
        let job = keys.job(&[7; 32], &world.split, &world.opening).unwrap();
        let errors = Seed::from_bytes([99; 32]);
        let refused = Upload::encrypt(&keys, &job, rows, &errors);
        if parameters != rows.parameters {
            assert!(matches!(refused, Err(NoiseFirstError::OtherRows)));
        }
        // As if they had been encoded for these.
        rows.parameters = parameters;
        Upload::encrypt(&keys, &job, rows, &errors)
    };
    // Rows are as long as they may be, within rounding.
    let scale = world.parameters.scale();
    let mut tight = |share: f64| {
        let parameters = Parameters {
            terms: Terms {
                row_norm_bound: share,
                ..world.parameters.terms
            },
            // σ as before, so the same units.
            ..world.parameters
        };
        assert!(is_near(parameters.effective_bound(), share * scale));
        encrypt(parameters, &mut rows)
    };
    assert_eq!(tight(1.0).unwrap().bytes().len(), upload.bytes().len());
    assert!(matches!(
        tight(0.9),
        Err(NoiseFirstError::EffectiveNorm { row: 0 })
    ));

    // And it is named, in whatever group it is.
    let place = world.parameters.places() + 5;
    assert!(place < 3_000);
    let mut values = vec![0.1; 2 * 3_000];
    values[2 * place] = 0.99;
    let matrix = RealMatrix::from_vec(3_000, 2, values).unwrap();
    let mut rows = Rows::encode(&world.parameters, &matrix).unwrap();
    let parameters = Parameters {
        terms: Terms {
            row_norm_bound: 0.9,
            ..world.parameters.terms
        },
        ..world.parameters
    };
    let refused = encrypt(parameters, &mut rows);
    assert!(matches!(refused, Err(NoiseFirstError::EffectiveNorm { row }) if row == place));
}

/// Two values under one error differ by what P1 may compute.
#[test]
fn every_uploaded_value_has_an_error_of_its_own() {
    let chosen = choose(terms(Sides::Two, 600, 600, 12)).unwrap();
    let shape = Shape {
        slots: 4,
        secrets: 3,
        gadget: Gadget::new(5, 9).unwrap(),
        key_code: CodeBits::new("", 49).unwrap(),
        upload_code: CodeBits::new("", 49).unwrap(),
        ..chosen.shape()
    };
    let world = World::with(4, Parameters::complete(*chosen.terms(), shape).unwrap());
    let parameters = world.parameters;
    let (_, upload) = world.upload();
    let (columns, places) = (parameters.columns(), parameters.places());
    assert!(parameters.slots > 1 && parameters.secrets > 1 && places < 600);
    let codes = packing::unpack_u64(upload.codes(), 49, 600 * columns).unwrap();
    let encoded = Rows::encode(&parameters, &world.rows).unwrap();
    let scale = parameters.scale();
    let messages = encoded.as_encoded(&parameters).into_iter();
    let messages: Vec<_> = messages.map(|x| (x * scale).round()).collect();
    let mut errors = Vec::new();
    for user in 0..600 {
        let (group, place) = (user / places, user % places);
        let seed = binding::mask(&world.seeds, &world.opening, group as u64);
        let mut mask = Polynomial::zero();
        transform().forward(&Polynomial::uniform(&seed), &mut mask);
        for column in 0..columns {
            let (secret, slot) = (column / parameters.slots, column % parameters.slots);
            let hidden = times(&mask, &world.rating.secrets[secret]);
            let hidden = modulus::residue(hidden.centred(place + places * slot));
            let index = user * columns + column;
            let body = parameters.upload_code.decode(codes[index]);
            let effective = modulus::centred(modulus::subtract(body, hidden)) as f64;
            errors.push(effective - messages[index]);
        }
    }
    let count = errors.len() as f64;
    let variance = errors.iter().map(|e| e * e).sum::<f64>() / count;
    // Deviation 4, and a sixteenth of rounding; no value is beyond what the sampler draws.
    assert!((variance - 16.0).abs() < 1.5, "{variance}");
    assert!(errors.iter().all(|error| error.abs() <= 65.0));
    // Of independent errors about 7 in 100 agree by chance, within one for the rounding 21.
    let shifts = (1..4 * columns).chain([places * columns]);
    for shift in shifts {
        let pairs = errors.iter().zip(&errors[shift..]);
        let equal = pairs.filter(|(a, b)| (*a - *b).abs() < 1.5).count() as f64;
        let count = count - shift as f64;
        assert!(equal < 0.4 * count, "errors return after {shift}: {equal}");
    }
}
