//! What P0 and P1 have agreed on, and what an honest P0 makes of it.

use std::sync::Arc;

use s3rec_algebra::RingMatrix;
use s3rec_job::counting::Counted;
use s3rec_job::{Counters, Overlap, Phase, Proposal};
use s3rec_sparse::PatternPolicy;
use s3rec_spmm::he::public_key_seed;
use s3rec_spmm::{ProductParameters, ProductRequest, PublicPattern};
use s3rec_wire::convert::{ChunkHeader, rows_of_bitmap};
use s3rec_wire::v1;

/// A job as both sides agreed on it.
#[derive(Clone)]
pub(crate) struct AgreedSetup {
    pub(crate) proposal: Proposal,
    pub(crate) parameters: ProductParameters,
    pub(crate) digest: [u8; 32],
    pub(crate) pattern: Arc<PublicPattern>,
    pub(super) rating_half: [u8; 32],
    pub(super) social_half: [u8; 32],
    pub(super) stock_id: [u8; 16],
    pub(super) users_digest: [u8; 32],
    pub(super) operator_commitment: [u8; 32],
    /// Overlap as the intersection gave it.
    pub(super) overlap: Overlap,
}

impl AgreedSetup {
    /// Of the stock.
    pub(crate) fn blocks(&self) -> u32 {
        self.parameters.layout().unwrap().blocks
    }

    pub(crate) fn key_seed(&self) -> s3rec_algebra::PublicSeed {
        let job = self.proposal.job.to_string();
        public_key_seed(&self.rating_half, &self.social_half, job.as_bytes())
    }

    /// The header of an exchange that is none of a round.
    pub(crate) fn header(&self, phase: Phase, round: u32) -> ChunkHeader {
        ChunkHeader {
            job: self.proposal.job,
            phase,
            round,
            parameters_digest: self.digest,
            counters: None,
            goes_on: false,
        }
    }

    /// The header of round `round` as an honest P0 whose first job this is states it.
    pub(crate) fn round(&self, round: u32) -> ChunkHeader {
        ChunkHeader {
            counters: Some(self.counters(round - 1)),
            ..self.header(Phase::Online, round)
        }
    }

    /// What an honest P0 whose first job this is has counted after that many openings.
    pub(crate) fn counters(&self, openings: u32) -> Counters {
        let agreed = s3rec_job::AgreedParameters::from(self.parameters.clone());
        let counted = Counted {
            proposal: &self.proposal,
            peer: "",
            lineage: &[],
            openings,
            stocks: 1,
            overlap: Some(self.overlap),
            parameters: Some(&agreed),
            bytes: 0,
            days: Vec::new(),
            bounds: None,
            shown: None,
            peer_pin: Vec::new(),
        };
        counted.counters()
    }

    /// U of which column `c` is the unit vector of user `first` + `c`, so that the product's
    /// column is that of Y.
    pub(crate) fn probing(&self, first: usize) -> RingMatrix {
        let (rows, columns) = (
            self.parameters.users as usize,
            self.parameters.columns as usize,
        );
        let one = 1 << self.parameters.guard_bits;
        let mut values = vec![0; rows * columns];
        for column in 0..columns {
            values[(first + column) % rows * columns + column] = one;
        }
        RingMatrix::new(self.parameters.ring().unwrap(), rows, columns, values).unwrap()
    }
}

/// The rows that are exchanged, as P1 announced them.
pub(super) fn pattern(proposal: &Proposal, bounds: &v1::SetupResponse) -> PublicPattern {
    let users = bounds.common_users;
    let rows = |bytes: &[u8]| match proposal.pattern {
        PatternPolicy::Nothing => (0..users).collect(),
        _ => rows_of_bitmap("active_rows", users, bytes).unwrap(),
    };
    PublicPattern {
        users: users as usize,
        returned_rows: rows(&bounds.active_rows),
        uploaded_rows: rows(&bounds.active_rows),
    }
}

pub(super) fn wanted(
    proposal: &Proposal,
    bounds: &v1::SetupResponse,
    pattern: &PublicPattern,
) -> ProductRequest {
    let count = |rows: &[u32]| u32::try_from(rows.len()).unwrap();
    let mut request = ProductRequest::new(
        proposal.protocol,
        proposal.operator,
        bounds.common_users,
        proposal.columns(),
        proposal.rounds,
    );
    request.pattern = proposal.pattern;
    request.release = proposal.release;
    request.uploaded_rows = count(&pattern.uploaded_rows);
    request.returned_rows = count(&pattern.returned_rows);
    request.saturation_bound = proposal.saturation_bound;
    request.guard_bits = proposal.guard_bits;
    request.row_norm_bound = bounds.row_norm_bound;
    request.nonzeros_bound = bounds.nonzeros_bound;
    request
}
