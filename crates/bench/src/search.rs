//! Search for hyper-parameters on one fold: successive halving on the model without links, which
//! opens nothing, then as many runs with links as without, the openings of each counted first.
//!
//! Settings are chosen on a fifth of the training ratings; the fold's held-out ratings are used
//! once, for what is reported at the end.

use std::sync::Arc;

use s3rec_model::evaluate::ranking_by_weight;
use s3rec_model::popularity::DEFAULT_WEIGHT;
use s3rec_model::tune::{
    SocialBudget, Trial, TuneSettings, best_first, refine_without_social, social_candidates,
    tune_without_social,
};
use s3rec_model::{Model, Preset, SolverSettings, Unit};
use s3rec_sparse::{Rating, RatingMatrix};
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
    /// Without links, best first: the last round of the halving and the runs around its best.
    pub without_social: Vec<Trial>,
    /// What the social runs open together.
    pub budget: SocialBudget,
    /// The social runs, best first.
    pub social: Vec<SocialTrial>,
    /// The settings chosen, as a settings file has them: with links the best social run's, or no
    /// links where no run was better than the best without.
    pub chosen: Preset,
    /// On ratings that no choice was made by.
    pub held_out: HeldOut,
}

/// One social run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SocialTrial {
    /// Openings of the run.
    pub openings: u32,
    /// Values that it opens with all users in common.
    pub opened_values: u64,
    /// Its settings and what they reached.
    pub trial: Trial,
}

/// What models learnt from all training ratings reach on the held-out ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    /// The settings searched around, with links.
    pub base: Reached,
    /// The chosen settings without links.
    pub no_social: Reached,
    /// The chosen settings over links rewired at random.
    pub placebo: Reached,
    /// The chosen settings.
    pub chosen: Reached,
}

/// Figures on held-out ratings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reached {
    /// RMSE.
    pub rmse: f64,
    /// NDCG; null where lists were not judged.
    pub ndcg: Option<f64>,
}

/// What the search is about to do, for people who wait and people who consent.
#[derive(Clone, Copy, Debug)]
pub enum SearchEvent<'a> {
    /// Trying so many settings without links; no openings.
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
    search: &TuneSettings,
    mut progress: impl FnMut(SearchEvent<'_>),
) -> Result<SearchReport, BenchError> {
    let (train, validation) = fold.validation(search.seed)?;
    progress(SearchEvent::WithoutSocial(search.candidates));
    let base = &preset.no_social;
    let scale = fold.scale;
    let mut without = tune_without_social(&train, &validation, scale, base, search)?;
    // The field is never empty: the base settings are its first candidate.
    let found = without.first().map_or(base, |trial| &trial.settings);
    let around = SolverSettings {
        social_weight: preset.settings.social_weight,
        social_bias_weight: preset.settings.social_bias_weight,
        ..found.clone()
    };
    let refined = refine_without_social(&train, &validation, scale, &around, search)?;
    // The halving's survivors had fewer sweeps than they will have; the best is among the runs.
    let best = refined
        .first()
        .map_or(base, |trial| &trial.settings)
        .clone();
    let to_beat = refined
        .first()
        .map_or(f64::INFINITY, |trial| trial.loss(search.criterion));
    without.splice(0..0, refined);

    let (runs, budget) = social_candidates(&around, fold.users(), search);
    progress(SearchEvent::Budget(budget));
    let mut trials = Vec::new();
    for (index, settings) in runs.into_iter().enumerate() {
        progress(SearchEvent::Social {
            run: index + 1,
            settings: &settings,
            opened_values: opened_values(fold, &settings),
        });
        let model = fold.over_clear_product(&train, &settings)?;
        let sweeps = settings.warm_sweeps + settings.openings * settings.sweeps_per_opening;
        trials.push(Trial::of(
            &model,
            &train,
            &validation,
            &settings,
            search,
            sweeps,
        )?);
    }
    best_first(&mut trials, search.criterion);
    let is_better = |trial: &&Trial| trial.loss(search.criterion) < to_beat;
    let settings = match trials.first().filter(is_better) {
        Some(trial) => trial.settings.clone(),
        None => best.without_social(),
    };
    let chosen = Preset {
        lists: preset.lists.clone(),
        name: "tuned".to_owned(),
        operator: preset.operator,
        settings,
        no_social: best.without_social(),
    };
    let reach = |settings: &SolverSettings, learn: Learn<'_>| {
        reached(fold, &learn(&fold.matrix, settings)?, settings, search)
    };
    let held_out = HeldOut {
        base: reach(&preset.settings, &|m, s| fold.over_clear_product(m, s))?,
        no_social: reach(&chosen.no_social, &|m, s| fold.without_social(m, s))?,
        placebo: reach(&chosen.settings, &|m, s| fold.over_rewired_links(m, s))?,
        chosen: reach(&chosen.settings, &|m, s| fold.over_clear_product(m, s))?,
    };
    let social = trials.into_iter().map(|trial| SocialTrial {
        openings: trial.settings.openings,
        opened_values: opened_values(fold, &trial.settings),
        trial,
    });
    Ok(SearchReport {
        search: search.clone(),
        users: fold.users(),
        without_social: without,
        budget,
        social: social.collect(),
        chosen,
        held_out,
    })
}

type Learn<'a> = &'a dyn Fn(&Arc<RatingMatrix>, &SolverSettings) -> Result<Model, BenchError>;

fn opened_values(fold: &LearningFold, settings: &SolverSettings) -> u64 {
    let values = fold.users() * settings.opened_columns();
    u64::from(settings.openings) * values as u64
}

fn reached(
    fold: &LearningFold,
    model: &Model,
    settings: &SolverSettings,
    search: &TuneSettings,
) -> Result<Reached, BenchError> {
    let weight = settings.popularity_weight.unwrap_or(DEFAULT_WEIGHT);
    let (matrix, test): (&RatingMatrix, &[Rating]) = (&fold.matrix, &fold.test);
    let judged = search.ranking.as_ref().and_then(|ranking| {
        ranking_by_weight(model, matrix, &Unit::of(matrix), test, ranking, &[weight])
    });
    Ok(Reached {
        rmse: fold.rmse(model)?,
        ndcg: judged.and_then(|judged| judged.first().map(|metrics| metrics.ndcg)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openings_are_counted_before_they_are_made() {
        let fold = LearningFold::synthetic(7);
        let base = SolverSettings {
            openings: 3,
            rank: 4,
            ..SolverSettings::default()
        };
        let preset = Preset {
            no_social: base.without_social(),
            settings: base,
            ..Preset::named("published").unwrap()
        };
        let settings = TuneSettings {
            candidates: 6,
            social_runs: 3,
            seed: 2,
            ..TuneSettings::default()
        };
        let mut order = Vec::new();
        let report = search(&fold, &preset, &settings, |event| {
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
        assert!(
            report
                .social
                .is_sorted_by(|a, b| a.trial.rmse <= b.trial.rmse)
        );
        // As many runs without links as with, after the halving's survivors.
        assert!((4..=6).contains(&report.without_social.len()));
        assert!(!report.chosen.no_social.is_social());
        // The set's links are homophilous: the search must see it, on ratings it never chose by,
        // and beyond what rewired links give.
        let held_out = report.held_out;
        assert!(held_out.chosen.rmse < held_out.no_social.rmse, "{report:?}");
        assert!(held_out.chosen.rmse < held_out.placebo.rmse, "{report:?}");
        let again = search(&fold, &preset, &settings, |_| {}).unwrap();
        assert_eq!(again, report);
    }

    #[test]
    fn links_that_say_nothing_are_not_chosen_to_be_paid_for() {
        // The rewired links in place of the real ones, a weight that is far too large: 0 is among
        // the choices.
        let mut fold = LearningFold::synthetic(7);
        fold.operator = fold.placebo.clone();
        let base = SolverSettings {
            openings: 3,
            rank: 4,
            social_weight: 1e5,
            ..SolverSettings::default()
        };
        let preset = Preset {
            no_social: base.without_social(),
            settings: base,
            ..Preset::named("published").unwrap()
        };
        let settings = TuneSettings {
            candidates: 4,
            social_runs: 1,
            ..TuneSettings::default()
        };
        let report = search(&fold, &preset, &settings, |_| {}).unwrap();
        assert!(!report.chosen.settings.is_social(), "{report:?}");
        assert_eq!(report.held_out.chosen, report.held_out.no_social);
    }
}
