//! One runner for every exchange. An endpoint is a chain of [`State`]s over a [`Schedule`]: a state
//! holds what is known by then, makes or takes the payloads of its part of the schedule, and gives
//! the next state. Numbering, order, lengths and refusal after a failure are here and nowhere else.
//!
//! A new exchange is its schedule and its states:
//!
//! ```text
//! Runner::social(Schedule::close(), stock,
//!     State::take(|stock, named| { …check and save…; Ok(State::bytes(openings, State::Finished(()))) }))
//! ```

use crate::chunks::Piece;
use crate::pair::Side;
use crate::schedule::{Part, Schedule};
use crate::{Frame, SpmmError, Step};

/// How far one party is in an exchange. `C` is what it holds throughout, whatever becomes of the
/// exchange; `T` what it has in the end.
pub(crate) enum State<C, T> {
    /// This party computes before its next frame leaves. Runs in `poll_send`, never in `receive`.
    Compute(Computing<C, T>),
    /// This party sends a part of the schedule.
    Send(Box<dyn Sends<C, T>>),
    /// The peer sends one message.
    Take(Taking<C, T>),
    /// The peer sends a part of the schedule, frame by frame.
    Receive(Box<dyn Receives<C, T>>),
    /// Everything was sent and received.
    Finished(T),
    /// It failed at this step. Whatever the state held is gone.
    Poisoned(Step),
}

type Computing<C, T> = Box<dyn FnOnce(&mut C) -> Result<State<C, T>, SpmmError> + Send>;
type Taking<C, T> = Box<dyn FnOnce(&mut C, &[u8]) -> Result<State<C, T>, SpmmError> + Send>;

/// A state in which this party sends.
pub(crate) trait Sends<C, T>: Send {
    /// The payload of the frame that carries `piece`.
    fn payload(&mut self, context: &mut C, piece: &Piece) -> Result<Vec<u8>, SpmmError>;

    /// After the last payload was made, before it leaves.
    fn sent(self: Box<Self>, context: &mut C) -> Result<State<C, T>, SpmmError>;
}

/// A state in which this party receives.
pub(crate) trait Receives<C, T>: Send {
    /// Takes a payload, which has the length of `piece`.
    fn take(&mut self, context: &mut C, piece: &Piece, payload: &[u8]) -> Result<(), SpmmError>;

    /// After the last payload.
    fn received(self: Box<Self>, context: &mut C) -> Result<State<C, T>, SpmmError>;
}

impl<C: 'static, T: Send + 'static> State<C, T> {
    /// Computes the next state when it is this party's turn.
    pub(crate) fn compute(
        compute: impl FnOnce(&mut C) -> Result<Self, SpmmError> + Send + 'static,
    ) -> Self {
        State::Compute(Box::new(compute))
    }

    /// Sends what is made piece by piece.
    pub(crate) fn send(sends: impl Sends<C, T> + 'static) -> Self {
        State::Send(Box::new(sends))
    }

    /// Sends bytes that are there, then goes on with `next`.
    pub(crate) fn bytes(bytes: Vec<u8>, next: Self) -> Self
    where
        C: Send,
    {
        State::send(Bytes { bytes, next })
    }

    /// Takes one message.
    pub(crate) fn take(
        take: impl FnOnce(&mut C, &[u8]) -> Result<Self, SpmmError> + Send + 'static,
    ) -> Self {
        State::Take(Box::new(take))
    }

    /// Takes what is dealt with piece by piece.
    pub(crate) fn receive(receives: impl Receives<C, T> + 'static) -> Self {
        State::Receive(Box::new(receives))
    }

    /// Takes all payloads of a part, one behind the other.
    pub(crate) fn collect(
        take: impl FnOnce(&mut C, Vec<u8>) -> Result<Self, SpmmError> + Send + 'static,
    ) -> Self {
        State::receive(Collected {
            bytes: Vec::new(),
            take,
        })
    }
}

struct Bytes<C, T> {
    bytes: Vec<u8>,
    next: State<C, T>,
}

impl<C: Send, T: Send> Sends<C, T> for Bytes<C, T> {
    fn payload(&mut self, _: &mut C, piece: &Piece) -> Result<Vec<u8>, SpmmError> {
        let payload = self.bytes.get(piece.bytes());
        let pending = piece.step();
        Ok(payload.ok_or(SpmmError::Unfinished { pending })?.to_vec())
    }

    fn sent(self: Box<Self>, _: &mut C) -> Result<State<C, T>, SpmmError> {
        Ok(self.next)
    }
}

struct Collected<F> {
    bytes: Vec<u8>,
    take: F,
}

impl<C, T, F> Receives<C, T> for Collected<F>
where
    F: FnOnce(&mut C, Vec<u8>) -> Result<State<C, T>, SpmmError> + Send,
{
    fn take(&mut self, _: &mut C, piece: &Piece, payload: &[u8]) -> Result<(), SpmmError> {
        if self.bytes.is_empty() {
            // As many as were agreed on, once the first of them are here.
            self.bytes.reserve_exact(piece.total_bytes());
        }
        self.bytes.extend_from_slice(payload);
        Ok(())
    }

    fn received(self: Box<Self>, context: &mut C) -> Result<State<C, T>, SpmmError> {
        (self.take)(context, self.bytes)
    }
}

/// One party of one exchange.
pub(crate) struct Runner<C, T> {
    side: Side,
    context: C,
    state: State<C, T>,
    /// The part under way, or the last one.
    part: Part,
    /// Its frames that are done with.
    frames: usize,
    coming: std::vec::IntoIter<Part>,
    /// Frames sent and received, over all parts.
    sent: u32,
    received: u32,
}

impl<C, T> Runner<C, T> {
    /// P0 begins at the first part of `schedule`.
    pub(crate) fn rating(schedule: Schedule, context: C, state: State<C, T>) -> Self {
        Runner::new(Side::Rating, schedule, context, state)
    }

    /// P1 begins at the first part of `schedule`.
    pub(crate) fn social(schedule: Schedule, context: C, state: State<C, T>) -> Self {
        Runner::new(Side::Social, schedule, context, state)
    }

    fn new(side: Side, schedule: Schedule, context: C, state: State<C, T>) -> Self {
        let (part, coming) = schedule.into_parts();
        Runner {
            side,
            context,
            state,
            part,
            frames: 0,
            coming,
            sent: 0,
            received: 0,
        }
    }

    pub(crate) fn context(&self) -> &C {
        &self.context
    }

    pub(crate) fn context_mut(&mut self) -> &mut C {
        &mut self.context
    }

    /// What the party holds, whatever became of the exchange.
    pub(crate) fn into_context(self) -> C {
        self.context
    }

    /// What the party holds and has in the end.
    pub(crate) fn finish(self) -> Result<(C, T), SpmmError> {
        let pending = self.awaiting().unwrap_or(self.part.step());
        match self.state {
            State::Finished(output) => Ok((self.context, output)),
            _ => Err(SpmmError::Unfinished { pending }),
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, State::Finished(_))
    }

    /// The next step that is due from the peer, now or later.
    pub(crate) fn awaiting(&self) -> Option<Step> {
        let current = (self.frames < self.part.frames()).then_some(&self.part);
        let due = current.into_iter().chain(self.coming.as_slice());
        due.filter(|part| part.from != self.side && part.frames() > 0)
            .map(Part::step)
            .next()
    }

    pub(crate) fn poll_send(&mut self) -> Result<Option<Frame>, SpmmError> {
        let mut state = self.take_state()?;
        while let State::Compute(compute) = state {
            state = compute(&mut self.context)?;
            state = self.settle(state)?;
        }
        let State::Send(mut sends) = state else {
            self.state = state;
            return Ok(None);
        };
        debug_assert_eq!(self.part.from, self.side, "{:?}", self.part);
        let frame = Frame {
            step: self.part.step(),
            sequence: self.sent,
            payload: sends.payload(&mut self.context, &self.part.piece(self.frames))?,
        };
        self.sent += 1;
        self.frames += 1;
        self.state = self.settle(State::Send(sends))?;
        Ok(Some(frame))
    }

    pub(crate) fn receive(&mut self, frame: &Frame) -> Result<(), SpmmError> {
        let state = match self.take_state()? {
            State::Take(take) => {
                self.check(frame)?;
                let state = take(&mut self.context, &frame.payload)?;
                self.next_part();
                state
            }
            State::Receive(mut receives) => {
                let piece = self.check(frame)?;
                receives.take(&mut self.context, &piece, &frame.payload)?;
                State::Receive(receives)
            }
            _ => {
                return Err(SpmmError::NotDue {
                    actual: frame.step,
                    sequence: frame.sequence,
                });
            }
        };
        self.state = self.settle(state)?;
        Ok(())
    }

    /// The state, past parts without frames. In its place stays a failure, until another is put
    /// there: an error on the way needs nobody to remember it.
    fn take_state(&mut self) -> Result<State<C, T>, SpmmError> {
        let poisoned = State::Poisoned(self.part.step());
        match std::mem::replace(&mut self.state, poisoned) {
            State::Poisoned(step) => {
                self.state = State::Poisoned(step);
                Err(SpmmError::Spent { step })
            }
            state => self.settle(state),
        }
    }

    /// Checks that `frame` is the one due, by step, number and length.
    fn check(&mut self, frame: &Frame) -> Result<Piece, SpmmError> {
        debug_assert_ne!(self.part.from, self.side, "{:?}", self.part);
        let expected = self.part.step();
        if frame.step != expected || frame.sequence != self.received {
            return Err(SpmmError::OutOfOrder {
                expected,
                expected_sequence: self.received,
                actual: frame.step,
                actual_sequence: frame.sequence,
            });
        }
        let piece = self.part.piece(self.frames);
        if frame.payload.len() != piece.bytes().len() {
            return Err(SpmmError::WrongLength {
                step: frame.step,
                expected: piece.bytes().len(),
                actual: frame.payload.len(),
            });
        }
        self.received += 1;
        self.frames += 1;
        Ok(piece)
    }

    /// Leaves parts that have no frames left.
    fn settle(&mut self, mut state: State<C, T>) -> Result<State<C, T>, SpmmError> {
        while self.frames >= self.part.frames() {
            let next = match state {
                State::Send(sends) => sends.sent(&mut self.context)?,
                State::Receive(receives) => receives.received(&mut self.context)?,
                state => return Ok(state),
            };
            self.next_part();
            state = next;
        }
        Ok(state)
    }

    fn next_part(&mut self) {
        if let Some(part) = self.coming.next() {
            (self.part, self.frames) = (part, 0);
        }
    }
}

/// Makes types around a [`Runner`] endpoints.
macro_rules! endpoints {
    ($($name:ty),+) => {$(
        impl $crate::Endpoint for $name {
            fn poll_send(&mut self) -> Result<Option<$crate::Frame>, $crate::SpmmError> {
                self.0.poll_send()
            }

            fn receive(&mut self, frame: $crate::Frame) -> Result<(), $crate::SpmmError> {
                self.0.receive(&frame)
            }

            fn awaiting(&self) -> Option<$crate::Step> {
                self.0.awaiting()
            }

            fn is_done(&self) -> bool {
                self.0.is_done()
            }
        }
    )+};
}
pub(crate) use endpoints;
