//! What releases tell of single links, for whoever holds the data.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::clear::mu_choice;
use super::{BothFiles, LinkColumnArgs, MuChoice, RecordArgs, TextArgs, ValueArgs};

/// Which releases of friends' sums are attacked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SidesChoice {
    /// Rows of the opened users, columns of the others.
    One,
    /// Rows and columns of everybody.
    Two,
    /// One after the other.
    #[default]
    Both,
}

/// `s3rec bench leakage`.
#[derive(Args, Clone, Debug)]
pub struct LeakageArgs {
    /// The data; users of both files are the common users.
    #[command(flatten)]
    pub files: BothFiles,
    /// μ of the releases, separated by commas; exact for sums without noise, and for the paper's
    /// exact opening. Unless given: exact, 4, 2, 1 and 0.5.
    #[arg(long, value_delimiter = ',', value_parser = mu_choice, value_name = "MU")]
    pub mu: Vec<MuChoice>,
    /// Attack exact sums too.
    #[arg(long)]
    pub exact: bool,
    /// Which releases.
    #[arg(long, value_enum, default_value_t = SidesChoice::Both)]
    pub sides: SidesChoice,
    /// Columns of friends' sums.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=32))]
    pub rank: u32,
    /// Columns of the paper's exact opening.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(2..=64))]
    pub soreg_rank: u32,
    /// Runs of the audit from below; 0 for none.
    #[arg(long, default_value_t = 10_000)]
    pub audit_runs: u32,
    /// μ that the audit holds the product to.
    #[arg(long, default_value = "1", value_parser = super::clear::mu, value_name = "MU")]
    pub audit_mu: s3rec_spmm::noise_first::guarantee::Mu,
    /// Seed of the opened users, of the noise and of what attackers are told.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// With --json: write the document here instead of to stdout.
    #[arg(value_name = "OUT")]
    pub file: Option<PathBuf>,
    /// The record.
    #[command(flatten)]
    pub record: RecordArgs,
}

/// `s3rec social leakage`.
#[derive(Args, Clone, Debug)]
pub struct SocialLeakageArgs {
    /// This platform's links, a file on this machine: nothing is sent anywhere.
    #[arg(long, value_name = "FILE")]
    pub links: PathBuf,
    /// How the text is laid out.
    #[command(flatten)]
    pub text: TextArgs,
    /// How values are written.
    #[command(flatten)]
    pub values: ValueArgs,
    /// Where the fields stand.
    #[command(flatten)]
    pub columns: LinkColumnArgs,
    /// Columns of one opening, as proposed.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=384))]
    pub rank: u32,
    /// μ of the releases, as proposed, separated by commas; exact for an opening without noise.
    #[arg(long, value_delimiter = ',', value_parser = mu_choice, value_name = "MU",
          default_value = "1")]
    pub mu: Vec<MuChoice>,
    /// Which releases.
    #[arg(long, value_enum, default_value_t = SidesChoice::Both)]
    pub sides: SidesChoice,
    /// Share of the users that are opened in a one-sided release; the proposal says how many.
    #[arg(long, default_value_t = 0.3, value_parser = opened_share, value_name = "SHARE")]
    pub opened_share: f64,
    /// Seed of the rating platform's rows, which are random here, of the opened users and of the
    /// noise.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

fn opened_share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok();
    share
        .filter(|share| *share > 0.0 && *share < 1.0)
        .ok_or_else(|| "expected a share between 0 and 1".into())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::arguments::{Arguments, BenchVerb, Command, MuChoice, SocialVerb};

    #[test]
    fn mus_are_a_list_in_which_exact_may_stand() {
        let line = "s3rec bench leakage --ratings r --links l --mu exact,2,0.5 --json out.json";
        let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
        let Command::Bench(BenchVerb::Leakage(leakage)) = arguments.command else {
            panic!("{:?}", arguments.command);
        };
        assert_eq!(leakage.mu.len(), 3);
        assert_eq!(leakage.mu[0], MuChoice::Exact);
        assert!(arguments.json && leakage.file.is_some());
        let refused = "s3rec bench leakage --ratings r --links l --mu -1";
        assert!(Arguments::try_parse_from(refused.split(' ')).is_err());
    }

    #[test]
    fn the_social_platforms_own_study_needs_its_links_alone() {
        let line = "s3rec social leakage --links l --rank 10 --mu 1";
        let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
        let Command::Social(social) = arguments.command else {
            panic!("{:?}", arguments.command);
        };
        assert!(matches!(social.verb, SocialVerb::Leakage(study) if study.rank == 10));
    }
}
