//! How to reach a platform and who we are: flags over environment over one client file, which a flag,
//! a variable or the context in use names.

use std::path::{Path, PathBuf};

use clap::Args;
use s3rec_node::client::{ConnectError, connect};
use s3rec_node::config::TlsSettings;
use s3rec_node::pki::CertificateRole;
use s3rec_node::tls::{Authorize, TlsMaterial};
use s3rec_wire::status::Fault;
use serde::Deserialize;
use tonic::transport::Channel;

use crate::contexts::{self, Contexts};
use crate::failure::Failure;

/// Connection flags of every verb. They may stand before the verb as well.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Connection")]
pub struct ConnectionArgs {
    /// Client file with any of the four below (TOML: address, ca, certificate, key; paths relative
    /// to the file); the context's unless given.
    #[arg(long, global = true, env = "S3REC_CLIENT", value_name = "FILE")]
    pub client: Option<PathBuf>,
    /// Context to take instead of the one in use (s3rec context).
    #[arg(
        long,
        global = true,
        env = "S3REC_CONTEXT",
        value_name = "NAME",
        conflicts_with = "client"
    )]
    pub context: Option<String>,
    /// Address of the platform's operator port, for example https://localhost:7100.
    #[arg(
        long,
        global = true,
        env = "S3REC_CLIENT_ADDRESS",
        value_name = "URL",
        hide_short_help = true
    )]
    pub address: Option<String>,
    /// Authority that signed the platform's certificate (PEM).
    #[arg(
        long,
        global = true,
        env = "S3REC_CLIENT_CA",
        value_name = "FILE",
        hide_short_help = true
    )]
    pub ca: Option<PathBuf>,
    /// Our operator certificate (PEM).
    #[arg(
        long,
        global = true,
        env = "S3REC_CLIENT_CERTIFICATE",
        value_name = "FILE",
        hide_short_help = true
    )]
    pub certificate: Option<PathBuf>,
    /// Key of our operator certificate (PEM).
    #[arg(
        long,
        global = true,
        env = "S3REC_CLIENT_KEY",
        value_name = "FILE",
        hide_short_help = true
    )]
    pub key: Option<PathBuf>,
}

/// The client file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientFile {
    address: Option<String>,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

/// Everything that a connection needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// `https://host:port`.
    pub address: String,
    /// PEM of the authority.
    pub ca: PathBuf,
    /// PEM of our certificate.
    pub certificate: PathBuf,
    /// PEM of our key.
    pub key: PathBuf,
}

impl ConnectionArgs {
    /// Lays the flags (and the environment, which clap puts beneath them) over the client file of
    /// the operators of that role.
    ///
    /// # Errors
    /// [`Failure::Usage`] naming what is missing, also the client file.
    pub fn resolve(self, operator: CertificateRole) -> Result<Connection, Failure> {
        let file = match self.file(operator)? {
            Some(path) => ClientFile::read(&path)?,
            None => ClientFile::default(),
        };
        let address = required(self.address.or(file.address), "--address")?;
        Ok(Connection {
            address: with_scheme(address)?,
            ca: required(self.ca.or(file.ca), "--ca")?,
            certificate: required(self.certificate.or(file.certificate), "--certificate")?,
            key: required(self.key.or(file.key), "--key")?,
        })
    }

    /// The client file; `None` where nothing names one, or nothing of it is needed.
    fn file(&self, operator: CertificateRole) -> Result<Option<PathBuf>, Failure> {
        // Clap sees no conflict where one stands before the verb and the other after it.
        if let (Some(file), Some(context)) = (&self.client, &self.context) {
            let message = format!(
                "both the client file {} and the context {context} are given; leave one of them out",
                file.display()
            );
            return Err(Failure::Usage(message));
        }
        if self.client.is_some() {
            return Ok(self.client.clone());
        }
        // Its present name would be passed over, and another platform be meant.
        if std::env::var_os("S3REC_CLIENT_FILE").is_some() {
            let message = "S3REC_CLIENT_FILE is called S3REC_CLIENT now; set that one instead";
            return Err(Failure::Usage(message.into()));
        }
        let whole = self.address.is_some()
            && self.ca.is_some()
            && self.certificate.is_some()
            && self.key.is_some();
        match contexts::directory() {
            Some(directory) if !whole => {
                Contexts::client_file(&directory, self.context.as_deref(), operator)
            }
            _ => Ok(None),
        }
    }
}

impl ClientFile {
    fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|source| {
            Failure::Usage(format!(
                "client file {}: {source}\nIt is named by --client, S3REC_CLIENT or the context in use: \
                 s3rec context list shows those that there are, s3rec init makes new ones.",
                path.display()
            ))
        })?;
        let mut file: Self = toml::from_str(&text)
            .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
        let directory = path.parent().unwrap_or(Path::new(""));
        for path in [&mut file.ca, &mut file.certificate, &mut file.key]
            .into_iter()
            .flatten()
        {
            *path = directory.join(&*path);
        }
        Ok(file)
    }
}

impl Connection {
    /// Opens the channel: mutual TLS, and the daemon of `role` at the other end.
    ///
    /// `own` is the role that our certificate must have.
    ///
    /// # Errors
    /// [`Failure::Refused`] with the reason: our own files, nobody there, or somebody else.
    pub async fn open(
        &self,
        own: CertificateRole,
        role: CertificateRole,
    ) -> Result<Channel, Failure> {
        let settings = TlsSettings {
            revoked: None,
            ca: self.ca.clone(),
            certificate: self.certificate.clone(),
            key: self.key.clone(),
        };
        let refused = |error: ConnectError| Failure::from(Fault::from(error).into_status());
        let material =
            TlsMaterial::load(&settings, own).map_err(|error| refused(ConnectError::Tls(error)))?;
        connect(&self.address, &material, Authorize::role(role))
            .await
            .map_err(refused)
    }
}

fn required<T>(value: Option<T>, flag: &str) -> Result<T, Failure> {
    value.ok_or_else(|| {
        let variable = flag.trim_start_matches('-').to_uppercase();
        Failure::Usage(format!(
            "{flag} is missing, and nothing says which platform is meant: name a client file with \
             --client or S3REC_CLIENT, or a context with s3rec context use (s3rec init makes both); \
             or give the flag, or S3REC_CLIENT_{variable}"
        ))
    })
}

/// `host:port` means https; plain http is refused because there is none.
fn with_scheme(address: String) -> Result<String, Failure> {
    if address.starts_with("https://") {
        Ok(address)
    } else if address.contains("://") {
        Err(Failure::Usage(format!(
            "{address}: only https:// addresses are served"
        )))
    } else {
        Ok(format!("https://{address}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: CertificateRole = CertificateRole::RatingOperator;

    fn arguments(directory: &Path) -> ConnectionArgs {
        let file = directory.join("client.toml");
        std::fs::write(
            &file,
            "address = \"localhost:7100\"\nca = \"ca.pem\"\nkey = \"/k\"\n",
        )
        .unwrap();
        ConnectionArgs {
            client: Some(file),
            ..ConnectionArgs::default()
        }
    }

    /// Also where one stands before the verb and the other after it, which clap lets pass.
    #[test]
    fn a_client_file_and_a_context_contradict_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let mut arguments = arguments(directory.path());
        arguments.context = Some("ours".into());
        let refused = arguments.resolve(ROLE).unwrap_err();
        assert!(matches!(&refused, Failure::Usage(text) if text.contains("the context ours")));
    }

    #[test]
    fn flags_lie_over_the_file_and_its_paths_are_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let mut arguments = arguments(directory.path());
        arguments.certificate = Some("mine.pem".into());
        let connection = arguments.resolve(ROLE).unwrap();
        assert_eq!(connection.address, "https://localhost:7100");
        assert_eq!(connection.ca, directory.path().join("ca.pem"));
        assert_eq!(connection.certificate, Path::new("mine.pem"));
        assert_eq!(connection.key, Path::new("/k"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let failure = arguments(directory.path()).resolve(ROLE).unwrap_err();
        assert!(failure.to_string().contains("--certificate"), "{failure}");
        assert!(
            failure.to_string().contains("S3REC_CLIENT_CERTIFICATE"),
            "{failure}"
        );
    }

    #[test]
    fn plain_http_is_refused() {
        assert!(with_scheme("http://localhost:1".into()).is_err());
    }

    #[test]
    fn unknown_fields_of_the_file_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("client.toml");
        std::fs::write(&file, "adress = \"x\"").unwrap();
        assert!(matches!(ClientFile::read(&file), Err(Failure::Usage(_))));
    }
}
