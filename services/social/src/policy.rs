//! The policy file: what is approved without asking anybody, and limits that hold however a
//! proposal was approved.
//!
//! The first rule for a platform and data set decides. Where no rule fits, `default` does, and
//! it is `deny` unless the file says `ask`. Every limit of a rule must be written: what is
//! forgotten is an error with its line, not a limit that is missing.

mod in_all;
mod rule;
mod spelling;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub(crate) use in_all::InAll;
use rule::Decide;
use rule::Refusal;
pub(crate) use rule::{Rule, Standing, USUAL_MU_IN_ALL, asks_for_mu, is_beyond};
use s3rec_job::{Account, Proposal};
use s3rec_node::process::now_unix_ms;
use s3rec_sparse::PublicBounds;
use s3rec_wire::status::{Fault, Reason};
use serde::Deserialize;

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
        Self::new(Reason::InvalidFile, error.to_string()).remedied_by(
            "To fix it, correct the named line and reload; the policy that was in force still is.",
        )
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    default: Otherwise,
    #[serde(default)]
    all_data_sets: Option<InAll>,
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
    /// People decide, within the configuration's limits on set intersections alone.
    Ask,
}

/// What was opened, and what is approved and may be yet.
pub(crate) struct Planned {
    /// Of the lineage that a proposal is about.
    pub(crate) of_data: Account,
    /// Of all data sets of whatever name.
    pub(crate) of_all: Account,
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

    /// Judges a proposal of `peer`. `planned` gives what would have been opened with it of a data
    /// set under those bounds, other approvals included; none for a data set that is not there.
    pub(crate) fn judge(
        &self,
        peer: &str,
        proposal: &Proposal,
        planned: impl Fn(&str, &PublicBounds) -> Result<Option<Planned>, Fault>,
    ) -> Result<Verdict, Fault> {
        let mut denied = None;
        let mut asks = false;
        let mut judged_before = BTreeSet::new();
        for rule in self.file.rules.iter().filter(|rule| rule.is_about(peer)) {
            // The first rule about a data set is the one that holds for it.
            if !judged_before.insert(&rule.dataset) {
                continue;
            }
            let judged = match planned(&rule.dataset, &rule.bounds())? {
                None => Err("the data that a rule is about is not here".into()),
                Some(planned) => {
                    let bounds = rule.bounds().rule;
                    let standing = Standing::planned(proposal, bounds, &planned.of_data);
                    let permitted = rule.permits(&standing);
                    let permitted = permitted.and_then(|()| self.permits_in_all(&planned.of_all));
                    permitted.map_err(|refusal| refusal.why)
                }
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

    /// Whether all data sets together may come to that much, whichever rule a job is under.
    pub(crate) fn permits_in_all(&self, all: &Account) -> Result<(), Refusal> {
        self.in_all().map_or(Ok(()), |limits| limits.permits(all))
    }

    /// Limits over all data sets together, where there are such.
    pub(crate) fn in_all(&self) -> Option<&InAll> {
        self.file.all_data_sets.as_ref()
    }

    /// The rules that approve without asking anybody.
    pub(crate) fn approving(&self) -> impl Iterator<Item = &Rule> {
        let rules = self.file.rules.iter();
        rules.filter(|rule| rule.decide == Decide::Approve)
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
                let why = format!("no rule allows {peer:?} anything of this data");
                Err(beyond("policy", &why))
            }
            (found, _) => Ok(found),
        }
    }
}

fn beyond(field: &str, why: &str) -> Fault {
    let message = format!("the social platform's policy: {why}");
    Fault::new(Reason::BeyondConsent, message)
        .at("field", field)
        .remedied_by("Ask the social platform's operators, who set the policy, or propose less.")
}

#[cfg(test)]
mod tests;
