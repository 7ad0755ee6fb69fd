//! How a policy file spells what a rule allows.

use s3rec_sparse::PatternPolicy;
use s3rec_spmm::Protocol;
use s3rec_wire::convert::{
    pattern_named, pattern_to_wire, protocol_named, protocol_to_wire, release_kind_named,
};
use serde::{Deserialize, Deserializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub(super) fn protocols<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Protocol>, D::Error> {
    let known = |protocol: &Protocol| protocol_to_wire(*protocol).as_str_name();
    named(deserializer, "PROTOCOL_", protocol_named, known)
}

pub(super) fn patterns<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<PatternPolicy>, D::Error> {
    let known = |pattern: &PatternPolicy| pattern_to_wire(*pattern).as_str_name();
    named(deserializer, "PATTERN_POLICY_", pattern_named, known)
}

pub(super) fn releases<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<&'static str>, D::Error> {
    named(deserializer, "RELEASE_KIND_", release_kind_named, |kind| {
        *kind
    })
}

/// Names as the command writes them: the wire's, in lower case with hyphens, without the type.
fn named<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    prefix: &str,
    kind: impl Fn(&str) -> Option<T>,
    known: impl Fn(&T) -> &'static str,
) -> Result<Vec<T>, D::Error> {
    let written = Vec::<String>::deserialize(deserializer)?;
    let spelt = |name: &str| format!("{prefix}{}", name.to_uppercase().replace('-', "_"));
    written
        .iter()
        .map(|name| {
            let found = kind(&spelt(name)).filter(|found| known(found) == spelt(name));
            let unknown = || serde::de::Error::custom(format!("{name:?} is not known here"));
            found.ok_or_else(unknown)
        })
        .collect()
}

pub(super) fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let moment = OffsetDateTime::parse(&text, &Rfc3339).map_err(|_| {
        serde::de::Error::custom(format!("{text:?} is no time like 2027-01-31T00:00:00Z"))
    })?;
    Ok(Some(moment.unix_timestamp().saturating_mul(1000)))
}

/// A number that a limit can be: neither infinite nor below zero, which would be none.
pub(super) fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let limit = f64::deserialize(deserializer)?;
    if limit.is_finite() && limit >= 0.0 {
        return Ok(limit);
    }
    let message = format!("{limit} is no limit: a finite number from 0 is one");
    Err(serde::de::Error::custom(message))
}

/// A δ that statements are made for.
pub(super) fn delta<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let delta = f64::deserialize(deserializer)?;
    if s3rec_node::offer::DELTAS.contains(&delta) {
        return Ok(delta);
    }
    let (least, most) = (
        s3rec_node::offer::DELTAS.start(),
        s3rec_node::offer::DELTAS.end(),
    );
    let message = format!("{delta} is no δ from {least:e} to {most:e}");
    Err(serde::de::Error::custom(message))
}

/// A bound that something can keep.
pub(super) fn bound<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + PartialEq + From<u8>,
{
    let bound = T::deserialize(deserializer)?;
    if bound == T::from(0) {
        return Err(serde::de::Error::custom("a bound of 0 is kept by no links"));
    }
    Ok(bound)
}
