//! Factors of a recommender that is not ours, in the place of implicit ALS.
//!
//! All that is asked of them is that u·v orders a user's items. Their unit is brought to ours:
//! items' vectors to a mean square length of 1 over the observed pairs, users' by the one factor
//! that fits the objective of this module best. What is missing is solved for: all items where
//! none were given, and users who have ratings and no vector.
//!
//! A recommender that was trained on the calibration users' ratings remembers them in its items:
//! what is then measured on those users is too good. Leave their ratings out of its training.

use super::ListsSettings;
use super::half_step::solve_all;
use super::model::{ListsModel, confidences, decay_of, popularity};
use crate::eigen::{Eigen, gramian, turn};
use crate::{ModelError, Unit};
use rayon::prelude::*;
use s3rec_algebra::RealMatrix;
use s3rec_sparse::RatingMatrix;

/// The longest vector.
const MAX_WIDTH: usize = 512;

/// Looks up a vector by index.
pub type VectorOf<'v> = dyn Fn(u32) -> Option<&'v [f32]> + Sync + 'v;

/// Somebody else's factors.
#[derive(Clone, Copy)]
pub struct OwnFactors<'f, 'v> {
    /// k.
    pub width: usize,
    /// Of users.
    pub user: &'f VectorOf<'v>,
    /// Of items; none where they are to be solved for.
    pub item: Option<&'f VectorOf<'v>>,
}

impl ListsModel {
    /// A model of given factors, over `ratings` of everybody but the calibration users. Of
    /// `settings` everything counts but rank, sweeps and seed.
    ///
    /// # Errors
    /// [`ModelError::NoRatings`], [`ModelError::Setting`], or [`ModelError::OwnFactors`] where they
    /// say nothing of what users chose.
    pub fn imported(
        ratings: &RatingMatrix,
        settings: &ListsSettings,
        factors: OwnFactors<'_, '_>,
    ) -> Result<Self, ModelError> {
        let width = factors.width;
        settings.validate()?;
        if ratings.is_empty() {
            return Err(ModelError::NoRatings("training"));
        }
        if !(1..=MAX_WIDTH).contains(&width) {
            return Err(ModelError::OwnFactors(
                "their vectors are not 1 to 512 long",
            ));
        }
        let settings = ListsSettings {
            rank: width,
            ..settings.clone()
        };
        let unit = Unit::of(ratings);
        let observed = confidences(ratings, &settings, &unit)?;
        let alpha = settings.unobserved_weight;
        let mut users = gathered(ratings.users(), width, factors.user);
        // Users are those given · turned · scale.
        let mut turned = identity(width);
        let mut scale = 1.0;
        let mut items = match factors.item {
            Some(item) => {
                let mut items = gathered(ratings.items(), width, item);
                scale_to_one(&mut items, |item| ratings.by_item(item).0.len())?;
                items
            }
            None => {
                scale = scale_to_one(&mut users, |user| ratings.by_user(user).0.len())?;
                let mut items = RealMatrix::zeros(ratings.items(), width);
                let eigen = Eigen::of(gramian(&users), width);
                turn(&mut users, &eigen.vectors);
                turn(&mut turned, &eigen.vectors);
                let diagonal: Vec<f64> = eigen.values.iter().map(|g| alpha * g.max(0.0)).collect();
                let all = ratings.users() as f64;
                let decay = |item: usize| decay_of(&settings, observed.by_item(item).0.len(), all);
                let rows = |item: usize| observed.by_item(item);
                solve_all(&mut items, &users, &diagonal, decay, rows);
                items
            }
        };
        let eigen = Eigen::of(gramian(&items), width);
        turn(&mut items, &eigen.vectors);
        turn(&mut users, &eigen.vectors);
        turn(&mut turned, &eigen.vectors);
        let diagonal: Vec<f64> = eigen.values.iter().map(|g| alpha * g.max(0.0)).collect();
        let best = best_scale(&observed, &users, &items, &diagonal)?;
        users.values_mut().iter_mut().for_each(|u| *u *= best);
        let given = transposed(&turned, 1.0 / (scale * best));
        let popularity = popularity(ratings, &settings, &unit, |_| true);
        let (fixed, factors) = ((settings, unit), (users, items));
        let mut model = Self::of_parts(fixed, factors, diagonal, popularity, given);
        let missing: Vec<(usize, Vec<f64>)> = (0..ratings.users())
            .into_par_iter()
            .filter(|&user| model.users().row(user).iter().all(|u| *u == 0.0))
            .filter_map(|user| {
                let (items, values) = ratings.by_user(user);
                (!items.is_empty()).then(|| (user, model.fold_in(items, values, None)))
            })
            .collect();
        for (user, row) in missing {
            model.users_mut().row_mut(user).copy_from_slice(&row);
        }
        Ok(model)
    }
}

fn identity(width: usize) -> RealMatrix {
    let mut identity = RealMatrix::zeros(width, width);
    (0..width).for_each(|place| identity.row_mut(place)[place] = 1.0);
    identity
}

/// `scale` times a square matrix, rows for columns.
fn transposed(matrix: &RealMatrix, scale: f64) -> RealMatrix {
    let mut out = RealMatrix::zeros(matrix.columns(), matrix.rows());
    for row in 0..matrix.rows() {
        for (column, x) in matrix.row(row).iter().enumerate() {
            out.row_mut(column)[row] = scale * x;
        }
    }
    out
}

fn gathered(rows: usize, width: usize, of: &VectorOf<'_>) -> RealMatrix {
    let mut all = RealMatrix::zeros(rows, width);
    for (place, row) in (0u32..).zip(all.values_mut().chunks_exact_mut(width)) {
        let vector = of(place).unwrap_or_default().iter();
        row.iter_mut()
            .zip(vector)
            .for_each(|(to, x)| *to = f64::from(*x));
    }
    all
}

/// Mean square length 1 over the observed pairs; gives what they were multiplied by.
fn scale_to_one(rows: &mut RealMatrix, count: impl Fn(usize) -> usize) -> Result<f64, ModelError> {
    let (mut squares, mut all) = (0.0, 0.0);
    for row in 0..rows.rows() {
        let square: f64 = rows.row(row).iter().map(|x| x * x).sum();
        if square > 0.0 {
            squares += count(row) as f64 * square;
            all += count(row) as f64;
        }
    }
    let scale = (all / squares).sqrt();
    if !scale.is_finite() || scale <= 0.0 {
        return Err(ModelError::OwnFactors("nobody with a rating has a vector"));
    }
    rows.values_mut().iter_mut().for_each(|x| *x *= scale);
    Ok(scale)
}

/// s of s·U·Vᵀ with the least Σ_Ω c·(s·ŷ − 1)² + α·Σ_all (s·ŷ)².
fn best_scale(
    observed: &RatingMatrix,
    users: &RealMatrix,
    items: &RealMatrix,
    diagonal: &[f64],
) -> Result<f64, ModelError> {
    let (mut right, mut left) = (0.0, 0.0);
    for user in 0..observed.users() {
        let row = users.row(user);
        let own = row.iter().zip(diagonal);
        left += own.map(|(u, d)| u * u * d).sum::<f64>();
        let (rated, confidences) = observed.by_user(user);
        for (&item, &c) in rated.iter().zip(confidences) {
            let pairs = row.iter().zip(items.row(item as usize));
            let score: f64 = pairs.map(|(u, v)| u * v).sum();
            right += f64::from(c) * score;
            left += f64::from(c) * score * score;
        }
    }
    let scale = right / left;
    if scale.is_finite() && scale > 0.0 {
        return Ok(scale);
    }
    Err(ModelError::OwnFactors(
        "what users chose does not score above 0 by them; u·v must order a user's items",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Predictor;
    use crate::friends::rows_to_open;
    use s3rec_sparse::Rating;

    fn ratings() -> RatingMatrix {
        let given: Vec<Rating> = (0..90u32)
            .flat_map(|user| {
                let items = (0..8u32).map(move |n| user % 3 * 20 + (user * 3 + n * 7) % 20);
                items.map(move |item| Rating {
                    user,
                    item,
                    value: (1 + (user + item) % 5) as f32,
                })
            })
            .collect();
        RatingMatrix::from_ratings(91, 60, &given).unwrap()
    }

    fn settings() -> ListsSettings {
        ListsSettings {
            rank: 6,
            sweeps: 12,
            unobserved_weight: 0.1,
            ..ListsSettings::default()
        }
    }

    /// Factors of our own model, turned, shifted in scale, as somebody else's would be.
    fn exported(model: &ListsModel, factor: f64) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
        let rows = |matrix: &RealMatrix, scale: f64| -> Vec<Vec<f32>> {
            let row = |row: usize| {
                let mut row: Vec<f64> = matrix.row(row).iter().map(|x| scale * x).collect();
                row.reverse();
                row.iter().map(|x| crate::lists::narrow(*x)).collect()
            };
            (0..matrix.rows()).map(row).collect()
        };
        (rows(model.users(), factor), rows(model.items(), 7.0))
    }

    fn of<'r>(rows: &'r [Vec<f32>]) -> impl Fn(u32) -> Option<&'r [f32]> + Sync {
        |index| rows.get(index as usize).map(Vec::as_slice)
    }

    #[test]
    fn our_own_factors_come_back_whatever_their_unit() {
        let (ratings, settings) = (ratings(), settings());
        let own = ListsModel::learn(&ratings, &settings).unwrap();
        let (users, items) = exported(&own, 40.0);
        let (user, item) = (of(&users), of(&items));
        let factors = OwnFactors {
            width: 6,
            user: &user,
            item: Some(&item),
        };
        let found = ListsModel::imported(&ratings, &settings, factors).unwrap();
        let ratio = found.score(0, 0) / own.score(0, 0);
        assert!(ratio > 0.5 && ratio < 2.0, "{ratio}");
        for (user, item) in [(0, 3), (7, 59), (44, 20)] {
            let expected = ratio * own.score(user, item);
            assert!((found.score(user, item) - expected).abs() < 1e-4);
        }
        // And a factor of it is one of theirs.
        for user in [0, 8] {
            let back = found.as_given(found.users().row(user));
            for (a, b) in back.iter().zip(&users[user]) {
                assert!((a - f64::from(*b)).abs() < 1e-3, "{a} {b}");
            }
        }
        // X, in which the unit does not count, is the same but for the sign of its directions.
        let uploaded: Vec<u32> = (0..90).collect();
        let x = |model: &ListsModel| rows_to_open(model, &uploaded, 4);
        let (ours, theirs) = (x(&own), x(&found));
        for place in [0, 5, 77] {
            let dot = |x: &RealMatrix| -> f64 {
                x.row(place).iter().zip(x.row(3)).map(|(a, b)| a * b).sum()
            };
            assert!((dot(&ours) - dot(&theirs)).abs() < 1e-3);
        }
    }

    #[test]
    fn what_is_missing_is_solved_for() {
        let (ratings, settings) = (ratings(), settings());
        let own = ListsModel::learn(&ratings, &settings).unwrap();
        let (users, items) = exported(&own, 1.0);
        // Half of the users have a vector, no item has.
        let half = |user: u32| {
            user.is_multiple_of(2)
                .then(|| users[user as usize].as_slice())
        };
        let factors = OwnFactors {
            width: 6,
            user: &half,
            item: None,
        };
        let found = ListsModel::imported(&ratings, &settings, factors).unwrap();
        let mean = |inside: bool| {
            let pairs = (0..90u32).flat_map(|user| (0..60u32).map(move |item| (user, item)));
            let of: Vec<f64> = pairs
                .filter(|(user, item)| (item / 20 == user % 3) == inside)
                .map(|(user, item)| found.score(user, item))
                .collect();
            of.iter().sum::<f64>() / of.len() as f64
        };
        assert!(
            mean(true) > 3.0 * mean(false).abs(),
            "{} {}",
            mean(true),
            mean(false)
        );
        assert!(found.users().row(1).iter().any(|u| *u != 0.0));
        let back = found.as_given(found.users().row(2));
        assert!((back[0] - f64::from(users[2][0])).abs() < 1e-4);
        assert!(found.users().row(90).iter().all(|u| *u == 0.0));

        let against = |user: u32| items.get(user as usize).map(Vec::as_slice);
        let nobody = |_: u32| -> Option<&[f32]> { None };
        let refused = |factors: OwnFactors<'_, '_>| {
            let found = ListsModel::imported(&ratings, &settings, factors);
            matches!(found, Err(ModelError::OwnFactors(_)))
        };
        let turned: Vec<Vec<f32>> = users
            .iter()
            .map(|row| row.iter().map(|x| -x).collect())
            .collect();
        let turned = of(&turned);
        let of_both = |user, item| OwnFactors {
            width: 6,
            user,
            item,
        };
        assert!(refused(of_both(&nobody, None)));
        assert!(refused(of_both(&nobody, Some(&against))));
        assert!(refused(of_both(&turned, Some(&against))));
    }
}
