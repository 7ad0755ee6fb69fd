//! Ratings that people are told after an opening: by the explicit model of all ratings, and for
//! opened users with few of their own by what friends' sums add to them, where a gate is open.

use super::OpenedSides;
use super::predicted::{KeptRatings, PredictedBase, PredictedFriends};
use crate::{Model, ModelError, SolverSettings, Unit, solver};
use s3rec_algebra::RealMatrix;
use s3rec_sparse::RatingMatrix;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Whoever has so many ratings or more is predicted by them alone.
const MOST_KEPT: usize = 4;
/// Calibration users with ratings from whom a map is learnt, at least.
const FEWEST: usize = 20;

/// Everything that ratings are predicted from. P0's secret.
#[derive(Clone, Serialize, Deserialize)]
pub struct FriendsRatings {
    /// Lowest and highest rating.
    scale: (f64, f64),
    all: Rows,
    few: Option<Few>,
}

/// A model's numbers: a row is a factor and a bias.
#[derive(Clone, Serialize, Deserialize)]
struct Rows {
    unit: Unit,
    mean: f64,
    width: usize,
    users: Vec<f64>,
    items: Vec<f64>,
}

/// Opened users with few ratings whose predictions rest on friends, by the model that has seen no
/// rating of a calibration user.
#[derive(Clone, Serialize, Deserialize)]
struct Few {
    base: Rows,
    /// Ascending.
    users: Vec<u32>,
    /// Theirs with what friends add; without it they are the users of `base`.
    with: Vec<f64>,
}

/// A rating, and what it rests on: the parts add up to it but for the scale's ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PredictedRating {
    /// Within the scale.
    pub rating: f64,
    /// μ.
    pub mean: f64,
    /// How the user rates.
    pub user: f64,
    /// How the item is rated.
    pub item: f64,
    /// From the user's own ratings.
    pub own: f64,
    /// From what friends like, whoever they are.
    pub friends: f64,
}

impl FriendsRatings {
    /// Learns from P0's ratings and a release: `sums` are the rows of O in order, with noise of
    /// standard deviation `sigma`. `base` has learnt, with the same settings, from the ratings of
    /// all but the calibration users.
    ///
    /// # Errors
    /// Settings out of range, and no ratings.
    pub fn learn(
        ratings: &RatingMatrix,
        scale: (f64, f64),
        sides: &OpenedSides,
        (sums, sigma): (&RealMatrix, f64),
        settings: &SolverSettings,
        base: &PredictedBase,
    ) -> Result<Self, ModelError> {
        let settings = settings.without_social();
        let mut learning = solver(Arc::new(ratings.clone()), scale, &settings, None)?;
        while !learning.is_finished() {
            learning.step(None)?;
        }
        Ok(Self {
            scale,
            all: Rows::of(learning.model(), learning.model().users.values()),
            few: Few::learn(ratings, sides, (sums, sigma), (base, settings.seed)),
        })
    }

    /// The expected rating of one pair; an unknown user is an average user, an unknown item an
    /// average item.
    #[must_use]
    pub fn predict(&self, user: Option<usize>, item: Option<usize>) -> PredictedRating {
        let few = self.few.as_ref().zip(user);
        let on_friends = few.and_then(|(few, user)| {
            let place = few.users.binary_search(&u32::try_from(user).ok()?).ok()?;
            let own = few.base.user(place)?;
            let with = row(&few.with, few.base.width, place)?;
            Some((&few.base, own, with))
        });
        if let Some((base, own, with)) = on_friends {
            return self.told(base, own, Some(with), item);
        }
        let nobody = vec![0.0; self.all.width];
        let own = user.and_then(|user| self.all.user(user));
        self.told(&self.all, own.unwrap_or(&nobody), None, item)
    }

    /// How many users' ratings rest on friends.
    #[must_use]
    pub fn rest_on_friends(&self) -> usize {
        self.few.as_ref().map_or(0, |few| few.users.len())
    }

    fn told(
        &self,
        rows: &Rows,
        own: &[f64],
        with: Option<&[f64]>,
        item: Option<usize>,
    ) -> PredictedRating {
        let item = item.and_then(|item| row(&rows.items, rows.width, item));
        let rank = rows.width - 1;
        let spread = rows.unit.spread;
        let dot = |user: &[f64]| -> f64 {
            let item = item.unwrap_or_default();
            user[..rank].iter().zip(item).map(|(u, v)| u * v).sum()
        };
        let (mean, user) = (rows.unit.restore(rows.mean), spread * own[rank]);
        let of_item = spread * item.map_or(0.0, |item| item[rank]);
        let taste = spread * dot(own);
        let friends = with.map_or(0.0, |with| {
            spread * (with[rank] - own[rank] + dot(with) - dot(own))
        });
        let (lowest, highest) = self.scale;
        PredictedRating {
            rating: (mean + user + of_item + taste + friends).clamp(lowest, highest),
            mean,
            user,
            item: of_item,
            own: taste,
            friends,
        }
    }
}

impl Rows {
    fn of(model: &Model, users: &[f64]) -> Self {
        Self {
            unit: model.unit,
            mean: model.mean,
            width: model.items.columns(),
            users: users.to_vec(),
            items: model.items.values().to_vec(),
        }
    }

    fn user(&self, place: usize) -> Option<&[f64]> {
        row(&self.users, self.width, place)
    }
}

impl Few {
    /// None where hardly anybody could be learnt from, or no gate is open.
    fn learn(
        ratings: &RatingMatrix,
        sides: &OpenedSides,
        (sums, sigma): (&RealMatrix, f64),
        (base, seed): (&PredictedBase, u64),
    ) -> Option<Self> {
        let of = |user: u32| ratings.by_user(user as usize);
        let row_of = |user: &u32| sides.opened.binary_search(user).ok();
        let learnt_from: Vec<u32> = sides
            .calibration
            .iter()
            .copied()
            .filter(|user| !of(*user).0.is_empty())
            .collect();
        if learnt_from.len() < FEWEST {
            return None;
        }
        let is_calibration = |user: u32| sides.calibration.binary_search(&user).is_ok();
        let places: Vec<usize> = learnt_from.iter().filter_map(row_of).collect();
        let all: Vec<(&[u32], &[f32])> = learnt_from.iter().map(|&user| of(user)).collect();
        let groups: Vec<Vec<Option<KeptRatings>>> = (0..=MOST_KEPT)
            .map(|kept| {
                let users = learnt_from.iter();
                users
                    .map(|&user| KeptRatings::draw(of(user), kept, seed.wrapping_add(user.into())))
                    .collect()
            })
            .collect();
        let friends = PredictedFriends::fit(base, (sums, sigma), &places, &all, &groups);
        let (mut users, mut own, mut with) = (Vec::new(), Vec::new(), Vec::new());
        for (row, &user) in sides.opened.iter().enumerate() {
            let (items, values) = of(user);
            let group = items.len();
            // Of calibration users the base has seen no rating, whatever they gave.
            if group > MOST_KEPT || is_calibration(user) {
                continue;
            }
            let Some(shift) = friends.shift(group, row) else {
                continue;
            };
            users.push(user);
            own.extend(base.fold_in(items, values, friends.alone(group)));
            with.extend(base.fold_in(items, values, &shift));
        }
        let base = Rows::of(base.model(), &own);
        (!users.is_empty()).then_some(Self { base, users, with })
    }
}

fn row(values: &[f64], width: usize, place: usize) -> Option<&[f64]> {
    let start = place.checked_mul(width)?;
    values.get(start..start.checked_add(width)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_sparse::Rating;

    /// Users of two tastes with friends who share theirs: 300 calibration users, and 100 who gave
    /// nothing.
    fn release(noise: f64) -> (RatingMatrix, OpenedSides, RealMatrix) {
        let users = 700_u32;
        let mut ratings = Vec::new();
        for user in 0..users - 100 {
            for item in (0..40).filter(|item| (user * 7 + item * 5) % 3 != 0) {
                let likes = user % 2 == item % 2;
                let value = if likes { 5 } else { 1 };
                ratings.push(Rating {
                    user,
                    item,
                    value: value as f32,
                });
            }
        }
        let ratings = RatingMatrix::from_ratings(users as usize, 40, &ratings).unwrap();
        let opened: Vec<u32> = (300..users).collect();
        let sums = opened.iter().flat_map(|user| {
            let taste = if user % 2 == 0 { 4.0 } else { -4.0 };
            let wobble = f64::from(user % 5) - 2.0;
            [taste + noise * wobble, noise * wobble]
        });
        let sums = RealMatrix::from_vec(opened.len(), 2, sums.collect()).unwrap();
        let sides = OpenedSides {
            opened,
            uploaded: (0..300).collect(),
            calibration: (300..600).collect(),
        };
        (ratings, sides, sums)
    }

    fn settings() -> SolverSettings {
        SolverSettings {
            rank: 2,
            ..SolverSettings::default()
        }
    }

    fn learn(
        ratings: &RatingMatrix,
        sides: &OpenedSides,
        noisy: (&RealMatrix, f64),
    ) -> FriendsRatings {
        let is_held_back = |user: u32| sides.calibration.binary_search(&user).is_ok();
        let rest = ratings.iter().filter(|rating| !is_held_back(rating.user));
        let rest: Vec<Rating> = rest.collect();
        let rest = RatingMatrix::from_ratings(ratings.users(), ratings.items(), &rest).unwrap();
        let (scale, settings) = ((1.0, 5.0), settings());
        let base = PredictedBase::learn(&rest, scale, &settings).unwrap();
        FriendsRatings::learn(ratings, scale, sides, noisy, &settings, &base).unwrap()
    }

    #[test]
    fn everybody_gets_a_rating_and_is_told_what_friends_add() {
        let (ratings, sides, sums) = release(0.1);
        let learnt = learn(&ratings, &sides, (&sums, 0.1));
        assert_eq!(learnt.rest_on_friends(), 100);
        // Who gave nothing, and has friends of either taste.
        for user in 600..700_usize {
            for item in [2_usize, 3] {
                let told = learnt.predict(Some(user), Some(item));
                let likes = user % 2 == item % 2;
                assert_eq!(told.rating > 3.0, likes, "{user} {item} {told:?}");
                assert_eq!(told.friends > 0.0, likes, "{user} {item} {told:?}");
                let sum = told.mean + told.user + told.item + told.own + told.friends;
                assert!((sum.clamp(1.0, 5.0) - told.rating).abs() < 1e-9, "{told:?}");
            }
        }
        // Who gave enough is predicted by it, whoever their friends are.
        let warm = learnt.predict(Some(400), Some(2));
        assert_eq!(warm.friends, 0.0);
        assert!(warm.rating > 4.0, "{warm:?}");
        // Somebody and something unknown are average.
        let unknown = learnt.predict(None, None);
        assert_eq!(
            (unknown.user, unknown.item, unknown.friends),
            (0.0, 0.0, 0.0)
        );
        assert!((1.0..=5.0).contains(&unknown.rating));
        assert_eq!(learnt.predict(Some(9_999), None), unknown);
        // What is stored says the same.
        let bytes = postcard::to_stdvec(&learnt).unwrap();
        let stored: FriendsRatings = postcard::from_bytes(&bytes).unwrap();
        let pair = (Some(650), Some(7));
        assert_eq!(
            stored.predict(pair.0, pair.1),
            learnt.predict(pair.0, pair.1)
        );
    }

    #[test]
    fn friends_who_say_nothing_are_not_used() {
        let (ratings, sides, mut sums) = release(0.1);
        // Everybody's friends are as everybody's, but for their number.
        for (place, value) in sums.values_mut().iter_mut().enumerate() {
            *value = f64::from(u32::try_from(place * 7 % 11).unwrap());
        }
        let learnt = learn(&ratings, &sides, (&sums, 1.0));
        assert_eq!(learnt.rest_on_friends(), 0);
        assert_eq!(learnt.predict(Some(650), Some(2)).friends, 0.0);
    }
}
