//! The rating platform's daemon.

mod args;
mod plan;

pub use args::Args;
pub use plan::{Plan, plan};

use std::process::ExitCode;

/// Serves until SIGTERM or SIGINT, then drains.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    drop(args);
    ExitCode::FAILURE
}
