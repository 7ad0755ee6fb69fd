//! A finished model: as files for other programs, and under load.

use std::path::Path;
use std::process::Command;

use s3rec_tests::command::{Run, flags, run};
use s3rec_tests::data::Files;
use s3rec_tests::job::Job;
use s3rec_tests::pair::Pair;
use s3rec_wire::v1;
use serde_json::Value;

/// The example that README shows.
const EXAMPLE: &str = include_str!("../python/predict.py");

#[test]
fn readme_shows_the_example_that_runs() {
    let readme = include_str!("../../README.md");
    assert!(readme.contains(&format!("```python\n{EXAMPLE}```")));
}

#[tokio::test]
async fn an_exported_model_predicts_as_the_platform_does() {
    let pair = Pair::start();
    let data = tempfile::tempdir().unwrap();
    let mut job = trained(&pair, data.path()).await;
    let tensors = data.path().join("model.safetensors");
    let written = at_rating(
        &pair,
        &["rating", "export", &job.id, "--out", text(&tensors)],
    )
    .json();
    assert_eq!(written["model_id"], job.id.as_str());

    let card = std::fs::read(data.path().join("model.json")).unwrap();
    let card: Value = serde_json::from_slice(&card).unwrap();
    assert_eq!(card["model_id"], job.id.as_str());
    assert_eq!((&card["rank"], &card["openings"]), (&4.into(), &3.into()));
    assert_eq!(card["settings"]["solver"], "SOLVER_GD");
    assert_eq!(card["data"]["dataset"], "test");
    assert!(card["quality"]["rmse"].as_f64().unwrap() > 0.0, "{card}");
    assert_eq!(card["disclosure"]["openings"], 3);
    let ratings = std::fs::read(data.path().join("ratings.tsv")).unwrap();
    let digest = blake3::hash(&ratings).to_hex().to_string();
    assert_eq!(card["data"]["digest"], digest.as_str());
    assert_eq!(card["data"]["scale"]["max"], 5.0);
    assert_eq!(card["objective"]["operator"], "normalized-laplacian");
    assert!(
        card["objective"]["user_decay"].as_f64().unwrap() > 0.0,
        "{card}"
    );
    for predictor in ["global_mean", "biases", "no_social", "model"] {
        assert!(
            card["metrics"][predictor]["mae"].as_f64().unwrap() > 0.0,
            "{card}"
        );
    }
    assert_eq!(card["metrics"]["model"]["rmse"], card["quality"]["rmse"]);
    assert_eq!(
        card["user_ids"].as_array().unwrap().len() as u64,
        card["data"]["users"]
    );

    let Some(python) = std::env::var_os("S3REC_PYTHON") else {
        eprintln!("SKIPPED: S3REC_PYTHON names no Python with safetensors and numpy");
        return;
    };
    for (user, item) in [(0, 0), (7, 31), (60, 12)] {
        let id = |ids: &str, at: usize| card[ids][at].as_str().unwrap().to_owned();
        let request = v1::PredictRequest {
            model_id: job.id.clone(),
            user_id: id("user_ids", user),
            item_id: id("item_ids", item),
        };
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/python/predict.py");
        let mut command = Command::new(&python);
        command.arg(example).arg(&tensors);
        let ran = command.args([&request.user_id, &request.item_id]).output();
        let ran = ran.unwrap();
        let shown = String::from_utf8(ran.stdout).unwrap();
        let from_python: f64 = shown.trim().parse().unwrap_or_else(|_| {
            panic!("{shown}{}", String::from_utf8_lossy(&ran.stderr));
        });
        let predicted = job.rating.predict(request).await.unwrap().into_inner();
        let parts = predicted.parts.unwrap();
        let total =
            parts.global_mean + parts.user_bias + parts.item_bias + parts.taste + parts.social;
        assert!((from_python - total).abs() < 1e-9, "{from_python} {total}");
        // The scale of these data; the platform alone clips.
        assert!((from_python.clamp(1.0, 5.0) - predicted.rating).abs() < 1e-9);
    }
}

#[tokio::test]
async fn a_lists_order_is_explained_by_its_parts() {
    let pair = Pair::start();
    let data = tempfile::tempdir().unwrap();
    let mut job = trained(&pair, data.path()).await;
    let request = v1::RecommendRequest {
        user_id: "absent".into(),
        ..Default::default()
    };
    let strangers = job.rating.recommend(request.clone()).await.unwrap();
    let strangers = strangers.into_inner();
    assert!(!strangers.known_user);
    let (tensors, card) = (
        data.path().join("m.safetensors"),
        data.path().join("m.json"),
    );
    at_rating(&pair, &["rating", "export", "--out", text(&tensors)]).json();
    let card: Value = serde_json::from_slice(&std::fs::read(card).unwrap()).unwrap();
    let user_id = card["user_ids"][0].as_str().unwrap().to_owned();
    let request = v1::RecommendRequest { user_id, ..request };
    let own = job.rating.recommend(request).await.unwrap().into_inner();
    assert!(own.known_user && own.items.len() == 10);
    for item in strangers.items.iter().chain(&own.items) {
        let parts = item.parts.unwrap();
        let rating = parts.global_mean + parts.user_bias + parts.item_bias;
        let total = rating + parts.taste + parts.social + parts.popularity;
        assert!((total - item.score).abs() < 1e-9, "{item:?}");
        assert!(parts.popularity > 0.0, "{item:?}");
    }
    let request = v1::PredictRequest {
        item_id: own.items[0].item_id.clone(),
        ..Default::default()
    };
    let predicted = job.rating.predict(request).await.unwrap().into_inner();
    assert_eq!(predicted.parts.unwrap().popularity, 0.0);
}

#[tokio::test]
async fn the_card_does_not_overwrite_the_model() {
    let pair = Pair::start();
    let refused = at_rating(&pair, &["rating", "export", "--out", "/absent/model.json"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
}

#[tokio::test]
async fn load_is_answered_at_its_rate() {
    let pair = Pair::start();
    let data = tempfile::tempdir().unwrap();
    let job = trained(&pair, data.path()).await;
    let load = ["bench", "serve", "--rate", "100", "--seconds", "2"];
    let report = at_rating(&pair, &load).json();
    assert_eq!(report["model_id"], job.id.as_str());
    assert_eq!(report["requests"], 200);
    assert_eq!(report["errors"], serde_json::json!({}));
    let latency = |name: &str| report["latency_ms"][name].as_f64().unwrap();
    assert!(latency("p50") > 0.0 && latency("p50") <= latency("p99"));
    assert!(latency("p99") <= latency("max"), "{report}");
    // The last request is due 10 ms before the end: sooner would not be the rate asked for.
    assert!(report["seconds"].as_f64().unwrap() >= 1.99, "{report}");

    let unknown = ["bench", "serve", "--model", "absent"];
    assert_eq!(at_rating(&pair, &unknown).error()["reason"], "NOT_FOUND");
}

async fn trained(pair: &Pair, directory: &Path) -> Job {
    let mut job = Job::start(pair, &Files::small(directory), 3).await;
    let end = job.end_at_rating().await;
    assert_eq!(end.state(), v1::JobState::Finished, "{end:?}");
    job
}

fn at_rating(pair: &Pair, arguments: &[&str]) -> Run {
    let flags = flags(&pair.rating_connection());
    let all = arguments.iter().copied().chain(["--json"]);
    let all: Vec<&str> = all.chain(flags.iter().map(String::as_str)).collect();
    run(pair.home.path(), &all)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
