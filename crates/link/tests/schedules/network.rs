//! One exchange: frames of both endpoints cross as encoded chunks, which the weather befalls.

use std::collections::VecDeque;

use s3rec_job::{JobId, Phase};
use s3rec_spmm::{Endpoint, Frame, SpmmError};
use s3rec_wire::convert::{ChunkHeader, Direction};
use s3rec_wire::record::Record;
use s3rec_wire::v1;

use crate::transcript::Transcript;
use crate::weather::{Messages, Misfortune, Side};

/// Why an attempt stopped.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The connection is gone, or a process: both begin again from disk.
    Broken,
    /// Nothing passes for so many attempts.
    Partitioned(u32),
    /// One side ends the job by name.
    Refused(Side, String),
}

pub(crate) struct Network<'a> {
    pub(crate) transcript: &'a mut Transcript,
    pub(crate) misfortune: Misfortune,
    pub(crate) messages: Messages,
}

/// What is on its way in one direction.
struct Way {
    sent: Direction,
    received: Direction,
    chunks: VecDeque<Vec<u8>>,
}

impl Way {
    fn from(header: &ChunkHeader, sender: v1::Role) -> Self {
        Self {
            sent: Direction::new(header, sender),
            received: Direction::new(header, sender),
            chunks: VecDeque::new(),
        }
    }

    /// The next frame that arrives, at `at`.
    fn arrived(&mut self, at: Side) -> Result<Option<Frame>, Stop> {
        let Some(bytes) = self.chunks.pop_front() else {
            return Ok(None);
        };
        let frame =
            v1::ExchangeChunk::from_record(&bytes).and_then(|chunk| self.received.frame_of(chunk));
        frame
            .map(Some)
            .map_err(|error| Stop::Refused(at, error.to_string()))
    }
}

impl Network<'_> {
    /// Both endpoints to their ends.
    pub(crate) fn exchange<R: Endpoint, S: Endpoint>(
        &mut self,
        rating: &mut R,
        social: &mut S,
    ) -> Result<(), Stop> {
        let header = ChunkHeader {
            job: JobId::random(),
            phase: Phase::Setup,
            round: 0,
            parameters_digest: [0; 32],
            counters: None,
            goes_on: false,
        };
        let mut to_social = Way::from(&header, v1::Role::Rating);
        let mut to_rating = Way::from(&header, v1::Role::Social);
        loop {
            let mut moved = false;
            while let Some(frame) = rating.poll_send().map_err(of(Side::Rating))? {
                self.send(Side::Rating, frame, &mut to_social)?;
                moved = true;
            }
            while let Some(frame) = social.poll_send().map_err(of(Side::Social))? {
                self.send(Side::Social, frame, &mut to_rating)?;
                moved = true;
            }
            if let Some(frame) = to_social.arrived(Side::Social)? {
                social.receive(frame).map_err(of(Side::Social))?;
                moved = true;
            }
            if let Some(frame) = to_rating.arrived(Side::Rating)? {
                rating.receive(frame).map_err(of(Side::Rating))?;
                moved = true;
            }
            let is_over = rating.is_done() && social.is_done();
            if is_over && !(to_rating.chunks.is_empty() && to_social.chunks.is_empty()) {
                return Err(Stop::Refused(Side::Social, "sent on after the end".into()));
            }
            if is_over {
                return Ok(());
            }
            if !moved {
                // Idle for the limit: the connection is given up.
                return Err(Stop::Broken);
            }
        }
    }

    fn send(&mut self, from: Side, frame: Frame, to: &mut Way) -> Result<(), Stop> {
        self.transcript.note(from, &frame);
        let mut bytes = to.sent.chunk_of(frame).to_record();
        let now = self.messages.next();
        match self.misfortune {
            Misfortune::Crash { message, .. } if message == now => return Err(Stop::Broken),
            Misfortune::Partition { message, attempts } if message == now => {
                return Err(Stop::Partitioned(attempts));
            }
            // Later than anybody waits is as good as never.
            Misfortune::Drop { message } | Misfortune::Delay { message } if message == now => {
                return Ok(());
            }
            Misfortune::Duplicate { message } if message == now => {
                to.chunks.push_back(bytes.clone())
            }
            Misfortune::Corrupt { message, bit } if message == now => {
                let bit = bit % (bytes.len() * 8);
                if let Some(byte) = bytes.get_mut(bit / 8) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            Misfortune::Reorder { message } if message == now => {
                to.chunks.push_front(bytes);
                return Ok(());
            }
            _ => {}
        }
        to.chunks.push_back(bytes);
        Ok(())
    }
}

/// A dead disk is a dead process; everything else ends the job.
pub(crate) fn of(side: Side) -> impl Fn(SpmmError) -> Stop {
    move |error| match error {
        SpmmError::Storage(_) => Stop::Broken,
        error => Stop::Refused(side, error.to_string()),
    }
}
