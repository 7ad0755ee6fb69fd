//! One connection between two members: made, kept alive, and carried to timely's pipe and back.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::ServerName;
use s3rec_node::pki::Pin;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufWriter};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::frame::{self, Kind, LARGEST};
use crate::health::{Failure, Health};
use crate::hello::Hello;
use crate::pipe::{Chunk, Ends, Messages};
use crate::{ClusterError, Members, trust};

/// For connecting, shaking hands and the first words, all together.
const MEETING: Duration = Duration::from_secs(10);
/// How often a member says that it is there, and for how long it may say nothing.
const ALIVE: Duration = Duration::from_secs(5);
const SILENT: Duration = Duration::from_secs(20);
/// For the last words of a session that failed.
const PARTING: Duration = Duration::from_secs(2);

pub(crate) type Connection = TlsStream<TcpStream>;

/// Calls another member.
///
/// # Errors
/// [`ClusterError::Lost`] where nobody answers, [`ClusterError::Refused`] where it is another or
/// declines.
pub(crate) async fn call(
    members: &Members,
    index: usize,
    session: [u8; 16],
) -> Result<Connection, ClusterError> {
    let member = &members.all[index];
    let config = Arc::new(trust::calling(members, member.pin)?);
    let name = member.to_string();
    let lost = |what: String| ClusterError::from(Failure::lost(&name, what));
    let met = timeout(MEETING, async {
        let address = member.address.as_deref().unwrap_or_default();
        let stream = TcpStream::connect(address).await;
        let stream = stream.map_err(|error| lost(format!("cannot be reached: {error}")))?;
        let _ = stream.set_nodelay(true);
        // Who it is, its certificate's digest says: no name is asked for.
        let server = ServerName::try_from("member.invalid")
            .map_err(|_| ClusterError::Work("a constant server name is none".into()))?;
        let connected = TlsConnector::from(config).connect(server, stream).await;
        let mut stream: Connection = connected.map_err(|error| handshake(&name, &error))?.into();
        let hello = Hello::new(session, members.digest(), members.own).to_bytes();
        let said = async {
            frame::write(&mut stream, Kind::Hello, &hello).await?;
            stream.flush().await?;
            frame::read(&mut stream).await
        };
        // With TLS 1.3 a caller learns only by reading that its own certificate was refused.
        match said.await.map_err(|error| handshake(&name, &error))? {
            Some((Kind::Accepted, _)) => Ok(stream),
            Some((Kind::Refused, why)) => Err(declined(&name, &why)),
            Some(_) => Err(Failure::refused(&name, "answers what is not due").into()),
            None => Err(lost("hung up before it answered".into())),
        }
    });
    met.await.unwrap_or_else(|_| {
        Err(lost(format!(
            "did not answer within {} s",
            MEETING.as_secs()
        )))
    })
}

/// A worker that is at another session yet will be there; whatever else it declines for stays.
fn declined(name: &str, why: &[u8]) -> ClusterError {
    let why = echo_text(why);
    match why.strip_prefix(BUSY) {
        Some(_) => Failure::lost(name, why).into(),
        None => Failure::refused(name, format!("declines: {why}")).into(),
    }
}

/// How a worker's answer begins that is at another session.
pub(crate) const BUSY: &str = "busy";

/// A handshake that TLS refused is about certificates; any other end is about the connection.
fn handshake(name: &str, error: &io::Error) -> ClusterError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::AlertReceived(_)) => Failure::refused(
            name,
            "refuses our certificate; its file of workers has another digest for us",
        ),
        Some(refused @ rustls::Error::InvalidCertificate(_)) => {
            Failure::refused(name, format!("is not believed: {refused}"))
        }
        _ => Failure::lost(name, format!("the connection broke: {error}")),
    }
    .into()
}

/// In words; of what somebody reports that a third one reports, the third one's words alone.
fn first_report(failure: Failure) -> String {
    match failure {
        Failure::Lost { what, .. } | Failure::Refused { what, .. }
            if what.matches(REPORTS).count() > 1 =>
        {
            what.replacen(REPORTS, "", 1)
        }
        failure => ClusterError::from(failure).to_string(),
    }
}

/// How a failure begins that another member has told.
const REPORTS: &str = "reports: ";

fn echo_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .take(300)
        .collect()
}

/// Takes a call: the handshake, who it is by its key, and its first words.
///
/// # Errors
/// What was wrong, for the log; a caller whose key is known was told.
pub(crate) async fn taken(
    members: &Members,
    config: Arc<ServerConfig>,
    stream: TcpStream,
) -> Result<(Hello, usize, Connection), String> {
    let _ = stream.set_nodelay(true);
    let met = timeout(MEETING, async {
        let accepted = TlsAcceptor::from(config).accept(stream).await;
        let mut stream: Connection = accepted.map_err(|error| error.to_string())?.into();
        let (_, tls) = stream.get_ref();
        let presented = tls.peer_certificates().and_then(<[_]>::first);
        let pin = presented.map(|certificate| Pin::of(certificate));
        let from = members
            .all
            .iter()
            .position(|member| Some(member.pin) == pin)
            .ok_or("the caller's certificate is no member's")?;
        let read = frame::read(&mut stream).await;
        let hello = match read.map_err(|error| error.to_string())? {
            Some((Kind::Hello, bytes)) => Hello::read(&bytes, &members.digest(), from),
            _ => Err("the first frame is not the first words".into()),
        };
        match hello {
            Ok(hello) => Ok((hello, from, stream)),
            Err(why) => {
                decline(&mut stream, &why).await;
                Err(format!("{}: {why}", members.all[from]))
            }
        }
    });
    met.await
        .unwrap_or_else(|_| Err("the caller did not say who it is in time".into()))
}

/// Tells a caller why not.
pub(crate) async fn decline(stream: &mut Connection, why: &str) {
    let told = async {
        frame::write(stream, Kind::Refused, why.as_bytes()).await?;
        stream.flush().await?;
        stream.shutdown().await
    };
    let _ = timeout(PARTING, told).await;
}

/// Says something that has no contents.
///
/// # Errors
/// The connection's.
pub(crate) async fn say(stream: &mut Connection, kind: Kind, text: &str) -> io::Result<()> {
    frame::write(stream, kind, text.as_bytes()).await?;
    stream.flush().await
}

/// Carries a connection to timely and back until both directions have ended, or the session fails.
pub(crate) async fn relay(connection: Connection, ends: Ends, peer: String, health: Health) {
    // Whoever carries it may be dropped with the runtime: nobody would tell the dataflow.
    let carried = Carried(Some((peer.clone(), health.clone())));
    let (reader, writer) = tokio::io::split(connection);
    let Ends {
        incoming,
        outgoing,
        messages,
    } = ends;
    let receiving = receive(reader, incoming, messages, &peer, &health);
    let sending = send(
        BufWriter::with_capacity(LARGEST, writer),
        outgoing,
        &peer,
        &health,
    );
    tokio::join!(receiving, sending);
    carried.to_its_end();
}

/// Fails the session unless the connection was carried to its end.
struct Carried(Option<(String, Health)>);

impl Carried {
    fn to_its_end(mut self) {
        self.0.take();
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        if let Some((peer, health)) = self.0.take() {
            health.fail(Failure::lost(&peer, "the connection was dropped here"));
        }
    }
}

async fn receive(
    mut reader: impl AsyncRead + Unpin,
    incoming: mpsc::Sender<Chunk>,
    mut messages: Messages,
    peer: &str,
    health: &Health,
) {
    loop {
        let read = tokio::select! {
            biased;
            () = health.failed() => return,
            read = timeout(SILENT, frame::read(&mut reader)) => read,
        };
        let failure = match read {
            Err(_) => Failure::lost(peer, format!("was silent for {} s", SILENT.as_secs())),
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                Failure::refused(peer, format!("sends {error}"))
            }
            Ok(Err(error)) => Failure::lost(peer, format!("the connection broke: {error}")),
            Ok(Ok(None)) => Failure::lost(peer, "was there and is gone"),
            Ok(Ok(Some((Kind::Alive, _)))) => continue,
            Ok(Ok(Some((Kind::Data, bytes)))) => match messages.take(&bytes) {
                Ok(whole) => {
                    for message in whole {
                        tokio::select! {
                            () = health.failed() => return,
                            // Whoever reads no more needs no more.
                            _ = incoming.send(message) => {}
                        }
                    }
                    continue;
                }
                Err(what) => Failure::refused(peer, what),
            },
            Ok(Ok(Some((Kind::End, _)))) if messages.have_ended() => return,
            Ok(Ok(Some((Kind::End, _)))) => Failure::lost(peer, "ended before the work did"),
            Ok(Ok(Some((Kind::Failed, why)))) => {
                Failure::lost(peer, format!("{REPORTS}{}", echo_text(&why)))
            }
            Ok(Ok(Some((Kind::Wrong, why)))) => {
                Failure::refused(peer, format!("{REPORTS}{}", echo_text(&why)))
            }
            Ok(Ok(Some((kind, _)))) => {
                Failure::refused(peer, format!("sends {kind:?} when none is due"))
            }
        };
        health.fail(failure);
        return;
    }
}

async fn send(
    mut writer: impl AsyncWrite + Unpin,
    mut outgoing: mpsc::Receiver<Chunk>,
    peer: &str,
    health: &Health,
) {
    let mut alive = tokio::time::interval(ALIVE);
    loop {
        let sent = tokio::select! {
            biased;
            () = health.failed() => {
                let failure = health.failure();
                let kind = match &failure {
                    Some(Failure::Lost { .. }) | None => Kind::Failed,
                    Some(_) => Kind::Wrong,
                };
                let why = failure.map(first_report).unwrap_or_default();
                let parting = async {
                    frame::write(&mut writer, kind, why.as_bytes()).await?;
                    writer.shutdown().await
                };
                let _ = timeout(PARTING, parting).await;
                return;
            }
            chunk = outgoing.recv() => {
                let Some(chunk) = chunk else {
                    let ending = async {
                        frame::write(&mut writer, Kind::End, &[]).await?;
                        writer.shutdown().await
                    };
                    let _ = timeout(PARTING, ending).await;
                    return;
                };
                let is_last = outgoing.is_empty();
                timeout(SILENT, async {
                    frame::write(&mut writer, Kind::Data, &chunk).await?;
                    if is_last { writer.flush().await } else { Ok(()) }
                }).await
            }
            _ = alive.tick() => {
                timeout(SILENT, async {
                    frame::write(&mut writer, Kind::Alive, &[]).await?;
                    writer.flush().await
                }).await
            }
        };
        let failure = match sent {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => Failure::lost(peer, format!("the connection broke: {error}")),
            Err(_) => Failure::lost(peer, format!("took nothing for {} s", SILENT.as_secs())),
        };
        health.fail(failure);
    }
}
