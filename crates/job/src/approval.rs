//! What P1 signs when it consents.

use s3rec_sparse::PublicBounds;

use serde::{Deserialize, Serialize};

use crate::{Counters, Proposal};

/// An approval as it was given or received: the bytes that are signed, and the signature.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedApproval {
    /// The encoded [`Approval`].
    pub approval: Vec<u8>,
    /// P1's.
    pub signature: Vec<u8>,
}

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
    pub before: Counters,
    /// What P1 states of its links, and whether the bounds of Y follow from that alone.
    pub bounds: PublicBounds,
}
