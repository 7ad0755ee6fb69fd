//! A connection's sockets: what is unsent is bounded, and every byte that moves counts as life.
//!
//! Over a slow link an answer to a ping stands in line behind megabytes that were sent before. A
//! limit on that answer takes a slow link for a broken one, and breaks a job at the same place
//! again and again. What counts here is bytes, either way: pings go out every few seconds, so
//! that where nothing moves at all, somebody is gone.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::transport::server::Connected;

/// A connection over which no byte has moved for this long has broken.
pub(crate) const SILENCE: Duration = Duration::from_secs(15);

/// Bytes that the system takes of us before it has sent those before: what waits in front of a
/// ping, a refusal or the end of a job.
const UNSENT_BYTES: u32 = 128 << 10;

/// A stream that breaks when nothing moves.
pub(crate) struct Alive<S> {
    stream: S,
    silence: Pin<Box<Sleep>>,
    moved: Instant,
}

impl Alive<TcpStream> {
    /// A connection just made or accepted: small messages wait for nothing, unsent bytes are few.
    pub(crate) fn over(stream: TcpStream) -> Self {
        // Failures only cost time.
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES);
        Self::new(stream)
    }
}

impl<S> Alive<S> {
    fn new(stream: S) -> Self {
        let moved = Instant::now();
        Self {
            stream,
            silence: Box::pin(sleep_until(moved + SILENCE)),
            moved,
        }
    }

    fn is_silent(&mut self, context: &mut Context<'_>) -> bool {
        while self.silence.as_mut().poll(context).is_ready() {
            let until = self.moved + SILENCE;
            if until <= Instant::now() {
                return true;
            }
            self.silence.as_mut().reset(until);
        }
        false
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Alive<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            this.moved = Instant::now();
        }
        // Whoever has a connection always waits to read: here silence is noticed.
        if read.is_pending() && this.is_silent(context) {
            let words = format!("not a byte moved for {} s", SILENCE.as_secs());
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, words)));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Alive<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(1..)) = written {
            self.moved = Instant::now();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: Connected> Connected for Alive<S> {
    type ConnectInfo = S::ConnectInfo;

    fn connect_info(&self) -> S::ConnectInfo {
        self.stream.connect_info()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn any_byte_either_way_is_life_and_silence_is_the_end() {
        let (ours, mut theirs) = tokio::io::duplex(1);
        let mut alive = Alive::new(ours);
        // A byte every 10 s is a slow link.
        for _ in 0..5 {
            let late = async {
                tokio::time::sleep(Duration::from_secs(10)).await;
                theirs.write_all(b"x").await.unwrap();
            };
            let (read, ()) = tokio::join!(alive.read_u8(), late);
            read.unwrap();
        }
        // So is a peer that takes a byte every 10 s and has nothing to say.
        let (mut reads, mut writes) = tokio::io::split(alive);
        let taking = async {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_secs(10)).await;
                theirs.read_u8().await.unwrap();
            }
        };
        let began = Instant::now();
        tokio::select! {
            _ = reads.read_u8() => panic!("broken off while bytes moved"),
            (sent, ()) = async { tokio::join!(writes.write_all(&[0; 6]), taking) } => sent.unwrap(),
        }
        let ended = reads.read_u8().await.unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::TimedOut);
        let silent = began.elapsed() - Duration::from_secs(50);
        assert!(silent >= SILENCE - Duration::from_secs(1), "{silent:?}");
        assert!(silent < SILENCE + Duration::from_secs(1), "{silent:?}");
    }
}
