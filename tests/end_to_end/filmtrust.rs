//! The demonstration on FilmTrust, the published operator included.

use s3rec_job::RunReport;
use s3rec_tests::command::run;
use s3rec_tests::data::Files;

/// The demonstration's report on the published files.
fn demonstrated(files: &Files, options: &str) -> RunReport {
    let temporary = tempfile::tempdir().unwrap();
    let (ratings, links) = (files.ratings.to_str(), files.links.to_str());
    let mut arguments = vec!["demo", "--json", "--ratings", ratings.unwrap()];
    arguments.extend(["--links", links.unwrap()]);
    arguments.extend(options.split_whitespace());
    serde_json::from_value(run(temporary.path(), &arguments).json()).unwrap()
}

#[test]
fn filmtrust_is_learnt_as_in_the_clear() {
    let Some(files) = Files::filmtrust() else {
        return;
    };
    for operator in ["normalized-laplacian", "laplacian"] {
        let report = demonstrated(
            &files,
            &format!("--protocol he --solver gd --rounds 3 --operator {operator}"),
        );
        // The counts of ../shared/data/README.md.
        let data = &report.dataset;
        assert_eq!(
            (data.users, data.items, data.ratings),
            (1_508, 2_071, 35_494)
        );
        assert_eq!((data.links, data.common_users), (Some(1_853), 740));
        assert_eq!(report.opened_values, 740 * 10 * 3);
        assert!(report.max_abs_factor_diff.unwrap() <= 1e-3, "{report:?}");
        let (secure, plaintext) = (
            report.quality.secure.unwrap(),
            report.quality.plaintext.unwrap(),
        );
        assert!((secure.rmse - plaintext.rmse).abs() <= 5e-4, "{report:?}");
        let online = &report.cost.online;
        let a_round = (online.bytes_to_social + online.bytes_to_rating) / 3;
        assert!(a_round <= 5_000_000, "{a_round} bytes a round");
    }
}

/// What the manual says of all three published sets, on the one that is small.
#[test]
fn a_preset_over_a_stock_has_the_oracles_metrics_to_four_decimals() {
    let Some(files) = Files::filmtrust() else {
        return;
    };
    let report = demonstrated(&files, "--preset filmtrust");
    assert_eq!(
        (report.protocol.as_str(), report.solver.as_str()),
        ("preprocessed", "als")
    );
    assert_eq!((report.rounds, report.openings), (5, 5));
    let parity = report.parity.unwrap();
    assert!(parity.rmse_diff.abs() < 5e-6, "{report:?}");
    assert!(parity.mae_diff.abs() < 5e-6, "{report:?}");
    assert!(parity.max_abs_factor_diff < 1e-3, "{report:?}");
    let bound = report.product_error_bound.unwrap();
    // From what is stated of the links, with room: wider than from the links themselves.
    assert!(bound > 0.0 && bound < 2e-3, "{report:?}");
    assert_eq!(report.saturations, 0);
    let quality = &report.quality;
    assert!(
        quality.secure.unwrap().rmse < quality.biases.rmse,
        "{report:?}"
    );
}

/// SocialMF over rows that the social platform fetches privately.
#[test]
fn filmtrust_is_fetched_privately_and_learnt_as_in_the_clear() {
    let Some(files) = Files::filmtrust() else {
        return;
    };
    let report = demonstrated(
        &files,
        "--protocol he-pir --operator out-average --pattern active-rows --solver gd --rounds 2",
    );
    assert_eq!(report.protocol, "he-pir");
    // 522 of the 740 common users trust one of them.
    assert_eq!(report.dataset.common_users, 740);
    assert_eq!(report.opened_values, 522 * 10 * 2);
    assert!(report.max_abs_factor_diff.unwrap() <= 1e-3, "{report:?}");
    // Keys and queries go up once, before the first round.
    assert!(
        report.cost.offline.bytes_to_rating > 1_200_000,
        "{report:?}"
    );
}
