//! The gradient and value of the local part of the objective: squared errors and decay.
//!
//! Rows are computed in parallel, each in a fixed order, and summed up in row order: the
//! result is bit for bit the same for every number of threads.

use crate::problem::Problem;
use crate::{Model, Unit};
use rayon::prelude::*;
use s3rec_algebra::RealMatrix;

/// Gradients with respect to (u_i, b_i) and (v_j, c_j), and the value.
pub(crate) struct LocalGradient {
    pub(crate) users: RealMatrix,
    pub(crate) items: RealMatrix,
    /// A bound on the curvature of each user's factors, and of each item's.
    pub(crate) user_curvatures: Vec<f64>,
    pub(crate) item_curvatures: Vec<f64>,
    /// ½ Σ_Ω e² + decay terms.
    pub(crate) value: f64,
    /// Σ_Ω e².
    pub(crate) squares: f64,
}

pub(crate) fn local_gradient(problem: &Problem, model: &Model) -> LocalGradient {
    let (ratings, settings) = (&problem.ratings, &problem.settings);
    let data = (model.unit, model.mean);
    let user_centre = |user: usize| problem.bias_centres[user];
    let user_decay = (settings.user_decay, settings.user_bias_decay);
    let item_decay = (settings.item_decay, settings.item_bias_decay);
    let (users, user_decayed, squares, user_curvatures) = side(
        &model.users,
        &model.items,
        data,
        user_decay,
        user_centre,
        |i| ratings.by_user(i),
    );
    let (items, item_decayed, _, item_curvatures) = side(
        &model.items,
        &model.users,
        data,
        item_decay,
        |_| 0.0,
        |j| ratings.by_item(j),
    );
    LocalGradient {
        users,
        items,
        user_curvatures,
        item_curvatures,
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

pub(crate) fn local_value(problem: &Problem, model: &Model) -> LocalValue {
    let (ratings, settings) = (&problem.ratings, &problem.settings);
    let rank = model.rank();
    let rows: Vec<f64> = (0..model.users.rows())
        .into_par_iter()
        .map(|i| {
            let x = model.users.row(i);
            let (items, values) = ratings.by_user(i);
            let errors = items.iter().zip(values).map(|(&j, &r)| {
                let y = model.items.row(j as usize);
                model.mean + x[rank] + y[rank] + dot(&x[..rank], &y[..rank])
                    - model.unit.standardise(r)
            });
            errors.map(|e| e * e).sum::<f64>()
        })
        .collect();
    let squares: f64 = rows.iter().sum();
    let decayed = |row: &[f64], centre: f64, (decay, bias_decay): (f64, f64)| -> f64 {
        let off = row[rank] - centre;
        0.5 * (decay * dot(&row[..rank], &row[..rank]) + bias_decay * off * off)
    };
    let user_decay = (settings.user_decay, settings.user_bias_decay);
    let item_decay = (settings.item_decay, settings.item_bias_decay);
    // Collected first: what is summed up in one order must not depend on the number of threads.
    let users = (0..model.users.rows())
        .into_par_iter()
        .map(|row| decayed(model.users.row(row), problem.bias_centres[row], user_decay));
    let users: f64 = users.collect::<Vec<f64>>().iter().sum();
    let items = (0..model.items.rows())
        .into_par_iter()
        .map(|row| decayed(model.items.row(row), 0.0, item_decay));
    let items: f64 = items.collect::<Vec<f64>>().iter().sum();
    LocalValue {
        value: 0.5 * squares + users + items,
        squares,
    }
}

/// One side's gradient, decay terms, sum of squared errors and curvatures.
///
/// A rating's squared error, to second order in a move (δb, δc, δu, δv), is at most
/// 2((v·δu)² + (u·δv)² + δb² + δc²) + |e|/2 (‖δu‖² + ‖δv‖²) when the moves do not all pull the
/// same way; the curvature of u_i is therefore taken as Σ_j (2‖v_j‖² + |e_ij|).
fn side<'r>(
    own: &RealMatrix,
    other: &RealMatrix,
    (unit, mean): (Unit, f64),
    (decay, bias_decay): (f64, f64),
    bias_centre: impl Fn(usize) -> f64 + Sync,
    rated: impl Fn(usize) -> (&'r [u32], &'r [f32]) + Sync,
) -> (RealMatrix, f64, f64, Vec<f64>) {
    let width = own.columns();
    let rank = width - 1;
    let mut gradient = RealMatrix::zeros(own.rows(), width);
    let rows: Vec<(f64, f64, f64)> = gradient
        .values_mut()
        .par_chunks_exact_mut(width)
        .enumerate()
        .map(|(row, gradient)| {
            let x = own.row(row);
            let (mut squares, mut curvature) = (0.0, 0.0);
            let (indices, values) = rated(row);
            for (&index, &value) in indices.iter().zip(values) {
                let y = other.row(index as usize);
                let predicted = mean + x[rank] + y[rank] + dot(&x[..rank], &y[..rank]);
                let error = predicted - unit.standardise(value);
                for (g, y) in gradient[..rank].iter_mut().zip(y) {
                    *g += error * y;
                }
                gradient[rank] += error;
                squares += error * error;
                curvature += 2.0 * dot(&y[..rank], &y[..rank]) + error.abs();
            }
            for (g, x) in gradient[..rank].iter_mut().zip(x) {
                *g += decay * x;
            }
            let off = x[rank] - bias_centre(row);
            gradient[rank] += bias_decay * off;
            let norm = dot(&x[..rank], &x[..rank]);
            let decayed = 0.5 * (decay * norm + bias_decay * off * off);
            (decayed, squares, curvature)
        })
        .collect();
    let (decayed, squares) = rows
        .iter()
        .fold((0.0, 0.0), |(d, s), row| (d + row.0, s + row.1));
    let curvatures = rows
        .into_iter()
        .map(|(_, _, curvature)| curvature)
        .collect();
    (gradient, decayed, squares, curvatures)
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
