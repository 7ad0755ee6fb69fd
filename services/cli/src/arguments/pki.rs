//! `s3rec pki`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use s3rec_node::pki::{CertificateRole, check_host};

/// `s3rec pki`: alone it makes an authority and all identities.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct PkiArgs {
    /// Replace or revoke instead.
    #[command(subcommand)]
    pub verb: Option<PkiVerb>,
    /// Directory for the keys and certificates; nothing there is overwritten.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Instead: a directory that gets one directory for each holder, with what that holder
    /// needs; the authority's key is thrown away. Done once, and then left as it is.
    #[arg(long, value_name = "DIR", conflicts_with = "out")]
    pub shares: Option<PathBuf>,
    /// A further host name or address the daemons are reached under; may be repeated.
    #[arg(long = "host", value_name = "NAME", value_parser = host)]
    pub hosts: Vec<String>,
}

/// What to do with an authority that was made before.
#[derive(Debug, Subcommand)]
pub enum PkiVerb {
    /// Make the next identity of a role beside the present one, which stays in use.
    Rotate(RotateArgs),
    /// Put the next identity into place; a running daemon takes it up.
    Activate(ActivateArgs),
    /// Put a certificate on the revocation list, ca.crl.
    Revoke(RevokeArgs),
}

/// `s3rec pki rotate`.
#[derive(Args, Debug)]
pub struct RotateArgs {
    /// Directory of the authority (ca.pem, ca.key).
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// rating, social, rating-operator or social-operator.
    #[arg(long, value_name = "ROLE", value_parser = role)]
    pub role: CertificateRole,
    /// A further host name or address the daemon is reached under; may be repeated.
    #[arg(long = "host", value_name = "NAME", value_parser = host)]
    pub hosts: Vec<String>,
    /// Put it into place at once: for operators, whom nobody pins.
    #[arg(long)]
    pub now: bool,
}

/// `s3rec pki activate`.
#[derive(Args, Debug)]
pub struct ActivateArgs {
    /// Directory of the authority.
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// rating, social, rating-operator or social-operator.
    #[arg(long, value_name = "ROLE", value_parser = role)]
    pub role: CertificateRole,
}

/// `s3rec pki revoke`.
#[derive(Args, Debug)]
pub struct RevokeArgs {
    /// Directory of the authority (ca.pem, ca.key).
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// The certificate to revoke, PEM; after a rotation NAME.old.pem.
    #[arg(value_name = "CERTIFICATE")]
    pub certificate: PathBuf,
}

fn host(text: &str) -> Result<String, String> {
    let checked = check_host(text).map(|()| text.to_owned());
    checked.map_err(|error| error.to_string())
}

fn role(text: &str) -> Result<CertificateRole, String> {
    let named = CertificateRole::ALL
        .into_iter()
        .find(|role| role.name() == text);
    named.ok_or_else(|| {
        let names = CertificateRole::ALL.map(CertificateRole::name).join(", ");
        format!("the roles are {names}")
    })
}
