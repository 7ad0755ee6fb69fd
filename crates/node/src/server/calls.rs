//! What every call of a port passes: it is counted, its connection's allowance asked, and its
//! messages held to making progress.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Limited};
use s3rec_wire::status::{Fault, Reason};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};
use tower::{Layer, Service};

use super::connections::Guests;
use super::progress::Progressing;
use crate::observe;

/// What is read of a call that is refused: all of most questions, little of a long stream.
const MAX_REFUSED_BYTES: usize = 16 << 10;

/// Wraps the services of a port.
#[derive(Clone)]
pub(super) struct WatchCalls {
    pub(super) port: &'static str,
    pub(super) guests: Arc<Guests>,
    pub(super) stall: Duration,
}

impl<S> Layer<S> for WatchCalls {
    type Service = Watched<S>;

    fn layer(&self, inner: S) -> Watched<S> {
        Watched {
            inner,
            watch: self.clone(),
        }
    }
}

/// Services whose calls are watched.
#[derive(Clone)]
pub(super) struct Watched<S> {
    inner: S,
    watch: WatchCalls,
}

impl<S> Service<Request<Body>> for Watched<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let WatchCalls {
            port,
            guests,
            stall,
        } = &self.watch;
        let (port, stall) = (*port, *stall);
        observe::called(port);
        let connection = request.extensions().get::<TlsConnectInfo<TcpConnectInfo>>();
        let remote = connection.and_then(|connection| connection.get_ref().remote_addr());
        if !guests.may_call(remote, Instant::now()) {
            observe::call_refused(port, Reason::LimitExceeded);
            let message = "this connection makes calls faster than limits.calls_per_second allows";
            let status = Fault::new(Reason::LimitExceeded, message).into_status();
            let body = Progressing::new(request.into_body(), stall);
            return Box::pin(async move {
                // An answer before the question's end resets its stream, and the reset can
                // overtake the answer.
                let _ = Limited::new(body, MAX_REFUSED_BYTES).collect().await;
                Ok(status.into_http())
            });
        }
        let request = request.map(|body| Body::new(Progressing::new(body, stall)));
        let answered = self.inner.call(request);
        Box::pin(async move {
            let response = answered.await?;
            // A stream that fails later counts with the job that it ends.
            let Some(status) = Status::from_header_map(response.headers()) else {
                return Ok(response);
            };
            let (refused, response) = match Fault::from_status(&status) {
                Some(fault) => (Some(fault), response),
                None => match Fault::unread(&status) {
                    Some(fault) => (Some(fault.clone()), fault.into_status().into_http()),
                    None => (None, response),
                },
            };
            if let Some(fault) = refused {
                observe::call_refused(port, fault.reason);
            }
            Ok(response)
        })
    }
}
