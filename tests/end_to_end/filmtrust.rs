//! The demonstration on FilmTrust, the published operator included.

use s3rec_tests::command::run;
use s3rec_tests::data::Files;
use s3rec_train::RunReport;

#[test]
fn filmtrust_is_learnt_as_in_the_clear() {
    let Some(files) = Files::filmtrust() else {
        return;
    };
    let temporary = tempfile::tempdir().unwrap();
    for operator in ["normalized-laplacian", "laplacian"] {
        let arguments = [
            "demo",
            "--json",
            "--protocol",
            "he",
            "--solver",
            "gd",
            "--rounds",
            "3",
            "--operator",
            operator,
            "--ratings",
            files.ratings.to_str().unwrap(),
            "--links",
            files.links.to_str().unwrap(),
        ];
        let report: RunReport =
            serde_json::from_value(run(temporary.path(), &arguments).json()).unwrap();
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
