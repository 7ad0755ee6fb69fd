//! P0's side of one offline block: encrypt Z as it is sent, keep W as it arrives.

use std::ops::Range;
use std::sync::Arc;

use s3rec_algebra::{PublicSeed, Seed};
use zeroize::Zeroizing;

use super::storage::Saves;
use super::{Bulk, RatingStock, StockPlace};
use crate::chunks::Piece;
use crate::cost::Sizes;
use crate::exchange::{Receives, Runner, Sends, State, endpoints};
use crate::fetch::RatingFetch;
use crate::he::rating::decrypt_responses;
use crate::he::steps::upload_hasher;
use crate::parameters::in_range;
use crate::schedule::Schedule;
use crate::{SpmmError, Step};

/// Shares collected before they are written: round by round, so pieces must be long.
const BUFFERED_VALUES: usize = 4 << 20;

/// P0's side of a block as an endpoint: sends a seed and bodies of Z, receives responses.
///
/// Memory: two frames and the share buffer, whatever m and N are.
pub struct RatingBlock(Runner<Block, ()>);

struct Block {
    stock: RatingStock,
    block: u32,
    mask_seed: PublicSeed,
    error_seed: Seed,
    fetch: Option<Arc<RatingFetch>>,
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
            Ok(block) if block < blocks => RatingBlock::uploading(stock, block, 0),
            _ => Err(SpmmError::Exhausted {
                rounds: stock.parameters().rounds,
            }),
        }
    }

    /// The block that was under way when the exchange broke off, from the frames that either side
    /// has. What is sent again and what is sent first are the same bytes as they would have been:
    /// masks and errors follow from the stock's entropy and the block's number.
    ///
    /// # Errors
    /// [`SpmmError::OutOfRange`] for another place than the stock's;
    /// [`SpmmError::Unsupported`] where P1 fetches privately: its queries are not kept.
    pub fn going_on(stock: RatingStock, from: &StockPlace) -> Result<RatingBlock, SpmmError> {
        from.check(stock.parameters())?;
        let made = stock.record.uploads.len() as u64;
        in_range("block to go on with", from.block, made, made)?;
        let held = u64::from(stock.record.frames);
        in_range("frames of responses", from.responses, held, held)?;
        RatingBlock::uploading(stock, from.block, from.bodies)
    }

    fn uploading(stock: RatingStock, block: u32, bodies: u32) -> Result<RatingBlock, SpmmError> {
        let schedule = Schedule::block(stock.parameters(), bodies, stock.record.frames)?;
        let fetches = stock.parameters().protocol.fetches_privately();
        let block = Block::new(stock, block);
        let hasher = upload_hasher(&block.mask_seed);
        let seed = block.mask_seed.as_bytes().to_vec();
        let bodies = if fetches {
            State::compute(|block: &mut Block| {
                block.answer_queries()?;
                Ok(State::send(Answers { hasher }))
            })
        } else {
            State::compute(move |block: &mut Block| {
                Ok(State::send(block.encrypting(hasher, bodies)?))
            })
        };
        let sending = State::bytes(seed, bodies);
        Ok(RatingBlock(Runner::rating(schedule, block, sending)))
    }

    /// The same block for a P1 that fetches its rows (`preprocessed-pir`).
    #[must_use]
    pub fn with_fetch(mut self, fetch: &Arc<RatingFetch>) -> RatingBlock {
        self.0.context_mut().fetch = Some(Arc::clone(fetch));
        self
    }

    /// The stock, once the block is done. An unfinished block leaves it to
    /// [`RatingStock::take_up`].
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`] before the last frame.
    pub fn into_stock(self) -> Result<RatingStock, SpmmError> {
        let (block, ()) = self.0.finish()?;
        Ok(block.stock)
    }

    /// The stock in the middle of a block, for tests of what a block draws.
    #[cfg(test)]
    pub(crate) fn into_unfinished(self) -> RatingStock {
        self.0.into_context().stock
    }
}

endpoints!(RatingBlock);

impl Block {
    fn new(stock: RatingStock, block: u32) -> Block {
        let entropy = stock.record.entropy.seed();
        let place = block.to_le_bytes();
        Block {
            block,
            mask_seed: entropy.derive_public("s3rec stock master mask seed", &[&place]),
            error_seed: entropy.derive("s3rec stock upload errors", &[&place]),
            fetch: None,
            stock,
        }
    }

    fn encrypt(&self, rows: Range<usize>) -> Result<Vec<u8>, SpmmError> {
        let values = self.stock.masks.block_rows(self.block, rows.clone())?;
        let secret = &self.stock.keys.secret;
        Ok(secret
            .encrypt_chunk(&values, rows.start, &self.mask_seed, &self.error_seed)?
            .into_bytes())
    }

    /// The upload from frame `held` on; the digest is of all of it.
    fn encrypting(&self, mut hasher: blake3::Hasher, held: u32) -> Result<Encrypting, SpmmError> {
        let bodies = Sizes::bodies(self.stock.parameters())?;
        for index in 0..bodies.frames().min(held as usize) {
            hasher.update(&self.encrypt(bodies.piece(index).items)?);
        }
        Ok(Encrypting { hasher })
    }

    /// All rows go to storage as the table that P1's queries are answered from.
    fn answer_queries(&mut self) -> Result<(), SpmmError> {
        let fetch = self.fetch.as_ref().ok_or(SpmmError::Unfinished {
            pending: Step::Queries,
        })?;
        let storage = &self.stock.storage;
        let rows = Sizes::rows(self.stock.parameters())?;
        for index in 0..rows.frames() {
            let piece = rows.piece(index);
            let offset = piece.bytes().start as u64;
            storage.write_at(Bulk::Upload, offset, &self.encrypt(piece.items)?)?;
        }
        fetch.answer_stored(storage)?;
        storage.discard(Bulk::Upload)?;
        Ok(())
    }
}

/// Z is encrypted as it is sent.
struct Encrypting {
    hasher: blake3::Hasher,
}

impl Sends<Block, ()> for Encrypting {
    fn payload(&mut self, block: &mut Block, piece: &Piece) -> Result<Vec<u8>, SpmmError> {
        let payload = block.encrypt(piece.items.clone())?;
        self.hasher.update(&payload);
        Ok(payload)
    }

    fn sent(self: Box<Self>, block: &mut Block) -> Result<State<Block, ()>, SpmmError> {
        Decrypting::state(block, *self.hasher.finalize().as_bytes())
    }
}

/// The answers to P1's queries, from storage.
struct Answers {
    hasher: blake3::Hasher,
}

impl Sends<Block, ()> for Answers {
    fn payload(&mut self, block: &mut Block, piece: &Piece) -> Result<Vec<u8>, SpmmError> {
        let bytes = piece.bytes();
        let mut payload = vec![0; bytes.len()];
        let storage = &block.stock.storage;
        storage.read_at(Bulk::Answer, bytes.start as u64, &mut payload)?;
        self.hasher.update(&payload);
        Ok(payload)
    }

    fn sent(self: Box<Self>, block: &mut Block) -> Result<State<Block, ()>, SpmmError> {
        Decrypting::state(block, *self.hasher.finalize().as_bytes())
    }
}

/// W on its way to storage.
struct Decrypting {
    /// Digest of the upload.
    upload: [u8; 32],
    buffer: Zeroizing<Vec<u64>>,
    /// The response that the buffer begins with.
    first: usize,
    /// Frames that were received, now or before.
    frames: u32,
    saves: Saves,
}

impl Decrypting {
    /// From the frames on that are on disk: none but of the block that was under way.
    fn state(block: &Block, upload: [u8; 32]) -> Result<State<Block, ()>, SpmmError> {
        let frames = block.stock.record.frames;
        let responses = Sizes::responses(block.stock.parameters())?;
        Ok(State::receive(Decrypting {
            upload,
            buffer: Zeroizing::new(Vec::new()),
            first: responses.piece(frames as usize).items.start,
            frames,
            saves: Saves::of(block.stock.storage.as_ref()),
        }))
    }

    fn flush(&mut self, block: &Block) -> Result<(), SpmmError> {
        let stock = &block.stock;
        let used_slots = stock.parameters().layout()?.used_slots();
        let storage = stock.storage.as_ref();
        stock
            .shares
            .write_responses(storage, block.block, self.first, &self.buffer)?;
        self.first += self.buffer.len() / used_slots;
        self.buffer.clear();
        Ok(())
    }
}

impl Receives<Block, ()> for Decrypting {
    fn take(&mut self, block: &mut Block, piece: &Piece, payload: &[u8]) -> Result<(), SpmmError> {
        let shares = decrypt_responses(&block.stock.keys, payload, piece.item_bytes())?;
        self.buffer.extend(shares);
        self.frames += 1;
        if self.saves.is_due() {
            self.flush(block)?;
            block.stock.record.frames = self.frames;
            block.stock.save()?;
        } else if self.buffer.len() >= BUFFERED_VALUES {
            self.flush(block)?;
        }
        Ok(())
    }

    fn received(mut self: Box<Self>, block: &mut Block) -> Result<State<Block, ()>, SpmmError> {
        self.flush(block)?;
        let is_last = block.block + 1 == block.stock.parameters().layout()?.blocks;
        block.stock.finish_block(self.upload, is_last)?;
        Ok(State::Finished(()))
    }
}
