//! Trimming to the rows that the pattern policy exchanges, and back.

use std::borrow::Cow;

use s3rec_algebra::RingMatrix;

use crate::{ProductParameters, PublicPattern, SpmmError};

/// Checks that pattern and U agree with the parameters.
pub(crate) fn check_shape(
    parameters: &ProductParameters,
    pattern: &PublicPattern,
    factors: &RingMatrix,
) -> Result<(), SpmmError> {
    check_pattern(parameters, pattern)?;
    equal(
        "bits of a ring element",
        parameters.ring_bits as usize,
        factors.ring().bits() as usize,
    )?;
    equal(
        "rows of the user factors",
        parameters.users as usize,
        factors.rows(),
    )?;
    equal(
        "columns of the user factors",
        parameters.columns as usize,
        factors.columns(),
    )
}

/// Checks that the pattern has the agreed numbers of rows, ascending and below m.
pub(crate) fn check_pattern(
    parameters: &ProductParameters,
    pattern: &PublicPattern,
) -> Result<(), SpmmError> {
    equal(
        "users of the pattern",
        parameters.users as usize,
        pattern.users,
    )?;
    for (what, expected, rows) in [
        (
            "uploaded rows of the pattern",
            parameters.uploaded_rows,
            &pattern.uploaded_rows,
        ),
        (
            "returned rows of the pattern",
            parameters.returned_rows,
            &pattern.returned_rows,
        ),
    ] {
        equal(what, expected as usize, rows.len())?;
        let ascending = rows.is_sorted_by(|a, b| a < b);
        let last = rows.last().map_or(0, |&last| u64::from(last) + 1);
        if !ascending || last > u64::from(parameters.users) {
            return Err(SpmmError::Shape {
                what,
                expected: u64::from(parameters.users),
                actual: last,
            });
        }
    }
    Ok(())
}

/// The named rows, one behind the other.
pub(crate) fn gather<'a>(
    matrix: &'a RingMatrix,
    rows: &[u32],
) -> Result<Cow<'a, RingMatrix>, SpmmError> {
    if rows.len() == matrix.rows() {
        return Ok(Cow::Borrowed(matrix));
    }
    let mut values = Vec::with_capacity(rows.len() * matrix.columns());
    for &row in rows {
        values.extend_from_slice(matrix.row(row as usize));
    }
    let gathered = RingMatrix::reduced(matrix.ring(), rows.len(), matrix.columns(), values)?;
    Ok(Cow::Owned(gathered))
}

/// The opposite of [`gather`]: `users` rows, zero where none is given.
pub(crate) fn scatter(
    matrix: RingMatrix,
    rows: &[u32],
    users: usize,
) -> Result<RingMatrix, SpmmError> {
    equal("rows to place", rows.len(), matrix.rows())?;
    if rows.len() == users {
        return Ok(matrix);
    }
    let columns = matrix.columns();
    let mut values = vec![0; users * columns];
    for (position, &row) in rows.iter().enumerate() {
        let start = row as usize * columns;
        match values.get_mut(start..start + columns) {
            Some(place) => place.copy_from_slice(matrix.row(position)),
            None => equal("row to place", users, row as usize)?,
        }
    }
    Ok(RingMatrix::reduced(matrix.ring(), users, columns, values)?)
}

fn equal(what: &'static str, expected: usize, actual: usize) -> Result<(), SpmmError> {
    if expected == actual {
        return Ok(());
    }
    Err(SpmmError::Shape {
        what,
        expected: expected as u64,
        actual: actual as u64,
    })
}
