//! Frames over a connection (step, place, length, payload), and what a party's phases take.

use std::io::{BufReader, BufWriter, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use s3rec_spmm::{Endpoint, Frame, MAX_FRAME_BYTES, Step};

use super::{OpeningParty, OpeningPhase};
use crate::memory::{core_seconds, moved_seconds, moving, own_thread_seconds, peak_bytes};
use crate::psi::Party;
use crate::psi::wire::Wire;
use crate::{BenchError, memory};

/// A party's side of the connection.
pub(super) struct Connection<'a> {
    stream: &'a TcpStream,
    reader: BufReader<Waiting<'a>>,
    writer: BufWriter<Moving<'a>>,
    sent: u64,
}

/// What the other party sends, and how long it was waited for.
struct Waiting<'a> {
    stream: &'a TcpStream,
    seconds: f64,
}

impl Read for Waiting<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let began = Instant::now();
        let read = moving(|| self.stream.read(into));
        self.seconds += began.elapsed().as_secs_f64();
        read
    }
}

struct Moving<'a>(&'a TcpStream);

impl Write for Moving<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        moving(|| self.0.write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl<'a> Connection<'a> {
    fn new(stream: &'a TcpStream) -> Self {
        let seconds = 0.0;
        let (waiting, moving) = (Waiting { stream, seconds }, Moving(stream));
        Self {
            stream,
            reader: BufReader::with_capacity(MAX_FRAME_BYTES, waiting),
            writer: BufWriter::with_capacity(MAX_FRAME_BYTES, moving),
            sent: 0,
        }
    }

    fn waited(&self) -> f64 {
        self.reader.get_ref().seconds
    }

    /// Talks in messages instead of frames.
    pub(super) fn with_messages<T>(
        &mut self,
        talk: impl FnOnce(&Wire<'_>, &mut dyn Read) -> Result<T, BenchError>,
    ) -> Result<T, BenchError> {
        let wire = Wire::new(self.stream);
        let said = talk(&wire, &mut self.reader)?;
        self.sent += wire.sent();
        Ok(said)
    }

    /// Runs an endpoint to its end.
    pub(super) fn drive(&mut self, endpoint: &mut dyn Endpoint) -> Result<(), BenchError> {
        loop {
            while let Some(frame) = endpoint.poll_send()? {
                self.send(&frame).map_err(BenchError::Connection)?;
            }
            self.writer.flush().map_err(BenchError::Connection)?;
            if endpoint.is_done() {
                return Ok(());
            }
            let frame = self.receive()?;
            endpoint.receive(frame)?;
        }
    }

    fn send(&mut self, frame: &Frame) -> std::io::Result<()> {
        let length = u32::try_from(frame.payload.len()).unwrap_or(u32::MAX);
        self.writer.write_all(&[frame.step.number()])?;
        self.writer.write_all(&frame.sequence.to_le_bytes())?;
        self.writer.write_all(&length.to_le_bytes())?;
        self.sent += u64::from(length);
        self.writer.write_all(&frame.payload)
    }

    fn receive(&mut self) -> Result<Frame, BenchError> {
        let broken = BenchError::Connection;
        let mut step = [0; 1];
        let (mut sequence, mut length) = ([0; 4], [0; 4]);
        self.reader.read_exact(&mut step).map_err(broken)?;
        self.reader.read_exact(&mut sequence).map_err(broken)?;
        self.reader.read_exact(&mut length).map_err(broken)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_FRAME_BYTES {
            return Err(broken(std::io::ErrorKind::InvalidData.into()));
        }
        let mut payload = vec![0; length];
        self.reader.read_exact(&mut payload).map_err(broken)?;
        Ok(Frame {
            step: Step::try_from(u32::from(step[0]))?,
            sequence: u32::from_le_bytes(sequence),
            payload,
        })
    }
}

/// A party at work: its phases one after the other.
pub(super) struct Meter<'a> {
    connection: Connection<'a>,
    began: Instant,
    phases: Vec<OpeningPhase>,
    peak_rss_bytes: u64,
    told: &'a dyn Fn(&OpeningPhase),
}

impl<'a> Meter<'a> {
    pub(super) fn new(stream: &'a TcpStream, told: &'a dyn Fn(&OpeningPhase)) -> Self {
        Self {
            connection: Connection::new(stream),
            began: Instant::now(),
            phases: Vec::new(),
            peak_rss_bytes: 0,
            told,
        }
    }

    pub(super) fn phase<T>(
        &mut self,
        name: &str,
        work: impl FnOnce(&mut Connection<'a>) -> Result<T, BenchError>,
    ) -> Result<T, BenchError> {
        memory::reset_peak();
        let (began, before) = (Instant::now(), core_seconds());
        let (waited, sent) = (self.connection.waited(), self.connection.sent);
        let (alone, moved) = (own_thread_seconds(), moved_seconds());
        let done = work(&mut self.connection)?;
        let moving_seconds = moved_seconds() - moved;
        let peak_rss_bytes = peak_bytes();
        self.peak_rss_bytes = self.peak_rss_bytes.max(peak_rss_bytes);
        let phase = OpeningPhase {
            name: name.to_owned(),
            seconds: began.elapsed().as_secs_f64() - (self.connection.waited() - waited),
            core_seconds: core_seconds() - before,
            serial_seconds: own_thread_seconds() - alone - moving_seconds,
            moving_seconds,
            sent_bytes: self.connection.sent - sent,
            peak_rss_bytes,
        };
        (self.told)(&phase);
        self.phases.push(phase);
        Ok(done)
    }

    /// What was measured so far.
    pub(super) fn finish(self, party: Party) -> OpeningParty {
        OpeningParty {
            party,
            threads: rayon::current_num_threads(),
            seconds: self.began.elapsed().as_secs_f64(),
            phases: self.phases,
            sent_bytes: self.connection.sent,
            peak_rss_bytes: self.peak_rss_bytes,
            pairs: 0,
            most_friends: 0,
            noise_ratio: 0.0,
            served: None,
        }
    }
}
