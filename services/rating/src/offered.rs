//! A proposal as it goes to the social platform.

use s3rec_job::Terms;
use s3rec_node::versions::DataVersion;
use s3rec_wire::convert::{ALIGNMENT_PSI, settings};
use s3rec_wire::v1;

/// u_max: factors learnt from ratings of common scales stay far below it.
const SATURATION_BOUND: f64 = 8.0;

/// Makes every protocol exact (protocol page, section 2).
const GUARD_BITS: u32 = 2;

/// What people here asked for, with the data that it is about.
pub(crate) struct Offered<'a> {
    /// Its name.
    pub(crate) job: &'a str,
    /// As asked for, everything filled in.
    pub(crate) request: &'a v1::ProposeJobRequest,
    /// How ids of users were normalised.
    pub(crate) id_rule: &'a str,
    /// Of the ratings.
    pub(crate) version: &'a DataVersion,
    /// In the ratings.
    pub(crate) users: u64,
    /// Its end.
    pub(crate) expires_unix_ms: i64,
    /// Of factors brought along; empty without.
    pub(crate) factors_commitment: Vec<u8>,
}

impl Offered<'_> {
    /// What stays here is left out.
    pub(crate) fn message(self) -> v1::PeerProposal {
        let terms = Terms::default();
        let request = self.request;
        let columns = request.model.as_ref().map_or(0, |model| {
            model
                .rank
                .saturating_add(u32::from(model.social_bias_weight > 0.0))
        });
        v1::PeerProposal {
            job_id: self.job.to_owned(),
            purpose: request.purpose.clone(),
            model: request.model.as_ref().map(settings::shown),
            protocol: request.protocol,
            pattern_policy: request.pattern_policy,
            release_policy: request.release_policy,
            alignment: ALIGNMENT_PSI.into(),
            saturation_bound: SATURATION_BOUND,
            guard_bits: GUARD_BITS,
            id_rule: self.id_rule.to_owned(),
            rating_commitment: self.version.commitment.clone(),
            rating_lineage: self.version.lineage.clone(),
            columns,
            bounds: Some(v1::ParameterBounds {
                most_common_users: u32::try_from(self.users).unwrap_or(u32::MAX),
                least_security_bits: terms.least_security_bits,
                least_statistical_bits: terms.least_statistical_bits,
            }),
            expires_unix_ms: self.expires_unix_ms,
            factors_commitment: self.factors_commitment,
        }
    }
}
