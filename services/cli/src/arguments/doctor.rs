//! `s3rec doctor`.

use std::path::PathBuf;

use clap::Args;

/// `s3rec doctor`.
#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// The daemon's own configuration file, of either platform; run as the daemon's user.
    #[arg(long, env = "S3REC_CONFIG", value_name = "FILE")]
    pub config: PathBuf,
    /// The flags that the daemon is started with, where it is.
    #[command(flatten)]
    pub overrides: s3rec_node::Overrides,
    /// Users both platforms have, of the planned job.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub users: Option<u32>,
    /// Bound on the non-zeros of the planned job's operator.
    #[arg(long)]
    pub nonzeros: Option<u64>,
    /// Columns of one opening of the planned job.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=512))]
    pub rank: u32,
    /// Openings of the planned job.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
}
