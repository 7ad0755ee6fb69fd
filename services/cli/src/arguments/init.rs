//! `s3rec init` and `s3rec context`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::pki::host;

/// `s3rec init`.
#[derive(Args, Clone, Debug)]
pub struct InitArgs {
    /// Directory to make, with a folder for each operator; nothing there is overwritten.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Make the folder of this platform alone, on its own machine: its private keys never leave it.
    /// The other platform's folder is made over there, and cards are exchanged.
    #[arg(long, value_enum)]
    pub only: Option<InitPlatform>,
    /// Host name or address of the rating platform's machine.
    #[arg(long, value_name = "HOST", value_parser = host)]
    pub rating_host: Option<String>,
    /// Host name or address that the rating platform reaches the social platform under.
    #[arg(long, value_name = "HOST", value_parser = host)]
    pub social_host: Option<String>,
    /// The other platform's card, once it is there; s3rec pki trust takes it up later.
    #[arg(long, value_name = "FILE", requires = "only")]
    pub card: Option<PathBuf>,
    /// Pin of that card, as the other platform's operators read it to you.
    #[arg(long, value_name = "PIN", requires = "card")]
    pub pin: Option<s3rec_node::pki::Pin>,
    /// Port of the rating platform's operators.
    #[arg(long, default_value_t = 7100, value_name = "PORT", value_parser = port())]
    pub rating_port: u16,
    /// Port of the social platform's operators.
    #[arg(long, default_value_t = 7200, value_name = "PORT", value_parser = port())]
    pub social_port: u16,
    /// Port of the social platform that the rating platform calls.
    #[arg(long, default_value_t = 7201, value_name = "PORT", value_parser = port())]
    pub peer_port: u16,
    /// Also serve each platform's console, on loopback: 7310 at the rating platform, 7300 at the social one.
    #[arg(long)]
    pub consoles: bool,
    /// Name of the context that s3rec rating and s3rec social use from now on; the directory's
    /// name unless given.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Leave the contexts as they are.
    #[arg(long, conflicts_with = "context")]
    pub no_context: bool,
}

/// `--only`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InitPlatform {
    /// The rating platform.
    Rating,
    /// The social platform.
    Social,
}

/// `s3rec context …`.
#[derive(Debug, Subcommand)]
pub enum ContextVerb {
    /// List the contexts; the one in use is marked.
    List,
    /// Use this one from now on.
    Use {
        /// Its name.
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Add or change one.
    Add {
        /// Its name.
        #[arg(value_name = "NAME")]
        name: String,
        /// Client file of the rating platform's operators.
        #[arg(long, value_name = "FILE", required_unless_present = "social")]
        rating: Option<PathBuf>,
        /// Client file of the social platform's operators.
        #[arg(long, value_name = "FILE")]
        social: Option<PathBuf>,
    },
    /// Forget one; its files stay.
    Remove {
        /// Its name.
        #[arg(value_name = "NAME")]
        name: String,
    },
}

fn port() -> clap::builder::RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..)
}
