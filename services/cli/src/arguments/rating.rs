//! Verbs of the rating platform's operators.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{
    AcceptLogArgs, BackupArgs, DatasetsVerb, FileArgs, JobArgs, JobsVerb, PatternChoice,
    ProtocolChoice, RatingColumnArgs, ReasonedJobArgs, ReconcileArgs, ReleaseArgs, TrainingArgs,
};
use crate::connection::ConnectionArgs;

/// `s3rec rating …`.
#[derive(Debug, Subcommand)]
pub enum RatingVerb {
    /// Read a ratings file into the platform: user, item, rating.
    Import(ImportRatingsArgs),
    /// Read vectors of a recommender of your own, Parquet (id, vector) or safetensors, for users and
    /// items of ratings imported before.
    ImportFactors(ImportFactorsArgs),
    /// The imported factors.
    #[command(subcommand)]
    Factors(DatasetsVerb),
    /// Propose a training to the social platform; nothing of either side's data moves.
    Propose(Box<ProposeArgs>),
    /// Do what a file says, for cron and the like: import, propose, wait, and follow the job to its end.
    Run(RunArgs),
    /// Start an approved job.
    Start(StartArgs),
    /// Follow a job until it ends.
    Watch(JobArgs),
    /// List the jobs, or delete what an ended one left.
    Jobs(JobsArgs),
    /// End a job before its next opening.
    Cancel(ReasonedJobArgs),
    /// Cost, parameters, quality and disclosure of a finished job.
    Report(JobReportArgs),
    /// List the models, or delete one.
    Models(ModelsArgs),
    /// Print a link for one log-in to the platform's console, in a browser.
    Console(ConnectionArgs),
    /// The imported data sets.
    #[command(subcommand)]
    Datasets(DatasetsVerb),
    /// What a finished model says.
    #[command(flatten)]
    Ask(ModelVerb),
    /// What this platform was shown, over all jobs.
    Disclosures(ConnectionArgs),
    /// The stocks of masked columns: made, used, left.
    Stock(ConnectionArgs),
    /// Let the social platform's audit log go on from where it was refused, after its people have
    /// confirmed it.
    AcceptLog(AcceptLogArgs),
    /// Write a copy of what the platform keeps, while its jobs go on; `s3rec-rating restore` makes a
    /// data directory of it.
    Backup(BackupArgs),
    /// After a restore: count what was shown since the backup, so that jobs can begin again.
    Reconcile(ReconcileArgs),
}

/// Verbs about finished models, beside the others.
#[derive(Debug, Subcommand)]
pub enum ModelVerb {
    /// Metrics of a model on its held-out ratings.
    Evaluate(ModelArgs),
    /// Predict one rating.
    Predict(PredictArgs),
    /// The best items that a user has not rated.
    Recommend(RecommendArgs),
    /// Write a model as safetensors with a JSON card beside it.
    Export(ExportArgs),
    /// Write what an opening of friends' sums says of every opened user as Parquet: noised sum,
    /// noisy degree, estimated factor; for a ranker of your own.
    ExportFriends(ExportFriendsArgs),
    /// Write the ids of users whose ratings must be left out of factors that a job brings along.
    CalibrationUsers(CalibrationUsersArgs),
}

/// `import`.
#[derive(Args, Debug)]
pub struct ImportRatingsArgs {
    /// What to read.
    #[command(flatten)]
    pub file: FileArgs,
    /// Where the fields stand.
    #[command(flatten)]
    pub columns: RatingColumnArgs,
    /// Where to connect.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// `import-factors`.
#[derive(Args, Debug)]
pub struct ImportFactorsArgs {
    /// Users' vectors, and items' where a safetensors file has both; also where it is kept, s3://…, gs://…,
    /// az://… or file:///…
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Items' vectors, where they are in a file of their own. Without any, items are solved for
    /// from the ratings.
    #[arg(long, value_name = "FILE")]
    pub items: Option<PathBuf>,
    /// Name of the factors; what it held before is replaced.
    #[arg(long, default_value = "default", value_name = "NAME")]
    pub dataset: String,
    /// The data set of ratings whose users and items these are; the only one unless given.
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "NAME"
    )]
    pub ratings: String,
    /// Upper and lower case of user ids count alike, as in those ratings.
    #[arg(long)]
    pub fold_case: bool,
    /// Where to connect.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// `propose`.
#[derive(Args, Debug)]
pub struct ProposeArgs {
    /// A data set imported before.
    #[arg(long, default_value = "default", value_name = "NAME")]
    pub dataset: String,
    /// Why; shown to the people who consent.
    #[arg(long, value_name = "TEXT")]
    pub purpose: String,
    /// How the product is computed: preprocessed unless given; noise-first with the operator
    /// friends, which has no other.
    #[arg(long, value_enum)]
    pub protocol: Option<ProtocolChoice>,
    /// What is trained.
    #[command(flatten)]
    pub training: TrainingArgs,
    /// What of the links' pattern the rating platform may know.
    #[arg(long, value_enum, default_value_t = PatternChoice::Nothing)]
    pub pattern: PatternChoice,
    /// How openings are released.
    #[command(flatten)]
    pub release: ReleaseArgs,
    /// Seed of split and initialisation; stays at the rating platform.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Share of the ratings held out for the metrics, up to 0.5; 0 trains on everything.
    #[arg(long, default_value_t = 0.2, value_parser = held_out_share, conflicts_with = "no_held_out")]
    pub held_out_share: f64,
    /// Hold out the latest ratings instead of random ones.
    #[arg(long, conflicts_with = "no_held_out")]
    pub held_out_latest: bool,
    /// Train on everything and report no metrics.
    #[arg(long)]
    pub no_held_out: bool,
    /// Wait until the social platform has decided, then start, and follow the job to its end. The job
    /// goes on by itself when this command is interrupted.
    #[arg(long)]
    pub start: bool,
    /// Wait until the social platform has decided; exit code 1 when it rejects.
    #[arg(long, conflicts_with = "start")]
    pub wait: bool,
    /// Imported factors in the place of the built-in model; of friends' sums only.
    #[arg(long, value_name = "NAME")]
    pub factors: Option<String>,
    /// Propose it also where an open job asks for the same already.
    #[arg(long)]
    pub again: bool,
    /// Days until the proposal, and any approval of it, ends.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..))]
    pub expires_days: u16,
    /// Where to connect.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// `run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// TOML with a section `[propose]`, perhaps `[import]`, whose settings are named like the flags of these
    /// verbs, and `file` of `[import]`; perhaps `client`. Paths are relative to it.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where to connect.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// `start`.
#[derive(Args, Debug)]
pub struct StartArgs {
    /// Which job, and where.
    #[command(flatten)]
    pub job: JobArgs,
    /// Wait until the social platform has decided, instead of failing. The job waits by itself
    /// when this command is interrupted.
    #[arg(long)]
    pub wait: bool,
}

/// `jobs`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct JobsArgs {
    /// Lists them unless given.
    #[command(subcommand)]
    pub verb: Option<JobsVerb>,
    /// Where to connect.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// `report`.
#[derive(Args, Debug)]
pub struct JobReportArgs {
    /// Which job, and where.
    #[command(flatten)]
    pub job: JobArgs,
    /// Write it as a page too: report.html and report.md in this folder.
    #[arg(long, value_name = "DIRECTORY")]
    pub html: Option<PathBuf>,
}

/// `models`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ModelsArgs {
    /// Lists them unless given.
    #[command(subcommand)]
    pub verb: Option<ModelsVerb>,
    /// Where to connect.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// `models …`.
#[derive(Debug, Subcommand)]
pub enum ModelsVerb {
    /// Delete a model with the copy of the ratings that it is served with.
    Delete {
        /// Id of the model, as `models` shows it.
        #[arg(value_name = "MODEL")]
        model: String,
        /// Where to connect.
        #[command(flatten)]
        connection: ConnectionArgs,
    },
}

/// A model, or the newest.
#[derive(Args, Debug)]
pub struct ModelArgs {
    /// Id of the model; the newest unless given.
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Where to connect.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// `predict`.
#[derive(Args, Debug)]
pub struct PredictArgs {
    /// The user.
    #[arg(long, value_name = "ID")]
    pub user: String,
    /// The item.
    #[arg(long, value_name = "ID")]
    pub item: String,
    /// The model, and where.
    #[command(flatten)]
    pub model: ModelArgs,
}

/// `recommend`.
#[derive(Args, Debug)]
pub struct RecommendArgs {
    /// The user.
    #[arg(long, value_name = "ID", required_unless_present = "all")]
    pub user: Option<String>,
    /// Lists of every user, into a file.
    #[arg(long, conflicts_with = "user", requires = "out")]
    pub all: bool,
    /// With --all: Parquet with a row for each item of each list (user, place, item, score); a file, or
    /// s3://BUCKET/KEY, gs://…, az://…
    #[arg(long, value_name = "FILE", requires = "all")]
    pub out: Option<PathBuf>,
    /// How many items.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub count: u32,
    /// Also list what the user has rated.
    #[arg(long)]
    pub include_rated: bool,
    /// The model, and where.
    #[command(flatten)]
    pub model: ModelArgs,
}

/// `export`.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// Id of the model; the newest unless given.
    #[arg(default_value = "", hide_default_value = true, value_name = "MODEL")]
    pub model: String,
    /// FILE.safetensors; the card becomes FILE.json. Also s3://BUCKET/KEY, gs://…, az://… Unless given, the
    /// numbers go to stdout as JSON.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Where to connect.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// `export-friends`.
#[derive(Args, Debug)]
pub struct ExportFriendsArgs {
    /// Id of the job, as `jobs` shows it, which its model has too; that of the newest model unless
    /// given.
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
    /// Columns id, friends_sum, noisy_degree, estimate, is_used; a file, or s3://BUCKET/KEY, gs://…,
    /// az://…
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Where to connect.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// `calibration-users`.
#[derive(Args, Debug)]
pub struct CalibrationUsersArgs {
    /// A data set of ratings; the only one unless given.
    #[arg(long, value_name = "NAME")]
    pub dataset: Option<String>,
    /// As the job will be proposed: users with fewer ratings are opened.
    #[arg(long, value_name = "RATINGS", value_parser = clap::value_parser!(u32).range(1..))]
    pub few_below: Option<u32>,
    /// As the job will be proposed: the share of the others that is opened.
    #[arg(long, value_name = "SHARE")]
    pub calibration_share: Option<f64>,
    /// One id a line; a file, or s3://BUCKET/KEY, gs://…, az://…
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Where to connect.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

fn held_out_share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok();
    share
        .filter(|share| (0.0..=0.5).contains(share))
        .ok_or_else(|| "expected a share from 0 to 0.5".into())
}
