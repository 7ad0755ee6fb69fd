//! A proposal: everything that P1's operator consents to.

use std::fmt;

use s3rec_sparse::{Disclosure, OperatorKind};
use s3rec_spmm::{Protocol, ReleasePolicy};
use uuid::Uuid;

use super::{
    operator_from_wire, operator_to_wire, pattern_from_wire, pattern_to_wire, protocol_from_wire,
    protocol_to_wire, release_from_wire, release_to_wire,
};
use crate::{WireError, field, v1};

/// The only alignment so far. Not private: whoever guesses an id can test it.
pub const ALIGNMENT_KEYED_HASH: &str = "keyed-hash";

/// Longest text that people read, bytes.
const MAX_TEXT_BYTES: usize = 2000;

/// The name of a job: a UUID that P0 makes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(Uuid);

impl JobId {
    /// A new, random one.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The UUID's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Reads the hyphenated lower-case form, and no other.
    ///
    /// # Errors
    /// [`WireError::Form`].
    pub fn parse(field: &'static str, text: &str) -> Result<Self, WireError> {
        let parsed = Uuid::try_parse(text).ok().map(Self);
        parsed
            .filter(|job| job.to_string() == text)
            .ok_or(WireError::Form {
                field,
                expected: "a UUID in lower case with hyphens",
            })
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A checked proposal. Equal proposals are the same agreement.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The job.
    pub job: JobId,
    /// Why, in P0's words.
    pub purpose: String,
    /// k.
    pub rank: u32,
    /// How P0 turns Y·U into factors.
    pub solver: v1::Solver,
    /// Which Y.
    pub operator: OperatorKind,
    /// Openings at most.
    pub rounds: u32,
    /// γ; 0: the solver's default.
    pub social_weight: f64,
    /// λ; 0: the solver's default.
    pub regularization: f64,
    /// Step size; 0: the solver's default.
    pub learning_rate: f64,
    /// γ on the user biases; above 0 the bias is one more column of every opening.
    pub social_bias_weight: f64,
    /// How Y·U is computed.
    pub protocol: Protocol,
    /// What of Y's pattern is shown.
    pub pattern: Disclosure,
    /// How openings are released.
    pub release: ReleasePolicy,
    /// u_max.
    pub saturation_bound: f64,
    /// Low bits kept at zero.
    pub guard_bits: u32,
}

impl Proposal {
    /// Columns of one opening.
    #[must_use]
    pub fn columns(&self) -> u32 {
        self.rank + u32::from(self.social_bias_weight > 0.0)
    }

    /// Reads and checks the message.
    ///
    /// # Errors
    /// [`WireError`] naming the first field that is missing, unknown or out of range.
    pub fn from_wire(message: &v1::PeerProposal) -> Result<Self, WireError> {
        let model = message
            .model
            .as_ref()
            .ok_or(WireError::Missing { field: "model" })?;
        if message.alignment != ALIGNMENT_KEYED_HASH {
            return Err(WireError::Form {
                field: "alignment",
                expected: "\"keyed-hash\", the only alignment of this version",
            });
        }
        Ok(Self {
            job: JobId::parse("job_id", &message.job_id)?,
            purpose: field::text("purpose", &message.purpose, MAX_TEXT_BYTES)?.into(),
            rank: field::within("model.rank", model.rank, 1, 512)?,
            solver: field::enumeration("model.solver", model.solver)?,
            operator: operator_from_wire(model.operator)?,
            rounds: field::within("model.rounds", model.rounds, 1, 1 << 16)?,
            social_weight: field::non_negative("model.social_weight", model.social_weight)?,
            regularization: field::non_negative("model.regularization", model.regularization)?,
            learning_rate: field::non_negative("model.learning_rate", model.learning_rate)?,
            social_bias_weight: field::non_negative(
                "model.social_bias_weight",
                model.social_bias_weight,
            )?,
            protocol: protocol_from_wire(message.protocol)?,
            pattern: pattern_from_wire(message.pattern_policy)?,
            release: release_from_wire(message.release_policy)?,
            saturation_bound: field::positive("saturation_bound", message.saturation_bound)?,
            guard_bits: field::within("guard_bits", message.guard_bits, 0, 8)?,
        })
    }

    /// The message.
    #[must_use]
    pub fn to_wire(&self) -> v1::PeerProposal {
        v1::PeerProposal {
            job_id: self.job.to_string(),
            purpose: self.purpose.clone(),
            model: Some(self.model_to_wire()),
            protocol: protocol_to_wire(self.protocol).into(),
            pattern_policy: pattern_to_wire(self.pattern).into(),
            release_policy: Some(release_to_wire(&self.release)),
            alignment: ALIGNMENT_KEYED_HASH.into(),
            saturation_bound: self.saturation_bound,
            guard_bits: self.guard_bits,
        }
    }

    /// The part about the model.
    #[must_use]
    pub fn model_to_wire(&self) -> v1::ModelSettings {
        v1::ModelSettings {
            rank: self.rank,
            solver: self.solver.into(),
            operator: operator_to_wire(self.operator).into(),
            rounds: self.rounds,
            social_weight: self.social_weight,
            regularization: self.regularization,
            learning_rate: self.learning_rate,
            social_bias_weight: self.social_bias_weight,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Proposal {
        Proposal {
            job: JobId::random(),
            purpose: "better recommendations".into(),
            rank: 10,
            solver: v1::Solver::Gd,
            operator: OperatorKind::Laplacian,
            rounds: 20,
            social_weight: 0.0,
            regularization: 0.1,
            learning_rate: 0.0,
            social_bias_weight: 0.0,
            protocol: Protocol::He,
            pattern: Disclosure::Nothing,
            release: ReleasePolicy::Exact,
            saturation_bound: 8.0,
            guard_bits: 2,
        }
    }

    #[test]
    fn a_proposal_survives_the_wire() {
        let proposal = sample();
        assert_eq!(Proposal::from_wire(&proposal.to_wire()).unwrap(), proposal);
    }

    type Spoil = fn(&mut v1::PeerProposal);

    #[test]
    fn each_spoilt_field_is_named() {
        let spoilt: [(&str, Spoil); 9] = [
            ("job_id", |p| p.job_id = "not-a-uuid".into()),
            ("job_id", |p| p.job_id = p.job_id.to_uppercase() + "A"),
            ("model", |p| p.model = None),
            ("model.rank", |p| p.model.as_mut().unwrap().rank = 513),
            ("model.rounds", |p| p.model.as_mut().unwrap().rounds = 0),
            ("model.social_weight", |p| {
                p.model.as_mut().unwrap().social_weight = f64::NAN
            }),
            ("purpose", |p| p.purpose = "x".repeat(2001)),
            ("saturation_bound", |p| p.saturation_bound = 0.0),
            ("alignment", |p| p.alignment = "psi".into()),
        ];
        for (field, spoil) in spoilt {
            let mut message = sample().to_wire();
            spoil(&mut message);
            let error = Proposal::from_wire(&message).unwrap_err().to_string();
            assert!(error.contains(&format!("field {field} ")), "{error}");
        }
    }
}
