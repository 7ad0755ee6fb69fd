//! What a request to propose a job leaves open.

use s3rec_spmm::noise_first::guarantee::Mu;

use super::settings::{defaults_of, solver_kind};
use crate::v1;

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
/// t.
pub const FEW_BELOW: u32 = 5;
/// f.
pub const CALIBRATION_SHARE: f64 = 0.2;
