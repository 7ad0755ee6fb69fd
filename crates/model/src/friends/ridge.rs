use crate::eigen::Eigen;
use pulp::Arch;
use rayon::prelude::*;
use s3rec_algebra::RealMatrix;
use s3rec_algebra::vectors::dispatch;

/// Ridge regression of many targets on the same features, for any decay at the price of one.
pub(super) struct Ridge {
    eigen: Eigen,
}

/// Rows that are learnt from, what each counts, and their mean: every group has an intercept of
/// its own.
pub(super) struct Group {
    pub(super) weight: f64,
    pub(super) mean: Vec<f64>,
    /// Weighted products of their features, from the mean.
    gram: Vec<f64>,
}

/// Rows that one thread adds up at a time.
const OF_A_THREAD: usize = 4096;

/// `width` sums over the places in `rows`, to which `add` adds one: in one order on any number of
/// threads.
pub(super) fn summed(
    rows: &[usize],
    width: usize,
    add: impl Fn(usize, &mut [f64]) + Sync,
) -> Vec<f64> {
    let part = |rows: &[usize]| {
        let mut sums = vec![0.0; width];
        dispatch(
            Arch::new(),
            #[inline(always)]
            || rows.iter().for_each(|&row| add(row, &mut sums)),
        );
        sums
    };
    let parts: Vec<Vec<f64>> = rows.par_chunks(OF_A_THREAD).map(part).collect();
    let mut all = vec![0.0; width];
    for part in parts {
        all.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
    }
    all
}

impl Group {
    pub(super) fn new(features: &RealMatrix, rows: &[usize], weight: f64) -> Self {
        let width = features.columns();
        let count = rows.len() as f64;
        let mean = summed(
            rows,
            width,
            #[inline(always)]
            |row, sums| {
                let both = sums.iter_mut().zip(features.row(row));
                both.for_each(|(sum, x)| *sum += x / count);
            },
        );
        let gram = summed(
            rows,
            width * width,
            #[inline(always)]
            |place, gram| {
                let values = features.row(place).iter().zip(&mean);
                for (sums, (x, of)) in gram.chunks_exact_mut(width).zip(values.clone()) {
                    let factor = weight * (x - of);
                    let sums = sums.iter_mut().zip(values.clone());
                    sums.for_each(|(sum, (x, of))| *sum += factor * (x - of));
                }
            },
        );
        Self { weight, mean, gram }
    }
}

impl Ridge {
    /// On every group, from its mean.
    pub(super) fn new(groups: &[&Group]) -> Self {
        let width = groups.first().map_or(0, |group| group.mean.len());
        let mut gram = vec![0.0; width * width];
        for group in groups {
            let both = gram.iter_mut().zip(&group.gram);
            both.for_each(|(sum, part)| *sum += part);
        }
        Self {
            eigen: Eigen::of(gram, width),
        }
    }

    /// (FᵀF + λ·I)⁻¹.
    pub(super) fn inverse(&self, decay: f64) -> RealMatrix {
        let width = self.eigen.values.len();
        let mut inverse = RealMatrix::zeros(width, width);
        let vectors = &self.eigen.vectors;
        for i in 0..width {
            for j in 0..width {
                let both = vectors.row(i).iter().zip(vectors.row(j));
                let parts = both.zip(&self.eigen.values);
                inverse.row_mut(i)[j] = parts
                    .map(|((a, b), value)| a * b / (value.max(0.0) + decay))
                    .sum();
            }
        }
        inverse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_has_an_intercept_of_its_own() {
        let values = [1.0, 2.0, 3.0, 1.0, 0.0, 5.0, 7.0, 7.0, 9.0, 4.0];
        let inverse = |shift: f64, weight: f64| {
            let mut features = RealMatrix::from_vec(5, 2, values.to_vec()).unwrap();
            for row in 3..5 {
                features.row_mut(row).iter_mut().for_each(|x| *x += shift);
            }
            let first = Group::new(&features, &[0, 1, 2], 1.0);
            let second = Group::new(&features, &[3, 4], weight);
            Ridge::new(&[&first, &second]).inverse(0.5)
        };
        let close = |a: &RealMatrix, b: &RealMatrix| {
            let pairs = a.values().iter().zip(b.values());
            pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) < 1e-9
        };
        assert!(close(&inverse(0.0, 0.5), &inverse(40.0, 0.5)));
        assert!(!close(&inverse(0.0, 0.5), &inverse(0.0, 1.0)));
        // Of the first alone by hand: sums of squares and products from the means 4/3 and 8/3.
        let (a, b, c) = (14.0 / 3.0 + 0.5, 26.0 / 3.0 + 0.5, -17.0 / 3.0);
        let determinant = a * b - c * c;
        let by_hand = [b, -c, -c, a].map(|x| x / determinant);
        let by_hand = RealMatrix::from_vec(2, 2, by_hand.to_vec()).unwrap();
        assert!(close(&inverse(0.0, 0.0), &by_hand));
    }
}
