//! Both daemons with keys and configurations of their own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rcgen::{CertificateParams, DnType, Issuer, KeyPair, SanType};
use rustix::process::Signal;
use s3rec_cli::connection::Connection;
use s3rec_node::pki::{self, CertificateRole, Issuance};
use tempfile::TempDir;

use crate::binaries::Program;
use crate::processes::{send, wait_until};

/// Longest wait for a daemon to listen.
const START: Duration = Duration::from_secs(30);

/// A running daemon; killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    log: PathBuf,
    /// `host:port` for its people.
    pub operator_address: String,
}

impl Daemon {
    /// Starts a program with a configuration and waits until it listens.
    #[must_use]
    pub fn start(program: Program, configuration: &Path, data_dir: &Path) -> Self {
        let mut daemon = Self::spawn(program, configuration);
        let file = data_dir.join("operator.addr");
        wait_until("a daemon listens", START, || {
            let status = daemon.child.try_wait().unwrap();
            assert!(
                status.is_none(),
                "the daemon ended, {status:?}: {}",
                daemon.log()
            );
            file.exists()
        });
        daemon.operator_address = std::fs::read_to_string(file).unwrap().trim().to_owned();
        daemon
    }

    /// Starts a program with a configuration and does not wait.
    #[must_use]
    pub fn spawn(program: Program, configuration: &Path) -> Self {
        let log = configuration.with_extension("log");
        let mut command = Command::new(program.path());
        command.arg("--config").arg(configuration);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(&log).unwrap());
        Self {
            child: command.spawn().unwrap(),
            log,
            operator_address: String::new(),
        }
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// `kill -9`, and the funeral.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        send(self.child.id(), Signal::TERM);
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let mut status = None;
        wait_until("a daemon ends", limit, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Whether it still runs, and has not panicked anywhere.
    pub fn assert_well(&mut self) {
        let status = self.child.try_wait().unwrap();
        assert!(
            status.is_none(),
            "the daemon ended, {status:?}: {}",
            self.log()
        );
        assert!(!self.log().contains("panicked"), "{}", self.log());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), self.log());
        }
    }
}

/// Both platforms of one test.
#[derive(Debug)]
pub struct Pair {
    /// P0.
    pub rating: Daemon,
    /// P1.
    pub social: Daemon,
    /// Keys, configurations and states of both.
    pub home: Home,
}

/// Where the files of a pair are.
#[derive(Debug)]
pub struct Home {
    directory: TempDir,
    issued: Issuance,
}

impl Home {
    /// Keys for both platforms and their people, and nothing else yet.
    #[must_use]
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let issued = pki::issue(&directory.path().join("keys"), &[]).unwrap();
        Self { directory, issued }
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// State of the daemon `name`.
    #[must_use]
    pub fn data_dir(&self, name: &str) -> PathBuf {
        self.path().join(format!("{name}-data"))
    }

    /// Certificate and key of a role.
    #[must_use]
    pub fn identity(&self, role: CertificateRole) -> (PathBuf, PathBuf) {
        let identity = self.issued.identity(role).unwrap();
        (identity.certificate_path.clone(), identity.key_path.clone())
    }

    /// Another certificate of `role` by the same authority, and its key.
    #[must_use]
    pub fn reissue(&self, role: CertificateRole) -> (PathBuf, PathBuf) {
        let authority_key = std::fs::read_to_string(self.path().join("keys/ca.key")).unwrap();
        let mut authority = CertificateParams::new([]).unwrap();
        authority
            .distinguished_name
            .push(DnType::CommonName, "s3rec authority");
        let issuer = Issuer::new(authority, KeyPair::from_pem(&authority_key).unwrap());
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params
            .subject_alt_names
            .push(SanType::URI(role.uri().try_into().unwrap()));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let paths = (self.path().join("again.pem"), self.path().join("again.key"));
        std::fs::write(&paths.0, certificate.pem()).unwrap();
        std::fs::write(&paths.1, key.serialize_pem()).unwrap();
        paths
    }

    /// How somebody of `role` connects to `address`.
    #[must_use]
    pub fn connection(&self, role: CertificateRole, address: &str) -> Connection {
        let (certificate, key) = self.identity(role);
        let ca = self.issued.ca_path.clone();
        Connection {
            address: format!("https://{address}"),
            ca,
            certificate,
            key,
        }
    }

    /// Writes the social platform's configuration.
    #[must_use]
    pub fn social_configuration(&self) -> PathBuf {
        self.configuration(
            "social",
            CertificateRole::Rating,
            "listen = \"127.0.0.1:0\"",
        )
    }

    /// Writes the rating platform's configuration.
    #[must_use]
    pub fn rating_configuration(&self, peer_address: &str) -> PathBuf {
        let peer = format!("address = \"https://{peer_address}\"");
        self.configuration("rating", CertificateRole::Social, &peer)
    }

    fn configuration(&self, name: &str, pinned: CertificateRole, peer: &str) -> PathBuf {
        let pin = self.issued.identity(pinned).unwrap().pin;
        let text = format!(
            "data_dir = \"{name}-data\"\nname = \"{name}.test\"\n\
             [operator]\nlisten = \"127.0.0.1:0\"\n\
             [peer]\n{peer}\npin = \"{pin}\"\n\
             [tls]\nca = \"keys/ca.pem\"\ncertificate = \"keys/{name}.pem\"\nkey = \"keys/{name}.key\"\n\
             [log]\nfilter = \"debug,h2=info,hyper=info,tonic=info,tower=info,rustls=info\"\n"
        );
        let path = self.path().join(format!("{name}.toml"));
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

impl Pair {
    /// Starts both daemons.
    #[must_use]
    pub fn start() -> Self {
        let home = Home::new();
        let social_data = home.data_dir("social");
        let social = Daemon::start(Program::Social, &home.social_configuration(), &social_data);
        let peer_address = std::fs::read_to_string(social_data.join("peer.addr")).unwrap();
        let configuration = home.rating_configuration(peer_address.trim());
        let rating = Daemon::start(Program::Rating, &configuration, &home.data_dir("rating"));
        Self {
            rating,
            social,
            home,
        }
    }

    /// How the rating platform's people connect.
    #[must_use]
    pub fn rating_connection(&self) -> Connection {
        self.home.connection(
            CertificateRole::RatingOperator,
            &self.rating.operator_address,
        )
    }

    /// How the social platform's people connect.
    #[must_use]
    pub fn social_connection(&self) -> Connection {
        self.home.connection(
            CertificateRole::SocialOperator,
            &self.social.operator_address,
        )
    }

    /// `host:port` of the social platform's peer port.
    #[must_use]
    pub fn peer_address(&self) -> String {
        let file = self.home.data_dir("social").join("peer.addr");
        std::fs::read_to_string(file).unwrap().trim().to_owned()
    }
}
