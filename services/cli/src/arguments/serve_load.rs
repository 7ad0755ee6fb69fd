//! The command line of the load test.

use clap::Args;

use crate::connection::ConnectionArgs;

/// `s3rec bench serve`.
#[derive(Args, Clone, Debug)]
pub struct ServeLoadArgs {
    /// Requests that arrive a second, whether or not earlier ones are answered.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate: u32,
    /// How long they arrive.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub seconds: u32,
    /// For three seconds at most: to see that it works.
    #[arg(long)]
    pub quick: bool,
    /// Items to recommend.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub count: u32,
    /// Connections that the requests take turns on.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub connections: u32,
    /// Seed of the order in which users ask.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Id of the model; the newest unless given.
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// The rating platform under load.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}
