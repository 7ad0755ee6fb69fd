//! A solver between two steps, to be kept across a restart.

use crate::{Model, ModelError, Unit};
use s3rec_algebra::RealMatrix;
use serde::{Deserialize, Serialize};

/// Everything that a solver's next step depends on apart from ratings, settings and product:
/// a fresh solver that takes it goes on bit for bit. P0's secret, like the model in it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct SolverState {
    pub(crate) steps: u32,
    pub(crate) openings: u32,
    /// What the numbers are measured in: a state of other ratings is told by it.
    pub(crate) unit: Unit,
    pub(crate) users: Vec<f64>,
    pub(crate) items: Vec<f64>,
    /// What the kind of solver keeps beside the model: Adam's moments, the implicit prior.
    pub(crate) kept: Vec<Vec<f64>>,
    /// Of a solver that stops early.
    pub(crate) watched: Option<Watched>,
}

/// What stopping early goes by.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Watched {
    /// Best held-out RMSE so far, with users and items of its model.
    pub(crate) best: Option<(f64, Vec<f64>, Vec<f64>)>,
    pub(crate) stale: u32,
    pub(crate) objective: Option<f64>,
    pub(crate) stalled: bool,
}

impl SolverState {
    pub(crate) fn of(model: &Model, steps: u32, openings: u32, kept: Vec<Vec<f64>>) -> Self {
        Self {
            steps,
            openings,
            unit: model.unit,
            users: model.users.values().to_vec(),
            items: model.items.values().to_vec(),
            kept,
            watched: None,
        }
    }

    /// Gives the model its values back.
    pub(crate) fn restore_model(&self, model: &mut Model) -> Result<(), ModelError> {
        if self.unit != model.unit {
            return Err(ModelError::OtherState);
        }
        restore(&mut model.users, &self.users)?;
        restore(&mut model.items, &self.items)
    }

    /// The kept values, exactly as many as the solver has.
    pub(crate) fn kept<const COUNT: usize>(&self) -> Result<[&[f64]; COUNT], ModelError> {
        let kept: Vec<&[f64]> = self.kept.iter().map(Vec::as_slice).collect();
        kept.try_into().map_err(|_| ModelError::OtherState)
    }
}

/// Overwrites a matrix with values of exactly its size.
pub(crate) fn restore(matrix: &mut RealMatrix, values: &[f64]) -> Result<(), ModelError> {
    copy(matrix.values_mut(), values)
}

/// Overwrites values with exactly as many.
pub(crate) fn copy(to: &mut [f64], from: &[f64]) -> Result<(), ModelError> {
    if to.len() != from.len() {
        return Err(ModelError::OtherState);
    }
    to.copy_from_slice(from);
    Ok(())
}
