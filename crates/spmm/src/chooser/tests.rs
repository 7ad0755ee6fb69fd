//! What is chosen for which request.

use super::*;
use s3rec_sparse::StatedBounds;

/// FilmTrust as the demonstration runs it: 740 common users, 20 rounds of 10 columns.
fn filmtrust(operator: OperatorKind) -> ProductRequest {
    let (row_norm_bound, nonzeros_bound) = match operator {
        OperatorKind::Laplacian => (256, 4096),
        OperatorKind::Friends => (64, 4096),
        OperatorKind::NormalizedLaplacian | OperatorKind::OutAverage => (6144, 4096),
    };
    ProductRequest {
        row_norm_bound,
        nonzeros_bound,
        ..ProductRequest::new(Protocol::He, operator, 740, 10, 20)
    }
}

#[test]
fn filmtrust_stays_under_its_budget() {
    for operator in [OperatorKind::Laplacian, OperatorKind::NormalizedLaplacian] {
        let parameters = choose_parameters(&filmtrust(operator)).unwrap();
        let round = cost::predict(&parameters).unwrap().round;
        assert!(
            round.bytes() <= 3_500_000,
            "{} bytes: {parameters:?}",
            round.bytes()
        );
        assert!(
            round.rating_seconds + round.social_seconds < 1.0,
            "{round:?}"
        );
        assert!(parameters.statistical_bits().unwrap() >= 40);
        assert!(parameters.security_bits() >= 132);
        assert!(parameters.scale_bits >= 10);
    }
}

#[test]
fn what_is_chosen_is_valid_and_could_not_drop_more() {
    let parameters = choose_parameters(&filmtrust(OperatorKind::NormalizedLaplacian)).unwrap();
    parameters.validate().unwrap();
    let more = ProductParameters {
        dropped_body_bits: parameters.dropped_body_bits + 1,
        ..parameters
    };
    assert!(more.validate().is_err());
}

#[test]
fn many_columns_take_one_full_ciphertext() {
    let request = ProductRequest {
        row_norm_bound: 6144,
        nonzeros_bound: 1 << 20,
        ..ProductRequest::new(
            Protocol::Preprocessed,
            OperatorKind::Laplacian,
            49_288,
            10,
            819,
        )
    };
    let parameters = choose_parameters(&request).unwrap();
    assert_eq!(
        (parameters.polynomial_size, parameters.glwe_dimension),
        (8192, 1)
    );
    assert_eq!(parameters.layout().unwrap().rows_per_response, 1);
    let offline = cost::predict(&parameters).unwrap().offline;
    let per_value = offline.bytes() as f64 / (49_288.0 * 8190.0);
    assert!(per_value <= 26.0, "{per_value} bytes a value");
}

#[test]
fn a_hundred_columns_stay_under_150_bytes_a_value() {
    let request = ProductRequest {
        row_norm_bound: 256,
        nonzeros_bound: 4096,
        ..ProductRequest::new(
            Protocol::Preprocessed,
            OperatorKind::Laplacian,
            1508,
            10,
            10,
        )
    };
    let offline = cost::predict(&choose_parameters(&request).unwrap())
        .unwrap()
        .offline;
    let per_value = offline.bytes() as f64 / (1508.0 * 100.0);
    assert!(per_value <= 150.0, "{per_value} bytes a value");
}

#[test]
fn refusals_say_what_to_change() {
    let mut request = filmtrust(OperatorKind::Laplacian);
    request.saturation_bound = 1e15;
    let error = choose_parameters(&request).unwrap_err();
    assert!(
        matches!(error, SpmmError::Overflow { ring_bits: 48, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("lower u_max"), "{error}");

    // A wide ring leaves the noise no room for so many values.
    let mut request = filmtrust(OperatorKind::Laplacian);
    request.row_norm_bound = 1 << 30;
    (request.users, request.uploaded_rows, request.returned_rows) = (1 << 24, 1 << 24, 1 << 24);
    (request.columns, request.rounds) = (512, 1 << 16);
    let error = choose_parameters(&request).unwrap_err();
    assert!(
        matches!(&error, SpmmError::NothingFits { closest, .. } if matches!(**closest, SpmmError::NoiseShows { .. })),
        "{error}"
    );
}

/// Such a u_max made every factor zero, and nobody was told.
#[test]
fn a_bound_below_one_unit_is_refused_with_the_least() {
    let mut request = filmtrust(OperatorKind::Laplacian);
    let unit = (-16f64).exp2();
    request.saturation_bound = unit;
    let least = choose_parameters(&request).unwrap();
    assert_eq!(least.scale_bits, 16);
    for saturation_bound in [unit / 2.0, 1e-9] {
        request.saturation_bound = saturation_bound;
        let error = choose_parameters(&request).unwrap_err();
        assert!(
            matches!(error, SpmmError::BelowUnit { saturation_bound: found, scale_bits: 16 }
                if found == saturation_bound),
            "{error}"
        );
        assert!(error.to_string().contains("at least 2^-16"), "{error}");
        // Nor does a peer get past the check with parameters of its own making.
        let mut forged = least.clone();
        forged.saturation_bound = saturation_bound;
        let error = forged.validate().unwrap_err();
        assert!(matches!(error, SpmmError::BelowUnit { .. }), "{error}");
    }
}

/// What operators would state of FilmTrust, Ciao and Epinions, and what the configuration states
/// of the first two where they state nothing.
#[test]
fn parameters_are_found_for_what_is_stated_of_real_data() {
    for (users, degree, links) in [
        (1508, 128, 4096),
        (1508, 1024, 16 * 1642),
        (7317, 1024, 131_072),
        (49_288, 4096, 1 << 20),
    ] {
        let stated = StatedBounds { degree, links };
        for operator in [
            OperatorKind::Laplacian,
            OperatorKind::NormalizedLaplacian,
            OperatorKind::OutAverage,
        ] {
            let bounds = stated.bounds(operator, users);
            for (protocol, rounds) in [(Protocol::Preprocessed, 20), (Protocol::He, 3)] {
                let request = ProductRequest {
                    row_norm_bound: bounds.row_norm,
                    nonzeros_bound: bounds.nonzeros,
                    ..ProductRequest::new(protocol, operator, users, 11, rounds)
                };
                let parameters = choose_parameters(&request).unwrap();
                assert!(parameters.ring_bits <= 36, "{parameters:?}");
                assert!(parameters.scale_bits >= 10, "{parameters:?}");
            }
        }
    }
}

#[test]
fn noise_does_not_go_with_an_exact_list_of_who_has_links() {
    for pattern in [
        PatternPolicy::ActiveRows,
        PatternPolicy::ActiveRowsAndColumns,
    ] {
        let noised = |pattern| ProductRequest {
            pattern,
            release: ReleasePolicy::Noised {
                sigma: 4.0,
                row_norm_beta: 1.0,
                delta: 1e-6,
            },
            ..filmtrust(OperatorKind::Laplacian)
        };
        choose_parameters(&noised(PatternPolicy::Nothing)).unwrap();
        let refused = choose_parameters(&noised(pattern)).unwrap_err();
        assert!(refused.to_string().contains("noised"), "{refused}");
    }
}

#[test]
fn the_ring_grows_until_the_fraction_fits() {
    let mut request = filmtrust(OperatorKind::NormalizedLaplacian);
    request.least_scale_bits = 16;
    let parameters = choose_parameters(&request).unwrap();
    assert!(parameters.ring_bits > 32);
    assert_eq!(parameters.scale_bits, 16);
}

/// What an approval, a stock and a session are bound to: no field is left out of the name.
#[test]
fn the_digest_of_parameters_names_every_field() {
    let good = choose_parameters(&filmtrust(OperatorKind::Laplacian)).unwrap();
    fn noised(sigma: f64, row_norm_beta: f64, delta: f64) -> ReleasePolicy {
        ReleasePolicy::Noised {
            sigma,
            row_norm_beta,
            delta,
        }
    }
    let changes: [fn(&mut ProductParameters); 29] = [
        |_| {},
        |p| p.protocol = Protocol::HePir,
        |p| p.protocol = Protocol::Preprocessed,
        |p| p.protocol = Protocol::PreprocessedPir,
        |p| p.operator = OperatorKind::OutAverage,
        |p| p.operator = OperatorKind::NormalizedLaplacian,
        |p| p.pattern = PatternPolicy::ActiveRows,
        |p| p.pattern = PatternPolicy::ActiveRowsAndColumns,
        |p| p.release = ReleasePolicy::Coarse { released_bits: 20 },
        |p| p.release = ReleasePolicy::Coarse { released_bits: 21 },
        |p| p.release = noised(1.0, 2.0, 3.0),
        |p| p.release = noised(2.0, 1.0, 3.0),
        |p| p.release = noised(1.0, 3.0, 2.0),
        |p| p.users += 1,
        |p| p.uploaded_rows += 1,
        |p| p.returned_rows += 1,
        |p| p.fetched_rows_bound += 1,
        |p| p.columns += 1,
        |p| p.rounds += 1,
        |p| p.ring_bits += 1,
        |p| p.scale_bits += 1,
        |p| p.guard_bits += 1,
        |p| p.saturation_bound += 1.0,
        |p| p.row_norm_bound += 1,
        |p| p.nonzeros_bound += 1,
        |p| p.glwe_dimension += 1,
        |p| p.polynomial_size += 1,
        |p| p.noise_bits += 1,
        |p| p.dropped_body_bits += 1,
    ];
    let digests: std::collections::BTreeSet<[u8; 32]> = changes
        .iter()
        .map(|change| {
            let mut changed = good.clone();
            change(&mut changed);
            changed.digest()
        })
        .collect();
    assert_eq!(digests.len(), changes.len());
}

/// The privacy inequality at its very edge: 2^-40 is allowed, the next step is not.
#[test]
fn forty_bits_are_enough_and_thirty_nine_are_not() {
    let mut parameters = choose_parameters(&filmtrust(OperatorKind::Laplacian)).unwrap();
    parameters.dropped_body_bits = 0;
    let bits = |parameters: &ProductParameters| parameters.statistical_bits().unwrap();
    // Twice as many values leave one bit less.
    let double = |p: &mut ProductParameters| {
        if p.rounds <= 1 << 15 {
            p.rounds *= 2;
        } else {
            (p.users, p.uploaded_rows, p.returned_rows) = (2 * p.users, 2 * p.users, 2 * p.users);
        }
    };
    while bits(&parameters) > crate::STATISTICAL_BITS {
        double(&mut parameters);
    }
    assert_eq!(bits(&parameters), crate::STATISTICAL_BITS);
    parameters.validate().unwrap();
    double(&mut parameters);
    assert!(matches!(
        parameters.validate(),
        Err(SpmmError::NoiseShows {
            available_bits: 39,
            required_bits: 40
        })
    ));
}

#[test]
fn sizes_beyond_what_is_computed_with_are_refused() {
    let good = choose_parameters(&filmtrust(OperatorKind::Laplacian)).unwrap();
    let refused = |change: fn(&mut ProductParameters)| {
        let mut bad = good.clone();
        change(&mut bad);
        matches!(bad.validate(), Err(SpmmError::OutOfRange { .. }))
    };
    assert!(!refused(|_| {}));
    for change in [
        (|p| p.users = 0) as fn(&mut ProductParameters),
        |p| p.uploaded_rows = p.users + 1,
        |p| p.returned_rows = p.users + 1,
        |p| p.ring_bits = 49,
        |p| p.scale_bits = 17,
        |p| p.guard_bits = 9,
        |p| p.nonzeros_bound = (1 << 40) + 1,
        |p| p.fetched_rows_bound = 1,
        |p| p.columns = 513,
        |p| p.rounds = 0,
        |p| p.rounds = (1 << 16) + 1,
    ] {
        assert!(refused(change));
    }
}

#[test]
fn validation_refuses_what_a_peer_could_try() {
    let good = choose_parameters(&filmtrust(OperatorKind::Laplacian)).unwrap();
    let refused = |change: fn(&mut ProductParameters)| {
        let mut bad = good.clone();
        change(&mut bad);
        bad.validate().unwrap_err()
    };
    assert!(matches!(
        refused(|p| p.row_norm_bound = 1 << 40),
        SpmmError::Overflow { .. }
    ));
    assert!(matches!(
        refused(|p| p.saturation_bound = f64::NAN),
        SpmmError::NotPositive { .. }
    ));
    assert!(matches!(
        refused(|p| p.noise_bits = 3),
        SpmmError::OutOfRange { .. }
    ));
    assert!(matches!(
        refused(|p| p.columns = 0),
        SpmmError::OutOfRange { .. }
    ));
    assert!(matches!(
        refused(|p| p.columns = u32::MAX),
        SpmmError::OutOfRange { .. }
    ));
    assert!(matches!(
        refused(|p| p.rounds = u32::MAX),
        SpmmError::OutOfRange { .. }
    ));
    assert!(matches!(
        refused(|p| p.users = u32::MAX),
        SpmmError::OutOfRange { .. }
    ));
    assert!(matches!(
        refused(|p| p.returned_rows = 1),
        SpmmError::Shape { .. }
    ));
    assert!(matches!(
        refused(|p| p.glwe_dimension = 1),
        SpmmError::He(_)
    ));
    assert!(matches!(
        refused(|p| p.polynomial_size = 3),
        SpmmError::OutOfRange { .. } | SpmmError::He(_)
    ));
    assert!(matches!(
        refused(|p| p.ring_bits = 31),
        SpmmError::OutOfRange { .. }
    ));
    assert!(matches!(
        refused(|p| p.scale_bits = 9),
        SpmmError::OutOfRange { .. }
    ));
}
