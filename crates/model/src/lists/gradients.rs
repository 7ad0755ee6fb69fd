//! Half a sweep in single precision: rows with many observations by a few steps of conjugate
//! gradients from where they were, as Takács, Pilászy and Tikk do ("Applications of the conjugate
//! gradient method for implicit feedback collaborative filtering", RecSys 2011); those with few
//! exactly, which costs no more.
//!
//! The basis is that of [`half_step`](super::half_step), in which D = α·XᵀX + λ_i·I is diagonal. A
//! step then costs two products with the rows observed and nothing as wide as k², and the diagonal
//! of D + Bᵀ·C·B preconditions it well.

use pulp::Arch;
use rayon::prelude::*;
use s3rec_algebra::prefetch;
use s3rec_algebra::vectors::dispatch;

use super::narrow;
use super::single::{LANES, Lanes, SingleRows, add_product, add_scaled, total, turn_row};

/// Rows with so many observations or fewer are solved exactly.
const EXACTLY: usize = 16;
/// Observations whose products are taken together.
const AT_ONCE: usize = 16;
/// Observations between asking memory for one's factors and reading them.
const AHEAD: usize = 6;
/// Rows are as good as solved where the residual, in the norm of the preconditioner, has shrunk to
/// this share of what is wanted of them.
const SOLVED: f32 = 1e-12;

/// What is the same for every row.
pub(super) struct HalfStep<'a> {
    /// The other side's factors, in the basis in which `diagonal` is α times their Gramian.
    pub(super) other: &'a SingleRows,
    pub(super) diagonal: &'a [f64],
    /// Turns rows as they were into that basis.
    pub(super) turn: &'a SingleRows,
    /// Of conjugate gradients.
    pub(super) steps: u32,
}

impl HalfStep<'_> {
    /// Improves every row of `own`; each row's sums run in a fixed order.
    pub(super) fn improve<'r>(
        &self,
        own: &mut SingleRows,
        decay: impl Fn(usize) -> f64 + Sync,
        observed: impl Fn(usize) -> (&'r [u32], &'r [f32]) + Sync,
    ) {
        let registers = own.registers();
        let mut diagonal = vec![[0.0; LANES]; registers];
        let to = diagonal.as_flattened_mut().iter_mut();
        to.zip(self.diagonal).for_each(|(to, &g)| *to = narrow(g));
        let arch = Arch::new();
        own.values_mut()
            .par_chunks_exact_mut(registers)
            .enumerate()
            .for_each_init(Vec::new, |gathered, (index, row)| {
                let (indices, confidences) = observed(index);
                if indices.is_empty() {
                    row.fill([0.0; LANES]);
                    return;
                }
                self.gather(indices, gathered);
                let decay = narrow(decay(index));
                let of = (confidences, &diagonal[..], decay);
                match registers {
                    1 => self.solve::<1>(arch, gathered, of, row),
                    2 => self.solve::<2>(arch, gathered, of, row),
                    3 => self.solve::<3>(arch, gathered, of, row),
                    4 => self.solve::<4>(arch, gathered, of, row),
                    6 => self.solve::<6>(arch, gathered, of, row),
                    8 => self.solve::<8>(arch, gathered, of, row),
                    12 => self.solve::<12>(arch, gathered, of, row),
                    _ => self.solve::<16>(arch, gathered, of, row),
                }
            });
    }

    /// The factors of what was observed, one behind the other.
    fn gather(&self, indices: &[u32], gathered: &mut Vec<Lanes>) {
        gathered.clear();
        for (place, &index) in indices.iter().enumerate() {
            if let Some(&next) = indices.get(place + AHEAD) {
                // Two of these are a line of the cache.
                let next = self.other.row(next as usize);
                next.iter().step_by(2).for_each(prefetch);
            }
            gathered.extend_from_slice(self.other.row(index as usize));
        }
    }

    fn solve<const R: usize>(
        &self,
        arch: Arch,
        gathered: &[Lanes],
        (confidences, diagonal, decay): (&[f32], &[Lanes], f32),
        row: &mut [Lanes],
    ) {
        let (rows, _) = gathered.as_chunks::<R>();
        let ([diagonal, ..], _) = diagonal.as_chunks::<R>() else {
            return;
        };
        let ([row, ..], _) = row.as_chunks_mut::<R>() else {
            return;
        };
        dispatch(
            arch,
            #[inline(always)]
            || {
                let diagonal = diagonal.map(|d| d.map(|d| d + decay));
                if rows.len() <= EXACTLY {
                    exactly(rows, confidences, &diagonal, row);
                } else {
                    let mut start = [[0.0; LANES]; R];
                    turn_row(row, self.turn.values(), &mut start);
                    *row = start;
                    descend(rows, confidences, &diagonal, (row, self.steps));
                }
            },
        );
    }
}

/// x = D⁻¹·Bᵀ·(C⁻¹ + B·D⁻¹·Bᵀ)⁻¹·1.
#[inline(always)]
fn exactly<const R: usize>(
    rows: &[[Lanes; R]],
    confidences: &[f32],
    diagonal: &[Lanes; R],
    x: &mut [Lanes; R],
) {
    let count = rows.len();
    let inverse = diagonal.map(|d| d.map(|d| 1.0 / d));
    let mut system = [[0.0f32; EXACTLY]; EXACTLY];
    let mut parts = [[0.0; LANES]; EXACTLY];
    for (i, row) in rows.iter().enumerate() {
        let mut scaled = *row;
        for (scaled, inverse) in scaled.iter_mut().zip(&inverse) {
            let both = scaled.iter_mut().zip(inverse);
            both.for_each(|(x, inverse)| *x *= inverse);
        }
        products(&rows[..=i], &scaled, &mut parts);
        for (value, part) in system[i].iter_mut().zip(&parts[..=i]) {
            *value = total(part);
        }
        system[i][i] += 1.0 / confidences[i];
    }
    let mut weights = [1.0f32; EXACTLY];
    cholesky(&mut system, &mut weights, count);
    let mut sum = [[0.0; LANES]; R];
    for (row, &weight) in rows.iter().zip(&weights) {
        for (sum, row) in sum.iter_mut().zip(row) {
            add_scaled(sum, weight, row);
        }
    }
    for ((x, sum), inverse) in x.iter_mut().zip(&sum).zip(&inverse) {
        *x = std::array::from_fn(|l| sum[l] * inverse[l]);
    }
}

/// Solves the first `count` equations, given by their lower triangle, in the place of `right`.
#[inline(always)]
fn cholesky(system: &mut [[f32; EXACTLY]; EXACTLY], right: &mut [f32; EXACTLY], count: usize) {
    for i in 0..count {
        for j in 0..i {
            let above = system[i][..j].iter().zip(&system[j][..j]);
            let known: f32 = above.map(|(a, b)| a * b).sum();
            system[i][j] = (system[i][j] - known) / system[j][j];
        }
        let known: f32 = system[i][..i].iter().map(|a| a * a).sum();
        system[i][i] = (system[i][i] - known).max(f32::MIN_POSITIVE).sqrt();
        let known: f32 = system[i][..i].iter().zip(&*right).map(|(a, x)| a * x).sum();
        right[i] = (right[i] - known) / system[i][i];
    }
    for i in (0..count).rev() {
        let below = i + 1..count;
        let known: f32 = below.map(|j| system[j][i] * right[j]).sum();
        right[i] = (right[i] - known) / system[i][i];
    }
}

/// Conjugate gradients on (D + Bᵀ·C·B)·x = Bᵀ·C·1, preconditioned by that matrix's diagonal.
#[inline(always)]
fn descend<const R: usize>(
    rows: &[[Lanes; R]],
    confidences: &[f32],
    diagonal: &[Lanes; R],
    (x, steps): (&mut [Lanes; R], u32),
) {
    let mut residual = times(diagonal, x, -1.0);
    add_observed(rows, confidences, x, &mut residual, |c, dot| {
        c * (1.0 - dot)
    });
    let mut inverse = *diagonal;
    for (row, &confidence) in rows.iter().zip(confidences) {
        for (sum, row) in inverse.iter_mut().zip(row) {
            let scaled = row.map(|b| confidence * b);
            add_product(sum, &scaled, row);
        }
    }
    inverse = inverse.map(|d| d.map(|d| 1.0 / d));
    let mut direction = times(&inverse, &residual, 1.0);
    let mut length = dot(&residual, &direction);
    let enough = SOLVED * confidences.iter().sum::<f32>();
    for step in 1..=steps {
        // Zero where it is solved; not a number where it diverged, which ends there too.
        let goes_on = length > enough;
        if !goes_on {
            return;
        }
        let mut turned = times(diagonal, &direction, 1.0);
        add_observed(rows, confidences, &direction, &mut turned, |c, dot| c * dot);
        let stride = length / dot(&direction, &turned);
        for (x, direction) in x.iter_mut().zip(&direction) {
            add_scaled(x, stride, direction);
        }
        if step == steps {
            return;
        }
        for (residual, turned) in residual.iter_mut().zip(&turned) {
            add_scaled(residual, -stride, turned);
        }
        let next = times(&inverse, &residual, 1.0);
        let longer = dot(&residual, &next);
        let keep = longer / length;
        length = longer;
        for (direction, next) in direction.iter_mut().zip(next) {
            let kept = *direction;
            *direction = next;
            add_scaled(direction, keep, &kept);
        }
    }
}

/// sum += Σ weight(c, b·x)·b.
#[inline(always)]
fn add_observed<const R: usize>(
    rows: &[[Lanes; R]],
    confidences: &[f32],
    x: &[Lanes; R],
    sum: &mut [Lanes; R],
    weight: impl Fn(f32, f32) -> f32,
) {
    let mut sums = *sum;
    let mut parts = [[0.0; LANES]; AT_ONCE];
    for (rows, confidences) in rows.chunks(AT_ONCE).zip(confidences.chunks(AT_ONCE)) {
        products(rows, x, &mut parts);
        for ((row, &confidence), part) in rows.iter().zip(confidences).zip(&parts) {
            let weight = weight(confidence, total(part));
            for (sum, row) in sums.iter_mut().zip(row) {
                add_scaled(sum, weight, row);
            }
        }
    }
    *sum = sums;
}

/// b∘x of each row, as [`LANES`] sums.
#[inline(always)]
fn products<const R: usize>(rows: &[[Lanes; R]], x: &[Lanes; R], parts: &mut [Lanes]) {
    for (part, row) in parts.iter_mut().zip(rows) {
        let mut sum = [0.0; LANES];
        for (row, x) in row.iter().zip(x) {
            add_product(&mut sum, row, x);
        }
        *part = sum;
    }
}

/// factor·a∘b.
#[inline(always)]
fn times<const R: usize>(a: &[Lanes; R], b: &[Lanes; R], factor: f32) -> [Lanes; R] {
    std::array::from_fn(|r| std::array::from_fn(|l| factor * a[r][l] * b[r][l]))
}

#[inline(always)]
fn dot<const R: usize>(a: &[Lanes; R], b: &[Lanes; R]) -> f32 {
    let mut sum = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        add_product(&mut sum, a, b);
    }
    total(&sum)
}
