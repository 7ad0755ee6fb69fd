//! Eigenvalues of small symmetric matrices: Gramians of factors and covariances of rows, a hundred
//! wide at most. Householder's reflections to three diagonals, then implicit QL (Bowdler, Martin,
//! Reinsch and Wilkinson, Numerische Mathematik 11, 1968); all that is long runs over rows.

use pulp::Arch;
use rayon::prelude::*;
use s3rec_algebra::RealMatrix;

/// Rotations over what is left until a value is found; three are usual.
const SWEEPS: usize = 60;

/// Rows that are turned by one thread at a time.
const ROWS: usize = 256;

/// A = Q·diag(values)·Qᵀ, the largest value first.
pub(crate) struct Eigen {
    pub(crate) values: Vec<f64>,
    /// Q; column j belongs to value j.
    pub(crate) vectors: RealMatrix,
}

impl Eigen {
    /// Of a symmetric n × n matrix, row-major.
    pub(crate) fn of(mut matrix: Vec<f64>, n: usize) -> Self {
        let mut vectors = RealMatrix::zeros(n, n);
        for i in 0..n {
            vectors.row_mut(i)[i] = 1.0;
        }
        let mut beside = to_three_diagonals(&mut matrix, &mut vectors, n);
        let mut values: Vec<f64> = (0..n).map(|i| matrix[i * n + i]).collect();
        to_one_diagonal(&mut values, &mut beside, &mut vectors);
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
        let mut sorted = RealMatrix::zeros(n, n);
        for (to, &from) in order.iter().enumerate() {
            for (i, &x) in vectors.row(from).iter().enumerate() {
                sorted.row_mut(i)[to] = x;
            }
        }
        Self {
            values: order.iter().map(|&i| values[i]).collect(),
            vectors: sorted,
        }
    }
}

/// Reflects A until only three diagonals are left, `reflected` along; what stands beside the middle one,
/// and a zero.
fn to_three_diagonals(a: &mut [f64], reflected: &mut RealMatrix, n: usize) -> Vec<f64> {
    let mut beside = vec![0.0; n];
    let (mut v, mut w) = (vec![0.0; n], vec![0.0; n]);
    for (k, beside) in beside.iter_mut().enumerate().take(n.saturating_sub(1)) {
        let below = k + 1;
        // A is symmetric: its column is its row.
        v[below..].copy_from_slice(&a[k * n + below..(k + 1) * n]);
        let length = v[below..].iter().map(|x| x * x).sum::<f64>().sqrt();
        *beside = -length.copysign(v[below]);
        let rest = v[below + 1..].iter().any(|x| *x != 0.0);
        if !rest {
            *beside = v[below];
            continue;
        }
        v[below] -= *beside;
        let square: f64 = v[below..].iter().map(|x| x * x).sum();
        let scale = 2.0 / square;
        for (i, w) in w.iter_mut().enumerate().skip(below) {
            *w = scale * dot(&a[i * n + below..(i + 1) * n], &v[below..]);
        }
        let half = scale / 2.0 * dot(&v[below..], &w[below..]);
        let pairs = w[below..].iter_mut().zip(&v[below..]);
        pairs.for_each(|(w, v)| *w -= half * v);
        for (i, (vi, wi)) in v.iter().zip(&w).enumerate().skip(below) {
            let row = a[i * n + below..(i + 1) * n].iter_mut();
            let pairs = row.zip(v[below..].iter().zip(&w[below..]));
            pairs.for_each(|(a, (v, w))| *a -= vi * w + wi * v);
        }
        // vᵀ·rows first, then what it takes off every row.
        let mut sums = vec![0.0; n];
        for (i, v) in v.iter().enumerate().skip(below) {
            let row = reflected.row(i).iter();
            sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += v * x);
        }
        for (i, v) in v.iter().enumerate().skip(below) {
            let factor = scale * v;
            let row = reflected.row_mut(i).iter_mut();
            row.zip(&sums).for_each(|(x, sum)| *x -= factor * sum);
        }
    }
    beside
}

/// Rotates what stands beside the diagonal away, rows of `vectors` along.
fn to_one_diagonal(values: &mut [f64], beside: &mut [f64], vectors: &mut RealMatrix) {
    let n = values.len();
    for first in 0..n {
        for _ in 0..SWEEPS {
            let is_small = |i: usize| {
                beside[i].abs() <= f64::EPSILON * (values[i].abs() + values[i + 1].abs())
            };
            let last = (first..n - 1).find(|&i| is_small(i)).unwrap_or(n - 1);
            if last == first {
                break;
            }
            rotate(values, beside, vectors, (first, last));
        }
    }
}

/// One implicit QL step between two places.
fn rotate(
    values: &mut [f64],
    beside: &mut [f64],
    vectors: &mut RealMatrix,
    (first, last): (usize, usize),
) {
    let half = (values[first + 1] - values[first]) / (2.0 * beside[first]);
    let root = half.hypot(1.0).copysign(half);
    let mut g = values[last] - values[first] + beside[first] / (half + root);
    let (mut s, mut c, mut shift) = (1.0, 1.0, 0.0);
    for i in (first..last).rev() {
        let (f, b) = (s * beside[i], c * beside[i]);
        let r = f.hypot(g);
        beside[i + 1] = r;
        if r == 0.0 {
            values[i + 1] -= shift;
            beside[last] = 0.0;
            return;
        }
        (s, c) = (f / r, g / r);
        let middle = values[i + 1] - shift;
        let turned = (values[i] - middle) * s + 2.0 * c * b;
        shift = s * turned;
        values[i + 1] = middle + shift;
        g = c * turned - b;
        let width = vectors.columns();
        let (above, below) = vectors.values_mut().split_at_mut((i + 1) * width);
        let pairs = above[i * width..].iter_mut().zip(&mut below[..width]);
        for (x, y) in pairs {
            (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
        }
    }
    values[first] -= shift;
    beside[first] = g;
    beside[last] = 0.0;
}

/// In four sums.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let ((a, rest_of_a), (b, rest_of_b)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest = rest_of_a.iter().zip(rest_of_b).map(|(a, b)| a * b);
    sums.iter().sum::<f64>() + rest.sum::<f64>()
}

/// XᵀX, row-major; the sum runs in blocks of rows in a fixed order, on all cores.
pub(crate) fn gramian(x: &RealMatrix) -> Vec<f64> {
    let (n, arch) = (x.columns(), Arch::new());
    let blocks: Vec<Vec<f64>> = x
        .values()
        .par_chunks(n * 4096)
        .map(|rows| {
            let mut sums = vec![0.0; n * n];
            arch.dispatch(
                #[inline(always)]
                || {
                    for row in rows.chunks_exact(n) {
                        for (i, &a) in row.iter().enumerate() {
                            for (sum, b) in sums[i * n..][..=i].iter_mut().zip(row) {
                                *sum += a * b;
                            }
                        }
                    }
                },
            );
            sums
        })
        .collect();
    let mut sums = vec![0.0; n * n];
    for block in blocks {
        sums.iter_mut().zip(block).for_each(|(sum, b)| *sum += b);
    }
    for i in 0..n {
        for j in 0..i {
            sums[j * n + i] = sums[i * n + j];
        }
    }
    sums
}

/// X·Q in the place of X.
pub(crate) fn turn(x: &mut RealMatrix, q: &RealMatrix) {
    let (n, arch) = (q.columns(), Arch::new());
    x.values_mut().par_chunks_mut(n * ROWS).for_each_init(
        || vec![0.0; n],
        |out, rows| {
            arch.dispatch(
                #[inline(always)]
                || {
                    for row in rows.chunks_exact_mut(n) {
                        out.fill(0.0);
                        for (&a, q) in row.iter().zip(q.values().chunks_exact(n)) {
                            out.iter_mut().zip(q).for_each(|(out, q)| *out += a * q);
                        }
                        row.copy_from_slice(out);
                    }
                },
            );
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_and_values_make_the_matrix_again() {
        let n = 7;
        let values = (0..140u32).map(|i| f64::from(i * i * 7 % 23) - 11.0);
        let x = RealMatrix::from_vec(20, n, values.collect()).unwrap();
        let gram = gramian(&x);
        let eigen = Eigen::of(gram.clone(), n);
        assert!(eigen.values.windows(2).all(|pair| pair[0] >= pair[1]));
        let q = &eigen.vectors;
        for i in 0..n {
            for j in 0..n {
                let parts = (0..n).map(|e| q.row(i)[e] * eigen.values[e] * q.row(j)[e]);
                assert!((parts.sum::<f64>() - gram[i * n + j]).abs() < 1e-8);
                let dot: f64 = (0..n).map(|e| q.row(e)[i] * q.row(e)[j]).sum();
                assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-12);
            }
        }
        // In the turned basis the Gramian is diagonal.
        let mut turned = x;
        turn(&mut turned, q);
        let diagonal = gramian(&turned);
        for i in 0..n {
            for j in 0..n {
                let expected = if i == j { eigen.values[i] } else { 0.0 };
                assert!((diagonal[i * n + j] - expected).abs() < 1e-8);
            }
        }
    }
}
