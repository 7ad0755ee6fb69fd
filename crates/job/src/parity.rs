//! How far a secure run may be, and is, from the plaintext oracle.

use crate::{TrainError, max_abs_factor_difference};
use s3rec_algebra::FixedPoint;
use s3rec_model::{Model, accuracy};
use s3rec_sparse::Rating;
use serde::{Deserialize, Serialize};

/// The most by which an entry of a decoded product can differ from Y·U in real numbers, as long
/// as nothing saturates: L/2^f_y · 2^-(f_u + 1).
///
/// Encoding rounds every |u| by at most half a unit 2^-f_u; the product over the ring is exact
/// (guard bits), and a row of Y sums those errors with weights of at most L/2^f_y in all. Both
/// sides know every quantity in it, so the bound may be shown to both.
pub fn product_error_bound(fixed: &FixedPoint, row_norm_bound: u64, weight_bits: u32) -> f64 {
    let half_a_unit = (-f64::from(fixed.scale_bits() + 1)).exp2();
    row_norm_bound as f64 * (-f64::from(weight_bits)).exp2() * half_a_unit
}

/// A secure model against the oracle's, where both parties allow the oracle to run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Parity {
    /// Largest absolute difference of any factor or bias.
    pub max_abs_factor_diff: f64,
    /// RMSE of the secure model less the oracle's.
    pub rmse_diff: f64,
    /// MAE of the secure model less the oracle's.
    pub mae_diff: f64,
}

impl Parity {
    /// Compares two models on the same held-out ratings.
    ///
    /// # Errors
    /// [`TrainError::Model`] when `test` is empty.
    pub fn between(secure: &Model, oracle: &Model, test: &[Rating]) -> Result<Self, TrainError> {
        let (ours, theirs) = (accuracy(secure, test)?, accuracy(oracle, test)?);
        Ok(Self {
            max_abs_factor_diff: max_abs_factor_difference(secure, oracle),
            rmse_diff: ours.rmse - theirs.rmse,
            mae_diff: ours.mae - theirs.mae,
        })
    }
}
