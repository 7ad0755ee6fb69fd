//! A proposal: everything that P1's operator consents to.

use s3rec_job::{JobId, LEAST_SECURITY_BITS, LEAST_STATISTICAL_BITS, Proposal, Terms};
use s3rec_model::SolverKind;

use super::{
    operator_from_wire, operator_to_wire, pattern_from_wire, pattern_to_wire, protocol_from_wire,
    protocol_to_wire, release_from_wire, release_to_wire,
};
use crate::{WireError, field, v1};

/// How the common users are found: private set intersection, whose form follows from P0's number
/// of ids (`s3rec_psi::Form`).
pub const ALIGNMENT_PSI: &str = "psi-by-size-1";

/// Longest text that people read, bytes.
const MAX_TEXT_BYTES: usize = 2000;

/// Reads the name of a job in its hyphenated lower-case form, and in no other.
///
/// # Errors
/// [`WireError::Form`].
pub fn job_id(field: &'static str, text: &str) -> Result<JobId, WireError> {
    let expected = "a UUID in lower case with hyphens";
    JobId::parse(text).ok_or(WireError::Form { field, expected })
}

named!(pub solver_to_wire, solver_from_wire: SolverKind { Gd, Adam, Als }, Solver);

fn terms_from_wire(message: &v1::PeerProposal) -> Result<Terms, WireError> {
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
    Ok(Terms {
        rating_commitment: field::array("rating_commitment", &message.rating_commitment)?,
        rating_lineage: field::array("rating_lineage", &message.rating_lineage)?,
        factors_commitment: match &message.factors_commitment[..] {
            [] => None,
            bytes => Some(field::array("factors_commitment", bytes)?),
        },
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

/// Reads and checks the message.
///
/// # Errors
/// [`WireError`] naming the first field that is missing, unknown or out of range.
pub fn proposal_from_wire(message: &v1::PeerProposal) -> Result<Proposal, WireError> {
    let model = message
        .model
        .as_ref()
        .ok_or(WireError::Missing { field: "model" })?;
    if message.alignment != ALIGNMENT_PSI {
        return Err(WireError::Form {
            field: "alignment",
            expected: "\"psi-by-size-1\", the only alignment of this version",
        });
    }
    if model.local.is_some() {
        return Err(WireError::Form {
            field: "model.local",
            expected: "absent, which it must be: it is the rating platform's own",
        });
    }
    let proposal = Proposal {
        job: job_id("job_id", &message.job_id)?,
        purpose: field::text("purpose", &message.purpose, MAX_TEXT_BYTES)?.into(),
        rank: field::within("model.rank", model.rank, 1, 512)?,
        solver: solver_from_wire("model.solver", model.solver)?,
        operator: operator_from_wire("operator", model.operator)?,
        rounds: field::within("model.rounds", model.rounds, 1, 1 << 16)?,
        social_weight: model
            .social_weight
            .map(|weight| field::non_negative("model.social_weight", weight))
            .transpose()?,
        regularization: model
            .regularization
            .map(|weight| field::non_negative("model.regularization", weight))
            .transpose()?,
        learning_rate: model
            .learning_rate
            .map(|size| field::positive("model.learning_rate", size))
            .transpose()?,
        social_bias_weight: field::non_negative(
            "model.social_bias_weight",
            model.social_bias_weight,
        )?,
        protocol: protocol_from_wire("protocol", message.protocol)?,
        pattern: pattern_from_wire("pattern_policy", message.pattern_policy)?,
        release: release_from_wire(message.release_policy)?,
        saturation_bound: field::positive("saturation_bound", message.saturation_bound)?,
        guard_bits: field::within("guard_bits", message.guard_bits, 0, 8)?,
        id_rule: super::alignment::rule(&message.id_rule)?,
        terms: terms_from_wire(message)?,
    };
    if message.columns != proposal.columns() {
        return Err(WireError::Contradiction { field: "columns" });
    }
    Ok(proposal)
}

/// The message.
#[must_use]
pub fn proposal_to_wire(proposal: &Proposal) -> v1::PeerProposal {
    v1::PeerProposal {
        job_id: proposal.job.to_string(),
        purpose: proposal.purpose.clone(),
        model: Some(model_to_wire(proposal)),
        protocol: protocol_to_wire(proposal.protocol).into(),
        pattern_policy: pattern_to_wire(proposal.pattern).into(),
        release_policy: Some(release_to_wire(&proposal.release)),
        alignment: ALIGNMENT_PSI.into(),
        saturation_bound: proposal.saturation_bound,
        guard_bits: proposal.guard_bits,
        id_rule: proposal.id_rule.clone(),
        rating_commitment: proposal.terms.rating_commitment.to_vec(),
        rating_lineage: proposal.terms.rating_lineage.to_vec(),
        columns: proposal.columns(),
        bounds: Some(v1::ParameterBounds {
            most_common_users: proposal.terms.most_common_users,
            least_security_bits: proposal.terms.least_security_bits,
            least_statistical_bits: proposal.terms.least_statistical_bits,
        }),
        expires_unix_ms: proposal.terms.expires_unix_ms,
        factors_commitment: proposal
            .terms
            .factors_commitment
            .map_or_else(Vec::new, |commitment| commitment.to_vec()),
    }
}

/// The part about the model.
fn model_to_wire(proposal: &Proposal) -> v1::ModelSettings {
    v1::ModelSettings {
        rank: proposal.rank,
        solver: solver_to_wire(proposal.solver).into(),
        operator: operator_to_wire(proposal.operator).into(),
        rounds: proposal.rounds,
        social_weight: proposal.social_weight,
        regularization: proposal.regularization,
        learning_rate: proposal.learning_rate,
        social_bias_weight: proposal.social_bias_weight,
        local: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_sparse::{OperatorKind, PatternPolicy};
    use s3rec_spmm::{Protocol, ReleasePolicy};

    fn sample() -> Proposal {
        Proposal {
            job: JobId::random(),
            purpose: "better recommendations".into(),
            rank: 10,
            solver: SolverKind::Gd,
            operator: OperatorKind::Laplacian,
            rounds: 20,
            social_weight: Some(0.0),
            regularization: Some(0.1),
            learning_rate: None,
            social_bias_weight: 0.0,
            protocol: Protocol::He,
            pattern: PatternPolicy::Nothing,
            release: ReleasePolicy::Exact,
            saturation_bound: 8.0,
            guard_bits: 2,
            id_rule: "nfc-trim".into(),
            terms: Terms::default(),
        }
    }

    #[test]
    fn a_proposal_survives_the_wire() {
        let mut proposal = sample();
        proposal.terms.factors_commitment = Some([3; 32]);
        assert_eq!(
            proposal_from_wire(&proposal_to_wire(&proposal)).unwrap(),
            proposal
        );
        // No weight is not the default weight.
        let mut message = proposal_to_wire(&proposal);
        message.model.as_mut().unwrap().social_weight = None;
        assert_eq!(proposal_from_wire(&message).unwrap().social_weight, None);
        assert_ne!(message, proposal_to_wire(&proposal));
    }

    type Spoil = fn(&mut v1::PeerProposal);

    #[test]
    fn each_spoilt_field_is_named() {
        let spoilt: [(&str, Spoil); 20] = [
            ("rating_commitment", |p| p.rating_commitment = vec![1; 31]),
            ("rating_lineage", |p| p.rating_lineage.clear()),
            ("factors_commitment", |p| p.factors_commitment = vec![1; 31]),
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
                p.model.as_mut().unwrap().social_weight = Some(f64::NAN)
            }),
            ("model.regularization", |p| {
                p.model.as_mut().unwrap().regularization = Some(-0.5)
            }),
            ("model.learning_rate", |p| {
                p.model.as_mut().unwrap().learning_rate = Some(0.0)
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
            let mut message = proposal_to_wire(&sample());
            spoil(&mut message);
            let error = proposal_from_wire(&message).unwrap_err().to_string();
            assert!(error.contains(&format!("field {field} ")), "{error}");
        }
    }
}
