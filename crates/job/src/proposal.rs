//! A proposal: everything that P1's operator consents to.

use s3rec_model::SolverKind;
use s3rec_sparse::{OperatorKind, PatternPolicy};
use s3rec_spmm::{Protocol, ReleasePolicy};
use serde::{Deserialize, Serialize};

use crate::JobId;

/// Below these nobody may consent (protocol page, sections 2 and 3.1).
pub const LEAST_SECURITY_BITS: u32 = 128;
/// Of the simulation over the whole job, −log2.
pub const LEAST_STATISTICAL_BITS: u32 = 40;

/// A checked proposal. Equal proposals are the same agreement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// The job.
    pub job: JobId,
    /// Why, in P0's words.
    pub purpose: String,
    /// k.
    pub rank: u32,
    /// How P0 turns Y·U into factors.
    pub solver: SolverKind,
    /// Which Y.
    pub operator: OperatorKind,
    /// Openings at most.
    pub rounds: u32,
    /// γ; `None`: the solver's default.
    pub social_weight: Option<f64>,
    /// λ; `None`: the solver's default.
    pub regularization: Option<f64>,
    /// Step size; `None`: the solver's default.
    pub learning_rate: Option<f64>,
    /// γ on the user biases; above 0 the bias is one more column of every opening.
    pub social_bias_weight: f64,
    /// How Y·U is computed.
    pub protocol: Protocol,
    /// What of Y's pattern is shown.
    pub pattern: PatternPolicy,
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

impl Proposal {
    /// Columns of one opening.
    #[must_use]
    pub fn columns(&self) -> u32 {
        self.rank + u32::from(self.social_bias_weight > 0.0)
    }

    /// Whether a job that has opened so much outlives the loss of its connection or of a daemon:
    /// before the first opening it begins again, after it only a stock, and an opening of friends'
    /// sums, go on.
    #[must_use]
    pub fn can_resume_after(&self, openings: u32) -> bool {
        openings == 0 || self.protocol.is_preprocessed() || self.protocol == Protocol::NoiseFirst
    }

    /// Columns of all openings.
    #[must_use]
    pub fn all_columns(&self) -> u64 {
        u64::from(self.rounds) * u64::from(self.columns())
    }
}

/// Commitment, bounds and end of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// P0's data under a salt of its own.
    pub rating_commitment: [u8; 32],
    /// Which data of P0 it is a version of.
    pub rating_lineage: [u8; 16],
    /// Factors that P0 brings along under a salt of its own, if its rows are made from such.
    pub factors_commitment: Option<[u8; 32]>,
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
            factors_commitment: None,
            most_common_users: u32::MAX,
            least_security_bits: LEAST_SECURITY_BITS,
            least_statistical_bits: LEAST_STATISTICAL_BITS,
            expires_unix_ms: i64::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counting::tests::proposal;

    #[test]
    fn columns_are_the_rank_and_one_for_a_social_bias() {
        let of = |rank, social_bias_weight, rounds| Proposal {
            rank,
            social_bias_weight,
            rounds,
            ..proposal(ReleasePolicy::Exact)
        };
        for (rank, weight, rounds, columns, all) in [
            (10, 1.0, 20, 11, 220),
            (10, 0.0, 20, 10, 200),
            (1, 0.0, 1, 1, 1),
            (
                u32::MAX - 1,
                0.5,
                u32::MAX,
                u32::MAX,
                18_446_744_065_119_617_025,
            ),
        ] {
            let proposal = of(rank, weight, rounds);
            assert_eq!((proposal.columns(), proposal.all_columns()), (columns, all));
        }
    }

    #[test]
    fn only_over_a_stock_does_a_job_outlive_an_opening() {
        let of = |protocol| Proposal {
            protocol,
            ..proposal(ReleasePolicy::Exact)
        };
        for (protocol, openings, goes_on) in [
            (Protocol::He, 0, true),
            (Protocol::He, 1, false),
            (Protocol::Preprocessed, 0, true),
            (Protocol::Preprocessed, 7, true),
            (Protocol::PreprocessedPir, 7, true),
        ] {
            assert_eq!(
                of(protocol).can_resume_after(openings),
                goes_on,
                "{protocol:?} {openings}"
            );
        }
    }
}
