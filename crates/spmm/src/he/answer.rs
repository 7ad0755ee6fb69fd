//! Answering a whole upload within a memory limit: P1's steps 2 to 5, some responses at a time.

use std::ops::Range;

use s3rec_he::{GlweParameters, RowSource, decode_bodies};

use super::{Masked, Received};
use crate::operand::SocialOperand;
use crate::scratch::Scratch;
use crate::{ProductParameters, SpmmError};

/// The narrowest tile: some rows of some coefficients for each of a few threads.
const LEAST_TILE_BYTES: usize = 64 << 10;
/// Beyond this a tile is not found in any cache.
const LARGEST_TILE_BYTES: usize = 192 << 20;

/// How a memory limit is shared out: ciphertexts at full precision, and either a tile of rows or
/// the rounded form and the shares of some ciphertexts. What is left is for Y's plan and threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    responses: usize,
    responses_at_once: usize,
    tile_bytes: usize,
}

impl Budget {
    /// Shares out `memory_limit_bytes`.
    ///
    /// # Errors
    /// [`SpmmError::MemoryLimit`] when not even one response and one tile fit.
    pub(crate) fn new(
        memory_limit_bytes: usize,
        glwe: &GlweParameters,
    ) -> Result<Budget, SpmmError> {
        let ciphertext_bytes = ciphertext_bytes(glwe);
        let tile_bytes = (memory_limit_bytes / 16 * 3).min(LARGEST_TILE_BYTES);
        let least_tile_bytes = ciphertext_bytes.max(LEAST_TILE_BYTES);
        if tile_bytes < least_tile_bytes {
            return Err(SpmmError::MemoryLimit {
                least_bytes: least_tile_bytes.div_ceil(3) as u64 * 16,
                actual_bytes: memory_limit_bytes as u64,
            });
        }
        Ok(Budget {
            // More than three ciphertexts: the tile takes less than a third of this and holds one.
            responses: memory_limit_bytes / 8 * 5 / ciphertext_bytes,
            responses_at_once: tile_bytes / ciphertext_bytes,
            tile_bytes,
        })
    }
}

/// Bytes of a response before it is rounded.
pub(crate) fn ciphertext_bytes(glwe: &GlweParameters) -> usize {
    16 * (glwe.lattice_dimension() + glwe.polynomial_size())
}

/// Steps 2 to 4 over all responses to an upload, in order; `take` gets the first one's place with
/// each piece, for steps 5 and 6. The pieces follow from the budget, what is in them does not.
pub(crate) fn answer(
    received: &Received,
    operand: &SocialOperand,
    parameters: &ProductParameters,
    budget: Budget,
    mut take: impl FnMut(usize, Masked) -> Result<(), SpmmError>,
) -> Result<(), SpmmError> {
    let rows_per_response = parameters.layout()?.rows_per_response as usize;
    let count = operand.rows().div_ceil(rows_per_response);
    for first in (0..count).step_by(budget.responses) {
        let range = first..(first + budget.responses).min(count);
        let mut multiplied = received.multiply(operand, range, budget.tile_bytes)?;
        while let Some(piece) = multiplied.take(budget.responses_at_once) {
            take(piece.first(), piece.rerandomise().mask()?)?;
        }
    }
    Ok(())
}

/// The bodies of an upload, row behind row from `offset_bytes` on.
pub(crate) struct StoredBodies {
    pub(crate) place: Scratch,
    pub(crate) glwe: GlweParameters,
    pub(crate) offset_bytes: u64,
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
            self.place
                .read_at(self.offset_bytes + row_offset + start as u64, &mut bytes)?;
            decode_bodies(&self.glwe, &bytes, skipped, out)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_stays_below_its_limit_or_names_the_least() {
        for (dimension, size) in [(1, 8192), (10, 512), (320, 16), (2, 4096)] {
            let glwe = GlweParameters::new(dimension, size, 0).unwrap();
            let bytes = ciphertext_bytes(&glwe);
            for limit in (10..36).map(|log| 1usize << log) {
                match Budget::new(limit, &glwe) {
                    Ok(budget) => {
                        let pieces = budget.tile_bytes.max(budget.responses_at_once * bytes);
                        assert!(budget.responses * bytes + pieces <= limit);
                        assert!(budget.responses > 0 && budget.responses_at_once > 0);
                    }
                    Err(SpmmError::MemoryLimit {
                        least_bytes,
                        actual_bytes,
                    }) => {
                        assert_eq!(actual_bytes, limit as u64);
                        assert!(least_bytes > actual_bytes);
                        let least = usize::try_from(least_bytes).unwrap();
                        assert!(Budget::new(least, &glwe).is_ok());
                        assert!(Budget::new(least - 16, &glwe).is_err());
                    }
                    Err(other) => panic!("{other}"),
                }
            }
        }
    }
}
