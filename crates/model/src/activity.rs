//! What a user's number of ratings alone says about how they rate: the centre that a user's bias
//! is drawn to (own-activity prior; local to P0, no opening).
//!
//! | symbol | meaning |
//! |---|---|
//! | n_i | the user's number of ratings to learn from |
//! | φ(n) | (1, log(1 + n), log²(1 + n), 1{n = 0}) |
//! | a | weights of φ |
//!
//! A user without ratings has none that a could be learnt from, so every rating is taken as one
//! held out of a user with n_i − 1 others: a minimises
//! Σ_i w_i·(r̄_i − a·φ(n_i − 1))² + ‖a‖², r̄_i the mean of what the user's ratings leave after μ
//! and the items' biases, w_i = λ·n_i/(λ + n_i) what it is worth.

use s3rec_sparse::RatingMatrix;

/// Length of φ.
const FEATURES: usize = 4;
/// ρ of ‖a‖²: as much as one rating, so that features nobody shows stay at 0.
const RIDGE: f64 = 1.0;

/// The weights a.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ActivityPrior([f64; FEATURES]);

impl ActivityPrior {
    /// The prior that draws everybody to 0.
    pub(crate) const NONE: Self = Self([0.0; FEATURES]);

    /// Learns a from the users' mean residuals (r̄_i, by user; ignored for users without
    /// ratings) and their decay λ.
    pub(crate) fn fit(ratings: &RatingMatrix, residuals: &[f64], decay: f64) -> Self {
        let mut matrix = [[0.0; FEATURES]; FEATURES];
        let mut right = [0.0; FEATURES];
        for (user, residual) in residuals.iter().enumerate() {
            let count = ratings.by_user(user).0.len();
            if count == 0 {
                continue;
            }
            let weight = decay * count as f64 / (decay + count as f64);
            let features = features(count - 1);
            for (row, &f) in features.iter().enumerate() {
                right[row] += weight * f * residual;
                for (cell, &g) in matrix[row].iter_mut().zip(&features) {
                    *cell += weight * f * g;
                }
            }
        }
        for (row, cells) in matrix.iter_mut().enumerate() {
            cells[row] += RIDGE;
        }
        Self(solve(matrix, right))
    }

    /// a·φ(n).
    pub(crate) fn centre(&self, ratings: usize) -> f64 {
        let features = features(ratings);
        self.0.iter().zip(features).map(|(a, f)| a * f).sum()
    }

    /// a·φ(n_i) of every user.
    pub(crate) fn centres(&self, ratings: &RatingMatrix) -> Vec<f64> {
        (0..ratings.users())
            .map(|user| self.centre(ratings.by_user(user).0.len()))
            .collect()
    }
}

fn features(ratings: usize) -> [f64; FEATURES] {
    let log = (1.0 + ratings as f64).ln();
    [1.0, log, log * log, f64::from(u8::from(ratings == 0))]
}

/// Solves A·x = b, A symmetric positive definite, by elimination.
fn solve(mut a: [[f64; FEATURES]; FEATURES], mut b: [f64; FEATURES]) -> [f64; FEATURES] {
    for pivot in 0..FEATURES {
        let (above, right) = (a[pivot], b[pivot]);
        for (cells, b) in a.iter_mut().zip(&mut b).skip(pivot + 1) {
            let factor = cells[pivot] / above[pivot];
            for (cell, value) in cells.iter_mut().zip(above) {
                *cell -= factor * value;
            }
            *b -= factor * right;
        }
    }
    let mut x = [0.0; FEATURES];
    for row in (0..FEATURES).rev() {
        let known: f64 = (row + 1..FEATURES).map(|j| a[row][j] * x[j]).sum();
        x[row] = (b[row] - known) / a[row][row];
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_sparse::Rating;

    #[test]
    fn finds_what_activity_says_also_of_users_without_ratings() {
        // User i has i % 12 ratings; who rates more rates lower.
        let mut given = Vec::new();
        for user in 0..1200u32 {
            for item in 0..user % 12 {
                given.push(Rating {
                    user,
                    item,
                    value: 0.0,
                });
            }
        }
        let ratings = RatingMatrix::from_ratings(1200, 12, &given).unwrap();
        let expected = |others: usize| 0.5 - 0.3 * (1.0 + others as f64).ln();
        let residuals: Vec<f64> = (0..1200)
            .map(|user| (user % 12usize).checked_sub(1).map_or(f64::NAN, expected))
            .map(|residual| if residual.is_nan() { 1e9 } else { residual })
            .collect();
        let prior = ActivityPrior::fit(&ratings, &residuals, 5.0);
        for others in 0..=10 {
            let found = prior.centre(others);
            assert!((found - expected(others)).abs() < 0.03, "{others}: {found}");
        }
        assert_eq!(prior.centres(&ratings)[12], prior.centre(0));
        assert_eq!(ActivityPrior::NONE.centre(7), 0.0);
    }

    #[test]
    fn solves_what_it_was_given() {
        let a = [
            [4.0, 1.0, 0.5, 0.0],
            [1.0, 3.0, 0.2, 0.1],
            [0.5, 0.2, 2.0, 0.3],
            [0.0, 0.1, 0.3, 1.5],
        ];
        let b = [1.0, -2.0, 3.0, 0.5];
        let x = solve(a, b);
        for (row, b) in a.iter().zip(b) {
            let product: f64 = row.iter().zip(x).map(|(a, x)| a * x).sum();
            assert!((product - b).abs() < 1e-12);
        }
    }
}
