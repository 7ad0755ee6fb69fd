//! Dense row-major matrices over the ring and over the reals.

use std::fmt;

use rayon::prelude::*;
use zeroize::Zeroize;

use crate::packing::check_below;
use crate::{AlgebraError, RingBits};

/// Values that a thread combines at a time.
const AT_ONCE: usize = 1 << 14;

/// A `rows` × `columns` matrix over Z_{2^ℓ}, row-major, every value below 2^ℓ.
#[derive(Clone, PartialEq, Eq)]
pub struct RingMatrix {
    ring: RingBits,
    rows: usize,
    columns: usize,
    values: Vec<u64>,
}

impl RingMatrix {
    /// A matrix from its row-major values.
    ///
    /// # Errors
    /// [`AlgebraError::Shape`] when there are not rows × columns values,
    /// [`AlgebraError::ValueOutOfRing`] when one is not below 2^ℓ.
    pub fn new(
        ring: RingBits,
        rows: usize,
        columns: usize,
        values: Vec<u64>,
    ) -> Result<Self, AlgebraError> {
        check_shape(rows, columns, values.len())?;
        check_below(&values, ring.mask(), ring.bits())?;
        Ok(Self {
            ring,
            rows,
            columns,
            values,
        })
    }

    /// A matrix from values that are reduced into the ring.
    ///
    /// # Errors
    /// [`AlgebraError::Shape`] when there are not rows × columns values.
    pub fn reduced(
        ring: RingBits,
        rows: usize,
        columns: usize,
        mut values: Vec<u64>,
    ) -> Result<Self, AlgebraError> {
        check_shape(rows, columns, values.len())?;
        for value in &mut values {
            *value = ring.reduce(*value);
        }
        Ok(Self {
            ring,
            rows,
            columns,
            values,
        })
    }

    /// The zero matrix.
    ///
    /// # Panics
    /// When rows × columns does not fit memory, as `vec!` does.
    #[must_use]
    pub fn zeros(ring: RingBits, rows: usize, columns: usize) -> Self {
        Self {
            ring,
            rows,
            columns,
            values: vec![0; rows * columns],
        }
    }

    /// The ring of the values.
    #[must_use]
    pub fn ring(&self) -> RingBits {
        self.ring
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Row `i`.
    ///
    /// # Panics
    /// When `i` is not below [`Self::rows`].
    #[must_use]
    pub fn row(&self, i: usize) -> &[u64] {
        &self.values[i * self.columns..(i + 1) * self.columns]
    }

    /// All values, row-major.
    #[must_use]
    pub fn values(&self) -> &[u64] {
        &self.values
    }

    /// All values, row-major, without a copy.
    #[must_use]
    pub fn into_values(self) -> Vec<u64> {
        self.values
    }

    /// `self + other` in the ring, in the place of `self`. On all cores.
    ///
    /// # Errors
    /// [`AlgebraError::Shape`] when ring or shape differ; `self` is then unchanged.
    pub fn add_assign(&mut self, other: &Self) -> Result<(), AlgebraError> {
        self.combine(other, u64::wrapping_add)
    }

    /// `minuend − self` in the ring, in the place of `self`. On all cores.
    ///
    /// # Errors
    /// [`AlgebraError::Shape`] when ring or shape differ; `self` is then unchanged.
    pub fn subtract_from(&mut self, minuend: &Self) -> Result<(), AlgebraError> {
        self.combine(minuend, |own, minuend| minuend.wrapping_sub(own))
    }

    /// Changes `rows_at_once` rows at a time, given the number of the first of them, on all
    /// cores; what comes out is reduced.
    ///
    /// # Errors
    /// The first that `f` gives; the values are then changed in part.
    ///
    /// # Panics
    /// For no rows at once.
    pub fn update_rows<E: Send>(
        &mut self,
        rows_at_once: usize,
        f: impl Fn(usize, &mut [u64]) -> Result<(), E> + Sync,
    ) -> Result<(), E> {
        let ring = self.ring;
        self.values
            .par_chunks_mut(rows_at_once * self.columns.max(1))
            .enumerate()
            .try_for_each(|(index, values)| {
                f(index * rows_at_once, values)?;
                for value in values {
                    *value = ring.reduce(*value);
                }
                Ok(())
            })
    }

    /// Changes every value, which is then reduced.
    pub fn map(&mut self, f: impl Fn(u64) -> u64) {
        for value in &mut self.values {
            *value = self.ring.reduce(f(*value));
        }
    }

    fn combine(
        &mut self,
        other: &Self,
        f: impl Fn(u64, u64) -> u64 + Sync,
    ) -> Result<(), AlgebraError> {
        let pairs = [
            (
                "ring bits",
                self.ring.bits() as usize,
                other.ring.bits() as usize,
            ),
            ("rows", self.rows, other.rows),
            ("columns", self.columns, other.columns),
        ];
        for (what, expected, actual) in pairs {
            if expected != actual {
                return Err(AlgebraError::Shape {
                    what,
                    expected,
                    actual,
                });
            }
        }
        let ring = self.ring;
        self.values
            .par_chunks_mut(AT_ONCE)
            .zip(other.values.par_chunks(AT_ONCE))
            .for_each(|(own, others)| {
                for (own, &other) in own.iter_mut().zip(others) {
                    *own = ring.reduce(f(*own, other));
                }
            });
        Ok(())
    }
}

impl Zeroize for RingMatrix {
    fn zeroize(&mut self) {
        self.values.zeroize();
        (self.rows, self.columns) = (0, 0);
    }
}

/// A `rows` × `columns` matrix of `f64`, row-major.
#[derive(Clone, PartialEq)]
pub struct RealMatrix {
    rows: usize,
    columns: usize,
    values: Vec<f64>,
}

impl RealMatrix {
    /// A matrix from its row-major values.
    ///
    /// # Errors
    /// [`AlgebraError::Shape`] when there are not rows × columns values.
    pub fn from_vec(rows: usize, columns: usize, values: Vec<f64>) -> Result<Self, AlgebraError> {
        check_shape(rows, columns, values.len())?;
        Ok(Self {
            rows,
            columns,
            values,
        })
    }

    /// The zero matrix.
    ///
    /// # Panics
    /// When rows × columns does not fit memory, as `vec!` does.
    #[must_use]
    pub fn zeros(rows: usize, columns: usize) -> Self {
        Self {
            rows,
            columns,
            values: vec![0.0; rows * columns],
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Row `i`.
    ///
    /// # Panics
    /// When `i` is not below [`Self::rows`].
    #[must_use]
    pub fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.columns..(i + 1) * self.columns]
    }

    /// Row `i`, to change it.
    ///
    /// # Panics
    /// When `i` is not below [`Self::rows`].
    #[must_use]
    pub fn row_mut(&mut self, i: usize) -> &mut [f64] {
        &mut self.values[i * self.columns..(i + 1) * self.columns]
    }

    /// All values, row-major.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// All values, row-major, to change them.
    #[must_use]
    pub fn values_mut(&mut self) -> &mut [f64] {
        &mut self.values
    }

    /// All values, row-major, without a copy.
    #[must_use]
    pub fn into_values(self) -> Vec<f64> {
        self.values
    }
}

/// The shape only: the values are factors, shares or masks and belong in no log.
impl fmt::Debug for RingMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingMatrix")
            .field("ring", &self.ring)
            .field("rows", &self.rows)
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

/// The shape only, as for [`RingMatrix`].
impl fmt::Debug for RealMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RealMatrix")
            .field("rows", &self.rows)
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

fn check_shape(rows: usize, columns: usize, actual: usize) -> Result<(), AlgebraError> {
    match rows.checked_mul(columns) {
        Some(expected) if expected == actual => Ok(()),
        expected => Err(AlgebraError::Shape {
            what: "values in a matrix",
            expected: expected.unwrap_or(usize::MAX),
            actual,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_and_ranges_are_checked() {
        let ring = RingBits::new(32).unwrap();
        assert!(RingMatrix::new(ring, 2, 2, vec![0; 3]).is_err());
        assert!(RingMatrix::new(ring, usize::MAX, 2, vec![0; 4]).is_err());
        assert_eq!(
            RingMatrix::new(ring, 1, 2, vec![7, 1 << 32]),
            Err(AlgebraError::ValueOutOfRing { bits: 32, index: 1 })
        );
        let reduced = RingMatrix::reduced(ring, 1, 2, vec![7, (1 << 32) + 5]).unwrap();
        assert_eq!(reduced.values(), [7, 5]);
        assert!(RealMatrix::from_vec(2, 3, vec![0.0; 5]).is_err());
    }

    #[test]
    fn values_are_not_printed() {
        let ring = RingBits::new(32).unwrap();
        let ring_matrix = RingMatrix::new(ring, 1, 1, vec![987_654]).unwrap();
        let real_matrix = RealMatrix::from_vec(1, 1, vec![987.654]).unwrap();
        for printed in [format!("{ring_matrix:?}"), format!("{real_matrix:?}")] {
            assert!(!printed.contains("987"), "{printed}");
        }
    }

    #[test]
    fn addition_wraps_in_the_ring() {
        let ring = RingBits::new(33).unwrap();
        let a = RingMatrix::new(ring, 1, 2, vec![ring.mask(), 3]).unwrap();
        let b = RingMatrix::new(ring, 1, 2, vec![2, 5]).unwrap();
        let mut sum = a.clone();
        sum.add_assign(&b).unwrap();
        assert_eq!(sum.values(), [1, 8]);
        let mut difference = b;
        difference.subtract_from(&a).unwrap();
        assert_eq!(difference.values(), [ring.mask() - 2, ring.mask() - 1]);
        difference.map(|value| value.wrapping_mul(2));
        assert_eq!(difference.values(), [ring.mask() - 5, ring.mask() - 3]);
        let narrow = RingMatrix::zeros(RingBits::new(32).unwrap(), 1, 2);
        assert!(sum.add_assign(&narrow).is_err());
        assert!(sum.add_assign(&RingMatrix::zeros(ring, 2, 1)).is_err());
        assert_eq!(sum.values(), [1, 8]);
    }
}
