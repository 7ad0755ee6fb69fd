//! A daemon from its arguments to its end, the same at both platforms.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::audit::AuditFileError;
use crate::backup::{Given, RestoreError, restore};
use crate::config::{ConfigError, Overrides, PeerSettings, Settings, load};
use crate::pki::CertificateRole;
use crate::server::ServeError;
use crate::store::StoreError;
use crate::tls::{SignerError, TlsError};
use crate::traces::Traces;
use crate::{health, observe, process};
use s3rec_wire::status::{Fault, storage_remedy};

/// Why a daemon did not start or ended.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The log filter.
    #[error("log.filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The collector of spans.
    #[error("observability.traces: {0}")]
    Traces(#[from] opentelemetry_otlp::ExporterBuildError),
    /// Keys and certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The key of our signatures.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The audit log.
    #[error(transparent)]
    Audit(#[from] AuditFileError),
    /// A file of the platform's own, above all the policy.
    #[error(transparent)]
    Refused(#[from] Fault),
    /// The data directory.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ports.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The daemon that was asked how it is.
    #[error(transparent)]
    Health(#[from] health::HealthError),
    /// A backup that is not restored.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// Threads, signals.
    #[error("the operating system refused: {0}")]
    System(#[from] std::io::Error),
}

impl DaemonError {
    /// What to do, where that does not follow from the words of the error.
    fn remedy(&self) -> Option<String> {
        let remedy = match self {
            Self::Audit(error) => storage_remedy(error.kind()),
            Self::Store(StoreError::Newer { .. }) => Some(
                "Start the version of the daemon that wrote it, or a later one. There is no way back: an \
                 older version starts on a data_dir of its own, restored from a backup that it made.",
            ),
            Self::Store(error) => storage_remedy(error.kind()),
            Self::Refused(fault) => Some(fault.remedy.as_str()),
            Self::Tls(error) => return error.remedy(),
            Self::Restore(error) => return error.remedy(),
            Self::Config(ConfigError::File { .. }) => {
                Some("--config or S3REC_CONFIG names it; s3rec init makes one for each platform.")
            }
            _ => None,
        };
        remedy.map(String::from)
    }
}

/// A daemon that listens.
pub struct Daemon {
    operator: SocketAddr,
    peer: Option<SocketAddr>,
    serving: JoinHandle<Result<(), DaemonError>>,
}

impl Daemon {
    /// A daemon whose ports are bound; `serving` ends when it has stopped.
    pub fn serving(
        operator: SocketAddr,
        peer: Option<SocketAddr>,
        serving: impl Future<Output = Result<(), DaemonError>> + Send + 'static,
    ) -> Self {
        let serving = tokio::spawn(serving);
        Self {
            operator,
            peer,
            serving,
        }
    }

    /// Where operators connect.
    #[must_use]
    pub fn operator_address(&self) -> SocketAddr {
        self.operator
    }

    /// Where the other platform connects; only the social platform is called.
    #[must_use]
    pub fn peer_address(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Waits until it has stopped.
    ///
    /// # Errors
    /// [`DaemonError`].
    pub async fn served(self) -> Result<(), DaemonError> {
        match self.serving.await {
            Ok(ended) => ended,
            Err(error) => Err(DaemonError::System(std::io::Error::other(error))),
        }
    }
}

/// A daemon's command line.
#[derive(Clone, Debug, clap::Args)]
pub struct DaemonArgs {
    /// Configuration file (TOML). `S3REC_…` variables override it, flags override both.
    #[arg(long, env = "S3REC_CONFIG", value_name = "FILE")]
    pub config: PathBuf,
    /// Flags that override single settings.
    #[command(flatten)]
    pub overrides: Overrides,
    /// What to do instead of serving.
    #[command(subcommand)]
    pub verb: Option<DaemonVerb>,
}

/// What a daemon's program does besides serving.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum DaemonVerb {
    /// Ask the running daemon whether it serves; exit code 0 when it does.
    Healthcheck,
    /// Make the data directory, which must be empty, of a backup.
    Restore(Given),
}

/// Reads the configuration and serves what `start` makes of it until SIGTERM or SIGINT, then
/// drains; or does what the verb says. `program` begins the last words of one that fails.
#[must_use]
pub fn run<P, F>(
    program: &str,
    role: CertificateRole,
    DaemonArgs {
        config,
        overrides,
        verb,
    }: &DaemonArgs,
    start: impl FnOnce(Settings<P>, watch::Receiver<bool>) -> F,
) -> ExitCode
where
    P: PeerSettings,
    F: Future<Output = Result<Daemon, DaemonError>>,
{
    let outcome = match verb {
        None => served(program, config, overrides, start),
        Some(DaemonVerb::Healthcheck) => {
            health::check(config, overrides).map_err(DaemonError::from)
        }
        Some(DaemonVerb::Restore(given)) => restored::<P>(given, role, config, overrides),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Tracing may not have started, and this is the last thing anybody reads.
            #[expect(clippy::print_stderr, reason = "the daemon could not start or go on")]
            {
                eprintln!("{program}: {error}");
                if let Some(remedy) = error.remedy() {
                    eprintln!("{remedy}");
                }
            }
            ExitCode::FAILURE
        }
    }
}

fn restored<P: PeerSettings>(
    given: &Given,
    role: CertificateRole,
    config: &Path,
    overrides: &Overrides,
) -> Result<(), DaemonError> {
    let settings = load::<P>(config, overrides)?;
    let restored = restore(given, &settings.data_dir, role, &settings.tls)?;
    #[expect(clippy::print_stdout, reason = "the answer to a command")]
    {
        println!("{}", restored.told(&settings.data_dir, role));
    }
    Ok(())
}

fn served<P, F>(
    program: &str,
    config: &Path,
    overrides: &Overrides,
    start: impl FnOnce(Settings<P>, watch::Receiver<bool>) -> F,
) -> Result<(), DaemonError>
where
    P: PeerSettings,
    F: Future<Output = Result<Daemon, DaemonError>>,
{
    // From now on a clock that is set back is noticed.
    let _ = process::latest_unix_ms();
    let settings = load::<P>(config, overrides)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let collector = settings.observability.traces.as_deref();
        let traces = collector.map(|collector| Traces::to(collector, program, &settings.name));
        let traces = traces.transpose()?;
        process::init_tracing(&settings.log, traces.as_ref())?;
        // Before anything counts. Without a listener the counts cost next to nothing.
        if observe::install().is_none() {
            tracing::warn!("metrics are not collected: the process has another recorder");
        }
        let (stop, stopped) = watch::channel(false);
        process::stop_on_signals(stop)?;
        start(settings, stopped).await?.served().await
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_of_a_later_version_is_refused_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let store = crate::store::Store::open(directory.path()).unwrap();
        store.set_schema(99);
        drop(store);
        let refused = crate::store::Store::open(directory.path()).err().unwrap();
        let refused = DaemonError::from(refused);
        let said = refused.to_string();
        let path = directory.path().join("store.redb").display().to_string();
        assert!(
            said.starts_with(&path) && said.contains("schema version 99"),
            "{said}"
        );
        let remedy = refused.remedy().unwrap();
        assert!(
            remedy.contains("the version of the daemon that wrote it"),
            "{remedy}"
        );
    }
}
