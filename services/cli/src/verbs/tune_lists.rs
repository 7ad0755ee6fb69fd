//! `s3rec tune --task lists`: settings for lists, searched for without links and without openings.

use s3rec_bench::learning::LearningFold;
use s3rec_model::Preset;
use s3rec_model::tune::{ListsTrial, TuneSettings, tune_lists};

use super::evaluate::clear;
use super::records::json;
use super::sets::Sets;
use crate::arguments::TuneArgs;
use crate::failure::Failure;
use crate::output::{Output, Table, note};

/// Searches around the preset's settings for lists; the others are written as they are.
pub(super) fn lists(
    arguments: &TuneArgs,
    preset: Preset,
    (fold, sets, settings): (&LearningFold, &Sets, &TuneSettings),
    output: Output,
) -> Result<Preset, Failure> {
    note(&format!(
        "{} settings for lists: no openings",
        settings.candidates
    ));
    let (train, validation) = fold.validation(arguments.seed)?;
    let trials = tune_lists(&train, &validation, &preset.lists, settings).map_err(clear)?;
    // The field is never empty: the base settings are its first candidate.
    let lists = trials
        .first()
        .map_or(preset.lists, |best| best.settings.clone());
    let chosen = Preset {
        lists,
        name: format!("tuned on {}", arguments.files.ratings.display()),
        ..preset
    };
    let document = serde_json::json!({
        "task": "lists",
        "search": json(settings)?,
        "lists": json(&trials)?,
        "chosen": json(&chosen)?,
        "data": json(&sets.data)?,
    });
    output.value(&document, || text(&trials))?;
    Ok(chosen)
}

fn text(trials: &[ListsTrial]) -> String {
    let titles = "NDCG | rank | α | λ | confidence slope | popularity";
    let table = trials.iter().fold(Table::new(titles), |table, trial| {
        let s = &trial.settings;
        table.row(&[
            format!("{:.4}", trial.ndcg),
            s.rank.to_string(),
            format!("{:.4}", s.unobserved_weight),
            format!("{:.4}", s.decay),
            format!("{:.2}", s.confidence_slope),
            format!("{:.2}", trial.popularity_weight),
        ])
    });
    format!(
        "NDCG of lists on validation ratings, best first\n{table}\n\
         s3rec evaluate --task lists --settings FILE judges the first on ratings no choice was made by"
    )
}
