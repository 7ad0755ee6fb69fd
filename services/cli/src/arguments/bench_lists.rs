//! `s3rec bench lists`.

use std::path::PathBuf;

use clap::Args;

use super::RecordArgs;

/// `s3rec bench lists`.
#[derive(Args, Clone, Debug)]
pub struct ListsBenchArgs {
    /// Ratings to take as choices, one of each user's held out; drawn ones unless given.
    #[arg(long, value_name = "FILE")]
    pub ratings: Option<PathBuf>,
    /// Users.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(2..))]
    pub users: u32,
    /// Items.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(100..))]
    pub items: u32,
    /// Choices that are drawn.
    #[arg(long, default_value_t = 50_000_000)]
    pub choices: u64,
    /// Groups of users with an order of the items of their own.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub communities: u32,
    /// Factors.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=128))]
    pub rank: u32,
    /// Sweeps.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub sweeps: u32,
    /// Steps of conjugate gradients to learn with, one number after the other; 0 for every row exactly.
    #[arg(long, default_values_t = [0, 3], value_delimiter = ',', value_parser = clap::value_parser!(u32).range(..=1000))]
    pub gradient_steps: Vec<u32>,
    /// λ: decay of the factors.
    #[arg(long, default_value_t = 0.003)]
    pub decay: f64,
    /// ν: how a row's decay grows with its choices; 0 for all alike, as other libraries have it.
    #[arg(long, default_value_t = 1.0)]
    pub decay_exponent: f64,
    /// α: weight of every pair, chosen or not.
    #[arg(long, default_value_t = 0.01)]
    pub unobserved_weight: f64,
    /// Items of a list.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub count: u32,
    /// Users whose lists are made; all unless given.
    #[arg(long)]
    pub listed: Option<u32>,
    /// Write choices, held-out choices and factors here, for crates/bench/compare/lists.py.
    #[arg(long, value_name = "DIR")]
    pub data_out: Option<PathBuf>,
    /// The record.
    #[command(flatten)]
    pub record: RecordArgs,
}
