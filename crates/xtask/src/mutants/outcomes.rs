//! What became of the mutants that were tried, and what of it is a finding.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::JUSTIFIED;

/// What became of a mutant, as `cargo mutants` files it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    Caught,
    Missed,
    Unviable,
    Timeout,
}

impl Outcome {
    pub(super) const ALL: [(Self, &str); 4] = [
        (Self::Caught, "caught.txt"),
        (Self::Missed, "missed.txt"),
        (Self::Unviable, "unviable.txt"),
        (Self::Timeout, "timeout.txt"),
    ];
}

/// One change: in which file, and what; where in the file changes with every edit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mutant {
    pub(super) file: String,
    pub(super) place: String,
    pub(super) mutation: String,
}

impl Mutant {
    /// From `path.rs:line:column: what in which function`.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let (place, mutation) = line.split_once(": ")?;
        let (file, place) = place.split_once(':')?;
        Some(Self {
            file: file.into(),
            place: place.into(),
            mutation: mutation.into(),
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Justifications {
    #[serde(default)]
    pub(super) survivor: Vec<Survivor>,
}

/// A change that no test need notice.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Survivor {
    pub(super) file: String,
    pub(super) mutation: String,
    pub(super) reason: String,
}

/// A line for each file, and one for all.
pub(super) fn figures(tried: &[(Mutant, Outcome)]) -> Vec<String> {
    let mut files: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
    for (mutant, outcome) in tried {
        for name in [mutant.file.as_str(), "all files"] {
            let counts = files.entry(name).or_default();
            for (count, (kind, _)) in counts.iter_mut().zip(Outcome::ALL) {
                *count += usize::from(kind == *outcome);
            }
        }
    }
    let line = |(name, [caught, missed, unviable, timeout]): (&str, [usize; 4])| {
        format!(
            "{name}: {caught} caught, {missed} missed, {timeout} timed out, {unviable} unviable"
        )
    };
    files.into_iter().map(line).collect()
}

pub(super) fn judge(tried: &[(Mutant, Outcome)], justified: &Justifications) -> Vec<String> {
    let mut findings = Vec::new();
    let is = |mutant: &Mutant, survivor: &Survivor| {
        survivor.file == mutant.file && survivor.mutation == mutant.mutation
    };
    let missed = || {
        tried
            .iter()
            .filter(|(_, outcome)| *outcome == Outcome::Missed)
    };
    for (mutant, _) in missed() {
        if !justified
            .survivor
            .iter()
            .any(|survivor| is(mutant, survivor))
        {
            findings.push(format!(
                "{}:{}: no test notices: {}",
                mutant.file, mutant.place, mutant.mutation
            ));
        }
    }
    for survivor in &justified.survivor {
        if survivor.reason.trim().is_empty() {
            findings.push(format!("{JUSTIFIED}: {}: no reason", survivor.mutation));
        }
        let was_tried = tried.iter().any(|(mutant, _)| mutant.file == survivor.file);
        if was_tried && !missed().any(|(mutant, _)| is(mutant, survivor)) {
            findings.push(format!(
                "{JUSTIFIED}: {}: {}: survives no more; take it off",
                survivor.file, survivor.mutation
            ));
        }
    }
    findings
}
