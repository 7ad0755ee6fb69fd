//! What every benchmark takes, and the benchmarks of growth, links and reports.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use s3rec_bench::scale::opening::OpeningWorkload;
use s3rec_spmm::noise_first::guarantee::Mu;

use super::BothFiles;

/// How a measurement is repeated and where its record goes.
#[derive(Args, Clone, Debug, Default)]
pub struct RecordArgs {
    /// Smaller and fewer, in seconds rather than minutes: to see that it works.
    #[arg(long)]
    pub quick: bool,
    /// Runs that medians are over.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub repeats: Option<u32>,
    /// Name of the data set in the record and its file name.
    #[arg(long, value_name = "NAME")]
    pub label: Option<String>,
    /// Write the record, and drawings, into this directory, which is made if need be.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

impl RecordArgs {
    /// Runs to make: one when quick, `usual` otherwise, unless said.
    #[must_use]
    pub fn repeats(&self, usual: u32) -> u32 {
        self.repeats.unwrap_or(if self.quick { 1 } else { usual })
    }
}

/// What `s3rec bench scale` measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScaleChoice {
    /// Openings of Y·U: measured where they fit, predicted beyond.
    Preprocessed,
    /// A job of friends' sums from the lists of users to everybody's lists, each platform in a
    /// process of its own: measured at every size.
    NoiseFirst,
}

/// One noised opening.
#[derive(Args, Clone, Debug)]
pub struct OpeningArgs {
    /// noise-first: μ that the opening spends.
    #[arg(long, default_value = "1", value_parser = super::clear::mu, value_name = "MU")]
    pub mu: Mu,
    /// noise-first: friends of one user, at most, as agreed on.
    #[arg(long, default_value_t = 16_384, value_parser = clap::value_parser!(u32).range(1..))]
    pub degree_bound: u32,
    /// noise-first: items that lists are of.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(100..))]
    pub items: u32,
}

impl OpeningArgs {
    /// Such an opening of so many users, links that each gives, and columns.
    #[must_use]
    pub fn workload(&self, users: u32, links_per_user: u32, columns: u32) -> OpeningWorkload {
        OpeningWorkload {
            users,
            links_per_user,
            columns,
            degree_bound: self.degree_bound,
            mu: self.mu.value(),
            items: self.items,
        }
    }
}

/// One platform of `s3rec bench scale --protocol noise-first`: the social one listens and says
/// where, the rating one connects.
#[derive(Args, Clone, Debug)]
pub struct ScalePartyArgs {
    /// Users.
    #[arg(long)]
    pub users: u32,
    /// Links that a user gives.
    #[arg(long)]
    pub links_per_user: u32,
    /// Columns.
    #[arg(long)]
    pub rank: u32,
    /// The opening.
    #[command(flatten)]
    pub opening: OpeningArgs,
    /// What must not be lost is kept here.
    #[arg(long)]
    pub scratch: PathBuf,
    /// The other party's address.
    #[arg(long)]
    pub connect: Option<SocketAddr>,
}

/// `s3rec bench scale`.
#[derive(Args, Clone, Debug)]
pub struct ScaleArgs {
    /// What is measured.
    #[arg(long, value_enum, default_value_t = ScaleChoice::Preprocessed)]
    pub protocol: ScaleChoice,
    /// The opening of noise-first.
    #[command(flatten)]
    pub opening: OpeningArgs,
    /// Numbers of users at a fixed degree, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "M",
          value_parser = clap::value_parser!(u32).range(100..=16_000_000))]
    pub users: Vec<u32>,
    /// Links that a user gives.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub links_per_user: u32,
    /// Columns of one opening while users grow.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=512))]
    pub rank: u32,
    /// Openings.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rounds: u32,
    /// Ranks, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "K",
          value_parser = clap::value_parser!(u32).range(1..=512))]
    pub ranks: Vec<u32>,
    /// Non-zeros of the operator, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "Z",
          value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    pub nonzeros: Vec<u64>,
    /// Points that would take longer are predicted.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub seconds_limit: Option<u32>,
    /// Bytes that an offline computation may hold at once, as 512MiB or 1GiB.
    #[arg(long, default_value = "1GiB", value_parser = super::clear::memory_bytes, value_name = "SIZE")]
    pub memory_limit: usize,
    /// Points that need more room on disk are predicted.
    #[arg(long, default_value = "20GiB", value_parser = super::clear::memory_bytes, value_name = "SIZE")]
    pub disk_limit: usize,
    /// Where stocks of columns are kept while they are measured.
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
    /// The record.
    #[command(flatten)]
    pub record: RecordArgs,
}

/// How `s3rec bench links` shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ShapingChoice {
    /// Namespaces where they are allowed, else the relay.
    Auto,
    /// A relay on the loopback that keeps to rate and delay.
    TokenBucket,
}

/// `s3rec bench links`.
#[derive(Args, Clone, Debug)]
pub struct LinksArgs {
    /// The data.
    #[command(flatten)]
    pub files: BothFiles,
    /// Columns of one opening.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=512))]
    pub rank: u32,
    /// Openings of als.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub openings: u32,
    /// Openings of gradient descent that ssmm is computed for.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub gradient_openings: u32,
    /// Which of preprocessed and he to run, separated by commas.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "preprocessed,he",
        value_name = "NAME"
    )]
    pub protocols: Vec<String>,
    /// How links are shaped.
    #[arg(long, value_enum, default_value_t = ShapingChoice::Auto)]
    pub shaping: ShapingChoice,
    /// The record.
    #[command(flatten)]
    pub record: RecordArgs,
}

/// `s3rec bench report`.
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// Directory with the records; the page is written beside them.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}

/// `s3rec bench all`.
#[derive(Args, Clone, Debug)]
pub struct AllArgs {
    /// Directory with filmtrust, ciao and epinions, each a ratings and a trust file.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Directory for records, drawings and the page.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// FilmTrust alone, smaller and fewer: under five minutes.
    #[arg(long)]
    pub quick: bool,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::arguments::{Arguments, BenchVerb, Command};

    fn parsed(line: &str) -> BenchVerb {
        let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
        match arguments.command {
            Command::Bench(verb) => verb,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_record_may_be_quick() {
        let files = "--ratings r --links l";
        for line in [
            format!("s3rec bench products {files} --quick"),
            "s3rec bench fetch --quick".to_owned(),
            format!("s3rec bench rounds {files} --quick"),
            format!("s3rec bench release {files} --quick"),
            "s3rec bench scale --quick".to_owned(),
            format!("s3rec bench links {files} --quick"),
            "s3rec bench serve --quick".to_owned(),
            "s3rec bench all --data d --out o --quick".to_owned(),
        ] {
            parsed(&line);
        }
    }

    #[test]
    fn repeats_are_one_when_quick_unless_said() {
        let repeats = |line: &str| match parsed(line) {
            BenchVerb::Scale(arguments) => arguments.record.repeats(3),
            other => panic!("{other:?}"),
        };
        assert_eq!(repeats("s3rec bench scale"), 3);
        assert_eq!(repeats("s3rec bench scale --quick"), 1);
        assert_eq!(repeats("s3rec bench scale --quick --repeats 5"), 5);
    }
}
