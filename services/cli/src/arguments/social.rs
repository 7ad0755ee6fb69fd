//! Verbs of the social platform's operators.

use clap::{Args, Subcommand};

use super::{FileArgs, JobArgs, ReasonedJobArgs};
use crate::connection::ConnectionArgs;

/// `s3rec social …`.
#[derive(Debug, Subcommand)]
pub enum SocialVerb {
    /// Read a links file into the platform: truster, trustee.
    Import(ImportLinksArgs),
    /// List the proposals and what consenting gives away.
    Proposals(ProposalsArgs),
    /// Consent to one proposal, exactly as stated.
    Approve(ApproveArgs),
    /// Decline a proposal.
    Reject(ReasonedJobArgs),
    /// Take consent back, effective before the next opening.
    Revoke(ReasonedJobArgs),
    /// Follow a job until it ends.
    Watch(JobArgs),
    /// What was opened to the rating platform, over all jobs.
    Disclosures(ConnectionArgs),
    /// The stocks of masked columns: made, used, left.
    Stock(ConnectionArgs),
    /// What a job cost this platform.
    Cost(JobArgs),
}

/// `import`.
#[derive(Args, Debug)]
pub struct ImportLinksArgs {
    /// What to read.
    #[command(flatten)]
    pub file: FileArgs,
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
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "NAME"
    )]
    pub dataset: String,
}
