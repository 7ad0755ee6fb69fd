//! The same training in the clear, over the links and over links rewired at random. It needs both
//! sides' data, which only a demonstration has.

use std::collections::HashMap;

use s3rec_algebra::RealMatrix;
use s3rec_data::IdTable;
use s3rec_job::{CommonUsers, Parity, max_abs_factor_difference, run_oracle};
use s3rec_model::evaluate::rewired;
use s3rec_model::{Accuracy, Model, accuracy};
use s3rec_sparse::{SocialMatrix, SocialOperator};
use s3rec_wire::convert::request_from_wire;
use s3rec_wire::v1;

use crate::arguments::{read_links, read_ratings};
use crate::client::{ExportedModel, ExportedRow, FileSource};
use crate::failure::Failure;

/// The trained oracle.
pub(super) struct Oracle {
    users: IdTable,
    items: IdTable,
    model: Model,
    /// On the held-out ratings.
    pub(super) accuracy: Accuracy,
    /// The same training over rewired links: what of a gain is not social.
    pub(super) placebo: Accuracy,
}

/// Trains as the rating platform does, with the clear product in float64.
pub(super) fn train(
    ratings: &FileSource,
    links: &FileSource,
    proposal: &v1::ProposeJobRequest,
) -> Result<Oracle, Failure> {
    let failed = |error: &dyn std::error::Error| Failure::Oracle(error.to_string());
    let ratings = read_ratings(ratings)?;
    let links = read_links(links)?;
    let request = request_from_wire(proposal.clone()).map_err(|error| failed(&error))?;
    let plan = s3rec_rating::plan(&ratings, &request).map_err(|fault| failed(&fault))?;

    let social_matrix = links
        .social_matrix(&ratings.users)
        .map_err(|e| failed(&e))?;
    let common = CommonUsers::all(ratings.users.len()).map_err(|e| failed(&e))?;
    let over = |links: &SocialMatrix| -> Result<(Model, Accuracy), Failure> {
        let operator = SocialOperator::build(plan.operator, links);
        let mut solver = plan
            .solver(operator.row_norm_bound())
            .map_err(|e| failed(&e))?;
        run_oracle(solver.as_mut(), &common, &operator).map_err(|e| failed(&e))?;
        let accuracy = accuracy(solver.model(), &plan.held_out).map_err(|e| failed(&e))?;
        Ok((solver.model().clone(), accuracy))
    };
    let (model, accuracy) = over(&social_matrix)?;
    let rewired = rewired(&social_matrix, proposal.seed).map_err(|e| failed(&e))?;
    let (_, placebo) = over(&rewired)?;
    Ok(Oracle {
        users: ratings.users,
        items: ratings.items,
        // As an exported model is.
        model: model.in_rating_units(),
        accuracy,
        placebo,
    })
}

impl Oracle {
    /// How far the secure model is from this one, in factors and in errors on the same
    /// held-out ratings.
    pub(super) fn parity(&self, exported: &ExportedModel, secure: Accuracy) -> Parity {
        Parity {
            max_abs_factor_diff: self.max_abs_factor_difference(exported),
            rmse_diff: secure.rmse - self.accuracy.rmse,
            mae_diff: secure.mae - self.accuracy.mae,
        }
    }

    /// Largest difference of any factor or bias from the exported model; infinite when a user,
    /// an item or a factor is missing.
    fn max_abs_factor_difference(&self, exported: &ExportedModel) -> f64 {
        let rank = self.model.rank();
        let rows = (
            in_order(&self.users, &exported.users, rank),
            in_order(&self.items, &exported.items, rank),
        );
        let (Some(users), Some(items)) = rows else {
            return f64::INFINITY;
        };
        let exported = Model {
            unit: self.model.unit,
            mean: exported.global_mean,
            scale: self.model.scale,
            users,
            items,
        };
        max_abs_factor_difference(&self.model, &exported)
    }
}

/// The exported rows in the order of `ids`, the bias behind the factors.
fn in_order(ids: &IdTable, rows: &[ExportedRow], rank: usize) -> Option<RealMatrix> {
    let by_id: HashMap<&str, &ExportedRow> =
        rows.iter().map(|row| (row.id.as_str(), row)).collect();
    let mut values = Vec::with_capacity(ids.len() * (rank + 1));
    for id in ids.names() {
        let row = by_id.get(id).filter(|row| row.factors.len() == rank)?;
        values.extend_from_slice(&row.factors);
        values.push(row.bias);
    }
    RealMatrix::from_vec(ids.len(), rank + 1, values).ok()
}
