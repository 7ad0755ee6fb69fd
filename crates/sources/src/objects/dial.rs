//! Connections to where a URL points, encrypted unless the clear was asked for.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Dials.
#[derive(Clone)]
pub(super) struct Dialer {
    pub(super) tls: Arc<ClientConfig>,
    /// Whether `http://` is dialled.
    pub(super) in_the_clear: bool,
    /// Until a connection stands, its handshake included.
    pub(super) within: Duration,
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialer")
            .field("in_the_clear", &self.in_the_clear)
            .field("within", &self.within)
            .finish_non_exhaustive()
    }
}

impl Dialer {
    async fn dial(self, to: Uri) -> io::Result<Line> {
        let refused = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what.to_owned());
        let is_encrypted = match to.scheme_str() {
            Some("https") => true,
            Some("http") if self.in_the_clear => false,
            _ => {
                return Err(refused(
                    "http:// sends everything in the clear, and was not allowed",
                ));
            }
        };
        let host = to
            .host()
            .ok_or_else(|| refused("the address has no host"))?;
        // An IPv6 address stands in brackets in a URL, and without them everywhere else.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = to.port_u16().unwrap_or(if is_encrypted { 443 } else { 80 });
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        if !is_encrypted {
            return Ok(Line(TokioIo::new(Box::new(stream))));
        }
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| refused("the address has no host"))?;
        let stream = TlsConnector::from(self.tls).connect(name, stream).await?;
        Ok(Line(TokioIo::new(Box::new(stream))))
    }
}

impl tower::Service<Uri> for Dialer {
    type Response = Line;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Line>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let within = self.within;
        let dialed = self.clone().dial(to);
        Box::pin(async move {
            timeout(within, dialed).await.unwrap_or_else(|_| {
                let message = format!("no connection within {} seconds", within.as_secs());
                Err(io::Error::new(io::ErrorKind::TimedOut, message))
            })
        })
    }
}

trait Both: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Both for T {}

/// A connection.
pub(super) struct Line(TokioIo<Box<dyn Both>>);

impl Connection for Line {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
