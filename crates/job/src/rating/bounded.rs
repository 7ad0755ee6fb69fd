//! What P0 keeps for a noised release: rows of U within the norm that the (ε, δ) statement
//! assumes. P1 cannot check it; a P0 that wants the statement to hold does this.

use s3rec_algebra::{AlgebraError, RingMatrix};
use s3rec_spmm::{ProductParameters, ReleasePolicy, SpmmError};

/// Every row of encoded factors whose norm is above β shrunk onto the ball, under `noised`.
pub(super) fn bound_rows(
    factors: &RingMatrix,
    parameters: &ProductParameters,
) -> Result<RingMatrix, SpmmError> {
    let ReleasePolicy::Noised { row_norm_beta, .. } = parameters.release else {
        return Ok(factors.clone());
    };
    let unit = f64::from(parameters.scale_bits + parameters.guard_bits).exp2();
    Ok(shrink(
        factors,
        row_norm_beta * unit,
        parameters.guard_bits,
    )?)
}

/// Rows within `largest_norm` in ring units, still multiples of 2^guard.
fn shrink(
    factors: &RingMatrix,
    largest_norm: f64,
    guard_bits: u32,
) -> Result<RingMatrix, AlgebraError> {
    let ring = factors.ring();
    let mut values = Vec::with_capacity(factors.values().len());
    for row in 0..factors.rows() {
        let row: Vec<i64> = factors
            .row(row)
            .iter()
            .map(|&v| ring.to_signed(v))
            .collect();
        let norm = row.iter().map(|&v| (v as f64).powi(2)).sum::<f64>().sqrt();
        let factor = (largest_norm / norm).min(1.0);
        values.extend(row.into_iter().map(|value| {
            if norm <= largest_norm {
                return ring.from_signed(value);
            }
            // Towards zero, so that rounding never leaves the ball.
            #[expect(
                clippy::cast_possible_truncation,
                reason = "smaller in absolute value than an i64 was"
            )]
            let shrunk = (value as f64 * factor) as i64;
            ring.from_signed(shrunk / (1 << guard_bits) * (1 << guard_bits))
        }));
    }
    RingMatrix::new(ring, factors.rows(), factors.columns(), values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_algebra::RingBits;

    #[test]
    fn long_rows_shrink_and_short_ones_stay() {
        let ring = RingBits::new(32).unwrap();
        let encode = |value: i64| ring.from_signed(value);
        let rows = [[400, -300], [40, -32], [0, 0]];
        let values = rows.iter().flatten().map(|&v| encode(v)).collect();
        let factors = RingMatrix::new(ring, 3, 2, values).unwrap();
        let bounded = shrink(&factors, 100.0, 2).unwrap();
        let signed = |row: usize| bounded.row(row).iter().map(|&v| ring.to_signed(v));
        assert_eq!(signed(0).collect::<Vec<_>>(), [80, -60]);
        assert_eq!(signed(1).collect::<Vec<_>>(), [40, -32]);
        assert_eq!(signed(2).collect::<Vec<_>>(), [0, 0]);
    }
}
