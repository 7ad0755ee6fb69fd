//! Listens with mutual TLS, answers health and reflection, drains at the end.

mod about;
mod calls;
mod connections;
mod operators;
mod progress;

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

use about::add_health_and_reflection;
use calls::WatchCalls;
use connections::{Guarded, Guests};
pub use operators::Operators;

use crate::alive::Alive;
use crate::client::{
    CONNECTION_WINDOW_BYTES, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, STREAM_WINDOW_BYTES,
};
use crate::config::Limits;
use crate::observe::{self, Observed, RefusedConnection};

/// Longest TLS handshake: whoever is slower holds a connection for nothing.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections that may be in their handshake at a time.
const MAX_HANDSHAKES: usize = 128;

/// Calls that one connection may have open.
const MAX_STREAMS: u32 = 64;

/// Names and values of a call's headers, bytes: ours are few and short.
const MAX_HEADER_BYTES: u32 = 16 << 10;

/// Streams that a connection may reset before we have looked at them, and that we reset because
/// of what it sent: a flood of either ends the connection.
const MAX_PENDING_RESETS: usize = 20;
const MAX_RESETS_BY_ERROR: usize = 64;

/// What one port takes.
#[derive(Clone, Copy, Debug)]
pub struct PortLimits {
    /// Connections in all.
    pub connections: u32,
    /// Connections from one address.
    pub connections_per_client: u32,
    /// Calls on one connection in a second, on average; two seconds' worth at once.
    pub calls_per_second: Option<u32>,
    /// Longest time in which a connection must begin to speak, and a message that has begun must
    /// go on.
    pub stall: Duration,
}

impl PortLimits {
    /// For the people here, who may call as fast as we answer.
    #[must_use]
    pub fn operators(limits: &Limits) -> Self {
        Self {
            connections: limits.connections.max(1),
            connections_per_client: limits.connections_per_client.max(1),
            calls_per_second: None,
            stall: Duration::from_secs(limits.stall_seconds.max(1)),
        }
    }

    /// For the other platform.
    #[must_use]
    pub fn peer(limits: &Limits) -> Self {
        Self {
            calls_per_second: Some(limits.calls_per_second.max(1)),
            ..Self::operators(limits)
        }
    }
}

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
    /// A service that our descriptors do not describe.
    #[error("the descriptors do not describe {service}")]
    Descriptors {
        /// The service.
        service: &'static str,
    },
}

/// A bound port, not yet served.
pub struct Port {
    name: &'static str,
    listener: TcpListener,
    address: SocketAddr,
}

impl Port {
    /// Binds `address` and writes what came of it (port 0 takes a free one) to
    /// `data_dir/NAME.addr`, atomically, so that whoever waits for the file reads all of it.
    ///
    /// # Errors
    /// [`ServeError::Listen`], [`ServeError::AddressFile`].
    pub async fn bind(
        name: &'static str,
        address: SocketAddr,
        data_dir: &Path,
    ) -> Result<Self, ServeError> {
        let file = data_dir.join(format!("{name}.addr"));
        let listen = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let written = file.with_extension("addr.new");
        std::fs::write(&written, address.to_string())
            .and_then(|()| std::fs::rename(&written, &file))
            .map_err(|source| ServeError::AddressFile { path: file, source })?;
        Ok(Self {
            name,
            listener,
            address,
        })
    }

    /// The same where an address is configured.
    ///
    /// # Errors
    /// As [`Port::bind`].
    pub async fn bind_any(
        name: &'static str,
        address: Option<SocketAddr>,
        data_dir: &Path,
    ) -> Result<Option<Self>, ServeError> {
        match address {
            Some(address) => Ok(Some(Self::bind(name, address, data_dir).await?)),
            None => Ok(None),
        }
    }

    /// The socket itself, for who serves something else than gRPC.
    #[must_use]
    pub fn into_listener(self) -> TcpListener {
        self.listener
    }

    /// The address in use.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves metrics and health in plain HTTP until `stop` turns true.
    pub async fn observe(self, observed: Arc<Observed>, stop: watch::Receiver<bool>) {
        if !self.address.ip().is_loopback() {
            let address = self.address;
            tracing::warn!(%address, "metrics and health are readable by whoever reaches this address");
        }
        observe::serve(self.listener, observed, stopped(stop)).await;
    }

    /// Serves `routes`, each connection under what `tls` then gives, until `stop` turns true;
    /// then lets calls end for at most `drain`.
    ///
    /// # Errors
    /// [`ServeError::Transport`].
    pub async fn serve(
        self,
        tls: impl Fn() -> Arc<ServerConfig> + Send + 'static,
        routes: RoutesBuilder,
        limits: PortLimits,
        stop: watch::Receiver<bool>,
        drain: Duration,
    ) -> Result<(), ServeError> {
        observe::port_opened(self.name);
        let (sender, incoming) = mpsc::channel(16);
        let guests = Guests::new(self.name, limits);
        let entrance = Entrance {
            port: self.name,
            stall: limits.stall,
            guests: Arc::clone(&guests),
        };
        let accepting = tokio::spawn(entrance.accept(self.listener, tls, sender));
        let serving = Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_concurrent_streams(MAX_STREAMS)
            .http2_max_header_list_size(MAX_HEADER_BYTES)
            .http2_max_pending_accept_reset_streams(Some(MAX_PENDING_RESETS))
            .http2_max_local_error_reset_streams(Some(MAX_RESETS_BY_ERROR))
            .layer(WatchCalls {
                port: self.name,
                guests,
                stall: limits.stall,
            })
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

/// Waits until `stop` turns true, or whoever could turn it is gone.
pub async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that the sender is gone, which stops too.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Where connections come in.
struct Entrance {
    port: &'static str,
    stall: Duration,
    guests: Arc<Guests>,
}

impl Entrance {
    async fn accept(
        self,
        listener: TcpListener,
        tls: impl Fn() -> Arc<ServerConfig> + Send,
        accepted: mpsc::Sender<std::io::Result<Guarded<TlsStream<Alive<TcpStream>>>>>,
    ) {
        let (port, stall) = (self.port, self.stall);
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
            let Some(guest) = self.guests.admit(remote) else {
                observe::connection_refused(port, RefusedConnection::Limit);
                tracing::debug!(%remote, "refused a connection: too many are open");
                continue;
            };
            // As the files are now: a rotation needs no restart.
            let (acceptor, accepted) = (TlsAcceptor::from(tls()), accepted.clone());
            tokio::spawn(async move {
                let _permit = permit;
                let stream = Alive::over(stream);
                match timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => {
                        let guarded = Guarded::new(stream, guest, stall);
                        // A receiver that is gone has stopped serving.
                        drop(accepted.send(Ok(guarded)).await);
                    }
                    Ok(Err(error)) => {
                        observe::connection_refused(port, RefusedConnection::Tls);
                        tracing::warn!(%remote, "refused a connection without a valid certificate: {error}");
                    }
                    Err(_) => {
                        observe::connection_refused(port, RefusedConnection::Slow);
                        tracing::warn!(%remote, "refused a connection: TLS took too long");
                    }
                }
            });
        }
    }
}
