//! One row's regularised least squares, by Cholesky.
//!
//! The matrix is kept by its upper triangle, row by row, so that everything that is done to it runs
//! over neighbouring numbers. Every element is summed up in one order whatever the width of the
//! processor's registers: the same numbers on every machine.

mod kernel;

use kernel::{Factorisation, Gram, few, solve};

pub(crate) use kernel::FEW;
use pulp::Arch;
use s3rec_algebra::vectors::dispatch;

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
    /// Of the diagonal, where only that is needed.
    inverse: Vec<f64>,
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
            inverse: vec![0.0; stride],
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

    /// Adds an observation of each of `targets`, with as many features as [`Self::observe_all`] takes.
    pub(crate) fn observe_targets(&mut self, features: &[f64], targets: &[f64]) {
        for (features, &target) in features.chunks_exact(self.stride).zip(targets) {
            self.want(&features[..self.width], target);
        }
        self.observe_all(features);
    }

    /// Solves with [`FEW`] observations at most besides what the diagonal of A and b already hold,
    /// and nothing beside that diagonal: with A = D + FᵀF and x₀ = D⁻¹b it is
    /// x₀ + D⁻¹Fᵀ·(I + F·D⁻¹·Fᵀ)⁻¹·(t − F·x₀), as wide as there are observations.
    pub(crate) fn solve_few(&mut self, features: &[f64], targets: &[f64], solution: &mut [f64]) {
        let (width, stride, matrix) = (self.width, self.stride, &self.matrix);
        let diagonal = (0..width).map(|i| matrix[i * stride + i]);
        solution.copy_from_slice(&self.right[..width]);
        for (x, d) in solution.iter_mut().zip(diagonal.clone()) {
            *x /= d;
        }
        if targets.is_empty() {
            return;
        }
        self.inverse.clear();
        self.inverse.extend(diagonal.map(|d| 1.0 / d));
        self.inverse.resize(stride, 0.0);
        self.right[..width].copy_from_slice(solution);
        let (inverse, right) = (&self.inverse, &mut self.right);
        dispatch(
            self.arch,
            #[inline(always)]
            || few(features, targets, inverse, right),
        );
        solution.copy_from_slice(&self.right[..width]);
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
        dispatch(
            self.arch,
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
    fn few_observations_are_solved_as_all_are() {
        let value = |n: usize| ((n * 7919 + 13) % 10_007) as f64 / 10_007.0 - 0.5;
        for width in [1, 3, 8, 11, 20] {
            for count in 0..=FEW {
                let start = || {
                    let mut system = NormalEquations::new(width);
                    system.reset((0.3, 0.7));
                    system.centre(&vec![0.2; width], (0.3, 0.7));
                    system.pull(width / 2, 0.1, 0.4);
                    system
                };
                let (mut few, mut all) = (start(), start());
                let mut features = vec![0.0; count * few.stride()];
                for (row, features) in features.chunks_exact_mut(few.stride()).enumerate() {
                    (0..width).for_each(|i| features[i] = value(row * width + i));
                }
                let targets: Vec<f64> = (0..count).map(|row| value(row + 500)).collect();
                let (mut x, mut y) = (vec![0.0; width], vec![0.0; width]);
                few.solve_few(&features, &targets, &mut x);
                all.observe_targets(&features, &targets);
                all.solve(&mut y);
                for (x, y) in x.iter().zip(&y) {
                    assert!((x - y).abs() < 1e-12, "{width}, {count}: {x}, {y}");
                }
            }
        }
    }

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
