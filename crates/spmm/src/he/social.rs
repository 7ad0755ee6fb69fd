//! P1's side of a round: receive the upload, answer it.

use std::sync::Arc;

use s3rec_algebra::PublicSeed;
use s3rec_he::RowBodies;

use super::steps::{Bodies, upload_hasher};
use super::{Received, SocialKeys};
use crate::chunks::{Chunks, Due, Numbering, not_due};
use crate::cost::Sizes;
use crate::endpoint::Fuse;
use crate::fetch::{SocialFetch, frame_ranges};
use crate::operand::SocialOperand;
use crate::parameters::in_range;
use crate::release::Release;
use crate::{Admission, Asked, Endpoint, Frame, SpmmError, Step};

/// Responses computed at a time: bounds the memory for ciphertexts at full precision.
const RESPONSES_AT_ONCE_BYTES: usize = 256 << 20;

/// Memory for one tile of expanded masks or bodies.
const TILE_BYTES: usize = 64 << 20;

/// P1's side of one round as an endpoint: receives a seed and bodies, sends responses.
///
/// The whole answer is computed before its first byte leaves, so that the sending time of a
/// part says nothing about a row.
pub struct SocialRound {
    keys: Arc<SocialKeys>,
    operand: Arc<SocialOperand>,
    admission: Box<dyn Admission>,
    round: u32,
    seed: Chunks,
    bodies: Chunks,
    responses: Chunks,
    fetch: Option<Arc<SocialFetch>>,
    numbering: Numbering,
    due: Due,
    received: usize,
    mask_seed: [u8; 32],
    upload: Vec<u8>,
    answer: Option<Vec<u8>>,
    sent: usize,
    fuse: Fuse,
}

impl SocialRound {
    /// Waits for the upload of `round` and will answer it with `operand`, by the word of
    /// `admission`.
    ///
    /// # Errors
    /// [`SpmmError::OutOfRange`] for sizes that no frame carries and for a round beyond those that
    /// the parameters were made for, [`SpmmError::Shape`] when the operand was made for others.
    pub fn new(
        keys: &Arc<SocialKeys>,
        operand: &Arc<SocialOperand>,
        round: u32,
        admission: impl Admission + 'static,
    ) -> Result<SocialRound, SpmmError> {
        operand.check_made_for(&keys.parameters)?;
        in_range(
            "round",
            round,
            0,
            u64::from(keys.parameters.rounds.saturating_sub(1)),
        )?;
        Ok(SocialRound {
            keys: Arc::clone(keys),
            operand: Arc::clone(operand),
            admission: Box::new(admission),
            round,
            seed: Sizes::mask_seed()?,
            bodies: Sizes::bodies(&keys.parameters)?,
            responses: Sizes::responses(&keys.parameters)?,
            fetch: None,
            numbering: Numbering::default(),
            due: Due::default(),
            received: 0,
            mask_seed: [0; 32],
            upload: Vec::new(),
            answer: None,
            sent: 0,
            fuse: Fuse::default(),
        })
    }

    /// The same round with rows that P1 fetches (`he-pir`) by the queries it sent.
    #[must_use]
    pub fn with_fetch(self, fetch: &Arc<SocialFetch>) -> SocialRound {
        SocialRound {
            fetch: Some(Arc::clone(fetch)),
            ..self
        }
    }

    fn frames_due(&self) -> usize {
        self.seed.frames() + self.bodies.frames()
    }

    /// Steps 2 to 6 over all responses, a bounded number at a time.
    fn compute(&mut self) -> Result<Vec<u8>, SpmmError> {
        let parameters = &self.keys.parameters;
        let rows_per_response = parameters.layout()?.rows_per_response as usize;
        let ciphertext_bytes =
            16 * ((parameters.glwe_dimension + 1) * parameters.polynomial_size) as usize;
        let at_once = (RESPONSES_AT_ONCE_BYTES / ciphertext_bytes).max(1);
        let count = self.operand.rows().div_ceil(rows_per_response);
        let seed = PublicSeed::from_bytes(self.mask_seed);
        let upload = std::mem::take(&mut self.upload);
        let digest = *upload_hasher(&seed).update(&upload).finalize().as_bytes();
        // Frames of `he` name no round: it is the one that this endpoint was made for, once.
        let asked = Asked {
            round: self.round,
            number: self.round + 1,
            digest,
            is_repeat: false,
        };
        self.admission.permit(&asked)?;
        self.admission.count(&asked)?;
        let glwe = parameters.glwe()?;
        let bodies = if parameters.protocol.fetches_privately() {
            let fetch = self.fetch.as_ref().ok_or(SpmmError::Unfinished {
                pending: Step::Queries,
            })?;
            let frames = frame_ranges(upload.len());
            let frames = frames.map(|range| Ok(upload.get(range).unwrap_or_default().to_vec()));
            Bodies::Fetched(fetch.extract(glwe, frames)?)
        } else {
            Bodies::Memory(RowBodies::from_bytes(
                glwe,
                0..parameters.uploaded_rows as usize,
                upload,
            )?)
        };
        let received = Received::new(&self.keys, &self.operand, self.round, seed, &digest, bodies)?;
        let release = Release::of(parameters)?;
        let mut answer = Vec::with_capacity(self.responses.total_bytes());
        for first in (0..count).step_by(at_once) {
            let range = first..(first + at_once).min(count);
            let masked = received
                .multiply(&self.operand, range, TILE_BYTES)?
                .rerandomise()
                .mask()?;
            answer.extend(masked.add_share(release).round());
        }
        Ok(answer)
    }

    fn send(&mut self) -> Result<Frame, SpmmError> {
        if self.answer.is_none() {
            self.answer = Some(self.compute()?);
        }
        let items = self.responses.items_of(self.sent);
        let bytes =
            items.start * self.responses.item_bytes()..items.end * self.responses.item_bytes();
        let answer = self.answer.as_deref().unwrap_or_default();
        let payload = answer.get(bytes).unwrap_or_default().to_vec();
        self.sent += 1;
        Ok(self.numbering.frame(Step::Responses, payload))
    }

    fn take(&mut self, frame: &Frame) -> Result<(), SpmmError> {
        if self.received == self.frames_due() {
            return Err(not_due(frame));
        }
        match self.received.checked_sub(self.seed.frames()) {
            None => {
                self.due.check(frame, &self.seed, self.received)?;
                self.mask_seed.copy_from_slice(&frame.payload);
            }
            Some(index) => {
                self.due.check(frame, &self.bodies, index)?;
                self.upload.extend_from_slice(&frame.payload);
            }
        }
        self.received += 1;
        Ok(())
    }
}

impl Endpoint for SocialRound {
    fn poll_send(&mut self) -> Result<Option<Frame>, SpmmError> {
        self.fuse.check()?;
        if self.received < self.frames_due() || self.is_done() {
            return Ok(None);
        }
        let frame = self.send();
        self.fuse.guard(Step::Responses, frame).map(Some)
    }

    fn receive(&mut self, frame: Frame) -> Result<(), SpmmError> {
        self.fuse.check()?;
        let due = self.awaiting().unwrap_or(Step::Bodies);
        let taken = self.take(&frame);
        self.fuse.guard(due, taken)
    }

    fn awaiting(&self) -> Option<Step> {
        match self.received {
            0 => Some(Step::MaskSeed),
            received if received < self.frames_due() => Some(self.bodies.step()),
            _ => None,
        }
    }

    fn is_done(&self) -> bool {
        !self.fuse.is_blown()
            && self.received == self.frames_due()
            && self.sent == self.responses.frames()
    }
}
