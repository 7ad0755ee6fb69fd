use crate::adam::Adam;
use crate::als::AlternatingLeastSquares;
use crate::full_batch::FullBatch;
use crate::gd::GradientDescent;
use crate::problem::Problem;
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
        SolverKind::Gd => Box::new(FullBatch::new(problem, start, GradientDescent)),
        SolverKind::Adam => {
            let adam = Adam::new(&problem, &start);
            Box::new(FullBatch::new(problem, start, adam))
        }
        SolverKind::Als => Box::new(AlternatingLeastSquares::new(problem, start)),
    })
}
