//! The accumulation of step 2, written for the cache.
//!
//! Coefficients are independent, so the work is tiled by ranges of them: masks of a tile are
//! expanded from the master seed for all needed rows at once (by seeking, each exactly once for
//! a range of responses), then every response adds its rows while its sums stay in the cache.

use std::ops::Range;

use rayon::prelude::*;
use s3rec_algebra::{PublicSeed, Stream, packing};

use crate::operand::SocialOperand;
use crate::{Layout, ProductParameters, SpmmError};

/// Memory for the expanded tile of all needed rows.
const TILE_BYTES: usize = 64 << 20;

/// Shortest tile: below it, handing out work costs more than the cache gains.
const LEAST_TILE: usize = 64;

/// Bytes of a coefficient at full precision.
const COEFFICIENT_BYTES: usize = 16;

/// The ciphertexts of an upload: bodies as received, masks as a seed.
pub(crate) struct Source {
    dimension: usize,
    polynomial_size: usize,
    dropped_bits: u32,
    masks: Stream,
    bodies: Vec<u8>,
    body_bytes: usize,
}

impl Source {
    /// `bodies` holds whole rows of N coefficients, 128 − t bits each.
    pub(crate) fn new(
        parameters: &ProductParameters,
        mask_seed: PublicSeed,
        bodies: Vec<u8>,
    ) -> Result<Source, SpmmError> {
        let polynomial_size = parameters.polynomial_size as usize;
        let kept_bits = 128 - parameters.dropped_body_bits;
        let body_bytes = packing::packed_bytes(polynomial_size, kept_bits);
        let expected = body_bytes * parameters.uploaded_rows as usize;
        if bodies.len() != expected {
            return Err(SpmmError::WrongLength { step: crate::Step::Bodies, expected, actual: bodies.len() });
        }
        Ok(Source {
            dimension: parameters.glwe_dimension as usize,
            polynomial_size,
            dropped_bits: parameters.dropped_body_bits,
            masks: Stream::public(&mask_seed),
            bodies,
            body_bytes,
        })
    }

    /// Coefficients `first..first + out.len()` of polynomial `polynomial` (κ is the body) of a row.
    fn fill(&self, row: usize, polynomial: usize, first: usize, out: &mut [u128]) -> Result<(), SpmmError> {
        if polynomial < self.dimension {
            let position = (row * self.dimension + polynomial) * self.polynomial_size + first;
            self.masks.at((position * COEFFICIENT_BYTES) as u64).fill_u128(out);
            return Ok(());
        }
        let start = row * self.body_bytes;
        let bytes = self.bodies.get(start..start + self.body_bytes).unwrap_or_default();
        packing::unpack_range_u128(bytes, 128 - self.dropped_bits, first, out)?;
        out.iter_mut().for_each(|coefficient| *coefficient <<= self.dropped_bits);
        Ok(())
    }
}

/// One non-zero of a response: which expanded row, rotated how far, times what.
struct Term {
    row: u32,
    rotation: u32,
    weight: i64,
}

/// The rows that a range of responses needs, and their terms.
struct Plan {
    rows: Vec<u32>,
    responses: Vec<Vec<Term>>,
}

impl Plan {
    fn new(operand: &SocialOperand, layout: &Layout, responses: Range<usize>) -> Plan {
        let p = layout.rows_per_response as usize;
        let terms = |response: usize| {
            (0..p).flat_map(move |slot| {
                let (columns, weights) = operand.row(response * p + slot);
                // At most N, as p·k ≤ N.
                let rotation = slot as u32 * layout.block_columns;
                columns.iter().zip(weights).map(move |(&row, &weight)| Term { row, rotation, weight })
            })
        };
        let mut rows: Vec<u32> = responses.clone().flat_map(|response| terms(response).map(|term| term.row)).collect();
        rows.sort_unstable();
        rows.dedup();
        let compact = |row: u32| rows.partition_point(|&known| known < row) as u32;
        let responses = responses
            .into_par_iter()
            .map(|response| terms(response).map(|term| Term { row: compact(term.row), ..term }).collect())
            .collect();
        Plan { rows, responses }
    }
}

/// Σ_j X^{kj}·Σ_f y_if·ct_f for each response of a range: κN mask coefficients, then N of the body.
pub(crate) fn accumulate(
    source: &Source,
    operand: &SocialOperand,
    layout: &Layout,
    responses: Range<usize>,
) -> Result<Vec<Vec<u128>>, SpmmError> {
    let n = source.polynomial_size;
    let plan = Plan::new(operand, layout, responses);
    let mut sums = vec![vec![0u128; (source.dimension + 1) * n]; plan.responses.len()];
    let tile = (TILE_BYTES / COEFFICIENT_BYTES / plan.rows.len().max(1)).clamp(LEAST_TILE.min(n), n);
    let mut expanded = vec![0u128; plan.rows.len() * tile];
    for polynomial in 0..=source.dimension {
        for first in (0..n).step_by(tile) {
            let width = tile.min(n - first);
            expanded
                .par_chunks_exact_mut(tile)
                .zip(&plan.rows)
                .try_for_each(|(out, &row)| source.fill(row as usize, polynomial, first, &mut out[..width]))?;
            sums.par_iter_mut().zip(&plan.responses).for_each(|(sums, terms)| {
                let sums = &mut sums[polynomial * n..][..n];
                for term in terms {
                    let coefficients = &expanded[term.row as usize * tile..][..width];
                    add_rotated(sums, coefficients, first + term.rotation as usize, term.weight);
                }
            });
        }
    }
    Ok(sums)
}

/// sums += weight·X^position·coefficients modulo X^N + 1.
fn add_rotated(sums: &mut [u128], coefficients: &[u128], position: usize, weight: i64) {
    let n = sums.len();
    let before_end = n.saturating_sub(position).min(coefficients.len());
    let (straight, wrapped) = coefficients.split_at(before_end);
    add_product(&mut sums[position.min(n)..], straight, weight);
    add_product(&mut sums[position.saturating_sub(n)..], wrapped, -weight);
}

/// The narrow factor keeps the product at two multiplications of machine words.
fn add_product(sums: &mut [u128], coefficients: &[u128], weight: i64) {
    let magnitude = u128::from(weight.unsigned_abs());
    if weight >= 0 {
        for (sum, coefficient) in sums.iter_mut().zip(coefficients) {
            *sum = sum.wrapping_add(coefficient.wrapping_mul(magnitude));
        }
    } else {
        for (sum, coefficient) in sums.iter_mut().zip(coefficients) {
            *sum = sum.wrapping_sub(coefficient.wrapping_mul(magnitude));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotation_is_multiplication_by_a_monomial() {
        let n = 8;
        for position in 0..2 * n {
            for first in 0..n {
                let mut sums = vec![0u128; n];
                add_rotated(&mut sums, &[5], first + position % n, 3);
                let place = (first + position % n) % n;
                let wraps = first + position % n >= n;
                let expected = if wraps { 0u128.wrapping_sub(15) } else { 15 };
                assert_eq!(sums[place], expected);
                assert_eq!(sums.iter().filter(|&&sum| sum != 0).count(), 1);
            }
        }
    }
}
