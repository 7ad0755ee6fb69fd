//! What P1 signs when it consents, in its one encoding.

use s3rec_sparse::PublicBounds;

use super::{Proposal, bounds_from_wire, bounds_to_wire};
use crate::record::Record;
use crate::{WireError, field, v1};

/// Longest encoding; a proposal with the longest purpose takes a quarter of it.
pub const MAX_APPROVAL_BYTES: usize = 16 << 10;

/// A consent to one proposal, exactly as stated.
#[derive(Clone, Debug, PartialEq)]
pub struct Approval {
    /// What was proposed.
    pub proposal: Proposal,
    /// P1's data under a salt of its own.
    pub social_commitment: [u8; 32],
    /// Which data of P1 it is a version of; disclosures are counted by it.
    pub social_lineage: [u8; 16],
    /// When P1 consented, milliseconds since the Unix epoch.
    pub approved_unix_ms: i64,
    /// When the consent ends by itself.
    pub expires_unix_ms: i64,
    /// Pin of P0's certificate.
    pub rating_pin: [u8; 32],
    /// Pin of P1's certificate.
    pub social_pin: [u8; 32],
    /// What P1 has counted of this lineage and P0 before this job.
    pub before: v1::Counters,
    /// What P1 states of its links, and whether the bounds of Y follow from that alone.
    pub bounds: PublicBounds,
}

impl Approval {
    /// The bytes that are signed. Equal approvals have equal bytes: fields in order, defaults
    /// left out, every number and text of the proposal as checked.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        v1::Approval {
            proposal: Some(self.proposal.to_wire()),
            social_commitment: self.social_commitment.to_vec(),
            social_lineage: self.social_lineage.to_vec(),
            approved_unix_ms: self.approved_unix_ms,
            expires_unix_ms: self.expires_unix_ms,
            rating_pin: self.rating_pin.to_vec(),
            social_pin: self.social_pin.to_vec(),
            before: Some(self.before),
            bounds: Some(bounds_to_wire(&self.bounds)),
        }
        .to_record()
    }

    /// Reads those bytes, and no others.
    ///
    /// # Errors
    /// [`WireError`] naming the field; [`WireError::Contradiction`] for an encoding that is not
    /// the canonical one.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.len() > MAX_APPROVAL_BYTES {
            return Err(WireError::TooLong {
                field: "approval",
                most: MAX_APPROVAL_BYTES,
            });
        }
        let message = v1::Approval::from_record(bytes)?;
        let missing = |field| WireError::Missing { field };
        let proposal = message.proposal.as_ref();
        let approval = Self {
            proposal: Proposal::from_wire(proposal.ok_or_else(|| missing("proposal"))?)?,
            social_commitment: field::array("social_commitment", &message.social_commitment)?,
            social_lineage: field::array("social_lineage", &message.social_lineage)?,
            approved_unix_ms: message.approved_unix_ms,
            expires_unix_ms: message.expires_unix_ms,
            rating_pin: field::array("rating_pin", &message.rating_pin)?,
            social_pin: field::array("social_pin", &message.social_pin)?,
            before: message.before.ok_or_else(|| missing("before"))?,
            bounds: bounds_from_wire(message.bounds)?,
        };
        if approval.expires_unix_ms > approval.proposal.terms.expires_unix_ms
            || approval.encode() != bytes
        {
            return Err(WireError::Contradiction { field: "approval" });
        }
        Ok(approval)
    }
}
