//! Which changes of the code that holds the secrets no test notices.
//!
//! `cargo mutants` changes one place of [`FILES`] at a time (`.cargo/mutants.toml` says what it
//! leaves alone) and runs the crate's tests. A change that they do not notice must stand in `.cargo/mutants-justified.toml`
//! with a reason; any other is a finding.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use serde::Deserialize;

/// Survivors with their reasons, below the workspace's root.
const JUSTIFIED: &str = ".cargo/mutants-justified.toml";

/// The crates whose code holds the secrets, and the files of both daemons that decide, count and
/// sign.
const FILES: [&str; 19] = [
    "crates/audit/src/**/*.rs",
    "crates/psi/src/**/*.rs",
    "crates/he/src/**/*.rs",
    "crates/spmm/src/**/*.rs",
    "services/social/src/align.rs",
    "crates/job/src/counters.rs",
    "crates/job/src/counting.rs",
    "services/social/src/approval.rs",
    "services/social/src/approved.rs",
    "services/social/src/consent.rs",
    "services/social/src/disclosing.rs",
    "services/social/src/consented.rs",
    "services/social/src/ledger.rs",
    "services/social/src/policy.rs",
    "services/social/src/policy/*.rs",
    "services/social/src/setup.rs",
    "services/rating/src/consent.rs",
    "services/rating/src/ledger.rs",
    "services/rating/src/stored.rs",
];

/// Exit codes of `cargo mutants` after which there are results: all caught, some missed, some
/// that ran out of time.
const WITH_RESULTS: [i32; 3] = [0, 2, 3];

#[derive(Args)]
pub(crate) struct Options {
    /// Only files that match, in place of all; may be given more than once.
    #[arg(long, value_name = "GLOB", default_values = FILES)]
    file: Vec<String>,
    /// Judges what earlier runs left there (folders `mutants.out`) instead of running; what one
    /// that is named later found replaces what an earlier one did.
    #[arg(long, value_name = "DIR")]
    results: Vec<PathBuf>,
    /// Where to leave what a run finds.
    #[arg(long, value_name = "DIR", default_value = "target/mutants")]
    output: PathBuf,
    /// How many to try at a time.
    #[arg(long, default_value_t = 1)]
    jobs: u32,
    /// Further arguments for `cargo test`, such as `--lib`.
    #[arg(last = true)]
    test_arguments: Vec<OsString>,
}

/// Why there are no results to judge.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MutantsError {
    #[error("cargo could not be started: {0}")]
    Start(io::Error),
    #[error(
        "cargo mutants ended with {code:?} before all was tried; install it with \
         `cargo install --locked cargo-mutants`, and see its messages above"
    )]
    Ended { code: Option<i32> },
    #[error("{path}: {source}")]
    Read { path: String, source: io::Error },
    #[error("{JUSTIFIED}: {0}")]
    Form(#[from] toml::de::Error),
    #[error("{path}: this is no mutant: {line:?}")]
    Line { path: String, line: String },
}

/// What became of a mutant, as `cargo mutants` files it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Caught,
    Missed,
    Unviable,
    Timeout,
}

impl Outcome {
    const ALL: [(Self, &str); 4] = [
        (Self::Caught, "caught.txt"),
        (Self::Missed, "missed.txt"),
        (Self::Unviable, "unviable.txt"),
        (Self::Timeout, "timeout.txt"),
    ];
}

/// One change: in which file, and what; where in the file changes with every edit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mutant {
    file: String,
    place: String,
    mutation: String,
}

impl Mutant {
    /// From `path.rs:line:column: what in which function`.
    fn parse(line: &str) -> Option<Self> {
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
struct Justifications {
    #[serde(default)]
    survivor: Vec<Survivor>,
}

/// A change that no test need notice.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Survivor {
    file: String,
    mutation: String,
    reason: String,
}

/// Runs or reads, prints figures for each file, and gives one line for each finding.
pub(crate) fn findings(root: &Path, options: &Options) -> Result<Vec<String>, MutantsError> {
    let mut folders = options.results.clone();
    if folders.is_empty() {
        run(root, options)?;
        folders.push(root.join(&options.output).join("mutants.out"));
    }
    let mut tried = BTreeMap::new();
    for folder in &folders {
        tried.extend(read(folder)?);
    }
    let tried: Vec<_> = tried.into_iter().collect();
    let justified = fs::read_to_string(root.join(JUSTIFIED)).map_err(|source| {
        let path = JUSTIFIED.into();
        MutantsError::Read { path, source }
    })?;
    for line in figures(&tried) {
        println!("{line}");
    }
    Ok(judge(
        &tried,
        &toml::from_str::<Justifications>(&justified)?,
    ))
}

fn run(root: &Path, options: &Options) -> Result<(), MutantsError> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.arg("mutants").arg("--no-shuffle");
    command.arg("--jobs").arg(options.jobs.to_string());
    command.arg("--output").arg(root.join(&options.output));
    for file in &options.file {
        command.arg("--file").arg(file);
    }
    if !options.test_arguments.is_empty() {
        command.arg("--").args(&options.test_arguments);
    }
    fs::create_dir_all(root.join(&options.output)).map_err(MutantsError::Start)?;
    let status = command.current_dir(root).status();
    let code = status.map_err(MutantsError::Start)?.code();
    if code.is_some_and(|code| WITH_RESULTS.contains(&code)) {
        Ok(())
    } else {
        Err(MutantsError::Ended { code })
    }
}

fn read(folder: &Path) -> Result<Vec<(Mutant, Outcome)>, MutantsError> {
    let mut tried = Vec::new();
    for (outcome, name) in Outcome::ALL {
        let path = folder.join(name);
        let text = fs::read_to_string(&path).map_err(|source| MutantsError::Read {
            path: path.display().to_string(),
            source,
        })?;
        for line in text.lines() {
            let mutant = Mutant::parse(line).ok_or_else(|| MutantsError::Line {
                path: path.display().to_string(),
                line: line.into(),
            })?;
            tried.push((mutant, outcome));
        }
    }
    Ok(tried)
}

/// A line for each file, and one for all.
fn figures(tried: &[(Mutant, Outcome)]) -> Vec<String> {
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

fn judge(tried: &[(Mutant, Outcome)], justified: &Justifications) -> Vec<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(lines: &[(&str, Outcome)]) -> Vec<(Mutant, Outcome)> {
        let parse = |(line, outcome): &(&str, Outcome)| (Mutant::parse(line).unwrap(), *outcome);
        lines.iter().map(parse).collect()
    }

    fn justified(file: &str, mutation: &str) -> Justifications {
        let (file, mutation) = (file.into(), mutation.into());
        let reason = "speed alone".into();
        Justifications {
            survivor: vec![Survivor {
                file,
                mutation,
                reason,
            }],
        }
    }

    #[test]
    fn survivors_without_a_reason_are_found_and_so_are_reasons_without_a_survivor() {
        let all = tried(&[
            ("a.rs:1:2: replace + with - in f", Outcome::Missed),
            ("a.rs:9:9: replace g -> bool with true", Outcome::Caught),
            ("b.rs:3:1: replace < with <= in h", Outcome::Timeout),
        ]);
        assert_eq!(judge(&all, &Justifications { survivor: vec![] }).len(), 1);
        let good = justified("a.rs", "replace + with - in f");
        assert_eq!(judge(&all, &good), Vec::<String>::new());
        let stale = justified("a.rs", "replace g -> bool with true");
        assert_eq!(judge(&all, &stale).len(), 2);
        // A file that was not tried says nothing about its list.
        let elsewhere = justified("c.rs", "replace + with - in f");
        assert_eq!(judge(&all, &elsewhere).len(), 1);
    }

    #[test]
    fn figures_are_for_each_file_and_all() {
        let all = tried(&[
            ("a.rs:1:2: replace + with - in f", Outcome::Missed),
            ("b.rs:3:1: replace < with <= in h", Outcome::Caught),
        ]);
        let lines = figures(&all);
        let line = |name, caught, missed| {
            format!("{name}: {caught} caught, {missed} missed, 0 timed out, 0 unviable")
        };
        let expected = [
            line("a.rs", 0, 1),
            line("all files", 1, 1),
            line("b.rs", 1, 0),
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn every_survivor_on_the_list_has_a_reason_and_a_file() {
        let root = crate::workspace_root();
        let text = fs::read_to_string(root.join(JUSTIFIED)).unwrap();
        let list: Justifications = toml::from_str(&text).unwrap();
        for survivor in list.survivor {
            assert!(!survivor.reason.trim().is_empty(), "{}", survivor.mutation);
            assert!(root.join(&survivor.file).is_file(), "{}", survivor.file);
        }
    }
}
