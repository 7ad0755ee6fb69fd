use super::estimate::{FriendsEstimate, Gate};
use super::features::noisy_degree;
use crate::lists::ListsModel;
use rayon::prelude::*;
use s3rec_algebra::RealMatrix;

/// What an opening says of every opened user, in the order of O, for whoever ranks.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimates {
    /// [`noisy_degree`] of each.
    pub degrees: Vec<f64>,
    /// |O| × k, in the space of the factors that were brought along, or of the model.
    pub factors: RealMatrix,
    /// Whether the estimate beats popularity on calibration users.
    pub gate: Gate,
}

impl Estimates {
    /// Of the release `sums` with noise of standard deviation `sigma`, by a map learnt from it.
    pub(crate) fn of(
        model: &ListsModel,
        estimate: &FriendsEstimate,
        (sums, sigma): (&RealMatrix, f64),
    ) -> Self {
        let rank = model.users().columns();
        let mut factors = RealMatrix::zeros(sums.rows(), rank);
        factors
            .values_mut()
            .par_chunks_exact_mut(rank)
            .enumerate()
            .for_each(|(row, factor)| {
                factor.copy_from_slice(&model.as_given(&estimate.factor(row)));
            });
        let rows = (0..sums.rows()).into_par_iter();
        Self {
            degrees: rows.map(|row| noisy_degree(sums.row(row), sigma)).collect(),
            factors,
            gate: estimate.gate,
        }
    }
}
