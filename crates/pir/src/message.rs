//! The query on the wire: a fixed layout whose length both sides know beforehand.
//!
//! ```text
//! hash seed 32 ‖ mask seed 32 ‖ h keys × 7 digits × N u64 ‖ ⌈3m/N⌉ ciphertexts × N u64
//! ```
//!
//! Little endian; bodies only, all masks come from the mask seed (keys first, then the query).
//! Every string of the right length is one message and the only encoding of it.

use s3rec_algebra::PublicSeed;

use crate::cost::{SEED_BYTES, cost};
use crate::error::PirError;
use crate::frames::{FrameCounter, MAX_FRAME_BYTES};
use crate::parameters::{KEY_LEVELS, POLYNOMIAL_SIZE, PirParameters};

/// What the client sends, once for all rounds (section 3.2, Query).
///
/// To the server it is the two public seeds and values indistinguishable from uniform ones
/// (GLWE); its length depends on m and d_max alone.
#[derive(Clone)]
pub struct QueryMessage {
    pub(crate) hash_seed: PublicSeed,
    pub(crate) mask_seed: PublicSeed,
    pub(crate) key_bodies: Vec<u64>,
    pub(crate) query_bodies: Vec<u64>,
}

impl QueryMessage {
    /// The message's bytes: [`crate::PirCost::upload_bytes`] of them.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let values = self.key_bodies.len() + self.query_bodies.len();
        let mut bytes = Vec::with_capacity(2 * SEED_BYTES + 8 * values);
        bytes.extend_from_slice(self.hash_seed.as_bytes());
        bytes.extend_from_slice(self.mask_seed.as_bytes());
        for value in self.key_bodies.iter().chain(&self.query_bodies) {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        bytes
    }

    /// The message in frames of at most [`MAX_FRAME_BYTES`].
    pub fn frames(&self) -> impl Iterator<Item = Vec<u8>> + use<> {
        let bytes = self.encode();
        let count = bytes.len().div_ceil(MAX_FRAME_BYTES);
        (0..count).map(move |index| {
            let start = index * MAX_FRAME_BYTES;
            bytes[start..bytes.len().min(start + MAX_FRAME_BYTES)].to_vec()
        })
    }

    /// Reads a message for these sizes.
    ///
    /// # Errors
    /// [`PirError::Length`] unless the length is exactly the predicted one.
    pub fn decode(parameters: &PirParameters, bytes: &[u8]) -> Result<Self, PirError> {
        let expected = cost(parameters).upload_bytes();
        let wrong_length = PirError::Length {
            part: "query",
            expected,
            actual: bytes.len() as u64,
        };
        if bytes.len() as u64 != expected {
            return Err(wrong_length);
        }
        let Some((hash_seed, rest)) = bytes.split_first_chunk::<SEED_BYTES>() else {
            return Err(wrong_length);
        };
        let Some((mask_seed, rest)) = rest.split_first_chunk::<SEED_BYTES>() else {
            return Err(wrong_length);
        };
        let (words, _) = rest.as_chunks::<8>();
        let key_values = key_values(parameters);
        let values =
            |words: &[[u8; 8]]| words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        let Some((keys, query)) = words.split_at_checked(key_values) else {
            return Err(wrong_length);
        };
        Ok(Self {
            hash_seed: PublicSeed::from_bytes(*hash_seed),
            mask_seed: PublicSeed::from_bytes(*mask_seed),
            key_bodies: values(keys),
            query_bodies: values(query),
        })
    }
}

/// 64-bit values of all key switching keys.
pub(crate) fn key_values(parameters: &PirParameters) -> usize {
    (parameters.expansion_levels() * KEY_LEVELS) as usize * POLYNOMIAL_SIZE
}

/// The server's end of an upload: takes frames in order, holds no more than the message.
pub struct QueryReceiver {
    parameters: PirParameters,
    counter: FrameCounter,
    bytes: Vec<u8>,
}

impl QueryReceiver {
    /// Awaits a query for these sizes.
    #[must_use]
    pub fn new(parameters: PirParameters) -> Self {
        Self {
            parameters,
            counter: FrameCounter::new("query frame", cost(&parameters).upload_bytes()),
            bytes: Vec::new(),
        }
    }

    /// Takes the next frame.
    ///
    /// # Errors
    /// [`PirError::Length`] or [`PirError::Trailing`]: every frame has one length only.
    pub fn receive(&mut self, frame: &[u8]) -> Result<(), PirError> {
        self.counter.accept(frame)?;
        self.bytes.extend_from_slice(frame);
        Ok(())
    }

    /// Whether the whole message has arrived.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.counter.is_complete()
    }

    /// The message.
    ///
    /// # Errors
    /// [`PirError::Incomplete`] before the last frame.
    pub fn finish(self) -> Result<QueryMessage, PirError> {
        if !self.is_complete() {
            return Err(self.counter.incomplete());
        }
        QueryMessage::decode(&self.parameters, &self.bytes)
    }
}
