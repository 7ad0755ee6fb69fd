use super::fold::FoldQuality;
use super::{Bucket, FRIEND_BUCKETS, RankingMetrics};
use crate::Accuracy;
use serde::{Deserialize, Serialize};

/// Mean and sample standard deviation over the folds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Sample standard deviation; 0 for one fold.
    pub std: f64,
}

impl Spread {
    /// Over the given values; none when there are none.
    pub fn over(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.into_iter().collect();
        if values.is_empty() {
            return None;
        }
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values
            .iter()
            .map(|value| (value - mean) * (value - mean))
            .sum();
        let std = if values.len() > 1 {
            (squares / (count - 1.0)).sqrt()
        } else {
            0.0
        };
        Some(Self { mean, std })
    }
}

/// One model over all folds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelQuality {
    /// RMSE on all held-out ratings.
    pub rmse: Spread,
    /// MAE on all held-out ratings.
    pub mae: Spread,
    /// RMSE for cold-start users; null where no fold has one.
    pub cold_rmse: Option<Spread>,
    /// MAE for cold-start users.
    pub cold_mae: Option<Spread>,
    /// Rankings; null where they were not judged (the global mean ranks nothing).
    pub ranking: Option<RankingSpread>,
    /// Rankings for cold-start users.
    #[serde(default)]
    pub cold_ranking: Option<RankingSpread>,
    /// RMSE, MAE and rankings by number of friends, means over the folds.
    pub by_friends: Vec<Bucket>,
}

/// Ranking metrics over all folds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RankingSpread {
    /// NDCG at the cutoff.
    pub ndcg: Spread,
    /// Recall at the cutoff.
    pub recall: Spread,
    /// Hit rate at the cutoff.
    pub hit_rate: Spread,
    /// Mean reciprocal rank at the cutoff.
    pub mrr: Spread,
    /// Coverage.
    pub coverage: Spread,
}

impl ModelQuality {
    pub(super) fn over<'a>(folds: impl Iterator<Item = &'a FoldQuality>) -> Self {
        let folds: Vec<&FoldQuality> = folds.collect();
        let all = |pick: fn(&Accuracy) -> f64| {
            Spread::over(folds.iter().map(|fold| pick(&fold.all))).unwrap_or_default()
        };
        let cold = |pick: fn(&Accuracy) -> f64| {
            Spread::over(folds.iter().filter_map(|fold| fold.cold.as_ref().map(pick)))
        };
        Self {
            rmse: all(|accuracy| accuracy.rmse),
            mae: all(|accuracy| accuracy.mae),
            cold_rmse: cold(|accuracy| accuracy.rmse),
            cold_mae: cold(|accuracy| accuracy.mae),
            ranking: RankingSpread::over(folds.iter().filter_map(|fold| fold.ranking)),
            cold_ranking: RankingSpread::over(folds.iter().filter_map(|fold| fold.cold_ranking)),
            by_friends: (0..FRIEND_BUCKETS.len())
                .filter_map(|bucket| mean_bucket(folds.iter().filter_map(|f| f.by_friends[bucket])))
                .collect(),
        }
    }
}

impl RankingSpread {
    /// The means alone.
    pub fn means(&self) -> RankingMetrics {
        RankingMetrics {
            ndcg: self.ndcg.mean,
            recall: self.recall.mean,
            hit_rate: self.hit_rate.mean,
            mrr: self.mrr.mean,
            coverage: self.coverage.mean,
        }
    }

    pub(super) fn over(folds: impl Iterator<Item = RankingMetrics>) -> Option<Self> {
        let folds: Vec<RankingMetrics> = folds.collect();
        let spread = |pick: fn(&RankingMetrics) -> f64| Spread::over(folds.iter().map(pick));
        Some(Self {
            ndcg: spread(|m| m.ndcg)?,
            recall: spread(|m| m.recall)?,
            hit_rate: spread(|m| m.hit_rate)?,
            mrr: spread(|m| m.mrr)?,
            coverage: spread(|m| m.coverage)?,
        })
    }
}

fn mean_bucket(folds: impl Iterator<Item = Bucket>) -> Option<Bucket> {
    let folds: Vec<Bucket> = folds.collect();
    let first = *folds.first()?;
    let mean = |pick: fn(&Bucket) -> f64| folds.iter().map(pick).sum::<f64>() / folds.len() as f64;
    Some(Bucket {
        ratings: mean(|bucket| bucket.ratings),
        accuracy: Accuracy {
            rmse: mean(|bucket| bucket.accuracy.rmse),
            mae: mean(|bucket| bucket.accuracy.mae),
        },
        ranking: RankingSpread::over(folds.iter().filter_map(|fold| fold.ranking))
            .map(|spread| spread.means()),
        ..first
    })
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn spreads_by_hand() {
        let spread = Spread::over([1.0, 2.0, 3.0]).unwrap();
        assert_eq!((spread.mean, spread.std), (2.0, 1.0));
        assert_eq!(
            Spread::over([4.0]),
            Some(Spread {
                mean: 4.0,
                std: 0.0
            })
        );
        assert_eq!(Spread::over([]), None);
    }
}
