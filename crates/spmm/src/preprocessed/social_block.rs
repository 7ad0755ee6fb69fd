//! P1's side of one offline block: keep P0's ciphertexts, answer them within a memory budget.

use std::sync::Arc;

use s3rec_algebra::PublicSeed;
use zeroize::Zeroizing;

use super::storage::Saves;
use super::{Bulk, SocialStock, StockPlace};
use crate::chunks::Piece;
use crate::cost::Sizes;
use crate::exchange::{Receives, Runner, Sends, State, endpoints};
use crate::fetch::{SocialFetch, frame_ranges};
use crate::he::Received;
use crate::he::answer::{Budget, StoredBodies, answer};
use crate::he::steps::{Bodies, mask_seed, upload_hasher};
use crate::parameters::in_range;
use crate::schedule::Schedule;
use crate::scratch::Scratch;
use crate::{SpmmError, Step};

/// P1's side of a block as an endpoint: receives a seed and bodies, sends responses, keeps R.
///
/// The whole block is computed before its first byte leaves.
pub struct SocialBlock(Runner<Block, ()>);

struct Block {
    stock: SocialStock,
    block: u32,
    budget: Budget,
    fetch: Option<Arc<SocialFetch>>,
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
                let from = StockPlace::of_block(block);
                SocialBlock::receiving(stock, &from, memory_limit_bytes)
            }
            _ => Err(SpmmError::Exhausted {
                rounds: stock.parameters().rounds,
            }),
        }
    }

    /// The block that was under way when the exchange broke off, from the frames that either side
    /// has. An answer that was made is sent again, not made again; one that was not is made of the
    /// whole upload, from randomness that follows from it: the same bytes either way.
    ///
    /// # Errors
    /// [`SpmmError::OutOfRange`] for another place than the stock's;
    /// [`SpmmError::Unsupported`] where P1 fetches privately; [`SpmmError::MemoryLimit`].
    pub fn going_on(
        stock: SocialStock,
        from: &StockPlace,
        memory_limit_bytes: usize,
    ) -> Result<SocialBlock, SpmmError> {
        from.check(stock.parameters())?;
        let answered = stock.record.uploads.len() as u64;
        let least = answered.saturating_sub(1);
        in_range("block to go on with", from.block, least, answered)?;
        SocialBlock::receiving(stock, from, memory_limit_bytes)
    }

    fn receiving(
        stock: SocialStock,
        from: &StockPlace,
        memory_limit_bytes: usize,
    ) -> Result<SocialBlock, SpmmError> {
        let schedule = Schedule::block(stock.parameters(), from.bodies, from.responses)?;
        let (held, saves) = (from.bodies, Saves::of(stock.storage.as_ref()));
        let is_answered = stock.record.uploads.len() > from.block as usize;
        let block = Block::new(stock, from.block, memory_limit_bytes)?;
        let waiting = State::take(move |block: &mut Block, payload| {
            let hasher = block.begin(payload, held, is_answered)?;
            Ok(State::receive(Receiving {
                hasher,
                frames: held,
                is_answered,
                saves,
            }))
        });
        Ok(SocialBlock(Runner::social(schedule, block, waiting)))
    }

    /// The same block with rows that P1 fetches (`preprocessed-pir`) by the queries it sent.
    #[must_use]
    pub fn with_fetch(mut self, fetch: &Arc<SocialFetch>) -> SocialBlock {
        self.0.context_mut().fetch = Some(Arc::clone(fetch));
        self
    }

    /// The stock, once the block is done. An unfinished block leaves it to
    /// [`SocialStock::take_up`].
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`] before the last frame.
    pub fn into_stock(self) -> Result<SocialStock, SpmmError> {
        let (block, ()) = self.0.finish()?;
        Ok(block.stock)
    }
}

endpoints!(SocialBlock);

/// P0's ciphertexts on their way to storage.
struct Receiving {
    /// Of the upload, which P1's randomness is bound to: there is none to fall back on.
    hasher: blake3::Hasher,
    /// Frames that were received, now or before.
    frames: u32,
    /// The answer is there from before.
    is_answered: bool,
    saves: Saves,
}

impl Receives<Block, ()> for Receiving {
    fn take(&mut self, block: &mut Block, piece: &Piece, payload: &[u8]) -> Result<(), SpmmError> {
        self.hasher.update(payload);
        let offset = block.bodies_offset()? + piece.bytes().start as u64;
        let stock = &mut block.stock;
        stock.storage.write_at(Bulk::Upload, offset, payload)?;
        self.frames += 1;
        if self.saves.is_due() {
            stock.record.frames = self.frames;
            stock.save()?;
        }
        Ok(())
    }

    fn received(self: Box<Self>, _: &mut Block) -> Result<State<Block, ()>, SpmmError> {
        if self.is_answered {
            return Ok(State::send(Answer));
        }
        Ok(Block::answering(*self.hasher.finalize().as_bytes()))
    }
}

/// The responses, from storage.
struct Answer;

impl Sends<Block, ()> for Answer {
    fn payload(&mut self, block: &mut Block, piece: &Piece) -> Result<Vec<u8>, SpmmError> {
        let bytes = piece.bytes();
        let mut payload = vec![0; bytes.len()];
        let storage = &block.stock.storage;
        storage.read_at(Bulk::Answer, bytes.start as u64, &mut payload)?;
        Ok(payload)
    }

    fn sent(self: Box<Self>, block: &mut Block) -> Result<State<Block, ()>, SpmmError> {
        let is_last = block.block + 1 == block.stock.parameters().layout()?.blocks;
        block.stock.finish_block(is_last)?;
        Ok(State::Finished(()))
    }
}

impl Block {
    fn new(stock: SocialStock, block: u32, memory_limit_bytes: usize) -> Result<Block, SpmmError> {
        Ok(Block {
            block,
            budget: Budget::new(memory_limit_bytes, &stock.parameters().glwe()?)?,
            fetch: None,
            stock,
        })
    }

    /// An upload begins, or goes on behind `held` frames of bodies: the digest is of all of it.
    ///
    /// # Errors
    /// [`SpmmError::OtherStock`] for another mask seed than the one that what is held goes with.
    fn begin(
        &self,
        seed: &[u8],
        held: u32,
        is_answered: bool,
    ) -> Result<blake3::Hasher, SpmmError> {
        let mut hasher = upload_hasher(&mask_seed(seed)?);
        let storage = self.stock.storage.as_ref();
        if held == 0 {
            // P0 begins a block when it has the answer to the one before.
            self.stock.answers_arrived()?;
            storage.write_at(Bulk::Upload, self.upload_offset()?, seed)?;
            return Ok(hasher);
        }
        let mut kept = vec![0; seed.len()];
        storage.read_at(Bulk::Upload, self.upload_offset()?, &mut kept)?;
        if kept != seed {
            return Err(SpmmError::OtherStock);
        }
        if is_answered {
            return Ok(hasher);
        }
        let bodies = Sizes::bodies(self.stock.parameters())?;
        for index in 0..bodies.frames().min(held as usize) {
            let range = bodies.piece(index).bytes();
            let mut frame = vec![0; range.len()];
            let offset = self.bodies_offset()? + range.start as u64;
            storage.read_at(Bulk::Upload, offset, &mut frame)?;
            hasher.update(&frame);
        }
        Ok(hasher)
    }

    /// Answers an upload that is all there, of this digest.
    fn answering(upload: [u8; 32]) -> State<Block, ()> {
        State::compute(move |block: &mut Block| {
            block.answer(upload)?;
            Ok(State::send(Answer))
        })
    }

    /// Where this block's master mask seed lies in the kept uploads.
    fn upload_offset(&self) -> Result<u64, SpmmError> {
        let bodies = Sizes::bodies(self.stock.parameters())?;
        let block_bytes = Sizes::mask_seed().total_bytes() + bodies.total_bytes();
        Ok(u64::from(self.block) * block_bytes as u64)
    }

    /// Where its bodies lie, behind it.
    fn bodies_offset(&self) -> Result<u64, SpmmError> {
        Ok(self.upload_offset()? + Sizes::mask_seed().total_bytes() as u64)
    }

    /// Steps 2 to 5 over all responses, tile by tile; R and the responses go to storage.
    fn answer(&mut self, upload: [u8; 32]) -> Result<(), SpmmError> {
        let parameters = self.stock.parameters().clone();
        let (glwe, storage) = (parameters.glwe()?, Arc::clone(&self.stock.storage));
        let keys = self.stock.keys.clone().ok_or(SpmmError::Unfinished {
            pending: Step::PublicKey,
        })?;
        let mut mask_seed = [0; 32];
        storage.read_at(Bulk::Upload, self.upload_offset()?, &mut mask_seed)?;
        let mask_seed = PublicSeed::from_bytes(mask_seed);
        let offset_bytes = self.bodies_offset()?;
        let bodies = if parameters.protocol.fetches_privately() {
            let fetch = self.fetch.as_ref().ok_or(SpmmError::Unfinished {
                pending: Step::Queries,
            })?;
            let total_bytes = Sizes::bodies(&parameters)?.total_bytes();
            let frames = frame_ranges(total_bytes).map(|range| {
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
            self.stock.record.frames = 0;
            self.stock.save()?;
        }
        Ok(())
    }
}
