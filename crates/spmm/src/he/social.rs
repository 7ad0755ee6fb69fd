//! P1's side of a round: receive the upload, answer it.

use std::sync::Arc;

use s3rec_algebra::PublicSeed;

use super::answer::{Budget, StoredBodies, answer};
use super::steps::{Bodies, mask_seed, upload_hasher};
use super::{Received, SocialKeys};
use crate::chunks::{Chunks, Due, Numbering, not_due};
use crate::cost::Sizes;
use crate::endpoint::Fuse;
use crate::fetch::{SocialFetch, frame_ranges};
use crate::operand::SocialOperand;
use crate::parameters::in_range;
use crate::release::Release;
use crate::scratch::Scratch;
use crate::{Admission, Asked, Endpoint, Frame, ProductParameters, SpmmError, Step, WorkingSpace};

/// P1's side of one round as an endpoint: receives a seed and bodies, sends responses.
///
/// The whole answer is computed before its first byte leaves, so that the sending time of a
/// part says nothing about a row. Memory: what the working space allows, whatever m is.
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
    /// Once it is here, with the digest of what came behind it.
    mask_seed: Option<(PublicSeed, blake3::Hasher)>,
    rooms: Rooms,
    budget: Budget,
    is_answered: bool,
    sent: usize,
    fuse: Fuse,
}

impl SocialRound {
    /// Waits for the upload of `round` and will answer it with `operand`, by the word of
    /// `admission`, within `space`.
    ///
    /// # Errors
    /// [`SpmmError::OutOfRange`] for sizes that no frame carries and for a round beyond those that
    /// the parameters were made for, [`SpmmError::Shape`] when the operand was made for others,
    /// [`SpmmError::MemoryLimit`] for too little memory, [`SpmmError::Storage`] for a bad directory.
    pub fn new(
        keys: &Arc<SocialKeys>,
        operand: &Arc<SocialOperand>,
        round: u32,
        admission: impl Admission + 'static,
        space: &WorkingSpace,
    ) -> Result<SocialRound, SpmmError> {
        operand.check_made_for(&keys.parameters)?;
        in_range(
            "round",
            round,
            0,
            u64::from(keys.parameters.rounds.saturating_sub(1)),
        )?;
        let (rooms, budget) = Rooms::new(&keys.parameters, space)?;
        Ok(SocialRound {
            rooms,
            budget,
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
            mask_seed: None,
            is_answered: false,
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

    /// Steps 2 to 6 over all responses, as many at a time as memory holds.
    fn compute(&mut self) -> Result<(), SpmmError> {
        let parameters = &self.keys.parameters;
        let (seed, hasher) = self.mask_seed.take().ok_or(SpmmError::Unfinished {
            pending: Step::MaskSeed,
        })?;
        let digest = *hasher.finalize().as_bytes();
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
        let upload = self.rooms.upload.take().ok_or(SpmmError::Spent {
            step: Step::Responses,
        })?;
        let bodies = if parameters.protocol.fetches_privately() {
            let fetch = self.fetch.as_ref().ok_or(SpmmError::Unfinished {
                pending: Step::Queries,
            })?;
            let rows = self.rooms.fetched.take().ok_or(SpmmError::Spent {
                step: Step::Responses,
            })?;
            let frames = frame_ranges(self.bodies.total_bytes()).map(|range| {
                let mut frame = vec![0; range.len()];
                upload.read_at(range.start as u64, &mut frame)?;
                Ok(frame)
            });
            Bodies::Fetched(fetch.extract(glwe, rows, frames)?)
        } else {
            Bodies::All(StoredBodies {
                place: upload,
                glwe,
                offset_bytes: 0,
            })
        };
        let operand = &self.operand;
        let received = Received::new(&self.keys, operand, self.round, seed, &digest, bodies)?;
        let release = Release::of(parameters)?;
        let sent = &mut self.rooms.answer;
        answer(&received, operand, parameters, self.budget, |_, masked| {
            Ok(sent.append(&masked.add_share(release).round())?)
        })
    }

    fn send(&mut self) -> Result<Frame, SpmmError> {
        if !self.is_answered {
            self.compute()?;
            self.is_answered = true;
        }
        let items = self.responses.items_of(self.sent);
        let item_bytes = self.responses.item_bytes();
        let mut payload = vec![0; items.len() * item_bytes];
        let offset_bytes = (items.start * item_bytes) as u64;
        self.rooms.answer.read_at(offset_bytes, &mut payload)?;
        self.sent += 1;
        Ok(self.numbering.frame(Step::Responses, payload))
    }

    fn take(&mut self, frame: &Frame) -> Result<(), SpmmError> {
        if self.received == self.frames_due() {
            return Err(not_due(frame));
        }
        match (&mut self.mask_seed, &mut self.rooms.upload) {
            (Some((_, hasher)), Some(upload)) => {
                let index = self.received - self.seed.frames();
                self.due.check(frame, &self.bodies, index)?;
                hasher.update(&frame.payload);
                upload.append(&frame.payload)?;
            }
            (None, Some(_)) => {
                self.due.check(frame, &self.seed, self.received)?;
                let seed = mask_seed(frame)?;
                self.mask_seed = Some((seed, upload_hasher(&seed)));
            }
            (_, None) => return Err(not_due(frame)),
        }
        self.received += 1;
        Ok(())
    }
}

/// Where a round's upload, the rows fetched from it and its answer lie.
struct Rooms {
    upload: Option<Scratch>,
    fetched: Option<Scratch>,
    answer: Scratch,
}

impl Rooms {
    /// In memory when that takes no more than half of it and the other half computes the answer.
    fn new(
        parameters: &ProductParameters,
        space: &WorkingSpace,
    ) -> Result<(Rooms, Budget), SpmmError> {
        let (glwe, kept) = (parameters.glwe()?, Kept::of(parameters)?);
        let half_bytes = space.memory_limit_bytes / 2;
        let halved = Budget::new(half_bytes, &glwe);
        let (in_memory, budget) = match halved {
            Ok(budget) if kept.bytes() <= half_bytes as u64 => (true, budget),
            _ => (false, Budget::new(space.memory_limit_bytes, &glwe)?),
        };
        let room = |bytes| Scratch::new(space, in_memory, bytes);
        let rooms = Rooms {
            upload: Some(room(kept.upload)?),
            fetched: kept.fetched.map(room).transpose()?,
            answer: room(kept.answer)?,
        };
        Ok((rooms, budget))
    }
}

/// Bytes that a round keeps while it is answered.
pub(crate) struct Kept {
    upload: usize,
    fetched: Option<usize>,
    answer: usize,
}

impl Kept {
    pub(crate) fn of(parameters: &ProductParameters) -> Result<Kept, SpmmError> {
        let row_bytes = parameters.glwe()?.upload_bytes_per_row();
        let fetches = parameters.protocol.fetches_privately();
        Ok(Kept {
            upload: Sizes::bodies(parameters)?.total_bytes(),
            fetched: fetches.then_some(parameters.fetched_rows_bound as usize * row_bytes),
            answer: Sizes::responses(parameters)?.total_bytes(),
        })
    }

    pub(crate) fn bytes(&self) -> u64 {
        (self.upload + self.fetched.unwrap_or(0) + self.answer) as u64
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
