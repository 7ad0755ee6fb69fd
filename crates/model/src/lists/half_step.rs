//! Half a sweep: every row of one side, given the other side's.
//!
//! In a basis where the other side's Gramian is diagonal, D = α·XᵀX + λ_i·I is diagonal too, and
//! row i is (D + Bᵀ·C·B)⁻¹·Bᵀ·C·1, B the other side's rows it has observed, C their confidences.
//! With fewer observations than factors the same is D⁻¹·Bᵀ·(C⁻¹ + B·D⁻¹·Bᵀ)⁻¹·1, as wide as there
//! are observations: exact, and on sparse data most of the work saved.

use crate::eigen::{Eigen, gramian, turn};
use crate::least_squares::NormalEquations;
use rayon::prelude::*;
use s3rec_algebra::{RealMatrix, prefetch};

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
                let (indices, confidences) = observed(index);
                let of = Row {
                    other,
                    diagonal,
                    decay: decay(index),
                    indices,
                    confidences,
                };
                solver.solve(&of, |_| 1.0, row);
            },
        );
}

/// Observations that are gathered before they are added up.
const AT_ONCE: usize = 128;
/// Observations between asking memory for one's factors and reading them.
const AHEAD: usize = 4;

/// Room for one row's system.
pub(super) struct RowSolver {
    system: NormalEquations,
    gathered: Vec<f64>,
    inverse_roots: Vec<f64>,
    solution: Vec<f64>,
}

/// One row's part of the problem.
pub(super) struct Row<'a> {
    /// The other side's factors.
    pub(super) other: &'a RealMatrix,
    /// α times the other side's Gramian, in whose basis they are.
    pub(super) diagonal: &'a [f64],
    pub(super) decay: f64,
    /// Which of the other side were observed.
    pub(super) indices: &'a [u32],
    pub(super) confidences: &'a [f32],
}

impl<'a> Row<'a> {
    /// The factors of an observation; those a few further on are on their way.
    fn features(&self, place: usize) -> &'a [f64] {
        if let Some(&next) = self.indices.get(place + AHEAD) {
            let next = self.other.row(next as usize);
            next.iter().step_by(LINE).for_each(prefetch);
        }
        self.other.row(self.indices[place] as usize)
    }

    fn confidence(&self, place: usize) -> f64 {
        f64::from(self.confidences[place])
    }
}

/// Numbers in a line of the cache.
const LINE: usize = 8;

impl RowSolver {
    pub(super) fn new(width: usize) -> Self {
        Self {
            system: NormalEquations::new(width),
            gathered: Vec::new(),
            inverse_roots: Vec::new(),
            solution: vec![0.0; width],
        }
    }

    /// One row, the observation at each place wanting `target` of it.
    pub(super) fn solve(&mut self, of: &Row<'_>, target: impl Fn(usize) -> f64, row: &mut [f64]) {
        match of.indices.len() >= of.diagonal.len() {
            true => self.solve_by_factors(of, target, row),
            false => self.solve_by_observations(of, target, row),
        }
    }

    /// As wide as there are factors.
    fn solve_by_factors(&mut self, of: &Row<'_>, target: impl Fn(usize) -> f64, row: &mut [f64]) {
        let width = of.diagonal.len();
        self.system.start(width, |i| of.diagonal[i] + of.decay);
        let stride = self.system.stride();
        self.gathered.clear();
        self.gathered
            .resize(AT_ONCE.min(of.indices.len()) * stride, 0.0);
        for first in (0..of.indices.len()).step_by(AT_ONCE) {
            let places = first..of.indices.len().min(first + AT_ONCE);
            let gathered = &mut self.gathered[..places.len() * stride];
            for (place, scaled) in places.clone().zip(gathered.chunks_exact_mut(stride)) {
                let confidence = of.confidence(place);
                let (root, features) = (confidence.sqrt(), of.features(place));
                for (scaled, x) in scaled.iter_mut().zip(features) {
                    *scaled = root * x;
                }
                self.system.want(features, confidence * target(place));
            }
            self.system.observe_all(gathered);
        }
        self.system.solve(row);
    }

    /// As wide as there are observations.
    fn solve_by_observations(
        &mut self,
        of: &Row<'_>,
        target: impl Fn(usize) -> f64,
        row: &mut [f64],
    ) {
        let (count, width) = (of.indices.len(), of.diagonal.len());
        row.fill(0.0);
        if count == 0 {
            return;
        }
        self.inverse_roots.clear();
        let roots = of.diagonal.iter().map(|g| 1.0 / (g + of.decay).sqrt());
        self.inverse_roots.extend(roots);
        self.system.start(count, |place| 1.0 / of.confidence(place));
        // (B·D^(−1/2))ᵀ: its columns' products are the kernel.
        let stride = self.system.stride();
        self.gathered.clear();
        self.gathered.resize(width * stride, 0.0);
        for place in 0..count {
            let columns = self.gathered.chunks_exact_mut(stride);
            let scaled = of.features(place).iter().zip(&self.inverse_roots);
            for (column, (x, root)) in columns.zip(scaled) {
                column[place] = x * root;
            }
            self.system.pull(place, 0.0, target(place));
        }
        self.system.observe_all(&self.gathered);
        self.system.solve(&mut self.solution[..count]);
        for (place, weight) in self.solution[..count].iter().enumerate() {
            let features = of.features(place).iter();
            for (value, x) in row.iter_mut().zip(features) {
                *value += weight * x;
            }
        }
        for (value, g) in row.iter_mut().zip(of.diagonal) {
            *value /= g + of.decay;
        }
    }
}
