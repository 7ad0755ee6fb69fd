//! How well known an item is, as a part of its place in a list.
//!
//! An expected rating alone ranks obscure items first: of 100,000 items that hardly anybody
//! rated, some were lucky. Lists are therefore ordered by the expected rating plus w times
//! ln(1 + n_j) / ln(1 + max n), in spreads of the ratings, n_j the item's number of ratings.
//! Expected ratings themselves are not touched. How large w should be is learnt from ratings that
//! the model has not seen ([`learn`]): where lists are judged by what people chose, popularity is
//! most of it; where by what they liked, less.

use crate::evaluate::{RankingSettings, ranking_by_weight};
use crate::{Predictor, Unit};
use s3rec_sparse::{Rating, RatingMatrix};

/// The weight where there is nothing to learn one from.
pub const DEFAULT_WEIGHT: f64 = 4.0;

/// Weights that are tried, in spreads of the ratings.
pub const WEIGHTS: [f64; 9] = [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// Weights that are tried beside the scores of [`lists`](crate::lists), which lie about 0 to 1.
pub const LIST_WEIGHTS: [f64; 8] = [0.0, 0.01, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0];

/// Users whose lists decide.
const JUDGES: usize = 500;

/// What each item gains in a list from its number of ratings, in spreads of the ratings.
pub fn popularity(ratings: &RatingMatrix, weight: f64) -> Vec<f64> {
    let rated = |item: usize| (1.0 + ratings.by_item(item).0.len() as f64).ln();
    let most = (0..ratings.items())
        .map(rated)
        .fold(f64::MIN_POSITIVE, f64::max);
    (0..ratings.items())
        .map(|item| weight * rated(item) / most)
        .collect()
}

/// The weight of [`WEIGHTS`] with the best lists for `unseen` ratings, the smallest of equals;
/// none when no user has a relevant one. `ratings` and `unit` are those that `predictor` learnt
/// from.
pub fn learn(
    predictor: &dyn Predictor,
    ratings: &RatingMatrix,
    unit: &Unit,
    unseen: &[Rating],
    judged: &RankingSettings,
) -> Option<f64> {
    let judged = RankingSettings {
        users: judged.users.min(JUDGES),
        ..judged.clone()
    };
    let found = ranking_by_weight(predictor, ratings, unit, unseen, &judged, &WEIGHTS);
    let mut best: Option<(f64, f64)> = None;
    for (&weight, metrics) in WEIGHTS.iter().zip(found?) {
        if best.is_none_or(|(_, ndcg)| metrics.ndcg > ndcg) {
            best = Some((weight, metrics.ndcg));
        }
    }
    best.map(|(weight, _)| weight)
}
