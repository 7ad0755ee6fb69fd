use crate::eigen::Eigen;
use pulp::Arch;
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

impl Group {
    pub(super) fn new(features: &RealMatrix, rows: &[usize], weight: f64) -> Self {
        let width = features.columns();
        let mut mean = vec![0.0; width];
        for &row in rows {
            let values = features.row(row).iter();
            let sums = mean.iter_mut().zip(values);
            sums.for_each(|(sum, x)| *sum += x / rows.len() as f64);
        }
        let mut gram = vec![0.0; width * width];
        let mut row = vec![0.0; width];
        let mut add = |place: usize| {
            let values = features.row(place).iter().zip(&mean);
            row.iter_mut()
                .zip(values)
                .for_each(|(to, (x, mean))| *to = x - mean);
            for (sums, a) in gram.chunks_exact_mut(width).zip(&row) {
                let factor = weight * a;
                let sums = sums.iter_mut().zip(&row);
                sums.for_each(|(sum, b)| *sum += factor * b);
            }
        };
        dispatch(
            Arch::new(),
            #[inline(always)]
            || rows.iter().for_each(|&row| add(row)),
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
