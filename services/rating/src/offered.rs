//! A proposal as it goes to the social platform.

use s3rec_job::{DataVersion, JobId, JobRequest, Proposal, Terms};
use s3rec_node::process::now_unix_ms;
use s3rec_node::versions::binding;
use s3rec_spmm::ReleasePolicy;
use s3rec_wire::status::Fault;

/// u_max: factors learnt from ratings of common scales stay far below it.
const SATURATION_BOUND: f64 = 8.0;

/// How long a proposal stands unless it says otherwise: 30 days.
const VALID_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// Makes every protocol exact (protocol page, section 2).
const GUARD_BITS: u32 = 2;

/// What people here asked for, with the data that it is about.
pub(crate) struct Offered<'a> {
    /// Its name.
    pub(crate) job: JobId,
    /// As asked for.
    pub(crate) request: &'a JobRequest,
    /// With the number of users that it opens at most.
    pub(crate) release: ReleasePolicy,
    /// How ids of users were normalised.
    pub(crate) id_rule: &'a str,
    /// Of the ratings.
    pub(crate) version: &'a DataVersion,
    /// In the ratings.
    pub(crate) users: u64,
    /// Of factors brought along.
    pub(crate) factors_commitment: Option<[u8; 32]>,
}

impl Offered<'_> {
    /// What stays here is left out.
    pub(crate) fn proposal(self) -> Result<Proposal, Fault> {
        let (rating_commitment, rating_lineage) = binding(self.version)?;
        let request = self.request;
        let terms = Terms {
            rating_commitment,
            rating_lineage,
            factors_commitment: self.factors_commitment,
            most_common_users: u32::try_from(self.users).unwrap_or(u32::MAX),
            expires_unix_ms: request
                .expires_unix_ms
                .unwrap_or_else(|| now_unix_ms() + VALID_MS),
            ..Terms::default()
        };
        let model = &request.model;
        Ok(Proposal {
            job: self.job,
            purpose: request.purpose.clone(),
            rank: model.rank,
            solver: model.solver,
            operator: model.operator,
            rounds: model.rounds,
            social_weight: Some(model.shown_social_weight()),
            regularization: model.regularization,
            learning_rate: model.learning_rate,
            social_bias_weight: model.social_bias_weight,
            protocol: request.protocol,
            pattern: request.pattern,
            release: self.release,
            saturation_bound: SATURATION_BOUND,
            guard_bits: GUARD_BITS,
            id_rule: self.id_rule.into(),
            terms,
        })
    }
}
