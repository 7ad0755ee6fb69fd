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
    /// Make a key here, and the request for its certificate: the key never travels.
    Request(RequestArgs),
    /// Sign a request that was made elsewhere; write the card that answers it.
    Sign(SignArgs),
    /// Take up a card: the other platform's, or the answer to a request made here.
    Trust(TrustArgs),
    /// Write the card of a platform, for the other one to trust.
    Card(CardArgs),
    /// Copy keys and certificates to where a daemon reads them, private keys for it alone: what a
    /// Kubernetes secret holds can be read by a group.
    Install(InstallArgs),
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

/// `s3rec pki request`.
#[derive(Args, Debug)]
pub struct RequestArgs {
    /// Directory for the key (ROLE.key) and the request (ROLE.csr); no key is overwritten.
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// rating, social, rating-operator or social-operator.
    #[arg(long, value_name = "ROLE", value_parser = role)]
    pub role: CertificateRole,
    /// A host name or address the daemon is reached under; may be repeated.
    #[arg(long = "host", value_name = "NAME", value_parser = host)]
    pub hosts: Vec<String>,
}

/// `s3rec pki sign`.
#[derive(Args, Debug)]
pub struct SignArgs {
    /// Directory of the authority (ca.pem, ca.key).
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// The role that the request shall be for; another one is refused.
    #[arg(long, value_name = "ROLE", value_parser = role)]
    pub role: CertificateRole,
    /// Digest of the request, as whoever made it reads it to you; asked for unless given.
    #[arg(long, value_name = "DIGEST")]
    pub digest: Option<s3rec_node::pki::Pin>,
    /// The request.
    #[arg(value_name = "REQUEST")]
    pub request: PathBuf,
    /// File for the card; the request's name with .card unless given.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `s3rec pki trust`.
#[derive(Args, Debug)]
pub struct TrustArgs {
    /// Directory of our own keys.
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// The card.
    #[arg(value_name = "CARD")]
    pub card: PathBuf,
    /// Pin of its certificate, as the other platform's operators read it to you; asked for unless
    /// given.
    #[arg(long, value_name = "PIN")]
    pub pin: Option<s3rec_node::pki::Pin>,
}

/// `s3rec pki card`.
#[derive(Args, Debug)]
pub struct CardArgs {
    /// Directory of the platform's keys and its authority (ca.pem).
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// rating or social.
    #[arg(long, value_name = "ROLE", value_parser = role)]
    pub role: CertificateRole,
    /// https://HOST:PORT where the social platform is called.
    #[arg(long, value_name = "URL")]
    pub address: Option<String>,
    /// The card of the next certificate, before it is activated.
    #[arg(long)]
    pub next: bool,
    /// File for the card.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// `s3rec pki install`.
#[derive(Args, Debug)]
pub struct InstallArgs {
    /// Directory with *.key, *.pem, *.pin and *.crl.
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// Directory that gets them; what is there already is replaced.
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
}

pub(super) fn host(text: &str) -> Result<String, String> {
    let checked = check_host(text).map(|()| text.to_owned());
    checked.map_err(|error| error.to_string())
}

fn role(text: &str) -> Result<CertificateRole, String> {
    CertificateRole::from_name(text).ok_or_else(|| {
        let names = CertificateRole::ALL.map(CertificateRole::name).join(", ");
        format!("the roles are {names}")
    })
}
