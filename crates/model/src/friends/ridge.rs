use crate::eigen::Eigen;
use s3rec_algebra::RealMatrix;

/// Ridge regression of many targets on the same features, for any decay at the price of one.
pub(super) struct Ridge {
    eigen: Eigen,
    /// Σ of the rows.
    sum: Vec<f64>,
}

impl Ridge {
    /// On the rows of `features` at `places`.
    pub(super) fn new(features: &RealMatrix, places: &[usize]) -> Self {
        let width = features.columns();
        let mut gram = vec![0.0; width * width];
        let mut sum = vec![0.0; width];
        for &place in places {
            let row = features.row(place);
            for (i, a) in row.iter().enumerate() {
                sum[i] += a;
                let sums = gram[i * width..][..width].iter_mut();
                sums.zip(row).for_each(|(sum, b)| *sum += a * b);
            }
        }
        Self {
            eigen: Eigen::of(gram, width),
            sum,
        }
    }

    /// Σ of the rows.
    pub(super) fn sum(&self) -> &[f64] {
        &self.sum
    }

    /// (FᵀF + λ·I)⁻¹.
    pub(super) fn inverse(&self, decay: f64) -> RealMatrix {
        let width = self.sum.len();
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
