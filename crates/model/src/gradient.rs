//! The gradient and value of the local part of the objective: squared errors and decay.
//!
//! Rows are computed in parallel, each in a fixed order, and summed up in row order: the
//! result is bit for bit the same for every number of threads.

use crate::{Model, SolverSettings};
use rayon::prelude::*;
use s3rec_algebra::RealMatrix;
use s3rec_sparse::RatingMatrix;

/// Gradients with respect to (u_i, b_i) and (v_j, c_j), and the value.
pub(crate) struct LocalGradient {
    pub(crate) users: RealMatrix,
    pub(crate) items: RealMatrix,
    /// ½ Σ_Ω e² + decay terms.
    pub(crate) value: f64,
    /// Σ_Ω e².
    pub(crate) squares: f64,
}

pub(crate) fn local_gradient(
    ratings: &RatingMatrix,
    model: &Model,
    settings: &SolverSettings,
) -> LocalGradient {
    let user_decay = (settings.user_decay, settings.user_bias_decay);
    let item_decay = (settings.item_decay, settings.item_bias_decay);
    let (users, user_decayed, squares) =
        side(&model.users, &model.items, model.mean, user_decay, |i| {
            ratings.by_user(i)
        });
    let (items, item_decayed, _) = side(&model.items, &model.users, model.mean, item_decay, |j| {
        ratings.by_item(j)
    });
    LocalGradient {
        users,
        items,
        value: 0.5 * squares + user_decayed + item_decayed,
        squares,
    }
}

/// The value alone, for solvers that need no gradient.
pub(crate) struct LocalValue {
    /// ½ Σ_Ω e² + decay terms.
    pub(crate) value: f64,
    /// Σ_Ω e².
    pub(crate) squares: f64,
}

pub(crate) fn local_value(
    ratings: &RatingMatrix,
    model: &Model,
    settings: &SolverSettings,
) -> LocalValue {
    let rank = model.rank();
    let rows: Vec<f64> = (0..model.users.rows())
        .into_par_iter()
        .map(|i| {
            let x = model.users.row(i);
            let (items, values) = ratings.by_user(i);
            let errors = items.iter().zip(values).map(|(&j, &r)| {
                let y = model.items.row(j as usize);
                model.mean + x[rank] + y[rank] + dot(&x[..rank], &y[..rank]) - f64::from(r)
            });
            errors.map(|e| e * e).sum::<f64>()
        })
        .collect();
    let squares: f64 = rows.iter().sum();
    let decayed = |matrix: &RealMatrix, decay: f64, bias_decay: f64| -> f64 {
        (0..matrix.rows())
            .map(|row| {
                let x = matrix.row(row);
                0.5 * (decay * dot(&x[..rank], &x[..rank]) + bias_decay * x[rank] * x[rank])
            })
            .sum()
    };
    let users = decayed(&model.users, settings.user_decay, settings.user_bias_decay);
    let items = decayed(&model.items, settings.item_decay, settings.item_bias_decay);
    LocalValue {
        value: 0.5 * squares + users + items,
        squares,
    }
}

/// One side's gradient, decay terms and sum of squared errors.
fn side<'r>(
    own: &RealMatrix,
    other: &RealMatrix,
    mean: f64,
    (decay, bias_decay): (f64, f64),
    rated: impl Fn(usize) -> (&'r [u32], &'r [f32]) + Sync,
) -> (RealMatrix, f64, f64) {
    let width = own.columns();
    let rank = width - 1;
    let mut gradient = RealMatrix::zeros(own.rows(), width);
    let sums: Vec<(f64, f64)> = gradient
        .values_mut()
        .par_chunks_exact_mut(width)
        .enumerate()
        .map(|(row, gradient)| {
            let x = own.row(row);
            let mut squares = 0.0;
            let (indices, values) = rated(row);
            for (&index, &value) in indices.iter().zip(values) {
                let y = other.row(index as usize);
                let predicted = mean + x[rank] + y[rank] + dot(&x[..rank], &y[..rank]);
                let error = predicted - f64::from(value);
                for (g, y) in gradient[..rank].iter_mut().zip(y) {
                    *g += error * y;
                }
                gradient[rank] += error;
                squares += error * error;
            }
            for (g, x) in gradient[..rank].iter_mut().zip(x) {
                *g += decay * x;
            }
            gradient[rank] += bias_decay * x[rank];
            let norm = dot(&x[..rank], &x[..rank]);
            (
                0.5 * (decay * norm + bias_decay * x[rank] * x[rank]),
                squares,
            )
        })
        .collect();
    let (decayed, squares) = sums.iter().fold((0.0, 0.0), |(d, s), (decayed, squares)| {
        (d + decayed, s + squares)
    });
    (gradient, decayed, squares)
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
