//! How rows share a response: which slots a row's columns take.

use std::ops::Range;

use crate::{GlweParameters, HeError};

/// p = ⌊N/k⌋ rows of k columns in one response: row j of it takes slots kj .. k(j+1), for
/// multiplying by the monomial X^{kj} moves it there. Section 3.1, step 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowPacking {
    width: usize,
    rows: usize,
}

impl RowPacking {
    /// The packing of rows of `width` columns under `parameters`.
    ///
    /// # Errors
    /// [`HeError::Shape`] when `width` is 0 or exceeds N.
    pub fn new(parameters: &GlweParameters, width: usize) -> Result<Self, HeError> {
        let size = parameters.polynomial_size();
        if width == 0 || width > size {
            return Err(HeError::Shape {
                what: "columns in a block",
                expected: size,
                actual: width,
            });
        }
        Ok(Self {
            width,
            rows: size / width,
        })
    }

    /// k, columns of a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// p, rows in a full response.
    #[must_use]
    pub fn rows_per_response(&self) -> usize {
        self.rows
    }

    /// Responses that `returned_rows` rows need.
    #[must_use]
    pub fn responses(&self, returned_rows: usize) -> usize {
        returned_rows.div_ceil(self.rows)
    }

    /// The rows, of `returned_rows` in all, that response `response` carries.
    #[must_use]
    pub fn rows_of(&self, response: usize, returned_rows: usize) -> Range<usize> {
        let first = response.saturating_mul(self.rows).min(returned_rows);
        first..(first + self.rows).min(returned_rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_carried_once() {
        for (size, width, returned) in [(64, 10, 1), (64, 10, 6), (64, 10, 13), (64, 64, 3)] {
            let parameters = GlweParameters::toy(2, size, 4, 0);
            let packing = RowPacking::new(&parameters, width).unwrap();
            let carried: Vec<usize> = (0..packing.responses(returned))
                .flat_map(|response| packing.rows_of(response, returned))
                .collect();
            assert_eq!(carried, (0..returned).collect::<Vec<_>>());
            assert!(
                packing
                    .rows_of(packing.responses(returned), returned)
                    .is_empty()
            );
        }
        let parameters = GlweParameters::toy(2, 64, 4, 0);
        assert!(RowPacking::new(&parameters, 0).is_err());
        assert!(RowPacking::new(&parameters, 65).is_err());
    }
}
