//! Cutting a message of known length into bounded frames, and joining them strictly.

use crate::error::PirError;

/// Most bytes of one frame. Every frame but a message's last has exactly this length.
pub const MAX_FRAME_BYTES: usize = 1 << 20;

/// Counts the frames of a message whose length both sides know.
pub(crate) struct FrameCounter {
    part: &'static str,
    expected: u64,
    received: u64,
}

impl FrameCounter {
    pub(crate) fn new(part: &'static str, expected: u64) -> Self {
        Self {
            part,
            expected,
            received: 0,
        }
    }

    /// Bytes that the next frame must have; 0 when the message is complete.
    pub(crate) fn next_bytes(&self) -> usize {
        let left = self.expected - self.received;
        usize::try_from(left).map_or(MAX_FRAME_BYTES, |left| left.min(MAX_FRAME_BYTES))
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.received == self.expected
    }

    /// Accepts a frame of exactly the length that is due.
    pub(crate) fn accept(&mut self, frame: &[u8]) -> Result<(), PirError> {
        let (part, actual) = (self.part, frame.len() as u64);
        if self.is_complete() {
            return Err(PirError::Trailing { part, actual });
        }
        if frame.len() != self.next_bytes() {
            return Err(PirError::Length {
                part,
                expected: self.next_bytes() as u64,
                actual,
            });
        }
        self.received += actual;
        Ok(())
    }

    pub(crate) fn incomplete(&self) -> PirError {
        PirError::Incomplete {
            expected: self.expected,
            received: self.received,
        }
    }
}
