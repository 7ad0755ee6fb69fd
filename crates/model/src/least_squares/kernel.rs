//! What takes the time, in vector registers.

use pulp::{Simd, WithSimd};

use super::LANES;

/// Rows of the matrix that are summed up together.
const TILE: usize = 4;

/// A += Σ f·fᵀ, the upper triangle.
pub(super) struct Gram<'a> {
    /// `stride` numbers each.
    pub(super) rows: &'a [f64],
    pub(super) stride: usize,
    pub(super) width: usize,
    pub(super) matrix: &'a mut [f64],
}

impl WithSimd for Gram<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        for tile in (0..self.width).step_by(TILE) {
            // What lies left of the diagonal in the first of these registers is of no use to
            // anybody.
            let mut first = tile / LANES * LANES;
            while first < self.stride {
                let left = (self.stride - first) / S::F64_LANES;
                first += S::F64_LANES
                    * if S::F64_LANES >= LANES && left >= 4 {
                        self.block::<S, 4>(simd, tile, first)
                    } else if left >= 2 {
                        self.block::<S, 2>(simd, tile, first)
                    } else {
                        self.block::<S, 1>(simd, tile, first)
                    };
            }
        }
    }
}

impl Gram<'_> {
    /// As many registers of each row of a tile; how many there were.
    #[inline(always)]
    fn block<S: Simd, const REGISTERS: usize>(
        &mut self,
        simd: S,
        tile: usize,
        first: usize,
    ) -> usize {
        let wide = REGISTERS * S::F64_LANES;
        let mut sums = [[simd.splat_f64s(0.0); REGISTERS]; TILE];
        for row in self.rows.chunks_exact(self.stride) {
            let (values, _) = S::as_simd_f64s(&row[first..first + wide]);
            let values: [S::f64s; REGISTERS] = std::array::from_fn(|place| values[place]);
            for (sums, &factor) in sums.iter_mut().zip(&row[tile..tile + TILE]) {
                let factor = simd.splat_f64s(factor);
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum = simd.mul_add_f64s(factor, value, *sum);
                }
            }
        }
        for (place, sums) in sums.into_iter().enumerate() {
            let row = &mut self.matrix[(tile + place) * self.stride + first..][..wide];
            let (row, _) = S::as_mut_simd_f64s(row);
            for (value, sum) in row.iter_mut().zip(sums) {
                *value = simd.add_f64s(*value, sum);
            }
        }
        REGISTERS
    }
}

/// A = UᵀU, U in the place of A's upper triangle.
pub(super) struct Factorisation<'a> {
    pub(super) stride: usize,
    pub(super) width: usize,
    pub(super) matrix: &'a mut [f64],
}

impl WithSimd for Factorisation<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        for i in 0..self.width {
            let mut first = i / LANES * LANES;
            while first < self.stride {
                let left = (self.stride - first) / S::F64_LANES;
                first += S::F64_LANES
                    * if left >= 4 {
                        self.eliminate::<S, 4>(simd, i, first)
                    } else if left >= 2 {
                        self.eliminate::<S, 2>(simd, i, first)
                    } else {
                        self.eliminate::<S, 1>(simd, i, first)
                    };
            }
            let row = &mut self.matrix[i * self.stride..][i..self.stride];
            let pivot = row[0].max(f64::MIN_POSITIVE).sqrt();
            row[0] = pivot;
            for value in &mut row[1..] {
                *value /= pivot;
            }
        }
    }
}

impl Factorisation<'_> {
    /// Takes the rows above off a part of row `i`.
    #[inline(always)]
    fn eliminate<S: Simd, const REGISTERS: usize>(
        &mut self,
        simd: S,
        i: usize,
        first: usize,
    ) -> usize {
        let wide = REGISTERS * S::F64_LANES;
        let (above, row) = self.matrix.split_at_mut(i * self.stride);
        let (row, _) = S::as_mut_simd_f64s(&mut row[first..first + wide]);
        let mut values: [S::f64s; REGISTERS] = std::array::from_fn(|place| row[place]);
        for other in above.chunks_exact(self.stride) {
            let factor = simd.splat_f64s(-other[i]);
            let (other, _) = S::as_simd_f64s(&other[first..first + wide]);
            for (value, &other) in values.iter_mut().zip(other) {
                *value = simd.mul_add_f64s(factor, other, *value);
            }
        }
        row.copy_from_slice(&values);
        REGISTERS
    }
}

/// UᵀU·x = b, x in the place of b.
#[inline(always)]
pub(super) fn solve(matrix: &[f64], right: &mut [f64], width: usize, stride: usize) {
    for i in 0..width {
        let row = &matrix[i * stride..][i..width];
        let x = right[i] / row[0];
        right[i] = x;
        for (right, u) in right[i + 1..width].iter_mut().zip(&row[1..]) {
            *right = (-x).mul_add(*u, *right);
        }
    }
    for i in (0..width).rev() {
        let row = &matrix[i * stride..][i..width];
        let x = (right[i] - dot(&row[1..], &right[i + 1..width])) / row[0];
        right[i] = x;
    }
}

/// Observations at most that are solved for in a system as wide as they are many.
pub(crate) const FEW: usize = 8;

/// x₀ + D⁻¹Fᵀ·(I + F·D⁻¹·Fᵀ)⁻¹·(t − F·x₀) in the place of x₀, given the inverse of D's diagonal.
#[inline(always)]
pub(super) fn few(features: &[f64], targets: &[f64], inverse: &[f64], x: &mut [f64]) {
    let (count, stride) = (targets.len().min(FEW), inverse.len());
    let mut system = [[0.0; FEW]; FEW];
    let mut weights = [0.0; FEW];
    for (i, row) in features.chunks_exact(stride).enumerate().take(count) {
        weights[i] = targets[i] - dot(row, x);
        for (j, other) in features.chunks_exact(stride).enumerate().take(i + 1) {
            system[i][j] = weighted_dot(row, other, inverse);
        }
        system[i][i] += 1.0;
    }
    for i in 0..count {
        for j in 0..i {
            let known = system[i][..j].iter().zip(&system[j][..j]);
            let known: f64 = known.map(|(a, b)| a * b).sum();
            system[i][j] = (system[i][j] - known) / system[j][j];
        }
        let known: f64 = system[i][..i].iter().map(|a| a * a).sum();
        system[i][i] = (system[i][i] - known).max(f64::MIN_POSITIVE).sqrt();
        let known = system[i][..i].iter().zip(&weights);
        let known: f64 = known.map(|(a, w)| a * w).sum();
        weights[i] = (weights[i] - known) / system[i][i];
    }
    for i in (0..count).rev() {
        let known: f64 = (i + 1..count).map(|j| system[j][i] * weights[j]).sum();
        weights[i] = (weights[i] - known) / system[i][i];
    }
    for (row, weight) in features.chunks_exact(stride).zip(&weights[..count]) {
        for ((x, f), d) in x.iter_mut().zip(row).zip(inverse) {
            *x = (weight * d).mul_add(*f, *x);
        }
    }
}

/// a∘b·weights, in [`LANES`] sums; as long as a multiple of them.
#[inline(always)]
fn weighted_dot(a: &[f64], b: &[f64], weights: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    let ((a, _), (b, _)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let (weights, _) = weights.as_chunks::<LANES>();
    for ((a, b), w) in a.iter().zip(b).zip(weights) {
        for (((sum, a), b), w) in sums.iter_mut().zip(a).zip(b).zip(w) {
            *sum = (a * w).mul_add(*b, *sum);
        }
    }
    sums.iter().sum()
}

/// In [`LANES`] sums, whatever the width of a register.
#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    let (a, rest_of_a) = a.as_chunks::<LANES>();
    let (b, rest_of_b) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum = a.mul_add(*b, *sum);
        }
    }
    let rest = rest_of_a.iter().zip(rest_of_b);
    rest.fold(sums.iter().sum(), |sum, (a, b)| a.mul_add(*b, sum))
}
