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

/// How the common users are found: private set intersection, the only way.
pub const ALIGNMENT_PSI: &str = "ecdh-psi-ristretto255";

/// Below these nobody may consent (design page, sections 2 and 3.1).
const LEAST_SECURITY_BITS: u32 = 128;
const LEAST_STATISTICAL_BITS: u32 = 40;

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
    /// How P0 normalised its user ids.
    pub id_rule: String,
    /// Whose data, until when, and what the parameters must keep.
    pub terms: Terms,
}

/// Commitment, bounds and end of a proposal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// P0's data under a salt of its own.
    pub rating_commitment: [u8; 32],
    /// Which data of P0 it is a version of.
    pub rating_lineage: [u8; 16],
    /// Users both platforms have, at most.
    pub most_common_users: u32,
    /// Lowest estimated attack cost, log2.
    pub least_security_bits: u32,
    /// Statistical distance of the simulation over the whole job, −log2.
    pub least_statistical_bits: u32,
    /// The proposal's end, milliseconds since the Unix epoch.
    pub expires_unix_ms: i64,
}

impl Default for Terms {
    /// What every job must keep, with neither data nor an end that is near.
    fn default() -> Self {
        Self {
            rating_commitment: [0; 32],
            rating_lineage: [0; 16],
            most_common_users: u32::MAX,
            least_security_bits: LEAST_SECURITY_BITS,
            least_statistical_bits: LEAST_STATISTICAL_BITS,
            expires_unix_ms: i64::MAX,
        }
    }
}

impl Terms {
    fn from_wire(message: &v1::PeerProposal) -> Result<Self, WireError> {
        let bounds = message
            .bounds
            .ok_or(WireError::Missing { field: "bounds" })?;
        let bits = |name, bits, least| field::within(name, bits, least, 1024);
        let users = "bounds.most_common_users";
        if message.expires_unix_ms <= 0 {
            return Err(WireError::Missing {
                field: "expires_unix_ms",
            });
        }
        Ok(Self {
            rating_commitment: field::array("rating_commitment", &message.rating_commitment)?,
            rating_lineage: field::array("rating_lineage", &message.rating_lineage)?,
            most_common_users: field::within(users, bounds.most_common_users, 1, u32::MAX)?,
            least_security_bits: bits(
                "bounds.least_security_bits",
                bounds.least_security_bits,
                LEAST_SECURITY_BITS,
            )?,
            least_statistical_bits: bits(
                "bounds.least_statistical_bits",
                bounds.least_statistical_bits,
                LEAST_STATISTICAL_BITS,
            )?,
            expires_unix_ms: message.expires_unix_ms,
        })
    }
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
        if message.alignment != ALIGNMENT_PSI {
            return Err(WireError::Form {
                field: "alignment",
                expected: "\"ecdh-psi-ristretto255\", the only alignment of this version",
            });
        }
        if model.local.is_some() {
            return Err(WireError::Form {
                field: "model.local",
                expected: "absent, which it must be: it is the rating platform's own",
            });
        }
        let proposal = Self {
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
            id_rule: super::alignment::rule(&message.id_rule)?,
            terms: Terms::from_wire(message)?,
        };
        if message.columns != proposal.columns() {
            return Err(WireError::Contradiction { field: "columns" });
        }
        Ok(proposal)
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
            alignment: ALIGNMENT_PSI.into(),
            saturation_bound: self.saturation_bound,
            guard_bits: self.guard_bits,
            id_rule: self.id_rule.clone(),
            rating_commitment: self.terms.rating_commitment.to_vec(),
            rating_lineage: self.terms.rating_lineage.to_vec(),
            columns: self.columns(),
            bounds: Some(v1::ParameterBounds {
                most_common_users: self.terms.most_common_users,
                least_security_bits: self.terms.least_security_bits,
                least_statistical_bits: self.terms.least_statistical_bits,
            }),
            expires_unix_ms: self.terms.expires_unix_ms,
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
            local: None,
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
            id_rule: "nfc-trim".into(),
            terms: Terms::default(),
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
        let spoilt: [(&str, Spoil); 17] = [
            ("rating_commitment", |p| p.rating_commitment = vec![1; 31]),
            ("rating_lineage", |p| p.rating_lineage.clear()),
            ("columns", |p| p.columns += 1),
            ("bounds", |p| p.bounds = None),
            ("bounds.least_security_bits", |p| {
                p.bounds.as_mut().unwrap().least_security_bits = 127
            }),
            ("expires_unix_ms", |p| p.expires_unix_ms = 0),
            ("job_id", |p| p.job_id = "not-a-uuid".into()),
            ("job_id", |p| p.job_id = p.job_id.to_uppercase() + "A"),
            ("model", |p| p.model = None),
            ("model.rank", |p| p.model.as_mut().unwrap().rank = 513),
            ("model.rounds", |p| p.model.as_mut().unwrap().rounds = 0),
            ("model.social_weight", |p| {
                p.model.as_mut().unwrap().social_weight = f64::NAN
            }),
            ("model.local", |p| {
                p.model.as_mut().unwrap().local = Some(v1::LocalSettings::default())
            }),
            ("purpose", |p| p.purpose = "x".repeat(2001)),
            ("saturation_bound", |p| p.saturation_bound = 0.0),
            ("alignment", |p| p.alignment = "keyed-hash".into()),
            ("id_rule", |p| p.id_rule = "whatever".into()),
        ];
        for (field, spoil) in spoilt {
            let mut message = sample().to_wire();
            spoil(&mut message);
            let error = Proposal::from_wire(&message).unwrap_err().to_string();
            assert!(error.contains(&format!("field {field} ")), "{error}");
        }
    }
}
