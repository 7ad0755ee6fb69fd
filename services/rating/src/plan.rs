//! What a proposal means for given ratings: split, settings, solver. The daemon and the
//! demonstration's plaintext oracle both start here, so that they train the same thing.

use std::sync::Arc;

use s3rec_data::{DataError, RatingSet, latest, ratio};
use s3rec_model::{
    Accuracy, ModelError, Predictor, Solver, SolverSettings, StopRule, Stopping, accuracy,
    objective_of, solver,
};
use s3rec_sparse::{OperatorKind, Rating, RatingMatrix};
use s3rec_spmm::noise_first::guarantee::Mu;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::{convert, v1};

use crate::factors::OwnRows;
use crate::settings::{self, defaults_of, solver_kind};

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

/// Fills in what a request leaves open: the protocol `preprocessed`, the solver `als`, the
/// operator `normalized-laplacian`, the solver's documented number of openings. What is
/// disclosed is never filled in: pattern and release policy must be named.
pub fn fill_defaults(request: &mut v1::ProposeJobRequest) {
    let of_friends = request
        .model
        .as_ref()
        .is_some_and(|model| model.operator() == v1::Operator::Friends)
        || request.protocol() == v1::Protocol::NoiseFirst;
    if of_friends {
        return fill_friends(request);
    }
    if request.protocol == v1::Protocol::Unspecified as i32 {
        request.set_protocol(v1::Protocol::Preprocessed);
    }
    if let Some(model) = &mut request.model {
        if model.solver == v1::Solver::Unspecified as i32 {
            model.set_solver(v1::Solver::Als);
        }
        if model.rounds == 0 {
            model.rounds = defaults_of(solver_kind(model.solver())).openings;
        }
        if model.operator == v1::Operator::Unspecified as i32 {
            model.set_operator(v1::Operator::NormalizedLaplacian);
        }
    }
}

/// The same of an opening of friends' sums: one round of 8 columns at μ = 1, one-sided, opened for
/// users with fewer than 5 ratings and a fifth of the others. Nothing is held out: what it is worth
/// is judged on the calibration users.
fn fill_friends(request: &mut v1::ProposeJobRequest) {
    if request.protocol == v1::Protocol::Unspecified as i32 {
        request.set_protocol(v1::Protocol::NoiseFirst);
    }
    let mut model = request.model.unwrap_or_default();
    if model.operator == v1::Operator::Unspecified as i32 {
        model.set_operator(v1::Operator::Friends);
    }
    if model.solver == v1::Solver::Unspecified as i32 {
        model.set_solver(v1::Solver::Als);
    }
    if model.rounds == 0 {
        model.rounds = 1;
    }
    if model.rank == 0 {
        model.rank = FRIENDS_COLUMNS;
    }
    request.model = Some(model);
    if request.pattern_policy == v1::PatternPolicy::Unspecified as i32 {
        request.set_pattern_policy(v1::PatternPolicy::Nothing);
    }
    request.no_held_out = true;
    let mut release = request.release_policy.unwrap_or_default();
    if release.kind == v1::ReleaseKind::Unspecified as i32 {
        release.set_kind(v1::ReleaseKind::Friends);
    }
    if release.kind == v1::ReleaseKind::Friends as i32 {
        let mut friends = release.friends.unwrap_or_default();
        if friends.mu == 0.0 {
            friends.mu = Mu::ONE.value();
        }
        if friends.sides == v1::Sides::Unspecified as i32 {
            friends.set_sides(v1::Sides::One);
        }
        if friends.sides == v1::Sides::One as i32 && friends.few_below == 0 {
            friends.few_below = FEW_BELOW;
        }
        if friends.calibration_share == 0.0 {
            friends.calibration_share = CALIBRATION_SHARE;
        }
        if friends.row_norm_bound == 0.0 {
            friends.row_norm_bound = 1.0;
        }
        release.friends = Some(friends);
    }
    request.release_policy = Some(release);
}

/// C, t and f where the request leaves them open (page `noised_opening`, section 4).
const FRIENDS_COLUMNS: u32 = 8;
pub(crate) const FEW_BELOW: u32 = 5;
pub(crate) const CALIBRATION_SHARE: f64 = 0.2;

/// Reads a request against the ratings it is about.
///
/// # Errors
/// [`Fault`] naming the setting that is missing, unknown or out of range.
pub fn plan(ratings: &RatingSet, request: &v1::ProposeJobRequest) -> Result<Plan, Fault> {
    let model = request.model.as_ref().ok_or_else(|| {
        Fault::new(Reason::InvalidRequest, "model is missing").at("field", "model")
    })?;
    let settings = settings::from_wire(model, request.seed)?;
    let stop = settings::stop_rule(model)?;
    let operator = convert::operator_from_wire(model.operator)?;
    let (train, held_out) = split(ratings, request)?;
    let train = RatingMatrix::from_ratings(ratings.users.len(), ratings.items.len(), &train)
        .map_err(|error| Fault::new(Reason::InvalidRequest, error.to_string()))?;
    let scale = ratings.report.scale;
    Ok(Plan {
        train: Arc::new(train),
        held_out,
        scale: (scale.min.into(), scale.max.into()),
        settings,
        operator,
        stop,
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

fn split(
    ratings: &RatingSet,
    request: &v1::ProposeJobRequest,
) -> Result<(Vec<Rating>, Vec<Rating>), Fault> {
    if request.no_held_out {
        return Ok((ratings.ratings.clone(), Vec::new()));
    }
    let share = match request.held_out_share {
        None => HELD_OUT_SHARE,
        Some(0.0) => return Ok((ratings.ratings.clone(), Vec::new())),
        Some(share) if share > 0.0 && share <= 0.5 => share,
        _ => {
            let fault = Fault::new(Reason::InvalidRequest, "held_out_share must be 0 to 0.5");
            return Err(fault.at("field", "held_out_share"));
        }
    };
    let fold = if request.held_out_latest {
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
pub(crate) fn metrics(predictor: &dyn Predictor, plan: &Plan) -> Option<v1::Metrics> {
    let Accuracy { rmse, mae } = accuracy(predictor, &plan.held_out).ok()?;
    Some(v1::Metrics {
        rmse,
        mae,
        ratings: plan.held_out.len() as u64,
    })
}
