//! Connects to a daemon: mutual TLS, and a check of who answers.

use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use s3rec_wire::status::{Fault, Reason};
use tokio::io::AsyncBufReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use crate::alive::Alive;
use crate::dialled::Dialled;
use crate::tls::{Authorize, Judged, TlsError, TlsMaterial};

/// Longest wait for TCP and TLS to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest wait for the first byte after TLS.
const FIRST_WORD: Duration = Duration::from_secs(2);

/// How often a ping asks the other end of a quiet connection for a byte. Whether it lives is judged
/// by bytes (see `alive`); an answer may stand in line behind much else on a slow link, so its own
/// limit is long.
pub(crate) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
pub(crate) const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(120);

/// Flow-control windows: what may be on its way unread, which over a slow link is also how long
/// anything else waits. The connection's is larger, so that a call whose bytes nobody takes yet
/// leaves room for others. 2 MiB fill 100 Mbit/s at 160 ms.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 2 << 20;
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;

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
            ConnectError::Tls(error) => {
                let fault = Self::new(Reason::TlsFailed, error.to_string());
                match error.remedy() {
                    Some(remedy) => fault.remedied_by(remedy),
                    None => fault,
                }
            }
        }
    }
}

/// Connects to `address`; whoever answers must satisfy `expected`, and go on to: a connection to
/// somebody whose certificate ends or is revoked breaks. Reconnects are checked too.
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
    let at = format!("{}:{port}", uri.host().unwrap_or_default());
    let to = Place {
        host,
        port,
        name,
        tls: TlsConnector::from(Arc::new(material.client_config()?)),
        dialled: Dialled::new(material.own().role, expected.wanted(), at),
        expected,
    };
    dial(endpoint, to, address).await
}

/// Connects to the daemon at `address`, which must be our own: it presents our certificate, of
/// whatever authority, and that must be valid now.
///
/// # Errors
/// [`ConnectError`], with the reason and the remedy.
pub async fn connect_to_itself(
    address: SocketAddr,
    material: &TlsMaterial,
) -> Result<Channel, ConnectError> {
    let shown = format!("https://{address}");
    let uri = shown.parse().ok();
    let endpoint = uri.and_then(|uri| endpoint(&uri));
    let endpoint = endpoint.ok_or_else(|| ConnectError::Address {
        address: shown.clone(),
    })?;
    let (host, port) = (address.ip().to_string(), address.port());
    let name = ServerName::IpAddress(address.ip().into());
    let role = material.own().role;
    let to = Place {
        dialled: Dialled::new(role, role, format!("{host}:{port}")),
        host,
        port,
        name,
        tls: TlsConnector::from(Arc::new(material.client_config_to_itself()?)),
        expected: Authorize::role(material.own().role),
    };
    dial(endpoint, to, &shown).await
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

/// Where to connect, and who must answer.
#[derive(Clone)]
struct Place {
    host: String,
    port: u16,
    name: ServerName<'static>,
    tls: TlsConnector,
    expected: Authorize,
    /// For the words of what goes wrong.
    dialled: Dialled,
}

async fn dial(endpoint: Endpoint, to: Place, shown: &str) -> Result<Channel, ConnectError> {
    let connector = service_fn(move |_: Uri| {
        let to = to.clone();
        async move { Ok::<_, Fault>(TokioIo::new(to.open().await?)) }
    });
    let connected = endpoint.connect_with_connector(connector).await;
    connected.map_err(|error| ConnectError::Refused(reason_of(&error, shown)))
}

impl Place {
    async fn open(self) -> Result<Judged<TlsStream<Alive<TcpStream>>>, Fault> {
        let Self {
            host,
            port,
            name,
            tls,
            expected,
            dialled,
        } = self;
        let stream = TcpStream::connect((host.as_str(), port)).await;
        let stream = stream.map_err(|error| dialled.unreachable(&error))?;
        let mut stream = tls
            .connect(name, Alive::over(stream))
            .await
            .map_err(|error| dialled.handshake(&error))?;
        accepted(&mut stream)
            .await
            .map_err(|error| dialled.handshake(&error))?;
        let (_, session) = stream.get_ref();
        let leaf = session.peer_certificates().and_then(<[_]>::first);
        let leaf = leaf.ok_or_else(|| {
            let message = format!("{host}:{port} presented no certificate");
            Fault::new(Reason::NoCertificate, message)
        })?;
        let leaf = leaf.clone().into_owned();
        Judged::new(stream, leaf, expected).map_err(|fault| dialled.somebody_else(fault))
    }
}

/// Waits for the first word of the other end. Of TLS 1.3 our own handshake is over before it has looked at
/// our certificate; that it refuses it is told in place of HTTP/2's first frame, which it sends unasked.
async fn accepted(stream: &mut TlsStream<Alive<TcpStream>>) -> std::io::Result<()> {
    match timeout(FIRST_WORD, stream.fill_buf()).await {
        Ok(Ok([])) => Err(std::io::ErrorKind::UnexpectedEof.into()),
        Ok(Err(error)) => Err(error),
        // Whoever waits for our word first gets it.
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
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
