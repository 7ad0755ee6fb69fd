//! `s3rec evaluate` and `tune` on files as people have them: nothing is dropped unseen, folds and
//! settings are the same when read back.

use std::path::Path;

use s3rec_tests::command::{Run, run};
use s3rec_tests::data::Files;
use serde_json::Value;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn s3rec(verb: &str, files: &Files, more: &[&str]) -> Run {
    let temporary = tempfile::tempdir().unwrap();
    let files = [
        "--ratings",
        text(&files.ratings),
        "--links",
        text(&files.links),
    ];
    run(temporary.path(), &[&[verb], &files[..], more].concat())
}

fn evaluate(files: &Files, more: &[&str]) -> Value {
    let folds = ["--folds", "2", "--json"];
    s3rec("evaluate", files, &[more, &folds].concat()).json()
}

/// The small set with every rating put through `map`.
fn mapped(directory: &Path, map: impl Fn(f64) -> f64) -> Files {
    let files = Files::small(directory);
    let rows = std::fs::read_to_string(&files.ratings).unwrap();
    let rows: String = rows
        .lines()
        .map(|row| {
            let (ids, rating) = row.rsplit_once('\t').unwrap();
            format!("{ids}\t{}\n", map(rating.parse().unwrap()))
        })
        .collect();
    std::fs::write(&files.ratings, rows).unwrap();
    files
}

#[test]
fn every_preset_uses_every_rating_of_a_five_star_set() {
    let directory = tempfile::tempdir().unwrap();
    let files = mapped(directory.path(), |r| r.round().clamp(1.0, 5.0));
    let rows = std::fs::read_to_string(&files.ratings)
        .unwrap()
        .lines()
        .count();
    for preset in [&[][..], &["--preset", "filmtrust"]] {
        let report = evaluate(&files, preset);
        let data = &report["data"];
        assert_eq!(data["rows"], rows);
        assert_eq!(data["used"], rows, "{data}");
        assert_eq!(data["dropped"], 0);
        assert_eq!(data["dropped_share"], 0.0);
        for model in ["global_mean", "biases", "no_social", "placebo", "social"] {
            let quality = &report["quality"][model];
            assert!(quality["rmse"]["mean"].as_f64().unwrap() > 0.0, "{model}");
            assert!(quality["mae"]["std"].is_f64(), "{model}");
        }
        for figure in ["rmse", "mae"] {
            for end in ["mean", "low", "high"] {
                assert!(
                    report["social_gain"][figure][end].is_f64(),
                    "{figure}.{end}"
                );
            }
        }
        assert!(report["social_gain"]["ndcg_10"].is_null());
        assert!(report["warnings"].is_array());
    }
}

#[test]
fn more_than_one_percent_is_not_dropped_unasked() {
    let directory = tempfile::tempdir().unwrap();
    let files = mapped(directory.path(), |r| r.round().clamp(1.0, 5.0));
    for verb in ["evaluate", "tune"] {
        let refused = s3rec(verb, &files, &["--scale", "1:4", "--json"]);
        assert_ne!(refused.code, Some(0), "{verb}");
        let message = refused.error().to_string();
        assert!(
            message.contains("lie outside the scale 1 to 4"),
            "{message}"
        );
    }
    let report = evaluate(&files, &["--scale", "1:4", "--drop-out-of-scale"]);
    let data = &report["data"];
    let (rows, dropped) = (
        data["rows"].as_u64().unwrap(),
        data["dropped"].as_u64().unwrap(),
    );
    assert!(dropped > rows / 100);
    assert_eq!(data["used"].as_u64().unwrap(), rows - dropped);
}

#[test]
fn another_unit_gives_the_same_errors_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let halves = |r: f64| (2.0 * r).round() / 2.0;
    let rmse = |map: &dyn Fn(f64) -> f64| -> f64 {
        let files = mapped(directory.path(), |r| map(halves(r)));
        let report = evaluate(&files, &[]);
        report["quality"]["social"]["rmse"]["mean"]
            .as_f64()
            .unwrap()
    };
    let usual = rmse(&|r| r);
    let other = rmse(&|r| 25.0 * r + 7.0);
    assert!(
        (other / 25.0 / usual - 1.0).abs() < 1e-6,
        "{other}, {usual}"
    );
}

#[test]
fn folds_and_settings_are_read_as_they_were_written() {
    let directory = tempfile::tempdir().unwrap();
    let files = Files::small(directory.path());
    let folds = directory.path().join("folds.tsv");
    let written = evaluate(&files, &["--seed", "5", "--folds-out", text(&folds)]);
    let rows = std::fs::read_to_string(&folds).unwrap();
    assert!(rows.starts_with("user\titem\trating\tfold\n"));
    let temporary = tempfile::tempdir().unwrap();
    let arguments = [
        "evaluate",
        "--ratings",
        text(&files.ratings),
        "--links",
        text(&files.links),
        "--seed",
        "5",
        "--folds-in",
        text(&folds),
        "--json",
    ];
    assert_eq!(run(temporary.path(), &arguments).json(), written);

    let settings = directory.path().join("settings.toml");
    let budget = ["--trials", "6", "--social-runs", "2", "--json"];
    let out = ["--criterion", "ndcg", "--out", text(&settings)];
    let tuned = s3rec("tune", &files, &[&budget[..], &out].concat()).json();
    assert!(tuned["held_out"]["placebo"]["rmse"].is_f64(), "{tuned}");
    assert!(tuned["held_out"]["chosen"]["ndcg"].is_f64());
    let report = evaluate(&files, &["--settings", text(&settings)]);
    assert_eq!(report["settings"]["solver"], tuned["chosen"]["settings"]);
    assert_eq!(
        report["settings"]["no_social"],
        tuned["chosen"]["no_social"]
    );
}
