//! Developer commands: `cargo xtask quick`, `arrows`, `picture`, `check-report FILE`, `claims`,
//! `sbom`, `mutants` and `ci`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command talks through its terminal"
)]

mod arrows;
mod claims;
mod knots;
mod messages;
mod metadata;
mod mutants;
mod quick;
mod sbom;
mod thresholds;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Developer commands of s3rec")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// What to run between edits: format, arrows, claims, and unit tests of the crates that changed.
    Quick,
    /// Checks which crate uses which against the allowed arrows, the README's picture of them, and
    /// where messages of the wire are named, and knots of imports.
    Arrows,
    /// Draws which crate uses which, for the README.
    Picture,
    /// Checks the report of a FilmTrust demo run against what the project promises.
    CheckReport {
        /// The report.json of `s3rec demo --report DIR`.
        file: PathBuf,
    },
    /// Checks that the tests exist which the manual's table of threats and faults names.
    Claims,
    /// Prints what the programs are made of, as CycloneDX.
    Sbom,
    /// Changes the code that holds the secrets, one place at a time, and shows what no test notices.
    Mutants(mutants::Options),
    /// Runs everything that CI runs.
    Ci,
}

fn main() -> ExitCode {
    let findings = match Arguments::parse().command {
        Task::Quick => quick(),
        Task::Arrows => arrows(),
        Task::Picture => picture(),
        Task::CheckReport { file } => {
            thresholds::findings(&file).map_err(|error| error.to_string())
        }
        Task::Claims => claims::findings(&workspace_root()).map_err(|error| error.to_string()),
        Task::Mutants(options) => {
            mutants::findings(&workspace_root(), &options).map_err(|error| error.to_string())
        }
        Task::Sbom => sbom::document(&workspace_root()).map(|document| {
            print!("{document}");
            Vec::new()
        }),
        Task::Ci => return ci(),
    };
    match findings {
        Ok(findings) if findings.is_empty() => ExitCode::SUCCESS,
        Ok(findings) => {
            for finding in findings {
                println!("{finding}");
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::from(2)
        }
    }
}

fn quick() -> Result<Vec<String>, String> {
    let root = workspace_root();
    let mut findings = arrows()?;
    findings.extend(claims::findings(&root).map_err(|error| error.to_string())?);
    findings.extend(quick::findings(&root).map_err(|error| error.to_string())?);
    Ok(findings)
}

fn arrows() -> Result<Vec<String>, String> {
    let root = workspace_root();
    let metadata = metadata::Metadata::load(&root).map_err(|error| error.to_string())?;
    let mut findings = arrows::violations(&metadata);
    findings.extend(messages::findings(&root).map_err(|error| error.to_string())?);
    findings.extend(knots::findings(&root).map_err(|error| error.to_string())?);
    findings.extend(
        arrows::outdated_picture(&metadata, &root)
            .map_err(|error| format!("README.md: {error}"))?,
    );
    Ok(findings)
}

fn picture() -> Result<Vec<String>, String> {
    let metadata =
        metadata::Metadata::load(&workspace_root()).map_err(|error| error.to_string())?;
    print!("{}", arrows::picture(&metadata));
    Ok(Vec::new())
}

fn ci() -> ExitCode {
    match Command::new(workspace_root().join(".ci/run")).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: .ci/run could not be started: {error}");
            ExitCode::from(2)
        }
    }
}

fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
