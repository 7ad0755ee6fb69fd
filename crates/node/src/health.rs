//! Asks the daemon on this machine whether it serves, as an operator would reach it: over its own
//! port, with mutual TLS. Both know the daemon's own certificate, so that no authority needs to be
//! believed for it; one that has ended is found here as every caller would find it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::de::IgnoredAny;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::Overrides;
use crate::client::{ConnectError, connect_to_itself};
use crate::config::{ConfigError, Settings, load};
use crate::pki::{PkiError, inspect_file};
use crate::tls::{TlsError, TlsMaterial};

/// Longest wait for the answer: who takes longer serves nobody.
const ANSWER: Duration = Duration::from_secs(5);

/// Why a daemon is not healthy.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// The configuration, which is the daemon's own.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The daemon's certificate and key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The daemon's certificate cannot be read.
    #[error("{path}: {source}")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PkiError,
    },
    /// No address was written: no daemon has run with this `data_dir`.
    #[error("{path}: {source}; is the daemon running with this data_dir?")]
    Address {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Nobody answers, or not as our daemon.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The call failed.
    #[error("the daemon at {address} did not answer: {status}")]
    Call {
        /// Where.
        address: SocketAddr,
        /// How.
        status: Box<tonic::Status>,
    },
    /// It answers, but does not serve.
    #[error("the daemon at {address} answers {status}")]
    NotServing {
        /// Where.
        address: SocketAddr,
        /// Its word.
        status: &'static str,
    },
    /// No executor for the call.
    #[error("the operating system refused: {0}")]
    System(#[from] std::io::Error),
}

/// Asks the daemon that runs with the configuration `file`, of whichever platform. Blocks until
/// the answer, for a few seconds at most; call it outside an executor.
///
/// # Errors
/// [`HealthError`], naming what to mend.
pub fn check(file: &std::path::Path, overrides: &Overrides) -> Result<(), HealthError> {
    let settings = load::<IgnoredAny>(file, overrides)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(ask(&settings))
}

async fn ask(settings: &Settings<IgnoredAny>) -> Result<(), HealthError> {
    let (own, _) =
        inspect_file(&settings.tls.certificate).map_err(|source| HealthError::Certificate {
            path: settings.tls.certificate.clone(),
            source,
        })?;
    let material = TlsMaterial::load(&settings.tls, own.role)?;
    let address = listening(settings)?;
    let asking = async {
        let channel = connect_to_itself(address, &material).await?;
        let request = HealthCheckRequest::default();
        let call = |status| HealthError::Call {
            address,
            status: Box::new(status),
        };
        let answer = HealthClient::new(channel).check(request).await;
        match answer.map_err(call)?.into_inner().status() {
            ServingStatus::Serving => Ok(()),
            status => Err(HealthError::NotServing {
                address,
                status: status.as_str_name(),
            }),
        }
    };
    let late = |_| HealthError::Call {
        address,
        status: Box::new(tonic::Status::deadline_exceeded(format!(
            "no answer within {} s",
            ANSWER.as_secs()
        ))),
    };
    tokio::time::timeout(ANSWER, asking).await.map_err(late)?
}

/// Where the daemon said that it listens; every interface includes our own.
fn listening(settings: &Settings<IgnoredAny>) -> Result<SocketAddr, HealthError> {
    let path = settings.data_dir.join("operator.addr");
    let wrong = |source| HealthError::Address {
        path: path.clone(),
        source,
    };
    let text = std::fs::read_to_string(&path).map_err(wrong)?;
    let mut address: SocketAddr = text
        .trim()
        .parse()
        .map_err(|error| wrong(std::io::Error::new(std::io::ErrorKind::InvalidData, error)))?;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(address)
}
