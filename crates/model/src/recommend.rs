//! Top-N with reasons, fast enough to serve.

use crate::batch::{self, Asked, ListedItem};
use crate::least_squares::NormalEquations;
use crate::popularity::popularity;
use crate::top_items::TopItems;
use crate::{Biases, Model, SolverSettings};
use s3rec_sparse::RatingMatrix;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;

/// One recommended item.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Recommendation {
    /// Item index.
    pub item: u32,
    /// Expected rating, on the scale.
    pub rating: f64,
    /// What lists are ordered by: the expected rating before clipping, and popularity.
    pub score: f64,
    /// Where it comes from.
    pub why: Explanation,
}

/// The parts of an expected rating and of a place in a list.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Explanation {
    /// μ, the mean of all ratings.
    pub mean: f64,
    /// How much better than the mean others find the item.
    pub item: f64,
    /// How generous the user is, going by their own ratings alone.
    pub user: f64,
    /// How well the item fits the taste in the user's own ratings.
    pub own_taste: f64,
    /// What the social term adds: bias and taste as learnt, less what the user's own ratings
    /// alone would give.
    pub social: f64,
    /// What the item's number of ratings adds to its place in a list, not to its rating.
    pub popularity: f64,
}

impl Explanation {
    /// The rating before clipping: every part but popularity.
    pub fn total(&self) -> f64 {
        self.mean + self.item + self.user + self.own_taste + self.social
    }
}

/// Serves predictions and top-N lists from a trained model. Reads only; share it freely.
pub struct Recommender {
    model: Model,
    ratings: Arc<RatingMatrix>,
    user_decay: (f64, f64),
    /// What each user's bias was drawn to, standardised.
    bias_centres: Vec<f64>,
    /// Without a social term, all that was learnt is the user's own.
    is_social: bool,
    /// Standardised.
    popularity: Vec<f64>,
    top: TopItems,
}

impl Recommender {
    /// `ratings` are those the model was trained on (seen items, and the user's own part of an
    /// explanation); `settings` those it was trained with; `popularity_weight` what an item's
    /// number of ratings counts in lists (see [`popularity`](crate::popularity)).
    pub fn new(
        model: Model,
        ratings: Arc<RatingMatrix>,
        settings: &SolverSettings,
        popularity_weight: f64,
    ) -> Self {
        let mut popularity = popularity(&ratings, popularity_weight);
        popularity.resize(model.items.rows(), 0.0);
        let top = TopItems::new(&model.users, &model.items, &popularity);
        let user_decay = (settings.user_decay, settings.user_bias_decay);
        let decays = (settings.user_bias_decay, settings.item_bias_decay);
        let around = Biases::fit_around(&ratings, model.scale, decays, settings.activity_prior);
        let bias_centres = around.1.centres(&ratings);
        Self {
            model,
            ratings,
            user_decay,
            bias_centres,
            is_social: settings.is_social(),
            popularity,
            top,
        }
    }

    /// The model served.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The expected rating of one pair, with its parts. An unknown user is an average user, an
    /// unknown item an average item.
    pub fn explain(&self, user: Option<u32>, item: Option<u32>) -> Recommendation {
        let known_user = user.filter(|&user| (user as usize) < self.model.users.rows());
        let known_item = item.filter(|&item| (item as usize) < self.model.items.rows());
        let own = known_user.map(|user| self.own_row(user as usize));
        self.explained(known_user, own.as_deref(), known_item.unwrap_or(u32::MAX))
    }

    /// As [`Self::explain`] for many items of one user, whose own part is computed once.
    pub fn explain_all(&self, user: Option<u32>, items: &[u32]) -> Vec<Recommendation> {
        let user = user.filter(|&user| (user as usize) < self.model.users.rows());
        let own = user.map(|user| self.own_row(user as usize));
        items
            .iter()
            .map(|&item| self.explained(user, own.as_deref(), item))
            .collect()
    }

    /// The `count` best items for a user, best first, without those they have rated and
    /// without `exclude` (item indices). For an unknown user, the items best known
    /// and liked.
    pub fn recommend(
        &self,
        user: Option<u32>,
        count: usize,
        exclude: &[u32],
    ) -> Vec<Recommendation> {
        let user = user.filter(|&user| (user as usize) < self.model.users.rows());
        let (seen, _) = user.map_or((&[][..], &[][..]), |u| self.ratings.by_user(u as usize));
        let mut excluded = exclude.to_vec();
        excluded.sort_unstable();
        let wanted = |item: u32| {
            seen.binary_search(&item).is_err() && excluded.binary_search(&item).is_err()
        };
        let factor = user.map_or(&[][..], |user| self.model.user_factor(user as usize));
        let count = count.min(self.model.items.rows());
        let (found, _) = self.top.candidates(factor, count, wanted);
        let mut found = self.explain_all(user, &found);
        found.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.item.cmp(&b.item)));
        found.truncate(count);
        found
    }

    /// The lists of a run of users, the same as one by one; shorter past the last of them.
    pub fn lists(
        &self,
        users: Range<usize>,
        count: usize,
        include_rated: bool,
    ) -> Vec<Vec<ListedItem>> {
        let users = users.start..users.end.min(self.model.users.rows());
        let asked = users.clone().map(|user| Asked {
            factor: self.model.user_factor(user).to_vec(),
            skip: match include_rated || user >= self.ratings.users() {
                true => &[],
                false => self.ratings.by_user(user).0,
            },
        });
        let asked: Vec<Asked<'_>> = asked.collect();
        let (rank, unit) = (self.model.rank(), self.model.unit);
        let scorer = |place: usize| {
            let learnt = self.model.users.row(users.start + place);
            move |item: u32| {
                let v = self.model.items.row(item as usize);
                let taste: f64 = learnt[..rank].iter().zip(v).map(|(u, v)| u * v).sum();
                let popularity = self.popularity.get(item as usize).copied().unwrap_or(0.0);
                let standard = v[rank] + learnt[rank] + taste + popularity;
                unit.restore(self.model.mean) + unit.spread * standard
            }
        };
        batch::lists(&self.top, &asked, count, scorer)
    }

    /// The share of the catalogue that is scored to answer a request like `recommend`.
    pub fn scored_share(&self, user: u32, count: usize) -> f64 {
        let factor = self.model.user_factor(user as usize);
        let (_, scored) = self.top.candidates(factor, count, |_| true);
        scored as f64 / self.top.blocks() as f64
    }

    fn explained(&self, user: Option<u32>, own: Option<&[f64]>, item: u32) -> Recommendation {
        let rank = self.model.rank();
        let item_row = ((item as usize) < self.model.items.rows())
            .then(|| self.model.items.row(item as usize));
        let dot = |row: &[f64]| -> f64 {
            item_row.map_or(0.0, |v| row[..rank].iter().zip(v).map(|(u, v)| u * v).sum())
        };
        let learnt = user.map(|user| self.model.users.row(user as usize));
        let (user_part, own_taste) = own.map_or((0.0, 0.0), |own| (own[rank], dot(own)));
        let social = match (learnt, own) {
            (Some(learnt), Some(own)) => learnt[rank] + dot(learnt) - own[rank] - dot(own),
            _ => 0.0,
        };
        let popularity = self.popularity.get(item as usize).copied().unwrap_or(0.0);
        let unit = self.model.unit;
        let why = Explanation {
            mean: unit.restore(self.model.mean),
            item: unit.spread * item_row.map_or(0.0, |v| v[rank]),
            user: unit.spread * user_part,
            own_taste: unit.spread * own_taste,
            social: unit.spread * social,
            popularity: unit.spread * popularity,
        };
        let rating = why.total().clamp(self.model.scale.0, self.model.scale.1);
        let score = why.total() + why.popularity;
        Recommendation {
            item,
            rating,
            score,
            why,
        }
    }

    /// (u_i, b_i) as the user's own ratings alone would give it, the items as learnt.
    fn own_row(&self, user: usize) -> Vec<f64> {
        if !self.is_social {
            return self.model.users.row(user).to_vec();
        }
        let width = self.model.users.columns();
        let rank = width - 1;
        let mut system = NormalEquations::new(width);
        system.reset(self.user_decay);
        let centre = self.bias_centres.get(user).copied().unwrap_or(0.0);
        system.centre_bias(centre, self.user_decay);
        let mut features = vec![1.0; width];
        let (items, values) = self.ratings.by_user(user);
        for (&item, &value) in items.iter().zip(values) {
            let item = self.model.items.row(item as usize);
            features[..rank].copy_from_slice(&item[..rank]);
            let rating = self.model.unit.standardise(value);
            system.observe(&features, rating - self.model.mean - item[rank]);
        }
        let mut own = vec![0.0; width];
        system.solve(&mut own);
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::popularity::DEFAULT_WEIGHT;
    use crate::{Predictor, Unit};
    use s3rec_algebra::RealMatrix;
    use s3rec_sparse::Rating;

    fn recommender(users: u32, items: u32) -> Recommender {
        let value = |n: usize| ((n * 7919 + 13) % 1009) as f64 / 1009.0 - 0.5;
        let matrix = |rows: u32, salt: usize| {
            let rows = rows as usize;
            let values = (0..rows * 4).map(|n| value(n + salt)).collect();
            RealMatrix::from_vec(rows, 4, values).unwrap()
        };
        let unit = Unit {
            centre: 2.5,
            spread: 0.5,
            ..Unit::OF_RATINGS
        };
        let model = Model {
            unit,
            mean: 1.0,
            scale: (1.0, 5.0),
            users: matrix(users, 5),
            items: matrix(items, 71),
        };
        let seen: Vec<Rating> = (0..users)
            .flat_map(|user| {
                (0..9u32).map(move |n| Rating {
                    user,
                    item: (user * 31 + n * 17) % items,
                    value: (n % 5) as f32 + 1.0,
                })
            })
            .collect();
        let ratings =
            Arc::new(RatingMatrix::from_ratings(users as usize, items as usize, &seen).unwrap());
        Recommender::new(model, ratings, &SolverSettings::default(), DEFAULT_WEIGHT)
    }

    #[test]
    fn gives_the_best_unseen_items_in_order() {
        let served = recommender(5, 1000);
        for user in 0..5u32 {
            let found = served.recommend(Some(user), 12, &[3, 999]);
            let (seen, _) = served.ratings.by_user(user as usize);
            let mut expected: Vec<(f64, u32)> = (0..1000u32)
                .filter(|item| !seen.contains(item) && ![3, 999].contains(item))
                .map(|item| {
                    let known = 0.5 * served.popularity[item as usize];
                    (served.model.score(user, item) + known, item)
                })
                .collect();
            expected.sort_by(|a, b| b.0.total_cmp(&a.0));
            assert_eq!(found.len(), 12);
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found.score - expected.0).abs() < 1e-12);
                assert_eq!(found.item, expected.1);
            }
        }
    }

    /// More users than a group, past the last one too.
    #[test]
    fn lists_of_many_users_are_those_of_each() {
        let served = recommender(150, 1000);
        for include_rated in [false, true] {
            let lists = served.lists(3..999, 12, include_rated);
            assert_eq!(lists.len(), 147);
            for (user, list) in (3..).zip(&lists) {
                let mut alone = served.recommend(Some(user), 12, &[]);
                if include_rated {
                    let (rated, _) = served.ratings.by_user(user as usize);
                    alone.extend(served.explain_all(Some(user), rated));
                    alone.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.item.cmp(&b.item)));
                }
                for (found, expected) in list.iter().zip(&alone) {
                    assert_eq!(found.item, expected.item);
                    assert!((found.score - expected.score).abs() < 1e-12);
                }
                assert_eq!(list.len(), 12);
            }
        }
    }

    #[test]
    fn the_parts_add_up_to_the_prediction() {
        let served = recommender(4, 70);
        for item in [0, 5, 69] {
            let explained = served.explain(Some(2), Some(item));
            assert!((explained.rating - served.model.predict(2, item)).abs() < 1e-9);
            assert!((explained.why.total() - served.model.score(2, item)).abs() < 1e-9);
            assert_eq!(served.explain_all(Some(2), &[item]), [explained]);
        }
    }

    #[test]
    fn strangers_get_what_is_best_known_and_liked() {
        let served = recommender(4, 130);
        let found = served.recommend(None, 3, &[]);
        let best = (0..130)
            .map(|j| 0.5 * (served.model.item_bias(j) + served.popularity[j]))
            .fold(f64::MIN, f64::max);
        assert!((found[0].why.item + found[0].why.popularity - best).abs() < 1e-6);
        assert_eq!((found[0].why.user, found[0].why.social), (0.0, 0.0));
        assert_eq!(served.recommend(Some(99), 3, &[]), found);
        let unknown = served.explain(None, None);
        assert_eq!(unknown.rating, 3.0);
        assert_eq!(served.recommend(Some(1), 500, &[]).len(), 121);
        assert!(served.recommend(Some(1), 0, &[]).is_empty());
    }
}
