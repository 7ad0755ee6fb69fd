//! Connects to a daemon: mutual TLS, and a check of who answers.

use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use s3rec_wire::status::{Fault, Reason};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use crate::tls::{Authorize, TlsError, TlsMaterial};

/// Longest wait for TCP and TLS to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A peer that answers no ping for this long after the next has vanished.
pub(crate) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
pub(crate) const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Flow-control windows: a few frames of 1 MiB in flight.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 4 << 20;
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is not `https://host:port`.
    #[error("{address:?} is not an address of the form https://host:port")]
    Address {
        /// As given.
        address: String,
    },
    /// Our own files do not fit.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Nobody answers, TLS failed, or somebody else answered.
    #[error("{}", .0.message)]
    Refused(#[from] Fault),
}

impl From<ConnectError> for Fault {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Refused(fault) => fault,
            ConnectError::Address { .. } => Self::new(Reason::InvalidRequest, error.to_string()),
            ConnectError::Tls(error) => Self::new(Reason::TlsFailed, error.to_string()),
        }
    }
}

/// Connects to `address`; whoever answers must satisfy `expected`. Reconnects are checked too.
///
/// # Errors
/// [`ConnectError`], with the reason and the remedy.
pub async fn connect(
    address: &str,
    material: &TlsMaterial,
    expected: Authorize,
) -> Result<Channel, ConnectError> {
    let wrong = || ConnectError::Address {
        address: address.to_owned(),
    };
    let uri: Uri = address.parse().map_err(|_| wrong())?;
    let (Some("https"), Some(host), Some(port)) = (uri.scheme_str(), uri.host(), uri.port_u16())
    else {
        return Err(wrong());
    };
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let name = ServerName::try_from(host.clone()).map_err(|_| wrong())?;
    let endpoint = endpoint(&uri).ok_or_else(wrong)?;
    dial(endpoint, host, port, name, material, expected, address).await
}

/// Connects to a daemon where it is, whatever name its certificate is for: `name`, which is
/// verified as in [`connect`].
///
/// # Errors
/// [`ConnectError`], with the reason and the remedy.
pub async fn connect_as(
    address: SocketAddr,
    name: ServerName<'static>,
    material: &TlsMaterial,
    expected: Authorize,
) -> Result<Channel, ConnectError> {
    let shown = format!("https://{address}");
    let uri = shown.parse().ok();
    let endpoint = uri.and_then(|uri| endpoint(&uri));
    let endpoint = endpoint.ok_or_else(|| ConnectError::Address {
        address: shown.clone(),
    })?;
    let (host, port) = (address.ip().to_string(), address.port());
    dial(endpoint, host, port, name, material, expected, &shown).await
}

/// How calls to `uri` go. TLS is ours, so tonic sees a plain scheme beneath and the true one in
/// the requests.
fn endpoint(uri: &Uri) -> Option<Endpoint> {
    let plain = format!("http://{}", uri.authority()?);
    let endpoint = Endpoint::from_shared(plain)
        .ok()?
        .origin(uri.clone())
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES);
    Some(endpoint)
}

async fn dial(
    endpoint: Endpoint,
    host: String,
    port: u16,
    name: ServerName<'static>,
    material: &TlsMaterial,
    expected: Authorize,
    shown: &str,
) -> Result<Channel, ConnectError> {
    let tls = TlsConnector::from(Arc::new(material.client_config()?));
    let connector = service_fn(move |_: Uri| {
        let (host, name, tls) = (host.clone(), name.clone(), tls.clone());
        let expected = expected.clone();
        async move {
            let stream = open(&host, port, name, &tls, expected).await?;
            Ok::<_, Fault>(TokioIo::new(stream))
        }
    });
    let connected = endpoint.connect_with_connector(connector).await;
    connected.map_err(|error| ConnectError::Refused(reason_of(&error, shown)))
}

async fn open(
    host: &str,
    port: u16,
    name: ServerName<'static>,
    tls: &TlsConnector,
    expected: Authorize,
) -> Result<TlsStream<TcpStream>, Fault> {
    let stream = TcpStream::connect((host, port)).await.map_err(|error| {
        let message = format!("nobody answers at {host}:{port} ({error})");
        Fault::new(Reason::Unreachable, message)
    })?;
    // Small messages wait for nothing; a failure only costs time.
    let _ = stream.set_nodelay(true);
    let stream = tls.connect(name, stream).await.map_err(|error| {
        let message = format!("TLS with {host}:{port} failed: {error}");
        Fault::new(Reason::TlsFailed, message)
    })?;
    let (_, session) = stream.get_ref();
    let leaf = session.peer_certificates().and_then(<[_]>::first);
    let leaf = leaf.ok_or_else(|| {
        let message = format!("{host}:{port} presented no certificate");
        Fault::new(Reason::NoCertificate, message)
    })?;
    expected.judge(leaf).map_err(|mut fault| {
        fault.message = format!("{host}:{port}: {}", fault.message);
        fault
    })?;
    Ok(stream)
}

/// Finds our own reason beneath tonic's "transport error".
fn reason_of(error: &tonic::transport::Error, address: &str) -> Fault {
    let mut detail = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(fault) = error.downcast_ref::<Fault>() {
            return fault.clone();
        }
        detail = error.to_string();
        source = error.source();
    }
    Fault::new(
        Reason::Unreachable,
        format!("no connection to {address} ({detail})"),
    )
}
