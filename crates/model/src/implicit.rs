//! What a user's mere choice of items says about them (SVD++'s implicit feedback; local to P0,
//! no opening).
//!
//! | symbol | meaning | shape |
//! |---|---|---|
//! | F | f_il = \|N_i\|^{-1/2} where user i has rated item l | users × items |
//! | w | implicit weights | items × (k + 1) |
//! | F·w | prior mean of each user's (u_i, b_i) | users × (k + 1) |
//!
//! Where the users' biases have centres of their own (the activity prior), F·w is what is beyond
//! those.
//!
//! SVD++ predicts with u_i + \|N_i\|^{-1/2} Σ w_l. Writing that sum as the user's row itself,
//! λ/2‖u_i‖² becomes λ/2‖u_i − (F·w)_i‖²: a prior mean, with w the minimiser of
//! ½‖U − F·w‖² + ρ/2‖w‖² given U: ridge regressions that share one sparse matrix.

use crate::ModelError;
use crate::state::restore;
use rayon::prelude::*;
use s3rec_algebra::RealMatrix;
use s3rec_sparse::RatingMatrix;

/// Steps of conjugate gradients for each update; w is kept between updates, so few suffice.
const STEPS: usize = 3;

/// The implicit prior on users.
pub(crate) struct ImplicitPrior {
    /// ρ.
    ridge: f64,
    weights: RealMatrix,
    means: RealMatrix,
}

impl ImplicitPrior {
    /// A prior of mean 0 for rows shaped like `users` and weights shaped like `items`.
    pub(crate) fn new(users: &RealMatrix, items: &RealMatrix, ridge: f64) -> Self {
        Self {
            ridge,
            weights: RealMatrix::zeros(items.rows(), items.columns()),
            means: RealMatrix::zeros(users.rows(), users.columns()),
        }
    }

    /// (F·w)_i.
    pub(crate) fn mean(&self, user: usize) -> &[f64] {
        self.means.row(user)
    }

    /// w and F·w, for a solver's state.
    pub(crate) fn kept(&self) -> Vec<Vec<f64>> {
        vec![self.weights.values().to_vec(), self.means.values().to_vec()]
    }

    /// Takes what [`kept`](ImplicitPrior::kept) gave.
    pub(crate) fn restore(&mut self, [weights, means]: [&[f64]; 2]) -> Result<(), ModelError> {
        restore(&mut self.weights, weights)?;
        restore(&mut self.means, means)
    }

    /// Improves w for the users' rows as they stand, less the centres of their biases.
    pub(crate) fn update(
        &mut self,
        users: &RealMatrix,
        bias_centres: &[f64],
        ratings: &RatingMatrix,
    ) {
        let scale = |i: usize| 1.0 / (ratings.by_user(i).0.len().max(1) as f64).sqrt();
        let forward = |w: &RealMatrix, out: &mut RealMatrix| {
            gather(out, w, |i| ratings.by_user(i).0, scale, |_| 1.0);
        };
        let backward = |x: &RealMatrix, out: &mut RealMatrix| {
            gather(out, x, |l| ratings.by_item(l).0, |_| 1.0, scale);
        };
        let width = users.columns();
        let mut error = users.clone();
        axpy(&mut error, &vec![-1.0; width], &self.means);
        for (user, centre) in bias_centres.iter().enumerate() {
            error.row_mut(user)[width - 1] -= centre;
        }
        let mut residual = RealMatrix::zeros(self.weights.rows(), width);
        backward(&error, &mut residual);
        axpy(&mut residual, &vec![-self.ridge; width], &self.weights);
        let mut direction = residual.clone();
        let mut squares = column_dots(&residual, &residual);
        let mut curved = RealMatrix::zeros(self.weights.rows(), width);
        for _ in 0..STEPS {
            forward(&direction, &mut error);
            backward(&error, &mut curved);
            axpy(&mut curved, &vec![self.ridge; width], &direction);
            let lengths = ratios(&squares, &column_dots(&direction, &curved));
            axpy(&mut self.weights, &lengths, &direction);
            axpy(
                &mut residual,
                &lengths.iter().map(|a| -a).collect::<Vec<_>>(),
                &curved,
            );
            let next = column_dots(&residual, &residual);
            let keep = ratios(&next, &squares);
            squares = next;
            let mut turned = residual.clone();
            axpy(&mut turned, &keep, &direction);
            direction = turned;
        }
        forward(&self.weights, &mut self.means);
    }
}

/// out_i = outer(i) · Σ_{l ∈ neighbours(i)} inner(l) · from_l.
fn gather<'r>(
    out: &mut RealMatrix,
    from: &RealMatrix,
    neighbours: impl Fn(usize) -> &'r [u32] + Sync,
    outer: impl Fn(usize) -> f64 + Sync,
    inner: impl Fn(usize) -> f64 + Sync,
) {
    let width = from.columns();
    out.values_mut()
        .par_chunks_exact_mut(width)
        .enumerate()
        .for_each(|(i, sums)| {
            sums.fill(0.0);
            for &l in neighbours(i) {
                let weight = inner(l as usize);
                for (sum, value) in sums.iter_mut().zip(from.row(l as usize)) {
                    *sum += weight * value;
                }
            }
            let scale = outer(i);
            for sum in sums {
                *sum *= scale;
            }
        });
}

/// y += x · diag(factors).
fn axpy(y: &mut RealMatrix, factors: &[f64], x: &RealMatrix) {
    let width = factors.len();
    for (y, x) in y
        .values_mut()
        .chunks_exact_mut(width)
        .zip(x.values().chunks_exact(width))
    {
        for ((y, x), factor) in y.iter_mut().zip(x).zip(factors) {
            *y += factor * x;
        }
    }
}

fn column_dots(a: &RealMatrix, b: &RealMatrix) -> Vec<f64> {
    let width = a.columns();
    let mut dots = vec![0.0; width];
    for (a, b) in a
        .values()
        .chunks_exact(width)
        .zip(b.values().chunks_exact(width))
    {
        for ((dot, a), b) in dots.iter_mut().zip(a).zip(b) {
            *dot += a * b;
        }
    }
    dots
}

fn ratios(above: &[f64], below: &[f64]) -> Vec<f64> {
    above
        .iter()
        .zip(below)
        .map(|(a, b)| if *b > 0.0 { a / b } else { 0.0 })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_sparse::Rating;

    #[test]
    fn updates_reach_the_ridge_regression() {
        let given: Vec<Rating> = (0..40u32)
            .map(|n| Rating {
                user: n * 7 % 9,
                item: n * 11 % 13 + n / 39,
                value: 1.0,
            })
            .collect();
        let mut seen = std::collections::HashSet::new();
        let given: Vec<Rating> = given
            .into_iter()
            .filter(|r| seen.insert((r.user, r.item)))
            .collect();
        let ratings = RatingMatrix::from_ratings(9, 14, &given).unwrap();
        let values = (0..9 * 3).map(|n| f64::from(n * 5 % 17) - 8.0).collect();
        let users = RealMatrix::from_vec(9, 3, values).unwrap();
        let ridge = 0.7;
        let centres: Vec<f64> = (0..9).map(|user| 0.1 * f64::from(user)).collect();
        let mut prior = ImplicitPrior::new(&users, &RealMatrix::zeros(14, 3), ridge);
        for _ in 0..20 {
            prior.update(&users, &centres, &ratings);
        }
        // The gradient Fᵀ(F·w − U) + ρ·w vanishes.
        for item in 0..14 {
            for column in 0..3 {
                let mut gradient = ridge * prior.weights.row(item)[column];
                for &i in ratings.by_item(item).0 {
                    let i = i as usize;
                    let scale = (ratings.by_user(i).0.len() as f64).sqrt();
                    let centre = if column == 2 { centres[i] } else { 0.0 };
                    gradient += (prior.mean(i)[column] + centre - users.row(i)[column]) / scale;
                }
                assert!(gradient.abs() < 1e-8, "{gradient}");
            }
        }
    }
}
