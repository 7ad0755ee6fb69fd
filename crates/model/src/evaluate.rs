//! Evaluation over folds, as people know it from Cornac and RecBole: rating errors, rankings,
//! cold-start users, users by number of friends; mean and standard deviation over the folds.
//!
//! Five models on every fold: the mean, the biases, a model without links, the same with links
//! rewired at random ([`rewired`]), and with the links as they are. What the last gains on the
//! one before is social; the rest is shrinkage, and could be had without anybody's links.

mod block_placebo;
mod breakdown;
mod cold;
mod draw;
mod fold;
mod gain;
mod lists;
mod opening;
mod placebo;
mod ranking;
mod spread;
mod warnings;

pub use block_placebo::rewired_block;
pub use breakdown::{Bucket, FRIEND_BUCKETS};
pub use cold::{
    ColdEvaluation, ColdReport, ColdSettings, Gates, ListScore, NoiseLevel, ReleaseSize,
    evaluate_cold,
};
#[cfg(test)]
pub(crate) use draw::noised;
pub use fold::Choice;
pub(crate) use gain::student;
pub use gain::{Gain, Interval};
pub(crate) use lists::learn_weight;
pub use lists::{ListsEvaluation, ListsQuality, ListsReport, ListsTable, evaluate_lists};
pub use opening::{Learn, Population, SimulatedOpening};
pub use placebo::rewired;
pub(crate) use ranking::ndcg;
pub use ranking::{RankingMetrics, RankingSettings, Relevance, ranking_by_weight};
pub use spread::{ModelQuality, RankingSpread, Spread};

use crate::{LaplacianObjective, ModelError, SocialMf, SocialObjective, SolverSettings};
use fold::{FoldQuality, Learning, Links};
use s3rec_sparse::{OperatorKind, Rating, SocialMatrix, SocialOperator};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One fold's ratings.
#[derive(Clone)]
pub struct Split {
    /// To learn from.
    pub train: Vec<Rating>,
    /// Held out.
    pub test: Vec<Rating>,
}

/// What is evaluated on.
pub struct EvaluationData<'a> {
    /// P0's users.
    pub users: usize,
    /// P0's items.
    pub items: usize,
    /// Lowest and highest rating.
    pub scale: (f64, f64),
    /// Links over P0's users, in the clear.
    pub social: &'a SocialMatrix,
    /// The folds.
    pub splits: &'a [Split],
}

/// What is evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluationSettings {
    /// The solver and its settings, with the social term; the placebo uses the same.
    pub solver: SolverSettings,
    /// Settings of the model without links, tuned for themselves; none: those of `solver`.
    pub no_social: Option<SolverSettings>,
    /// Which Y.
    pub operator: OperatorKind,
    /// Users with fewer training ratings are cold.
    pub cold_below: usize,
    /// Rankings; none skips them, which takes most of the time on large catalogues.
    pub ranking: Option<RankingSettings>,
    /// Seed of the rewired links and of what each fold holds out once more to choose by.
    pub seed: u64,
}

impl Default for EvaluationSettings {
    fn default() -> Self {
        Self {
            solver: SolverSettings::default(),
            no_social: None,
            operator: OperatorKind::NormalizedLaplacian,
            cold_below: 5,
            ranking: Some(RankingSettings::default()),
            seed: 0,
        }
    }
}

/// The whole evaluation, as printed by `s3rec evaluate --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluationReport {
    /// Number of folds.
    pub folds: usize,
    /// What was evaluated.
    pub settings: EvaluationSettings,
    /// Openings that one secure run with these settings makes.
    pub openings: u32,
    /// Values that one secure run opens when all users are common: users × opened columns ×
    /// openings.
    pub opened_values: u64,
    /// Model by model.
    pub quality: QualityTable,
    /// What the links gain beyond rewired ones: the social gain.
    pub social_gain: Gain,
    /// What the social term gains with rewired links: shrinkage, not social.
    pub placebo_gain: Gain,
    /// What the social term gains on the model without links, both together.
    pub total_gain: Gain,
    /// RMSE of the three learnt models, fold by fold.
    pub rmse_by_fold: Vec<FoldRmse>,
    /// What each fold chose on ratings that it held out once more.
    pub choices: Vec<FoldChoices>,
    /// What a reader should know before using the figures.
    pub warnings: Vec<String>,
}

/// The comparison table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QualityTable {
    /// μ for everything.
    pub global_mean: ModelQuality,
    /// μ + b_i + c_j.
    pub biases: ModelQuality,
    /// Without links.
    pub no_social: ModelQuality,
    /// With links rewired at random, everybody's number of them kept.
    pub placebo: ModelQuality,
    /// With the links, over the clear product.
    pub social: ModelQuality,
}

/// One fold's RMSE.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FoldRmse {
    /// All users, without the social term.
    pub no_social: f64,
    /// All users, with rewired links.
    pub placebo: f64,
    /// All users, with the links.
    pub social: f64,
    /// Cold-start users, without it; null when the fold has none.
    pub no_social_cold: Option<f64>,
    /// Cold-start users, with rewired links.
    pub placebo_cold: Option<f64>,
    /// Cold-start users, with the links.
    pub social_cold: Option<f64>,
}

/// What one fold chose for each learnt model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FoldChoices {
    /// Without links.
    pub no_social: Choice,
    /// With rewired links.
    pub placebo: Choice,
    /// With the links.
    pub social: Choice,
}

/// Evaluates baselines, the model without links, the placebo and the social model on every fold.
///
/// A fifth of each fold's training ratings is held out once more to choose two things by, then
/// everything is learnt anew from all of them: whether the social term is used at all (not where
/// it makes the RMSE worse than that of the model without links; the placebo has the same right),
/// and how much popularity counts in lists.
///
/// `progress` is told "fold, what" before each part, for people who wait.
///
/// # Errors
/// No folds, an empty side of one, data that make no matrix, or the solver's refusal.
pub fn evaluate(
    data: &EvaluationData<'_>,
    settings: &EvaluationSettings,
    progress: &mut dyn FnMut(usize, &str),
) -> Result<EvaluationReport, ModelError> {
    if data.splits.is_empty() {
        return Err(ModelError::NoRatings("fold's"));
    }
    let links = Links::new(settings.operator, data.social)?;
    let friends = data.social.friends();
    let mut folds = Vec::new();
    for (fold, split) in data.splits.iter().enumerate() {
        let seed = settings.seed.wrapping_add(fold as u64);
        progress(fold, "rewiring the links");
        let placebo = Links::new(settings.operator, &rewired(data.social, seed)?)?;
        let learning = Learning {
            data,
            settings,
            friends: &friends,
            seed,
        };
        folds.push(learning.fold(split, &links, &placebo, &mut |what| progress(fold, what))?);
    }
    let table =
        |model: fn(&FoldOutcome) -> &FoldQuality| ModelQuality::over(folds.iter().map(model));
    let gain = |model: fn(&FoldOutcome) -> &FoldQuality, over: fn(&FoldOutcome) -> &FoldQuality| {
        Gain::over(folds.iter().map(move |fold| (model(fold), over(fold))))
    };
    let openings = settings.solver.openings;
    let mut report = EvaluationReport {
        folds: folds.len(),
        openings,
        opened_values: u64::from(openings) * (data.users * settings.solver.opened_columns()) as u64,
        quality: QualityTable {
            global_mean: table(|fold| &fold.global_mean),
            biases: table(|fold| &fold.biases),
            no_social: table(|fold| &fold.no_social),
            placebo: table(|fold| &fold.placebo),
            social: table(|fold| &fold.social),
        },
        social_gain: gain(|fold| &fold.social, |fold| &fold.placebo),
        placebo_gain: gain(|fold| &fold.placebo, |fold| &fold.no_social),
        total_gain: gain(|fold| &fold.social, |fold| &fold.no_social),
        rmse_by_fold: folds.iter().map(FoldOutcome::rmse).collect(),
        choices: folds.iter().map(|fold| fold.choices).collect(),
        warnings: Vec::new(),
        settings: settings.clone(),
    };
    let drawn_in = folds.iter().map(|fold| fold.drawn_in).max().unwrap_or(0);
    report.warnings = warnings::of(&report, drawn_in);
    Ok(report)
}

/// Everything about one fold.
struct FoldOutcome {
    global_mean: FoldQuality,
    biases: FoldQuality,
    no_social: FoldQuality,
    placebo: FoldQuality,
    social: FoldQuality,
    choices: FoldChoices,
    /// Training ratings drawn in by the unit.
    drawn_in: usize,
}

impl FoldOutcome {
    fn rmse(&self) -> FoldRmse {
        let cold = |model: &FoldQuality| model.cold.map(|cold| cold.rmse);
        FoldRmse {
            no_social: self.no_social.all.rmse,
            placebo: self.placebo.all.rmse,
            social: self.social.all.rmse,
            no_social_cold: cold(&self.no_social),
            placebo_cold: cold(&self.placebo),
            social_cold: cold(&self.social),
        }
    }
}

/// The objective that goes with an operator, its curvature from the public bound.
///
/// # Errors
/// As [`objective_of`].
pub fn social_objective(operator: &SocialOperator) -> Result<Arc<dyn SocialObjective>, ModelError> {
    objective_of(operator.kind(), operator.row_norm_bound())
}

/// The objective that goes with a kind of operator whose row norm bound, at scale 2^f_y, is that.
///
/// # Errors
/// [`ModelError::NoObjective`] for `friends`, whose sums are estimated from after a training.
pub fn objective_of(
    kind: OperatorKind,
    row_norm_bound: u64,
) -> Result<Arc<dyn SocialObjective>, ModelError> {
    Ok(match kind {
        OperatorKind::Laplacian => Arc::new(LaplacianObjective::published(row_norm_bound)),
        OperatorKind::NormalizedLaplacian => Arc::new(LaplacianObjective::normalized()),
        OperatorKind::OutAverage => Arc::new(SocialMf),
        OperatorKind::Friends => return Err(ModelError::NoObjective { operator: kind }),
    })
}
