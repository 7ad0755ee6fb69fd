//! Meeting over a stock after a start of either side (section 3.3, "Resume").
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
use crate::chunks::{Chunks, Due, Numbering, not_due};
use crate::endpoint::Fuse;
use crate::{Endpoint, Frame, SpmmError, Step};

const OFFER_BYTES: usize = 32 + 32 + 16;
const REPLY_BYTES: usize = OFFER_BYTES + 4 + 1;
const NONCES_BYTES: usize = 32;

/// The frames of a meeting, in each sender's order; true where P0 sends.
pub(crate) fn meeting_sizes() -> Result<Vec<(bool, Chunks)>, SpmmError> {
    Ok(vec![
        (true, Chunks::new(Step::Identity, OFFER_BYTES, 1)?),
        (true, Chunks::new(Step::Cursor, NONCES_BYTES, 1)?),
        (false, Chunks::new(Step::Identity, REPLY_BYTES, 1)?),
        (false, Chunks::new(Step::Cursor, NONCES_BYTES, 1)?),
    ])
}

/// P0's side of the meeting.
pub struct RatingSession {
    stock: RatingStock,
    nonce: [u8; 16],
    inputs_are_kept: bool,
    /// Where to go on, once the meeting is complete.
    resumed: Option<Resumed>,
    progress: Progress,
}

impl RatingSession {
    /// Offers to go on with a sealed stock.
    ///
    /// # Errors
    /// [`SpmmError::Void`] for a stock that is not sealed; no entropy.
    pub fn new(stock: RatingStock) -> Result<RatingSession, SpmmError> {
        let interrupted = stock
            .record
            .identity
            .is_none()
            .then_some(VoidReason::Interrupted);
        super::rating_stock::refuse_void(stock.record.void.or(interrupted))?;
        Ok(RatingSession {
            stock,
            nonce: fresh_nonce()?,
            inputs_are_kept: false,
            resumed: None,
            progress: Progress::default(),
        })
    }

    /// As [`Self::new`] for a caller whose inputs follow from state in the same directory as the
    /// stock, brought back with it from any backup: whatever was under way is made again, byte
    /// for byte, for the same columns, so none are burnt for it.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_kept_inputs(stock: RatingStock) -> Result<RatingSession, SpmmError> {
        let session = RatingSession::new(stock)?;
        Ok(RatingSession {
            inputs_are_kept: true,
            ..session
        })
    }

    /// The stock, ready for openings.
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`] before the last step.
    pub fn into_stock(self) -> Result<RatingStock, SpmmError> {
        if self.is_done() {
            Ok(self.stock)
        } else {
            Err(SpmmError::Unfinished {
                pending: Step::Cursor,
            })
        }
    }

    fn take(&mut self, frame: &Frame) -> Result<(), SpmmError> {
        match self.progress.received {
            0 => self.progress.check(frame, Step::Identity, REPLY_BYTES)?,
            1 => self.progress.check(frame, Step::Cursor, NONCES_BYTES)?,
            _ => return Err(not_due(frame)),
        }
        if self.progress.received == 1 {
            return self.accept(&frame.payload);
        }
        let confirmed = Reader(&frame.payload).nonces();
        if confirmed != self.stock.record.session {
            return Err(SpmmError::OtherStock);
        }
        // Only now, so that meetings that break off burn nothing.
        if let Some(resumed) = self.resumed {
            self.stock.record.cursor = resumed.cursor;
            self.stock.may_repeat = resumed.may_repeat;
            self.stock.burnt_next = resumed.burnt_next;
            if !resumed.may_repeat {
                self.stock.record.pending = None;
            }
        }
        self.stock.save()?;
        self.stock.in_session = true;
        Ok(())
    }

    /// Step 2: P1's view: which columns were or may have been sent.
    fn accept(&mut self, reply: &[u8]) -> Result<(), SpmmError> {
        let mut reader = Reader(reply);
        let identity: [u8; 32] = reader.array();
        let (known, social) = (reader.nonces(), reader.array());
        let cursor = u32::from_le_bytes(reader.array());
        let closed = match reader.array() {
            [0u8] => false,
            [1] => true,
            _ => {
                return Err(SpmmError::Malformed {
                    step: Step::Identity,
                });
            }
        };
        let answered = Answered { cursor, closed };
        if Some(identity) != self.stock.record.identity {
            return Err(SpmmError::OtherStock);
        }
        // P1 behind what it answered has been restored within the session: its count is wrong.
        if known != self.stock.record.session || cursor < self.stock.record.answered_through {
            self.stock.record.void = Some(VoidReason::Restored);
            self.stock.save()?;
            return Err(SpmmError::Void {
                reason: VoidReason::Restored,
            });
        }
        let pending = self.stock.record.pending.map(|pending| pending.round);
        let resumed = resume(self.stock.record.cursor, pending, answered);
        self.resumed = Some(match self.inputs_are_kept {
            true => Resumed {
                burnt_next: 0,
                ..resumed
            },
            false => resumed,
        });
        self.stock.record.session = Nonces {
            rating: self.nonce,
            social,
        };
        self.stock.save()
    }
}

impl Endpoint for RatingSession {
    fn poll_send(&mut self) -> Result<Option<Frame>, SpmmError> {
        self.progress.fuse.check()?;
        let record = &self.stock.record;
        Ok(match (self.progress.sent, self.progress.received) {
            (0, 0) => {
                let identity = super::rating_stock::named(record.identity)?;
                let offer = [
                    identity.as_slice(),
                    &record.session.rating,
                    &record.session.social,
                    &self.nonce,
                ];
                Some(self.progress.frame(Step::Identity, offer.concat()))
            }
            (1, 1) => {
                let nonces = [record.session.rating, record.session.social].concat();
                Some(self.progress.frame(Step::Cursor, nonces))
            }
            _ => None,
        })
    }

    fn receive(&mut self, frame: Frame) -> Result<(), SpmmError> {
        self.progress.fuse.check()?;
        let taken = if self.progress.sent == 0 {
            Err(not_due(&frame))
        } else {
            self.take(&frame)
        };
        self.progress.fuse.guard(frame.step, taken)
    }

    fn awaiting(&self) -> Option<Step> {
        match self.progress.received {
            0 => Some(Step::Identity),
            1 => Some(Step::Cursor),
            _ => None,
        }
    }

    fn is_done(&self) -> bool {
        self.stock.in_session
    }
}

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

/// P1's side of the meeting.
pub struct SocialSession {
    stock: SocialStock,
    progress: Progress,
}

impl SocialSession {
    /// Waits for P0's offer over a sealed stock.
    ///
    /// # Errors
    /// [`SpmmError::Void`] for a stock that is not sealed.
    pub fn new(stock: SocialStock) -> Result<SocialSession, SpmmError> {
        let interrupted = stock
            .record
            .identity
            .is_none()
            .then_some(VoidReason::Interrupted);
        super::rating_stock::refuse_void(stock.record.void.or(interrupted))?;
        Ok(SocialSession {
            stock,
            progress: Progress::default(),
        })
    }

    /// The stock, ready for openings.
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`] before the last step.
    pub fn into_stock(self) -> Result<SocialStock, SpmmError> {
        if self.is_done() {
            Ok(self.stock)
        } else {
            Err(SpmmError::Unfinished {
                pending: Step::Cursor,
            })
        }
    }

    fn take(&mut self, frame: &Frame) -> Result<(), SpmmError> {
        match self.progress.received {
            0 => self.progress.check(frame, Step::Identity, OFFER_BYTES)?,
            1 => self.progress.check(frame, Step::Cursor, NONCES_BYTES)?,
            _ => return Err(not_due(frame)),
        }
        if self.progress.received == 1 {
            self.consider(&frame.payload)
        } else {
            self.promote(&frame.payload)
        }
    }

    /// Step 1: P0's view must be of the last session, or of one whose step 4 it never saw.
    fn consider(&mut self, offer: &[u8]) -> Result<(), SpmmError> {
        let mut reader = Reader(offer);
        let identity: [u8; 32] = reader.array();
        let (known, rating) = (reader.nonces(), reader.array());
        if Some(identity) != self.stock.record.identity {
            return Err(SpmmError::OtherStock);
        }
        let record = &mut self.stock.record;
        if Some(known) == record.tentative {
            record.session = known;
        } else if known != record.session {
            record.void = Some(VoidReason::Restored);
            self.stock.save()?;
            return Err(SpmmError::Void {
                reason: VoidReason::Restored,
            });
        }
        record.tentative = Some(Nonces {
            rating,
            social: fresh_nonce()?,
        });
        self.stock.save()
    }

    /// Step 3: P0 has the new nonces on disk; from here on the old ones are refused.
    fn promote(&mut self, nonces: &[u8]) -> Result<(), SpmmError> {
        let nonces = Reader(nonces).nonces();
        if self.stock.record.tentative != Some(nonces) {
            return Err(SpmmError::OtherStock);
        }
        self.stock.record.session = nonces;
        self.stock.record.tentative = None;
        self.stock.record.closed = false;
        self.stock.save()
    }
}

impl Endpoint for SocialSession {
    fn poll_send(&mut self) -> Result<Option<Frame>, SpmmError> {
        self.progress.fuse.check()?;
        let record = &self.stock.record;
        Ok(match (self.progress.sent, self.progress.received) {
            (0, 1) => {
                let identity = super::rating_stock::named(record.identity)?;
                let tentative = record.tentative.ok_or(SpmmError::Unfinished {
                    pending: Step::Identity,
                })?;
                let reply = [
                    identity.as_slice(),
                    &record.session.rating,
                    &record.session.social,
                    &tentative.social,
                    &record.cursor.to_le_bytes(),
                    &[u8::from(record.closed)],
                ];
                Some(self.progress.frame(Step::Identity, reply.concat()))
            }
            (1, 2) => {
                let nonces = [record.session.rating, record.session.social].concat();
                self.stock.in_session = true;
                Some(self.progress.frame(Step::Cursor, nonces))
            }
            _ => None,
        })
    }

    fn receive(&mut self, frame: Frame) -> Result<(), SpmmError> {
        self.progress.fuse.check()?;
        let taken = self.take(&frame);
        self.progress.fuse.guard(frame.step, taken)
    }

    fn awaiting(&self) -> Option<Step> {
        match self.progress.received {
            0 => Some(Step::Identity),
            1 => Some(Step::Cursor),
            _ => None,
        }
    }

    fn is_done(&self) -> bool {
        self.stock.in_session
    }
}

/// How far a meeting is.
#[derive(Default)]
struct Progress {
    numbering: Numbering,
    due: Due,
    sent: u32,
    received: u32,
    fuse: Fuse,
}

impl Progress {
    fn frame(&mut self, step: Step, payload: Vec<u8>) -> Frame {
        self.sent += 1;
        self.numbering.frame(step, payload)
    }

    fn check(&mut self, frame: &Frame, step: Step, bytes: usize) -> Result<(), SpmmError> {
        self.due.check(frame, &Chunks::new(step, bytes, 1)?, 0)?;
        self.received += 1;
        Ok(())
    }
}

/// Fixed-width fields of a payload whose length was checked; missing bytes read as zero.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl Reader<'_> {
    pub(crate) fn array<const SIZE: usize>(&mut self) -> [u8; SIZE] {
        let mut array = [0; SIZE];
        let (head, tail) = self.0.split_at(SIZE.min(self.0.len()));
        array
            .iter_mut()
            .zip(head)
            .for_each(|(to, from)| *to = *from);
        self.0 = tail;
        array
    }

    fn nonces(&mut self) -> Nonces {
        Nonces {
            rating: self.array(),
            social: self.array(),
        }
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
