//! All items scored for one user after another, by the columns of blocks of them.

use pulp::Arch;
use s3rec_algebra::RealMatrix;
use s3rec_algebra::vectors::dispatch;

use super::narrow;
use super::single::add_scaled;

/// Items of a block.
const ITEMS: usize = 16;
/// Blocks that are scored together, so that no product waits for the one before.
const AT_ONCE: usize = 4;

/// Items laid out to score all of them: float32, which decides no place but between items that are
/// as good as equal.
pub(crate) struct Blocks {
    items: usize,
    width: usize,
    /// Of each block every column in turn; filled up with zeros to [`AT_ONCE`] blocks.
    columns: Vec<[f32; ITEMS]>,
}

impl Blocks {
    /// Of an item a row.
    pub(crate) fn new(rows: &RealMatrix) -> Self {
        let (items, width) = (rows.rows(), rows.columns());
        let blocks = items.div_ceil(ITEMS).next_multiple_of(AT_ONCE);
        let mut columns = vec![[0.0; ITEMS]; blocks * width];
        for item in 0..items {
            let block = &mut columns[item / ITEMS * width..][..width];
            for (column, &value) in block.iter_mut().zip(rows.row(item)) {
                column[item % ITEMS] = narrow(value);
            }
        }
        Self {
            items,
            width,
            columns,
        }
    }

    /// Row · `factor` for every item; sums run in the order of the columns.
    pub(crate) fn scores(&self, factor: &[f64], scores: &mut Vec<f32>) {
        let factor: Vec<f32> = factor.iter().map(|&value| narrow(value)).collect();
        scores.clear();
        if self.width == 0 {
            scores.resize(self.items, 0.0);
            return;
        }
        scores.resize(self.columns.len() / self.width * ITEMS, 0.0);
        dispatch(
            Arch::new(),
            #[inline(always)]
            || score_all(&self.columns, &factor, scores),
        );
        scores.truncate(self.items);
    }
}

#[inline(always)]
fn score_all(columns: &[[f32; ITEMS]], factor: &[f32], scores: &mut [f32]) {
    let width = factor.len();
    let (to, _) = scores.as_chunks_mut::<ITEMS>();
    let (to, _) = to.as_chunks_mut::<AT_ONCE>();
    for (blocks, to) in columns.chunks_exact(AT_ONCE * width).zip(to) {
        let (first, others) = blocks.split_at(width);
        let (second, others) = others.split_at(width);
        let (third, fourth) = others.split_at(width);
        let mut sums = [[0.0; ITEMS]; AT_ONCE];
        let blocks = first.iter().zip(second).zip(third.iter().zip(fourth));
        for (((a, b), (c, d)), &factor) in blocks.zip(factor) {
            add_scaled(&mut sums[0], factor, a);
            add_scaled(&mut sums[1], factor, b);
            add_scaled(&mut sums[2], factor, c);
            add_scaled(&mut sums[3], factor, d);
        }
        *to = sums;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_dot_products() {
        for (items, width) in [
            (0, 3),
            (3, 11),
            (16, 1),
            (64, 8),
            (65, 5),
            (1000, 33),
            (7, 0),
        ] {
            let value = |n: usize| ((n * 7919 + 13) % 10_007) as f64 / 10_007.0 - 0.5;
            let values = (0..items * width).map(value).collect();
            let rows = RealMatrix::from_vec(items, width, values).unwrap();
            let factor: Vec<f64> = (0..width).map(|n| value(3 * n)).collect();
            let mut scores = vec![7.0; 5];
            Blocks::new(&rows).scores(&factor, &mut scores);
            assert_eq!(scores.len(), items);
            for (row, score) in scores.iter().enumerate() {
                let expected: f64 = rows.row(row).iter().zip(&factor).map(|(a, b)| a * b).sum();
                assert!((f64::from(*score) - expected).abs() < 1e-5);
            }
        }
    }
}
