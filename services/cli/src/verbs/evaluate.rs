//! `s3rec evaluate`: what the links are worth, over folds, in the clear, for ratings or for lists.

use s3rec_model::evaluate::Relevance;
use s3rec_model::{EvaluationData, EvaluationSettings, evaluate as evaluate_folds};

use super::evaluate_lists::lists;
use super::evaluate_text::text;
use super::folds::Folds;
use super::records::json;
use super::sets;
use crate::arguments::{EvaluateArgs, PresetChoice, TaskChoice};
use crate::failure::Failure;
use crate::output::{Output, note};

/// Evaluates settings on both files.
///
/// # Errors
/// Unreadable data or settings that do not fit them.
pub fn evaluate(arguments: &EvaluateArgs, output: Output) -> Result<(), Failure> {
    if arguments.task() == TaskChoice::Ratings && arguments.mu.is_some() {
        let text = "--mu judges lists for users without ratings: add --task lists";
        return Err(Failure::Usage(text.to_owned()));
    }
    let preset = arguments.settings.load(PresetChoice::Published);
    let sets = sets::read(&arguments.files)?;
    let ratings = &sets.ratings;
    let social = sets.links.social_matrix(&ratings.users).map_err(clear)?;
    let folds = match &arguments.folds_in {
        Some(path) => Folds::read(ratings, path)?,
        None => Folds::draw(ratings, arguments.folds, arguments.seed)?,
    };
    if let Some(path) = &arguments.folds_out {
        folds.write(ratings, path)?;
    }
    let splits = folds.splits(ratings);
    let data = EvaluationData {
        users: ratings.users.len(),
        items: ratings.items.len(),
        scale: sets.scale(),
        social: &social,
        splits: &splits,
    };
    if arguments.task() == TaskChoice::Lists {
        return lists(arguments, &preset, (&sets, &data), output);
    }
    let mut settings = EvaluationSettings {
        solver: preset.settings,
        no_social: Some(preset.no_social),
        operator: preset.operator,
        seed: arguments.seed,
        ..EvaluationSettings::default()
    };
    if let Some(ranking) = &mut settings.ranking {
        ranking.relevance = relevance(arguments, ranking.relevance);
    }
    settings.ranking = settings.ranking.filter(|_| arguments.rankings);
    let report = evaluate_folds(&data, &settings, &mut |fold, what| {
        note(&format!("fold {} of {}: {what}", fold + 1, splits.len()));
    })
    .map_err(clear)?;
    let mut document = json(&report)?;
    document["data"] = json(&sets.data)?;
    output.value(&document, || text(&report))
}

/// Which held-out items a list should have.
pub(super) fn relevance(arguments: &EvaluateArgs, usual: Relevance) -> Relevance {
    match arguments.relevant_from {
        Some(rating) => Relevance::AtLeast(rating),
        None if arguments.files.reading.ratings.counts => Relevance::EveryHeldOut,
        None => usual,
    }
}

pub(super) fn clear(error: impl std::fmt::Display) -> Failure {
    Failure::Oracle(error.to_string())
}
