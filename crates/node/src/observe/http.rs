//! Three routes in plain HTTP, for few and short connections.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Observed, install};

/// Connections at a time; further ones wait to be accepted.
const CONNECTIONS: usize = 16;

/// Longest wait for a request's head.
const HEAD_WITHIN: Duration = Duration::from_secs(5);

/// Longest life of a connection, kept alive or not.
const CONNECTION_FOR: Duration = Duration::from_secs(60);

/// Serves the three routes until `stop` is done.
pub async fn serve(listener: TcpListener, observed: Arc<Observed>, stop: impl Future<Output = ()>) {
    tokio::select! {
        () = accept(listener, observed) => {}
        () = stop => {}
    }
}

async fn accept(listener: TcpListener, observed: Arc<Observed>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let observed = Arc::clone(&observed);
        tokio::spawn(async move {
            let _place = place;
            let service = service_fn(move |request| {
                let observed = Arc::clone(&observed);
                async move { Ok::<_, Infallible>(answer(&observed, &request).await) }
            });
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_WITHIN)
                .max_buf_size(16 << 10)
                .serve_connection(TokioIo::new(stream), service);
            // Whoever asks wrongly or slowly is hung up on; there is nobody to tell.
            let _ = timeout(CONNECTION_FOR, served).await;
        });
    }
}

async fn answer(observed: &Arc<Observed>, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if request.method() != Method::GET {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered\n");
    }
    match request.uri().path() {
        "/healthz" => text(StatusCode::OK, "alive\n"),
        "/readyz" => {
            let readiness = observed.readiness().await;
            let status = if readiness.is_ready() {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            typed(
                status,
                "application/json",
                format!("{}\n", readiness.to_json()),
            )
        }
        "/metrics" => metrics(observed).await,
        _ => text(
            StatusCode::NOT_FOUND,
            "the routes are /metrics, /healthz and /readyz\n",
        ),
    }
}

async fn metrics(observed: &Arc<Observed>) -> Response<Full<Bytes>> {
    let Some(handle) = install() else {
        return text(
            StatusCode::INTERNAL_SERVER_ERROR,
            "another recorder is installed\n",
        );
    };
    let looked_at = Arc::clone(observed);
    let refreshed = tokio::task::spawn_blocking(move || looked_at.refresh());
    // Whoever reads metrics alone learns of readiness too.
    let (refreshed, _) = tokio::join!(refreshed, observed.readiness());
    match refreshed {
        Ok(Ok(())) => {}
        // What is counted in memory is told all the same.
        Ok(Err(error)) => tracing::warn!("metrics are told without the store: {error}"),
        Err(error) => tracing::error!("metrics are told without the store: {error}"),
    }
    handle.run_upkeep();
    typed(StatusCode::OK, "text/plain; version=0.0.4", handle.render())
}

fn text(status: StatusCode, words: &'static str) -> Response<Full<Bytes>> {
    typed(status, "text/plain", words)
}

fn typed(status: StatusCode, form: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(form));
    response
}
