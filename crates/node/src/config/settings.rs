//! The settings of a daemon, as written in its file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};

use crate::pki::Pin;
use crate::tls::{PinSource, TlsError};

/// All settings; `P` is what the two daemons do not share.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields)]
pub struct Settings<P> {
    /// Where the embedded store and imported data live; created with mode 0700.
    pub data_dir: PathBuf,
    /// Shown to people.
    pub name: String,
    /// Where the people here connect.
    pub operator: OperatorSettings,
    /// The other platform.
    pub peer: P,
    /// Our certificate and whom we believe.
    pub tls: TlsSettings,
    /// Logging.
    #[serde(default)]
    pub log: LogSettings,
    /// Metrics and health.
    #[serde(default)]
    pub observability: ObservabilitySettings,
    /// The console of the people here.
    #[serde(default)]
    pub console: ConsoleSettings,
    /// Bounds on memory, disk and time.
    #[serde(default)]
    pub limits: Limits,
    /// How long what is over is kept.
    #[serde(default)]
    pub retention: Retention,
    /// File of the workers that compute for this platform (manual, page `cluster`), of which this
    /// daemon is the coordinator; none unless set, and this process computes by itself.
    pub workers: Option<PathBuf>,
}

/// Settings of the rating platform.
pub type RatingSettings = Settings<RatingPeer>;
/// Settings of the social platform.
pub type SocialSettings = Settings<SocialPeer>;

/// `[operator]`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields)]
pub struct OperatorSettings {
    /// Address to listen on, or `NAME:PORT` of a host; port 0 takes a free one, written to
    /// `data_dir/operator.addr`.
    pub listen: SocketAddr,
    /// Authority of the operators' certificates, PEM. Unless given, the one in `tls.ca` that issued
    /// this daemon's own certificate, and no other; without either the daemon does not start.
    pub ca: Option<PathBuf>,
}

/// `[peer]` of the rating platform, which calls.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields)]
pub struct RatingPeer {
    /// `https://host:port` of the social platform.
    pub address: String,
    /// Pin of the social platform's certificate; read when the daemon starts.
    #[serde(default, deserialize_with = "pin")]
    #[cfg_attr(test, serde(skip_serializing), schemars(with = "Option<String>"))]
    pub pin: Option<Pin>,
    /// Instead: a file with its pins, one a line, read again when it changes.
    pub pin_file: Option<PathBuf>,
}

/// `[peer]` of the social platform, which is called.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields)]
pub struct SocialPeer {
    /// Address to listen on, or `NAME:PORT` of a host; port 0 takes a free one, written to
    /// `data_dir/peer.addr`.
    pub listen: SocketAddr,
    /// Pin of the rating platform's certificate; read when the daemon starts.
    #[serde(default, deserialize_with = "pin")]
    #[cfg_attr(test, serde(skip_serializing), schemars(with = "Option<String>"))]
    pub pin: Option<Pin>,
    /// Instead: a file with its pins, one a line, read again when it changes.
    pub pin_file: Option<PathBuf>,
    /// Who may be shown what without asking, and limits for all jobs; people decide alone
    /// without one.
    #[serde(default)]
    pub policy: Option<PathBuf>,
}

/// What both platforms say of the other.
pub trait PeerSettings: DeserializeOwned {
    /// Which certificates it may present.
    ///
    /// # Errors
    /// [`TlsError::Pins`].
    fn pins(&self) -> Result<PinSource, TlsError>;

    /// `pin_file`, to make it relative to the configuration.
    fn pin_file_mut(&mut self) -> Option<&mut PathBuf>;

    /// `policy`, likewise.
    fn policy_mut(&mut self) -> Option<&mut PathBuf> {
        None
    }
}

macro_rules! peer_settings {
    ($($peer:ty: $policy:expr),+) => {$(
        impl PeerSettings for $peer {
            fn pins(&self) -> Result<PinSource, TlsError> {
                PinSource::of(self.pin, self.pin_file.as_deref())
            }

            fn pin_file_mut(&mut self) -> Option<&mut PathBuf> {
                self.pin_file.as_mut()
            }

            fn policy_mut(&mut self) -> Option<&mut PathBuf> {
                let policy: fn(&mut Self) -> Option<&mut PathBuf> = $policy;
                policy(self)
            }
        }
    )+};
}

peer_settings!(RatingPeer: |_| None, SocialPeer: |peer| peer.policy.as_mut());

/// For whoever looks at what both platforms' configurations share.
impl PeerSettings for IgnoredAny {
    fn pins(&self) -> Result<PinSource, TlsError> {
        Err(TlsError::Pins)
    }

    fn pin_file_mut(&mut self) -> Option<&mut PathBuf> {
        None
    }
}

/// `[tls]`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// Authorities that are believed, PEM.
    pub ca: PathBuf,
    /// Our certificate chain, PEM.
    pub certificate: PathBuf,
    /// Our private key, PEM; refused when others may read the file.
    pub key: PathBuf,
    /// Revocation lists of the authorities, PEM: a file, or a directory whose `*.crl` files are all
    /// read. Nobody is revoked without them.
    pub revoked: Option<PathBuf>,
}

/// `[observability]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, default)]
pub struct ObservabilitySettings {
    /// Address of `/metrics`, `/healthz` and `/readyz` in plain HTTP; none unless set, because
    /// two daemons of one machine cannot share a default. Port 0 takes a free one, written to
    /// `data_dir/observability.addr`. Anybody who reaches it may read it: keep it on loopback,
    /// or on a network of the operators' own.
    pub listen: Option<SocketAddr>,
    /// An OpenTelemetry collector of the operators' own (OTLP over gRPC, for example
    /// `http://127.0.0.1:4317`) that the spans of jobs are sent to; none unless set.
    pub traces: Option<String>,
}

/// `[console]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, default)]
pub struct ConsoleSettings {
    /// Address of the platform's console, HTTPS under the daemon's own certificate; none unless set.
    /// Port 0 takes a free one, written to `data_dir/console.addr`. Log-in is by a link that
    /// `s3rec rating console` or `s3rec social console` prints. Keep it on loopback, or on a network of
    /// the operators' own.
    pub listen: Option<SocketAddr>,
}

/// `[log]`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// How lines look.
    pub format: LogFormat,
    /// Which lines are written, as `tracing_subscriber::EnvFilter` reads it.
    pub filter: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            filter: "info".into(),
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `[limits]`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Largest file an operator may import, bytes.
    pub import_bytes: u64,
    /// Longest time without a frame from the peer while one is due, seconds. Only a peer
    /// that computes for longer needs more: one that vanished is noticed by keepalive.
    pub idle_seconds: u64,
    /// Longest time to wait for running work at shutdown, seconds.
    pub drain_seconds: u64,
    /// Most rows and columns of a product, as a bound on memory: users × rank.
    pub product_values: u64,
    /// Jobs that may wait or run at a time; one of them runs.
    pub open_jobs: u32,
    /// Most memory for the ciphertexts of one block of a stock or one opening of `he`, bytes; the
    /// rest of them lies in `data_dir` meanwhile.
    pub memory_bytes: u64,
    /// How often keys, pins and revocation lists are looked at for changes, seconds.
    pub reload_seconds: u64,
    /// Connections that a port serves at a time.
    pub connections: u32,
    /// Connections that a port serves at a time to one address.
    pub connections_per_client: u32,
    /// Calls that the other platform may make on one connection in a second, on average.
    pub calls_per_second: u32,
    /// Longest time in which a message that has begun must bring its next 16 KiB, seconds.
    pub stall_seconds: u64,
    /// How long a running job waits for the other platform to come back before it fails, seconds.
    /// Counted while this daemon runs, and anew after each of its starts.
    pub resume_seconds: u64,
    /// Proposals that the other platform may make in an hour, on average; as many at once. Sixteen
    /// meetings of the audit logs and four absences from a running job go with each.
    pub proposals_per_hour: u32,
    /// Days after which a proposal that no job has begun with ends, also where it states a later
    /// end.
    pub proposal_days: u32,
    /// Set intersections with the other platform: the social platform's over one lineage of links,
    /// where no policy says otherwise, the rating platform's over all jobs.
    pub intersections: u32,
    /// Ids that the other platform may bring to set intersections in all, counted as
    /// `intersections` are. Of a rating platform's from 4,096 on the places of their table count, up
    /// to 1.41 times as many.
    pub ids_asked: u64,
    /// What is stated of the links of one user, both directions together, where neither the
    /// approval nor a policy says otherwise. The social platform's.
    pub degree_bound: u32,
    /// What is stated of all links together, for each user in the data set, where neither the
    /// approval nor a policy says otherwise. The social platform's.
    pub links_per_user: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            import_bytes: 4 << 30,
            idle_seconds: 600,
            drain_seconds: 10,
            product_values: 1 << 28,
            open_jobs: 16,
            memory_bytes: 1 << 30,
            reload_seconds: 5,
            connections: 256,
            connections_per_client: 64,
            calls_per_second: 2000,
            stall_seconds: 30,
            resume_seconds: 3600,
            proposals_per_hour: 60,
            proposal_days: 30,
            intersections: 256,
            ids_asked: 1 << 26,
            degree_bound: 1024,
            links_per_user: 16,
        }
    }
}

/// `[retention]`: how long details of what is over are kept. Counters of what was disclosed, and
/// the audit log, are kept for ever.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Days after its end that a job is known: its proposal, consent, events and costs. One with
    /// a model is, until the model is deleted.
    pub jobs_days: u32,
    /// Days after its end that a job is known which ended before it disclosed anything.
    pub unopened_days: u32,
    /// Days after a job's end that its events before the last are kept.
    pub events_days: u32,
    /// Ended jobs that are known at most. Those that disclosed nothing make room first, and of
    /// them those that ended first.
    pub ended_jobs: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            jobs_days: 365,
            unopened_days: 30,
            events_days: 30,
            ended_jobs: 500,
        }
    }
}

impl<P: PeerSettings> Settings<P> {
    /// Makes relative paths relative to the configuration file, not to wherever we started.
    pub(super) fn rebase(&mut self, directory: &Path) {
        let paths = [
            &mut self.data_dir,
            &mut self.tls.ca,
            &mut self.tls.certificate,
            &mut self.tls.key,
        ];
        let some = [
            self.operator.ca.as_mut(),
            self.tls.revoked.as_mut(),
            self.workers.as_mut(),
        ];
        for path in paths.into_iter().chain(some.into_iter().flatten()) {
            *path = directory.join(&*path);
        }
        // One after the other: both are borrowed from the same settings.
        if let Some(path) = self.peer.pin_file_mut() {
            *path = directory.join(&*path);
        }
        if let Some(path) = self.peer.policy_mut() {
            *path = directory.join(&*path);
        }
    }
}

fn pin<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Pin>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}
