//! The daemon's command line.

use clap::Parser;
use s3rec_node::daemon::DaemonArgs;

/// The social platform's daemon: it holds the social links and serves gRPC with mutual TLS.
#[derive(Clone, Debug, Parser)]
#[command(version, about)]
pub struct Args {
    /// What both daemons are told.
    #[command(flatten)]
    pub daemon: DaemonArgs,
}
