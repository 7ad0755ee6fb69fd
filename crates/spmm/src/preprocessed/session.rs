//! The resume handshake over a stock after a start of either side (section 3.3, "Resume").
//!
//! 1. P0 → P1: identity, the nonces of the last session it knows, a new nonce.
//! 2. P1 → P0: the same of its own, its cursor, and whether the last session was closed.
//! 3. P0 → P1: both new nonces, which P0 now has on disk.
//! 4. P1 → P0: the same, which P1 now has on disk.
//!
//! Only after step 4 does P0 give columns to anything. So whoever was restored from a backup of
//! an earlier session shows nonces that the other has replaced, and the stock is void. Within
//! one session P1's cursor tells P0 which columns were answered; the columns of the one message
//! that may have been under way are burnt unless the session was closed by agreement. A message
//! that P0 still holds may be sent again first; but P0's disk may be of before yet another
//! message, which nobody's disk knows of, so what comes after it burns all the same. Only who
//! would make that other message again, byte for byte, needs not
//! ([`RatingSession::with_kept_inputs`]).

use super::record::{Nonces, VoidReason, fresh_nonce};
use super::{RatingStock, SocialStock};
use crate::chunks::Chunks;
use crate::exchange::{Runner, State, endpoints};
use crate::pair::Side;
use crate::schedule::{Part, Schedule};
use crate::{SpmmError, Step};

const OFFER_BYTES: usize = 32 + 32 + 16;
const REPLY_BYTES: usize = OFFER_BYTES + 4 + 1;
const NONCES_BYTES: usize = 32;

/// Steps 1 to 4.
pub(crate) fn resume_schedule() -> Schedule {
    let (offer, reply) = (Step::Identity, Step::Identity);
    let nonces = Chunks::message::<NONCES_BYTES>(Step::Cursor);
    Schedule::of(Part::new(
        Side::Rating,
        Chunks::message::<OFFER_BYTES>(offer),
    ))
    .then(Part::new(
        Side::Social,
        Chunks::message::<REPLY_BYTES>(reply),
    ))
    .then(Part::new(Side::Rating, nonces))
    .then(Part::new(Side::Social, nonces))
}

/// P0's side of the resume handshake.
pub struct RatingSession(Runner<RatingStock, ()>);

/// After step 1.
struct Offered {
    nonce: [u8; 16],
    inputs_are_kept: bool,
}

impl RatingSession {
    /// Offers to go on with a sealed stock.
    ///
    /// # Errors
    /// [`SpmmError::Void`] for a stock that is not sealed; no entropy.
    pub fn new(stock: RatingStock) -> Result<RatingSession, SpmmError> {
        RatingSession::offering(stock, false)
    }

    /// As [`Self::new`] for a caller whose inputs follow from state in the same directory as the
    /// stock, brought back with it from any backup: whatever was under way is made again, byte
    /// for byte, for the same columns, so none are burnt for it.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_kept_inputs(stock: RatingStock) -> Result<RatingSession, SpmmError> {
        RatingSession::offering(stock, true)
    }

    fn offering(stock: RatingStock, inputs_are_kept: bool) -> Result<RatingSession, SpmmError> {
        let record = &stock.record;
        let interrupted = record.identity.is_none().then_some(VoidReason::Interrupted);
        super::rating_stock::refuse_void(record.void.or(interrupted))?;
        let nonce = fresh_nonce()?;
        let identity = record.sealed()?;
        let known = record.session.to_bytes();
        let offer = [identity.as_slice(), &known, &nonce].concat();
        let offered = Offered {
            nonce,
            inputs_are_kept,
        };
        let offering = State::bytes(
            offer,
            State::take(|stock, reply| offered.accept(stock, reply)),
        );
        Ok(RatingSession(Runner::rating(
            resume_schedule(),
            stock,
            offering,
        )))
    }

    /// The stock, ready for openings.
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`] before the last step.
    pub fn into_stock(self) -> Result<RatingStock, SpmmError> {
        let (stock, ()) = self.0.finish()?;
        Ok(stock)
    }
}

impl Offered {
    /// Step 2: P1's view: which columns were or may have been sent.
    fn accept(self, stock: &mut RatingStock, reply: &[u8]) -> Result<RatingState, SpmmError> {
        let mut reader = Reader::new(Step::Identity, reply);
        let identity: [u8; 32] = reader.array()?;
        let (known, social) = (reader.nonces()?, reader.array()?);
        let cursor = u32::from_le_bytes(reader.array()?);
        let closed = match reader.array()? {
            [0u8] => false,
            [1] => true,
            _ => {
                return Err(SpmmError::Malformed {
                    step: Step::Identity,
                });
            }
        };
        let answered = Answered { cursor, closed };
        let record = &mut stock.record;
        if identity != record.sealed()? {
            return Err(SpmmError::OtherStock);
        }
        // P1 behind what it answered has been restored within the session: its count is wrong.
        if known != record.session || cursor < record.answered_through {
            record.void = Some(VoidReason::Restored);
            stock.save()?;
            return Err(SpmmError::Void {
                reason: VoidReason::Restored,
            });
        }
        let pending = record.pending.map(|pending| pending.round);
        let resumed = resume(record.cursor, pending, answered);
        let burnt_next = match self.inputs_are_kept {
            true => 0,
            false => resumed.burnt_next,
        };
        record.session = Nonces {
            rating: self.nonce,
            social,
        };
        let nonces = record.session.to_bytes();
        stock.save()?;
        let resumed = Resumed {
            burnt_next,
            ..resumed
        };
        let confirming = State::take(move |stock, confirmed| resumed.confirm(stock, confirmed));
        Ok(State::bytes(nonces, confirming))
    }
}

type RatingState = State<RatingStock, ()>;

/// What P1 says of its state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered {
    pub(crate) cursor: u32,
    pub(crate) closed: bool,
}

/// Where P0 goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resumed {
    pub(crate) cursor: u32,
    pub(crate) may_repeat: bool,
    /// Rounds' columns to skip before the next new message.
    pub(crate) burnt_next: u32,
}

/// The rule: a pending message may be repeated unless P1 has answered beyond it; whatever else
/// may have been under way is burnt, before the next new message.
pub(crate) fn resume(cursor: u32, pending: Option<u32>, answered: Answered) -> Resumed {
    let burnt = u32::from(!answered.closed);
    match pending {
        Some(round) if round + 1 == cursor && answered.cursor <= cursor => Resumed {
            cursor,
            may_repeat: true,
            burnt_next: burnt,
        },
        _ => Resumed {
            cursor: cursor.max(answered.cursor).saturating_add(burnt),
            may_repeat: false,
            burnt_next: 0,
        },
    }
}

impl Resumed {
    /// Step 4: P1 has the new nonces on disk. Only now are columns burnt, so that handshakes that
    /// break off burn nothing.
    fn confirm(self, stock: &mut RatingStock, nonces: &[u8]) -> Result<RatingState, SpmmError> {
        if Reader::new(Step::Cursor, nonces).nonces()? != stock.record.session {
            return Err(SpmmError::OtherStock);
        }
        stock.record.cursor = self.cursor;
        stock.may_repeat = self.may_repeat;
        stock.burnt_next = self.burnt_next;
        if !self.may_repeat {
            stock.record.pending = None;
        }
        stock.save()?;
        stock.in_session = true;
        Ok(State::Finished(()))
    }
}

/// P1's side of the resume handshake.
pub struct SocialSession(Runner<SocialStock, ()>);

impl SocialSession {
    /// Waits for P0's offer over a sealed stock.
    ///
    /// # Errors
    /// [`SpmmError::Void`] for a stock that is not sealed.
    pub fn new(stock: SocialStock) -> Result<SocialSession, SpmmError> {
        let record = &stock.record;
        let interrupted = record.identity.is_none().then_some(VoidReason::Interrupted);
        super::rating_stock::refuse_void(record.void.or(interrupted))?;
        Ok(SocialSession(Runner::social(
            resume_schedule(),
            stock,
            State::take(consider),
        )))
    }

    /// The stock, ready for openings.
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`] before the last step.
    pub fn into_stock(self) -> Result<SocialStock, SpmmError> {
        let (stock, ()) = self.0.finish()?;
        Ok(stock)
    }
}

endpoints!(RatingSession, SocialSession);

type SocialState = State<SocialStock, ()>;

/// Step 1: P0's view must be of the last session, or of one whose step 4 it never saw.
fn consider(stock: &mut SocialStock, offer: &[u8]) -> Result<SocialState, SpmmError> {
    let mut reader = Reader::new(Step::Identity, offer);
    let identity: [u8; 32] = reader.array()?;
    let (known, rating) = (reader.nonces()?, reader.array()?);
    let record = &mut stock.record;
    if identity != record.sealed()? {
        return Err(SpmmError::OtherStock);
    }
    if Some(known) == record.tentative {
        record.session = known;
    } else if known != record.session {
        record.void = Some(VoidReason::Restored);
        stock.save()?;
        return Err(SpmmError::Void {
            reason: VoidReason::Restored,
        });
    }
    let social = fresh_nonce()?;
    let tentative = Nonces { rating, social };
    record.tentative = Some(tentative);
    let reply = [
        identity.as_slice(),
        &record.session.to_bytes(),
        &social,
        &record.cursor.to_le_bytes(),
        &[u8::from(record.closed)],
    ];
    let reply = reply.concat();
    stock.save()?;
    let promoting = State::take(move |stock, nonces| promote(stock, tentative, nonces));
    Ok(State::bytes(reply, promoting))
}

/// Step 3: P0 has the new nonces on disk; from here on the old ones are refused.
fn promote(
    stock: &mut SocialStock,
    tentative: Nonces,
    nonces: &[u8],
) -> Result<SocialState, SpmmError> {
    if Reader::new(Step::Cursor, nonces).nonces()? != tentative {
        return Err(SpmmError::OtherStock);
    }
    stock.record.session = tentative;
    stock.record.tentative = None;
    stock.record.closed = false;
    stock.answers_arrived()?;
    stock.save()?;
    stock.in_session = true;
    Ok(State::bytes(tentative.to_bytes(), State::Finished(())))
}

/// Fixed-width fields of a peer's payload, in their order. Nothing stands in for missing bytes.
pub(crate) struct Reader<'a> {
    step: Step,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(step: Step, payload: &'a [u8]) -> Reader<'a> {
        Reader {
            step,
            rest: payload,
        }
    }

    pub(crate) fn array<const SIZE: usize>(&mut self) -> Result<[u8; SIZE], SpmmError> {
        let malformed = SpmmError::Malformed { step: self.step };
        let (array, rest) = self.rest.split_first_chunk().ok_or(malformed)?;
        self.rest = rest;
        Ok(*array)
    }

    fn nonces(&mut self) -> Result<Nonces, SpmmError> {
        Ok(Nonces {
            rating: self.array()?,
            social: self.array()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resuming_never_goes_back() {
        for cursor in 0..6u32 {
            for pending in [None, cursor.checked_sub(1), cursor.checked_sub(2)] {
                for answered in 0..8 {
                    for closed in [true, false] {
                        let view = Answered {
                            cursor: answered,
                            closed,
                        };
                        let resumed = resume(cursor, pending, view);
                        assert!(resumed.cursor >= cursor);
                        assert!(resumed.may_repeat || resumed.cursor >= answered);
                        if resumed.may_repeat {
                            assert_eq!(pending, cursor.checked_sub(1));
                            assert!(answered <= cursor);
                        }
                        if !closed {
                            let next = resumed.cursor + resumed.burnt_next;
                            assert!(next > cursor.max(answered));
                        }
                    }
                }
            }
        }
    }
}
