//! The unit that P0 learns in: ratings are standardised before anything is learnt from them, so
//! that decays, social weights, u_max and step sizes mean the same on every scale.
//!
//! | symbol | meaning |
//! |---|---|
//! | q₀, q₁ | the ratings at 0.5 % and at 99.5 % of all, in order |
//! | m, s | mean and standard deviation of the ratings, each drawn to q₀ or q₁ if outside |
//! | z = (r − m)/s | what is learnt from, drawn to (q₀ − m)/s − 3 or (q₁ − m)/s + 3 if outside |
//!
//! Quantiles are ratings that occur, so r ↦ a·r + b with a > 0 gives the same z. The 0.5 % at
//! either end move m and s by little, however far out they lie, and no rating pulls more than
//! one three spreads past the quantile would: on scales as people use them nothing is drawn in.

use rayon::prelude::*;
use s3rec_sparse::RatingMatrix;
use serde::{Deserialize, Serialize};

/// The share at either end that does not decide the unit.
const TAIL: f64 = 0.005;
/// How far beyond the quantiles a rating may lie, in spreads.
const REACH: f64 = 3.0;

/// Centre and spread of the ratings, and the limits of what is learnt from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// m, in rating units.
    pub centre: f64,
    /// s, in rating units, above 0.
    pub spread: f64,
    /// The lowest rating that is learnt from as it is, in rating units.
    pub lowest: f64,
    /// The highest.
    pub highest: f64,
    /// q₁ − q₀ in rating units, 0 when all ratings are one: the scale as it is used.
    pub range: f64,
    /// q₁, in rating units.
    pub top: f64,
}

impl Unit {
    /// The unit of a model whose numbers are rating units already.
    pub const OF_RATINGS: Self = Self {
        centre: 0.0,
        spread: 1.0,
        lowest: f64::NEG_INFINITY,
        highest: f64::INFINITY,
        range: 0.0,
        top: 0.0,
    };

    /// The unit of ratings to learn from.
    pub fn of(ratings: &RatingMatrix) -> Self {
        let mut sorted: Vec<f32> = (0..ratings.users())
            .flat_map(|user| ratings.by_user(user).1.iter().copied())
            .collect();
        sorted.par_sort_unstable_by(f32::total_cmp);
        let (Some(&first), Some(&last)) = (sorted.first(), sorted.last()) else {
            return Self::OF_RATINGS;
        };
        let tail = tail(sorted.len());
        let (bottom, top) = (sorted[tail], sorted[sorted.len() - 1 - tail]);
        let unit = |low: f32, high: f32, reach: f64| {
            let (low, high) = (f64::from(low), f64::from(high));
            let drawn = || sorted.iter().map(|&r| f64::from(r).clamp(low, high));
            let count = sorted.len() as f64;
            // From the lowest on, so that a large offset costs no digits.
            let centre = low + drawn().map(|r| r - low).sum::<f64>() / count;
            let squares: f64 = drawn().map(|r| (r - centre) * (r - centre)).sum();
            let spread = (squares / count).sqrt();
            Self {
                centre,
                spread,
                lowest: low - reach * spread,
                highest: high + reach * spread,
                range: high - low,
                top: high,
            }
        };
        let robust = unit(bottom, top, REACH);
        if robust.spread > 0.0 {
            return robust;
        }
        // All but the tails are one value: the tails are all there is to learn.
        let whole = unit(first, last, 0.0);
        if whole.spread > 0.0 {
            return whole;
        }
        Self {
            spread: 1.0,
            ..whole
        }
    }

    /// z of a rating, drawn in.
    pub fn standardise(&self, rating: f32) -> f64 {
        let drawn = f64::from(rating).clamp(self.lowest, self.highest);
        (drawn - self.centre) / self.spread
    }

    /// The rating of a z.
    pub fn restore(&self, standardised: f64) -> f64 {
        self.centre + self.spread * standardised
    }

    /// How many of `ratings` were drawn in, so that their size was not learnt.
    pub fn drawn_in(&self, ratings: &RatingMatrix) -> usize {
        let outside = |&&r: &&f32| !(self.lowest..=self.highest).contains(&f64::from(r));
        (0..ratings.users())
            .map(|user| ratings.by_user(user).1.iter().filter(outside).count())
            .sum()
    }
}

/// How many ratings lie in one tail.
fn tail(count: usize) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small share of a count of ratings in memory"
    )]
    let tail = (count as f64 * TAIL) as usize;
    tail
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_sparse::Rating;

    fn matrix(values: &[f32]) -> RatingMatrix {
        let ratings: Vec<Rating> = (0u32..)
            .zip(values)
            .map(|(item, &value)| Rating {
                user: item % 3,
                item,
                value,
            })
            .collect();
        RatingMatrix::from_ratings(3, values.len(), &ratings).unwrap()
    }

    fn stars(count: usize) -> Vec<f32> {
        (0..count).map(|n| (n * 7 % 5) as f32 + 1.0).collect()
    }

    #[test]
    fn stars_are_standardised_and_none_is_drawn_in() {
        let ratings = matrix(&stars(1000));
        let unit = Unit::of(&ratings);
        assert!((unit.centre - 3.0).abs() < 1e-12);
        assert!((unit.spread - 2f64.sqrt()).abs() < 1e-12);
        assert_eq!(unit.drawn_in(&ratings), 0);
        assert_eq!((unit.range, unit.top), (4.0, 5.0));
        for stars in 1..=5u8 {
            let back = unit.restore(unit.standardise(f32::from(stars)));
            assert!((back - f64::from(stars)).abs() < 1e-12);
        }
    }

    #[test]
    fn the_unit_goes_with_the_ratings() {
        let values = stars(997);
        let unit = Unit::of(&matrix(&values));
        let mapped: Vec<f32> = values.iter().map(|r| r * 25.0 + 7.0).collect();
        let other = Unit::of(&matrix(&mapped));
        for (&r, &mapped) in values.iter().zip(&mapped) {
            assert!((unit.standardise(r) - other.standardise(mapped)).abs() < 1e-13);
        }
    }

    #[test]
    fn one_rating_out_of_all_bounds_changes_hardly_anything() {
        let mut values = stars(1000);
        let unit = Unit::of(&matrix(&values));
        values[17] = 99_999.0;
        let ratings = matrix(&values);
        let other = Unit::of(&ratings);
        assert_eq!(other.drawn_in(&ratings), 1);
        assert!((unit.centre - other.centre).abs() < 0.01);
        assert!((unit.spread - other.spread).abs() < 0.01);
        assert!(other.standardise(99_999.0) < 5.0);
    }

    #[test]
    fn ratings_that_hardly_differ_have_a_unit_too() {
        let unit = Unit::of(&matrix(&[2.0; 50]));
        assert_eq!((unit.centre, unit.spread), (2.0, 1.0));
        let mut values = vec![1.0; 1000];
        values[3] = 2.0;
        let unit = Unit::of(&matrix(&values));
        assert!(unit.spread > 0.0 && unit.standardise(2.0) > unit.standardise(1.0));
        let empty = RatingMatrix::from_ratings(1, 1, &[]).unwrap();
        assert_eq!(Unit::of(&empty), Unit::OF_RATINGS);
    }
}
