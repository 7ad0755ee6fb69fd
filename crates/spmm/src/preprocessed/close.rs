//! Ending a session by agreement: nothing is under way, so nothing is burnt at the next start.

use super::session::Reader;
use super::{RatingStock, SocialStock};
use crate::exchange::{Runner, State, endpoints};
use crate::schedule::Schedule;
use crate::{SpmmError, Step};

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
pub struct RatingClose(Runner<RatingStock, u32>);

impl RatingClose {
    /// Ends the session of `stock`.
    pub fn new(stock: RatingStock) -> RatingClose {
        let naming = State::compute(|stock: &mut RatingStock| {
            in_session(stock.in_session)?;
            let identity = stock.record.sealed()?.to_vec();
            let openings = State::take(|_, counted| {
                let openings = Reader::new(Step::Cursor, counted).array()?;
                Ok(State::Finished(u32::from_le_bytes(openings)))
            });
            Ok(State::bytes(identity, openings))
        });
        RatingClose(Runner::rating(Schedule::close(), stock, naming))
    }

    /// The stock at rest, and how many openings P1 counted over its life.
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`] before P1 has answered.
    pub fn into_stock(self) -> Result<(RatingStock, u32), SpmmError> {
        let (mut stock, openings) = self.0.finish()?;
        stock.in_session = false;
        Ok((stock, openings))
    }
}

/// P1's side: records that the session ended by agreement.
pub struct SocialClose(Runner<SocialStock, ()>);

impl SocialClose {
    /// Waits for P0 to end the session.
    pub fn new(stock: SocialStock) -> SocialClose {
        let closing = State::take(|stock: &mut SocialStock, named| {
            in_session(stock.in_session)?;
            let named: [u8; 32] = Reader::new(Step::Cursor, named).array()?;
            if named != stock.record.sealed()? {
                return Err(SpmmError::OtherStock);
            }
            stock.record.closed = true;
            stock.save()?;
            let openings = stock.record.openings.to_le_bytes().to_vec();
            Ok(State::bytes(openings, State::Finished(())))
        });
        SocialClose(Runner::social(Schedule::close(), stock, closing))
    }

    /// The stock at rest.
    pub fn into_stock(self) -> SocialStock {
        let mut stock = self.0.into_context();
        stock.in_session = false;
        stock
    }
}

endpoints!(RatingClose, SocialClose);
