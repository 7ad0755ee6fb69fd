//! Which changes of the code that holds the secrets no test notices.
//!
//! `cargo mutants` changes one place of [`FILES`] at a time (`.cargo/mutants.toml` says what it
//! leaves alone) and runs the tests of that place's own crate, as [`TESTS`] names them. A change
//! that they do not notice must stand in `.cargo/mutants-justified.toml` with a reason; any other
//! is a finding.
//!
//! What each run found is kept below the output folder, crate by crate and shard by shard: a run
//! that was broken off goes on with `--resume`, and shards that ran on several machines are judged
//! together with `--results`.

mod outcomes;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use outcomes::{Justifications, Mutant, Outcome, figures, judge};

/// Survivors with their reasons, below the workspace's root.
const JUSTIFIED: &str = ".cargo/mutants-justified.toml";

/// The crates whose code holds the secrets, and the files of both daemons and of what they share
/// that decide, count and sign.
const FILES: [&str; 39] = [
    "crates/audit/src/**/*.rs",
    "crates/psi/src/**/*.rs",
    "crates/he/src/**/*.rs",
    "crates/spmm/src/**/*.rs",
    "crates/job/src/approval.rs",
    "crates/job/src/common_users.rs",
    "crates/job/src/counters.rs",
    "crates/job/src/counting.rs",
    "crates/job/src/proposal.rs",
    "crates/job/src/statements.rs",
    "crates/node/src/alignment.rs",
    "crates/node/src/tls/admitted.rs",
    "crates/node/src/tls/authorize.rs",
    "crates/node/src/tls/judged.rs",
    "services/social/src/absence.rs",
    "services/social/src/align.rs",
    "services/social/src/align_vole.rs",
    "services/social/src/approval.rs",
    "services/social/src/approved.rs",
    "services/social/src/bounds.rs",
    "services/social/src/consent.rs",
    "services/social/src/consented.rs",
    "services/social/src/disclosing.rs",
    "services/social/src/ending.rs",
    "services/social/src/friends_setup.rs",
    "services/social/src/held.rs",
    "services/social/src/ledger.rs",
    "services/social/src/opening.rs",
    "services/social/src/policy.rs",
    "services/social/src/policy/*.rs",
    "services/social/src/setup.rs",
    "services/social/src/witness.rs",
    "services/social/src/witnessed_opened.rs",
    "services/rating/src/align.rs",
    "services/rating/src/align_vole.rs",
    "services/rating/src/brought.rs",
    "services/rating/src/consent.rs",
    "services/rating/src/ledger.rs",
    "services/rating/src/stored.rs",
];

/// What `cargo test` is told for a crate of whose tests some are of something else or too slow for
/// thousands of runs; of every other crate all are run.
const TESTS: [(&str, &[&str]); 4] = [
    ("s3rec-job", &["--lib"]),
    ("s3rec-node", &["--lib"]),
    ("s3rec-social", &["--lib", "--test", "hostile"]),
    ("s3rec-rating", &["--lib", "--test", "platforms"]),
];

/// What `cargo mutants` leaves behind in the folder that it is given.
const LEFT: &str = "mutants.out";

/// Exit codes of `cargo mutants` after which there are results: all caught, some missed, some
/// that ran out of time.
const WITH_RESULTS: [i32; 3] = [0, 2, 3];

#[derive(Args)]
pub(crate) struct Options {
    /// Only files that match, in place of all; may be given more than once.
    #[arg(long, value_name = "GLOB", default_values = FILES)]
    file: Vec<String>,
    /// Only what differs from that commit.
    #[arg(long, value_name = "COMMIT")]
    in_diff: Option<String>,
    /// Only the K-th of N parts, from 0: `0/4`. Each part keeps its own results.
    #[arg(long, value_name = "K/N")]
    shard: Option<String>,
    /// Goes on with a run that was broken off: what was caught is not tried again.
    #[arg(long)]
    resume: bool,
    /// Changes this very tree, one file at a time, in place of a copy: builds go on from what is
    /// in `target`, and whatever is broken off is put right with `git checkout`. Refused where
    /// something is not committed.
    #[arg(long)]
    in_place: bool,
    /// Longest time of the tests of one change, seconds; four times that of the unchanged tests
    /// where not given.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// Takes the tests of the unchanged code to pass, which are run first otherwise; needs
    /// `--timeout`.
    #[arg(long, requires = "timeout")]
    skip_baseline: bool,
    /// Judges what earlier runs left there instead of running: a folder of results, or one that
    /// has such in it. What one that is named later found replaces what an earlier one did.
    #[arg(long, value_name = "DIR")]
    results: Vec<PathBuf>,
    /// Where to leave what a run finds.
    #[arg(long, value_name = "DIR", default_value = "target/mutants")]
    output: PathBuf,
    /// How many to try at a time.
    #[arg(long, default_value_t = 1, conflicts_with = "in_place")]
    jobs: u32,
    /// Arguments for `cargo test` in place of the usual ones of each crate, such as `--lib`.
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
    #[error("git diff {commit}: {detail}")]
    Diff { commit: String, detail: String },
    #[error("--in-place changes files that are not committed; commit them first")]
    Uncommitted,
    #[error("{0}: of which crate are these files?")]
    Nowhere(String),
    #[error("{0}: there are no results in it")]
    Empty(String),
}

/// Runs or reads, prints figures for each file, and gives one line for each finding.
pub(crate) fn findings(root: &Path, options: &Options) -> Result<Vec<String>, MutantsError> {
    let mut folders = options.results.clone();
    if folders.is_empty() {
        folders = run(root, options)?;
    }
    let mut tried = BTreeMap::new();
    for folder in &folders {
        let kept = kept(folder)?;
        if kept.is_empty() {
            return Err(MutantsError::Empty(folder.display().to_string()));
        }
        for folder in kept {
            tried.extend(read(&folder)?);
        }
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

/// Tries the files of one crate after another; gives the folders with what was found.
fn run(root: &Path, options: &Options) -> Result<Vec<PathBuf>, MutantsError> {
    if options.in_place
        && !git(root, &["status", "--porcelain", "--untracked-files=no"])?.is_empty()
    {
        return Err(MutantsError::Uncommitted);
    }
    let output = root.join(&options.output);
    fs::create_dir_all(&output).map_err(MutantsError::Start)?;
    let diff = match &options.in_diff {
        Some(commit) => {
            let path = output.join("changes.diff");
            let changes = git(root, &["diff", commit, "--", "*.rs"])?;
            fs::write(&path, changes).map_err(MutantsError::Start)?;
            Some(path)
        }
        None => None,
    };
    let packages = packages(&options.file)?;
    let mut folders = Vec::new();
    for (place, (package, files)) in packages.iter().enumerate() {
        let shard = options.shard.as_ref();
        let part = shard.map_or(String::new(), |part| {
            format!("-{}", part.replace('/', "-of-"))
        });
        let folder = output.join(format!("{package}{part}"));
        println!(
            "{package} ({} of {}): {}",
            place + 1,
            packages.len(),
            files.join(" ")
        );
        if options.resume {
            archive(&folder)?;
        } else if folder.exists() {
            fs::remove_dir_all(&folder).map_err(MutantsError::Start)?;
        }
        fs::create_dir_all(&folder).map_err(MutantsError::Start)?;
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(root);
        command.args(arguments(options, package, files));
        command.arg("--output").arg(&folder);
        if let Some(diff) = &diff {
            command.arg("--in-diff").arg(diff);
        }
        let tests = TESTS.iter().find(|(of, _)| of == package);
        let usual = tests.map_or(&[][..], |(_, tests)| tests);
        // For building too: a test that is not run need not be linked.
        if options.test_arguments.is_empty() {
            command.args(usual.iter().map(|test| format!("--cargo-arg={test}")));
        } else {
            for argument in &options.test_arguments {
                command.arg("--cargo-arg").arg(argument);
            }
        }
        let code = command.status().map_err(MutantsError::Start)?.code();
        if !code.is_some_and(|code| WITH_RESULTS.contains(&code)) {
            return Err(MutantsError::Ended { code });
        }
        // Where nothing of a crate was to be tried nothing was left.
        if folder.join(LEFT).join("caught.txt").exists() {
            folders.push(folder);
        }
    }
    Ok(folders)
}

/// What `cargo mutants` is told for a crate.
fn arguments(options: &Options, package: &str, files: &[String]) -> Vec<String> {
    let mut arguments: Vec<String> = ["mutants", "--no-shuffle", "--package", package]
        .map(String::from)
        .into();
    arguments.extend(["--test-package".into(), package.into()]);
    // The daemons' own suites are with those over both of them.
    if ["s3rec-rating", "s3rec-social"].contains(&package) {
        arguments.extend(["--test-package".into(), "s3rec-tests".into()]);
    }
    for file in files {
        arguments.extend(["--file".into(), file.clone()]);
    }
    if options.in_place {
        arguments.push("--in-place".into());
    } else {
        arguments.extend(["--jobs".into(), options.jobs.to_string()]);
    }
    if options.resume {
        arguments.push("--iterate".into());
    }
    if options.skip_baseline {
        arguments.push("--baseline=skip".into());
    }
    if let Some(shard) = &options.shard {
        arguments.extend(["--shard".into(), shard.clone()]);
    }
    if let Some(timeout) = options.timeout {
        arguments.extend(["--timeout".into(), timeout.to_string()]);
    }
    arguments
}

/// The files by crate: `crates/NAME` and `services/NAME` are `s3rec-NAME`.
fn packages(files: &[String]) -> Result<BTreeMap<String, Vec<String>>, MutantsError> {
    let mut packages: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files {
        let mut parts = file.split('/');
        let name = match (parts.next(), parts.next()) {
            (Some("crates" | "services"), Some(name)) if !name.contains('*') => name,
            _ => return Err(MutantsError::Nowhere(file.clone())),
        };
        let package = packages.entry(format!("s3rec-{name}")).or_default();
        package.push(file.clone());
    }
    Ok(packages)
}

fn git(root: &Path, arguments: &[&str]) -> Result<String, MutantsError> {
    let told = Command::new("git")
        .current_dir(root)
        .args(arguments)
        .output();
    let told = told.map_err(MutantsError::Start)?;
    if told.status.success() {
        return Ok(String::from_utf8_lossy(&told.stdout).into_owned());
    }
    Err(MutantsError::Diff {
        commit: arguments.join(" "),
        detail: String::from_utf8_lossy(&told.stderr).trim().into(),
    })
}

/// Keeps what a run that was broken off has found so far, before the next one takes its place.
fn archive(folder: &Path) -> Result<(), MutantsError> {
    let left = folder.join(LEFT);
    if !left.join("caught.txt").exists() {
        return Ok(());
    }
    let before = (1..).map(|number| folder.join(format!("before-{number:03}")));
    let Some(before) = before.take(1000).find(|before| !before.exists()) else {
        return Ok(());
    };
    fs::create_dir_all(&before).map_err(MutantsError::Start)?;
    for (_, name) in Outcome::ALL {
        let copied = fs::copy(left.join(name), before.join(name));
        copied.map_err(MutantsError::Start)?;
    }
    Ok(())
}

/// The folders with results at or below one, those of runs that were broken off before the last.
fn kept(folder: &Path) -> Result<Vec<PathBuf>, MutantsError> {
    if folder.join("caught.txt").exists() {
        return Ok(vec![folder.into()]);
    }
    let unread = |source| MutantsError::Read {
        path: folder.display().to_string(),
        source,
    };
    let mut below = Vec::new();
    for entry in fs::read_dir(folder).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        // `cargo mutants` renames what it left before, which is kept here by another name.
        if path.is_dir() && path.extension().is_none_or(|ending| ending != "old") {
            below.push(path);
        }
    }
    // `before-001` comes before `mutants.out`.
    below.sort();
    let mut all = Vec::new();
    for folder in below {
        all.extend(kept(&folder)?);
    }
    Ok(all)
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

#[cfg(test)]
mod tests;
