//! P1's side of one offline block: keep P0's ciphertexts, answer them within a memory budget.

use std::ops::Range;
use std::sync::Arc;

use s3rec_algebra::PublicSeed;
use s3rec_he::{GlweParameters, RowSource, decode_bodies};
use zeroize::Zeroizing;

use super::{Bulk, SocialStock, StockStorage};
use crate::chunks::{Chunks, Due, Numbering, not_due};
use crate::cost::Sizes;
use crate::endpoint::Fuse;
use crate::fetch::{SocialFetch, frame_ranges};
use crate::he::Received;
use crate::he::steps::{Bodies, upload_hasher};
use crate::parameters::in_range;
use crate::{Endpoint, Frame, SpmmError, Step};

/// The bodies of one block in a stock's storage.
pub(crate) struct StoredBodies {
    storage: Arc<dyn StockStorage>,
    glwe: GlweParameters,
    offset_bytes: u64,
}

impl RowSource for StoredBodies {
    type Error = SpmmError;

    fn read_rows(
        &self,
        rows: &[u32],
        coefficients: Range<usize>,
        out: &mut [u128],
    ) -> Result<(), SpmmError> {
        // Eight coefficients always end on a byte, so reading starts at the eighth before.
        let bits = self.glwe.body_bits() as usize;
        let skipped = coefficients.start % 8;
        let start = (coefficients.start - skipped) * bits / 8;
        let end = (coefficients.end * bits).div_ceil(8);
        let mut bytes = vec![0; end - start];
        for (&row, out) in std::iter::zip(rows, out.chunks_exact_mut(coefficients.len())) {
            let row_offset = u64::from(row) * self.glwe.upload_bytes_per_row() as u64;
            self.storage.read_at(
                Bulk::Upload,
                self.offset_bytes + row_offset + start as u64,
                &mut bytes,
            )?;
            decode_bodies(&self.glwe, &bytes, skipped, out)?;
        }
        Ok(())
    }
}

/// P1's side of a block as an endpoint: receives a seed and bodies, sends responses, keeps R.
///
/// The whole block is computed before its first byte leaves.
pub struct SocialBlock {
    stock: SocialStock,
    block: u32,
    is_last: bool,
    memory_limit_bytes: usize,
    seed: Chunks,
    bodies: Chunks,
    responses: Chunks,
    fetch: Option<Arc<SocialFetch>>,
    hasher: Option<blake3::Hasher>,
    numbering: Numbering,
    due: Due,
    received: usize,
    is_answered: bool,
    sent: usize,
    fuse: Fuse,
}

impl SocialBlock {
    /// The stock's next block; ciphertexts at full precision take at most `memory_limit_bytes`.
    ///
    /// # Errors
    /// [`SpmmError::Exhausted`] when all blocks are made.
    pub fn new(stock: SocialStock, memory_limit_bytes: usize) -> Result<SocialBlock, SpmmError> {
        let made = stock.record.uploads.len();
        let blocks = stock.parameters().layout()?.blocks;
        match u32::try_from(made) {
            Ok(block) if block < blocks => {
                SocialBlock::start(stock, block, memory_limit_bytes, true)
            }
            _ => Err(SpmmError::Exhausted {
                rounds: stock.parameters().rounds,
            }),
        }
    }

    /// Block `block` of a stock opened for a new operator: answers the kept ciphertexts for all
    /// returned rows, with fresh randomness because Y is another one.
    ///
    /// # Errors
    /// [`SpmmError::ColumnsUsed`] for a block of which a column was opened; [`SpmmError::OutOfRange`]
    /// unless it is the one that is due: a block left out would open the difference of both Y.
    pub fn again(
        stock: SocialStock,
        block: u32,
        memory_limit_bytes: usize,
    ) -> Result<SocialBlock, SpmmError> {
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
        SocialBlock::start(stock, block, memory_limit_bytes, false)
    }

    fn start(
        stock: SocialStock,
        block: u32,
        memory_limit_bytes: usize,
        with_upload: bool,
    ) -> Result<SocialBlock, SpmmError> {
        let parameters = stock.parameters();
        let (seed, bodies) = (Sizes::mask_seed()?, Sizes::bodies(parameters)?);
        Ok(SocialBlock {
            block,
            is_last: block + 1 == parameters.layout()?.blocks,
            memory_limit_bytes,
            seed: if with_upload { seed } else { seed.none() },
            bodies: if with_upload { bodies } else { bodies.none() },
            responses: Sizes::responses(parameters)?,
            fetch: None,
            hasher: None,
            numbering: Numbering::default(),
            due: Due::default(),
            received: 0,
            is_answered: false,
            sent: 0,
            fuse: Fuse::default(),
            stock,
        })
    }

    /// The same block with rows that P1 fetches (`preprocessed-pir`) by the queries it sent.
    #[must_use]
    pub fn with_fetch(self, fetch: &Arc<SocialFetch>) -> SocialBlock {
        SocialBlock {
            fetch: Some(Arc::clone(fetch)),
            ..self
        }
    }

    /// The stock, once the block is done; an unfinished block voids it.
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`] before the last frame.
    pub fn into_stock(self) -> Result<SocialStock, SpmmError> {
        if self.is_done() {
            Ok(self.stock)
        } else {
            Err(SpmmError::Unfinished {
                pending: Step::Bodies,
            })
        }
    }

    fn frames_due(&self) -> usize {
        self.seed.frames() + self.bodies.frames()
    }

    /// Where this block's master mask seed, then its bodies, lie in the kept uploads.
    fn upload_offset(&self) -> Result<u64, SpmmError> {
        let block_bytes = Sizes::mask_seed()?.total_bytes()
            + Sizes::bodies(self.stock.parameters())?.total_bytes();
        Ok(u64::from(self.block) * block_bytes as u64)
    }

    fn take(&mut self, frame: &Frame) -> Result<(), SpmmError> {
        if self.received == self.frames_due() {
            return Err(not_due(frame));
        }
        let (chunks, index) = match self.received.checked_sub(self.seed.frames()) {
            None => (&self.seed, self.received),
            Some(index) => (&self.bodies, index),
        };
        let items = self.due.check(frame, chunks, index)?;
        let mut offset = self.upload_offset()? + (items.start * chunks.item_bytes()) as u64;
        match &mut self.hasher {
            None => {
                let mut seed = [0; 32];
                seed.copy_from_slice(&frame.payload);
                self.hasher = Some(upload_hasher(&PublicSeed::from_bytes(seed)));
            }
            Some(hasher) => {
                hasher.update(&frame.payload);
                offset += self.seed.total_bytes() as u64;
            }
        }
        self.stock
            .storage
            .write_at(Bulk::Upload, offset, &frame.payload)?;
        self.received += 1;
        Ok(())
    }

    /// Steps 2 to 5 over all responses, tile by tile; R and the responses go to storage.
    fn compute(&mut self) -> Result<(), SpmmError> {
        let parameters = self.stock.parameters().clone();
        let (glwe, storage) = (parameters.glwe()?, Arc::clone(&self.stock.storage));
        let keys = self.stock.keys.clone().ok_or(SpmmError::Unfinished {
            pending: Step::PublicKey,
        })?;
        let mut mask_seed = [0; 32];
        storage.read_at(Bulk::Upload, self.upload_offset()?, &mut mask_seed)?;
        let mask_seed = PublicSeed::from_bytes(mask_seed);
        let upload = match self.hasher.take() {
            Some(hasher) => *hasher.finalize().as_bytes(),
            None => self
                .stock
                .record
                .uploads
                .get(self.block as usize)
                .copied()
                .unwrap_or_default(),
        };
        let offset_bytes = self.upload_offset()? + Sizes::mask_seed()?.total_bytes() as u64;
        let bodies = if parameters.protocol.fetches_privately() {
            let fetch = self.fetch.as_ref().ok_or(SpmmError::Unfinished {
                pending: Step::Queries,
            })?;
            let frames = frame_ranges(self.bodies.total_bytes()).map(|range| {
                let mut frame = vec![0; range.len()];
                storage.read_at(Bulk::Upload, offset_bytes + range.start as u64, &mut frame)?;
                Ok(frame)
            });
            Bodies::Fetched(fetch.extract(glwe, frames)?)
        } else {
            Bodies::Stored(StoredBodies {
                storage: Arc::clone(&storage),
                glwe,
                offset_bytes,
            })
        };
        let received = Received::new(
            &keys,
            &self.stock.operand,
            self.block,
            mask_seed,
            &upload,
            bodies,
        )?;
        let budget = Budget::new(self.memory_limit_bytes, &glwe);
        let count = parameters
            .returned_rows
            .div_ceil(parameters.layout()?.rows_per_response) as usize;
        let mut answer_bytes = 0;
        for first in (0..count).step_by(budget.responses) {
            let range = first..(first + budget.responses).min(count);
            let mut multiplied =
                received.multiply(&self.stock.operand, range, budget.tile_bytes)?;
            let mut first = first;
            while let Some(piece) = multiplied.take(budget.responses_at_once) {
                let masked = piece.rerandomise().mask()?;
                let shares: Zeroizing<Vec<u64>> = masked
                    .shares()
                    .iter()
                    .flat_map(|share| share.iter().copied())
                    .collect::<Vec<_>>()
                    .into();
                self.stock
                    .shares
                    .write_responses(storage.as_ref(), self.block, first, &shares)?;
                first += masked.shares().len();
                let rounded = masked.round();
                storage.write_at(Bulk::Answer, answer_bytes, &rounded)?;
                answer_bytes += rounded.len() as u64;
            }
        }
        if self.stock.record.uploads.len() == self.block as usize {
            self.stock.record.uploads.push(upload);
            self.stock.save()?;
        }
        Ok(())
    }

    fn send(&mut self) -> Result<Frame, SpmmError> {
        if !self.is_answered {
            self.compute()?;
            self.is_answered = true;
        }
        let items = self.responses.items_of(self.sent);
        let item_bytes = self.responses.item_bytes();
        let mut payload = vec![0; items.len() * item_bytes];
        self.stock.storage.read_at(
            Bulk::Answer,
            (items.start * item_bytes) as u64,
            &mut payload,
        )?;
        self.sent += 1;
        if self.sent == self.responses.frames() {
            self.stock.finish_block(self.is_last)?;
        }
        Ok(self.numbering.frame(Step::Responses, payload))
    }
}

/// How a memory limit is shared out: ciphertexts at full precision, and either a tile of expanded
/// masks or the rounded form and the shares of some of them. What is left is for Y and its plan.
struct Budget {
    responses: usize,
    responses_at_once: usize,
    tile_bytes: usize,
}

impl Budget {
    fn new(memory_limit_bytes: usize, glwe: &GlweParameters) -> Budget {
        let ciphertext_bytes = 16 * (glwe.lattice_dimension() + glwe.polynomial_size());
        let tile_bytes = (memory_limit_bytes / 16 * 3).clamp(1 << 20, 192 << 20);
        Budget {
            responses: (memory_limit_bytes / 8 * 5 / ciphertext_bytes).max(1),
            responses_at_once: (tile_bytes / ciphertext_bytes).max(1),
            tile_bytes,
        }
    }
}

impl Endpoint for SocialBlock {
    fn poll_send(&mut self) -> Result<Option<Frame>, SpmmError> {
        self.fuse.check()?;
        if self.received < self.frames_due() || self.sent == self.responses.frames() {
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
            received if received < self.seed.frames() => Some(Step::MaskSeed),
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
