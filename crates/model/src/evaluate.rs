//! Evaluation over folds, as people know it from Cornac and RecBole: rating errors, rankings,
//! cold-start users, users by number of friends; mean and standard deviation over the folds.

mod breakdown;
mod ranking;
mod spread;

pub use breakdown::{Bucket, FRIEND_BUCKETS};
pub use ranking::{RankingMetrics, RankingSettings, ranking};
pub use spread::{ModelQuality, RankingSpread, Spread};

use crate::{
    Accuracy, Biases, GlobalMean, LaplacianObjective, ModelError, Predictor, SocialMf,
    SocialObjective, SolverSettings, accuracy, solver,
};
use breakdown::by_friends;
use ranking::Judged;
use s3rec_sparse::{OperatorKind, Rating, RatingMatrix, SocialMatrix, SocialOperator};
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
    /// The solver and its settings; the no-social model uses the same.
    pub solver: SolverSettings,
    /// Which Y.
    pub operator: OperatorKind,
    /// Users with fewer training ratings are cold.
    pub cold_below: usize,
    /// Rankings; none skips them, which takes most of the time on large catalogues.
    pub ranking: Option<RankingSettings>,
}

impl Default for EvaluationSettings {
    fn default() -> Self {
        Self {
            solver: SolverSettings::default(),
            operator: OperatorKind::NormalizedLaplacian,
            cold_below: 5,
            ranking: Some(RankingSettings::default()),
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
    /// Social against no-social RMSE, fold by fold.
    pub rmse_by_fold: Vec<FoldRmse>,
}

/// The comparison table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QualityTable {
    /// μ for everything.
    pub global_mean: ModelQuality,
    /// μ + b_i + c_j.
    pub biases: ModelQuality,
    /// The same solver without the social term.
    pub no_social: ModelQuality,
    /// With the social term, over the clear product.
    pub social: ModelQuality,
}

/// One fold's RMSE.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FoldRmse {
    /// All users, without the social term.
    pub no_social: f64,
    /// All users, with it.
    pub social: f64,
    /// Cold-start users, without it; null when the fold has none.
    pub no_social_cold: Option<f64>,
    /// Cold-start users, with it.
    pub social_cold: Option<f64>,
}

/// Evaluates baselines, the no-social model and the social model on every fold.
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
    let operator = SocialOperator::build(settings.operator, data.social);
    let objective = social_objective(&operator);
    let friends = data.social.friends();
    let mut folds = Vec::new();
    for (fold, split) in data.splits.iter().enumerate() {
        let train = Arc::new(RatingMatrix::from_ratings(
            data.users,
            data.items,
            &split.train,
        )?);
        let measure = |predictor: &dyn Predictor, ranked: bool| {
            measure(
                predictor,
                &train,
                &split.test,
                &friends,
                data.scale,
                settings,
                ranked,
            )
        };
        progress(fold, "baselines");
        let decay = (
            settings.solver.user_bias_decay,
            settings.solver.item_bias_decay,
        );
        let global_mean = measure(&GlobalMean::fit(&train), false)?;
        let biases = measure(&Biases::fit(&train, data.scale, decay.0, decay.1), true)?;
        progress(fold, "no social term");
        let mut without = solver(Arc::clone(&train), data.scale, &settings.solver, None)?;
        while !without.is_finished() {
            without.step(None)?;
        }
        let no_social = measure(without.model(), true)?;
        progress(fold, "social term");
        let mut with = solver(
            Arc::clone(&train),
            data.scale,
            &settings.solver,
            Some(Arc::clone(&objective)),
        )?;
        while !with.is_finished() {
            let product = if with.wants_opening() {
                Some(operator.multiply_real(with.user_factors())?)
            } else {
                None
            };
            with.step(product.as_ref())?;
        }
        let social = measure(with.model(), true)?;
        folds.push([global_mean, biases, no_social, social]);
    }
    let table = |model: usize| ModelQuality::over(folds.iter().map(|fold| &fold[model]));
    let openings = settings.solver.openings;
    Ok(EvaluationReport {
        folds: folds.len(),
        openings,
        opened_values: u64::from(openings) * (data.users * settings.solver.opened_columns()) as u64,
        quality: QualityTable {
            global_mean: table(0),
            biases: table(1),
            no_social: table(2),
            social: table(3),
        },
        rmse_by_fold: folds
            .iter()
            .map(|[_, _, no_social, social]| FoldRmse {
                no_social: no_social.all.rmse,
                social: social.all.rmse,
                no_social_cold: no_social.cold.map(|cold| cold.rmse),
                social_cold: social.cold.map(|cold| cold.rmse),
            })
            .collect(),
        settings: settings.clone(),
    })
}

/// The objective that goes with an operator, its curvature from the public bound.
pub fn social_objective(operator: &SocialOperator) -> Arc<dyn SocialObjective> {
    match operator.kind() {
        OperatorKind::Laplacian => {
            Arc::new(LaplacianObjective::published(operator.row_norm_bound()))
        }
        OperatorKind::NormalizedLaplacian => Arc::new(LaplacianObjective::normalized()),
        OperatorKind::OutAverage => Arc::new(SocialMf),
    }
}

/// One model on one fold.
struct FoldQuality {
    all: Accuracy,
    cold: Option<Accuracy>,
    by_friends: Vec<Option<Bucket>>,
    ranking: Option<RankingMetrics>,
    cold_ranking: Option<RankingMetrics>,
}

fn measure(
    predictor: &dyn Predictor,
    train: &RatingMatrix,
    test: &[Rating],
    friends: &[usize],
    scale: (f64, f64),
    settings: &EvaluationSettings,
    ranked: bool,
) -> Result<FoldQuality, ModelError> {
    let is_cold = |user: u32| train.by_user(user as usize).0.len() < settings.cold_below;
    let cold = test.iter().copied().filter(|rating| is_cold(rating.user));
    let cold: Vec<Rating> = cold.collect();
    let wanted = settings.ranking.as_ref().filter(|_| ranked);
    let judged = wanted.map(|wanted| Judged::new(predictor, train, test, scale, wanted));
    Ok(FoldQuality {
        all: accuracy(predictor, test)?,
        cold: if cold.is_empty() {
            None
        } else {
            Some(accuracy(predictor, &cold)?)
        },
        by_friends: by_friends(predictor, test, friends, judged.as_ref())?,
        ranking: judged.as_ref().and_then(|judged| judged.over(|_| true)),
        cold_ranking: judged.as_ref().and_then(|judged| judged.over(is_cold)),
    })
}
