//! One row's regularised least squares, by Cholesky.

/// A symmetric positive definite system A·x = b under construction; only the lower triangle
/// of A is kept. One per thread, reused for every row.
pub(crate) struct NormalEquations {
    width: usize,
    matrix: Vec<f64>,
    right: Vec<f64>,
}

impl NormalEquations {
    pub(crate) fn new(width: usize) -> Self {
        Self {
            width,
            matrix: vec![0.0; width * width],
            right: vec![0.0; width],
        }
    }

    /// Starts over with A = diag(decay on the factors, decay on the bias), b = 0.
    pub(crate) fn reset(&mut self, decay: (f64, f64)) {
        self.matrix.fill(0.0);
        self.right.fill(0.0);
        for i in 0..self.width {
            self.matrix[i * self.width + i] = self.decay_at(i, decay);
        }
    }

    /// Starts over as wide as `width`, at most what it was made for, with A = diag(base), b = 0.
    pub(crate) fn start(&mut self, width: usize, base: impl Fn(usize) -> f64) {
        self.fill(width, |_| 0.0, |i, j| if i == j { base(i) } else { 0.0 });
    }

    /// Starts over as wide as `width`, at most what it was made for, with the given b and lower
    /// triangle of A.
    pub(crate) fn fill(
        &mut self,
        width: usize,
        right: impl Fn(usize) -> f64,
        lower: impl Fn(usize, usize) -> f64,
    ) {
        self.width = width;
        for i in 0..width {
            self.right[i] = right(i);
            for j in 0..=i {
                self.matrix[i * width + j] = lower(i, j);
            }
        }
    }

    /// Moves the decay's centre from 0 to `mean`.
    pub(crate) fn centre(&mut self, mean: &[f64], decay: (f64, f64)) {
        for (i, mean) in mean.iter().enumerate() {
            self.right[i] += self.decay_at(i, decay) * mean;
        }
    }

    /// Moves the bias's centre by `centre`.
    pub(crate) fn centre_bias(&mut self, centre: f64, (_, bias): (f64, f64)) {
        self.right[self.width - 1] += bias * centre;
    }

    fn decay_at(&self, i: usize, (factors, bias): (f64, f64)) -> f64 {
        if i + 1 < self.width { factors } else { bias }
    }

    /// Adds an observation of `target` with `features`.
    pub(crate) fn observe(&mut self, features: &[f64], target: f64) {
        for (i, &f) in features.iter().enumerate() {
            self.right[i] += f * target;
            let row = &mut self.matrix[i * self.width..][..=i];
            for (a, &g) in row.iter_mut().zip(features) {
                *a += f * g;
            }
        }
    }

    /// Adds `pull` to b and `weight` to the diagonal of A, at one place.
    pub(crate) fn pull(&mut self, place: usize, weight: f64, pull: f64) {
        self.matrix[place * self.width + place] += weight;
        self.right[place] += pull;
    }

    /// Solves into `solution`. The decay is positive, so A is positive definite; should
    /// rounding break that for absurd settings, the pivot is held at a small positive value
    /// and the caller's check for finite factors decides.
    pub(crate) fn solve(&mut self, solution: &mut [f64]) {
        let n = self.width;
        for i in 0..n {
            for j in 0..=i {
                let (above, row) = self.matrix.split_at_mut(i * n);
                let other = if j < i { &above[j * n..][..=j] } else { &[] };
                let mut sum = row[j];
                if j < i {
                    for (a, b) in row[..j].iter().zip(other) {
                        sum -= a * b;
                    }
                    row[j] = sum / other[j];
                } else {
                    for a in &row[..i] {
                        sum -= a * a;
                    }
                    row[i] = sum.max(f64::MIN_POSITIVE).sqrt();
                }
            }
        }
        for i in 0..n {
            let row = &self.matrix[i * n..][..=i];
            let sum: f64 = row[..i].iter().zip(&*solution).map(|(l, x)| l * x).sum();
            solution[i] = (self.right[i] - sum) / row[i];
        }
        for i in (0..n).rev() {
            solution[i] /= self.matrix[i * n + i];
            let x = solution[i];
            for (j, value) in solution[..i].iter_mut().enumerate() {
                *value -= self.matrix[i * n + j] * x;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_what_it_was_given() {
        let mut system = NormalEquations::new(3);
        system.reset((0.5, 2.0));
        system.centre(&[0.0, 0.0, 0.5], (0.5, 2.0));
        system.centre_bias(0.25, (0.5, 2.0));
        let observations = [
            ([1.0, 2.0, -1.0], 3.0),
            ([0.5, -1.0, 2.0], -2.0),
            ([3.0, 0.0, 1.0], 0.25),
        ];
        for (features, target) in &observations {
            system.observe(features, *target);
        }
        system.pull(1, 2.0, 0.75);
        let mut x = [0.0; 3];
        system.solve(&mut x);
        // The gradient of the least squares objective vanishes at the solution.
        for i in 0..3 {
            let mut gradient = if i < 2 {
                0.5 * x[i]
            } else {
                2.0 * (x[i] - 0.75)
            };
            if i == 1 {
                gradient += 2.0 * x[1] - 0.75;
            }
            for (features, target) in &observations {
                let predicted: f64 = features.iter().zip(&x).map(|(f, x)| f * x).sum();
                gradient += features[i] * (predicted - target);
            }
            assert!(gradient.abs() < 1e-12, "{gradient}");
        }
    }
}
