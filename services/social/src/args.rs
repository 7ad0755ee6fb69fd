//! The daemon's command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use s3rec_node::Overrides;

/// The social platform's daemon: it holds the social links and serves gRPC with mutual TLS.
#[derive(Clone, Debug, Parser)]
#[command(version, about)]
pub struct Args {
    /// Configuration file (TOML). `S3REC_…` variables override it, flags override both.
    #[arg(long, env = "S3REC_CONFIG", value_name = "FILE")]
    pub config: PathBuf,
    /// Flags that override single settings.
    #[command(flatten)]
    pub overrides: Overrides,
    /// What to do instead of serving.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// What the daemon's program does besides serving.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Verb {
    /// Ask the running daemon whether it serves; exit code 0 when it does.
    Healthcheck,
}
