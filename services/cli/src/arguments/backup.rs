//! Arguments about backups, the same at both platforms.

use std::path::PathBuf;

use clap::Args;

use crate::connection::ConnectionArgs;

/// `backup`.
#[derive(Args, Clone, Debug)]
pub struct BackupArgs {
    /// The file to write, for its owner alone; one that is there is never replaced.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Where to connect.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// `reconcile`.
#[derive(Args, Clone, Debug)]
pub struct ReconcileArgs {
    /// What `disclosures --json` prints at the other platform.
    #[arg(
        value_name = "FILE",
        required_unless_present = "nothing_since",
        conflicts_with = "nothing_since"
    )]
    pub disclosures: Option<PathBuf>,
    /// Nothing was shown since the backup was made, or this platform's newest audit log was restored
    /// with it. Your word for it stands in the audit log.
    #[arg(long)]
    pub nothing_since: bool,
    /// Where to connect.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}
