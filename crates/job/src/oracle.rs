//! The plaintext oracle: the same solver, seeds and loop over the clear product in float64.
//! It needs both parties' data in one place, so only demonstrations, benchmarks and tests
//! have it.

use crate::common_users::make_visible;
use crate::{CommonUsers, TrainError};
use s3rec_algebra::RealMatrix;
use s3rec_model::{Model, Solver, StepReport};
use s3rec_sparse::SocialOperator;

/// Drives `solver` to its end over the clear product; gives every step's report.
///
/// # Errors
/// An operator over another number of users than `common`, or the solver's refusal.
pub fn run_oracle(
    solver: &mut dyn Solver,
    common: &CommonUsers,
    operator: &SocialOperator,
) -> Result<Vec<StepReport>, TrainError> {
    let mut reports = Vec::new();
    while !solver.is_finished() {
        let product = if solver.wants_opening() {
            let mut rows = common.gather(solver.user_factors());
            make_visible(&mut rows, TRACE);
            Some(common.scatter(&operator.multiply_real(&rows)?))
        } else {
            None
        };
        reports.push(solver.step(product.as_ref())?);
    }
    Ok(reports)
}

/// Stands for the fixed point's unit: far below it, far above what a weight could take to zero.
const TRACE: f64 = 1e-30;

/// The largest absolute difference between two models' factors and biases; infinite when
/// their shapes differ. For `report.json`'s `max_abs_factor_diff`.
pub fn max_abs_factor_difference(a: &Model, b: &Model) -> f64 {
    largest_difference(&a.users, &b.users).max(largest_difference(&a.items, &b.items))
}

fn largest_difference(a: &RealMatrix, b: &RealMatrix) -> f64 {
    if (a.rows(), a.columns()) != (b.rows(), b.columns()) {
        return f64::INFINITY;
    }
    a.values()
        .iter()
        .zip(b.values())
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max)
}
