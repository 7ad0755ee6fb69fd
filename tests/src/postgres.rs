//! A PostgreSQL server of the tests' own, with TLS and passwords, run by somebody who is not root.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use s3rec_testkit::addresses::free_port;
use tempfile::TempDir;

/// Who owns the tables, and the password.
pub const OWNER: &str = "owner";
/// Theirs.
pub const PASSWORD: &str = "correct horse";
/// Where Debian's packages keep the programs, by version.
const PACKAGED: &str = "/usr/lib/postgresql";
/// Whom root runs the server as.
const ACCOUNT: &str = "postgres";

/// A running server; ended when dropped.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    directory: TempDir,
    /// Of `localhost`.
    pub port: u16,
}

/// Where the programs are: `S3REC_POSTGRES`, or Debian's newest.
fn programs() -> Option<PathBuf> {
    if let Some(given) = std::env::var_os("S3REC_POSTGRES") {
        return Some(given.into());
    }
    let versions = std::fs::read_dir(PACKAGED).ok()?;
    let found = versions.flatten().map(|version| version.path().join("bin"));
    found.filter(|path| path.join("initdb").is_file()).max()
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

impl Postgres {
    /// A fresh server, or `None` with a loud word where the programs are missing. CI must not miss them.
    #[must_use]
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            let missing =
                "PostgreSQL is not installed: apt-get install postgresql, or set S3REC_POSTGRES";
            assert!(std::env::var_os("CI").is_none(), "{missing}");
            eprintln!("SKIPPED: {missing}");
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        // The server's account goes through it.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(directory.path(), open).unwrap();
        let port = free_port();
        let server = Self {
            programs,
            directory,
            port,
        };
        server.make();
        let log = server.data().join("server.log");
        let options = server.data();
        server.done(
            "pg_ctl",
            &[
                "start",
                "--wait",
                "--silent",
                "-D",
                options.to_str().unwrap(),
                "-l",
                log.to_str().unwrap(),
            ],
        );
        Some(server)
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The certificate of the authority that the server's is of.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.path().join("authority.pem")
    }

    fn data(&self) -> PathBuf {
        self.path().join("home/data")
    }

    /// A data folder with tables of nobody, certificates and passwords.
    fn make(&self) {
        let home = self.path().join("home");
        std::fs::create_dir(&home).unwrap();
        std::fs::write(self.path().join("password"), PASSWORD).unwrap();
        if is_root() {
            let owned = Command::new("chown").arg(ACCOUNT).arg(&home).status();
            assert!(owned.unwrap().success(), "there is no account {ACCOUNT}");
        }
        let (data, password) = (self.data(), self.path().join("password"));
        self.done(
            "initdb",
            &[
                "--no-sync",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--username",
                OWNER,
                "--pwfile",
                password.to_str().unwrap(),
                "-D",
                data.to_str().unwrap(),
            ],
        );
        self.certify();
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\n\
             ssl = on\nfsync = off\nDateStyle = 'German'\nTimeZone = 'Asia/Tokyo'\n",
            self.port,
            home.display()
        );
        let file = data.join("postgresql.conf");
        let usual = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, usual + &settings).unwrap();
    }

    /// A certificate of `localhost` by an authority of its own.
    fn certify(&self) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key).unwrap();
        std::fs::write(self.authority(), authority.pem()).unwrap();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        for (name, text) in [
            ("server.crt", certificate.pem()),
            ("server.key", key.serialize_pem()),
        ] {
            let file = self.data().join(name);
            std::fs::write(&file, text).unwrap();
            let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(&file, private).unwrap();
            if is_root() {
                let owned = Command::new("chown").arg(ACCOUNT).arg(&file).status();
                assert!(owned.unwrap().success());
            }
        }
    }

    /// Runs one of its programs as the server's account.
    fn program(&self, name: &str, arguments: &[&str]) -> Output {
        let program = self.programs.join(name);
        let mut command = match is_root() {
            true => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", ACCOUNT, "--regid", ACCOUNT, "--clear-groups"]);
                command.arg(program);
                command
            }
            false => Command::new(program),
        };
        command.args(arguments).current_dir(self.path());
        command.stdin(std::process::Stdio::null());
        command.output().unwrap()
    }

    fn done(&self, name: &str, arguments: &[&str]) {
        let ran = self.program(name, arguments);
        let log = std::fs::read_to_string(self.data().join("server.log")).unwrap_or_default();
        assert!(ran.status.success(), "{name}: {ran:?}\n{log}");
    }

    /// Does `statements` as the owner of all, with psql; what they print.
    pub fn run(&self, statements: &str) -> String {
        let host = self.path().join("home");
        let ran = Command::new(self.programs.join("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args([
                "--set",
                "ON_ERROR_STOP=1",
                "--username",
                OWNER,
                "--dbname",
                "postgres",
            ])
            .args([
                "--port",
                &self.port.to_string(),
                "--host",
                host.to_str().unwrap(),
            ])
            .args(["--command", statements])
            .env("PGPASSWORD", PASSWORD)
            .output()
            .unwrap();
        assert!(ran.status.success(), "{statements}: {ran:?}");
        String::from_utf8(ran.stdout).unwrap()
    }

    /// The address of its database at `port`, over TLS.
    #[must_use]
    pub fn address_at(&self, port: u16) -> String {
        let authority = self.authority();
        format!(
            "postgres://{OWNER}@localhost:{port}/postgres?sslrootcert={}",
            authority.display()
        )
    }

    /// The address of its database, over TLS.
    #[must_use]
    pub fn address(&self) -> String {
        self.address_at(self.port)
    }

    /// The address of its database, by a socket of this machine.
    #[must_use]
    pub fn local_address(&self) -> String {
        let home = self.path().join("home");
        format!(
            "postgres:///postgres?host={}&port={}&user={OWNER}",
            home.display(),
            self.port
        )
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.data();
        self.program(
            "pg_ctl",
            &["stop", "--mode", "immediate", "-D", data.to_str().unwrap()],
        );
    }
}
