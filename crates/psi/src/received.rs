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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_element_to_the_most_and_no_more_than_announced() {
        let points = |count: usize| vec![7; count * POINT_BYTES];
        let mut received = ReceivedPoints::expecting(40_000);
        assert_eq!(
            received.take(&points(MOST_POINTS)).unwrap().len(),
            MOST_POINTS
        );
        assert_eq!(received.len(), MOST_POINTS as u64);
        assert!(matches!(
            received.take(&points(MOST_POINTS + 1)),
            Err(PsiError::Torn { .. })
        ));
        let left = 40_000 - MOST_POINTS;
        assert!(matches!(
            received.take(&points(left + 1)),
            Err(PsiError::Surplus { .. })
        ));
        assert_eq!(received.take(&points(left)).unwrap().len(), left);
        assert!(matches!(
            received.take(&points(1)),
            Err(PsiError::Surplus { .. })
        ));
        assert_eq!(received.finish(), Err(PsiError::Duplicate));
        assert!(ReceivedPoints::expecting(0).finish().is_ok());
        assert!(matches!(
            ReceivedPoints::expecting(1).finish(),
            Err(PsiError::Unfinished {
                expected: 1,
                actual: 0,
                ..
            })
        ));
    }
}
