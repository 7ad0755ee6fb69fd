//! Search for the settings of [`lists`](crate::lists): draws around the base settings, the first of
//! them as they are, each judged by NDCG with the best weight of popularity.
//!
//! The space: rank one of 1/2, 1 and 2 times the base, up to 128; α × 1/10 to 10, λ × 1/4 to 4;
//! the slope of the confidences 0, 1/2, 1 or 2 times the base, 1 where the base has none.

use super::{Draws, TuneSettings};
use crate::evaluate::{RankingSettings, learn_weight};
use crate::lists::MAX_RANK;
use crate::{ListsModel, ListsSettings, ModelError};
use s3rec_sparse::{Rating, RatingMatrix};
use serde::{Deserialize, Serialize};

/// Settings for lists and what they reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListsTrial {
    /// The settings.
    pub settings: ListsSettings,
    /// NDCG on the validation ratings.
    pub ndcg: f64,
    /// The weight of popularity that it was reached with.
    pub popularity_weight: f64,
}

/// Tries [`TuneSettings::candidates`] settings; best first, of equals the one tried first. Opens
/// nothing.
///
/// # Errors
/// Empty sides, or settings out of range.
pub fn tune_lists(
    train: &RatingMatrix,
    validation: &[Rating],
    base: &ListsSettings,
    search: &TuneSettings,
) -> Result<Vec<ListsTrial>, ModelError> {
    let ranking = search.ranking.clone().unwrap_or_default();
    let mut draws = Draws::new(search.seed ^ 0x1157);
    let mut trials = Vec::new();
    for number in 0..search.candidates.max(1) {
        let settings = match number {
            0 => base.clone(),
            _ => draws.lists_around(base),
        };
        trials.push(trial(train, validation, settings, &ranking)?);
    }
    trials.sort_by(|a, b| b.ndcg.total_cmp(&a.ndcg));
    Ok(trials)
}

fn trial(
    train: &RatingMatrix,
    validation: &[Rating],
    settings: ListsSettings,
    ranking: &RankingSettings,
) -> Result<ListsTrial, ModelError> {
    let model = ListsModel::learn(train, &settings)?;
    let (popularity_weight, ndcg) = learn_weight(&model, train, validation, ranking);
    if !ndcg.is_finite() {
        return Err(ModelError::NoRatings("relevant validation"));
    }
    Ok(ListsTrial {
        settings,
        ndcg,
        popularity_weight,
    })
}

impl Draws {
    fn lists_around(&mut self, base: &ListsSettings) -> ListsSettings {
        let rank = match self.next(3) {
            0 => base.rank.div_ceil(2),
            1 => base.rank,
            _ => base.rank * 2,
        };
        let slope = if base.confidence_slope > 0.0 {
            base.confidence_slope
        } else {
            1.0
        };
        let times = match self.next(4) {
            0 => 0.0,
            1 => 0.5,
            2 => 1.0,
            _ => 2.0,
        };
        ListsSettings {
            rank: rank.min(MAX_RANK),
            unobserved_weight: base.unobserved_weight * self.factor(10.0),
            decay: base.decay * self.factor(4.0),
            confidence_slope: slope * times,
            ..base.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_is_tried_and_the_best_comes_first() {
        let ratings: Vec<Rating> = (0..60u32)
            .flat_map(|user| {
                let items = (0..12).map(move |n| (user % 4) * 20 + (user * 3 + n * 7) % 20);
                items.map(move |item| Rating {
                    user,
                    item,
                    value: 5.0,
                })
            })
            .collect();
        let (train, held_out): (Vec<Rating>, Vec<Rating>) =
            ratings.iter().partition(|r| (r.user / 4 + r.item) % 5 != 0);
        let train = RatingMatrix::from_ratings(60, 80, &train).unwrap();
        let base = ListsSettings {
            rank: 4,
            sweeps: 3,
            ..ListsSettings::default()
        };
        let search = TuneSettings {
            candidates: 6,
            ..TuneSettings::default()
        };
        let trials = tune_lists(&train, &held_out, &base, &search).unwrap();
        assert_eq!(trials.len(), 6);
        assert!(trials.windows(2).all(|pair| pair[0].ndcg >= pair[1].ndcg));
        assert!(trials.iter().any(|trial| trial.settings == base));
        assert!(trials.iter().all(|trial| trial.settings.validate().is_ok()));
        assert!(trials.iter().any(|trial| trial.settings.rank != base.rank));
        let again = tune_lists(&train, &held_out, &base, &search).unwrap();
        assert_eq!(again, trials);
        assert!(tune_lists(&train, &[], &base, &search).is_err());
    }
}
