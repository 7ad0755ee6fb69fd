//! Ending a session by agreement: nothing is under way, so nothing is burnt at the next start.

use super::session::Reader;
use super::{RatingStock, SocialStock};
use crate::chunks::{Due, Numbering, not_due};
use crate::cost::Sizes;
use crate::endpoint::Fuse;
use crate::{Endpoint, Frame, SpmmError, Step};

/// After a failed opening a message may still be under way: only who has met again may close,
/// for closing promises that nothing needs to be burnt.
fn in_session(is_in_session: bool) -> Result<(), SpmmError> {
    if is_in_session {
        Ok(())
    } else {
        Err(SpmmError::Unfinished {
            pending: Step::Identity,
        })
    }
}

/// P0's side: names the stock, hears P1's own count of openings.
pub struct RatingClose {
    stock: RatingStock,
    numbering: Numbering,
    due: Due,
    is_sent: bool,
    openings: Option<u32>,
    fuse: Fuse,
}

impl RatingClose {
    /// Ends the session of `stock`.
    pub fn new(stock: RatingStock) -> RatingClose {
        RatingClose {
            stock,
            numbering: Numbering::default(),
            due: Due::default(),
            is_sent: false,
            openings: None,
            fuse: Fuse::default(),
        }
    }

    /// The stock at rest, and how many openings P1 counted over its life.
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`] before P1 has answered.
    pub fn into_stock(mut self) -> Result<(RatingStock, u32), SpmmError> {
        self.stock.in_session = false;
        let openings = self.openings.ok_or(SpmmError::Unfinished {
            pending: Step::Cursor,
        })?;
        Ok((self.stock, openings))
    }
}

impl Endpoint for RatingClose {
    fn poll_send(&mut self) -> Result<Option<Frame>, SpmmError> {
        self.fuse.check()?;
        if std::mem::replace(&mut self.is_sent, true) {
            return Ok(None);
        }
        let agreed = in_session(self.stock.in_session);
        self.fuse.guard(Step::Cursor, agreed)?;
        let identity = self.stock.record.sealed()?;
        Ok(Some(self.numbering.frame(Step::Cursor, identity.to_vec())))
    }

    fn receive(&mut self, frame: Frame) -> Result<(), SpmmError> {
        self.fuse.check()?;
        let taken = if self.is_sent && self.openings.is_none() {
            Sizes::closed_openings().and_then(|chunks| self.due.check(&frame, &chunks, 0))
        } else {
            Err(not_due(&frame))
        };
        self.fuse.guard(Step::Cursor, taken)?;
        let openings = Reader::new(frame.step, &frame.payload).array()?;
        self.openings = Some(u32::from_le_bytes(openings));
        Ok(())
    }

    fn awaiting(&self) -> Option<Step> {
        self.openings.is_none().then_some(Step::Cursor)
    }

    fn is_done(&self) -> bool {
        self.openings.is_some()
    }
}

/// P1's side: notes that the session ended by agreement.
pub struct SocialClose {
    stock: SocialStock,
    numbering: Numbering,
    due: Due,
    is_closed: bool,
    is_sent: bool,
    fuse: Fuse,
}

impl SocialClose {
    /// Waits for P0 to end the session.
    pub fn new(stock: SocialStock) -> SocialClose {
        SocialClose {
            stock,
            numbering: Numbering::default(),
            due: Due::default(),
            is_closed: false,
            is_sent: false,
            fuse: Fuse::default(),
        }
    }

    /// The stock at rest.
    pub fn into_stock(mut self) -> SocialStock {
        self.stock.in_session = false;
        self.stock
    }

    fn take(&mut self, frame: &Frame) -> Result<(), SpmmError> {
        if self.is_closed {
            return Err(not_due(frame));
        }
        in_session(self.stock.in_session)?;
        self.due.check(frame, &Sizes::identity()?, 0)?;
        let named: [u8; 32] = Reader::new(frame.step, &frame.payload).array()?;
        if named != self.stock.record.sealed()? {
            return Err(SpmmError::OtherStock);
        }
        self.stock.record.closed = true;
        self.stock.save()?;
        self.is_closed = true;
        Ok(())
    }
}

impl Endpoint for SocialClose {
    fn poll_send(&mut self) -> Result<Option<Frame>, SpmmError> {
        self.fuse.check()?;
        if !self.is_closed || std::mem::replace(&mut self.is_sent, true) {
            return Ok(None);
        }
        let openings = self.stock.record.openings.to_le_bytes().to_vec();
        Ok(Some(self.numbering.frame(Step::Cursor, openings)))
    }

    fn receive(&mut self, frame: Frame) -> Result<(), SpmmError> {
        self.fuse.check()?;
        let taken = self.take(&frame);
        self.fuse.guard(Step::Cursor, taken)
    }

    fn awaiting(&self) -> Option<Step> {
        (!self.is_closed).then_some(Step::Cursor)
    }

    fn is_done(&self) -> bool {
        self.is_closed && self.is_sent
    }
}
