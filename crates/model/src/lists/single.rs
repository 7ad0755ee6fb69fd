//! Factors in single precision, laid out for vector registers.

use pulp::Arch;
use rayon::prelude::*;
use s3rec_algebra::RealMatrix;
use s3rec_algebra::vectors::dispatch;

use super::narrow;

/// Numbers that are worked on together. Sums run in one order however many of them a register of
/// the machine holds: the same numbers everywhere.
pub(super) const LANES: usize = 8;
/// See [`LANES`].
pub(super) type Lanes = [f32; LANES];

/// Rows whose products are added up in single precision before they are in double.
const AT_ONCE: usize = 256;
/// Rows that one thread adds up, or turns, at a time.
const OF_A_THREAD: usize = 4096;

/// Rows × width, every row filled up with zeros.
#[derive(Clone)]
pub(super) struct SingleRows {
    width: usize,
    /// Of a row.
    registers: usize,
    values: Vec<Lanes>,
}

/// Registers of a row so wide: one of few numbers, so that what computes exists for each.
pub(super) fn registers(width: usize) -> usize {
    let registers = width.div_ceil(LANES);
    let wide = [1, 2, 3, 4, 6, 8, 12, 16].into_iter();
    wide.clone().find(|&r| r >= registers).unwrap_or(registers)
}

impl SingleRows {
    /// Rounds to single precision.
    pub(super) fn of(rows: &RealMatrix) -> Self {
        let (width, registers) = (rows.columns(), registers(rows.columns()));
        let mut values = vec![[0.0; LANES]; rows.rows() * registers];
        values
            .par_chunks_exact_mut(registers)
            .enumerate()
            .for_each(|(index, to)| {
                let to = to.as_flattened_mut().iter_mut();
                to.zip(rows.row(index)).for_each(|(to, &x)| *to = narrow(x));
            });
        Self {
            width,
            registers,
            values,
        }
    }

    /// All zeros.
    pub(super) fn zeros(rows: usize, width: usize) -> Self {
        let registers = registers(width);
        Self {
            width,
            registers,
            values: vec![[0.0; LANES]; rows * registers],
        }
    }

    /// The same numbers in double precision.
    pub(super) fn to_real(&self) -> RealMatrix {
        let mut rows = RealMatrix::zeros(self.values.len() / self.registers, self.width);
        rows.values_mut()
            .par_chunks_exact_mut(self.width)
            .zip(self.values.par_chunks_exact(self.registers))
            .for_each(|(to, from)| {
                let from = from.as_flattened().iter();
                to.iter_mut()
                    .zip(from)
                    .for_each(|(to, &x)| *to = f64::from(x));
            });
        rows
    }

    pub(super) fn registers(&self) -> usize {
        self.registers
    }

    pub(super) fn row(&self, index: usize) -> &[Lanes] {
        &self.values[index * self.registers..][..self.registers]
    }

    pub(super) fn values(&self) -> &[Lanes] {
        &self.values
    }

    pub(super) fn values_mut(&mut self) -> &mut [Lanes] {
        &mut self.values
    }

    /// XᵀX, row-major, without what the rows are filled up with; in a fixed order on any number of
    /// threads.
    pub(super) fn gramian(&self) -> Vec<f64> {
        let (wide, arch) = (self.registers * LANES, Arch::new());
        let parts: Vec<Vec<f64>> = self
            .values
            .par_chunks(OF_A_THREAD * self.registers)
            .map(|rows| {
                let mut sums = vec![0.0; wide * wide];
                dispatch(
                    arch,
                    #[inline(always)]
                    || add_products(rows, self.registers, &mut sums),
                );
                sums
            })
            .collect();
        let mut gramian = vec![0.0; self.width * self.width];
        for part in parts {
            for i in 0..self.width {
                for j in i..self.width {
                    gramian[i * self.width + j] += part[i * wide + j];
                }
            }
        }
        for i in 0..self.width {
            for j in 0..i {
                gramian[i * self.width + j] = gramian[j * self.width + i];
            }
        }
        gramian
    }

    /// X·Q in the place of X; Q's rows are `q`'s.
    pub(super) fn turn(&mut self, q: &Self) {
        let (registers, arch) = (self.registers, Arch::new());
        let rows = self.values.par_chunks_mut(OF_A_THREAD * registers);
        rows.for_each(|rows| {
            let mut turned = vec![[0.0; LANES]; registers];
            dispatch(
                arch,
                #[inline(always)]
                || {
                    for row in rows.chunks_exact_mut(registers) {
                        turn_row(row, &q.values, &mut turned);
                        row.copy_from_slice(&turned);
                    }
                },
            );
        });
    }
}

/// row·Q into `turned`, Q's rows one behind the other.
#[inline(always)]
pub(super) fn turn_row(row: &[Lanes], q: &[Lanes], turned: &mut [Lanes]) {
    let registers = row.len();
    for (place, turned) in turned.iter_mut().enumerate() {
        // Four sums, so that no product waits for the one before.
        let mut sums = [[0.0; LANES]; 4];
        let rows = q.chunks_exact(registers).map(|q| &q[place]);
        let both = row.as_flattened().iter().zip(rows);
        for (index, (&x, q)) in both.enumerate() {
            add_scaled(&mut sums[index % 4], x, q);
        }
        *turned = std::array::from_fn(|l| (sums[0][l] + sums[1][l]) + (sums[2][l] + sums[3][l]));
    }
}

/// Adds the upper triangle of RᵀR, register by register, to `sums`.
#[inline(always)]
fn add_products(rows: &[Lanes], registers: usize, sums: &mut [f64]) {
    let wide = registers * LANES;
    for rows in rows.chunks(AT_ONCE * registers) {
        for i in 0..registers {
            for j in i..registers {
                let mut parts = [[0.0f32; LANES]; LANES];
                for row in rows.chunks_exact(registers) {
                    let (left, right) = (&row[i], &row[j]);
                    for (part, &x) in parts.iter_mut().zip(left) {
                        add_scaled(part, x, right);
                    }
                }
                for (place, part) in parts.iter().enumerate() {
                    let sums = &mut sums[(i * LANES + place) * wide + j * LANES..][..LANES];
                    let both = sums.iter_mut().zip(part);
                    both.for_each(|(sum, &part)| *sum += f64::from(part));
                }
            }
        }
    }
}

/// sum += factor·values.
#[inline(always)]
pub(super) fn add_scaled<const N: usize>(sum: &mut [f32; N], factor: f32, values: &[f32; N]) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum = factor.mul_add(*value, *sum);
    }
}

/// sum += a∘b.
#[inline(always)]
pub(super) fn add_product(sum: &mut Lanes, a: &Lanes, b: &Lanes) {
    for ((sum, a), b) in sum.iter_mut().zip(a).zip(b) {
        *sum = a.mul_add(*b, *sum);
    }
}

/// The sum of all of them.
#[inline(always)]
pub(super) fn total(sums: &Lanes) -> f32 {
    let halves: [f32; LANES / 2] = std::array::from_fn(|l| sums[l] + sums[l + LANES / 2]);
    (halves[0] + halves[2]) + (halves[1] + halves[3])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eigen;

    /// Values in −0.5..0.5.
    fn matrix(rows: usize, columns: usize) -> RealMatrix {
        let value = |n: usize| ((n * 7919 + 13) % 10_007) as f64 / 10_007.0 - 0.5;
        RealMatrix::from_vec(rows, columns, (0..rows * columns).map(value).collect()).unwrap()
    }

    #[test]
    fn gramians_and_turned_rows_are_those_of_double_precision() {
        for width in [1, 5, 16, 37, 64] {
            let mut exact = matrix(5000, width);
            let mut single = SingleRows::of(&exact);
            let close = |a: &[f64], b: &[f64], within: f64| {
                assert_eq!(a.len(), b.len());
                for (a, b) in a.iter().zip(b) {
                    assert!((a - b).abs() < within, "{width}: {a}, {b}");
                }
            };
            close(&single.gramian(), &eigen::gramian(&exact), 1e-3);
            let q = matrix(width, width);
            eigen::turn(&mut exact, &q);
            single.turn(&SingleRows::of(&q));
            close(single.to_real().values(), exact.values(), 1e-5);
        }
    }
}
