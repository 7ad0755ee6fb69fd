//! The daemon's command line.

use std::path::PathBuf;

use clap::Parser;
use s3rec_node::Overrides;

/// The social platform's daemon: it holds the social links and serves gRPC with mutual TLS.
#[derive(Clone, Debug, Parser)]
#[command(version, about)]
pub struct Args {
    /// Configuration file (TOML). `S3REC_…` variables override it, flags override both.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Flags that override single settings.
    #[command(flatten)]
    pub overrides: Overrides,
}
