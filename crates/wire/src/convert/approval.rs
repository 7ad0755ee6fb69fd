//! What P1 signs when it consents, in its one encoding.

use s3rec_job::Approval;

use super::{
    bounds_from_wire, bounds_to_wire, counters_from_wire, counters_to_wire, proposal_from_wire,
    proposal_to_wire,
};
use crate::record::Record;
use crate::{WireError, field, v1};

/// Longest encoding; a proposal with the longest purpose takes a quarter of it.
pub const MAX_APPROVAL_BYTES: usize = 16 << 10;

/// The bytes that are signed. Equal approvals have equal bytes: fields in order, defaults
/// left out, every number and text of the proposal as checked.
#[must_use]
pub fn approval_to_bytes(approval: &Approval) -> Vec<u8> {
    v1::Approval {
        proposal: Some(proposal_to_wire(&approval.proposal)),
        social_commitment: approval.social_commitment.to_vec(),
        social_lineage: approval.social_lineage.to_vec(),
        approved_unix_ms: approval.approved_unix_ms,
        expires_unix_ms: approval.expires_unix_ms,
        rating_pin: approval.rating_pin.to_vec(),
        social_pin: approval.social_pin.to_vec(),
        before: Some(counters_to_wire(&approval.before)),
        bounds: Some(bounds_to_wire(&approval.bounds)),
    }
    .to_record()
}

/// Reads those bytes, and no others.
///
/// # Errors
/// [`WireError`] naming the field; [`WireError::Contradiction`] for an encoding that is not
/// the canonical one.
pub fn approval_from_bytes(bytes: &[u8]) -> Result<Approval, WireError> {
    if bytes.len() > MAX_APPROVAL_BYTES {
        return Err(WireError::TooLong {
            field: "approval",
            most: MAX_APPROVAL_BYTES,
        });
    }
    let message = v1::Approval::from_record(bytes)?;
    let missing = |field| WireError::Missing { field };
    let proposal = message.proposal.as_ref();
    let approval = Approval {
        proposal: proposal_from_wire(proposal.ok_or_else(|| missing("proposal"))?)?,
        social_commitment: field::array("social_commitment", &message.social_commitment)?,
        social_lineage: field::array("social_lineage", &message.social_lineage)?,
        approved_unix_ms: message.approved_unix_ms,
        expires_unix_ms: message.expires_unix_ms,
        rating_pin: field::array("rating_pin", &message.rating_pin)?,
        social_pin: field::array("social_pin", &message.social_pin)?,
        before: counters_from_wire(message.before.ok_or_else(|| missing("before"))?),
        bounds: bounds_from_wire(message.bounds)?,
    };
    if approval.expires_unix_ms > approval.proposal.terms.expires_unix_ms
        || approval_to_bytes(&approval) != bytes
    {
        return Err(WireError::Contradiction { field: "approval" });
    }
    Ok(approval)
}
