use crate::adam::Adam;
use crate::als::AlternatingLeastSquares;
use crate::gd::GradientDescent;
use crate::start::starting_model;
use crate::{Model, ModelError, SocialObjective, SolverKind, SolverSettings, SolverState};
use s3rec_algebra::RealMatrix;
use s3rec_sparse::RatingMatrix;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a step found at the point it started from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Steps taken, this one included.
    pub step: u32,
    /// Openings consumed, this step's included.
    pub openings: u32,
    /// The objective over standardised ratings, the social term included when the step had its product. The implicit
    /// prior's centre is left out: with it, `als` minimises a little more than this shows.
    pub objective: f64,
    /// RMSE on the training ratings as they are learnt from, in rating units, before clipping.
    pub train_rmse: f64,
}

/// A solver driven from outside, so that the social product may be awaited between steps.
///
/// ```text
/// while !solver.is_finished() {
///     let product = if solver.wants_opening() { Some(Y · solver.user_factors()) } else { None };
///     solver.step(product.as_ref())?;
/// }
/// ```
///
/// The same ratings, settings and products give bit for bit the same model, whatever the
/// number of threads.
pub trait Solver: Send {
    /// The matrix to be multiplied by Y next: all users of P0 × opened columns (k, and the
    /// user bias as one more where it is smoothed). Rows of users whom P1 does not know are
    /// left out by the caller.
    fn user_factors(&self) -> &RealMatrix;

    /// Whether the next step consumes a product.
    fn wants_opening(&self) -> bool;

    /// Takes one step. `social` is Y·U for all users of P0, with zero rows for users without
    /// a social term.
    ///
    /// # Errors
    /// A product missing, unexpected or of the wrong shape; or factors that are no longer finite.
    fn step(&mut self, social: Option<&RealMatrix>) -> Result<StepReport, ModelError>;

    /// Whether all steps asked for are done.
    fn is_finished(&self) -> bool;

    /// The model as it stands.
    fn model(&self) -> &Model;

    /// Everything the next step depends on, to be kept across a restart.
    fn state(&self) -> SolverState;

    /// Goes on from what [`state`](Solver::state) of a solver of the same ratings and settings
    /// gave: every later step has the same bits.
    ///
    /// # Errors
    /// [`ModelError::OtherState`]; the solver is of no use then.
    fn resume(&mut self, state: &SolverState) -> Result<(), ModelError>;
}

/// Makes a solver over `ratings`, with predictions clipped to `scale`.
///
/// Without a `social` objective, or with both social weights 0, no step wants an opening and
/// the result is the no-social model of the same solver.
///
/// # Errors
/// [`ModelError::Setting`] or [`ModelError::NoRatings`].
pub fn solver(
    ratings: Arc<RatingMatrix>,
    scale: (f64, f64),
    settings: &SolverSettings,
    social: Option<Arc<dyn SocialObjective>>,
) -> Result<Box<dyn Solver>, ModelError> {
    settings.validate()?;
    if ratings.is_empty() {
        return Err(ModelError::NoRatings("training"));
    }
    let (start, activity) = starting_model(&ratings, scale, settings);
    let social = social.filter(|_| settings.is_social());
    let problem = Problem {
        bias_centres: activity.centres(&ratings),
        ratings,
        settings: settings.clone(),
        social,
    };
    Ok(match settings.solver {
        SolverKind::Gd => Box::new(GradientDescent::new(problem, start)),
        SolverKind::Adam => Box::new(Adam::new(problem, start)),
        SolverKind::Als => Box::new(AlternatingLeastSquares::new(problem, start)),
    })
}

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
        for row in 0..users.rows() {
            opened
                .row_mut(row)
                .copy_from_slice(&users.row(row)[..columns]);
        }
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
        let mut values = model.users.values().iter().chain(model.items.values());
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
