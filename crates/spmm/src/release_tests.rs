//! What is said to be spent, against formulas written down a second time and a search over α: an
//! account that reads too low is a promise broken.

use std::f64::consts::SQRT_2;

use s3rec_algebra::{Seed, Stream};

use crate::he::randomness_tests::parameters;
use crate::release::{self, Release};
use crate::{OperatorKind, ProductParameters, Protocol, ReleasePolicy, SpmmError};

fn is_near(actual: f64, expected: f64) -> bool {
    (actual - expected).abs() <= 1e-9 * expected.abs()
}

#[test]
fn sensitivities_are_those_of_section_6() {
    for beta in [0.25, 1.0, 3.0] {
        for bound in [0, 1_000, 1_024, 1_025, 1_124, 3_000] {
            let laplacian = release::sensitivity(OperatorKind::Laplacian, bound, beta);
            assert!(is_near(laplacian, 8f64.sqrt() * beta));
            let average = release::sensitivity(OperatorKind::OutAverage, bound, beta);
            assert!(is_near(average, 1.01 * beta));
        }
        // 2·√2 + 2^-10·(√2·(n + 1) + 2·√n) for n = L − 2^10 non-zeros beside the diagonal.
        for (bound, expected) in [
            (0, 2.829_808_192_678_195),
            (1_024, 2.829_808_192_678_195),
            (1_025, 2.833_142_385_610_2),
            (1_124, 2.987_446_235_878_693),
            (3_000, 5.645_619_171_518_828),
        ] {
            let kind = OperatorKind::NormalizedLaplacian;
            let actual = release::sensitivity(kind, bound, beta);
            assert!(is_near(actual, expected * beta), "{bound}: {actual}");
        }
    }
}

#[test]
fn openings_add_up_and_noise_counts_by_its_square() {
    // ρ = openings·Δ²/(2σ²).
    for (openings, sensitivity, sigma, expected) in [
        (0, 2.0, 4.0, 0.0),
        (1, 2.0, 4.0, 0.125),
        (3, 2.0, 4.0, 0.375),
        (3, 4.0, 4.0, 1.5),
        (3, 4.0, 1.0, 24.0),
        (200, SQRT_2, 10.0, 2.0),
    ] {
        let rho = release::zcdp(openings, sensitivity, sigma);
        assert!((rho - expected).abs() < 1e-12, "{rho}, not {expected}");
    }
}

/// The bound at one α, as in proposition 12 of Canonne, Kamath and Steinke (2020).
fn at(alpha: f64, rho: f64, delta: f64) -> f64 {
    alpha * rho - (delta.ln() + alpha.ln()) / (alpha - 1.0) + ((alpha - 1.0) / alpha).ln()
}

#[test]
fn epsilon_is_the_least_over_every_alpha() {
    for rho in [1e-6, 1e-3, 0.02, 0.5, 3.0, 16.0, 400.0] {
        for delta in [1e-12, 1e-6, 1e-3, 0.1] {
            let actual = release::epsilon(rho, delta);
            // From 1 + e^-12 to 1 + e^20 in steps of 1/500 of the logarithm.
            let searched = (-6_000..10_000)
                .map(|step| at(1.0 + (f64::from(step) / 500.0).exp(), rho, delta))
                .fold(f64::INFINITY, f64::min)
                .max(0.0);
            assert!(actual >= 0.0 && actual <= searched * (1.0 + 1e-9) + 1e-12);
            // The grid is that fine; nothing is promised that no α gives.
            assert!(
                (searched - actual).abs() <= 1e-4 * searched + 1e-9,
                "ρ = {rho}, δ = {delta}: {actual}, the search {searched}"
            );
        }
    }
    // A δ near one costs nothing, and never less than that.
    assert_eq!(release::epsilon(1e-6, 0.999), 0.0);
}

#[test]
fn a_job_spends_what_all_its_openings_cost_and_only_with_noise() {
    let (sigma, row_norm_beta, delta) = (40.0, 0.5, 1e-6);
    let noised = ReleasePolicy::Noised {
        sigma,
        row_norm_beta,
        delta,
    };
    for protocol in [Protocol::He, Protocol::Preprocessed] {
        let parameters = parameters(protocol, noised);
        let (rho, epsilon) = release::spent(&parameters).unwrap();
        // Δ = √8·β: ρ = openings·8·β²/(2·σ²).
        let openings = f64::from(parameters.rounds);
        assert!(openings > 1.0);
        assert!(is_near(rho, openings * 8.0 * 0.25 / (2.0 * 1_600.0)));
        assert!(is_near(epsilon, release::epsilon(rho, delta)) && epsilon > rho);
    }
    let exact = parameters(Protocol::Preprocessed, ReleasePolicy::Exact);
    assert_eq!(release::spent(&exact), None);
    let coarse = ReleasePolicy::Coarse { released_bits: 20 };
    let coarse = parameters(Protocol::Preprocessed, coarse);
    assert_eq!(release::spent(&coarse), None);
}

/// σ in ring units, the room it takes, and the least that is refused, from powers of two alone.
#[test]
fn noise_is_what_was_agreed_on_and_has_exactly_its_room() {
    let policy = |sigma| ReleasePolicy::Noised {
        sigma,
        row_norm_beta: 1.0,
        delta: 1e-6,
    };
    // Weights of the normalised operator have 10 fractional bits.
    let (kind, weight_bits) = (OperatorKind::NormalizedLaplacian, 10u32);
    let base = ProductParameters {
        operator: kind,
        ..parameters(Protocol::Preprocessed, policy(2.0))
    };
    assert_eq!(base.weight_bits(), weight_bits);
    for (scale_bits, guard_bits, bound_log) in [(3u32, 0u32, 4u32), (5, 2, 6), (2, 1, 0)] {
        for sigma_log in [0i32, 1, 4] {
            for ring_bits in [36u32, 40, 47] {
                let sigma = f64::from(sigma_log).exp2();
                let units = sigma * f64::from(scale_bits + weight_bits).exp2();
                // L·u_max·2^f_u + 12·σ in ring units must stay below 2^(ℓ−1−guard).
                let left = f64::from(ring_bits - 1 - guard_bits).exp2() - 12.0 * units;
                let most = left / f64::from(bound_log + scale_bits).exp2();
                assert!(most > 1.0);
                let of = |saturation_bound: f64| {
                    Release::of(&ProductParameters {
                        release: policy(sigma),
                        scale_bits,
                        guard_bits,
                        ring_bits,
                        saturation_bound,
                        row_norm_bound: 1 << bound_log,
                        ..base.clone()
                    })
                };
                let noise = Release::Noised {
                    sigma: 1 << (scale_bits + weight_bits + sigma_log.unsigned_abs()),
                    guard_bits,
                };
                for roomy in [0.0, 1.0, most.next_down()] {
                    assert_eq!(of(roomy).unwrap(), noise, "{roomy} of {most}");
                }
                for tight in [most, most.next_up(), 2.0 * most] {
                    let refused = of(tight).unwrap_err();
                    assert!(matches!(refused, SpmmError::NoiseRoom { .. }), "{tight}");
                }
            }
        }
    }
}

/// What is released of a value, and that noise is added to each: no two values share it, and none
/// is spared.
#[test]
fn noise_falls_on_every_value_above_the_guard_bits() {
    let guard_bits = 3;
    let noised = Release::Noised {
        sigma: 1 << 20,
        guard_bits,
    };
    assert_eq!(noised.released_bits(40), 40);
    assert_eq!(Release::Exact.released_bits(40), 40);
    assert_eq!(Release::Coarse { dropped_bits: 9 }.released_bits(40), 31);
    let draw = |seed: u8| {
        let mut values = vec![5u64; 64];
        noised.add_noise(&mut values, &mut Stream::new(&Seed::from_bytes([seed; 32])));
        values
    };
    let values = draw(1);
    assert_eq!(values, draw(1));
    assert_ne!(values, draw(2));
    let mut noise: Vec<_> = values.iter().map(|value| value.wrapping_sub(5)).collect();
    assert!(noise.iter().all(|noise| noise % (1 << guard_bits) == 0));
    assert!(noise.iter().any(|noise| noise % (2 << guard_bits) != 0));
    noise.sort_unstable();
    noise.dedup();
    assert_eq!(noise.len(), 64, "two values share their noise");
    for silent in [Release::Exact, Release::Coarse { dropped_bits: 9 }] {
        let mut values = [5u64; 64];
        silent.add_noise(&mut values, &mut Stream::new(&Seed::from_bytes([1; 32])));
        assert_eq!(values, [5; 64]);
    }
}

/// Sampled frequencies against those of the discrete Gaussian for the smallest deviations too:
/// there its integers meet their edges.
#[test]
fn small_noise_follows_the_discrete_gaussian() {
    for sigma in [1u64, 2, 7] {
        let noised = Release::Noised {
            sigma,
            guard_bits: 0,
        };
        let samples = 60_000;
        let mut values = vec![0u64; samples];
        noised.add_noise(&mut values, &mut Stream::new(&Seed::from_bytes([9; 32])));
        let reach = 3 * sigma.cast_signed();
        let density = |x: i64| (-((x * x) as f64) / (2.0 * (sigma * sigma) as f64)).exp();
        let total: f64 = (-40 * reach..=40 * reach).map(density).sum();
        let mut chi_square = 0.0;
        for x in -reach..=reach {
            let expected = samples as f64 * density(x) / total;
            let actual = values.iter().filter(|&&value| value.cast_signed() == x);
            chi_square += (actual.count() as f64 - expected).powi(2) / expected;
        }
        // At most 43 cells: the 1 − 10^-6 quantile of χ²(43) is 102, of χ²(7) it is 42.
        let most = if sigma == 7 { 102.0 } else { 56.0 };
        assert!(chi_square < most, "σ = {sigma}: {chi_square}");
    }
}

/// n of the privacy inequality: what it leaves out would not be hidden.
#[test]
fn every_value_that_is_ever_returned_counts() {
    let he = parameters(Protocol::He, ReleasePolicy::Exact);
    assert_eq!((he.returned_rows, he.columns, he.rounds), (400, 10, 4));
    assert_eq!(he.returned_values().unwrap(), 16_000);
    let fewer = ProductParameters {
        returned_rows: 7,
        ..he
    };
    assert_eq!(fewer.returned_values().unwrap(), 280);
    // Whole blocks of a stock are answered, used or not.
    let stock = parameters(Protocol::Preprocessed, ReleasePolicy::Exact);
    let layout = stock.layout().unwrap();
    assert!(layout.block_columns * layout.blocks >= 40);
    let expected = u64::from(400 * layout.block_columns * layout.blocks);
    assert_eq!(stock.returned_values().unwrap(), expected);
}
