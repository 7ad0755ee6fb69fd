//! What a noised sum is described by. The number of friends is in no column of it: the length of
//! the sum tells enough.

use s3rec_algebra::RealMatrix;

/// a of y/(t + a): about how many friends' worth of length a sum must have to count half.
const SOFTENING: [f64; 3] = [1.0, 4.0, 16.0];

/// y, t, ln(1 + t), and y/(t + a), 1/(t + a), with t the length of y less that of the noise.
pub(super) fn features(sums: &RealMatrix, sigma: f64) -> RealMatrix {
    let columns = sums.columns();
    let width = columns + 2 + SOFTENING.len() * (columns + 1);
    let mut all = RealMatrix::zeros(sums.rows(), width);
    for row in 0..sums.rows() {
        let y = sums.row(row);
        let t = noisy_degree(y, sigma);
        let soft = SOFTENING.iter().flat_map(|a| {
            let inverse = 1.0 / (t + a);
            y.iter().map(move |y| y * inverse).chain([inverse])
        });
        let values = y.iter().copied().chain([t, t.ln_1p()]).chain(soft);
        all.row_mut(row)
            .iter_mut()
            .zip(values)
            .for_each(|(to, value)| *to = value);
    }
    all
}

/// t: the length of a noised sum less that of its noise, in friends' rows. What P0 knows of a
/// user's number of friends: friends who like different things count less than their number.
pub fn noisy_degree(sum: &[f64], sigma: f64) -> f64 {
    let squares: f64 = sum.iter().map(|y| y * y).sum();
    (squares - sum.len() as f64 * sigma * sigma).max(0.0).sqrt()
}

/// Centre and spread of every column.
pub(super) struct Standard {
    mean: Vec<f64>,
    spread: Vec<f64>,
}

impl Standard {
    /// Of the rows at `places`.
    pub(super) fn of(features: &RealMatrix, places: &[usize]) -> Self {
        let count = places.len().max(1) as f64;
        let mut mean = vec![0.0; features.columns()];
        for &place in places {
            let row = features.row(place).iter();
            mean.iter_mut()
                .zip(row)
                .for_each(|(mean, x)| *mean += x / count);
        }
        let mut spread = vec![0.0; features.columns()];
        for &place in places {
            let row = features.row(place).iter().zip(&mean);
            let squares = spread.iter_mut().zip(row);
            squares.for_each(|(spread, (x, mean))| *spread += (x - mean) * (x - mean) / count);
        }
        // A column that is constant says nothing, and shall not be divided by its rounding.
        for spread in &mut spread {
            *spread = if *spread > 1e-18 {
                spread.sqrt()
            } else {
                f64::INFINITY
            };
        }
        Self { mean, spread }
    }

    /// Standardises every row.
    pub(super) fn apply(&self, features: &mut RealMatrix) {
        for row in features.values_mut().chunks_exact_mut(self.mean.len()) {
            for ((x, mean), spread) in row.iter_mut().zip(&self.mean).zip(&self.spread) {
                *x = (*x - mean) / spread;
            }
        }
    }
}
