//! P0's side of a round: encrypt and send U, decrypt what comes back.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use s3rec_algebra::{PublicSeed, RingMatrix, Seed};
use s3rec_he::Response;

use super::RatingKeys;
use crate::chunks::{Chunks, Due, Numbering, not_due};
use crate::cost::Sizes;
use crate::endpoint::Fuse;
use crate::fetch::RatingFetch;
use crate::rows::{check_shape, gather, scatter};
use crate::{Endpoint, Frame, ProductParameters, PublicPattern, SpmmError, Step};

/// Step 1: the rows of an upload, encrypted as they are asked for.
pub struct Upload {
    keys: Arc<RatingKeys>,
    rows: RingMatrix,
    mask_seed: PublicSeed,
    error_seed: Seed,
}

impl Upload {
    /// Prepares `rows` (uploaded rows × at most N) for encryption under a master mask seed and
    /// errors that are drawn for this upload alone.
    ///
    /// # Errors
    /// [`SpmmError::Algebra`] without entropy.
    pub fn new(keys: &Arc<RatingKeys>, rows: RingMatrix) -> Result<Upload, SpmmError> {
        Ok(Upload::with_entropy(keys, rows, &Seed::generate()?))
    }

    pub(crate) fn with_entropy(keys: &Arc<RatingKeys>, rows: RingMatrix, entropy: &Seed) -> Upload {
        Upload {
            keys: Arc::clone(keys),
            rows,
            mask_seed: entropy.derive_public("s3rec he master mask seed", &[]),
            error_seed: entropy.derive("s3rec he upload errors", &[]),
        }
    }

    /// The master seed of all masks, for P1.
    pub fn mask_seed(&self) -> &PublicSeed {
        &self.mask_seed
    }

    /// The rounded bodies of some rows, packed, for P1.
    ///
    /// # Errors
    /// [`SpmmError::He`] for rows that do not exist.
    pub fn bodies(&self, rows: Range<usize>) -> Result<Vec<u8>, SpmmError> {
        let bodies =
            self.keys
                .secret
                .encrypt_rows(&self.rows, &self.mask_seed, &self.error_seed, rows)?;
        Ok(bodies.into_bytes())
    }
}

/// P0's side of one round as an endpoint: sends a seed and bodies, receives responses.
pub struct RatingRound {
    keys: Arc<RatingKeys>,
    pattern: Arc<PublicPattern>,
    upload: Upload,
    seed: Chunks,
    bodies: Chunks,
    responses: Chunks,
    fetch: Option<Arc<RatingFetch>>,
    /// Answers to P1's queries, when it fetches.
    answers: Vec<u8>,
    numbering: Numbering,
    due: Due,
    sent: usize,
    received: usize,
    shares: Vec<u64>,
    fuse: Fuse,
}

impl RatingRound {
    /// Prepares a round for `factors`, m × k. Fresh masks and errors are drawn, so a round is
    /// never repeated with the same randomness.
    ///
    /// # Errors
    /// [`SpmmError::Shape`] for operands that are not of the agreed shape.
    pub fn new(
        keys: &Arc<RatingKeys>,
        pattern: &Arc<PublicPattern>,
        factors: &RingMatrix,
    ) -> Result<RatingRound, SpmmError> {
        check_shape(&keys.parameters, pattern, factors)?;
        let upload = Upload::new(keys, gather(factors, &pattern.uploaded_rows)?.into_owned())?;
        Ok(RatingRound {
            keys: Arc::clone(keys),
            pattern: Arc::clone(pattern),
            upload,
            seed: Sizes::mask_seed()?,
            bodies: Sizes::bodies(&keys.parameters)?,
            responses: Sizes::responses(&keys.parameters)?,
            fetch: None,
            answers: Vec::new(),
            numbering: Numbering::default(),
            due: Due::default(),
            sent: 0,
            received: 0,
            shares: Vec::new(),
            fuse: Fuse::default(),
        })
    }

    /// The same round for a P1 that fetches its rows (`he-pir`), with its expanded queries.
    #[must_use]
    pub fn with_fetch(self, fetch: &Arc<RatingFetch>) -> RatingRound {
        RatingRound {
            fetch: Some(Arc::clone(fetch)),
            ..self
        }
    }

    /// The next part of what P1 receives of the upload.
    fn upload_frame(&mut self, index: usize) -> Result<Vec<u8>, SpmmError> {
        if !self.keys.parameters.protocol.fetches_privately() {
            return self.upload.bodies(self.bodies.items_of(index));
        }
        if index == 0 {
            let fetch = self.fetch.as_ref().ok_or(SpmmError::Unfinished {
                pending: Step::Queries,
            })?;
            let rows = 0..self.keys.parameters.uploaded_rows as usize;
            self.answers = fetch.answer_memory(self.upload.bodies(rows)?)?;
        }
        let answers = self.answers.get(self.bodies.items_of(index));
        let answers = answers.ok_or(SpmmError::Unfinished {
            pending: Step::Answers,
        })?;
        Ok(answers.to_vec())
    }

    /// Y·U, m × k, zero where no row is returned; exact when there are guard bits, else within
    /// one unit in the last place.
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`] before the last frame.
    pub fn into_product(self) -> Result<RingMatrix, SpmmError> {
        if !self.is_done() {
            return Err(SpmmError::Unfinished {
                pending: Step::Responses,
            });
        }
        let parameters = &self.keys.parameters;
        let rows = self.pattern.returned_rows.len();
        let mut values = self.shares;
        values.truncate(rows * parameters.columns as usize);
        let mut product = RingMatrix::new(
            parameters.ring()?,
            rows,
            parameters.columns as usize,
            values,
        )?;
        parameters.fixed_point()?.round_guard(&mut product);
        scatter(product, &self.pattern.returned_rows, self.pattern.users)
    }

    fn frames_to_send(&self) -> usize {
        self.seed.frames() + self.bodies.frames()
    }

    fn send(&mut self) -> Result<Frame, SpmmError> {
        let (step, payload) = match self.sent.checked_sub(self.seed.frames()) {
            None => (Step::MaskSeed, self.upload.mask_seed().as_bytes().to_vec()),
            Some(index) => (self.bodies.step(), self.upload_frame(index)?),
        };
        self.sent += 1;
        Ok(self.numbering.frame(step, payload))
    }

    fn take(&mut self, frame: &Frame) -> Result<(), SpmmError> {
        if self.sent < self.frames_to_send() || self.received == self.responses.frames() {
            return Err(not_due(frame));
        }
        self.due.check(frame, &self.responses, self.received)?;
        self.received += 1;
        let shares = decrypt_responses(&self.keys, &frame.payload, self.responses.item_bytes())?;
        self.shares.extend(shares);
        Ok(())
    }
}

impl Endpoint for RatingRound {
    fn poll_send(&mut self) -> Result<Option<Frame>, SpmmError> {
        self.fuse.check()?;
        if self.sent == self.frames_to_send() {
            return Ok(None);
        }
        let frame = self.send();
        self.fuse.guard(Step::Bodies, frame).map(Some)
    }

    fn receive(&mut self, frame: Frame) -> Result<(), SpmmError> {
        self.fuse.check()?;
        let taken = self.take(&frame);
        self.fuse.guard(Step::Responses, taken)
    }

    fn awaiting(&self) -> Option<Step> {
        (self.received < self.responses.frames()).then_some(Step::Responses)
    }

    fn is_done(&self) -> bool {
        !self.fuse.is_blown()
            && self.sent == self.frames_to_send()
            && self.received == self.responses.frames()
    }
}

/// Step 5, receiving: W = (body − a·s) >> (128 − ℓ) on the used slots of each response.
pub(crate) fn decrypt_responses(
    keys: &RatingKeys,
    responses: &[u8],
    response_bytes: usize,
) -> Result<Vec<u64>, SpmmError> {
    let parameters: &ProductParameters = &keys.parameters;
    let (glwe, ring) = (parameters.glwe()?, parameters.ring()?);
    let used_slots = parameters.layout()?.used_slots();
    let shares: Result<Vec<Vec<u64>>, SpmmError> = responses
        .par_chunks(response_bytes)
        .map(|bytes| {
            let response = Response::from_bytes(glwe, ring, used_slots, bytes)?;
            Ok(keys.secret.decrypt_share(&response))
        })
        .collect();
    Ok(shares?.concat())
}
