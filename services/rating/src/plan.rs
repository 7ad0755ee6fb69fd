//! What a proposal means for given ratings: split, settings, solver. The daemon and the
//! demonstration's plaintext oracle both start here, so that they train the same thing.

use std::sync::Arc;

use s3rec_data::{DataError, RatingSet, ratio};
use s3rec_model::{
    LaplacianObjective, ModelError, Preset, SocialMf, SocialObjective, Solver, SolverKind,
    SolverSettings, solver,
};
use s3rec_sparse::{OperatorKind, Rating, RatingMatrix};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::{convert, v1};

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
}

/// Fills in what a request leaves open: the protocol `preprocessed`, the solver `als`, the
/// operator `normalized-laplacian`, the solver's documented number of openings. What is disclosed is never filled in: pattern and release
/// policy must be named.
pub fn fill_defaults(request: &mut v1::ProposeJobRequest) {
    if request.protocol == v1::Protocol::Unspecified as i32 {
        request.set_protocol(v1::Protocol::Preprocessed);
    }
    if let Some(model) = &mut request.model {
        if model.solver == v1::Solver::Unspecified as i32 {
            model.set_solver(v1::Solver::Als);
        }
        if model.rounds == 0 {
            let solver = match model.solver() {
                v1::Solver::Gd => SolverKind::Gd,
                v1::Solver::Adam => SolverKind::Adam,
                v1::Solver::Als | v1::Solver::Unspecified => SolverKind::Als,
            };
            model.rounds = defaults_of(solver).openings;
        }
        if model.operator == v1::Operator::Unspecified as i32 {
            model.set_operator(v1::Operator::NormalizedLaplacian);
        }
    }
}

/// Reads a request against the ratings it is about.
///
/// # Errors
/// [`Fault`] naming the setting that is missing, unknown or out of range.
pub fn plan(ratings: &RatingSet, request: &v1::ProposeJobRequest) -> Result<Plan, Fault> {
    let model = request.model.as_ref().ok_or_else(|| {
        Fault::new(Reason::InvalidRequest, "model is missing").at("field", "model")
    })?;
    let settings = solver_settings(model, request.seed)?;
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
    })
}

impl Plan {
    /// A fresh solver. `row_norm_bound` is L of the agreed parameters, at scale 2^f_y.
    ///
    /// # Errors
    /// As [`s3rec_model::solver`].
    pub fn solver(&self, row_norm_bound: u64) -> Result<Box<dyn Solver>, ModelError> {
        let objective: Arc<dyn SocialObjective> = match self.operator {
            OperatorKind::NormalizedLaplacian => Arc::new(LaplacianObjective::normalized()),
            OperatorKind::Laplacian => Arc::new(LaplacianObjective::published(row_norm_bound)),
            OperatorKind::OutAverage => Arc::new(SocialMf),
        };
        solver(
            Arc::clone(&self.train),
            self.scale,
            &self.settings,
            Some(objective),
        )
    }

    /// The same solver without the social term.
    ///
    /// # Errors
    /// As [`s3rec_model::solver`].
    pub fn solver_without_social(&self) -> Result<Box<dyn Solver>, ModelError> {
        solver(Arc::clone(&self.train), self.scale, &self.settings, None)
    }
}

/// The model crate's settings for the conversation's; zeros mean its defaults.
fn solver_settings(model: &v1::ModelSettings, seed: u64) -> Result<SolverSettings, Fault> {
    let given = |value: f64, default: f64| if value == 0.0 { default } else { value };
    let solver = match model.solver() {
        v1::Solver::Gd => SolverKind::Gd,
        v1::Solver::Adam => SolverKind::Adam,
        v1::Solver::Als | v1::Solver::Unspecified => SolverKind::Als,
    };
    let defaults = defaults_of(solver);
    let decay = |default| given(model.regularization, default);
    let settings = SolverSettings {
        solver,
        rank: usize::try_from(model.rank).unwrap_or(usize::MAX),
        openings: model.rounds,
        seed,
        user_decay: decay(defaults.user_decay),
        item_decay: decay(defaults.item_decay),
        social_weight: given(model.social_weight, defaults.social_weight),
        social_bias_weight: model.social_bias_weight,
        learning_rate: (model.learning_rate != 0.0).then_some(model.learning_rate),
        ..defaults
    };
    settings
        .validate()
        .map_err(|error| Fault::new(Reason::InvalidRequest, error.to_string()))?;
    Ok(settings)
}

/// What a solver runs with where a request leaves a number at 0: `als` as in the preset
/// `published`, which section 5 of the design page measures; it needs far fewer openings.
fn defaults_of(solver: SolverKind) -> SolverSettings {
    let published = Preset::named("published").filter(|preset| preset.settings.solver == solver);
    published.map_or_else(SolverSettings::default, |preset| preset.settings)
}

fn split(
    ratings: &RatingSet,
    request: &v1::ProposeJobRequest,
) -> Result<(Vec<Rating>, Vec<Rating>), Fault> {
    if request.no_held_out {
        return Ok((ratings.ratings.clone(), Vec::new()));
    }
    let share = match request.held_out_share {
        0.0 => HELD_OUT_SHARE,
        share if share > 0.0 && share <= 0.5 => share,
        _ => {
            let fault = Fault::new(Reason::InvalidRequest, "held_out_share must be 0 to 0.5");
            return Err(fault.at("field", "held_out_share"));
        }
    };
    let fold = ratio(ratings.ratings.len(), share, request.seed)
        .map_err(|error: DataError| Fault::new(Reason::InvalidRequest, error.to_string()))?;
    let chosen = |positions: &[usize]| {
        positions
            .iter()
            .filter_map(|&position| ratings.ratings.get(position).copied())
            .collect()
    };
    Ok((chosen(&fold.train), chosen(&fold.test)))
}
