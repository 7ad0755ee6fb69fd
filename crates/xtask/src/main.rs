//! Developer commands: `cargo xtask arrows`, `cargo xtask check-report FILE`,
//! `cargo xtask claims`, `cargo xtask mutants`, `cargo xtask ci`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command talks through its terminal"
)]

mod arrows;
mod claims;
mod metadata;
mod mutants;
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
    /// Checks which crate uses which against the allowed arrows.
    Arrows,
    /// Checks the report of a FilmTrust demo run against what the project promises.
    CheckReport {
        /// The report.json of `s3rec demo --report DIR`.
        file: PathBuf,
    },
    /// Checks that the tests exist which the manual's table of threats and faults names.
    Claims,
    /// Changes the code that holds the secrets, one place at a time, and shows what no test notices.
    Mutants(mutants::Options),
    /// Runs everything that CI runs.
    Ci,
}

fn main() -> ExitCode {
    let findings = match Arguments::parse().command {
        Task::Arrows => metadata::Metadata::load(&workspace_root())
            .map(|metadata| arrows::violations(&metadata))
            .map_err(|error| error.to_string()),
        Task::CheckReport { file } => {
            thresholds::findings(&file).map_err(|error| error.to_string())
        }
        Task::Claims => claims::findings(&workspace_root()).map_err(|error| error.to_string()),
        Task::Mutants(options) => {
            mutants::findings(&workspace_root(), &options).map_err(|error| error.to_string())
        }
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
