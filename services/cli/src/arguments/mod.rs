//! The command line.

mod audit;
mod backup;
mod bench_lists;
mod choices;
mod clear;
mod doctor;
mod init;
mod leakage;
mod learning;
mod measure;
mod pki;
mod psi;
mod rating;
mod reading;
mod serve_load;
mod settings;
mod shipped;
mod social;
mod training;
mod worker;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use audit::{AuditVerb, LogArgs};
pub use backup::{BackupArgs, ReconcileArgs};
pub use bench_lists::ListsBenchArgs;
pub use choices::{
    FriendsArgs, OperatorChoice, PatternChoice, ProtocolChoice, ReleaseArgs, SolverChoice,
};
pub use clear::{
    BenchVerb, EstimateArgs, EvaluateArgs, FetchArgs, MuChoice, PresetChoice, ProductsArgs,
    TaskChoice,
};
pub use doctor::DoctorArgs;
pub use init::{ContextVerb, InitArgs, InitPlatform};
pub use leakage::{LeakageArgs, SidesChoice, SocialLeakageArgs};
pub use learning::{CriterionChoice, ReleaseBenchArgs, RoundsArgs, TuneArgs};
pub use measure::{
    AllArgs, LinksArgs, RecordArgs, ReportArgs, ScaleArgs, ScaleChoice, ScalePartyArgs,
    ShapingChoice,
};
pub use pki::{
    CardArgs, InstallArgs, PkiArgs, PkiVerb, RequestArgs, RotateArgs, SignArgs, TrustArgs,
};
pub use psi::{PsiArgs, PsiPartyArgs};
pub use rating::{
    CalibrationUsersArgs, ImportFactorsArgs, ImportRatingsArgs, JobReportArgs, JobsArgs, ModelVerb,
    ModelsArgs, ModelsVerb, ProposeArgs, RatingVerb, RecommendArgs, RunArgs,
};
pub use reading::{
    BothFiles, BothReadingArgs, LinkColumnArgs, LinksTextArgs, RatingColumnArgs, RosterArgs,
    TextArgs, ValueArgs,
};
pub(crate) use reading::{
    link_options, links_source, rating_options, ratings_source, read_links, read_ratings,
};
pub use serve_load::ServeLoadArgs;
pub use settings::{SettingsArgs, SettingsFile};
pub use shipped::{CompletionsArgs, GenerateArgs, ManArgs};
pub use social::{BoundsName, ImportLinksArgs, PolicyVerb, SocialVerb};
pub use training::TrainingArgs;
pub use worker::{WorkerInitArgs, WorkerKeyArgs, WorkerServeArgs, WorkerVerb, WorkersBenchArgs};

use crate::connection::ConnectionArgs;
use crate::demo::DemoArgs;

/// Secure social recommendation across two platforms, after S3Rec (NeurIPS 2021).
#[derive(Debug, Parser)]
#[command(name = "s3rec", version, propagate_version = true)]
pub struct Arguments {
    /// Print one JSON document on stdout; errors as JSON on stderr.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run both platforms on this machine and train one model securely.
    Demo(Box<DemoArgs>),
    /// Make configurations, client files and keys for two platforms, one folder for each.
    Init(InitArgs),
    /// Which platforms are meant by default.
    #[command(subcommand)]
    Context(ContextVerb),
    /// Make a certificate authority and the identities of both platforms and their people;
    /// replace and revoke them.
    Pki(PkiArgs),
    /// Examine a platform on its own machine: configuration, files, keys, link, disk, memory.
    Doctor(Box<DoctorArgs>),
    /// Talk to the rating platform as one of its operators.
    Rating(RatingCommand),
    /// Talk to the social platform as one of its operators.
    Social(SocialCommand),
    /// Check or export an audit log, without any daemon.
    #[command(subcommand)]
    Audit(AuditVerb),
    /// Predict a job's bytes, seconds and parameters under every protocol.
    Estimate(EstimateArgs),
    /// Judge settings over folds, in the clear: for whoever holds both files.
    Evaluate(EvaluateArgs),
    /// Search for settings in the clear: for whoever holds both files.
    Tune(TuneArgs),
    /// Measure on this machine.
    #[command(subcommand)]
    Bench(BenchVerb),
    /// Compute for a platform whose daemon is on another machine.
    #[command(subcommand)]
    Worker(WorkerVerb),
    /// Ask the daemon on this machine whether it serves; exit code 0 when it does.
    Healthcheck(HealthcheckArgs),
    /// Write the conversation's descriptor, for clients in other languages.
    Descriptor(DescriptorArgs),
    /// Draw a small set of ratings and links on which friends share tastes, to try things on.
    Generate(GenerateArgs),
    /// Print a shell's completions.
    #[command(hide = true)]
    Completions(CompletionsArgs),
    /// Write the man pages.
    #[command(hide = true)]
    Man(ManArgs),
    /// Run a daemon of the demonstration.
    #[command(hide = true)]
    Daemon(DaemonArgs),
}

/// `s3rec descriptor`.
#[derive(Args, Debug)]
pub struct DescriptorArgs {
    /// File for the serialised `google.protobuf.FileDescriptorSet`.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// `s3rec healthcheck`.
#[derive(Args, Debug)]
pub struct HealthcheckArgs {
    /// The daemon's own configuration file, of either platform.
    #[arg(long, env = "S3REC_CONFIG", value_name = "FILE")]
    pub config: PathBuf,
    /// The flags that the daemon was started with, where it was.
    #[command(flatten)]
    pub overrides: s3rec_node::Overrides,
}

/// `s3rec rating`.
#[derive(Args, Debug)]
pub struct RatingCommand {
    /// The verb.
    #[command(subcommand)]
    pub verb: RatingVerb,
    /// Where to connect, said before the verb: every verb has the same, and takes these.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// `s3rec social`.
#[derive(Args, Debug)]
pub struct SocialCommand {
    /// The verb.
    #[command(subcommand)]
    pub verb: SocialVerb,
    /// Where to connect, said before the verb: every verb has the same, and takes these.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// `s3rec daemon`: how the demonstration starts its daemons.
#[derive(Args, Debug)]
pub struct DaemonArgs {
    /// Directory to remove when whoever started us is gone. Their end is noticed by the end
    /// of our standard input.
    #[arg(long, value_name = "DIR")]
    pub workspace: PathBuf,
    /// Which platform.
    #[command(subcommand)]
    pub platform: Platform,
}

/// A platform with its daemon's own arguments.
#[derive(Debug, Subcommand)]
pub enum Platform {
    /// P0.
    Rating(s3rec_rating::Args),
    /// P1.
    Social(s3rec_social::Args),
}

/// A data file and how to read it.
#[derive(Args, Clone, Debug)]
pub struct FileArgs {
    /// The file: delimited text, JSON lines or Parquet, also packed by gzip, zstd, xz or bzip2 or
    /// alone in a zip or tar archive. `-` is standard input; a folder, or a pattern as 'part-*.parquet',
    /// stands for the rows of all its Parquet files. Or where it is kept: s3://BUCKET/KEY, gs://…, az://…,
    /// file:///…, or postgres://USER@HOST/DATABASE with --query; passwords and keys come from the
    /// environment.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Of postgres://: the rows, 'SELECT user_id, item_id, rating FROM …', by the names of its columns.
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "SQL"
    )]
    pub query: String,
    /// As --query, of --users postgres://…
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "SQL",
        requires = "users"
    )]
    pub users_query: String,
    /// Name of the data set; what it held before is replaced.
    #[arg(long, default_value = "default", value_name = "NAME")]
    pub dataset: String,
    /// How the text is laid out.
    #[command(flatten)]
    pub text: TextArgs,
    /// How values are written.
    #[command(flatten)]
    pub values: ValueArgs,
    /// Who else is a user.
    #[command(flatten)]
    pub roster: RosterArgs,
    /// Do not ask when something looks wrong with the data; on a terminal, import asks.
    #[arg(long)]
    pub yes: bool,
    /// The data set whose data these are a newer version of, where it has another name: what was
    /// disclosed of one counts for the other.
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "NAME"
    )]
    pub lineage: String,
}

/// One job.
#[derive(Args, Clone, Debug)]
pub struct JobArgs {
    /// Id of the job, as `propose` or `proposals` shows it.
    #[arg(value_name = "JOB")]
    pub job: String,
    /// Where to connect.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// `datasets …`.
#[derive(Debug, Subcommand)]
pub enum DatasetsVerb {
    /// List the imported data sets, and the jobs that keep a copy.
    List(ConnectionArgs),
    /// What the import of one of them found.
    Show(DatasetArgs),
    /// Delete one that no job uses; its lineage goes on with a later import of its name.
    Delete(DatasetArgs),
}

/// One data set.
#[derive(Args, Clone, Debug)]
pub struct DatasetArgs {
    /// Its name.
    #[arg(value_name = "NAME")]
    pub dataset: String,
    /// Where to connect.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// `accept-log`.
#[derive(Args, Clone, Debug)]
pub struct AcceptLogArgs {
    /// The log, as the refusal names it and the other platform's `s3rec audit verify` shows it.
    #[arg(value_name = "LOG")]
    pub log: String,
    /// Where to connect.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// `jobs …`.
#[derive(Debug, Subcommand)]
pub enum JobsVerb {
    /// Delete the details of a job that has ended; what it disclosed stays counted.
    Delete(JobArgs),
}

/// One job, and why.
#[derive(Args, Clone, Debug)]
pub struct ReasonedJobArgs {
    /// The job.
    #[command(flatten)]
    pub job: JobArgs,
    /// Shown to the people at the other platform.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub reason: String,
}

#[cfg(test)]
mod quoted_tests;

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_client_file_may_stand_before_the_verb_and_after_it() {
        for line in [
            "s3rec rating --client x jobs",
            "s3rec rating jobs --client x",
            "s3rec rating --client y jobs --client x",
        ] {
            let parsed = Arguments::try_parse_from(line.split(' ')).unwrap();
            let Command::Rating(RatingCommand {
                verb: RatingVerb::Jobs(jobs),
                ..
            }) = parsed.command
            else {
                panic!("{line}")
            };
            assert_eq!(jobs.connection.client, Some("x".into()), "{line}");
        }
    }

    #[test]
    fn json_may_stand_anywhere() {
        for line in [
            "s3rec --json demo",
            "s3rec demo --json",
            "s3rec rating jobs --json",
        ] {
            assert!(
                Arguments::try_parse_from(line.split(' ')).unwrap().json,
                "{line}"
            );
        }
    }
}
