//! What every model must beat.

use crate::activity::ActivityPrior;
use crate::{Predictor, Unit};
use s3rec_sparse::RatingMatrix;

/// Predicts μ for everything.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GlobalMean {
    mean: f64,
}

impl GlobalMean {
    /// Learns μ.
    pub fn fit(ratings: &RatingMatrix) -> Self {
        Self {
            mean: ratings.mean(),
        }
    }
}

impl Predictor for GlobalMean {
    fn score(&self, _user: u32, _item: u32) -> f64 {
        self.mean
    }

    fn scale(&self) -> (f64, f64) {
        (f64::NEG_INFINITY, f64::INFINITY)
    }
}

/// Predicts m + s·(μ + b_i + c_j), learnt from standardised ratings.
#[derive(Debug, Clone, PartialEq)]
pub struct Biases {
    unit: Unit,
    mean: f64,
    scale: (f64, f64),
    users: Vec<f64>,
    items: Vec<f64>,
}

/// Sweeps after which the biases no longer move in the digits anyone reports.
const SWEEPS: usize = 12;

impl Biases {
    /// Learns the minimum of ½ Σ (z_ij − μ − b_i − c_j)² + λ_b/2 Σ b_i² + λ_c/2 Σ c_j² by
    /// alternating closed forms, items first.
    pub fn fit(
        ratings: &RatingMatrix,
        scale: (f64, f64),
        user_decay: f64,
        item_decay: f64,
    ) -> Self {
        Self::fit_around(ratings, scale, (user_decay, item_decay), false).0
    }

    /// As [`Self::fit`], with b_i drawn to what the user's activity says instead of to 0 when
    /// `with_activity`; gives that prior too.
    pub(crate) fn fit_around(
        ratings: &RatingMatrix,
        scale: (f64, f64),
        (user_decay, item_decay): (f64, f64),
        with_activity: bool,
    ) -> (Self, ActivityPrior) {
        let unit = Unit::of(ratings);
        let standardised: f64 = (0..ratings.users())
            .flat_map(|user| ratings.by_user(user).1)
            .map(|&r| unit.standardise(r))
            .sum();
        let mean = ratio(standardised, ratings.len() as f64);
        let mut prior = ActivityPrior::NONE;
        let mut users = vec![0.0; ratings.users()];
        let mut items = vec![0.0; ratings.items()];
        for _ in 0..SWEEPS {
            for (item, c_j) in items.iter_mut().enumerate() {
                let (sum, count) = left_over(&unit, ratings.by_item(item), &users, mean);
                *c_j = ratio(sum, count + item_decay);
            }
            let left: Vec<(f64, f64)> = (0..ratings.users())
                .map(|user| left_over(&unit, ratings.by_user(user), &items, mean))
                .collect();
            if with_activity {
                let means: Vec<f64> = left.iter().map(|&(sum, n)| ratio(sum, n)).collect();
                prior = ActivityPrior::fit(ratings, &means, user_decay);
            }
            let centres = prior.centres(ratings);
            for ((b_i, (sum, count)), centre) in users.iter_mut().zip(left).zip(centres) {
                *b_i = ratio(sum + user_decay * centre, count + user_decay);
            }
        }
        let biases = Self {
            unit,
            mean,
            scale,
            users,
            items,
        };
        (biases, prior)
    }

    /// What the numbers are measured in.
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// μ, standardised.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// b_i for all users, standardised.
    pub fn users(&self) -> &[f64] {
        &self.users
    }

    /// c_j for all items, standardised.
    pub fn items(&self) -> &[f64] {
        &self.items
    }
}

impl Predictor for Biases {
    fn score(&self, user: u32, item: u32) -> f64 {
        let bias = |of: &[f64], index: u32| of.get(index as usize).copied().unwrap_or(0.0);
        let standardised = self.mean + bias(&self.users, user) + bias(&self.items, item);
        self.unit.restore(standardised)
    }

    fn scale(&self) -> (f64, f64) {
        self.scale
    }
}

/// What μ and the other side's biases leave of a row, summed up, and how many ratings that are.
fn left_over(
    unit: &Unit,
    (others, values): (&[u32], &[f32]),
    biases: &[f64],
    mean: f64,
) -> (f64, f64) {
    let left = others.iter().zip(values);
    let left = left.map(|(&o, &r)| unit.standardise(r) - mean - biases[o as usize]);
    (left.sum(), values.len() as f64)
}

/// 0 where there is nothing to divide by.
fn ratio(sum: f64, weight: f64) -> f64 {
    if weight > 0.0 { sum / weight } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_sparse::Rating;

    #[test]
    fn finds_additive_effects() {
        let mut given = Vec::new();
        for user in 0..6u32 {
            for item in 0..5u32 {
                if (user + item) % 3 != 0 {
                    let value = 3.0 + 0.2 * user as f32 - 0.3 * item as f32;
                    given.push(Rating { user, item, value });
                }
            }
        }
        let r = RatingMatrix::from_ratings(6, 5, &given).unwrap();
        let biases = Biases::fit(&r, (0.0, 6.0), 1e-9, 1e-9);
        // Held-out pairs follow the same rule.
        assert!((biases.predict(3, 0) - 3.6).abs() < 0.02);
        assert!((biases.predict(99, 99) - r.mean()).abs() < 1e-12);
        assert_eq!(GlobalMean::fit(&r).predict(0, 0), r.mean());
    }
}
