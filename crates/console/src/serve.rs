//! HTTPS for few and short connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use s3rec_node::server::stopped;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// Connections at a time; further ones wait to be accepted.
const CONNECTIONS: usize = 64;
/// Longest wait for TLS, and for a request's head.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Longest life of a connection; a page that follows a job opens another.
const CONNECTION_FOR: Duration = Duration::from_secs(60 * 60);

/// Serves until `stop` turns true, each connection under what `tls` then gives.
pub async fn serve(
    listener: TcpListener,
    tls: impl Fn() -> Option<Arc<ServerConfig>> + Send + 'static,
    router: Router,
    stop: watch::Receiver<bool>,
) {
    tokio::select! {
        () = accept(listener, tls, router) => {}
        () = stopped(stop) => {}
    }
}

async fn accept(
    listener: TcpListener,
    tls: impl Fn() -> Option<Arc<ServerConfig>> + Send + 'static,
    router: Router,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let (Ok((stream, remote)), Some(tls)) = (listener.accept().await, tls()) else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let router = router.clone();
        tokio::spawn(async move {
            let _place = place;
            let shaken = timeout(HEAD_WITHIN, TlsAcceptor::from(tls).accept(stream)).await;
            let Ok(Ok(stream)) = shaken else {
                tracing::debug!(%remote, "a connection to the console ended before it began");
                return;
            };
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_WITHIN)
                .max_buf_size(16 << 10)
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
            // Whoever asks wrongly or slowly is hung up on; there is nobody to tell.
            let _ = timeout(CONNECTION_FOR, served).await;
        });
    }
}

/// Where people reach the console that listens at `address`.
#[must_use]
pub fn origin(address: SocketAddr) -> String {
    match address.ip() {
        ip if ip.is_unspecified() || ip.is_loopback() => {
            format!("https://localhost:{}", address.port())
        }
        _ => format!("https://{address}"),
    }
}
