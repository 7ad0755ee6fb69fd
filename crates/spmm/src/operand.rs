//! P1's operator, checked against the agreed parameters and arranged for the exchange.

use s3rec_algebra::{RingMatrix, Seed};
use s3rec_he::SparseRows;
use s3rec_sparse::SocialOperator;
use zeroize::Zeroize;

use crate::kernel;
use crate::rows::check_pattern;
use crate::{ProductParameters, PublicPattern, SpmmError};

/// Y over exchanged rows: row r is the r-th returned row, a column the position of an uploaded
/// row. P1's secret; holding one proves that Y keeps the bounds that were announced for it.
pub struct SocialOperand {
    starts: Vec<usize>,
    columns: Vec<u32>,
    weights: Vec<i64>,
    uploaded_rows: usize,
    digest: Seed,
}

impl Drop for SocialOperand {
    fn drop(&mut self) {
        self.starts.zeroize();
        self.columns.zeroize();
        self.weights.zeroize();
    }
}

impl SocialOperand {
    /// Checks `operator` and arranges it.
    ///
    /// Private: the operator. Public: parameters and pattern. `digest_key` is P1's salt for this
    /// version of its data: the digest of Y never leaves P1 without it.
    ///
    /// # Errors
    /// [`SpmmError::AboveBound`] when Y exceeds a bound announced for it or needs a row that the
    /// pattern does not upload; [`SpmmError::Shape`] for another operator or number of users.
    pub fn new(
        parameters: &ProductParameters,
        pattern: &PublicPattern,
        operator: &SocialOperator,
        digest_key: &Seed,
    ) -> Result<SocialOperand, SpmmError> {
        check_pattern(parameters, pattern)?;
        check_bounds(parameters, operator)?;
        let mut position = vec![None; pattern.users];
        for (index, &row) in (0u32..).zip(&pattern.uploaded_rows) {
            if let Some(place) = position.get_mut(row as usize) {
                *place = Some(index);
            }
        }
        let mut operand = SocialOperand {
            starts: vec![0],
            columns: Vec::with_capacity(operator.nonzeros()),
            weights: Vec::with_capacity(operator.nonzeros()),
            uploaded_rows: pattern.uploaded_rows.len(),
            digest: digest(operator, pattern, digest_key),
        };
        for &row in &pattern.returned_rows {
            let (columns, weights) = operator.row(row as usize);
            for &column in columns {
                let place = position.get(column as usize).copied().flatten();
                operand.columns.push(place.ok_or(SpmmError::AboveBound {
                    what: "set of linked users",
                    bound: pattern.uploaded_rows.len() as u64,
                })?);
            }
            operand.weights.extend_from_slice(weights);
            operand.starts.push(operand.columns.len());
        }
        if operand.columns.len() != operator.nonzeros() {
            return Err(SpmmError::AboveBound {
                what: "set of users with a link",
                bound: pattern.returned_rows.len() as u64,
            });
        }
        Ok(operand)
    }

    /// Returned rows.
    pub(crate) fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// Positions of the uploaded rows that Y needs, ascending: secret, what P1 fetches.
    pub(crate) fn needed_rows(&self) -> Vec<u32> {
        let mut needed = self.columns.clone();
        needed.sort_unstable();
        needed.dedup();
        needed
    }

    /// The rows as the accumulation takes them.
    pub(crate) fn sparse_rows(&self) -> Result<SparseRows<'_>, SpmmError> {
        Ok(SparseRows::new(
            &self.starts,
            &self.columns,
            &self.weights,
            self.uploaded_rows,
        )?)
    }

    /// P1's salted commitment to Y: what P0 may see of it. A plain digest would let P0 test every
    /// one-link change of the data.
    pub fn commitment(&self) -> [u8; 32] {
        *self
            .digest
            .derive("s3rec commitment to the social operator", &[])
            .expose_bytes()
    }

    /// Refuses parameters with other numbers of rows than the operand was arranged for.
    pub(crate) fn check_made_for(&self, parameters: &ProductParameters) -> Result<(), SpmmError> {
        for (what, expected, actual) in [
            (
                "returned rows of the operand",
                parameters.returned_rows,
                self.rows(),
            ),
            (
                "uploaded rows of the operand",
                parameters.uploaded_rows,
                self.uploaded_rows,
            ),
        ] {
            if expected as usize != actual {
                return Err(SpmmError::Shape {
                    what,
                    expected: u64::from(expected),
                    actual: actual as u64,
                });
            }
        }
        Ok(())
    }

    /// Secret digest of Y: what P1's randomness depends on, so that it never serves two operators.
    pub(crate) fn digest(&self) -> &Seed {
        &self.digest
    }

    /// The product over exchanged rows, wrapping in the ring of `upload`.
    pub(crate) fn multiply_ring(&self, upload: &RingMatrix) -> Result<RingMatrix, SpmmError> {
        if upload.rows() != self.uploaded_rows {
            return Err(SpmmError::Shape {
                what: "rows of the masked factors",
                expected: self.uploaded_rows as u64,
                actual: upload.rows() as u64,
            });
        }
        let rows = kernel::Rows {
            starts: &self.starts,
            columns: &self.columns,
            weights: &self.weights,
        };
        let values = kernel::multiply(
            rows,
            upload.values(),
            upload.columns(),
            upload.ring().bits(),
        );
        Ok(RingMatrix::reduced(
            upload.ring(),
            self.rows(),
            upload.columns(),
            values,
        )?)
    }
}

fn check_bounds(
    parameters: &ProductParameters,
    operator: &SocialOperator,
) -> Result<(), SpmmError> {
    if operator.kind() != parameters.operator {
        return Err(SpmmError::Unsupported {
            what: operator.kind().name(),
            with: parameters.operator.name(),
        });
    }
    if operator.users() != parameters.users as usize {
        return Err(SpmmError::Shape {
            what: "users of the social operator",
            expected: u64::from(parameters.users),
            actual: operator.users() as u64,
        });
    }
    if operator.row_norm() > parameters.row_norm_bound {
        return Err(SpmmError::AboveBound {
            what: "row norm",
            bound: parameters.row_norm_bound,
        });
    }
    if operator.nonzeros() as u64 > parameters.nonzeros_bound {
        return Err(SpmmError::AboveBound {
            what: "number of non-zeros",
            bound: parameters.nonzeros_bound,
        });
    }
    Ok(())
}

/// BLAKE3 keyed with P1's salt over Y in canonical order (m, f_y, then each row's length,
/// columns and weights) and over the rows exchanged, which decide what response i is of.
fn digest(operator: &SocialOperator, pattern: &PublicPattern, key: &Seed) -> Seed {
    let mut content = Vec::with_capacity(16 + operator.nonzeros() * 12 + operator.users() * 8);
    content.extend_from_slice(&(operator.users() as u64).to_le_bytes());
    content.extend_from_slice(&u64::from(operator.weight_bits()).to_le_bytes());
    for row in 0..operator.users() {
        let (columns, weights) = operator.row(row);
        content.extend_from_slice(&(columns.len() as u64).to_le_bytes());
        columns
            .iter()
            .for_each(|column| content.extend_from_slice(&column.to_le_bytes()));
        weights
            .iter()
            .for_each(|weight| content.extend_from_slice(&weight.to_le_bytes()));
    }
    for rows in [&pattern.uploaded_rows, &pattern.returned_rows] {
        content.extend_from_slice(&(rows.len() as u64).to_le_bytes());
        rows.iter()
            .for_each(|row| content.extend_from_slice(&row.to_le_bytes()));
    }
    let digest = key.derive(
        "s3rec canonical social operator",
        &[operator.kind().name().as_bytes(), &content],
    );
    content.zeroize();
    digest
}
