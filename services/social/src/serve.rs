//! Builds the daemon and serves both of its ports.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use s3rec_node::config::{ConfigError, SocialSettings};
use s3rec_node::pki::CertificateRole;
use s3rec_node::server::{Port, ServeError, add_health_and_reflection};
use s3rec_node::store::StoreError;
use s3rec_node::tls::{Authorize, TlsError, TlsMaterial};
use s3rec_wire::MAX_MESSAGE_BYTES;
use s3rec_wire::v1::peer_server::PeerServer;
use s3rec_wire::v1::social_platform_server::SocialPlatformServer;
use tokio::sync::watch;
use tonic::service::RoutesBuilder;
use tonic::service::interceptor::InterceptedService;

use crate::operator::OperatorService;
use crate::peer::PeerService;
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
    peer: SocketAddr,
    serving: tokio::task::JoinHandle<Result<(), DaemonError>>,
}

impl Daemon {
    /// Where operators connect.
    #[must_use]
    pub fn operator_address(&self) -> SocketAddr {
        self.operator
    }

    /// Where the rating platform connects.
    #[must_use]
    pub fn peer_address(&self) -> SocketAddr {
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

/// Opens the store, listens, and serves until `stop` turns true.
///
/// # Errors
/// [`DaemonError`].
pub async fn start(
    settings: SocialSettings,
    stop: watch::Receiver<bool>,
) -> Result<Daemon, DaemonError> {
    let tls = TlsMaterial::load(&settings.tls, CertificateRole::Social)?;
    let operators = tls.server_config(settings.operator.ca.as_deref())?;
    let peers = tls.server_config(None)?;
    let platform = Platform::open(&settings, tls.own().pin)?;

    // The people's port last: whoever finds its address written may rely on both.
    let peer_port = settings.data_dir.join("peer.addr");
    let peer_port = Port::bind(settings.peer.listen, &peer_port).await?;
    let operator_port = settings.data_dir.join("operator.addr");
    let operator_port = Port::bind(settings.operator.listen, &operator_port).await?;
    let (operator, peer) = (operator_port.address(), peer_port.address());
    tracing::info!(%operator, %peer, name = settings.name, own_pin = %tls.own().pin, "serving");

    let mut operator_routes = RoutesBuilder::default();
    add_health_and_reflection(&mut operator_routes)?;
    let service = SocialPlatformServer::new(OperatorService::new(Arc::clone(&platform)))
        .max_decoding_message_size(MAX_MESSAGE_BYTES);
    let authorize = Authorize::role(CertificateRole::SocialOperator);
    operator_routes.add_service(InterceptedService::new(service, authorize));

    let mut peer_routes = RoutesBuilder::default();
    let service = PeerServer::new(PeerService::new(Arc::clone(&platform)))
        .max_decoding_message_size(MAX_MESSAGE_BYTES);
    let authorize = Authorize::pinned(CertificateRole::Rating, settings.peer.pin);
    peer_routes.add_service(InterceptedService::new(service, authorize));

    let drain = Duration::from_secs(settings.limits.drain_seconds);
    let serving = tokio::spawn(async move {
        let people = operator_port.serve(operators, operator_routes, stop.clone(), drain);
        let peer = peer_port.serve(peers, peer_routes, stop, drain);
        tokio::try_join!(people, peer)?;
        platform.stop();
        tracing::info!("stopped");
        Ok(())
    });
    Ok(Daemon {
        operator,
        peer,
        serving,
    })
}
