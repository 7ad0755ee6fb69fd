//! Protocols, operators and policies.

use s3rec_sparse::{OperatorKind, PatternPolicy};
use s3rec_spmm::{Protocol, ReleasePolicy};

use super::{friends_release_from_wire, friends_release_to_wire};
use crate::{WireError, field, v1};

named!(pub protocol_to_wire, protocol_from_wire: Protocol {
    He, HePir, Preprocessed, PreprocessedPir, NoiseFirst,
}, Protocol);

named!(pub operator_to_wire, operator_from_wire: OperatorKind {
    Laplacian, NormalizedLaplacian, OutAverage, Friends,
}, Operator);

named!(pub pattern_to_wire, pattern_from_wire: PatternPolicy {
    Nothing, ActiveRows, ActiveRowsAndColumns,
}, PatternPolicy);

/// # Errors
/// [`WireError::Missing`], [`WireError::UnknownEnum`], and for the parameters of the kind
/// [`WireError::OutOfRange`] or [`WireError::Real`]; a parameter of another kind must be zero.
pub fn release_from_wire(release: Option<v1::ReleasePolicy>) -> Result<ReleasePolicy, WireError> {
    let name = "release_policy";
    let release = release.ok_or(WireError::Missing { field: name })?;
    let kind = field::enumeration::<v1::ReleaseKind>("release_policy.kind", release.kind)?;
    let noise = [release.noise_sigma, release.row_norm_beta, release.delta];
    let stray_noise = noise.iter().any(|value| *value != 0.0);
    let stray_friends = release.friends.is_some() && kind != v1::ReleaseKind::Friends;
    let stray = stray_friends
        || match kind {
            v1::ReleaseKind::Noised => release.released_bits != 0,
            v1::ReleaseKind::Coarse => stray_noise,
            _ => release.released_bits != 0 || stray_noise,
        };
    if stray {
        return Err(WireError::Form {
            field: name,
            expected: "free of parameters of another kind",
        });
    }
    match kind {
        v1::ReleaseKind::Exact => Ok(ReleasePolicy::Exact),
        v1::ReleaseKind::Coarse => Ok(ReleasePolicy::Coarse {
            released_bits: field::within(
                "release_policy.released_bits",
                release.released_bits,
                8,
                48,
            )?,
        }),
        v1::ReleaseKind::Noised => Ok(ReleasePolicy::Noised {
            sigma: field::positive("release_policy.noise_sigma", release.noise_sigma)?,
            row_norm_beta: field::positive("release_policy.row_norm_beta", release.row_norm_beta)?,
            delta: field::positive("release_policy.delta", release.delta)?,
        }),
        v1::ReleaseKind::Friends => {
            friends_release_from_wire(release.friends).map(ReleasePolicy::Friends)
        }
        v1::ReleaseKind::Unspecified => Err(WireError::Missing { field: name }),
    }
}

/// The message of a release policy.
#[must_use]
pub fn release_to_wire(release: &ReleasePolicy) -> v1::ReleasePolicy {
    let mut message = v1::ReleasePolicy::default();
    match *release {
        ReleasePolicy::Exact => message.set_kind(v1::ReleaseKind::Exact),
        ReleasePolicy::Friends(release) => {
            message.set_kind(v1::ReleaseKind::Friends);
            message.friends = Some(friends_release_to_wire(&release));
        }
        ReleasePolicy::Coarse { released_bits } => {
            message.set_kind(v1::ReleaseKind::Coarse);
            message.released_bits = released_bits;
        }
        ReleasePolicy::Noised {
            sigma,
            row_norm_beta,
            delta,
        } => {
            message.set_kind(v1::ReleaseKind::Noised);
            message.noise_sigma = sigma;
            message.row_norm_beta = row_norm_beta;
            message.delta = delta;
        }
    }
    message
}

/// The protocol of that name: `PROTOCOL_HE`.
#[must_use]
pub fn protocol_named(name: &str) -> Option<Protocol> {
    let protocol = v1::Protocol::from_str_name(name)?;
    protocol_from_wire("protocol", protocol.into()).ok()
}

/// The pattern policy of that name: `PATTERN_POLICY_NOTHING`.
#[must_use]
pub fn pattern_named(name: &str) -> Option<PatternPolicy> {
    let pattern = v1::PatternPolicy::from_str_name(name)?;
    pattern_from_wire("pattern_policy", pattern.into()).ok()
}

/// That name where it is one of a kind of release: `RELEASE_KIND_EXACT`.
#[must_use]
pub fn release_kind_named(name: &str) -> Option<&'static str> {
    let kind = v1::ReleaseKind::from_str_name(name)?;
    (kind != v1::ReleaseKind::Unspecified).then(|| kind.as_str_name())
}

/// The name of a release's kind.
#[must_use]
pub fn release_kind(release: &ReleasePolicy) -> &'static str {
    release_to_wire(release).kind().as_str_name()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_and_unset_values_are_refused() {
        assert!(matches!(
            protocol_from_wire("protocol", 0),
            Err(WireError::Missing { .. })
        ));
        assert!(matches!(
            protocol_from_wire("protocol", 99),
            Err(WireError::UnknownEnum { actual: 99, .. })
        ));
        assert!(operator_from_wire("operator", -1).is_err());
        assert!(pattern_from_wire("pattern_policy", 4).is_err());
        assert!(release_from_wire(None).is_err());
    }

    #[test]
    fn policies_survive_and_stray_parameters_do_not() {
        let noised = ReleasePolicy::Noised {
            sigma: 1.5,
            row_norm_beta: 2.0,
            delta: 1e-6,
        };
        for policy in [
            ReleasePolicy::Exact,
            ReleasePolicy::Coarse { released_bits: 12 },
            noised,
        ] {
            assert_eq!(
                release_from_wire(Some(release_to_wire(&policy))).unwrap(),
                policy
            );
        }
        let mut stray = release_to_wire(&ReleasePolicy::Exact);
        stray.delta = 0.5;
        assert!(matches!(
            release_from_wire(Some(stray)),
            Err(WireError::Form { .. })
        ));
        let mut infinite = release_to_wire(&noised);
        infinite.noise_sigma = f64::NAN;
        assert!(matches!(
            release_from_wire(Some(infinite)),
            Err(WireError::Real { .. })
        ));
    }
}
