//! Search for hyper-parameters: successive halving on the clear no-social model, which costs
//! no opening, then a handful of social runs whose openings are counted before they start.
//!
//! The space, logarithmically uniform around the base settings: factor decays × 1/4 to 4 with
//! users and items up to 1.5 apart either way, bias decays × 1/4 to 4, rank one of 1/2, 1 and
//! 2 times the base. Social weights: γ and the bias γ, × 1/8 to 8.

use crate::{ModelError, SolverSettings, accuracy, solver};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use s3rec_sparse::{Rating, RatingMatrix};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How much to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TuneSettings {
    /// Settings tried on the no-social model.
    pub candidates: usize,
    /// Sweeps (or steps) of the first round; doubled whenever the field is halved.
    pub first_sweeps: u32,
    /// Social runs after that.
    pub social_runs: usize,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for TuneSettings {
    fn default() -> Self {
        Self {
            candidates: 32,
            first_sweeps: 4,
            social_runs: 6,
            seed: 0,
        }
    }
}

/// Settings and what they reached on the validation ratings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The settings.
    pub settings: SolverSettings,
    /// Validation RMSE.
    pub rmse: f64,
    /// Sweeps or steps it was given.
    pub sweeps: u32,
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

/// Successive halving on the no-social model; best first, the last round's survivors only.
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
            let mut solver = solver(Arc::clone(train), scale, &short, None)?;
            let mut diverged = false;
            while !solver.is_finished() && !diverged {
                match solver.step(None) {
                    Ok(_) => {}
                    Err(ModelError::Diverged { .. }) => diverged = true,
                    Err(other) => return Err(other),
                }
            }
            let rmse = accuracy(solver.model(), validation)?.rmse;
            let rmse = if diverged || rmse.is_nan() {
                f64::INFINITY
            } else {
                rmse
            };
            trials.push(Trial {
                settings: settings.clone(),
                rmse,
                sweeps,
            });
        }
        trials.sort_by(|a, b| a.rmse.total_cmp(&b.rmse));
        if trials.len() <= 3 {
            return Ok(trials);
        }
        trials.truncate(trials.len().div_ceil(2));
        field = trials.into_iter().map(|trial| trial.settings).collect();
        sweeps *= 2;
    }
}

/// The settings of the social runs, the base weights first, and what they will open.
pub fn social_candidates(
    best: &SolverSettings,
    common_users: usize,
    search: &TuneSettings,
) -> (Vec<SolverSettings>, SocialBudget) {
    let mut draws = Draws::new(search.seed ^ 0x5eed);
    let mut runs = vec![best.clone()];
    while runs.len() < search.social_runs.max(1) {
        runs.push(SolverSettings {
            social_weight: best.social_weight * draws.factor(8.0),
            social_bias_weight: best.social_bias_weight * draws.factor(8.0),
            ..best.clone()
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
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Logarithmically uniform in 1/reach to reach.
    fn factor(&mut self, reach: f64) -> f64 {
        reach.powf(2.0 * self.unit() - 1.0)
    }

    fn around(&mut self, base: &SolverSettings) -> SolverSettings {
        let decay = self.factor(4.0);
        let rank = match self.0.next_u32() % 3 {
            0 => base.rank.div_ceil(2),
            1 => base.rank,
            _ => base.rank * 2,
        };
        SolverSettings {
            rank: rank.min(crate::settings::MAX_RANK),
            user_decay: base.user_decay * decay * self.factor(1.5),
            item_decay: base.item_decay * decay * self.factor(1.5),
            user_bias_decay: base.user_bias_decay * self.factor(4.0),
            item_bias_decay: base.item_bias_decay * self.factor(4.0),
            ..base.clone()
        }
    }
}

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
    }
}
