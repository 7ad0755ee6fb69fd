//! All items scored for one user after another, as fast as memory gives them.

use s3rec_algebra::RealMatrix;

/// Items laid out to score all of them for many users: float32, which decides no place but
/// between items that are as good as equal.
pub(crate) struct Catalogue {
    width: usize,
    rows: Vec<f32>,
}

impl Catalogue {
    /// Of rows as wide as `rows` are.
    pub(crate) fn new(rows: &RealMatrix) -> Self {
        Self {
            width: rows.columns(),
            rows: rows.values().iter().map(|&value| narrow(value)).collect(),
        }
    }

    /// All rows, one behind the other.
    pub(crate) fn rows(&self) -> &[f32] {
        &self.rows
    }

    /// Row · `factor` for every item.
    pub(crate) fn scores(&self, factor: &[f64], scores: &mut Vec<f32>) {
        let factor: Vec<f32> = factor.iter().map(|&value| narrow(value)).collect();
        scores.clear();
        scores.extend(
            self.rows
                .chunks_exact(self.width)
                .map(|row| dot(row, &factor)),
        );
    }
}

/// In eight sums, which a compiler keeps in vector registers.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a8
        .remainder()
        .iter()
        .zip(b8.remainder())
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in a8.zip(b8) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[expect(clippy::cast_possible_truncation, reason = "rounded on purpose")]
pub(crate) fn narrow(value: f64) -> f32 {
    value as f32
}

/// Items that are passed over together where none of them is good enough.
const TOGETHER: usize = 64;

/// The `cutoff` best items by score + `weight` · `offset`, best first, without `skip`, which is
/// ascending; of equals the first.
pub(crate) fn best(
    scores: &[f32],
    (weight, offset): (f32, &[f32]),
    skip: &[u32],
    cutoff: usize,
) -> Vec<u32> {
    let mut found: Vec<(f32, u32)> = Vec::with_capacity(cutoff + 1);
    let mut least = f32::NEG_INFINITY;
    let chunks = scores.chunks(TOGETHER).zip(offset.chunks(TOGETHER));
    for (first, (scores, offsets)) in (0u32..).step_by(TOGETHER).zip(chunks) {
        let both = || scores.iter().zip(offsets);
        // Without a way out in the midst a compiler compares many at once.
        let is_any = both().fold(false, |any, (s, o)| any | (s + weight * o > least));
        if !is_any && found.len() == cutoff {
            continue;
        }
        for (item, (&score, &offset)) in (first..).zip(both()) {
            let score = score + weight * offset;
            if score <= least && found.len() == cutoff || skip.binary_search(&item).is_ok() {
                continue;
            }
            let place = found.partition_point(|&(other, _)| other >= score);
            found.insert(place, (score, item));
            found.truncate(cutoff);
            if found.len() == cutoff {
                least = found.last().map_or(least, |&(score, _)| score);
            }
        }
    }
    found.into_iter().map(|(_, item)| item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_are_found_in_order() {
        let scores = [0.1, 0.9, 0.5, 0.9, 0.2, 0.0];
        let offset = [0.0, 0.0, 0.0, 0.0, 0.0, 1.0];
        assert_eq!(best(&scores, (0.0, &offset), &[], 3), [1, 3, 2]);
        assert_eq!(best(&scores, (2.0, &offset), &[1], 2), [5, 3]);
        assert_eq!(best(&scores, (0.0, &offset), &[0, 1, 2, 3], 9), [4, 5]);
        // Over several chunks as by sorting; every value occurs about ten times.
        let scores: Vec<f32> = (0..1000u16).map(|n| f32::from(n * 37 % 101)).collect();
        let skip: Vec<u32> = (0..1000).step_by(7).collect();
        let mut sorted: Vec<u32> = (0..1000u32).filter(|item| item % 7 != 0).collect();
        sorted.sort_by(|&a, &b| scores[b as usize].total_cmp(&scores[a as usize]));
        let nothing = vec![0.0; 1000];
        assert_eq!(best(&scores, (1.0, &nothing), &skip, 30), sorted[..30]);
    }

    #[test]
    fn scores_are_dot_products() {
        let values = (0..3 * 11).map(f64::from).collect();
        let rows = RealMatrix::from_vec(3, 11, values).unwrap();
        let factor: Vec<f64> = (0..11).map(|n| f64::from(n % 3)).collect();
        let mut scores = Vec::new();
        Catalogue::new(&rows).scores(&factor, &mut scores);
        for (row, score) in scores.iter().enumerate() {
            let expected: f64 = rows.row(row).iter().zip(&factor).map(|(a, b)| a * b).sum();
            assert!((f64::from(*score) - expected).abs() < 1e-3);
        }
    }
}
