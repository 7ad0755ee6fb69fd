//! The settings of a daemon, as written in its file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};

use crate::pki::Pin;

/// All settings; `P` is what the two daemons do not share.
#[derive(Clone, Debug, Deserialize)]
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
    /// Bounds on memory, disk and time.
    #[serde(default)]
    pub limits: Limits,
}

/// Settings of the rating platform.
pub type RatingSettings = Settings<RatingPeer>;
/// Settings of the social platform.
pub type SocialSettings = Settings<SocialPeer>;

/// `[operator]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorSettings {
    /// Address to listen on; port 0 takes a free one, written to `data_dir/operator.addr`.
    pub listen: SocketAddr,
    /// Authority of the operators' certificates, PEM; `tls.ca` unless given. Give one where
    /// the other platform's authority is in `tls.ca`, or it could make operators of ours.
    pub ca: Option<PathBuf>,
}

/// `[peer]` of the rating platform, which calls.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RatingPeer {
    /// `https://host:port` of the social platform.
    pub address: String,
    /// Pin of the social platform's certificate.
    #[serde(deserialize_with = "pin")]
    pub pin: Pin,
}

/// `[peer]` of the social platform, which is called.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SocialPeer {
    /// Address to listen on; port 0 takes a free one, written to `data_dir/peer.addr`.
    pub listen: SocketAddr,
    /// Pin of the rating platform's certificate.
    #[serde(deserialize_with = "pin")]
    pub pin: Pin,
}

/// `[tls]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// Authorities that are believed, PEM.
    pub ca: PathBuf,
    /// Our certificate chain, PEM.
    pub certificate: PathBuf,
    /// Our private key, PEM; refused when others may read the file.
    pub key: PathBuf,
}

/// `[log]`.
#[derive(Clone, Debug, Deserialize)]
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
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `[limits]`.
#[derive(Clone, Debug, Deserialize)]
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
    /// Most memory for the ciphertexts of one block of a stock, bytes.
    pub memory_bytes: u64,
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
        }
    }
}

impl<P> Settings<P> {
    /// Makes relative paths relative to the configuration file, not to wherever we started.
    pub(super) fn rebase(&mut self, directory: &Path) {
        let paths = [
            &mut self.data_dir,
            &mut self.tls.ca,
            &mut self.tls.certificate,
            &mut self.tls.key,
        ];
        for path in paths.into_iter().chain(self.operator.ca.as_mut()) {
            *path = directory.join(&*path);
        }
    }
}

fn pin<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Pin, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}
