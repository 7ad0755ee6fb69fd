//! The rating platform's daemon.

mod args;

pub use args::Args;

use std::process::ExitCode;

/// Serves until SIGTERM or SIGINT, then drains.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    drop(args);
    ExitCode::FAILURE
}
