//! Meeting over an unfinished stock after its exchange broke off, so that the offline phase goes
//! on where it was.
//!
//! 1. P0 → P1: digest of the terms, the block that it is at, frames of its answer that it has.
//! 2. P1 → P0: whether that goes on, and the frames of the block's bodies that it has.
//!
//! Each side names only what its disk holds. It goes on where both are in the same block, or P1 is
//! one answer ahead; anything else (P1 never kept the key, or either was restored from a backup)
//! begins again, with another stock, because nothing of an unfinished stock was ever opened.
//!
//! Going on shows nobody anything new. P0's upload follows from the stock's entropy and the block:
//! a frame that leaves twice is the same frame. P1's answer is made of the whole upload from
//! randomness bound to that upload, Y and the block: the same answer, or one that is independent
//! of it. Columns of Z are used by openings alone, and there was none. What crosses here are
//! numbers of frames, which the link has seen.

use std::ops::Range;

use super::record::Nonces;
use super::session::Reader;
use super::{RatingStock, SocialStock, VoidReason};
use crate::chunks::Chunks;
use crate::cost::Sizes;
use crate::exchange::{Runner, State, endpoints};
use crate::pair::Side;
use crate::parameters::in_range;
use crate::schedule::{Part, Schedule};
use crate::{Exchange, ProductParameters, SpmmError, Step};

const OFFER_BYTES: usize = 32 + 4 + 4;
const REPLY_BYTES: usize = 1 + 4;

/// How far the offline phase of a stock is at both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StockPlace {
    /// The block under way, from 0: all before it are done at both sides.
    pub block: u32,
    /// Frames of its bodies that P1 has on disk.
    pub bodies: u32,
    /// Frames of its responses whose shares P0 has on disk.
    pub responses: u32,
}

impl StockPlace {
    /// Before the first frame of a block.
    pub(crate) fn of_block(block: u32) -> StockPlace {
        StockPlace {
            block,
            bodies: 0,
            responses: 0,
        }
    }

    /// Payload bytes of the offline phase that need not cross again, both ways together, the key's
    /// among them.
    ///
    /// # Errors
    /// Those of [`ProductParameters::layout`].
    pub fn held_bytes(&self, parameters: &ProductParameters) -> Result<u64, SpmmError> {
        let whole = bytes(&Exchange::Upload.schedule(parameters)?);
        let rest = bytes(&Schedule::block(parameters, self.bodies, self.responses)?);
        let key = bytes(&Exchange::PublicKey.schedule(parameters)?);
        Ok(key + whole * u64::from(self.block) + (whole - rest))
    }

    pub(crate) fn check(&self, parameters: &ProductParameters) -> Result<(), SpmmError> {
        refuse_fetch(parameters)?;
        let last = u64::from(parameters.layout()?.blocks) - 1;
        in_range("block to go on with", self.block, 0, last)?;
        let bodies = Sizes::bodies(parameters)?.frames() as u64;
        in_range("frames of bodies", self.bodies, 0, bodies)?;
        let responses = Sizes::responses(parameters)?.frames() as u64;
        in_range("frames of responses", self.responses, 0, responses)?;
        // Nothing is answered before the whole upload is there.
        let least = if self.responses > 0 { bodies } else { 0 };
        in_range("frames of bodies", self.bodies, least, bodies)
    }
}

fn bytes(schedule: &Schedule) -> u64 {
    schedule.parts().map(|part| part.total_bytes() as u64).sum()
}

/// P1's queries are not kept: such a stock begins again.
fn refuse_fetch(parameters: &ProductParameters) -> Result<(), SpmmError> {
    match parameters.protocol.fetches_privately() {
        false => Ok(()),
        true => Err(SpmmError::Unsupported {
            what: "going on with an unfinished stock",
            with: parameters.protocol.name(),
        }),
    }
}

fn schedule() -> Schedule {
    let offer = Chunks::message::<OFFER_BYTES>(Step::Identity);
    let reply = Chunks::message::<REPLY_BYTES>(Step::Cursor);
    Schedule::of(Part::new(Side::Rating, offer)).then(Part::new(Side::Social, reply))
}

/// P0's side of the meeting.
pub struct RatingContinuation(Runner<RatingStock, Option<StockPlace>>);

impl RatingContinuation {
    /// Offers to go on with an unfinished stock.
    ///
    /// # Errors
    /// [`SpmmError::Exhausted`] for a finished one; [`SpmmError::Unsupported`] where P1 fetches
    /// privately.
    pub fn new(stock: RatingStock) -> Result<RatingContinuation, SpmmError> {
        refuse_fetch(stock.parameters())?;
        let block = u32::try_from(stock.record.uploads.len()).unwrap_or(u32::MAX);
        if stock.record.identity.is_some() || block >= stock.parameters().layout()?.blocks {
            let rounds = stock.parameters().rounds;
            return Err(SpmmError::Exhausted { rounds });
        }
        let responses = stock.record.frames;
        let offer = [
            stock.record.terms_digest.as_slice(),
            &block.to_le_bytes(),
            &responses.to_le_bytes(),
        ];
        let taking = State::take(move |stock: &mut RatingStock, reply| {
            let place = placed(reply, block, responses, stock.parameters())?;
            Ok(State::Finished(place))
        });
        let offering = State::bytes(offer.concat(), taking);
        Ok(RatingContinuation(Runner::rating(
            schedule(),
            stock,
            offering,
        )))
    }

    /// The stock, and where it goes on; `None`: another one is begun.
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`] before the last step.
    pub fn into_stock(self) -> Result<(RatingStock, Option<StockPlace>), SpmmError> {
        self.0.finish()
    }
}

/// Step 2, as P0 reads it.
fn placed(
    reply: &[u8],
    block: u32,
    responses: u32,
    parameters: &ProductParameters,
) -> Result<Option<StockPlace>, SpmmError> {
    let mut reader = Reader::new(Step::Cursor, reply);
    let [goes_on] = reader.array()?;
    let bodies = u32::from_le_bytes(reader.array()?);
    let place = StockPlace {
        block,
        bodies,
        responses,
    };
    let malformed = |_| SpmmError::Malformed { step: Step::Cursor };
    match (goes_on, bodies) {
        (0, 0) => Ok(None),
        (1, _) => place
            .check(parameters)
            .map(|()| Some(place))
            .map_err(malformed),
        _ => Err(SpmmError::Malformed { step: Step::Cursor }),
    }
}

/// P1's side of the meeting.
pub struct SocialContinuation(Runner<Option<SocialStock>, Option<StockPlace>>);

impl SocialContinuation {
    /// Waits for P0's offer to go on with an unfinished stock; `None` where there is none to go on
    /// with.
    #[must_use]
    pub fn new(stock: Option<SocialStock>) -> SocialContinuation {
        let considering = State::take(|stock: &mut Option<SocialStock>, offer| {
            let place = match stock {
                Some(stock) => consider(stock, offer)?,
                None => None,
            };
            let bodies = place.map_or(0, |place: StockPlace| place.bodies);
            let goes_on = u8::from(place.is_some());
            let reply = [&[goes_on][..], &bodies.to_le_bytes()].concat();
            Ok(State::bytes(reply, State::Finished(place)))
        });
        SocialContinuation(Runner::social(schedule(), stock, considering))
    }

    /// The stock and where it goes on; `None`: P0 begins another one.
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`] before the last step.
    pub fn into_stock(self) -> Result<Option<(SocialStock, StockPlace)>, SpmmError> {
        let (stock, place) = self.0.finish()?;
        Ok(stock.zip(place))
    }
}

endpoints!(RatingContinuation, SocialContinuation);

/// Step 1: P0's place must be one that this stock can be in.
fn consider(stock: &SocialStock, offer: &[u8]) -> Result<Option<StockPlace>, SpmmError> {
    let mut reader = Reader::new(Step::Identity, offer);
    let terms: [u8; 32] = reader.array()?;
    let block = u32::from_le_bytes(reader.array()?);
    let responses = u32::from_le_bytes(reader.array()?);
    let record = &stock.record;
    // Who has met over the finished stock, or opened something of it, cannot be making it.
    if record.openings > 0 {
        return Err(SpmmError::Void {
            reason: VoidReason::Restored,
        });
    }
    let has_met = record.session != Nonces::NEVER_MET;
    let answered = u32::try_from(record.uploads.len()).unwrap_or(u32::MAX);
    let ahead: Range<u32> = block..block.saturating_add(2);
    if terms != record.terms_digest || has_met || !ahead.contains(&answered) {
        return Ok(None);
    }
    let bodies = match answered == block {
        true => record.frames,
        false => u32::try_from(Sizes::bodies(stock.parameters())?.frames()).unwrap_or(u32::MAX),
    };
    let place = StockPlace {
        block,
        bodies,
        responses,
    };
    // What P0 has of an answer that P1 has not made is of a stock before a backup's.
    let has_made = responses == 0 || answered > block;
    let goes_on = has_made && place.check(stock.parameters()).is_ok();
    Ok(goes_on.then_some(place))
}
