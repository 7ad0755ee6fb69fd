//! Cutting equal items into frames, and holding the peer to exactly that cut.

use crate::{Frame, MAX_FRAME_BYTES, SpmmError, Step};

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

    /// The same items, none of them.
    pub(crate) fn none(self) -> Chunks {
        Chunks { items: 0, ..self }
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

    /// Which items the frame `index` carries.
    pub(crate) fn items_of(&self, index: usize) -> std::ops::Range<usize> {
        let first = index.saturating_mul(self.items_per_frame()).min(self.items);
        first..(first + self.items_per_frame()).min(self.items)
    }
}

/// The sending half of a party's order: numbers its frames.
#[derive(Debug, Default)]
pub(crate) struct Numbering {
    next: u32,
}

impl Numbering {
    pub(crate) fn frame(&mut self, step: Step, payload: Vec<u8>) -> Frame {
        let sequence = self.next;
        self.next += 1;
        Frame {
            step,
            sequence,
            payload,
        }
    }
}

/// The receiving half: what is due from the peer, frame by frame.
#[derive(Debug, Default)]
pub(crate) struct Due {
    next: u32,
}

impl Due {
    /// Checks that `frame` is the frame `index` of `chunks`; gives the items it carries.
    pub(crate) fn check(
        &mut self,
        frame: &Frame,
        chunks: &Chunks,
        index: usize,
    ) -> Result<std::ops::Range<usize>, SpmmError> {
        if frame.step != chunks.step || frame.sequence != self.next {
            return Err(SpmmError::OutOfOrder {
                expected: chunks.step,
                expected_sequence: self.next,
                actual: frame.step,
                actual_sequence: frame.sequence,
            });
        }
        let items = chunks.items_of(index);
        let expected = items.len() * chunks.item_bytes;
        if frame.payload.len() != expected {
            return Err(SpmmError::WrongLength {
                step: frame.step,
                expected,
                actual: frame.payload.len(),
            });
        }
        self.next += 1;
        Ok(items)
    }
}

/// The refusal of a frame when nothing is due.
pub(crate) fn not_due(frame: &Frame) -> SpmmError {
    SpmmError::NotDue {
        actual: frame.step,
        sequence: frame.sequence,
    }
}
