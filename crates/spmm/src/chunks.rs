//! Cutting equal items into frames: the same cut at both parties.

use std::ops::Range;

use crate::{MAX_FRAME_BYTES, SpmmError, Step};

/// `items` items of `item_bytes` bytes each, as many whole items in a frame as fit.
///
/// Both sides compute the same cut from public parameters, so that a frame's length says
/// nothing and any other length is the peer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunks {
    step: Step,
    item_bytes: usize,
    items: usize,
}

impl Chunks {
    /// The cut of `items` items; an item must fit a frame.
    pub(crate) fn new(step: Step, item_bytes: usize, items: usize) -> Result<Chunks, SpmmError> {
        if item_bytes == 0 || item_bytes > MAX_FRAME_BYTES {
            return Err(SpmmError::OutOfRange {
                what: "bytes of an item",
                least: 1,
                most: MAX_FRAME_BYTES as u64,
                actual: item_bytes as u64,
            });
        }
        Ok(Chunks {
            step,
            item_bytes,
            items,
        })
    }

    /// One message of `BYTES` bytes, which fit a frame.
    pub(crate) const fn message<const BYTES: usize>(step: Step) -> Chunks {
        const { assert!(BYTES > 0 && BYTES <= MAX_FRAME_BYTES) };
        Chunks {
            step,
            item_bytes: BYTES,
            items: 1,
        }
    }

    pub(crate) fn step(&self) -> Step {
        self.step
    }

    pub(crate) fn item_bytes(&self) -> usize {
        self.item_bytes
    }

    fn items_per_frame(&self) -> usize {
        MAX_FRAME_BYTES / self.item_bytes
    }

    /// Frames in all.
    pub(crate) fn frames(&self) -> usize {
        self.items.div_ceil(self.items_per_frame())
    }

    /// Payload bytes in all.
    pub(crate) fn total_bytes(&self) -> usize {
        self.items * self.item_bytes
    }

    /// What the frame `index` carries.
    pub(crate) fn piece(&self, index: usize) -> Piece {
        let first = index.saturating_mul(self.items_per_frame()).min(self.items);
        let items = first..(first + self.items_per_frame()).min(self.items);
        Piece {
            chunks: *self,
            items,
        }
    }
}

/// What one frame carries of its [`Chunks`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    chunks: Chunks,
    /// Its items, among all.
    pub(crate) items: Range<usize>,
}

impl Piece {
    pub(crate) fn step(&self) -> Step {
        self.chunks.step
    }

    /// Its bytes, among all.
    pub(crate) fn bytes(&self) -> Range<usize> {
        self.items.start * self.chunks.item_bytes..self.items.end * self.chunks.item_bytes
    }

    pub(crate) fn item_bytes(&self) -> usize {
        self.chunks.item_bytes
    }

    /// Bytes of all pieces together.
    pub(crate) fn total_bytes(&self) -> usize {
        self.chunks.total_bytes()
    }
}
