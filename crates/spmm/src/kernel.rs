//! The product of an opening: sparse rows times ring elements, in lanes of sixteen columns.
//!
//! Rings of up to 32 bits are computed in 32-bit lanes, which halves the memory that the dense
//! operand takes; a user's row of up to sixteen columns is then one cache line.

use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;
use s3rec_algebra::prefetch;

/// Columns computed at a time.
const LANES: usize = 16;

/// Rows that a thread takes at a time.
const ROWS_AT_ONCE: usize = 256;

/// Non-zeros between asking memory for a user's lanes and multiplying them.
const AHEAD: usize = 16;

/// Compressed sparse rows, borrowed.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) starts: &'a [usize],
    pub(crate) columns: &'a [u32],
    pub(crate) weights: &'a [i64],
}

/// A machine word that wraps: the low ℓ bits of a sum of products need no more.
trait Word: Copy + Default + Send + Sync {
    fn low(value: u64) -> Self;
    fn wide(self) -> u64;
    fn add_product(self, weight: Self, value: Self) -> Self;
}

impl Word for u32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low 32 bits are what is meant"
    )]
    fn low(value: u64) -> u32 {
        value as u32
    }

    fn wide(self) -> u64 {
        u64::from(self)
    }

    #[inline(always)]
    fn add_product(self, weight: u32, value: u32) -> u32 {
        self.wrapping_add(weight.wrapping_mul(value))
    }
}

impl Word for u64 {
    fn low(value: u64) -> u64 {
        value
    }

    fn wide(self) -> u64 {
        self
    }

    #[inline(always)]
    fn add_product(self, weight: u64, value: u64) -> u64 {
        self.wrapping_add(weight.wrapping_mul(value))
    }
}

/// Row-major products, not yet reduced to `ring_bits`; `values` is row-major with `columns` columns.
pub(crate) fn multiply(rows: Rows<'_>, values: &[u64], columns: usize, ring_bits: u32) -> Vec<u64> {
    if ring_bits <= u32::BITS {
        multiply_in::<u32>(rows, values, columns)
    } else {
        multiply_in::<u64>(rows, values, columns)
    }
}

fn multiply_in<W: Word>(rows: Rows<'_>, values: &[u64], columns: usize) -> Vec<u64> {
    let row_count = rows.starts.len() - 1;
    let mut products = vec![0u64; row_count * columns];
    if columns == 0 {
        return products;
    }
    let groups = columns.div_ceil(LANES);
    let mut operand = vec![[W::default(); LANES]; values.len() / columns * groups];
    operand
        .par_chunks_mut(groups)
        .zip(values.par_chunks_exact(columns))
        .with_min_len(ROWS_AT_ONCE)
        .for_each(|(lanes, row)| {
            for (lane, values) in lanes.iter_mut().zip(row.chunks(LANES)) {
                lane.iter_mut()
                    .zip(values)
                    .for_each(|(to, &from)| *to = W::low(from));
            }
        });
    let arch = Arch::new();
    products
        .par_chunks_mut(columns * ROWS_AT_ONCE)
        .enumerate()
        .for_each(|(block, products)| {
            arch.dispatch(Block {
                rows,
                operand: &operand,
                columns,
                first_row: block * ROWS_AT_ONCE,
                products,
            });
        });
    products
}

/// Some rows of the product. A struct, not a closure: a closure that writes reaches the vector
/// code through a shim that the compiler does not inline, and loses it.
struct Block<'a, W> {
    rows: Rows<'a>,
    operand: &'a [[W; LANES]],
    columns: usize,
    first_row: usize,
    products: &'a mut [u64],
}

impl<W: Word> NullaryFnOnce for Block<'_, W> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let groups = self.columns.div_ceil(LANES);
        for (offset, product) in self.products.chunks_exact_mut(self.columns).enumerate() {
            for (group, out) in product.chunks_mut(LANES).enumerate() {
                let sums = weigh(
                    self.rows,
                    self.first_row + offset,
                    self.operand,
                    groups,
                    group,
                );
                out.iter_mut()
                    .zip(sums)
                    .for_each(|(out, sum)| *out = sum.wide());
            }
        }
    }
}

/// One row of Y times one group of lanes of the operand.
#[inline(always)]
fn weigh<W: Word>(
    rows: Rows<'_>,
    row: usize,
    operand: &[[W; LANES]],
    groups: usize,
    group: usize,
) -> [W; LANES] {
    let mut sums = [W::default(); LANES];
    let (Some(&start), Some(&end)) = (rows.starts.get(row), rows.starts.get(row + 1)) else {
        return sums;
    };
    let columns = rows.columns.get(start..end).unwrap_or_default();
    let weights = rows.weights.get(start..end).unwrap_or_default();
    let lanes_of = |column: u32| operand.get(column as usize * groups + group);
    let upcoming = rows.columns.get(start + AHEAD..).unwrap_or_default();
    let mut upcoming = upcoming.iter();
    for (&column, &weight) in columns.iter().zip(weights) {
        if let Some(lanes) = upcoming.next().and_then(|&next| lanes_of(next)) {
            prefetch(lanes);
        }
        let Some(lanes) = lanes_of(column) else {
            continue;
        };
        let weight = W::low(weight.cast_unsigned());
        for (sum, &value) in sums.iter_mut().zip(lanes) {
            *sum = sum.add_product(weight, value);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_agrees_with_the_schoolbook() {
        let (starts, columns) = ([0, 0, 3, 4], [0u32, 2, 3, 1]);
        let weights = [-1i64, i64::from(i32::MAX), 5, -7];
        for width in [1usize, 7, 16, 17, 33] {
            let values: Vec<u64> = (0..4 * width as u64)
                .map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16)
                .collect();
            for ring_bits in [32u32, 33, 48] {
                let mask = u64::MAX >> (64 - ring_bits);
                let rows = Rows {
                    starts: &starts,
                    columns: &columns,
                    weights: &weights,
                };
                let actual: Vec<u64> = multiply(rows, &values, width, ring_bits)
                    .iter()
                    .map(|v| v & mask)
                    .collect();
                let mut expected = vec![0u64; 3 * width];
                for row in 0..3 {
                    for entry in starts[row]..starts[row + 1] {
                        for j in 0..width {
                            let value = values[columns[entry] as usize * width + j];
                            let sum = &mut expected[row * width + j];
                            *sum = sum
                                .wrapping_add(weights[entry].cast_unsigned().wrapping_mul(value))
                                & mask;
                        }
                    }
                }
                assert_eq!(actual, expected);
            }
        }
    }
}
