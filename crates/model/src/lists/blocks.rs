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
        self.scores_of(&[factor], std::slice::from_mut(scores));
    }

    /// The same for some factors, while a block is in the nearest cache; as many as `scores`.
    pub(crate) fn scores_of(&self, factors: &[impl AsRef<[f64]>], scores: &mut [Vec<f32>]) {
        let factors = factors.iter().map(AsRef::as_ref);
        let narrowed = |factor: &[f64]| factor.iter().map(|&value| narrow(value)).collect();
        let factors: Vec<Vec<f32>> = factors.map(narrowed).collect();
        let blocks = self.columns.len().checked_div(self.width);
        for scores in &mut *scores {
            scores.clear();
            scores.resize(blocks.map_or(self.items, |blocks| blocks * ITEMS), 0.0);
        }
        if self.width == 0 {
            return;
        }
        dispatch(
            Arch::new(),
            #[inline(always)]
            || {
                let together = self.columns.chunks_exact(AT_ONCE * self.width);
                for (place, blocks) in together.enumerate() {
                    for (factor, scores) in factors.iter().zip(&mut *scores) {
                        let scores = &mut scores[place * AT_ONCE * ITEMS..][..AT_ONCE * ITEMS];
                        score(blocks, factor, scores);
                    }
                }
            },
        );
        for scores in scores {
            scores.truncate(self.items);
        }
    }
}

/// Of [`AT_ONCE`] blocks.
#[inline(always)]
fn score(blocks: &[[f32; ITEMS]], factor: &[f32], scores: &mut [f32]) {
    let width = factor.len();
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
    scores.copy_from_slice(sums.as_flattened());
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
            let twice: Vec<f64> = factor.iter().map(|x| 2.0 * x).collect();
            let mut both = vec![Vec::new(), vec![7.0]];
            Blocks::new(&rows).scores_of(&[&factor[..], &twice], &mut both);
            assert_eq!(both[0], scores);
            assert_eq!(both[1], scores.iter().map(|x| 2.0 * x).collect::<Vec<_>>());
            for (row, score) in scores.iter().enumerate() {
                let expected: f64 = rows.row(row).iter().zip(&factor).map(|(a, b)| a * b).sum();
                assert!((f64::from(*score) - expected).abs() < 1e-5);
            }
        }
    }
}
