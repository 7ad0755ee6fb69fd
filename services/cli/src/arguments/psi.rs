//! `s3rec bench psi`.

use std::net::SocketAddr;

use clap::{Args, ValueEnum};
use s3rec_bench::psi::Protocol;

use super::RecordArgs;

/// `s3rec bench psi`.
#[derive(Args, Clone, Debug)]
pub struct PsiArgs {
    /// Users of each platform.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=1 << 24))]
    pub users: u32,
    /// Share of them that both platforms have.
    #[arg(long, default_value_t = 0.1, value_parser = share)]
    pub overlap: f64,
    /// Which forms of the intersection.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [FormChoice::Vole, FormChoice::Ecdh])]
    pub protocol: Vec<FormChoice>,
    /// The record.
    #[command(flatten)]
    pub record: RecordArgs,
}

/// One party of it: the social platform listens and says where, the rating platform connects.
#[derive(Args, Clone, Debug)]
pub struct PsiPartyArgs {
    /// Users of each platform.
    #[arg(long)]
    pub users: u32,
    /// How many both have.
    #[arg(long)]
    pub common: u32,
    /// Which form of the intersection.
    #[arg(long, value_enum)]
    pub protocol: FormChoice,
    /// The other party's address.
    #[arg(long)]
    pub connect: Option<SocketAddr>,
}

/// A form of the intersection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormChoice {
    /// Small VOLEs: symmetric cryptography.
    Vole,
    /// Diffie-Hellman on ristretto255.
    Ecdh,
}

impl From<FormChoice> for Protocol {
    fn from(choice: FormChoice) -> Self {
        match choice {
            FormChoice::Vole => Self::Vole,
            FormChoice::Ecdh => Self::Ecdh,
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share = text
        .parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "give a share from 0 to 1".into())
}
