//! Dense row-major matrices over the ring and over the reals.

use std::fmt;

use zeroize::Zeroize;

use crate::{AlgebraError, RingBits};

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
        if let Some(index) = values.iter().position(|&value| value > ring.mask()) {
            return Err(AlgebraError::ValueOutOfRing {
                bits: ring.bits(),
                index,
            });
        }
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

    /// `self + other` in the ring.
    ///
    /// # Errors
    /// [`AlgebraError::Shape`] when ring or shape differ.
    pub fn add(&self, other: &Self) -> Result<Self, AlgebraError> {
        self.zip(other, u64::wrapping_add)
    }

    /// `self − other` in the ring.
    ///
    /// # Errors
    /// [`AlgebraError::Shape`] when ring or shape differ.
    pub fn sub(&self, other: &Self) -> Result<Self, AlgebraError> {
        self.zip(other, u64::wrapping_sub)
    }

    fn zip(&self, other: &Self, f: impl Fn(u64, u64) -> u64) -> Result<Self, AlgebraError> {
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
        let values = std::iter::zip(&self.values, &other.values)
            .map(|(&a, &b)| self.ring.reduce(f(a, b)))
            .collect();
        Ok(Self { values, ..*self })
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
        assert_eq!(a.add(&b).unwrap().values(), [1, 8]);
        assert_eq!(
            a.sub(&b).unwrap().values(),
            [ring.mask() - 2, ring.mask() - 1]
        );
        let narrow = RingMatrix::zeros(RingBits::new(32).unwrap(), 1, 2);
        assert!(a.add(&narrow).is_err());
        assert!(a.add(&RingMatrix::zeros(ring, 2, 1)).is_err());
    }
}
