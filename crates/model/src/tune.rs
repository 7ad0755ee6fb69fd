//! Search for hyper-parameters: successive halving on the model without links, which costs no
//! opening; then as many further runs without links as with them, around the best found, so that
//! neither is tuned harder than the other.
//!
//! The space, logarithmically uniform around the base settings: factor decays × 1/4 to 4 with
//! users and items up to 1.5 apart either way, bias decays × 1/4 to 4, the implicit ridge × 1/4
//! to 4 or none, rank one of 1/2, 1 and 2 times the base, the activity prior or not. The runs
//! after that: every decay × 2/3 to 1.5 (the first run: as found), with links γ and the bias γ
//! × 1/8 to 8 as well. Popularity's weight in lists is learnt by every trial.

mod lists;

pub use lists::{ListsTrial, tune_lists};

use crate::evaluate::{RankingSettings, ranking_by_weight};
use crate::popularity::WEIGHTS;
use crate::random::{purpose, stream, unit};
use crate::{Model, ModelError, SolverKind, SolverSettings, Unit, accuracy, solver};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use s3rec_sparse::{Rating, RatingMatrix};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What decides between settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Criterion {
    /// RMSE on validation ratings.
    #[default]
    Rmse,
    /// NDCG of lists on validation ratings.
    Ndcg,
}

/// How much to search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TuneSettings {
    /// Settings tried on the model without links.
    pub candidates: usize,
    /// Sweeps (or steps) of the first round; doubled whenever the field is halved.
    pub first_sweeps: u32,
    /// Runs with links after that, and as many without.
    pub social_runs: usize,
    /// Seed of the draws.
    pub seed: u64,
    /// What decides.
    pub criterion: Criterion,
    /// How lists are judged; none: not at all, which the criterion must allow.
    pub ranking: Option<RankingSettings>,
}

impl Default for TuneSettings {
    fn default() -> Self {
        Self {
            candidates: 32,
            first_sweeps: 4,
            social_runs: 6,
            seed: 0,
            criterion: Criterion::default(),
            ranking: None,
        }
    }
}

/// Settings and what they reached on the validation ratings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The settings, popularity's weight among them where lists were judged.
    pub settings: SolverSettings,
    /// Validation RMSE.
    pub rmse: f64,
    /// Validation NDCG; null where lists were not judged.
    pub ndcg: Option<f64>,
    /// Sweeps or steps it was given.
    pub sweeps: u32,
}

impl Trial {
    /// Judges `model`, which has learnt from `train` with `settings`.
    ///
    /// # Errors
    /// [`ModelError::NoRatings`] when there is nothing to judge by.
    pub fn of(
        model: &Model,
        train: &RatingMatrix,
        validation: &[Rating],
        settings: &SolverSettings,
        search: &TuneSettings,
        sweeps: u32,
    ) -> Result<Self, ModelError> {
        let rmse = accuracy(model, validation)?.rmse;
        let mut trial = Self {
            settings: settings.clone(),
            rmse: if rmse.is_nan() { f64::INFINITY } else { rmse },
            ndcg: None,
            sweeps,
        };
        if let Some(ranking) = &search.ranking {
            let unit = Unit::of(train);
            let found = ranking_by_weight(model, train, &unit, validation, ranking, &WEIGHTS);
            for (&weight, metrics) in WEIGHTS.iter().zip(found.unwrap_or_default()) {
                if trial.ndcg.is_none_or(|best| metrics.ndcg > best) {
                    trial.ndcg = Some(metrics.ndcg);
                    trial.settings.popularity_weight = Some(weight);
                }
            }
        }
        Ok(trial)
    }

    fn diverged(settings: &SolverSettings, sweeps: u32) -> Self {
        Self {
            settings: settings.clone(),
            rmse: f64::INFINITY,
            ndcg: None,
            sweeps,
        }
    }

    /// What it is ordered by: the smaller, the better.
    pub fn loss(&self, criterion: Criterion) -> f64 {
        match criterion {
            Criterion::Rmse => self.rmse,
            Criterion::Ndcg => self.ndcg.map_or(f64::INFINITY, |ndcg| -ndcg),
        }
    }
}

/// The best first; of equals the one that was tried first.
pub fn best_first(trials: &mut [Trial], criterion: Criterion) {
    trials.sort_by(|a, b| a.loss(criterion).total_cmp(&b.loss(criterion)));
}

/// What the social part of a search will open, to be shown and consented to before it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocialBudget {
    /// Runs.
    pub runs: usize,
    /// Openings over all runs.
    pub openings: u64,
    /// Values opened over all runs, for so many common users.
    pub opened_values: u64,
}

/// Successive halving on the model without links; best first, the last round's survivors only.
///
/// # Errors
/// Empty sides, or the solver's refusal.
pub fn tune_without_social(
    train: &Arc<RatingMatrix>,
    validation: &[Rating],
    scale: (f64, f64),
    base: &SolverSettings,
    search: &TuneSettings,
) -> Result<Vec<Trial>, ModelError> {
    let mut draws = Draws::new(search.seed);
    let mut field: Vec<SolverSettings> = vec![base.clone()];
    while field.len() < search.candidates.max(1) {
        field.push(draws.around(base));
    }
    let mut sweeps = search.first_sweeps.max(1);
    loop {
        let mut trials = Vec::with_capacity(field.len());
        for settings in &field {
            // Without the social term every step is local, so openings stand for steps.
            let short = SolverSettings {
                warm_sweeps: 0,
                sweeps_per_opening: 1,
                openings: sweeps,
                ..settings.clone()
            };
            let mut trial = learn(train, validation, scale, &short, search)?;
            trial.settings = SolverSettings {
                popularity_weight: trial.settings.popularity_weight,
                ..settings.clone()
            };
            trial.sweeps = sweeps;
            trials.push(trial);
        }
        best_first(&mut trials, search.criterion);
        if trials.len() <= 3 {
            return Ok(trials);
        }
        trials.truncate(trials.len().div_ceil(2));
        field = trials.into_iter().map(|trial| trial.settings).collect();
        sweeps *= 2;
    }
}

/// The runs without links that the social runs are matched by: as many, as long, with the same
/// decays; best first.
///
/// # Errors
/// As [`tune_without_social`].
pub fn refine_without_social(
    train: &Arc<RatingMatrix>,
    validation: &[Rating],
    scale: (f64, f64),
    best: &SolverSettings,
    search: &TuneSettings,
) -> Result<Vec<Trial>, ModelError> {
    let (runs, _) = social_candidates(best, 0, search);
    let trials = runs.iter().map(|run| {
        let settings = run.without_social();
        learn(train, validation, scale, &settings, search)
    });
    let mut trials = trials.collect::<Result<Vec<Trial>, _>>()?;
    best_first(&mut trials, search.criterion);
    Ok(trials)
}

fn learn(
    train: &Arc<RatingMatrix>,
    validation: &[Rating],
    scale: (f64, f64),
    settings: &SolverSettings,
    search: &TuneSettings,
) -> Result<Trial, ModelError> {
    let mut solver = solver(Arc::clone(train), scale, settings, None)?;
    let mut sweeps = 0;
    while !solver.is_finished() {
        match solver.step(None) {
            Ok(report) => sweeps = report.step,
            Err(ModelError::Diverged { .. }) => return Ok(Trial::diverged(settings, sweeps)),
            Err(other) => return Err(other),
        }
    }
    Trial::of(solver.model(), train, validation, settings, search, sweeps)
}

/// γ where the settings searched around have none.
const SOCIAL_WEIGHT: f64 = 5.0;

/// The settings of the social runs, those found without links and the base weights first, and
/// what they will open.
pub fn social_candidates(
    best: &SolverSettings,
    common_users: usize,
    search: &TuneSettings,
) -> (Vec<SolverSettings>, SocialBudget) {
    let mut draws = Draws::new(search.seed ^ 0x5eed);
    let mut first = best.clone();
    if !best.is_social() {
        first.social_weight = SOCIAL_WEIGHT;
    }
    let mut runs = vec![first.clone()];
    while runs.len() < search.social_runs.max(1) {
        let near = draws.near(&first);
        runs.push(SolverSettings {
            social_weight: first.social_weight * draws.factor(8.0),
            social_bias_weight: first.social_bias_weight * draws.factor(8.0),
            ..near
        });
    }
    let openings = runs.iter().map(|run| u64::from(run.openings)).sum();
    let opened_values = runs
        .iter()
        .map(|run| u64::from(run.openings) * (common_users * run.opened_columns()) as u64)
        .sum();
    let budget = SocialBudget {
        runs: runs.len(),
        openings,
        opened_values,
    };
    (runs, budget)
}

struct Draws(ChaCha8Rng);

impl Draws {
    fn new(seed: u64) -> Self {
        Self(stream(seed, purpose::START))
    }

    fn unit(&mut self) -> f64 {
        unit(&mut self.0)
    }

    /// One of 0 to `bound` − 1.
    fn next(&mut self, bound: u32) -> u32 {
        self.0.next_u32() % bound
    }

    /// Logarithmically uniform in 1/reach to reach.
    fn factor(&mut self, reach: f64) -> f64 {
        reach.powf(2.0 * self.unit() - 1.0)
    }

    fn around(&mut self, base: &SolverSettings) -> SolverSettings {
        let decay = self.factor(4.0);
        let rank = match self.next(3) {
            0 => base.rank.div_ceil(2),
            1 => base.rank,
            _ => base.rank * 2,
        };
        // One in four goes without.
        let with_implicit = !self.0.next_u32().is_multiple_of(4) && base.solver == SolverKind::Als;
        let ridge = base.implicit_ridge.unwrap_or(IMPLICIT_RIDGE) * self.factor(4.0);
        SolverSettings {
            rank: rank.min(crate::settings::MAX_RANK),
            user_decay: base.user_decay * decay * self.factor(1.5),
            item_decay: base.item_decay * decay * self.factor(1.5),
            user_bias_decay: base.user_bias_decay * self.factor(4.0),
            item_bias_decay: base.item_bias_decay * self.factor(4.0),
            implicit_ridge: with_implicit.then_some(ridge),
            activity_prior: self.0.next_u32().is_multiple_of(2),
            ..base.clone()
        }
    }

    fn near(&mut self, base: &SolverSettings) -> SolverSettings {
        SolverSettings {
            user_decay: base.user_decay * self.factor(1.5),
            item_decay: base.item_decay * self.factor(1.5),
            user_bias_decay: base.user_bias_decay * self.factor(1.5),
            item_bias_decay: base.item_bias_decay * self.factor(1.5),
            implicit_ridge: base.implicit_ridge.map(|ridge| ridge * self.factor(1.5)),
            ..base.clone()
        }
    }
}

/// ρ to search around where the base settings have none.
const IMPLICIT_RIDGE: f64 = 10.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_openings_before_anything_is_opened() {
        let best = SolverSettings {
            openings: 3,
            rank: 4,
            social_bias_weight: 1.0,
            ..Default::default()
        };
        let search = TuneSettings {
            social_runs: 5,
            ..TuneSettings::default()
        };
        let (runs, budget) = social_candidates(&best, 100, &search);
        assert_eq!((runs.len(), budget.runs, budget.openings), (5, 5, 15));
        assert_eq!(budget.opened_values, 15 * 100 * 5);
        assert_eq!(runs[0], best);
        assert_eq!(social_candidates(&best, 100, &search).0, runs);
        // Without a weight to start from there is one to try.
        let (runs, _) = social_candidates(&best.without_social(), 100, &search);
        assert!(runs.iter().all(SolverSettings::is_social));
    }

    #[test]
    fn every_decay_prior_and_ridge_is_searched() {
        let base = SolverSettings {
            implicit_ridge: Some(10.0),
            ..SolverSettings::default()
        };
        let mut draws = Draws::new(1);
        let drawn: Vec<SolverSettings> = (0..64).map(|_| draws.around(&base)).collect();
        let differs = |pick: fn(&SolverSettings) -> f64| {
            let values: Vec<f64> = drawn.iter().map(pick).collect();
            let (low, high) = (pick(&base) / 2.0, pick(&base) * 2.0);
            values.iter().any(|v| *v < low) && values.iter().any(|v| *v > high)
        };
        assert!(differs(|s| s.user_decay) && differs(|s| s.item_decay));
        assert!(differs(|s| s.user_bias_decay) && differs(|s| s.item_bias_decay));
        assert!(differs(|s| s.implicit_ridge.unwrap_or(10.0)));
        for with in [false, true] {
            assert!(drawn.iter().any(|s| s.activity_prior == with));
            assert!(drawn.iter().any(|s| s.implicit_ridge.is_some() == with));
        }
        assert!(drawn.iter().all(|s| s.validate().is_ok()));
    }
}
