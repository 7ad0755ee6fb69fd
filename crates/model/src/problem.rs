use crate::{Model, ModelError, SocialObjective, SolverSettings};
use rayon::prelude::*;
use s3rec_algebra::RealMatrix;
use s3rec_sparse::RatingMatrix;
use std::sync::Arc;

/// What every solver minimises.
pub(crate) struct Problem {
    pub(crate) ratings: Arc<RatingMatrix>,
    /// What each user's bias is drawn to.
    pub(crate) bias_centres: Vec<f64>,
    pub(crate) settings: SolverSettings,
    pub(crate) social: Option<Arc<dyn SocialObjective>>,
}

impl Problem {
    /// RMSE in rating units of Σ_Ω e² in standardised ones.
    pub(crate) fn train_rmse(&self, model: &Model, squares: f64) -> f64 {
        model.unit.spread * (squares / self.ratings.len() as f64).sqrt()
    }

    /// Steps of a solver that takes one step for each opening: first those without the social
    /// term. Without a social objective as many are taken, so that both models are equally
    /// well converged.
    pub(crate) fn steps(&self) -> u32 {
        self.settings
            .warm_sweeps
            .saturating_add(self.settings.openings)
    }

    /// Whether the step after `steps` consumes an opening.
    pub(crate) fn opens_at(&self, steps: u32) -> bool {
        self.social.is_some() && (self.settings.warm_sweeps..self.steps()).contains(&steps)
    }

    /// Openings consumed by the first `steps` steps.
    pub(crate) fn openings_after(&self, steps: u32) -> u32 {
        let opened = steps.saturating_sub(self.settings.warm_sweeps);
        if self.social.is_some() { opened } else { 0 }
    }

    /// γ for an opened column.
    pub(crate) fn strength(&self, column: usize) -> f64 {
        if column < self.settings.rank {
            self.settings.social_weight
        } else {
            self.settings.social_bias_weight
        }
    }

    /// The columns of `users` that are opened.
    pub(crate) fn opened(&self, users: &RealMatrix) -> RealMatrix {
        let columns = self.settings.opened_columns();
        let mut opened = RealMatrix::zeros(users.rows(), columns);
        opened
            .values_mut()
            .par_chunks_exact_mut(columns.max(1))
            .zip(users.values().par_chunks_exact(users.columns()))
            .for_each(|(to, from)| to.copy_from_slice(&from[..columns]));
        opened
    }

    /// Checks a product against what the step wants and the opened shape.
    pub(crate) fn check<'p>(
        &self,
        product: Option<&'p RealMatrix>,
        wanted: bool,
    ) -> Result<Option<&'p RealMatrix>, ModelError> {
        match (product, wanted) {
            (None, true) => return Err(ModelError::ProductMissing),
            (Some(_), false) => return Err(ModelError::ProductUnexpected),
            (None, false) => return Ok(None),
            (Some(_), true) => {}
        }
        let (expected_rows, expected_columns) =
            (self.ratings.users(), self.settings.opened_columns());
        if let Some(given) = product
            && (given.rows() != expected_rows || given.columns() != expected_columns)
        {
            let (actual_rows, actual_columns) = (given.rows(), given.columns());
            return Err(ModelError::ProductShape {
                expected_rows,
                expected_columns,
                actual_rows,
                actual_columns,
            });
        }
        Ok(product)
    }

    /// The social term's value at an opened point.
    pub(crate) fn energy(&self, opened: &RealMatrix, product: &RealMatrix) -> f64 {
        let Some(social) = &self.social else {
            return 0.0;
        };
        let mut energy = 0.0;
        for row in 0..opened.rows() {
            let product = product.row(row);
            if product.iter().all(|&p| p == 0.0) {
                continue;
            }
            for (column, (&u, &p)) in opened.row(row).iter().zip(product).enumerate() {
                energy += self.strength(column) * social.energy(u, p);
            }
        }
        energy
    }

    /// Refuses a model that has diverged, so that no NaN is ever opened or served.
    pub(crate) fn check_finite(&self, model: &Model, steps: u32) -> Result<(), ModelError> {
        let values = model.users.values().par_iter().chain(model.items.values());
        if values.all(|value| value.is_finite()) {
            Ok(())
        } else {
            Err(ModelError::Diverged { steps })
        }
    }

    /// Adds the social gradient to `gradient` (users × (k + 1)).
    pub(crate) fn add_social(
        &self,
        opened: &RealMatrix,
        product: &RealMatrix,
        gradient: &mut RealMatrix,
    ) {
        let Some(social) = &self.social else { return };
        for row in 0..opened.rows() {
            let (current, product) = (opened.row(row), product.row(row));
            if product.iter().all(|&p| p == 0.0) {
                continue;
            }
            for (column, (&u, &p)) in current.iter().zip(product).enumerate() {
                gradient.row_mut(row)[column] += social.gradient(u, p, self.strength(column));
            }
        }
    }
}
