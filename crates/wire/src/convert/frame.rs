//! Frames of the secure product as chunks of a stream.

use s3rec_job::{Counters, JobId, Phase};
use s3rec_spmm::{Frame, MAX_FRAME_BYTES, Step};

use super::{counters_from_wire, counters_to_wire, job_id, phase_from_wire, phase_to_wire};
use crate::record::Record;
use crate::{WireError, field, v1};

/// What the first chunk of each direction states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkHeader {
    /// The job.
    pub job: JobId,
    /// SETUP, OFFLINE or ONLINE.
    pub phase: Phase,
    /// 1-based; 0 for SETUP and OFFLINE.
    pub round: u32,
    /// Digest of the agreed parameters.
    pub parameters_digest: [u8; 32],
    /// ONLINE only: what the sender has counted before this round.
    pub counters: Option<Counters>,
    /// OFFLINE only: P0 was away while the stock was made.
    pub goes_on: bool,
}

impl ChunkHeader {
    /// The message.
    #[must_use]
    pub fn to_wire(&self) -> v1::ExchangeHeader {
        v1::ExchangeHeader {
            job_id: self.job.to_string(),
            phase: phase_to_wire(self.phase).into(),
            round: self.round,
            parameters_digest: self.parameters_digest.to_vec(),
            counters: self.counters.as_ref().map(counters_to_wire),
            goes_on: self.goes_on,
        }
    }

    /// Reads the message.
    ///
    /// # Errors
    /// [`WireError`] naming the field.
    pub fn from_wire(header: &v1::ExchangeHeader) -> Result<Self, WireError> {
        let phase = phase_from_wire("header.phase", header.phase)?;
        let rounds = match phase {
            Phase::Online => 1..=u32::MAX,
            Phase::Setup | Phase::Offline => 0..=0,
            _ => {
                return Err(WireError::Form {
                    field: "header.phase",
                    expected: "SETUP, OFFLINE or ONLINE",
                });
            }
        };
        if header.counters.is_some() != (phase == Phase::Online) {
            return Err(WireError::Form {
                field: "header.counters",
                expected: "set exactly where the phase is ONLINE",
            });
        }
        if header.goes_on && phase != Phase::Offline {
            return Err(WireError::Form {
                field: "header.goes_on",
                expected: "set only where the phase is OFFLINE",
            });
        }
        Ok(Self {
            job: job_id("header.job_id", &header.job_id)?,
            phase,
            round: field::within("header.round", header.round, *rounds.start(), *rounds.end())?,
            parameters_digest: field::array("header.parameters_digest", &header.parameters_digest)?,
            counters: header.counters.map(counters_from_wire),
            goes_on: header.goes_on,
        })
    }
}

/// The first chunk of a direction.
#[must_use]
pub fn chunk_of_header(header: &ChunkHeader) -> v1::ExchangeChunk {
    v1::ExchangeChunk {
        header: Some(header.to_wire()),
        ..v1::ExchangeChunk::default()
    }
}

/// The header of a direction's first chunk.
///
/// # Errors
/// [`WireError::Missing`] without one, [`WireError::Contradiction`] when a frame comes along.
pub fn header_of(chunk: &v1::ExchangeChunk) -> Result<ChunkHeader, WireError> {
    let header = chunk.header.as_ref();
    let header = ChunkHeader::from_wire(header.ok_or(WireError::Missing { field: "header" })?)?;
    let rest = v1::ExchangeChunk {
        header: chunk.header.clone(),
        ..v1::ExchangeChunk::default()
    };
    if *chunk != rest {
        return Err(WireError::Contradiction { field: "header" });
    }
    Ok(header)
}

const DIGEST_BYTES: usize = 16;

/// The chunks of one direction of one exchange, at whoever sends or at whoever receives them.
///
/// A chunk's digest is over the exchange's header, who sends, and how many bytes of payload came
/// before: what belongs to another job, phase, round or direction, or stands elsewhere in its
/// own, is found whatever its sequence says.
pub struct Direction {
    /// Over what is the same for every chunk.
    hasher: blake3::Hasher,
    /// Bytes of payload so far.
    offset: u64,
}

impl Direction {
    /// Before the first frame of `sender` under that header.
    #[must_use]
    pub fn new(header: &ChunkHeader, sender: v1::Role) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("s3rec v1 exchange frame");
        let header = header.to_wire().to_record();
        hasher.update(&(header.len() as u64).to_le_bytes());
        hasher.update(&header);
        hasher.update(&i32::from(sender).to_le_bytes());
        Self { hasher, offset: 0 }
    }

    /// The chunk of the next frame.
    #[must_use]
    pub fn chunk_of(&mut self, frame: Frame) -> v1::ExchangeChunk {
        let step = u32::from(frame.step.number());
        let digest = self.digest(frame.sequence, step, &frame.payload).to_vec();
        self.offset += frame.payload.len() as u64;
        v1::ExchangeChunk {
            header: None,
            digest,
            sequence: frame.sequence,
            step,
            payload: frame.payload,
        }
    }

    /// The frame of the next chunk.
    ///
    /// # Errors
    /// [`WireError::TooLong`] above the largest frame, [`WireError::Form`] for a step that no
    /// protocol has, [`WireError::Contradiction`] for a second header or another digest.
    pub fn frame_of(&mut self, chunk: v1::ExchangeChunk) -> Result<Frame, WireError> {
        if chunk.header.is_some() {
            return Err(WireError::Contradiction { field: "header" });
        }
        if chunk.payload.len() > MAX_FRAME_BYTES {
            return Err(WireError::TooLong {
                field: "payload",
                most: MAX_FRAME_BYTES,
            });
        }
        let step = Step::try_from(chunk.step).map_err(|_| WireError::Form {
            field: "step",
            expected: "a step of a protocol that both sides know",
        })?;
        if chunk.digest != self.digest(chunk.sequence, chunk.step, &chunk.payload) {
            return Err(WireError::Contradiction { field: "digest" });
        }
        self.offset += chunk.payload.len() as u64;
        Ok(Frame {
            step,
            sequence: chunk.sequence,
            payload: chunk.payload,
        })
    }

    fn digest(&self, sequence: u32, step: u32, payload: &[u8]) -> [u8; DIGEST_BYTES] {
        let mut hasher = self.hasher.clone();
        hasher.update(&self.offset.to_le_bytes());
        hasher.update(&sequence.to_le_bytes());
        hasher.update(&step.to_le_bytes());
        hasher.update(payload);
        let mut digest = [0; DIGEST_BYTES];
        hasher.finalize_xof().fill(&mut digest);
        digest
    }
}

/// Bytes of a frame's message on the wire, without gRPC's five bytes in front.
#[must_use]
pub fn frame_bytes(frame: &Frame) -> u64 {
    let around = v1::ExchangeChunk {
        header: None,
        sequence: frame.sequence,
        step: u32::from(frame.step.number()),
        payload: Vec::new(),
        digest: vec![0; DIGEST_BYTES],
    };
    let length = frame.payload.len() as u64;
    if length == 0 {
        return around.wire_bytes();
    }
    // A tag and the length as a varint stand in front of the payload.
    let length_bytes = u64::from(64 - length.leading_zeros()).div_ceil(7);
    around.wire_bytes() + 1 + length_bytes + length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(payload_bytes: usize) -> Frame {
        Frame {
            step: Step::Bodies,
            sequence: 300,
            payload: vec![7; payload_bytes],
        }
    }

    fn header() -> ChunkHeader {
        ChunkHeader {
            job: JobId::random(),
            phase: Phase::Online,
            round: 3,
            parameters_digest: [9; 32],
            counters: Some(Counters::default()),
            goes_on: false,
        }
    }

    fn from_rating(header: &ChunkHeader) -> Direction {
        Direction::new(header, v1::Role::Rating)
    }

    #[test]
    fn bytes_are_counted_as_encoded() {
        for length in [0, 1, 127, 128, 16_383, 16_384, MAX_FRAME_BYTES] {
            let counted = frame_bytes(&frame(length));
            let chunk = from_rating(&header()).chunk_of(frame(length));
            assert_eq!(counted, chunk.wire_bytes(), "{length}");
            assert!(counted <= crate::MAX_MESSAGE_BYTES as u64);
        }
    }

    #[test]
    fn frames_survive_the_wire() {
        let header = header();
        let (mut sent, mut received) = (from_rating(&header), from_rating(&header));
        for length in [10, 0, 3] {
            let chunk = sent.chunk_of(frame(length));
            assert_eq!(received.frame_of(chunk).unwrap(), frame(length));
        }
        assert_eq!(header_of(&chunk_of_header(&header)).unwrap(), header);
        assert!(header_of(&sent.chunk_of(frame(1))).is_err());
        assert!(received.frame_of(chunk_of_header(&header)).is_err());
    }

    #[test]
    fn a_chunk_of_anything_else_is_found() {
        let here = header();
        let elsewhere = [
            ChunkHeader {
                job: JobId::random(),
                ..here.clone()
            },
            ChunkHeader {
                round: 4,
                ..here.clone()
            },
            ChunkHeader {
                phase: Phase::Setup,
                ..here.clone()
            },
            ChunkHeader {
                parameters_digest: [8; 32],
                ..here.clone()
            },
        ];
        let found = |chunk| {
            let refused = from_rating(&here).frame_of(chunk);
            matches!(refused, Err(WireError::Contradiction { field: "digest" }))
        };
        for other in &elsewhere {
            assert!(found(from_rating(other).chunk_of(frame(5))), "{other:?}");
        }
        // Sent back to whoever sent it, and by the place in the stream alone.
        assert!(found(
            Direction::new(&here, v1::Role::Social).chunk_of(frame(5))
        ));
        let mut later = from_rating(&here);
        let _ = later.chunk_of(frame(1));
        assert!(found(later.chunk_of(frame(5))));
        assert!(!found(from_rating(&here).chunk_of(frame(5))));
    }

    #[test]
    fn unknown_steps_oversized_frames_and_false_headers_are_refused() {
        let mut direction = from_rating(&header());
        let mut chunk = direction.chunk_of(frame(1));
        chunk.step = 255;
        let refused = direction.frame_of(chunk);
        assert!(matches!(refused, Err(WireError::Form { .. })));
        let oversized = direction.chunk_of(frame(MAX_FRAME_BYTES + 1));
        assert!(matches!(
            direction.frame_of(oversized),
            Err(WireError::TooLong { .. })
        ));
        let mut unnumbered = header().to_wire();
        unnumbered.round = 0;
        assert!(ChunkHeader::from_wire(&unnumbered).is_err());
        let mut elsewhere = header().to_wire();
        elsewhere.set_phase(v1::Phase::Evaluation);
        assert!(ChunkHeader::from_wire(&elsewhere).is_err());
        let mut uncounted = header().to_wire();
        uncounted.counters = None;
        assert!(ChunkHeader::from_wire(&uncounted).is_err());
        let mut going_on = header().to_wire();
        going_on.goes_on = true;
        assert!(ChunkHeader::from_wire(&going_on).is_err());
        going_on.set_phase(v1::Phase::Offline);
        (going_on.round, going_on.counters) = (0, None);
        assert!(ChunkHeader::from_wire(&going_on).unwrap().goes_on);
    }
}
