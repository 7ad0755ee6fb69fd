//! `s3rec evaluate`: what the social term is worth, over folds, in the clear.

use s3rec_data::{LinkOptions, LinkSet, OutOfScale, RatingOptions, RatingSet, Scale, k_fold};
use s3rec_model::evaluate::{EvaluationReport, ModelQuality};
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
    let options = RatingOptions {
        scale: Some(Scale::new(preset.scale.0, preset.scale.1)?),
        out_of_scale: OutOfScale::Drop,
        ..RatingOptions::default()
    };
    let ratings = RatingSet::read(&arguments.files.ratings, &options)?;
    let links = LinkSet::read(&arguments.files.links, &LinkOptions::default())?;
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
        scale: (f64::from(preset.scale.0), f64::from(preset.scale.1)),
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
    let mut table = Table::new(&["mean ± std over folds", "RMSE", "MAE", "RMSE, cold users"]);
    for (name, model) in [
        ("global mean", &quality.global_mean),
        ("biases", &quality.biases),
        ("no social term", &quality.no_social),
        ("social", &quality.social),
    ] {
        table = table.row(&row(name, model));
    }
    format!(
        "{} folds; one secure run makes {} openings\n{table}",
        report.folds, report.openings
    )
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
