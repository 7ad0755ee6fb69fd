//! Frames over a connection (step, place, length, payload), and what a party's phases take.

use std::io::{BufReader, BufWriter, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use s3rec_spmm::{Endpoint, Frame, MAX_FRAME_BYTES, Step};

use super::{OpeningParty, OpeningPhase};
use crate::memory::{core_seconds, own_thread_seconds, peak_bytes};
use crate::psi::Party;
use crate::{BenchError, memory};

/// A party's side of the connection.
pub(super) struct Connection<'a> {
    reader: BufReader<&'a TcpStream>,
    writer: BufWriter<&'a TcpStream>,
    waited: f64,
    sent: u64,
}

impl<'a> Connection<'a> {
    fn new(stream: &'a TcpStream) -> Self {
        Self {
            reader: BufReader::with_capacity(MAX_FRAME_BYTES, stream),
            writer: BufWriter::with_capacity(MAX_FRAME_BYTES, stream),
            waited: 0.0,
            sent: 0,
        }
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
            let began = Instant::now();
            let frame = self.receive()?;
            self.waited += began.elapsed().as_secs_f64();
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
}

impl<'a> Meter<'a> {
    pub(super) fn new(stream: &'a TcpStream) -> Self {
        memory::reset_peak();
        Self {
            connection: Connection::new(stream),
            began: Instant::now(),
            phases: Vec::new(),
        }
    }

    pub(super) fn phase<T>(
        &mut self,
        name: &str,
        work: impl FnOnce(&mut Connection<'a>) -> Result<T, BenchError>,
    ) -> Result<T, BenchError> {
        let (began, before, waited) = (Instant::now(), core_seconds(), self.connection.waited);
        let alone = own_thread_seconds();
        let done = work(&mut self.connection)?;
        self.phases.push(OpeningPhase {
            name: name.to_owned(),
            seconds: began.elapsed().as_secs_f64() - (self.connection.waited - waited),
            core_seconds: core_seconds() - before,
            serial_seconds: own_thread_seconds() - alone,
        });
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
            peak_rss_bytes: peak_bytes(),
            pairs: 0,
            noise_ratio: 0.0,
        }
    }
}
