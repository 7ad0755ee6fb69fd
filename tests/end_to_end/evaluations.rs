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

#[test]
fn lists_are_judged_and_so_is_what_friends_tell() {
    let directory = tempfile::tempdir().unwrap();
    let files = Files::of_users(directory.path(), 600);
    let lists = ["--task", "lists", "--mu", "1", "--hide-all", "0.2"];
    let report = evaluate(&files, &lists);
    assert_eq!(report["task"], "lists");
    for model in ["popularity", "no_social"] {
        for metric in ["ndcg", "recall", "hit_rate", "mrr", "coverage"] {
            let mean = &report["quality"][model]["ranking"][metric]["mean"];
            assert!(mean.is_f64(), "{model}.{metric}: {report}");
        }
    }
    let groups = ["k1", "k2", "k3", "k4"].map(|kept| &report["few"][kept]);
    for group in groups.into_iter().chain([&report["cold"]]) {
        for model in ["popularity", "own", "friends", "friends_exact", "placebo"] {
            for figure in ["mean", "std"] {
                let figure = &group[model]["ndcg_10"][figure];
                assert!(figure.is_f64(), "{model}: {group}");
            }
        }
        let sigma = group["sigma"].as_f64().unwrap();
        assert!(sigma > 1.0 && sigma < 1.03, "{sigma}");
    }
    // Without noise there is nothing but exact sums, and no σ.
    let exact = evaluate(&files, &["--task", "lists", "--mu", "exact"]);
    assert_eq!(exact["cold"]["sigma"], 0.0);
    assert_eq!(exact["cold"]["friends"], exact["cold"]["friends_exact"]);
    assert!(evaluate(&files, &["--task", "lists"])["cold"].is_null());

    let refused = s3rec("evaluate", &files, &["--mu", "1", "--json"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.error().to_string().contains("--task lists"));
    for mu in ["0", "-1", "nan", "some"] {
        let refused = s3rec(
            "evaluate",
            &files,
            &["--task", "lists", "--mu", mu, "--json"],
        );
        assert_eq!(refused.code, Some(2), "{mu}");
    }
}

#[test]
fn settings_for_lists_are_found_and_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let files = Files::small(directory.path());
    let settings = directory.path().join("settings.toml");
    let search = ["--task", "lists", "--trials", "4", "--json"];
    let out = ["--out", text(&settings)];
    let tuned = s3rec("tune", &files, &[&search[..], &out].concat()).json();
    assert_eq!(tuned["lists"].as_array().unwrap().len(), 4);
    assert_eq!(tuned["lists"][0]["settings"], tuned["chosen"]["lists"]);
    let report = evaluate(&files, &["--task", "lists", "--settings", text(&settings)]);
    assert_eq!(report["settings"]["lists"], tuned["chosen"]["lists"]);
}
