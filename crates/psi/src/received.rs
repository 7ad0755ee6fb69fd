//! What the peer sends, as it comes: counted against what it announced before it is kept.

use rayon::slice::ParallelSliceMut;

use crate::PsiError;
use crate::group::{MOST_POINTS, POINT_BYTES};

/// The peer's masked ids.
pub(crate) struct ReceivedPoints {
    points: Vec<[u8; POINT_BYTES]>,
    expected: u32,
}

impl ReceivedPoints {
    /// None yet; memory grows with what arrives.
    pub(crate) fn expecting(expected: u32) -> Self {
        Self {
            points: Vec::new(),
            expected,
        }
    }

    /// How many have come.
    pub(crate) fn len(&self) -> u64 {
        self.points.len() as u64
    }

    /// Takes a message apart: between one element and [`MOST_POINTS`], no more than announced.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<Vec<[u8; POINT_BYTES]>, PsiError> {
        let what = "masked ids";
        let (new, rest) = bytes.as_chunks::<POINT_BYTES>();
        if new.is_empty() || !rest.is_empty() || new.len() > MOST_POINTS {
            return Err(PsiError::Torn {
                what,
                element_bytes: POINT_BYTES,
                most: MOST_POINTS,
                actual: bytes.len(),
            });
        }
        let expected = u64::from(self.expected);
        if self.len() + new.len() as u64 > expected {
            return Err(PsiError::Surplus { what, expected });
        }
        self.points.extend_from_slice(new);
        Ok(new.to_vec())
    }

    /// All have come, and none twice.
    pub(crate) fn finish(mut self) -> Result<(), PsiError> {
        let expected = u64::from(self.expected);
        if self.len() != expected {
            return Err(PsiError::Unfinished {
                what: "masked ids received",
                expected,
                actual: self.len(),
            });
        }
        self.points.par_sort_unstable();
        if self.points.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(PsiError::Duplicate);
        }
        Ok(())
    }
}
