//! The rating platform's daemon.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    s3rec_rating::run(s3rec_rating::Args::parse())
}
