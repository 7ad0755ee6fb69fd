//! The dense × sparse kernels. Rows of the result are independent, so blocks of rows go to
//! rayon's threads and the result is the same whatever their number.

use crate::SocialOperator;
use rayon::prelude::*;
use s3rec_algebra::{RealMatrix, RingMatrix};

/// Rows a thread takes at a time: enough to hide the cost of handing them out.
const ROWS_PER_BLOCK: usize = 64;

/// Rings up to this width are computed in `u32`, which halves the memory traffic.
const NARROW_BITS: u32 = 32;

pub(crate) fn multiply_ring(operator: &SocialOperator, factors: &RingMatrix) -> RingMatrix {
    let ring = factors.ring();
    let (rows, columns) = (factors.rows(), factors.columns());
    let mut values = vec![0u64; rows * columns];
    if columns > 0 && ring.bits() <= NARROW_BITS {
        multiply_narrow(operator, factors, &mut values);
    } else if columns > 0 {
        multiply_wide(operator, factors, &mut values);
    }
    // Unwrap safety: every value was just reduced and the shape is the one allocated.
    RingMatrix::new(ring, rows, columns, values).expect("reduced values in the allocated shape")
}

/// Low 32 bits of every product and sum, then reduced to ℓ ≤ 32 bits.
fn multiply_narrow(operator: &SocialOperator, factors: &RingMatrix, values: &mut [u64]) {
    let ring = factors.ring();
    let columns = factors.columns();
    let narrow: Vec<u32> = factors
        .values()
        .iter()
        .map(|&value| low_word(value))
        .collect();
    values
        .par_chunks_mut(columns * ROWS_PER_BLOCK)
        .enumerate()
        .for_each_init(
            || vec![0u32; columns],
            |sums, (block, chunk)| {
                for (offset, out) in chunk.chunks_exact_mut(columns).enumerate() {
                    let (indices, weights) = operator.row(block * ROWS_PER_BLOCK + offset);
                    sums.fill(0);
                    for (&f, &weight) in indices.iter().zip(weights) {
                        let weight = low_word(weight.cast_unsigned());
                        let u_f = &narrow[f as usize * columns..][..columns];
                        for (sum, &u) in sums.iter_mut().zip(u_f) {
                            *sum = sum.wrapping_add(weight.wrapping_mul(u));
                        }
                    }
                    for (out, &sum) in out.iter_mut().zip(sums.iter()) {
                        *out = ring.reduce(u64::from(sum));
                    }
                }
            },
        );
}

fn multiply_wide(operator: &SocialOperator, factors: &RingMatrix, values: &mut [u64]) {
    let ring = factors.ring();
    let columns = factors.columns();
    values
        .par_chunks_mut(columns * ROWS_PER_BLOCK)
        .enumerate()
        .for_each(|(block, chunk)| {
            for (offset, sums) in chunk.chunks_exact_mut(columns).enumerate() {
                let (indices, weights) = operator.row(block * ROWS_PER_BLOCK + offset);
                for (&f, &weight) in indices.iter().zip(weights) {
                    accumulate(sums, weight, factors.row(f as usize));
                }
                for sum in sums {
                    *sum = ring.reduce(*sum);
                }
            }
        });
}

/// sums += weight · row modulo 2^64. Nearly every weight fits 32 bits, for which a 64-bit
/// product takes two machine multiplications instead of three.
fn accumulate(sums: &mut [u64], weight: i64, row: &[u64]) {
    match u32::try_from(weight.unsigned_abs()) {
        Ok(magnitude) if weight < 0 => {
            for (sum, &u) in sums.iter_mut().zip(row) {
                *sum = sum.wrapping_sub(u64::from(magnitude).wrapping_mul(u));
            }
        }
        Ok(magnitude) => {
            for (sum, &u) in sums.iter_mut().zip(row) {
                *sum = sum.wrapping_add(u64::from(magnitude).wrapping_mul(u));
            }
        }
        Err(_) => {
            for (sum, &u) in sums.iter_mut().zip(row) {
                *sum = sum.wrapping_add(weight.cast_unsigned().wrapping_mul(u));
            }
        }
    }
}

pub(crate) fn multiply_real(operator: &SocialOperator, factors: &RealMatrix) -> RealMatrix {
    let columns = factors.columns();
    let unit = (-f64::from(operator.weight_bits())).exp2();
    let mut product = RealMatrix::zeros(factors.rows(), columns);
    if columns == 0 {
        return product;
    }
    product
        .values_mut()
        .par_chunks_mut(columns * ROWS_PER_BLOCK)
        .enumerate()
        .for_each(|(block, chunk)| {
            for (offset, sums) in chunk.chunks_exact_mut(columns).enumerate() {
                let (indices, weights) = operator.row(block * ROWS_PER_BLOCK + offset);
                for (&f, &weight) in indices.iter().zip(weights) {
                    let weight = weight as f64;
                    for (sum, &u) in sums.iter_mut().zip(factors.row(f as usize)) {
                        *sum += weight * u;
                    }
                }
                for sum in sums {
                    *sum *= unit;
                }
            }
        });
    product
}

fn low_word(value: u64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low 32 bits are what is meant"
    )]
    let low = value as u32;
    low
}
