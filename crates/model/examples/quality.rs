//! The figures that the presets are held to, five folds by seed 0, printed as a table:
//! `cargo run --release -p s3rec-model --example quality -- [filmtrust|ciao|epinions]… [rank]`.
//! With `rank` anywhere among the arguments, rankings are judged too.

#![expect(clippy::print_stdout, reason = "an example that prints figures")]

use s3rec_model::evaluate::{Interval, ModelQuality};
use s3rec_model::{EvaluationData, EvaluationSettings, Preset, Split, evaluate};
use s3rec_testkit::datasets::Dataset;
use s3rec_testkit::learning::LearningProblem;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let ranked = wanted.iter().any(|word| word == "rank");
    let sets = [
        ("filmtrust", Dataset::FilmTrust),
        ("ciao", Dataset::Ciao),
        ("epinions", Dataset::EpinionsAligned),
    ];
    for (name, dataset) in sets {
        let named = wanted.iter().any(|word| word == name);
        let all = wanted.iter().all(|word| word == "rank");
        if let Some(preset) = Preset::named(name).filter(|_| named || all) {
            show(&preset, dataset, ranked)?;
        }
    }
    Ok(())
}

fn show(preset: &Preset, dataset: Dataset, ranked: bool) -> Result<(), Box<dyn std::error::Error>> {
    let started = Instant::now();
    let problem = LearningProblem::published(dataset)?;
    let splits: Vec<Split> = problem
        .folds
        .into_iter()
        .map(|(train, test)| Split { train, test })
        .collect();
    let data = EvaluationData {
        users: problem.users,
        items: problem.items,
        scale: problem.scale,
        social: &problem.social,
        splits: &splits,
    };
    let mut settings = EvaluationSettings {
        solver: preset.settings.clone(),
        no_social: Some(preset.no_social.clone()),
        operator: preset.operator,
        ..EvaluationSettings::default()
    };
    settings.ranking = settings.ranking.filter(|_| ranked);
    let report = evaluate(&data, &settings, &mut |_, _| {})?;
    println!(
        "{} ({:.0} s, {} openings)",
        preset.name,
        started.elapsed().as_secs_f64(),
        report.openings
    );
    let quality = &report.quality;
    line("global mean", &quality.global_mean);
    line("biases", &quality.biases);
    line("no links", &quality.no_social);
    line("placebo", &quality.placebo);
    line("social", &quality.social);
    for (name, gain) in [
        ("social", &report.social_gain),
        ("not social", &report.placebo_gain),
        ("together", &report.total_gain),
    ] {
        for (figure, interval) in [
            ("rmse", gain.rmse),
            ("mae", gain.mae),
            ("cold rmse", gain.cold_rmse),
            ("ndcg", gain.ndcg_10),
            ("cold ndcg", gain.cold_ndcg_10),
        ] {
            if let Some(Interval { mean, low, high }) = interval {
                println!("  gain, {name:<10} {figure:<9} {mean:+.5} ({low:+.5} to {high:+.5})");
            }
        }
    }
    for choice in &report.choices {
        println!("  {choice:?}");
    }
    for warning in &report.warnings {
        println!("  ! {warning}");
    }
    for (with, without) in quality
        .social
        .by_friends
        .iter()
        .zip(&quality.no_social.by_friends)
    {
        println!(
            "  {:>3} friends or more ({:.0} ratings): rmse {:.4} -> {:.4}",
            with.friends_from, with.ratings, without.accuracy.rmse, with.accuracy.rmse
        );
    }
    Ok(())
}

fn line(name: &str, quality: &ModelQuality) {
    print!(
        "  {name:<12} rmse {:.5} ± {:.5}  mae {:.5}",
        quality.rmse.mean, quality.rmse.std, quality.mae.mean
    );
    if let Some(cold) = quality.cold_rmse {
        print!("  cold rmse {:.5}", cold.mean);
    }
    if let Some(r) = quality.ranking {
        print!(
            "  ndcg {:.4} recall {:.4} hit {:.4} mrr {:.4} coverage {:.4}",
            r.ndcg.mean, r.recall.mean, r.hit_rate.mean, r.mrr.mean, r.coverage.mean
        );
    }
    if let Some(r) = quality.cold_ranking {
        print!("  cold ndcg {:.4}", r.ndcg.mean);
    }
    println!();
}
