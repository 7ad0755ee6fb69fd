//! The demonstration's temporary directory, removed with everything in it.

use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use s3rec_bench::shaped::Placement;
use s3rec_job::Party;
use s3rec_node::pki::{self, CertificateRole, Issuance};
use tempfile::TempDir;
use toml::Table;

use super::DemoArgs;
use super::files::Files;
use crate::connection::Connection;
use crate::failure::Failure;

/// Keys, configurations, data and both daemons' state.
#[derive(Debug)]
pub(super) struct Workspace {
    directory: TempDir,
    issued: Issuance,
    files: Files,
    placement: Placement,
}

/// What the platform's daemon is to others.
const fn certificate(platform: Party) -> CertificateRole {
    match platform {
        Party::Rating => CertificateRole::Rating,
        Party::Social => CertificateRole::Social,
    }
}

/// What its people are to it.
const fn operator(platform: Party) -> CertificateRole {
    match platform {
        Party::Rating => CertificateRole::RatingOperator,
        Party::Social => CertificateRole::SocialOperator,
    }
}

impl Workspace {
    /// Makes the directory, the keys, and the data unless files were given.
    pub(super) fn create(arguments: &DemoArgs, placement: Placement) -> Result<Self, Failure> {
        let directory = tempfile::Builder::new().prefix("s3rec-demo-").tempdir();
        let directory = directory.map_err(Failure::at(&std::env::temp_dir()))?;
        let issued = pki::issue(&directory.path().join("keys"), &placement.hosts())?;
        let executable = std::env::current_exe().map_err(Failure::at("our own executable"))?;
        for platform in [Party::Rating, Party::Social] {
            // The daemons are this very executable under the names that people look for.
            let link = directory.path().join(format!("s3rec-{}", platform.name()));
            symlink(&executable, &link).map_err(Failure::at(&link))?;
        }
        let files = Files::prepare(arguments, directory.path())?;
        Ok(Self {
            directory,
            issued,
            files,
            placement,
        })
    }

    /// What the platform's daemon is started by.
    pub(super) fn launcher(&self, platform: Party) -> &[String] {
        &self.placement.of(platform).launcher
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn files(&self) -> &Files {
        &self.files
    }

    pub(super) fn data_dir(&self, platform: Party) -> PathBuf {
        self.path().join(format!("{}-data", platform.name()))
    }

    pub(super) fn log(&self, platform: Party) -> PathBuf {
        self.path().join(format!("{}.log", platform.name()))
    }

    /// The symbolic link to start the daemon by.
    pub(super) fn executable(&self, platform: Party) -> PathBuf {
        self.path().join(format!("s3rec-{}", platform.name()))
    }

    /// Writes a daemon's configuration; the rating platform's names the social one's address.
    pub(super) fn configure(
        &self,
        platform: Party,
        social_peer: Option<&str>,
    ) -> Result<PathBuf, Failure> {
        let other = match platform {
            Party::Rating => CertificateRole::Social,
            Party::Social => CertificateRole::Rating,
        };
        let place = self.placement.of(platform);
        let mut peer = Table::new();
        let pin = self
            .issued
            .identity(other)
            .map(|identity| identity.pin.to_string());
        peer.insert("pin".into(), pin.unwrap_or_default().into());
        match social_peer {
            Some(address) => peer.insert("address".into(), format!("https://{address}").into()),
            None => peer.insert("listen".into(), any_port(place.peer)),
        };
        let (certificate, key) = self.identity(certificate(platform));
        let mut configuration = Table::new();
        configuration.insert("data_dir".into(), text(&self.data_dir(platform)));
        configuration.insert("name".into(), format!("{}.demo", platform.name()).into());
        let operator = [("listen", any_port(place.operator))];
        configuration.insert("operator".into(), table(operator));
        configuration.insert("peer".into(), peer.into());
        let tls = [
            ("ca", text(&self.issued.ca_path)),
            ("certificate", text(&certificate)),
            ("key", text(&key)),
        ];
        configuration.insert("tls".into(), table(tls));
        let path = self.path().join(format!("{}.toml", platform.name()));
        std::fs::write(&path, configuration.to_string()).map_err(Failure::at(&path))?;
        Ok(path)
    }

    /// How that platform's operator connects.
    pub(super) fn connection(&self, platform: Party, address: &str) -> Connection {
        let (certificate, key) = self.identity(operator(platform));
        Connection {
            address: format!("https://{address}"),
            ca: self.issued.ca_path.clone(),
            certificate,
            key,
        }
    }

    fn identity(&self, role: CertificateRole) -> (PathBuf, PathBuf) {
        let directory = self.path().join("keys");
        (
            directory.join(format!("{role}.pem")),
            directory.join(format!("{role}.key")),
        )
    }
}

/// Whatever port is free at `address`.
fn any_port(address: IpAddr) -> toml::Value {
    SocketAddr::new(address, 0).to_string().into()
}

fn text(path: &Path) -> toml::Value {
    path.to_string_lossy().into_owned().into()
}

fn table<const N: usize>(entries: [(&str, toml::Value); N]) -> toml::Value {
    entries
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect::<Table>()
        .into()
}
