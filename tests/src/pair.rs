//! Both daemons with keys and configurations of their own.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rcgen::{CertificateParams, Issuer, KeyPair, SanType};
use rustix::process::Signal;
use s3rec_cli::connection::Connection;
use s3rec_node::pki::{self, CertificateRole, Issuance};
use s3rec_testkit::addresses::free_address;
use tempfile::TempDir;

use crate::binaries::Program;
use crate::processes::{send, wait_until};

/// Longest wait for a daemon to listen.
const START: Duration = Duration::from_secs(30);

/// Variables that a daemon is started with besides ours.
pub type Environment = Vec<(String, OsString)>;

/// A running daemon; killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    log: PathBuf,
    program: Program,
    configuration: PathBuf,
    data_dir: PathBuf,
    environment: Environment,
    /// `host:port` for its people.
    pub operator_address: String,
}

impl Daemon {
    /// Starts a program with a configuration and waits until it listens.
    #[must_use]
    pub fn start(program: Program, configuration: &Path, data_dir: &Path) -> Self {
        Self::start_in(program, configuration, data_dir, Vec::new())
    }

    /// As [`start`](Daemon::start), in an environment; it stays the same over restarts.
    #[must_use]
    pub fn start_in(
        program: Program,
        configuration: &Path,
        data_dir: &Path,
        environment: Environment,
    ) -> Self {
        let mut daemon = Self::spawn_in(program, configuration, environment);
        daemon.data_dir = data_dir.to_owned();
        daemon.await_listening();
        daemon
    }

    fn await_listening(&mut self) {
        let daemon = self;
        let file = daemon.data_dir.join("operator.addr");
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
    }

    /// Starts the killed daemon again, with what it left on disk, and waits until it listens.
    pub fn restart(&mut self) {
        // What the last run wrote says nothing about this one.
        let _ = std::fs::remove_file(self.data_dir.join("operator.addr"));
        self.child = launch(
            self.program,
            &self.configuration,
            &self.log,
            &self.environment,
        );
        self.await_listening();
    }

    /// Starts a program with a configuration and does not wait.
    #[must_use]
    pub fn spawn(program: Program, configuration: &Path) -> Self {
        Self::spawn_in(program, configuration, Vec::new())
    }

    /// As [`spawn`](Daemon::spawn), in an environment.
    #[must_use]
    pub fn spawn_in(program: Program, configuration: &Path, environment: Environment) -> Self {
        let log = configuration.with_extension("log");
        File::create(&log).unwrap();
        Self {
            child: launch(program, configuration, &log, &environment),
            environment,
            log,
            program,
            configuration: configuration.to_owned(),
            data_dir: PathBuf::new(),
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

/// The program, writing on at the end of `log`.
fn launch(program: Program, configuration: &Path, log: &Path, environment: &Environment) -> Child {
    let mut command = Command::new(program.path());
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.arg("--config").arg(configuration);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(File::options().append(true).open(log).unwrap());
    command.spawn().unwrap()
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
    /// Whose authority issued what each platform and its people have; the same for both, unless
    /// each has its own.
    rating: Issuance,
    social: Issuance,
}

impl Home {
    /// Keys for both platforms and their people, and nothing else yet.
    #[must_use]
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let issued = pki::issue(&directory.path().join("keys"), &[]).unwrap();
        Self {
            directory,
            rating: issued.clone(),
            social: issued,
        }
    }

    /// As [`new`](Home::new), with an authority for each platform, as two real platforms have
    /// them: each believes the other's where it calls, and its own for its people.
    #[must_use]
    pub fn with_two_authorities() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let issued = |name: &str| pki::issue(&directory.path().join(name), &[]).unwrap();
        Self {
            rating: issued("rating-keys"),
            social: issued("social-keys"),
            directory,
        }
    }

    fn issued(&self, role: CertificateRole) -> &Issuance {
        match role {
            CertificateRole::Rating | CertificateRole::RatingOperator => &self.rating,
            CertificateRole::Social | CertificateRole::SocialOperator => &self.social,
        }
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
        let identity = self.issued(role).identity(role).unwrap();
        (identity.certificate_path.clone(), identity.key_path.clone())
    }

    /// Another certificate of `role` by the same authority, and its key.
    #[must_use]
    pub fn reissue(&self, role: CertificateRole) -> (PathBuf, PathBuf) {
        self.further(role, "again", |_| ())
    }

    /// A certificate of `role` whose time is over, and its key.
    #[must_use]
    pub fn ended(&self, role: CertificateRole) -> (PathBuf, PathBuf) {
        self.further(role, "ended", |params| {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        })
    }

    /// A certificate of `role` that ends that much from now, and its key.
    #[must_use]
    pub fn ending(&self, role: CertificateRole, within: Duration) -> (PathBuf, PathBuf) {
        self.further(role, "ending", |params| {
            let now = std::time::SystemTime::now();
            params.not_before = (now - Duration::from_secs(3600)).into();
            params.not_after = (now + within).into();
        })
    }

    fn further(
        &self,
        role: CertificateRole,
        stem: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> (PathBuf, PathBuf) {
        let authority = &self.issued(role).ca_path;
        let of = |path: &Path| std::fs::read_to_string(path).unwrap();
        let key = KeyPair::from_pem(&of(&authority.with_extension("key"))).unwrap();
        let issuer = Issuer::from_ca_cert_pem(&of(authority), key).unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params
            .subject_alt_names
            .push(SanType::URI(role.uri().try_into().unwrap()));
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let at = |ending: &str| self.path().join(format!("{stem}.{ending}"));
        let paths = (at("pem"), at("key"));
        std::fs::write(&paths.0, certificate.pem()).unwrap();
        std::fs::write(&paths.1, key.serialize_pem()).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&paths.1, private).unwrap();
        paths
    }

    /// How somebody of `role` connects to `address`.
    #[must_use]
    pub fn connection(&self, role: CertificateRole, address: &str) -> Connection {
        let (certificate, key) = self.identity(role);
        // A platform calls the other one, people their own.
        let ca = match role {
            CertificateRole::Rating => &self.social.ca_path,
            CertificateRole::Social => &self.rating.ca_path,
            role => &self.issued(role).ca_path,
        };
        let ca = ca.clone();
        Connection {
            address: format!("https://{address}"),
            ca,
            certificate,
            key,
        }
    }

    /// Where the daemon `name` reads whom it believes to be the other platform.
    #[must_use]
    pub fn pin_file(&self, name: &str) -> PathBuf {
        self.path().join(format!("{name}-peer.pin"))
    }

    /// Writes the social platform's configuration.
    #[must_use]
    pub fn social_configuration(&self) -> PathBuf {
        self.social_configuration_at("127.0.0.1:0")
    }

    /// As [`social_configuration`](Home::social_configuration), on a peer port of its own.
    #[must_use]
    pub fn social_configuration_at(&self, listen: &str) -> PathBuf {
        let listen = format!("listen = \"{listen}\"");
        self.configuration("social", CertificateRole::Rating, &listen)
    }

    /// Writes the rating platform's configuration.
    #[must_use]
    pub fn rating_configuration(&self, peer_address: &str) -> PathBuf {
        let peer = format!("address = \"https://{peer_address}\"");
        self.configuration("rating", CertificateRole::Social, &peer)
    }

    fn configuration(&self, name: &str, pinned: CertificateRole, peer: &str) -> PathBuf {
        let pin = self.issued(pinned).identity(pinned).unwrap().pin;
        let (own, theirs) = match name {
            "rating" => (&self.rating, &self.social),
            _ => (&self.social, &self.rating),
        };
        let keys = own.ca_path.parent().unwrap().file_name().unwrap();
        let (keys, other) = (
            keys.to_str().unwrap(),
            theirs.ca_path.parent().unwrap().file_name().unwrap(),
        );
        let other = other.to_str().unwrap();
        let operators = match keys == other {
            true => String::new(),
            false => format!("ca = \"{keys}/ca.pem\"\n"),
        };
        let text = format!(
            "data_dir = \"{name}-data\"\nname = \"{name}.test\"\n\
             [operator]\n{operators}listen = \"127.0.0.1:0\"\n\
             [peer]\n{peer}\npin_file = \"{name}-peer.pin\"\n\
             [tls]\nca = \"{other}/ca.pem\"\ncertificate = \"{keys}/{name}.pem\"\nkey = \"{keys}/{name}.key\"\nrevoked = \"{other}/ca.crl\"\n\
             [limits]\nreload_seconds = 1\n\
             [observability]\nlisten = \"127.0.0.1:0\"\n\
             [log]\nfilter = \"debug,h2=info,hyper=info,tonic=info,tower=info,rustls=info\"\n"
        );
        std::fs::write(self.pin_file(name), format!("{pin}\n")).unwrap();
        let path = self.path().join(format!("{name}.toml"));
        std::fs::write(&path, text).unwrap();
        path
    }
}

/// Puts lines under a section of a configuration.
pub fn add_settings(configuration: &Path, section: &str, lines: &str) {
    let text = std::fs::read_to_string(configuration).unwrap();
    let head = format!("[{section}]\n");
    assert!(text.contains(&head), "{text}");
    let more = text.replace(&head, &format!("{head}{lines}\n"));
    std::fs::write(configuration, more).unwrap();
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
        Self::configured(|_| ())
    }

    /// Starts both daemons, each with an authority of its own.
    #[must_use]
    pub fn with_two_authorities() -> Self {
        let home = Home::with_two_authorities();
        Self::start_at(home, "127.0.0.1:0", |_| (), |_| Vec::new(), str::to_owned)
    }

    /// Starts both daemons with something between them: `between` gets the social platform's
    /// `host:port` and gives where the rating platform calls instead.
    #[must_use]
    pub fn through(between: impl FnOnce(&str) -> String) -> Self {
        Self::start_at(Home::new(), "127.0.0.1:0", |_| (), |_| Vec::new(), between)
    }

    /// Starts both daemons so that either can be started again, each with the variables that
    /// `environment` gives for its data directory.
    #[must_use]
    pub fn lasting_in(environment: impl Fn(&Path) -> Environment) -> Self {
        let straight = str::to_owned;
        Self::start_at(Home::new(), &free_address(), |_| (), environment, straight)
    }

    /// Starts both daemons after `edit` of their configurations, `rating.toml` and `social.toml`.
    #[must_use]
    pub fn configured(edit: impl Fn(&Path)) -> Self {
        let straight = str::to_owned;
        Self::start_at(Home::new(), "127.0.0.1:0", edit, |_| Vec::new(), straight)
    }

    /// Starts both daemons so that either can be started again: the social platform keeps its
    /// peer port.
    #[must_use]
    pub fn lasting() -> Self {
        Self::lasting_at(Home::new())
    }

    /// As [`lasting`](Pair::lasting), on what `home` holds already.
    #[must_use]
    pub fn lasting_at(home: Home) -> Self {
        let straight = str::to_owned;
        Self::start_at(home, &free_address(), |_| (), |_| Vec::new(), straight)
    }

    fn start_at(
        home: Home,
        peer: &str,
        edit: impl Fn(&Path),
        environment: impl Fn(&Path) -> Environment,
        between: impl FnOnce(&str) -> String,
    ) -> Self {
        let social_data = home.data_dir("social");
        let configuration = home.social_configuration_at(peer);
        edit(&configuration);
        let around = environment(&social_data);
        let social = Daemon::start_in(Program::Social, &configuration, &social_data, around);
        let peer_address = std::fs::read_to_string(social_data.join("peer.addr")).unwrap();
        let configuration = home.rating_configuration(&between(peer_address.trim()));
        edit(&configuration);
        let rating_data = home.data_dir("rating");
        let around = environment(&rating_data);
        let rating = Daemon::start_in(Program::Rating, &configuration, &rating_data, around);
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
