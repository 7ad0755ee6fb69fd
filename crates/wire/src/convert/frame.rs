//! Frames of the secure product as chunks of a stream.

use s3rec_spmm::{Frame, MAX_FRAME_BYTES, Step};

use super::JobId;
use crate::record::Record;
use crate::{WireError, field, v1};

/// What the first chunk of each direction states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkHeader {
    /// The job.
    pub job: JobId,
    /// SETUP, OFFLINE or ONLINE.
    pub phase: v1::Phase,
    /// 1-based; 0 for SETUP and OFFLINE.
    pub round: u32,
    /// Digest of the agreed parameters.
    pub parameters_digest: [u8; 32],
    /// ONLINE only: what the sender has counted before this round.
    pub counters: Option<v1::Counters>,
}

impl ChunkHeader {
    /// The message.
    #[must_use]
    pub fn to_wire(&self) -> v1::ExchangeHeader {
        v1::ExchangeHeader {
            job_id: self.job.to_string(),
            phase: self.phase.into(),
            round: self.round,
            parameters_digest: self.parameters_digest.to_vec(),
            counters: self.counters,
        }
    }

    /// Reads the message.
    ///
    /// # Errors
    /// [`WireError`] naming the field.
    pub fn from_wire(header: &v1::ExchangeHeader) -> Result<Self, WireError> {
        let phase = field::enumeration::<v1::Phase>("header.phase", header.phase)?;
        let rounds = match phase {
            v1::Phase::Online => 1..=u32::MAX,
            v1::Phase::Setup | v1::Phase::Offline => 0..=0,
            _ => {
                return Err(WireError::Form {
                    field: "header.phase",
                    expected: "SETUP, OFFLINE or ONLINE",
                });
            }
        };
        if header.counters.is_some() != (phase == v1::Phase::Online) {
            return Err(WireError::Form {
                field: "header.counters",
                expected: "set exactly where the phase is ONLINE",
            });
        }
        Ok(Self {
            job: JobId::parse("header.job_id", &header.job_id)?,
            phase,
            round: field::within("header.round", header.round, *rounds.start(), *rounds.end())?,
            parameters_digest: field::array("header.parameters_digest", &header.parameters_digest)?,
            counters: header.counters,
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

/// The chunk of a frame.
#[must_use]
pub fn chunk_of(frame: Frame) -> v1::ExchangeChunk {
    v1::ExchangeChunk {
        header: None,
        digest: digest(frame.sequence, frame.step.number().into(), &frame.payload).to_vec(),
        sequence: frame.sequence,
        step: u32::from(frame.step.number()),
        payload: frame.payload,
    }
}

const DIGEST_BYTES: usize = 16;

fn digest(sequence: u32, step: u32, payload: &[u8]) -> [u8; DIGEST_BYTES] {
    let mut hasher = blake3::Hasher::new_derive_key("s3rec v1 exchange frame");
    hasher.update(&sequence.to_le_bytes());
    hasher.update(&step.to_le_bytes());
    hasher.update(payload);
    let mut digest = [0; DIGEST_BYTES];
    hasher.finalize_xof().fill(&mut digest);
    digest
}

/// The frame of a chunk.
///
/// # Errors
/// [`WireError::TooLong`] above the largest frame, [`WireError::Form`] for a step that no
/// protocol has, [`WireError::Contradiction`] for a second header or another frame's digest.
pub fn frame_of(chunk: v1::ExchangeChunk) -> Result<Frame, WireError> {
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
    if chunk.digest != digest(chunk.sequence, chunk.step, &chunk.payload) {
        return Err(WireError::Contradiction { field: "digest" });
    }
    Ok(Frame {
        step,
        sequence: chunk.sequence,
        payload: chunk.payload,
    })
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
            phase: v1::Phase::Online,
            round: 3,
            parameters_digest: [9; 32],
            counters: Some(v1::Counters::default()),
        }
    }

    #[test]
    fn bytes_are_counted_as_encoded() {
        for length in [0, 1, 127, 128, 16_383, 16_384, MAX_FRAME_BYTES] {
            let counted = frame_bytes(&frame(length));
            assert_eq!(counted, chunk_of(frame(length)).wire_bytes(), "{length}");
            assert!(counted <= crate::MAX_MESSAGE_BYTES as u64);
        }
    }

    #[test]
    fn a_frame_survives_the_wire() {
        let received = frame_of(chunk_of(frame(10))).unwrap();
        assert_eq!(received, frame(10));
        let header = header();
        assert_eq!(header_of(&chunk_of_header(&header)).unwrap(), header);
        assert!(header_of(&chunk_of(frame(1))).is_err());
        assert!(frame_of(chunk_of_header(&header)).is_err());
    }

    #[test]
    fn unknown_steps_oversized_frames_and_false_headers_are_refused() {
        let mut chunk = chunk_of(frame(1));
        chunk.step = 255;
        assert!(matches!(frame_of(chunk), Err(WireError::Form { .. })));
        let oversized = chunk_of(frame(MAX_FRAME_BYTES + 1));
        assert!(matches!(
            frame_of(oversized),
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
    }
}
