//! P1's side of a round: receive the upload, answer it.

use std::sync::Arc;

use s3rec_algebra::PublicSeed;

use super::answer::{Budget, StoredBodies, answer};
use super::steps::{Bodies, mask_seed, upload_hasher};
use super::{Received, SocialKeys};
use crate::chunks::Piece;
use crate::cost::Sizes;
use crate::exchange::{Receives, Runner, Sends, State, endpoints};
use crate::fetch::{SocialFetch, frame_ranges};
use crate::operand::SocialOperand;
use crate::parameters::in_range;
use crate::release::Release;
use crate::scratch::Scratch;
use crate::{Admission, Asked, Exchange, ProductParameters, SpmmError, Step, WorkingSpace};

/// P1's side of one round as an endpoint: receives a seed and bodies, sends responses.
///
/// The whole answer is computed before its first byte leaves, so that the sending time of a
/// part says nothing about a row. Memory: what the working space allows, whatever m is.
pub struct SocialRound(Runner<Round, ()>);

struct Round {
    keys: Arc<SocialKeys>,
    operand: Arc<SocialOperand>,
    admission: Box<dyn Admission>,
    round: u32,
    budget: Budget,
    fetch: Option<Arc<SocialFetch>>,
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
        let parameters = &keys.parameters;
        operand.check_made_for(parameters)?;
        let last = u64::from(parameters.rounds.saturating_sub(1));
        in_range("round", round, 0, last)?;
        let (rooms, budget) = Rooms::new(parameters, space)?;
        let schedule = Exchange::Upload.schedule(parameters)?;
        let round = Round {
            keys: Arc::clone(keys),
            operand: Arc::clone(operand),
            admission: Box::new(admission),
            round,
            budget,
            fetch: None,
        };
        let waiting = State::take(|_, payload| {
            let seed = mask_seed(payload)?;
            let hasher = upload_hasher(&seed);
            Ok(State::receive(Receiving {
                rooms,
                seed,
                hasher,
            }))
        });
        Ok(SocialRound(Runner::social(schedule, round, waiting)))
    }

    /// The same round with rows that P1 fetches (`he-pir`) by the queries it sent.
    #[must_use]
    pub fn with_fetch(mut self, fetch: &Arc<SocialFetch>) -> SocialRound {
        self.0.context_mut().fetch = Some(Arc::clone(fetch));
        self
    }
}

endpoints!(SocialRound);

/// Step 1, receiving.
struct Receiving {
    rooms: Rooms,
    seed: PublicSeed,
    /// Of the seed, and what came behind it.
    hasher: blake3::Hasher,
}

impl Receives<Round, ()> for Receiving {
    fn take(&mut self, _: &mut Round, _: &Piece, payload: &[u8]) -> Result<(), SpmmError> {
        self.hasher.update(payload);
        Ok(self.rooms.upload.append(payload)?)
    }

    fn received(self: Box<Self>, _: &mut Round) -> Result<State<Round, ()>, SpmmError> {
        let answer = |round: &mut Round| Ok(State::send(round.answer(*self)?));
        Ok(State::compute(answer))
    }
}

impl Round {
    /// Steps 2 to 6 over all responses, as many at a time as memory holds.
    fn answer(&mut self, upload: Receiving) -> Result<Answer, SpmmError> {
        let digest = *upload.hasher.finalize().as_bytes();
        // Frames of `he` name no round: it is the one that this endpoint was made for, once.
        let asked = Asked {
            round: self.round,
            number: self.round + 1,
            digest,
            is_repeat: false,
        };
        self.admission.permit(&asked)?;
        self.admission.count(&asked)?;
        let parameters = &self.keys.parameters;
        let glwe = parameters.glwe()?;
        let Rooms {
            upload: stored,
            fetched,
            answer: mut place,
        } = upload.rooms;
        let bodies = if let Some(fetched) = fetched {
            let fetch = self.fetch.as_ref().ok_or(SpmmError::Unfinished {
                pending: Step::Queries,
            })?;
            let frames = frame_ranges(Sizes::bodies(parameters)?.total_bytes()).map(|range| {
                let mut frame = vec![0; range.len()];
                stored.read_at(range.start as u64, &mut frame)?;
                Ok(frame)
            });
            Bodies::Fetched(fetch.extract(glwe, fetched, frames)?)
        } else {
            Bodies::All(StoredBodies {
                place: stored,
                glwe,
                offset_bytes: 0,
            })
        };
        let (keys, operand) = (&self.keys, &self.operand);
        let received = Received::new(keys, operand, self.round, upload.seed, &digest, bodies)?;
        let release = Release::of(parameters)?;
        answer(&received, operand, parameters, self.budget, |_, masked| {
            Ok(place.append(&masked.add_share(release).round())?)
        })?;
        Ok(Answer { place })
    }
}

/// The whole answer, on its way out.
struct Answer {
    place: Scratch,
}

impl Sends<Round, ()> for Answer {
    fn payload(&mut self, _: &mut Round, piece: &Piece) -> Result<Vec<u8>, SpmmError> {
        let bytes = piece.bytes();
        let mut payload = vec![0; bytes.len()];
        self.place.read_at(bytes.start as u64, &mut payload)?;
        Ok(payload)
    }

    fn sent(self: Box<Self>, _: &mut Round) -> Result<State<Round, ()>, SpmmError> {
        Ok(State::Finished(()))
    }
}

/// Where a round's upload, the rows fetched from it and its answer lie.
struct Rooms {
    upload: Scratch,
    /// Where P1 fetches.
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
            upload: room(kept.upload)?,
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
