//! What a proposal means for given ratings: split, settings, solver. The daemon and the
//! demonstration's plaintext oracle both start here, so that they train the same thing.

use std::sync::Arc;

use s3rec_data::{DataError, RatingSet, latest, ratio};
use s3rec_job::JobRequest;
use s3rec_model::{
    Accuracy, ModelError, Predictor, Solver, SolverSettings, StopRule, Stopping, accuracy,
    objective_of, solver,
};
use s3rec_sparse::{OperatorKind, Rating, RatingMatrix};
use s3rec_wire::status::{Fault, Reason};

use crate::factors::OwnRows;

/// Share of the ratings held out when the request leaves it open.
const HELD_OUT_SHARE: f64 = 0.2;

/// Everything a training starts from, apart from the other platform.
pub struct Plan {
    /// R without what is held out, over all users and items.
    pub train: Arc<RatingMatrix>,
    /// What the metrics are over; empty when nothing is held out.
    pub held_out: Vec<Rating>,
    /// Lowest and highest rating.
    pub scale: (f64, f64),
    /// Solver and its weights, defaults filled in.
    pub settings: SolverSettings,
    /// Which Y.
    pub operator: OperatorKind,
    /// When to stop below the openings consented to; none: make them all.
    pub stop: Option<StopRule>,
    /// Factors brought along, which take the place of the built-in model of friends' sums.
    pub own: Option<OwnRows>,
}

/// Reads a request against the ratings it is about.
///
/// # Errors
/// [`Fault`] naming the setting that is missing, unknown or out of range.
pub fn plan(ratings: &RatingSet, request: &JobRequest) -> Result<Plan, Fault> {
    let refused = |error: ModelError| Fault::new(Reason::InvalidRequest, error.to_string());
    let settings = request.model.solver_settings(request.seed);
    let settings = settings.map_err(refused)?;
    let (train, held_out) = split(ratings, request)?;
    let train = RatingMatrix::from_ratings(ratings.users.len(), ratings.items.len(), &train)
        .map_err(|error| Fault::new(Reason::InvalidRequest, error.to_string()))?;
    let scale = ratings.report.scale;
    Ok(Plan {
        train: Arc::new(train),
        held_out,
        scale: (scale.min.into(), scale.max.into()),
        settings,
        operator: request.model.operator,
        stop: request.model.local.stop,
        own: None,
    })
}

impl Plan {
    /// A fresh solver, which stops early where the request says so. `row_norm_bound` is L of
    /// the agreed parameters, at scale 2^f_y.
    ///
    /// # Errors
    /// As [`s3rec_model::solver`].
    pub fn solver(&self, row_norm_bound: u64) -> Result<Box<dyn Solver>, ModelError> {
        let objective = objective_of(self.operator, row_norm_bound)?;
        let train = Arc::clone(&self.train);
        let solver = solver(train, self.scale, &self.settings, Some(objective))?;
        Ok(match self.stop {
            Some(rule) => Box::new(Stopping::new(solver, rule, self.held_out.clone())),
            None => solver,
        })
    }

    /// The same solver without the social term.
    ///
    /// # Errors
    /// As [`s3rec_model::solver`].
    pub fn solver_without_social(&self) -> Result<Box<dyn Solver>, ModelError> {
        solver(Arc::clone(&self.train), self.scale, &self.settings, None)
    }
}

fn split(ratings: &RatingSet, request: &JobRequest) -> Result<(Vec<Rating>, Vec<Rating>), Fault> {
    let share = match request.held_out.share {
        None => HELD_OUT_SHARE,
        Some(0.0) => return Ok((ratings.ratings.clone(), Vec::new())),
        Some(share) if share > 0.0 && share <= 0.5 => share,
        _ => {
            let fault = Fault::new(Reason::InvalidRequest, "held_out_share must be 0 to 0.5");
            return Err(fault.at("field", "held_out_share"));
        }
    };
    let fold = if request.held_out.is_latest {
        if ratings.timestamps.is_empty() {
            let message = "the ratings have no times; import them with their timestamp column";
            return Err(Fault::new(Reason::InvalidRequest, message).at("field", "held_out_latest"));
        }
        latest(&ratings.timestamps, share)
    } else {
        ratio(ratings.ratings.len(), share, request.seed)
    };
    let fold =
        fold.map_err(|error: DataError| Fault::new(Reason::InvalidRequest, error.to_string()))?;
    let chosen = |positions: &[usize]| {
        positions
            .iter()
            .filter_map(|&position| ratings.ratings.get(position).copied())
            .collect()
    };
    Ok((chosen(&fold.train), chosen(&fold.test)))
}

/// Errors on what was held out; none when nothing was.
pub(crate) fn metrics(predictor: &dyn Predictor, plan: &Plan) -> Option<Accuracy> {
    accuracy(predictor, &plan.held_out).ok()
}
