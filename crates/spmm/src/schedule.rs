//! Every frame of a job, known before any data moves: the cost model adds up their payloads, and
//! a link can add its own framing to each.

use crate::chunks::{Chunks, Piece};
use crate::cost::Sizes;
use crate::pair::Side;
use crate::preprocessed::resume_schedule;
use crate::{ProductParameters, SpmmError, Step};

/// What two endpoints exchange in one go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// P1's queries, where it fetches privately (section 3.2).
    Queries,
    /// P0's public key.
    PublicKey,
    /// An upload and its responses: a round of `he`, a block of a stock.
    Upload,
    /// The resume handshake over a finished stock.
    Resume,
    /// A round over a stock.
    Opening,
    /// A stock's close.
    Close,
}

/// One frame of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduledFrame {
    /// P0 sends it.
    pub to_social: bool,
    /// Its step.
    pub step: Step,
    /// Its place among the sender's frames of the exchange.
    pub sequence: u32,
    /// Bytes of its payload.
    pub payload_bytes: usize,
}

impl Exchange {
    /// The exchanges of a whole job, each with how often it happens: those before the rounds, the
    /// rounds, and those after.
    ///
    /// # Errors
    /// Those of [`ProductParameters::layout`].
    pub fn of_job(parameters: &ProductParameters) -> Result<Vec<(Exchange, u32)>, SpmmError> {
        let mut exchanges = Vec::new();
        if parameters.protocol.fetches_privately() {
            exchanges.push((Exchange::Queries, 1));
        }
        exchanges.push((Exchange::PublicKey, 1));
        if parameters.protocol.is_preprocessed() {
            exchanges.push((Exchange::Upload, parameters.layout()?.blocks));
            exchanges.push((Exchange::Resume, 1));
            exchanges.push((Exchange::Opening, parameters.rounds));
            exchanges.push((Exchange::Close, 1));
        } else {
            exchanges.push((Exchange::Upload, parameters.rounds));
        }
        Ok(exchanges)
    }

    /// Its frames, in the order in which they cross.
    ///
    /// # Errors
    /// Sizes that no frame can carry.
    pub fn frames(self, parameters: &ProductParameters) -> Result<Vec<ScheduledFrame>, SpmmError> {
        let mut frames = Vec::new();
        let mut next = [0, 0];
        for part in self.schedule(parameters)?.parts() {
            let to_social = part.from == Side::Rating;
            for index in 0..part.frames() {
                let [ours, theirs] = &mut next;
                let sequence = if to_social { ours } else { theirs };
                frames.push(ScheduledFrame {
                    to_social,
                    step: part.step(),
                    sequence: *sequence,
                    payload_bytes: part.piece(index).bytes().len(),
                });
                *sequence += 1;
            }
        }
        Ok(frames)
    }

    /// What crosses, in order.
    pub(crate) fn schedule(self, parameters: &ProductParameters) -> Result<Schedule, SpmmError> {
        let rating = |chunks| Part::new(Side::Rating, chunks);
        let social = |chunks| Part::new(Side::Social, chunks);
        Ok(match self {
            Exchange::Queries => Schedule::of(social(Sizes::queries(parameters)?)),
            Exchange::PublicKey => Schedule::of(rating(Sizes::public_key(parameters)?)),
            Exchange::Upload => Schedule::block(parameters, 0, 0)?,
            Exchange::Resume => resume_schedule(),
            Exchange::Opening => {
                let (step, rows) = (Step::MaskedFactors, parameters.uploaded_rows);
                Schedule::of(rating(Sizes::opening()))
                    .then(rating(Sizes::ring_values(parameters, step, rows)?))
                    .then(social(Sizes::opening()))
                    .then(social(Sizes::released_values(parameters)?))
            }
            Exchange::Close => Schedule::close(),
        })
    }
}

/// What one party sends of a kind, between two turns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) from: Side,
    chunks: Chunks,
    /// Frames that the peer has from before.
    held: usize,
}

impl Part {
    pub(crate) fn new(from: Side, chunks: Chunks) -> Part {
        let held = 0;
        Part { from, chunks, held }
    }

    /// Without the first `held` frames, which the peer has from before.
    pub(crate) fn after(self, held: u32) -> Part {
        let held = usize::try_from(held).unwrap_or(usize::MAX);
        let held = held.min(self.chunks.frames());
        Part { held, ..self }
    }

    pub(crate) fn step(&self) -> Step {
        self.chunks.step()
    }

    pub(crate) fn frames(&self) -> usize {
        self.chunks.frames() - self.held
    }

    pub(crate) fn total_bytes(&self) -> usize {
        self.chunks.total_bytes() - self.chunks.piece(self.held).bytes().start
    }

    /// What its frame `index` carries.
    pub(crate) fn piece(&self, index: usize) -> Piece {
        self.chunks.piece(self.held + index)
    }
}

/// The parts of an exchange in the order in which they cross: at least one.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    first: Part,
    rest: Vec<Part>,
}

impl Schedule {
    pub(crate) fn of(first: Part) -> Schedule {
        let rest = Vec::new();
        Schedule { first, rest }
    }

    #[must_use]
    pub(crate) fn then(mut self, part: Part) -> Schedule {
        self.rest.push(part);
        self
    }

    /// A stock's close.
    pub(crate) fn close() -> Schedule {
        Schedule::of(Part::new(Side::Rating, Sizes::identity()))
            .then(Part::new(Side::Social, Sizes::closed_openings()))
    }

    /// A block of which P1 has so many frames of bodies from before, and P0 of responses.
    pub(crate) fn block(
        parameters: &ProductParameters,
        bodies: u32,
        responses: u32,
    ) -> Result<Schedule, SpmmError> {
        let sent = Part::new(Side::Rating, Sizes::bodies(parameters)?).after(bodies);
        let answered = Part::new(Side::Social, Sizes::responses(parameters)?).after(responses);
        let seed = Part::new(Side::Rating, Sizes::mask_seed());
        Ok(Schedule::of(seed).then(sent).then(answered))
    }

    pub(crate) fn parts(&self) -> impl Iterator<Item = &Part> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    pub(crate) fn into_parts(self) -> (Part, std::vec::IntoIter<Part>) {
        (self.first, self.rest.into_iter())
    }
}
