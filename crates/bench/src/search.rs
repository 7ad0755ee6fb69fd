//! Search for hyper-parameters on one fold: successive halving on the model without the social
//! term, which opens nothing, then few social settings, the openings of each counted first.
//!
//! Settings are chosen on a fifth of the training ratings; the fold's held-out ratings are used
//! once, for what is reported at the end.

use s3rec_model::tune::{
    SocialBudget, Trial, TuneSettings, social_candidates, tune_without_social,
};
use s3rec_model::{Preset, SolverSettings, accuracy};
use serde::{Deserialize, Serialize};

use crate::BenchError;
use crate::learning::LearningFold;

/// What a search found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchReport {
    /// How much was searched.
    pub search: TuneSettings,
    /// m.
    pub users: usize,
    /// The last round of the halving, best first: validation RMSE without the social term.
    pub without_social: Vec<Trial>,
    /// What the social runs open together.
    pub budget: SocialBudget,
    /// The social runs, best first.
    pub social: Vec<SocialTrial>,
    /// The settings chosen: the best social run's, or the best without a social term when no
    /// run gained from it.
    pub chosen: SolverSettings,
    /// On ratings that no choice was made by.
    pub held_out: HeldOut,
}

/// One social run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SocialTrial {
    /// The settings.
    pub settings: SolverSettings,
    /// Openings of the run.
    pub openings: u32,
    /// Values that it opens with all users in common.
    pub opened_values: u64,
    /// Validation RMSE.
    pub rmse: f64,
}

/// Held-out RMSE, learnt from all training ratings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    /// The settings searched around.
    pub base_rmse: f64,
    /// The chosen settings without the social term.
    pub no_social_rmse: f64,
    /// The chosen settings.
    pub chosen_rmse: f64,
}

/// What the search is about to do, for people who wait and people who consent.
#[derive(Clone, Copy, Debug)]
pub enum SearchEvent<'a> {
    /// Trying so many settings without the social term; no openings.
    WithoutSocial(usize),
    /// All social runs, before the first.
    Budget(SocialBudget),
    /// One social run, by number from 1, before it starts.
    Social {
        /// Which.
        run: usize,
        /// Its settings.
        settings: &'a SolverSettings,
        /// Values that it opens.
        opened_values: u64,
    },
}

/// Searches around the settings of `preset`.
///
/// # Errors
/// Too few ratings to hold out a part twice, or settings that make no sense.
pub fn search(
    fold: &LearningFold,
    preset: &Preset,
    search: TuneSettings,
    mut progress: impl FnMut(SearchEvent<'_>),
) -> Result<SearchReport, BenchError> {
    let (train, validation) = fold.validation(search.seed)?;
    progress(SearchEvent::WithoutSocial(search.candidates));
    let base = &preset.settings;
    let without_social = tune_without_social(&train, &validation, fold.scale, base, &search)?;
    // The field is never empty: the base settings are its first candidate.
    let best = without_social.first().map_or(base, |trial| &trial.settings);
    let (runs, budget) = social_candidates(best, fold.users(), &search);
    progress(SearchEvent::Budget(budget));
    let mut social = Vec::new();
    for (index, settings) in runs.into_iter().enumerate() {
        let values = fold.users() * settings.opened_columns();
        let opened_values = u64::from(settings.openings) * values as u64;
        progress(SearchEvent::Social {
            run: index + 1,
            settings: &settings,
            opened_values,
        });
        let model = fold.over_clear_product(&train, &settings)?;
        social.push(SocialTrial {
            rmse: accuracy(&model, &validation)?.rmse,
            openings: settings.openings,
            opened_values,
            settings,
        });
    }
    social.sort_by(|a, b| a.rmse.total_cmp(&b.rmse));
    let no_social = fold.without_social(&train, best)?;
    let alone = accuracy(&no_social, &validation)?.rmse;
    let chosen = match social.first() {
        Some(run) if run.rmse < alone => run.settings.clone(),
        _ => SolverSettings {
            social_weight: 0.0,
            social_bias_weight: 0.0,
            ..best.clone()
        },
    };
    let held_out = HeldOut {
        base_rmse: fold.rmse(&fold.over_clear_product(&fold.matrix, base)?)?,
        no_social_rmse: fold.rmse(&fold.without_social(&fold.matrix, &chosen)?)?,
        chosen_rmse: fold.rmse(&fold.over_clear_product(&fold.matrix, &chosen)?)?,
    };
    Ok(SearchReport {
        search,
        users: fold.users(),
        without_social,
        budget,
        social,
        chosen,
        held_out,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openings_are_counted_before_they_are_made() {
        let fold = LearningFold::synthetic(7);
        let preset = Preset {
            settings: SolverSettings {
                openings: 3,
                rank: 4,
                ..SolverSettings::default()
            },
            ..Preset::named("published").unwrap()
        };
        let settings = TuneSettings {
            candidates: 6,
            social_runs: 3,
            seed: 2,
            ..TuneSettings::default()
        };
        let mut order = Vec::new();
        let report = search(&fold, &preset, settings, |event| {
            order.push(match event {
                SearchEvent::WithoutSocial(candidates) => candidates as u64,
                SearchEvent::Budget(budget) => budget.opened_values,
                SearchEvent::Social { opened_values, .. } => opened_values,
            });
        })
        .unwrap();
        // All runs together first, then each by itself, and they add up.
        assert_eq!((order[0], order.len()), (6, 5));
        assert_eq!(order[1], order[2..].iter().sum::<u64>());
        assert_eq!(report.budget.opened_values, order[1]);
        let openings: u32 = report.social.iter().map(|run| run.openings).sum();
        assert_eq!(u64::from(openings), report.budget.openings);
        assert!(report.social.is_sorted_by(|a, b| a.rmse <= b.rmse));
        assert!(report.without_social.len() <= 3);
        // The set's links are homophilous: the search must see it, on ratings it never chose by.
        assert!(
            report.held_out.chosen_rmse < report.held_out.no_social_rmse,
            "{report:?}"
        );
        let again = search(&fold, &preset, settings, |_| {}).unwrap();
        assert_eq!(again, report);
    }
}
