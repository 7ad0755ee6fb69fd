//! What goes with the programs: sample data, completions, man pages.

use std::path::PathBuf;

use clap::Args;
use s3rec_data::SyntheticSettings;

/// `s3rec generate`.
#[derive(Args, Debug)]
pub struct GenerateArgs {
    /// Directory for ratings.tsv and links.tsv.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Users with ratings.
    #[arg(long, default_value_t = 600)]
    pub users: usize,
    /// Items.
    #[arg(long, default_value_t = 150)]
    pub items: usize,
    /// Groups of users who share tastes.
    #[arg(long, default_value_t = 10)]
    pub communities: usize,
    /// Share of users with only two to four ratings.
    #[arg(long, default_value_t = 0.3)]
    pub cold_share: f64,
    /// Mean number of links that a user gives.
    #[arg(long, default_value_t = 16.0)]
    pub links_per_user: f64,
    /// Chance that a link stays within the group; low enough, and links carry nothing.
    #[arg(long, default_value_t = 0.97)]
    pub homophily: f64,
    /// Share of the ratings whose item was chosen by taste; low enough, and no list can be foretold.
    #[arg(long, default_value_t = 1.0)]
    pub choice: f64,
    /// Everything follows from it.
    #[arg(long, default_value_t = 3)]
    pub seed: u64,
}

impl GenerateArgs {
    /// The settings to draw by.
    #[must_use]
    pub fn settings(&self) -> SyntheticSettings {
        SyntheticSettings {
            users: self.users,
            items: self.items,
            communities: self.communities,
            cold_share: self.cold_share,
            links_per_user: self.links_per_user,
            homophily: self.homophily,
            choice: self.choice,
            seed: self.seed,
            ..SyntheticSettings::default()
        }
    }
}

/// `s3rec completions`.
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// Which shell.
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// `s3rec man`.
#[derive(Args, Debug)]
pub struct ManArgs {
    /// Directory for the pages, one for each command.
    #[arg(value_name = "DIR")]
    pub out: PathBuf,
}
