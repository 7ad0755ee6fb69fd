//! P0's side of one offline block: encrypt Z as it is sent, keep W as it arrives.

use std::ops::Range;
use std::sync::Arc;

use s3rec_algebra::{PublicSeed, Seed};
use zeroize::Zeroizing;

use super::{Bulk, RatingStock};
use crate::chunks::{Chunks, Due, Numbering, not_due};
use crate::cost::Sizes;
use crate::endpoint::Fuse;
use crate::fetch::RatingFetch;
use crate::he::rating::decrypt_responses;
use crate::he::steps::upload_hasher;
use crate::parameters::in_range;
use crate::{Endpoint, Frame, SpmmError, Step};

/// Shares collected before they are written: round by round, so pieces must be long.
const BUFFERED_VALUES: usize = 4 << 20;

/// P0's side of a block as an endpoint: sends a seed and bodies of Z, receives responses.
///
/// Memory: two frames and the share buffer, whatever m and N are.
pub struct RatingBlock {
    stock: RatingStock,
    block: u32,
    is_last: bool,
    mask_seed: PublicSeed,
    error_seed: Seed,
    seed: Chunks,
    bodies: Chunks,
    responses: Chunks,
    fetch: Option<Arc<RatingFetch>>,
    hasher: Option<blake3::Hasher>,
    numbering: Numbering,
    due: Due,
    sent: usize,
    received: usize,
    buffer: Zeroizing<Vec<u64>>,
    buffered_from: usize,
    fuse: Fuse,
}

impl RatingBlock {
    /// The stock's next block; blocks are made in order.
    ///
    /// # Errors
    /// [`SpmmError::Exhausted`] when all blocks are made.
    pub fn new(stock: RatingStock) -> Result<RatingBlock, SpmmError> {
        let made = stock.record.uploads.len();
        let blocks = stock.parameters().layout()?.blocks;
        match u32::try_from(made) {
            Ok(block) if block < blocks => RatingBlock::start(stock, block, true),
            _ => Err(SpmmError::Exhausted {
                rounds: stock.parameters().rounds,
            }),
        }
    }

    /// Block `block` of a stock opened for a new operator: answers only, nothing is uploaded.
    /// The last block completes the stock.
    ///
    /// # Errors
    /// [`SpmmError::ColumnsUsed`] for a block of which a column was used; [`SpmmError::OutOfRange`]
    /// unless it is the one that is due: a block left out would open the difference of both Y.
    pub fn again(stock: RatingStock, block: u32) -> Result<RatingBlock, SpmmError> {
        let first_round = block.saturating_mul(stock.parameters().layout()?.rounds_per_block);
        if stock.record.identity.is_some() || first_round < stock.record.cursor {
            return Err(SpmmError::ColumnsUsed { round: first_round });
        }
        let due = u64::from(
            stock
                .renewing
                .ok_or(SpmmError::ColumnsUsed { round: first_round })?,
        );
        in_range("block to answer anew", block, due, due)?;
        RatingBlock::start(stock, block, false)
    }

    fn start(stock: RatingStock, block: u32, with_upload: bool) -> Result<RatingBlock, SpmmError> {
        let parameters = stock.parameters();
        let entropy = stock.record.entropy.seed();
        let mask_seed =
            entropy.derive_public("s3rec stock master mask seed", &[&block.to_le_bytes()]);
        let (seed, bodies) = (Sizes::mask_seed()?, Sizes::bodies(parameters)?);
        Ok(RatingBlock {
            block,
            is_last: block + 1 == parameters.layout()?.blocks,
            error_seed: entropy.derive("s3rec stock upload errors", &[&block.to_le_bytes()]),
            seed: if with_upload { seed } else { seed.none() },
            bodies: if with_upload { bodies } else { bodies.none() },
            responses: Sizes::responses(parameters)?,
            fetch: None,
            hasher: with_upload.then(|| upload_hasher(&mask_seed)),
            mask_seed,
            numbering: Numbering::default(),
            due: Due::default(),
            sent: 0,
            received: 0,
            buffer: Zeroizing::new(Vec::new()),
            buffered_from: 0,
            fuse: Fuse::default(),
            stock,
        })
    }

    /// The same block for a P1 that fetches its rows (`preprocessed-pir`).
    #[must_use]
    pub fn with_fetch(self, fetch: &Arc<RatingFetch>) -> RatingBlock {
        RatingBlock {
            fetch: Some(Arc::clone(fetch)),
            ..self
        }
    }

    /// The stock, once the block is done; an unfinished block voids it.
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`] before the last frame.
    pub fn into_stock(self) -> Result<RatingStock, SpmmError> {
        if self.is_done() {
            Ok(self.stock)
        } else {
            Err(SpmmError::Unfinished {
                pending: Step::Responses,
            })
        }
    }

    /// The stock in the middle of a block, for tests of what a block draws.
    #[cfg(test)]
    pub(crate) fn into_unfinished(self) -> RatingStock {
        self.stock
    }

    fn frames_to_send(&self) -> usize {
        self.seed.frames() + self.bodies.frames()
    }

    fn send(&mut self) -> Result<Frame, SpmmError> {
        let frame = match self.sent.checked_sub(self.seed.frames()) {
            None => self
                .numbering
                .frame(Step::MaskSeed, self.mask_seed.as_bytes().to_vec()),
            Some(index) => {
                let payload = self.upload_frame(index)?;
                self.hasher.iter_mut().for_each(|hasher| {
                    hasher.update(&payload);
                });
                self.numbering.frame(self.bodies.step(), payload)
            }
        };
        self.sent += 1;
        Ok(frame)
    }

    /// The next part of what P1 receives of the upload.
    fn upload_frame(&mut self, index: usize) -> Result<Vec<u8>, SpmmError> {
        let items = self.bodies.items_of(index);
        if !self.stock.parameters().protocol.fetches_privately() {
            return self.encrypt(items);
        }
        if index == 0 {
            self.answer_queries()?;
        }
        let mut payload = vec![0; items.len()];
        self.stock
            .storage
            .read_at(Bulk::Answer, items.start as u64, &mut payload)?;
        Ok(payload)
    }

    fn encrypt(&self, rows: Range<usize>) -> Result<Vec<u8>, SpmmError> {
        let values = self.stock.masks.block_rows(self.block, rows.clone())?;
        let secret = &self.stock.keys.secret;
        Ok(secret
            .encrypt_chunk(&values, rows.start, &self.mask_seed, &self.error_seed)?
            .into_bytes())
    }

    /// All rows go to storage as the table that P1's queries are answered from.
    fn answer_queries(&mut self) -> Result<(), SpmmError> {
        let fetch = self.fetch.clone().ok_or(SpmmError::Unfinished {
            pending: Step::Queries,
        })?;
        let rows = Sizes::rows(self.stock.parameters())?;
        for index in 0..rows.frames() {
            let items = rows.items_of(index);
            let offset = items.start * rows.item_bytes();
            self.stock
                .storage
                .write_at(Bulk::Upload, offset as u64, &self.encrypt(items)?)?;
        }
        fetch.answer_stored(&self.stock.storage)?;
        self.stock.storage.discard(Bulk::Upload)?;
        Ok(())
    }

    fn take(&mut self, frame: &Frame) -> Result<(), SpmmError> {
        if self.sent < self.frames_to_send() || self.received == self.responses.frames() {
            return Err(not_due(frame));
        }
        self.due.check(frame, &self.responses, self.received)?;
        self.received += 1;
        let shares = decrypt_responses(
            &self.stock.keys,
            &frame.payload,
            self.responses.item_bytes(),
        )?;
        self.buffer.extend(shares);
        let is_complete = self.received == self.responses.frames();
        if is_complete || self.buffer.len() >= BUFFERED_VALUES {
            self.flush()?;
        }
        if is_complete {
            let upload = self
                .hasher
                .take()
                .map(|hasher| *hasher.finalize().as_bytes());
            self.stock.finish_block(upload, self.is_last)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SpmmError> {
        let used_slots = self.stock.parameters().layout()?.used_slots();
        let storage = self.stock.storage.as_ref();
        self.stock
            .shares
            .write_responses(storage, self.block, self.buffered_from, &self.buffer)?;
        self.buffered_from += self.buffer.len() / used_slots;
        self.buffer.clear();
        Ok(())
    }
}

impl Endpoint for RatingBlock {
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
