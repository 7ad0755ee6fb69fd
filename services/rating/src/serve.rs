//! Builds the daemon and serves its port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use s3rec_node::config::{ConfigError, RatingSettings};
use s3rec_node::pki::CertificateRole;
use s3rec_node::server::{Port, ServeError, add_health_and_reflection};
use s3rec_node::store::StoreError;
use s3rec_node::tls::{Authorize, TlsError, TlsMaterial};
use s3rec_wire::MAX_MESSAGE_BYTES;
use s3rec_wire::v1::rating_platform_server::RatingPlatformServer;
use tokio::sync::watch;
use tonic::service::RoutesBuilder;
use tonic::service::interceptor::InterceptedService;

use crate::operator::OperatorService;
use crate::platform::Platform;

/// Why the daemon did not start or ended.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The log filter.
    #[error("log.filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Keys and certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The data directory.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ports.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// Threads, signals.
    #[error("the operating system refused: {0}")]
    System(#[from] std::io::Error),
}

/// A daemon that listens.
pub struct Daemon {
    operator: SocketAddr,
    serving: tokio::task::JoinHandle<Result<(), DaemonError>>,
}

impl Daemon {
    /// Where operators connect.
    #[must_use]
    pub fn operator_address(&self) -> SocketAddr {
        self.operator
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

/// Opens the store, listens, and serves until `stop` turns true.
///
/// # Errors
/// [`DaemonError`].
pub async fn start(
    settings: RatingSettings,
    stop: watch::Receiver<bool>,
) -> Result<Daemon, DaemonError> {
    let tls = TlsMaterial::load(&settings.tls, CertificateRole::Rating)?;
    let operators = tls.server_config(settings.operator.ca.as_deref())?;
    let own_pin = tls.own().pin;
    let platform = Platform::open(&settings, tls)?;

    let operator_port = settings.data_dir.join("operator.addr");
    let operator_port = Port::bind(settings.operator.listen, &operator_port).await?;
    let operator = operator_port.address();
    tracing::info!(%operator, peer = settings.peer.address, name = settings.name, %own_pin, "serving");

    let mut operator_routes = RoutesBuilder::default();
    add_health_and_reflection(&mut operator_routes)?;
    let service = RatingPlatformServer::new(OperatorService::new(Arc::clone(&platform)))
        .max_decoding_message_size(MAX_MESSAGE_BYTES);
    let authorize = Authorize::role(CertificateRole::RatingOperator);
    operator_routes.add_service(InterceptedService::new(service, authorize));

    let drain = Duration::from_secs(settings.limits.drain_seconds);
    let serving = tokio::spawn(async move {
        let people = operator_port.serve(operators, operator_routes, stop.clone(), drain);
        let jobs = platform.drain(stop, drain);
        tokio::join!(people, jobs).0?;
        tracing::info!("stopped");
        Ok(())
    });
    Ok(Daemon { operator, serving })
}
