//! A relay on the loopback between the daemons that keeps to rate and delay.
//!
//! TLS passes through untouched. Threads rather than tasks, because an executor's timers are too
//! coarse for a tenth of a millisecond.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::ShapingError;
use super::pacing::{Line, wait_until};
use crate::links::LinkShape;

/// Read at a time: small against the line's delay, large against the cost of a call.
const PIECE_BYTES: usize = 16 << 10;
/// Pieces on the line at once, beyond what any rate and delay here need.
const PIECES: usize = 4_096;
/// How often an idle relay looks whether it should end.
const IDLE: Duration = Duration::from_millis(10);

/// What a relay holds besides what the line itself does.
#[derive(Clone, Copy, Debug)]
pub enum Buffers {
    /// As much as the system gives.
    Large,
    /// So many bytes at each socket, as a proxy with small buffers has.
    Small(usize),
}

impl Buffers {
    fn limit(self, socket: SockRef<'_>) -> std::io::Result<()> {
        let Self::Small(bytes) = self else {
            return Ok(());
        };
        socket.set_recv_buffer_size(bytes)?;
        socket.set_send_buffer_size(bytes)
    }

    /// Pieces on the line at once.
    fn pieces(self, link: &LinkShape) -> usize {
        let Self::Small(bytes) = self else {
            return PIECES;
        };
        let delay = Duration::from_secs_f64(link.round_trip_ms / 2_000.0);
        let on_the_way = u128::from(link.bits_per_second / 8) * delay.as_millis() / 1_000;
        let on_the_way = usize::try_from(on_the_way).unwrap_or(usize::MAX);
        let pieces = on_the_way.saturating_add(bytes).div_ceil(PIECE_BYTES) + 1;
        pieces.min(PIECES)
    }
}

/// Ends with its value.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    carried: Arc<AtomicU64>,
    accepting: Option<JoinHandle<()>>,
}

impl Relay {
    /// Listens on a free port and passes every connection on to `target`.
    ///
    /// # Errors
    /// [`ShapingError`].
    pub fn start(target: &str, link: &LinkShape, buffers: Buffers) -> Result<Self, ShapingError> {
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            ShapingError(format!("the relay cannot {what}: {error}"))
        };
        let target: SocketAddr = target.parse().map_err(|e| failed("read its target", &e))?;
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| failed("listen", &e))?;
        // What is accepted has the listener's buffers.
        let limited = buffers.limit(SockRef::from(&listener));
        limited.map_err(|e| failed("limit its buffers", &e))?;
        let pieces = buffers.pieces(link);
        let address = listener.local_addr().map_err(|e| failed("listen", &e))?;
        listener
            .set_nonblocking(true)
            .map_err(|e| failed("listen", &e))?;
        let delay = Duration::from_secs_f64(link.round_trip_ms / 2_000.0);
        let line = || Arc::new(Line::new(link.bits_per_second, delay));
        let lines = [line(), line()];
        let (stop, carried) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let accepting = thread::spawn({
            let (stop, carried) = (Arc::clone(&stop), Arc::clone(&carried));
            move || {
                accept(
                    &listener,
                    target,
                    &lines,
                    (buffers, pieces),
                    &stop,
                    &carried,
                )
            }
        });
        Ok(Self {
            address,
            stop,
            carried,
            accepting: Some(accepting),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Bytes passed on so far, both ways.
    #[must_use]
    pub fn carried_bytes(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(accepting) = self.accepting.take() {
            // It only ends earlier by a panic, which the missing connection has shown already.
            let _ = accepting.join();
        }
    }
}

/// Accepts until told to stop, then cuts what is still open.
fn accept(
    listener: &TcpListener,
    target: SocketAddr,
    [up, down]: &[Arc<Line>; 2],
    (buffers, pieces): (Buffers, usize),
    stop: &AtomicBool,
    carried: &Arc<AtomicU64>,
) {
    let mut open: Vec<TcpStream> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let near = match listener.accept() {
            Ok((near, _)) => near,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                thread::sleep(IDLE);
                continue;
            }
            Err(_) => break,
        };
        // A target that is gone shows to the caller as a closed connection.
        let Ok(far) = TcpStream::connect(target) else {
            continue;
        };
        let _ = buffers.limit(SockRef::from(&far));
        if let Ok(streams) = join(&near, &far, [up, down], pieces, carried) {
            open.extend(streams);
        }
    }
    for stream in open {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

/// Starts both directions of one connection.
fn join(
    near: &TcpStream,
    far: &TcpStream,
    [up, down]: [&Arc<Line>; 2],
    pieces: usize,
    carried: &Arc<AtomicU64>,
) -> std::io::Result<[TcpStream; 2]> {
    near.set_nonblocking(false)?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    pump(near.try_clone()?, far.try_clone()?, up, pieces, carried);
    pump(far.try_clone()?, near.try_clone()?, down, pieces, carried);
    Ok([near.try_clone()?, far.try_clone()?])
}

/// One direction: one thread puts pieces on the line, another takes them off as they arrive.
fn pump(
    mut from: TcpStream,
    to: TcpStream,
    line: &Arc<Line>,
    pieces: usize,
    carried: &Arc<AtomicU64>,
) {
    let (sender, receiver) = sync_channel::<(Instant, Vec<u8>)>(pieces);
    thread::spawn(move || deliver(to, &receiver));
    let (line, carried) = (Arc::clone(line), Arc::clone(carried));
    thread::spawn(move || {
        let mut piece = vec![0; PIECE_BYTES];
        while let Ok(read) = from.read(&mut piece) {
            if read == 0 {
                break;
            }
            carried.fetch_add(read as u64, Ordering::Relaxed);
            let passage = line.reserve(Instant::now(), read);
            let piece = piece.get(..read).unwrap_or_default().to_vec();
            if sender.send((passage.arrives, piece)).is_err() {
                break;
            }
            // Nothing more fits the line before this has left it: the sender feels the rate.
            wait_until(passage.sent);
        }
    });
}

fn deliver(mut to: TcpStream, pieces: &Receiver<(Instant, Vec<u8>)>) {
    for (arrives, piece) in pieces {
        wait_until(arrives);
        if to.write_all(&piece).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(bits_per_second: u64, round_trip_ms: f64) -> LinkShape {
        LinkShape {
            name: "test".to_owned(),
            bits_per_second,
            round_trip_ms,
        }
    }

    #[test]
    fn what_goes_in_comes_out_and_is_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap().to_string();
        let echo = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut received = Vec::new();
            stream.read_to_end(&mut received).unwrap();
            stream.write_all(&received).unwrap();
        });
        let relay = Relay::start(&target, &link(800_000_000, 10.0), Buffers::Large).unwrap();
        let started = Instant::now();
        let mut stream = TcpStream::connect(relay.address()).unwrap();
        let sent: Vec<u8> = (0..200_000_u32).map(|i| (i % 251) as u8).collect();
        stream.write_all(&sent).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        assert_eq!(received, sent);
        assert_eq!(relay.carried_bytes(), 400_000);
        // A lower bound alone: 2 ms of line each way and 10 ms of delay, whatever the machine.
        assert!(started.elapsed() >= Duration::from_millis(14));
        echo.join().unwrap();
    }

    #[test]
    fn a_relay_that_is_dropped_cuts_its_connections() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap().to_string();
        let relay = Relay::start(&target, &link(8_000_000, 0.1), Buffers::Small(64 << 10)).unwrap();
        let mut stream = TcpStream::connect(relay.address()).unwrap();
        let (_held, _) = listener.accept().unwrap();
        // The connection is passed on before it is remembered: one byte through makes sure.
        stream.write_all(&[1]).unwrap();
        thread::sleep(IDLE);
        drop(relay);
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    }
}
