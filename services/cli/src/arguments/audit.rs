//! Audit logs, checked without any daemon.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use s3rec_node::pki::Pin;

/// `s3rec audit …`.
#[derive(Debug, Subcommand)]
pub enum AuditVerb {
    /// Check chain, signatures and signed heads; name the first bad entry.
    Verify {
        /// Which log.
        #[command(flatten)]
        log: LogArgs,
        /// The other platform's log: each must hold what both have signed of the other.
        #[arg(long, value_name = "FILE")]
        against: Option<PathBuf>,
        /// Pin of the certificate that the log's own signatures must belong to.
        #[arg(long, value_name = "PIN")]
        own_pin: Option<Pin>,
        /// Pin of the other platform's certificate.
        #[arg(long, value_name = "PIN")]
        peer_pin: Option<Pin>,
    },
    /// Print all entries as lines of JSON, checked before.
    Export {
        /// Which log.
        #[command(flatten)]
        log: LogArgs,
    },
}

/// Which log.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub struct LogArgs {
    /// The log's file.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// A platform's data directory: its log, which must also hold what was acknowledged last.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}
