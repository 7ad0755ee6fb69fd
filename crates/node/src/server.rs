//! Listens with mutual TLS, answers health and reflection, drains at the end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::RoutesBuilder;
use tonic::transport::Server;

use crate::client::{
    CONNECTION_WINDOW_BYTES, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, STREAM_WINDOW_BYTES,
};

/// Longest TLS handshake: whoever is slower holds a connection for nothing.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections that may be in their handshake at a time.
const MAX_HANDSHAKES: usize = 64;

/// Calls that one connection may have open.
const MAX_STREAMS: u32 = 64;

/// Failures of serving.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The address file cannot be written.
    #[error("{path}: {source}")]
    AddressFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The server ended by itself.
    #[error("the server ended: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// The reflection service refused our descriptors.
    #[error("the descriptors do not serve: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// A bound port, not yet served.
pub struct Port {
    listener: TcpListener,
    address: SocketAddr,
}

impl Port {
    /// Binds `address` and writes what came of it (port 0 takes a free one) to `file`,
    /// atomically, so that whoever waits for the file reads all of it.
    ///
    /// # Errors
    /// [`ServeError::Listen`], [`ServeError::AddressFile`].
    pub async fn bind(address: SocketAddr, file: &Path) -> Result<Self, ServeError> {
        let listen = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let written = file.with_extension("addr.new");
        std::fs::write(&written, address.to_string())
            .and_then(|()| std::fs::rename(&written, file))
            .map_err(|source| ServeError::AddressFile {
                path: file.to_owned(),
                source,
            })?;
        Ok(Self { listener, address })
    }

    /// The address in use.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `routes` until `stop` turns true, then lets calls end for at most `drain`.
    ///
    /// # Errors
    /// [`ServeError::Transport`].
    pub async fn serve(
        self,
        tls: ServerConfig,
        routes: RoutesBuilder,
        stop: watch::Receiver<bool>,
        drain: Duration,
    ) -> Result<(), ServeError> {
        let (sender, incoming) = mpsc::channel(16);
        let accepting = tokio::spawn(accept(self.listener, tls, sender));
        let serving = Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_concurrent_streams(MAX_STREAMS)
            .add_routes(routes.routes())
            .serve_with_incoming_shutdown(ReceiverStream::new(incoming), stopped(stop.clone()));
        let deadline = async {
            stopped(stop).await;
            tokio::time::sleep(drain).await;
        };
        let ended = tokio::select! {
            ended = serving => ended.map_err(ServeError::from),
            () = deadline => Ok(()),
        };
        accepting.abort();
        ended
    }
}

/// Adds gRPC health (all services serving) and reflection.
///
/// # Errors
/// [`ServeError::Reflection`].
pub fn add_health_and_reflection(routes: &mut RoutesBuilder) -> Result<(), ServeError> {
    let (_, health) = tonic_health::server::health_reporter();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(s3rec_wire::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    routes.add_service(health);
    routes.add_service(reflection);
    Ok(())
}

/// Waits until `stop` turns true, or whoever could turn it is gone.
pub async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that the sender is gone, which stops too.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn accept(
    listener: TcpListener,
    tls: ServerConfig,
    accepted: mpsc::Sender<std::io::Result<TlsStream<TcpStream>>>,
) {
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let handshakes = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    while let Ok(permit) = Arc::clone(&handshakes).acquire_owned().await {
        let (stream, remote) = match listener.accept().await {
            Ok(connection) => connection,
            Err(error) => {
                // Out of file descriptors, mostly: not a reason to spin or to stop.
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (acceptor, accepted) = (acceptor.clone(), accepted.clone());
        tokio::spawn(async move {
            let _permit = permit;
            // Small messages wait for nothing; a failure only costs time.
            let _ = stream.set_nodelay(true);
            match timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                // A receiver that is gone has stopped serving.
                Ok(Ok(stream)) => drop(accepted.send(Ok(stream)).await),
                Ok(Err(error)) => {
                    tracing::warn!(%remote, "refused a connection without a valid certificate: {error}");
                }
                Err(_) => tracing::warn!(%remote, "refused a connection: TLS took too long"),
            }
        });
    }
}
