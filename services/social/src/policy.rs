//! The policy file: what is approved without asking anybody, and limits that hold however a
//! proposal was approved.
//!
//! The first rule for a platform and data set decides. Where no rule fits, `default` does, and
//! it is `deny` unless the file says `ask`. Every limit of a rule must be written: what is
//! forgotten is an error with its line, not a limit that is missing.

use std::path::{Path, PathBuf};

use s3rec_node::process::{latest_unix_ms, now_unix_ms};
use s3rec_sparse::Disclosure;
use s3rec_spmm::{Protocol, ReleasePolicy};
use s3rec_wire::convert::{Proposal, pattern_to_wire, protocol_to_wire, release_to_wire};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use serde::{Deserialize, Deserializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A policy as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) loaded_unix_ms: i64,
    file: File,
}

/// Why a policy file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file cannot be read.
    #[error("policy {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line of it is wrong: no TOML, or a field that is unknown, missing or out of range.
    #[error("policy {path}: {source}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Line, field and why.
        source: Box<toml::de::Error>,
    },
}

impl From<PolicyError> for Fault {
    fn from(error: PolicyError) -> Self {
        Self::new(Reason::InvalidFile, error.to_string())
            .remedied_by("Mend the named line and reload; the policy that was in force still is.")
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    default: Otherwise,
    #[serde(default, rename = "rule")]
    rules: Vec<Rule>,
}

/// What becomes of a proposal that no rule is about.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Otherwise {
    /// It is rejected.
    #[default]
    Deny,
    /// People decide, without limits.
    Ask,
}

/// One `[[rule]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// Common name in the rating platform's certificate; `*`: any.
    peer: String,
    /// The data set it is about, and which an approval without asking uses; all versions of its
    /// lineage count together.
    pub(crate) dataset: String,
    decide: Decide,
    #[serde(deserialize_with = "protocols")]
    protocols: Vec<Protocol>,
    #[serde(deserialize_with = "patterns")]
    patterns: Vec<Disclosure>,
    #[serde(deserialize_with = "releases")]
    releases: Vec<v1::ReleaseKind>,
    largest_rank: u32,
    most_columns_per_day: u64,
    most_values_per_day: u64,
    most_columns: u64,
    most_values: u64,
    most_stocks: u32,
    /// Largest ε of all noised openings together.
    most_epsilon: f64,
    least_common_users: u32,
    /// Days that an approval may be used, at most.
    longest_days: u16,
    /// After this the rule approves nothing and nothing it covers is opened.
    #[serde(default, deserialize_with = "moment")]
    expires: Option<i64>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Decide {
    /// Within the limits it is approved at once.
    Approve,
    /// Within the limits people decide.
    Ask,
}

/// What the policy says to a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Approved, with this data set.
    Approve { dataset: String },
    /// People decide.
    Ask,
    /// Rejected, and why.
    Deny { why: String },
}

impl Policy {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, PolicyError> {
        let text = std::fs::read_to_string(path).map_err(|source| PolicyError::File {
            path: path.to_owned(),
            source,
        })?;
        let file = toml::from_str(&text).map_err(|source| PolicyError::Line {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        Ok(Self {
            path: path.to_owned(),
            text,
            loaded_unix_ms: now_unix_ms(),
            file,
        })
    }

    /// Judges a proposal of `peer`. `planned` gives what a data set's lineage would have opened
    /// with it, other approvals included; none for a data set that is not there.
    pub(crate) fn judge(
        &self,
        peer: &str,
        proposal: &Proposal,
        planned: impl Fn(&str) -> Result<Option<v1::Account>, Fault>,
    ) -> Result<Verdict, Fault> {
        let mut denied = None;
        let mut asks = false;
        for rule in self.file.rules.iter().filter(|rule| rule.is_about(peer)) {
            let judged = match planned(&rule.dataset)? {
                None => Err(format!("there is no data set {:?}", rule.dataset)),
                Some(account) => rule
                    .allows(proposal)
                    .and_then(|()| rule.plan_fits(proposal, &account)),
            };
            match judged {
                Ok(()) if rule.decide == Decide::Approve => {
                    let dataset = rule.dataset.clone();
                    return Ok(Verdict::Approve { dataset });
                }
                Ok(()) => asks = true,
                Err(why) => drop(denied.get_or_insert(why)),
            }
        }
        Ok(match (denied, self.file.default) {
            _ if asks => Verdict::Ask,
            (None, Otherwise::Ask) => Verdict::Ask,
            (Some(why), _) => Verdict::Deny { why },
            (None, Otherwise::Deny) => Verdict::Deny {
                why: "no rule of the policy is about this platform".into(),
            },
        })
    }

    /// The rule that limits what `peer` is shown of `dataset`; none where people decide alone.
    ///
    /// # Errors
    /// [`Reason::BeyondConsent`] where nothing may be shown.
    pub(crate) fn rule(&self, peer: &str, dataset: &str) -> Result<Option<&Rule>, Fault> {
        let rules = &self.file.rules;
        let found = rules
            .iter()
            .find(|rule| rule.is_about(peer) && rule.dataset == dataset);
        match (found, self.file.default) {
            (None, Otherwise::Deny) => {
                let why = format!("no rule allows {peer:?} anything of the data set {dataset:?}");
                Err(beyond("policy", &why))
            }
            (found, _) => Ok(found),
        }
    }
}

impl Rule {
    fn is_about(&self, peer: &str) -> bool {
        self.peer == "*" || self.peer == peer
    }

    /// Whether the proposal itself is within the rule.
    pub(crate) fn check(&self, proposal: &Proposal) -> Result<(), Fault> {
        self.allows(proposal).map_err(|why| beyond("policy", &why))
    }

    /// Whether the lineage stays within the rule with `account`, which includes the proposal
    /// and everything else that was approved.
    pub(crate) fn check_plan(
        &self,
        proposal: &Proposal,
        account: &v1::Account,
    ) -> Result<(), Fault> {
        self.plan_fits(proposal, account)
            .map_err(|why| beyond("policy", &why))
    }

    /// Whether that many users in common are enough.
    pub(crate) fn check_overlap(&self, common_users: u32) -> Result<(), Fault> {
        if common_users >= self.least_common_users {
            return Ok(());
        }
        let least = self.least_common_users;
        let why = format!("{common_users} users in common are below least_common_users = {least}");
        Err(beyond("least_common_users", &why))
    }

    /// Whether the lineage stays within the rule with `account`, and the day with `today`.
    pub(crate) fn check_opened(
        &self,
        account: &v1::Account,
        today: v1::OpenedDay,
    ) -> Result<(), Fault> {
        if self
            .expires
            .is_some_and(|expires| latest_unix_ms() > expires)
        {
            return Err(beyond("expires", "the rule that allowed this has expired"));
        }
        let counters = account.counters.unwrap_or_default();
        let limits = [
            ("most_columns", counters.opened_columns, self.most_columns),
            ("most_values", counters.opened_values, self.most_values),
            (
                "most_columns_per_day",
                today.columns,
                self.most_columns_per_day,
            ),
            (
                "most_values_per_day",
                today.values,
                self.most_values_per_day,
            ),
            (
                "most_stocks",
                counters.stocks.into(),
                self.most_stocks.into(),
            ),
        ];
        if let Some((field, would, most)) = limits.into_iter().find(|(_, is, most)| is > most) {
            let why = format!("{field} = {most} would be exceeded: {would}");
            return Err(beyond(field, &why));
        }
        if account.epsilon > self.most_epsilon {
            let why = format!(
                "most_epsilon = {} would be exceeded: {:.3}",
                self.most_epsilon, account.epsilon
            );
            return Err(beyond("most_epsilon", &why));
        }
        Ok(())
    }

    /// The latest end of an approval given now.
    pub(crate) fn latest_end(&self) -> i64 {
        const DAY_MS: i64 = 24 * 60 * 60 * 1000;
        let longest = now_unix_ms() + i64::from(self.longest_days) * DAY_MS;
        self.expires.map_or(longest, |expires| longest.min(expires))
    }

    /// For people: what is left under the limits over all jobs.
    pub(crate) fn left(&self, account: &v1::Account) -> String {
        let counters = account.counters.unwrap_or_default();
        format!(
            "left under the policy: {} of {} columns, {} of {} values, {} of {} uploads; ε {:.2} of {}",
            self.most_columns.saturating_sub(counters.opened_columns),
            self.most_columns,
            self.most_values.saturating_sub(counters.opened_values),
            self.most_values,
            self.most_stocks.saturating_sub(counters.stocks),
            self.most_stocks,
            account.epsilon,
            self.most_epsilon
        )
    }

    fn allows(&self, proposal: &Proposal) -> Result<(), String> {
        let refuse = |field: &str, what: String| Err(format!("{field} does not allow {what}"));
        if self
            .expires
            .is_some_and(|expires| latest_unix_ms() > expires)
        {
            return Err("the rule has expired".into());
        }
        if !self.protocols.contains(&proposal.protocol) {
            return refuse("protocols", proposal.protocol.name().into());
        }
        if !self.patterns.contains(&proposal.pattern) {
            let pattern = pattern_to_wire(proposal.pattern).as_str_name();
            return refuse("patterns", pattern.into());
        }
        let release = release_to_wire(&proposal.release).kind();
        if !self.releases.contains(&release) {
            return refuse("releases", release.as_str_name().into());
        }
        if proposal.rank > self.largest_rank {
            let most = self.largest_rank;
            return Err(format!(
                "rank {} exceeds largest_rank = {most}",
                proposal.rank
            ));
        }
        if let ReleasePolicy::Noised { .. } = proposal.release
            && self.most_epsilon <= 0.0
        {
            return refuse("most_epsilon", "any noised opening".into());
        }
        Ok(())
    }

    fn plan_fits(&self, proposal: &Proposal, account: &v1::Account) -> Result<(), String> {
        let job = u64::from(proposal.rounds) * u64::from(proposal.columns());
        if job > self.most_columns_per_day {
            let most = self.most_columns_per_day;
            return Err(format!(
                "{job} columns exceed most_columns_per_day = {most}"
            ));
        }
        let counters = account.counters.unwrap_or_default();
        let limits = [
            ("most_columns", counters.opened_columns, self.most_columns),
            ("most_values", counters.opened_values, self.most_values),
            (
                "most_stocks",
                counters.stocks.into(),
                self.most_stocks.into(),
            ),
        ];
        match limits.into_iter().find(|(_, is, most)| is > most) {
            Some((field, would, most)) => Err(format!(
                "{field} = {most} would be exceeded over all jobs: {would}"
            )),
            None => Ok(()),
        }
    }
}

fn beyond(field: &str, why: &str) -> Fault {
    let message = format!("the social platform's policy: {why}");
    Fault::new(Reason::BeyondConsent, message)
        .at("field", field)
        .remedied_by("Ask the social platform's operators, who set the policy, or propose less.")
}

fn protocols<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Protocol>, D::Error> {
    let of = |number| s3rec_wire::convert::protocol_from_wire(number).ok();
    let kind = |name: &str| v1::Protocol::from_str_name(name).and_then(|p| of(p.into()));
    let known = |protocol: &Protocol| protocol_to_wire(*protocol).as_str_name();
    named(deserializer, "PROTOCOL_", kind, known)
}

fn patterns<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Disclosure>, D::Error> {
    let of = |number| s3rec_wire::convert::pattern_from_wire(number).ok();
    let kind = |name: &str| v1::PatternPolicy::from_str_name(name).and_then(|p| of(p.into()));
    let known = |pattern: &Disclosure| pattern_to_wire(*pattern).as_str_name();
    named(deserializer, "PATTERN_POLICY_", kind, known)
}

fn releases<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<v1::ReleaseKind>, D::Error> {
    let kind = |name: &str| {
        v1::ReleaseKind::from_str_name(name).filter(|kind| *kind != v1::ReleaseKind::Unspecified)
    };
    named(deserializer, "RELEASE_KIND_", kind, |kind| {
        kind.as_str_name()
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

fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let moment = OffsetDateTime::parse(&text, &Rfc3339).map_err(|_| {
        serde::de::Error::custom(format!("{text:?} is no time like 2027-01-31T00:00:00Z"))
    })?;
    Ok(Some(moment.unix_timestamp().saturating_mul(1000)))
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
