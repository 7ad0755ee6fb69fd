//! How many connections and calls a port takes, from one client and in all, and what a
//! connection must do to keep its place.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};
use tonic::transport::server::Connected;

use super::PortLimits;
use crate::observe::{self, RefusedConnection};

/// Bytes of an HTTP/2 connection's beginning: its preface and the head of its first frame.
const BEGINNING_BYTES: usize = 24 + 9;

/// The connections of a port.
pub(super) struct Guests {
    port: &'static str,
    limits: PortLimits,
    present: Mutex<Present>,
}

#[derive(Default)]
struct Present {
    by_client: HashMap<IpAddr, u32>,
    calls: HashMap<SocketAddr, Calls>,
}

/// A bucket of calls that fills up with time: two seconds' worth at most.
struct Calls {
    left: f64,
    filled: Instant,
}

impl Guests {
    pub(super) fn new(port: &'static str, limits: PortLimits) -> Arc<Self> {
        Arc::new(Self {
            port,
            limits,
            present: Mutex::default(),
        })
    }

    /// A place for a connection from `remote`; none when it or all have theirs taken.
    pub(super) fn admit(self: &Arc<Self>, remote: SocketAddr) -> Option<Guest> {
        let mut present = self.present();
        let of_client = present.by_client.get(&remote.ip()).copied();
        let of_client = of_client.unwrap_or_default();
        let all: u32 = present.by_client.values().sum();
        if of_client >= self.limits.connections_per_client || all >= self.limits.connections {
            return None;
        }
        present.by_client.insert(remote.ip(), of_client + 1);
        observe::connections(self.port, all as usize + 1);
        Some(Guest {
            guests: Arc::clone(self),
            remote,
        })
    }

    /// Whether the connection from `remote` may make one more call now.
    pub(super) fn may_call(&self, remote: Option<SocketAddr>, now: Instant) -> bool {
        let (Some(limit), Some(remote)) = (self.limits.calls_per_second, remote) else {
            return true;
        };
        let (limit, mut present) = (f64::from(limit), self.present());
        let calls = present.calls.entry(remote).or_insert(Calls {
            left: 2.0 * limit,
            filled: now,
        });
        let passed = now.saturating_duration_since(calls.filled).as_secs_f64();
        calls.left = (calls.left + passed * limit).min(2.0 * limit);
        calls.filled = now;
        if calls.left < 1.0 {
            return false;
        }
        calls.left -= 1.0;
        true
    }

    fn present(&self) -> MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place, given back when dropped.
pub(super) struct Guest {
    guests: Arc<Guests>,
    remote: SocketAddr,
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut present = self.guests.present();
        present.calls.remove(&self.remote);
        if let Some(count) = present.by_client.get_mut(&self.remote.ip()) {
            *count -= 1;
            if *count == 0 {
                present.by_client.remove(&self.remote.ip());
            }
        }
        let all: u32 = present.by_client.values().sum();
        observe::connections(self.guests.port, all as usize);
    }
}

/// A connection with its place; broken off when it does not begin to speak HTTP/2 in time.
pub(super) struct Guarded<S> {
    stream: S,
    guest: Guest,
    /// Until it has begun.
    beginning: Option<(Pin<Box<Sleep>>, usize)>,
}

impl<S> Guarded<S> {
    pub(super) fn new(stream: S, guest: Guest, begin_within: Duration) -> Self {
        Self {
            stream,
            guest,
            beginning: Some((Box::pin(sleep(begin_within)), 0)),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some((deadline, _)) = &mut this.beginning
            && deadline.as_mut().poll(context).is_ready()
        {
            observe::connection_refused(this.guest.guests.port, RefusedConnection::Silent);
            tracing::warn!(remote = %this.guest.remote, "broke off a connection that said nothing");
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if let Some((_, bytes)) = &mut this.beginning {
            *bytes += buffer.filled().len() - before;
            if *bytes >= BEGINNING_BYTES {
                this.beginning = None;
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: Connected> Connected for Guarded<S> {
    type ConnectInfo = S::ConnectInfo;

    fn connect_info(&self) -> S::ConnectInfo {
        self.stream.connect_info()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guests() -> Arc<Guests> {
        let limits = PortLimits {
            connections: 3,
            connections_per_client: 2,
            calls_per_second: Some(10),
            stall: Duration::from_secs(1),
        };
        Guests::new("test", limits)
    }

    fn from(client: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, client], port))
    }

    #[test]
    fn places_are_counted_for_each_client_and_in_all_and_given_back() {
        let guests = guests();
        let first = guests.admit(from(1, 1)).unwrap();
        let _second = guests.admit(from(1, 2)).unwrap();
        assert!(guests.admit(from(1, 3)).is_none(), "the client has two");
        let _third = guests.admit(from(2, 1)).unwrap();
        assert!(guests.admit(from(3, 1)).is_none(), "all are taken");
        drop(first);
        assert!(guests.admit(from(3, 1)).is_some());
    }

    #[test]
    fn calls_run_out_and_come_back_with_time() {
        let (guests, remote, now) = (guests(), Some(from(1, 1)), Instant::now());
        let made = (0..100).filter(|_| guests.may_call(remote, now)).count();
        assert_eq!(made, 20);
        assert!(guests.may_call(Some(from(1, 2)), now), "another connection");
        let later = now + Duration::from_secs(1);
        let made = (0..100).filter(|_| guests.may_call(remote, later)).count();
        assert_eq!(made, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_is_broken_off_and_a_speaking_one_is_not() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let within = Duration::from_secs(5);
        let guarded = |stream| Guarded::new(stream, guests().admit(from(1, 1)).unwrap(), within);

        let (mut theirs, ours) = tokio::io::duplex(64);
        let mut silent = guarded(ours);
        theirs.write_all(b"PRI").await.unwrap();
        let mut bytes = Vec::new();
        let ended = silent.read_to_end(&mut bytes).await.unwrap_err();
        assert_eq!((ended.kind(), bytes.len()), (io::ErrorKind::TimedOut, 3));

        let (mut theirs, ours) = tokio::io::duplex(64);
        let mut speaking = guarded(ours);
        theirs.write_all(&[0; BEGINNING_BYTES]).await.unwrap();
        speaking
            .read_exact(&mut [0; BEGINNING_BYTES])
            .await
            .unwrap();
        tokio::time::sleep(2 * within).await;
        theirs.write_all(b"x").await.unwrap();
        assert_eq!(speaking.read_u8().await.unwrap(), b'x');
    }
}
