//! Small dense symmetric systems.

/// What is added to the diagonal, relative to its mean, where a matrix is singular to rounding: a
/// row without noise makes a covariance so, and is what an audit is to find.
const JITTER: f64 = 1e-10;

/// A symmetric positive definite matrix as its Cholesky factor.
pub(crate) struct Cholesky {
    size: usize,
    /// Lower triangle, row by row.
    factor: Vec<f64>,
}

impl Cholesky {
    /// Of the lower triangle of `matrix` (size × size).
    pub(crate) fn of(mut matrix: Vec<f64>, size: usize) -> Self {
        let trace: f64 = (0..size).map(|i| matrix[i * size + i]).sum();
        let jitter = (JITTER * trace / size.max(1) as f64).max(f64::MIN_POSITIVE);
        for i in 0..size {
            matrix[i * size + i] += jitter;
        }
        for i in 0..size {
            for j in 0..=i {
                let (left, right) = (&matrix[i * size..][..j], &matrix[j * size..][..j]);
                let dot: f64 = left.iter().zip(right).map(|(a, b)| a * b).sum();
                let value = matrix[i * size + j] - dot;
                matrix[i * size + j] = if i == j {
                    value.max(jitter).sqrt()
                } else {
                    value / matrix[j * size + j]
                };
            }
        }
        Self {
            size,
            factor: matrix,
        }
    }

    /// Solves in place.
    pub(crate) fn solve(&self, values: &mut [f64]) {
        let (size, factor) = (self.size, &self.factor);
        for i in 0..size {
            let row = factor[i * size..][..i].iter();
            let dot: f64 = row.zip(&values[..i]).map(|(a, b)| a * b).sum();
            values[i] = (values[i] - dot) / factor[i * size + i];
        }
        for i in (0..size).rev() {
            let below = (i + 1..size).map(|j| factor[j * size + i] * values[j]);
            values[i] = (values[i] - below.sum::<f64>()) / factor[i * size + i];
        }
    }

    /// The inverse, whole.
    pub(crate) fn inverse(&self) -> Vec<f64> {
        let size = self.size;
        let mut inverse = vec![0.0; size * size];
        for (i, column) in inverse.chunks_mut(size.max(1)).enumerate() {
            column[i] = 1.0;
            self.solve(column);
        }
        inverse
    }

    /// ln of the determinant.
    pub(crate) fn ln_determinant(&self) -> f64 {
        let of = |i: usize| self.factor[i * self.size + i].ln();
        2.0 * (0..self.size).map(of).sum::<f64>()
    }
}

/// Inner product.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `to` plus `factor` times `from`.
pub(crate) fn add(to: &mut [f64], from: &[f64], factor: f64) {
    to.iter_mut()
        .zip(from)
        .for_each(|(to, x)| *to += factor * x);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solutions_solve() {
        let matrix = vec![4.0, 1.0, 0.5, 1.0, 3.0, 0.2, 0.5, 0.2, 2.0];
        let cholesky = Cholesky::of(matrix.clone(), 3);
        let mut x = vec![1.0, -2.0, 0.5];
        cholesky.solve(&mut x);
        for (row, expected) in matrix.chunks(3).zip([1.0, -2.0, 0.5]) {
            assert!((dot(row, &x) - expected).abs() < 1e-8);
        }
        let identity: f64 = (0..3).map(|j| matrix[j] * cholesky.inverse()[j * 3]).sum();
        assert!((identity - 1.0).abs() < 1e-8);
        // 4·(3·2 − 0.04) − 1·(2 − 0.1) + 0.5·(0.2 − 1.5).
        assert!((cholesky.ln_determinant() - 21.29f64.ln()).abs() < 1e-8);
    }
}
