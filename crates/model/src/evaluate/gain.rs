//! Differences between two models over the same folds, and how sure they are.

use super::fold::FoldQuality;
use serde::{Deserialize, Serialize};

/// Student's t at 97.5 %, by degrees of freedom from 1.
const T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];
/// The normal distribution's, for many degrees of freedom.
const Z: f64 = 1.959_964;

/// A mean difference with the 95 % interval of the paired t test over the folds. Folds share
/// ratings to learn from, so the interval is a little too narrow.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Mean over the folds; above 0 is a gain.
    pub mean: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Over paired differences; none for fewer than two.
    pub fn over(differences: &[f64]) -> Option<Self> {
        let count = differences.len() as f64;
        let freedom = differences.len().checked_sub(1).filter(|&f| f > 0)?;
        let mean = differences.iter().sum::<f64>() / count;
        let squares: f64 = differences.iter().map(|d| (d - mean) * (d - mean)).sum();
        let error = (squares / (count - 1.0) / count).sqrt();
        let t = student(freedom);
        Some(Self {
            mean,
            low: mean - t * error,
            high: mean + t * error,
        })
    }

    /// Whether the whole interval lies above 0.
    pub fn is_gain(&self) -> bool {
        self.low > 0.0
    }

    /// Whether the whole interval lies below 0.
    pub fn is_loss(&self) -> bool {
        self.high < 0.0
    }
}

/// Student's t at 97.5 % for so many degrees of freedom, 1 at least.
pub(crate) fn student(freedom: usize) -> f64 {
    T.get(freedom.saturating_sub(1))
        .copied()
        .unwrap_or_else(|| {
            // Cornish and Fisher's expansion: within 1e-5 from 31 on.
            let f = freedom as f64;
            Z + (Z.powi(3) + Z) / (4.0 * f)
                + (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / (96.0 * f * f)
        })
}

/// What a model gains on another, fold by fold on the same ratings. Every figure is above 0 where
/// the model is better: errors are the other's less the model's, NDCG the model's less the other's.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Gain {
    /// In RMSE on all held-out ratings.
    pub rmse: Option<Interval>,
    /// In MAE.
    pub mae: Option<Interval>,
    /// In NDCG at the cutoff, 10 unless told otherwise; null where rankings were not judged.
    pub ndcg_10: Option<Interval>,
    /// In RMSE for cold-start users; null where fewer than two folds have any.
    pub cold_rmse: Option<Interval>,
    /// In NDCG for cold-start users.
    pub cold_ndcg_10: Option<Interval>,
}

impl Gain {
    pub(super) fn over<'a>(
        pairs: impl Iterator<Item = (&'a FoldQuality, &'a FoldQuality)> + Clone,
    ) -> Self {
        let paired = |pick: &dyn Fn(&FoldQuality) -> Option<f64>, sign: f64| {
            let difference = |(model, other)| Some(sign * (pick(model)? - pick(other)?));
            let differences: Vec<f64> = pairs.clone().filter_map(difference).collect();
            Interval::over(&differences)
        };
        Self {
            rmse: paired(&|fold| Some(fold.all.rmse), -1.0),
            mae: paired(&|fold| Some(fold.all.mae), -1.0),
            ndcg_10: paired(&|fold| fold.ranking.map(|r| r.ndcg), 1.0),
            cold_rmse: paired(&|fold| fold.cold.map(|c| c.rmse), -1.0),
            cold_ndcg_10: paired(&|fold| fold.cold_ranking.map(|r| r.ndcg), 1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_by_hand() {
        // Mean 3, standard deviation √2.5, standard error √0.5, t of 4 is 2.776.
        let found = Interval::over(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert_eq!(found.mean, 3.0);
        assert!((found.high - 3.0 - 2.776 * 0.5f64.sqrt()).abs() < 1e-9);
        assert!((found.low + found.high - 6.0).abs() < 1e-12);
        assert!(found.is_gain() && !found.is_loss());
        assert_eq!(Interval::over(&[1.0]), None);
        let none = Interval::over(&[-1.0, 1.0]).unwrap();
        assert!(!none.is_gain() && !none.is_loss());
    }

    #[test]
    fn many_folds_meet_few() {
        // t of 30 is 2.0423, of 31 is 2.0395, of 99 is 1.9842.
        let width = |folds: usize| {
            let differences: Vec<f64> = (0..folds).map(|n| (n % 2) as f64).collect();
            let found = Interval::over(&differences).unwrap();
            let mean = found.mean;
            let squares: f64 = differences.iter().map(|d| (d - mean) * (d - mean)).sum();
            let folds = folds as f64;
            (found.high - mean) / (squares / (folds - 1.0) / folds).sqrt()
        };
        for (folds, t) in [(31, 2.0423), (32, 2.0395), (100, 1.9842)] {
            assert!((width(folds) - t).abs() < 1e-3, "{folds}: {}", width(folds));
        }
    }
}
