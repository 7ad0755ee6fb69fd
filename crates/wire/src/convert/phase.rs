//! Phases of a job.

use s3rec_job::Phase;

use crate::{WireError, field, v1};

/// # Errors
/// [`WireError::Missing`], [`WireError::UnknownEnum`].
pub fn phase_from_wire(field: &'static str, value: i32) -> Result<Phase, WireError> {
    Ok(match field::enumeration::<v1::Phase>(field, value)? {
        v1::Phase::Consent => Phase::Consent,
        v1::Phase::Alignment => Phase::Alignment,
        v1::Phase::Setup => Phase::Setup,
        v1::Phase::Offline => Phase::Offline,
        v1::Phase::Online => Phase::Online,
        v1::Phase::Evaluation => Phase::Evaluation,
        v1::Phase::Unspecified => return Err(WireError::Missing { field }),
    })
}

/// The wire's name of a phase.
#[must_use]
pub fn phase_to_wire(phase: Phase) -> v1::Phase {
    match phase {
        Phase::Consent => v1::Phase::Consent,
        Phase::Alignment => v1::Phase::Alignment,
        Phase::Setup => v1::Phase::Setup,
        Phase::Offline => v1::Phase::Offline,
        Phase::Online => v1::Phase::Online,
        Phase::Evaluation => v1::Phase::Evaluation,
    }
}
