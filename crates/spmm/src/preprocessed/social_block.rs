//! P1's side of one offline block: keep P0's ciphertexts, answer them within a memory budget.

use std::sync::Arc;

use s3rec_algebra::PublicSeed;
use zeroize::Zeroizing;

use super::{Bulk, SocialStock};
use crate::chunks::{Chunks, Due, Numbering, not_due};
use crate::cost::Sizes;
use crate::endpoint::Fuse;
use crate::fetch::{SocialFetch, frame_ranges};
use crate::he::Received;
use crate::he::answer::{Budget, StoredBodies, answer};
use crate::he::steps::{Bodies, mask_seed, upload_hasher};
use crate::parameters::in_range;
use crate::scratch::Scratch;
use crate::{Endpoint, Frame, SpmmError, Step};

/// The digest of a block's upload, which P1's randomness is bound to: there is none to fall back on.
enum UploadDigest {
    /// Nothing of the upload is here.
    Awaited,
    /// Its seed is, and perhaps bodies.
    Hashing(Box<blake3::Hasher>),
    /// It was uploaded before.
    Known([u8; 32]),
}

impl UploadDigest {
    /// Of the whole upload.
    fn finish(&self) -> Result<[u8; 32], SpmmError> {
        match self {
            UploadDigest::Awaited => Err(SpmmError::Unfinished {
                pending: Step::MaskSeed,
            }),
            UploadDigest::Hashing(hasher) => Ok(*hasher.finalize().as_bytes()),
            UploadDigest::Known(digest) => Ok(*digest),
        }
    }
}

/// P1's side of a block as an endpoint: receives a seed and bodies, sends responses, keeps R.
///
/// The whole block is computed before its first byte leaves.
pub struct SocialBlock {
    stock: SocialStock,
    block: u32,
    is_last: bool,
    budget: Budget,
    seed: Chunks,
    bodies: Chunks,
    responses: Chunks,
    fetch: Option<Arc<SocialFetch>>,
    upload: UploadDigest,
    numbering: Numbering,
    due: Due,
    received: usize,
    is_answered: bool,
    sent: usize,
    fuse: Fuse,
}

impl SocialBlock {
    /// The stock's next block, computed within `memory_limit_bytes`.
    ///
    /// # Errors
    /// [`SpmmError::Exhausted`] when all blocks are made; [`SpmmError::MemoryLimit`].
    pub fn new(stock: SocialStock, memory_limit_bytes: usize) -> Result<SocialBlock, SpmmError> {
        let made = stock.record.uploads.len();
        let blocks = stock.parameters().layout()?.blocks;
        match u32::try_from(made) {
            Ok(block) if block < blocks => {
                SocialBlock::start(stock, block, memory_limit_bytes, UploadDigest::Awaited)
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
        let kept = stock.record.uploads.get(block as usize).copied();
        let kept = UploadDigest::Known(kept.ok_or(SpmmError::UnreadableStock)?);
        SocialBlock::start(stock, block, memory_limit_bytes, kept)
    }

    fn start(
        stock: SocialStock,
        block: u32,
        memory_limit_bytes: usize,
        upload: UploadDigest,
    ) -> Result<SocialBlock, SpmmError> {
        let parameters = stock.parameters();
        let with_upload = matches!(upload, UploadDigest::Awaited);
        let (seed, bodies) = (Sizes::mask_seed()?, Sizes::bodies(parameters)?);
        Ok(SocialBlock {
            block,
            is_last: block + 1 == parameters.layout()?.blocks,
            budget: Budget::new(memory_limit_bytes, &parameters.glwe()?)?,
            seed: if with_upload { seed } else { seed.none() },
            bodies: if with_upload { bodies } else { bodies.none() },
            responses: Sizes::responses(parameters)?,
            fetch: None,
            upload,
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
        match &mut self.upload {
            UploadDigest::Awaited => {
                let hasher = upload_hasher(&mask_seed(frame)?);
                self.upload = UploadDigest::Hashing(Box::new(hasher));
            }
            UploadDigest::Hashing(hasher) => {
                hasher.update(&frame.payload);
                offset += self.seed.total_bytes() as u64;
            }
            UploadDigest::Known(_) => return Err(not_due(frame)),
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
        let upload = self.upload.finish()?;
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
            let rows = Scratch::stored(&storage, Bulk::Fetched);
            Bodies::Fetched(fetch.extract(glwe, rows, frames)?)
        } else {
            Bodies::All(StoredBodies {
                place: Scratch::stored(&storage, Bulk::Upload),
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
        let mut answer_bytes = 0;
        let (shares_on_disk, block) = (self.stock.shares, self.block);
        let operand = &self.stock.operand;
        answer(
            &received,
            operand,
            &parameters,
            self.budget,
            |first, masked| {
                let shares: Zeroizing<Vec<u64>> = masked
                    .shares()
                    .iter()
                    .flat_map(|share| share.iter().copied())
                    .collect::<Vec<_>>()
                    .into();
                shares_on_disk.write_responses(storage.as_ref(), block, first, &shares)?;
                let rounded = masked.round();
                storage.write_at(Bulk::Answer, answer_bytes, &rounded)?;
                answer_bytes += rounded.len() as u64;
                Ok(())
            },
        )?;
        if parameters.protocol.fetches_privately() {
            storage.discard(Bulk::Fetched)?;
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
