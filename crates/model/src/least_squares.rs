//! One row's regularised least squares, by Cholesky.
//!
//! The matrix is kept by its upper triangle, row by row, so that everything that is done to it runs
//! over neighbouring numbers. Every element is summed up in one order whatever the width of the
//! processor's registers: the same numbers on every machine.

mod kernel;

use kernel::{Factorisation, Gram, solve};
use pulp::Arch;

/// Columns of a row are a multiple of it, the last of them zeros.
const LANES: usize = 8;

/// A symmetric positive definite system A·x = b under construction. One per thread, reused for
/// every row.
pub(crate) struct NormalEquations {
    width: usize,
    stride: usize,
    /// `stride` × `stride`.
    matrix: Vec<f64>,
    right: Vec<f64>,
    arch: Arch,
}

impl NormalEquations {
    pub(crate) fn new(width: usize) -> Self {
        let stride = stride(width);
        Self {
            width,
            stride,
            matrix: vec![0.0; stride * stride],
            right: vec![0.0; stride],
            arch: Arch::new(),
        }
    }

    /// Starts over with A = diag(decay on the factors, decay on the bias), b = 0.
    pub(crate) fn reset(&mut self, (factors, bias): (f64, f64)) {
        let width = self.width;
        self.start(width, |i| if i + 1 < width { factors } else { bias });
    }

    /// Starts over as wide as `width`, with A = diag(base), b = 0.
    pub(crate) fn start(&mut self, width: usize, base: impl Fn(usize) -> f64) {
        self.width = width;
        self.stride = stride(width);
        self.matrix.clear();
        self.matrix.resize(self.stride * self.stride, 0.0);
        self.right.clear();
        self.right.resize(self.stride, 0.0);
        for i in 0..width {
            self.matrix[i * self.stride + i] = base(i);
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

    /// Numbers of an observation in [`Self::observe_all`].
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// Adds an observation of `target` with `features`.
    pub(crate) fn observe(&mut self, features: &[f64], target: f64) {
        for (i, &f) in features.iter().enumerate() {
            self.right[i] += f * target;
            let row = &mut self.matrix[i * self.stride..][i..self.width];
            for (a, &g) in row.iter_mut().zip(&features[i..]) {
                *a += f * g;
            }
        }
    }

    /// Adds Σ f·fᵀ to A for many observations, each of [`Self::stride`] numbers, those past the
    /// width zeros.
    pub(crate) fn observe_all(&mut self, features: &[f64]) {
        self.arch.dispatch(Gram {
            rows: features,
            stride: self.stride,
            width: self.width,
            matrix: &mut self.matrix,
        });
    }

    /// Adds `weight`·`features` to b.
    pub(crate) fn want(&mut self, features: &[f64], weight: f64) {
        for (right, f) in self.right.iter_mut().zip(features) {
            *right += weight * f;
        }
    }

    /// Adds `pull` to b and `weight` to the diagonal of A, at one place.
    pub(crate) fn pull(&mut self, place: usize, weight: f64, pull: f64) {
        self.matrix[place * self.stride + place] += weight;
        self.right[place] += pull;
    }

    /// Solves into `solution`. The decay is positive, so A is positive definite; should
    /// rounding break that for absurd settings, the pivot is held at a small positive value
    /// and the caller's check for finite factors decides.
    pub(crate) fn solve(&mut self, solution: &mut [f64]) {
        self.arch.dispatch(Factorisation {
            stride: self.stride,
            width: self.width,
            matrix: &mut self.matrix,
        });
        let (matrix, right) = (&self.matrix, &mut self.right);
        let (width, stride) = (self.width, self.stride);
        self.arch.dispatch(
            #[inline(always)]
            || solve(matrix, right, width, stride),
        );
        solution[..width].copy_from_slice(&right[..width]);
    }
}

fn stride(width: usize) -> usize {
    width.next_multiple_of(LANES)
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
