//! The social platform's daemon.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    s3rec_social::run(s3rec_social::Args::parse())
}
