//! Verbs of the social platform's operators.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{
    AcceptLogArgs, BackupArgs, DatasetsVerb, FileArgs, JobArgs, JobsVerb, LinkColumnArgs,
    ReasonedJobArgs, ReconcileArgs, SocialLeakageArgs,
};
use crate::connection::ConnectionArgs;

/// `s3rec social …`.
#[derive(Debug, Subcommand)]
pub enum SocialVerb {
    /// Read a links file into the platform: truster, trustee.
    Import(Box<ImportLinksArgs>),
    /// List the open proposals, what consenting gives away, and what is left under the policy.
    Proposals(ProposalsArgs),
    /// Go through the proposals that wait: shows what each would give away, and asks.
    Review(ConnectionArgs),
    /// Consent to one proposal, exactly as stated.
    Approve(ApproveArgs),
    /// Decline a proposal.
    Reject(ReasonedJobArgs),
    /// Take consent back, effective before the next opening.
    Revoke(ReasonedJobArgs),
    /// Print a link for one log-in to the platform's console, in a browser.
    Console(ConnectionArgs),
    /// Follow a job until it ends.
    Watch(JobArgs),
    /// What was opened to the rating platform, over all jobs.
    Disclosures(ConnectionArgs),
    /// The stocks of masked columns: made, used, left.
    Stock(ConnectionArgs),
    /// Who may be shown what without asking, and the limits over all jobs.
    #[command(subcommand)]
    Policy(PolicyVerb),
    /// What a release would tell of this platform's own links, before consenting: attacks on a
    /// links file, on this machine alone.
    Leakage(Box<SocialLeakageArgs>),
    /// What a job cost this platform.
    Cost(JobArgs),
    /// The imported data sets.
    #[command(subcommand)]
    Datasets(DatasetsVerb),
    /// What ended jobs left; `proposals` lists them.
    #[command(subcommand)]
    Jobs(JobsVerb),
    /// Let the rating platform's audit log go on from where it was refused, after its people have
    /// confirmed it.
    AcceptLog(AcceptLogArgs),
    /// Write a copy of what the platform keeps, while its jobs go on; `s3rec-social restore` makes a
    /// data directory of it.
    Backup(BackupArgs),
    /// After a restore: count what was shown since the backup, so that jobs can begin again.
    Reconcile(ReconcileArgs),
}

/// `import`.
#[derive(Args, Debug)]
pub struct ImportLinksArgs {
    /// What to read.
    #[command(flatten)]
    pub file: FileArgs,
    /// Where the fields stand.
    #[command(flatten)]
    pub columns: LinkColumnArgs,
    /// Where to connect.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// `proposals`.
#[derive(Args, Debug)]
pub struct ProposalsArgs {
    /// Only those that wait for a decision.
    #[arg(long)]
    pub pending: bool,
    /// Also those that have ended.
    #[arg(long, conflicts_with = "pending")]
    pub all: bool,
    /// Where to connect.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// `approve`.
#[derive(Args, Debug)]
pub struct ApproveArgs {
    /// Which job, and where.
    #[command(flatten)]
    pub job: JobArgs,
    /// The links to use; may be left out when there is exactly one data set.
    #[arg(long, value_name = "NAME")]
    pub dataset: Option<String>,
    /// Days until the approval ends; with the proposal unless given, and never after it.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub expires_days: Option<u16>,
    /// State that no user has more links than this, both directions together. The rating platform
    /// learns the number; the policy's or the configuration's unless given.
    #[arg(long, value_name = "LINKS", value_parser = clap::value_parser!(u32).range(1..))]
    pub degree_bound: Option<u32>,
    /// State that there are no more links than this in all, likewise.
    #[arg(long, value_name = "LINKS", value_parser = clap::value_parser!(u64).range(1..))]
    pub links_bound: Option<u64>,
    /// Where the bounds that the rating platform learns of the operator come from: what is stated
    /// (says nothing of the links), or the links among the common users, by a ladder.
    #[arg(long, value_enum)]
    pub bounds: Option<BoundsName>,
}

/// `--bounds`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum BoundsName {
    /// From what is stated.
    Stated,
    /// From the links among the common users.
    Ladder,
}

/// `policy …`.
#[derive(Debug, Subcommand)]
pub enum PolicyVerb {
    /// The policy in force.
    Show(ConnectionArgs),
    /// Have the platform read its policy file again.
    Reload(ConnectionArgs),
    /// Check a policy file on this machine, without any daemon.
    Check {
        /// The file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}
