//! HTTP for the object stores, over rustls: what the library's own client would bring along is larger
//! than all else, and limits whole requests where we limit how long nothing moves.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use object_store::client::{
    ClientConfigKey, ClientOptions, HttpClient, HttpConnector, HttpError, HttpErrorKind,
    HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody, HttpService,
};
use tokio::time::{Sleep, sleep, timeout};

use super::dial::Dialer;
use crate::error::cause;
use crate::trust;

/// Nothing for so long, and a request has failed; the library asks again.
const IDLE_LIMIT: Duration = Duration::from_secs(60);
/// A request's body goes at least so fast, in bytes a second, or the answer is given up.
const SLOWEST: u64 = 32 << 10;

/// Until a connection stands, its handshake included. Services of the machine itself are given less by the
/// library.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Makes clients.
#[derive(Debug)]
pub(super) struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let refused = |what: String| object_store::Error::Generic {
            store: "HTTP",
            source: what.into(),
        };
        let tls = Arc::new(trust::client(None, None).map_err(refused)?);
        let in_the_clear = options.get_config_value(&ClientConfigKey::AllowHttp);
        let within = options.get_config_value(&ClientConfigKey::ConnectTimeout);
        let dialer = Dialer {
            tls,
            in_the_clear: in_the_clear.as_deref() == Some("true"),
            within: within.as_deref().and_then(seconds).unwrap_or(CONNECT_LIMIT),
        };
        let client = legacy::Client::builder(TokioExecutor::new()).build(dialer);
        Ok(HttpClient::new(Service { client }))
    }
}

/// Whole seconds, as the library writes them.
fn seconds(text: &str) -> Option<Duration> {
    let seconds = text.strip_suffix('s')?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[derive(Debug)]
struct Service {
    client: legacy::Client<Dialer, HttpRequestBody>,
}

#[async_trait::async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let to_send = Duration::from_secs(request.body().size_hint().lower() / SLOWEST);
        let answered = timeout(IDLE_LIMIT + to_send, self.client.request(request)).await;
        let answer = answered.map_err(|_| stalled(IDLE_LIMIT))?;
        let answer = answer.map_err(|error| {
            let kind = match error.is_connect() {
                true => HttpErrorKind::Connect,
                false => kind(&error),
            };
            HttpError::new(kind, error)
        })?;
        Ok(answer.map(|body| HttpResponseBody::new(Moving::new(body, IDLE_LIMIT))))
    }
}

/// A body of which something comes again and again.
struct Moving<B> {
    body: B,
    limit: Duration,
    until: Pin<Box<Sleep>>,
}

impl<B> Moving<B> {
    fn new(body: B, limit: Duration) -> Self {
        Self {
            body,
            limit,
            until: Box::pin(sleep(limit)),
        }
    }
}

impl Body for Moving<Incoming> {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => {
                let limit = self.limit;
                self.until.set(sleep(limit));
                let frame =
                    frame.map(|frame| frame.map_err(|error| HttpError::new(kind(&error), error)));
                Poll::Ready(frame)
            }
            Poll::Pending => {
                ready!(self.until.as_mut().poll(context));
                Poll::Ready(Some(Err(stalled(self.limit))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn stalled(limit: Duration) -> HttpError {
    let message = format!("nothing came for {} seconds", limit.as_secs());
    let error = io::Error::new(io::ErrorKind::TimedOut, message);
    HttpError::new(HttpErrorKind::Timeout, error)
}

/// Whether a failed request is worth another.
fn kind(error: &(dyn std::error::Error + 'static)) -> HttpErrorKind {
    if let Some(error) = cause::<hyper::Error>(error)
        && (error.is_closed() || error.is_incomplete_message() || error.is_body_write_aborted())
    {
        return HttpErrorKind::Request;
    }
    match cause::<io::Error>(error).map(io::Error::kind) {
        Some(io::ErrorKind::TimedOut) => HttpErrorKind::Timeout,
        Some(
            io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof,
        ) => HttpErrorKind::Interrupted,
        _ => HttpErrorKind::Unknown,
    }
}
