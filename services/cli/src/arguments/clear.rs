//! Commands that need no platform: what a job would cost, what it would be worth, and what
//! the protocols cost against each other.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use s3rec_model::Preset;
use s3rec_spmm::noise_first::guarantee::Mu;

use super::{
    AllArgs, BothFiles, LeakageArgs, LinksArgs, ListsBenchArgs, OperatorChoice, PatternChoice,
    ProtocolChoice, PsiArgs, PsiPartyArgs, RecordArgs, ReleaseBenchArgs, ReportArgs, RoundsArgs,
    ScaleArgs, ScalePartyArgs, ServeLoadArgs, SettingsArgs,
};

/// Settings found by search on the published sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PresetChoice {
    /// Films, dense.
    Filmtrust,
    /// Products, very sparse.
    Ciao,
    /// Products, sparser still.
    Epinions,
    /// The setting in which gd, adam and als are compared.
    Published,
}

impl PresetChoice {
    /// Its name in `s3rec_model`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Filmtrust => "filmtrust",
            Self::Ciao => "ciao",
            Self::Epinions => "epinions",
            Self::Published => "published",
        }
    }

    /// Its settings.
    #[must_use]
    pub fn load(self) -> Preset {
        // Unwrap safety: a test loads every variant.
        Preset::named(self.name()).expect("every choice is a preset")
    }
}

/// What a model is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TaskChoice {
    /// How well ratings are predicted, by the explicit model; lists beside it with --rankings.
    Ratings,
    /// How good lists are, by implicit ALS: which items people chose, and how sure it is.
    Lists,
}

/// μ of a simulated release.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MuChoice {
    /// Exact sums.
    Exact,
    /// With noise.
    Noised(Mu),
}

/// Reads `exact` or a finite number above 0.
pub(super) fn mu_choice(text: &str) -> Result<MuChoice, String> {
    if text == "exact" {
        return Ok(MuChoice::Exact);
    }
    mu(text).map(MuChoice::Noised)
}

/// `s3rec evaluate`.
#[derive(Args, Clone, Debug)]
pub struct EvaluateArgs {
    /// The data.
    #[command(flatten)]
    pub files: BothFiles,
    /// Settings to evaluate.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// What is judged; lists with --counts, ratings otherwise.
    #[arg(long, value_enum)]
    pub task: Option<TaskChoice>,
    /// lists: also judge users whose ratings are hidden, with the estimate from one opening of
    /// friends' sums that spends this μ; exact: without noise.
    #[arg(long, value_parser = mu_choice, value_name = "MU")]
    pub mu: Option<MuChoice>,
    /// lists: share of the users whose ratings are hidden, once for every fold.
    #[arg(long, default_value_t = 0.1, value_parser = share, value_name = "SHARE", requires = "mu")]
    pub hide_all: f64,
    /// lists: factors of a recommender of your own in the place of the built-in ones, as Parquet (id,
    /// vector) or safetensors; for the opening and the verdict.
    #[arg(long, value_name = "FILE", requires = "mu")]
    pub factors: Option<PathBuf>,
    /// Factors of the items, where they are in a file of their own.
    #[arg(long, value_name = "FILE", requires = "factors")]
    pub item_factors: Option<PathBuf>,
    /// lists: write what the opening says of every opened user, as Parquet: id, noised friends' sum,
    /// its length, the estimated factor, and whether it is used.
    #[arg(long, value_name = "FILE", requires = "mu")]
    pub export_friends: Option<PathBuf>,
    /// lists: write the ids of the calibration users, by whom the opening is judged: leave their
    /// ratings out where you train factors of your own.
    #[arg(long, value_name = "FILE", requires = "mu")]
    pub calibration_out: Option<PathBuf>,
    /// Folds of the cross-validation.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..=100))]
    pub folds: u32,
    /// Seed of the folds, of the rewired links and of what is held out once more to choose by.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Judge rankings too (NDCG, recall, hit rate, MRR, coverage); slow on large catalogues. Lists
    /// are always judged by them.
    #[arg(long)]
    pub rankings: bool,
    /// Lists should have the held-out items rated so high or higher; unless given, those in the
    /// top quarter of the scale, and every one with --counts.
    #[arg(
        long,
        value_name = "RATING",
        requires = "rankings",
        allow_hyphen_values = true
    )]
    pub relevant_from: Option<f64>,
    /// Write the folds, one line a rating: user, item, rating, fold.
    #[arg(long, value_name = "FILE")]
    pub folds_out: Option<PathBuf>,
    /// Take the folds from such a file, which has every rating once.
    #[arg(long, value_name = "FILE", conflicts_with = "folds")]
    pub folds_in: Option<PathBuf>,
}

impl EvaluateArgs {
    /// What is judged.
    #[must_use]
    pub fn task(&self) -> TaskChoice {
        let counts = self.files.reading.ratings.counts;
        let usual = if counts {
            TaskChoice::Lists
        } else {
            TaskChoice::Ratings
        };
        self.task.unwrap_or(usual)
    }
}

/// `s3rec estimate`.
#[derive(Args, Clone, Debug)]
pub struct EstimateArgs {
    /// Users both platforms have.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub users: u32,
    /// Columns of one opening.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=512))]
    pub rank: u32,
    /// Openings.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Bound on the absolute row sums of the operator, in units of its weights.
    #[arg(long, default_value_t = 8192, value_parser = clap::value_parser!(u64).range(1..))]
    pub row_norm_bound: u64,
    /// Bound on the non-zeros of the operator.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub nonzeros_bound: u64,
    /// What the social platform derives from its links.
    #[arg(long, value_enum, default_value_t = OperatorChoice::NormalizedLaplacian)]
    pub operator: OperatorChoice,
    /// What of the pattern the rating platform may know.
    #[arg(long, value_enum, default_value_t = PatternChoice::Nothing)]
    pub pattern: PatternChoice,
    /// Users with a link, under a pattern policy that trims.
    #[arg(long)]
    pub active_users: Option<u32>,
    /// Users linked to, for the protocols that fetch their rows privately; as many as the
    /// non-zeros unless given.
    #[arg(long)]
    pub linked_to_users: Option<u32>,
    /// Bytes that each side's offline computation may hold at once, as 512MiB or 1GiB.
    #[arg(long, default_value = "1GiB", value_parser = memory_bytes, value_name = "SIZE")]
    pub memory_limit: usize,
    /// Rate of the link in Mbit/s, 0.001 to 1,000,000.
    #[arg(long, default_value_t = 100.0, value_parser = megabits)]
    pub megabits_per_second: f64,
    /// Round trip of the link, milliseconds, up to 60,000.
    #[arg(long, default_value_t = 0.0, value_parser = round_trip_ms)]
    pub round_trip_ms: f64,
    /// Cores that each side gives to the job.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub cores: u32,
    /// Only this protocol.
    #[arg(long, value_enum)]
    pub protocol: Option<ProtocolChoice>,
    /// friends: users that are opened; two fifths of all unless given.
    #[arg(long, conflicts_with = "two_sided")]
    pub opened_users: Option<u32>,
    /// friends: open everybody's sums over everybody.
    #[arg(long)]
    pub two_sided: bool,
    /// friends: μ that the opening spends; 1 unless given.
    #[arg(long, value_name = "MU")]
    pub mu: Option<f64>,
}

/// `s3rec bench`.
#[derive(Debug, Subcommand)]
pub enum BenchVerb {
    /// Bytes, seconds and memory of every protocol and baseline on the same operands.
    Products(ProductsArgs),
    /// Private retrieval of few rows against sending all of them, on a synthetic set.
    Fetch(FetchArgs),
    /// Finding the common users, each platform in a process of its own.
    Psi(PsiArgs),
    /// One platform of `bench psi`.
    #[command(hide = true)]
    PsiParty(PsiPartyArgs),
    /// What an opening buys: objective and RMSE against openings for gd, adam and als.
    Rounds(RoundsArgs),
    /// What noise on the openings costs: RMSE, share of the social gain kept, (ε, δ).
    Release(ReleaseBenchArgs),
    /// Cost against users, rank and non-zeros: measured where it fits, predicted beyond.
    Scale(Box<ScaleArgs>),
    /// One platform of `bench scale --protocol noise-first`.
    #[command(hide = true)]
    ScaleParty(ScalePartyArgs),
    /// Learning lists and making everybody's, on drawn choices.
    Lists(ListsBenchArgs),
    /// Whole trainings by both daemons over shaped links, ssmm computed beside them.
    Links(LinksArgs),
    /// What releases tell of single links: attackers of growing knowledge, and an audit from below.
    Leakage(Box<LeakageArgs>),
    /// Every record of a directory as one page, with the ratios that we are held to.
    Report(ReportArgs),
    /// Everything above but leakage and serve on the published sets, and the page.
    All(AllArgs),
    /// Packs of a noised opening by a platform's workers and by this process: the same bytes, and
    /// the seconds of both.
    Workers(Box<super::WorkersBenchArgs>),
    /// Recommendations at a fixed arrival rate, asked of a running rating platform.
    Serve(Box<ServeLoadArgs>),
}

/// `s3rec bench fetch`.
#[derive(Args, Clone, Debug)]
pub struct FetchArgs {
    /// Users both platforms have.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(2..))]
    pub users: u32,
    /// Users that somebody trusts.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    pub needed: u32,
    /// Columns of one opening.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=512))]
    pub rank: u32,
    /// The record.
    #[command(flatten)]
    pub record: RecordArgs,
}

/// `s3rec bench products`.
#[derive(Args, Clone, Debug)]
pub struct ProductsArgs {
    /// The data.
    #[command(flatten)]
    pub files: BothFiles,
    /// Columns of one opening.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=512))]
    pub rank: u32,
    /// Openings.
    #[arg(long, default_value_t = 819, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Which to measure; all unless given.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub protocols: Vec<String>,
    /// Rounds to run of protocols whose rounds all cost the same; ten times as many of plaintext and preprocessed
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub measured_rounds: u32,
    /// Take the users of either file instead of those of the ratings file.
    #[arg(long)]
    pub all_users: bool,
    /// Bytes that an offline computation may hold at once, as 512MiB or 1GiB.
    #[arg(long, default_value = "1GiB", value_parser = memory_bytes, value_name = "SIZE")]
    pub memory_limit: usize,
    /// Where stocks of columns are kept while they are measured.
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
    /// Ciphertexts a thread runs through tfhe's own functions, to be compared with preprocessed.
    #[arg(long, default_value_t = 32)]
    pub tfhe_sample: u64,
    /// μ that the opening of noise-first spends.
    #[arg(long, default_value = "1", value_parser = mu, value_name = "MU")]
    pub mu: Mu,
    /// With --json: write the document here instead of to stdout.
    #[arg(value_name = "OUT")]
    pub file: Option<PathBuf>,
    /// The record.
    #[command(flatten)]
    pub record: RecordArgs,
}

/// Reads a finite number above 0.
pub(super) fn mu(text: &str) -> Result<Mu, String> {
    let number = text.parse().ok().and_then(Mu::new);
    number.ok_or_else(|| format!("{text:?} is no number above 0"))
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok();
    share
        .filter(|share| *share > 0.0 && *share <= 0.5)
        .ok_or_else(|| "expected a share above 0, at most 0.5".into())
}

/// Reads `1GiB`, `512MiB` or a number of bytes.
pub(super) fn memory_bytes(text: &str) -> Result<usize, String> {
    let (digits, unit) = text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    );
    let shift = match unit {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return Err(format!("{unit:?} is no unit; use B, KiB, MiB or GiB")),
    };
    digits
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_mul(1 << shift))
        .filter(|bytes| (64 << 20..=MOST_MEMORY).contains(bytes))
        .ok_or_else(|| "give 64MiB to 65536GiB".to_owned())
}

/// No machine has more.
const MOST_MEMORY: usize = 1 << 46;

fn round_trip_ms(text: &str) -> Result<f64, String> {
    let trip = text.parse::<f64>().ok();
    trip.filter(|trip| (0.0..=60_000.0).contains(trip))
        .ok_or_else(|| "expected milliseconds, 0 to 60000".into())
}

fn megabits(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok();
    rate.filter(|rate| (1e-3..=1e6).contains(rate))
        .ok_or_else(|| "expected Mbit/s, 0.001 to 1000000".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_a_preset() {
        for choice in PresetChoice::value_variants() {
            assert_eq!(choice.load().name, choice.name());
        }
    }

    #[test]
    fn memory_is_read_with_its_unit() {
        assert_eq!(memory_bytes("1GiB"), Ok(1 << 30));
        assert_eq!(memory_bytes("128MiB"), Ok(128 << 20));
        assert_eq!(memory_bytes("100000000"), Ok(100_000_000));
        for bad in ["1GB", "GiB", "-1GiB", "1MiB", "99999999999999999999GiB", ""] {
            assert!(memory_bytes(bad).is_err(), "{bad}");
        }
    }
}
