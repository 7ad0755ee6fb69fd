//! The command line of workers, which compute for a platform on further machines.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::RecordArgs;
use super::measure::OpeningArgs;

/// `s3rec worker …`.
#[derive(Debug, Subcommand)]
pub enum WorkerVerb {
    /// Make a folder with file and key for the coordinator and for every worker.
    Init(WorkerInitArgs),
    /// Make the key and certificate of one member, and print its pin.
    Key(WorkerKeyArgs),
    /// Wait for the platform's daemon and do what it gives out, until SIGTERM or SIGINT.
    Serve(WorkerServeArgs),
}

/// `s3rec worker init`.
#[derive(Args, Debug)]
pub struct WorkerInitArgs {
    /// Gets a folder for each member, to be brought to its machine and no other. Where all are there,
    /// nothing is done.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// A worker and where it listens, for example w1=10.0.0.11:7300; to be repeated.
    #[arg(long = "worker", value_name = "NAME=HOST:PORT", required = true, value_parser = named)]
    pub workers: Vec<(String, String)>,
    /// How long the coordinator waits for a worker that is gone.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(..=3_600))]
    pub wait_seconds: u64,
}

fn named(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, address)) if address.contains(':') => Ok((name.into(), address.into())),
        _ => Err("write NAME=HOST:PORT".into()),
    }
}

/// `s3rec worker key`.
#[derive(Args, Debug)]
pub struct WorkerKeyArgs {
    /// As the file of workers calls it; `coordinator` for the daemon.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Where NAME.key and NAME.pem are written.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `s3rec worker serve`.
#[derive(Args, Debug)]
pub struct WorkerServeArgs {
    /// The file of workers (manual, page `cluster`).
    #[arg(value_name = "FILE", env = "S3REC_WORKERS")]
    pub file: PathBuf,
    /// Which log lines are written.
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub log_filter: String,
}

/// `s3rec bench workers`.
#[derive(Args, Clone, Debug)]
pub struct WorkersBenchArgs {
    /// The file of workers, by which this process is the coordinator.
    #[arg(long, value_name = "FILE")]
    pub workers: PathBuf,
    /// Numbers of users, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "M", default_values_t = [10_000, 100_000],
          value_parser = clap::value_parser!(u32).range(100..=16_000_000))]
    pub users: Vec<u32>,
    /// Links that a user gives.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub links_per_user: u32,
    /// Columns.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=512))]
    pub rank: u32,
    /// The opening.
    #[command(flatten)]
    pub opening: OpeningArgs,
    /// The record.
    #[command(flatten)]
    pub record: RecordArgs,
}
