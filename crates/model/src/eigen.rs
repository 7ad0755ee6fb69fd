//! Eigenvalues of small symmetric matrices, by Jacobi's rotations: Gramians of factors and
//! covariances of rows, a hundred wide at most.

use s3rec_algebra::RealMatrix;

/// Sweeps over all pairs; ten are plenty for a hundred columns.
const SWEEPS: usize = 60;

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
        let scale: f64 = matrix.iter().map(|a| a * a).sum();
        for _ in 0..SWEEPS {
            let mut outside = 0.0;
            for p in 0..n {
                for q in p + 1..n {
                    outside += matrix[p * n + q].powi(2);
                    rotate(&mut matrix, &mut vectors, (p, q), n);
                }
            }
            if outside <= 1e-28 * scale {
                break;
            }
        }
        let mut order: Vec<usize> = (0..n).collect();
        let value = |i: usize| matrix[i * n + i];
        order.sort_by(|&a, &b| value(b).total_cmp(&value(a)).then(a.cmp(&b)));
        let mut sorted = RealMatrix::zeros(n, n);
        for i in 0..n {
            for (to, &from) in order.iter().enumerate() {
                sorted.row_mut(i)[to] = vectors.row(i)[from];
            }
        }
        Self {
            values: order.iter().map(|&i| value(i)).collect(),
            vectors: sorted,
        }
    }
}

/// Turns the plane of p and q so that a_pq vanishes.
fn rotate(matrix: &mut [f64], vectors: &mut RealMatrix, (p, q): (usize, usize), n: usize) {
    let (app, aqq, apq) = (matrix[p * n + p], matrix[q * n + q], matrix[p * n + q]);
    if apq == 0.0 {
        return;
    }
    let theta = (aqq - app) / (2.0 * apq);
    let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let c = 1.0 / t.hypot(1.0);
    let s = t * c;
    let turn = |a: f64, b: f64| (c * a - s * b, s * a + c * b);
    for k in 0..n {
        let (a, b) = turn(matrix[k * n + p], matrix[k * n + q]);
        (matrix[k * n + p], matrix[k * n + q]) = (a, b);
    }
    for k in 0..n {
        let (a, b) = turn(matrix[p * n + k], matrix[q * n + k]);
        (matrix[p * n + k], matrix[q * n + k]) = (a, b);
        let row = vectors.row_mut(k);
        (row[p], row[q]) = turn(row[p], row[q]);
    }
}

/// XᵀX, row-major; the sum runs in blocks of rows in a fixed order, on all cores.
pub(crate) fn gramian(x: &RealMatrix) -> Vec<f64> {
    use rayon::prelude::*;
    let n = x.columns();
    let blocks: Vec<Vec<f64>> = x
        .values()
        .par_chunks(n * 4096)
        .map(|rows| {
            let mut sums = vec![0.0; n * n];
            for row in rows.chunks_exact(n) {
                for (i, &a) in row.iter().enumerate() {
                    for (sum, b) in sums[i * n..][..=i].iter_mut().zip(row) {
                        *sum += a * b;
                    }
                }
            }
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
    use rayon::prelude::*;
    let n = q.columns();
    x.values_mut().par_chunks_exact_mut(n).for_each_init(
        || vec![0.0; n],
        |out, row| {
            out.fill(0.0);
            for (&a, q) in row.iter().zip(q.values().chunks_exact(n)) {
                out.iter_mut().zip(q).for_each(|(out, q)| *out += a * q);
            }
            row.copy_from_slice(out);
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
