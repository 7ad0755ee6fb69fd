//! How to reach a platform and who we are: flags over environment over one client file.

use std::path::{Path, PathBuf};

use clap::Args;
use s3rec_node::client::{ConnectError, connect};
use s3rec_node::config::TlsSettings;
use s3rec_node::pki::CertificateRole;
use s3rec_node::tls::{Authorize, TlsMaterial};
use s3rec_wire::status::Fault;
use serde::Deserialize;
use tonic::transport::Channel;

use crate::failure::Failure;

/// Connection flags of every verb.
#[derive(Args, Clone, Debug, Default)]
pub struct ConnectionArgs {
    /// Address of the platform's operator port, for example https://localhost:7100.
    #[arg(long, env = "S3REC_CLIENT_ADDRESS", value_name = "URL")]
    pub address: Option<String>,
    /// Authority that signed the platform's certificate (PEM).
    #[arg(long, env = "S3REC_CLIENT_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Our operator certificate (PEM).
    #[arg(long, env = "S3REC_CLIENT_CERTIFICATE", value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// Key of our operator certificate (PEM).
    #[arg(long, env = "S3REC_CLIENT_KEY", value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Client file with any of the four (TOML: address, ca, certificate, key; paths relative
    /// to the file).
    #[arg(long, env = "S3REC_CLIENT_FILE", value_name = "FILE")]
    pub client: Option<PathBuf>,
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
    /// Lays the flags (and the environment, which clap puts beneath them) over the client file.
    ///
    /// # Errors
    /// [`Failure::Usage`] naming what is missing, [`Failure::File`] for the client file.
    pub fn resolve(self) -> Result<Connection, Failure> {
        let file = match &self.client {
            Some(path) => ClientFile::read(path)?,
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
}

impl ClientFile {
    fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|source| Failure::File {
            path: path.to_owned(),
            source,
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
            "{flag} is missing: give the flag, S3REC_CLIENT_{variable}, or a client file with --client"
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

    #[test]
    fn flags_lie_over_the_file_and_its_paths_are_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let mut arguments = arguments(directory.path());
        arguments.certificate = Some("mine.pem".into());
        let connection = arguments.resolve().unwrap();
        assert_eq!(connection.address, "https://localhost:7100");
        assert_eq!(connection.ca, directory.path().join("ca.pem"));
        assert_eq!(connection.certificate, Path::new("mine.pem"));
        assert_eq!(connection.key, Path::new("/k"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let failure = arguments(directory.path()).resolve().unwrap_err();
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
