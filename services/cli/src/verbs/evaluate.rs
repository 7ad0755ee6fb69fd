//! `s3rec evaluate`: what the social term is worth, over folds, in the clear.

use s3rec_data::{OutOfScale, Scale, Values, k_fold};
use s3rec_model::evaluate::{Bucket, EvaluationReport, ModelQuality};
use s3rec_model::{EvaluationData, EvaluationSettings, Preset, Split, evaluate as evaluate_folds};

use crate::arguments::EvaluateArgs;
use crate::failure::Failure;
use crate::output::{Output, Table, note};

/// Evaluates a preset on both files.
///
/// # Errors
/// Unreadable data or settings that do not fit them.
pub fn evaluate(arguments: &EvaluateArgs, output: Output) -> Result<(), Failure> {
    let preset = Preset::named(arguments.preset.name())
        .ok_or_else(|| Failure::Usage(format!("no preset {}", arguments.preset.name())))?;
    let mut files = arguments.files.inputs()?;
    let options = &mut files.rating_options;
    if options.scale.is_none() && options.values == Values::Ratings {
        options.scale = Some(Scale::new(preset.scale.0, preset.scale.1)?);
        options.out_of_scale = OutOfScale::Drop;
    }
    let (ratings, links) = files.read()?;
    let scale = ratings.report.scale;
    let social = links.social_matrix(&ratings.users).map_err(clear)?;
    let splits: Vec<Split> = k_fold(
        ratings.ratings.len(),
        arguments.folds as usize,
        arguments.seed,
    )?
    .iter()
    .map(|fold| Split {
        train: fold
            .train
            .iter()
            .map(|&place| ratings.ratings[place])
            .collect(),
        test: fold
            .test
            .iter()
            .map(|&place| ratings.ratings[place])
            .collect(),
    })
    .collect();
    let data = EvaluationData {
        users: ratings.users.len(),
        items: ratings.items.len(),
        scale: (f64::from(scale.min), f64::from(scale.max)),
        social: &social,
        splits: &splits,
    };
    let mut settings = EvaluationSettings {
        solver: preset.settings,
        operator: preset.operator,
        ..EvaluationSettings::default()
    };
    settings.ranking = settings.ranking.filter(|_| arguments.rankings);
    let folds = arguments.folds;
    let report = evaluate_folds(&data, &settings, &mut |fold, what| {
        note(&format!("fold {} of {folds}: {what}", fold + 1));
    })
    .map_err(clear)?;
    let document = serde_json::to_value(&report).map_err(clear)?;
    output.value(&document, || text(&report))
}

fn clear(error: impl std::fmt::Display) -> Failure {
    Failure::Oracle(error.to_string())
}

fn text(report: &EvaluationReport) -> String {
    let quality = &report.quality;
    let models = [
        ("global mean", &quality.global_mean),
        ("biases", &quality.biases),
        ("no social term", &quality.no_social),
        ("social", &quality.social),
    ];
    let titles = ["mean ± std over folds", "RMSE", "MAE", "RMSE, cold users"];
    let table = models
        .iter()
        .fold(Table::new(&titles), |table, (name, model)| {
            table.row(&row(name, model))
        });
    let mut text = format!(
        "{} folds; one secure run makes {} openings\n{table}\n{}",
        report.folds,
        report.openings,
        friends(&models)
    );
    if let Some(settings) = &report.settings.ranking {
        text.push_str(&format!(
            "\nLists of {}; means over folds\n{}",
            settings.cutoff,
            lists(&models)
        ));
    }
    text
}

/// Errors by number of friends, with and without the social term.
fn friends(models: &[(&str, &ModelQuality)]) -> Table {
    let titles = ["model", "friends", "held-out ratings", "RMSE", "MAE"];
    let learnt = models.iter().skip(1);
    learnt.fold(Table::new(&titles), |table, (name, model)| {
        model.by_friends.iter().fold(table, |table, bucket| {
            table.row(&[
                (*name).to_owned(),
                range(bucket),
                format!("{:.0}", bucket.ratings),
                format!("{:.4}", bucket.accuracy.rmse),
                format!("{:.4}", bucket.accuracy.mae),
            ])
        })
    })
}

/// Ranking metrics of everybody, of cold-start users and by number of friends.
fn lists(models: &[(&str, &ModelQuality)]) -> Table {
    let titles = [
        "model", "users", "NDCG", "recall", "hit rate", "MRR", "coverage",
    ];
    let mut table = Table::new(&titles);
    for (name, model) in models {
        let groups = [
            ("all".to_owned(), model.ranking.map(|spread| spread.means())),
            (
                "cold".to_owned(),
                model.cold_ranking.map(|spread| spread.means()),
            ),
        ];
        let by_friends = model.by_friends.iter();
        let by_friends = by_friends.map(|bucket| {
            let who = format!("{} friends", range(bucket));
            (who, bucket.ranking)
        });
        for (who, metrics) in groups.into_iter().chain(by_friends) {
            let Some(metrics) = metrics else { continue };
            let shown = |value: f64| format!("{value:.4}");
            table = table.row(&[
                (*name).to_owned(),
                who,
                shown(metrics.ndcg),
                shown(metrics.recall),
                shown(metrics.hit_rate),
                shown(metrics.mrr),
                shown(metrics.coverage),
            ]);
        }
    }
    table
}

/// The bucket's numbers of friends.
fn range(bucket: &Bucket) -> String {
    match bucket.friends_to {
        Some(to) if to == bucket.friends_from => to.to_string(),
        Some(to) => format!("{}–{to}", bucket.friends_from),
        None => format!("{} or more", bucket.friends_from),
    }
}

fn row(name: &str, model: &ModelQuality) -> [String; 4] {
    let shown = |mean: f64, std: f64| format!("{mean:.4} ± {std:.4}");
    [
        name.to_owned(),
        shown(model.rmse.mean, model.rmse.std),
        shown(model.mae.mean, model.mae.std),
        model
            .cold_rmse
            .as_ref()
            .map_or_else(|| "–".to_owned(), |cold| shown(cold.mean, cold.std)),
    ]
}
