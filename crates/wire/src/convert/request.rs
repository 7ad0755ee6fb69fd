//! Requests to propose a job, and what they leave open.

use s3rec_job::{HeldOut, JobRequest, defaults_of};
use s3rec_model::SolverKind;
use s3rec_spmm::noise_first::guarantee::Mu;

use super::settings::model_from_wire;
use super::{pattern_from_wire, protocol_from_wire, release_from_wire, solver_from_wire};
use crate::{WireError, v1};

/// Reads a request, what it leaves open filled in.
///
/// # Errors
/// [`WireError`] naming the first field that is missing, unknown or out of range.
pub fn request_from_wire(mut message: v1::ProposeJobRequest) -> Result<JobRequest, WireError> {
    fill_defaults(&mut message);
    let model = message.model.as_ref();
    let mut release = message.release_policy;
    if let Some(friends) = release
        .as_mut()
        .and_then(|release| release.friends.as_mut())
    {
        // Counted when it is proposed.
        friends.most_opened = 1;
    }
    Ok(JobRequest {
        model: model_from_wire(model.ok_or(WireError::Missing { field: "model" })?)?,
        protocol: protocol_from_wire("protocol", message.protocol)?,
        pattern: pattern_from_wire("pattern_policy", message.pattern_policy)?,
        release: release_from_wire(release)?,
        dataset: message.dataset,
        purpose: message.purpose,
        seed: message.seed,
        held_out: HeldOut {
            share: match message.no_held_out {
                true => Some(0.0),
                false => message.held_out_share,
            },
            is_latest: message.held_out_latest,
        },
        expires_unix_ms: Some(message.expires_unix_ms).filter(|end| *end != 0),
        factors: message.factors,
    })
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
            let solver = solver_from_wire("model.solver", model.solver);
            model.rounds = defaults_of(solver.unwrap_or(SolverKind::Als)).openings;
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

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_sparse::{OperatorKind, PatternPolicy};
    use s3rec_spmm::{Protocol, ReleasePolicy};

    #[test]
    fn what_is_left_open_is_filled_in_but_not_what_is_disclosed() {
        let mut message = v1::ProposeJobRequest {
            model: Some(v1::ModelSettings {
                rank: 10,
                ..v1::ModelSettings::default()
            }),
            expires_unix_ms: 7,
            ..v1::ProposeJobRequest::default()
        };
        let refused = |message: &v1::ProposeJobRequest| {
            let refused = request_from_wire(message.clone());
            refused.unwrap_err().to_string()
        };
        assert!(refused(&message).contains("pattern_policy"));
        message.set_pattern_policy(v1::PatternPolicy::Nothing);
        assert!(refused(&message).contains("release_policy"));
        message.release_policy = Some(v1::ReleasePolicy {
            kind: v1::ReleaseKind::Exact.into(),
            ..v1::ReleasePolicy::default()
        });
        let read = request_from_wire(message.clone()).unwrap();
        assert_eq!(read.model.rounds, defaults_of(SolverKind::Als).openings);
        assert_eq!(read.model.operator, OperatorKind::NormalizedLaplacian);
        assert_eq!(read.protocol, Protocol::Preprocessed);
        assert_eq!((read.held_out.share, read.expires_unix_ms), (None, Some(7)));
        message.no_held_out = true;
        message.held_out_share = Some(0.3);
        let read = request_from_wire(message.clone()).unwrap();
        assert_eq!(read.held_out.share, Some(0.0));
        message.model.as_mut().unwrap().rank = 513;
        assert!(refused(&message).contains("model.rank"));
        message.model = None;
        assert!(refused(&message).contains("model"));
    }

    #[test]
    fn an_opening_of_friends_sums_needs_no_more_than_its_name() {
        let message = v1::ProposeJobRequest {
            protocol: v1::Protocol::NoiseFirst.into(),
            ..v1::ProposeJobRequest::default()
        };
        let read = request_from_wire(message).unwrap();
        assert_eq!(read.pattern, PatternPolicy::Nothing);
        assert_eq!((read.model.rank, read.model.rounds), (FRIENDS_COLUMNS, 1));
        let ReleasePolicy::Friends(release) = read.release else {
            panic!("{:?}", read.release)
        };
        let given = (release.mu, release.few_below, release.most_opened);
        assert_eq!(given, (1.0, FEW_BELOW, 1));
    }
}
