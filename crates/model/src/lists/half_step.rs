//! Half a sweep: every row of one side, given the other side's.
//!
//! In a basis where the other side's Gramian is diagonal, D = α·XᵀX + λ_i·I is diagonal too, and
//! row i is (D + Bᵀ·C·B)⁻¹·Bᵀ·C·1, B the other side's rows it has observed, C their confidences.
//! With fewer observations than factors the same is D⁻¹·Bᵀ·(C⁻¹ + B·D⁻¹·Bᵀ)⁻¹·1, as wide as there
//! are observations: exact, and on sparse data most of the work saved.

use crate::eigen::{Eigen, gramian, turn};
use crate::least_squares::NormalEquations;
use rayon::prelude::*;
use s3rec_algebra::RealMatrix;

/// Turns `x` into the basis of its Gramian and gives α times that, a diagonal.
pub(super) fn diagonalise(x: &mut RealMatrix, unobserved_weight: f64) -> Vec<f64> {
    let eigen = Eigen::of(gramian(x), x.columns());
    turn(x, &eigen.vectors);
    let values = eigen.values.iter();
    values.map(|g| unobserved_weight * g.max(0.0)).collect()
}

/// Solves every row of `own`; each row's sums run in a fixed order.
pub(super) fn solve_all<'r>(
    own: &mut RealMatrix,
    other: &RealMatrix,
    diagonal: &[f64],
    decay: impl Fn(usize) -> f64 + Sync,
    observed: impl Fn(usize) -> (&'r [u32], &'r [f32]) + Sync,
) {
    let width = own.columns();
    own.values_mut()
        .par_chunks_exact_mut(width)
        .enumerate()
        .for_each_init(
            || RowSolver::new(width),
            |solver, (index, row)| {
                solver.solve(other, diagonal, decay(index), observed(index), |_| 1.0, row);
            },
        );
}

/// Room for one row's system.
pub(super) struct RowSolver {
    system: NormalEquations,
    scaled: Vec<f64>,
    solution: Vec<f64>,
}

impl RowSolver {
    pub(super) fn new(width: usize) -> Self {
        Self {
            system: NormalEquations::new(width),
            scaled: Vec::new(),
            solution: vec![0.0; width],
        }
    }

    /// One row, the observation at each place wanting `target` of it.
    pub(super) fn solve(
        &mut self,
        other: &RealMatrix,
        diagonal: &[f64],
        decay: f64,
        (indices, confidences): (&[u32], &[f32]),
        target: impl Fn(usize) -> f64,
        row: &mut [f64],
    ) {
        let (count, width) = (indices.len(), diagonal.len());
        let features = |place: usize| other.row(indices[place] as usize);
        let confidence = |place: usize| f64::from(confidences[place]);
        if count >= width {
            self.scaled.clear();
            for place in 0..count {
                let root = confidence(place).sqrt();
                self.scaled.extend(features(place).iter().map(|x| root * x));
            }
            let base = |i: usize| diagonal[i] + decay;
            self.system.start(width, base);
            for (place, scaled) in self.scaled.chunks_exact(width).enumerate() {
                let wanted = confidence(place).sqrt() * target(place);
                self.system.observe(scaled, wanted);
            }
            self.system.solve(row);
            return;
        }
        // B·D^(−1/2), so that the kernel is a product of it with itself.
        self.scaled.clear();
        for place in 0..count {
            let roots = diagonal.iter().map(|g| 1.0 / (g + decay).sqrt());
            self.scaled
                .extend(features(place).iter().zip(roots).map(|(x, d)| x * d));
        }
        let scaled = &self.scaled;
        let half = |place: usize| &scaled[place * width..][..width];
        self.system.fill(count, target, |i, j| {
            let dot: f64 = half(i).iter().zip(half(j)).map(|(a, b)| a * b).sum();
            let own = if i == j { 1.0 / confidence(i) } else { 0.0 };
            dot + own
        });
        self.system.solve(&mut self.solution[..count]);
        row.fill(0.0);
        for (place, weight) in self.solution[..count].iter().enumerate() {
            let features = features(place).iter();
            for (value, x) in row.iter_mut().zip(features) {
                *value += weight * x;
            }
        }
        for (value, g) in row.iter_mut().zip(diagonal) {
            *value /= g + decay;
        }
    }
}
