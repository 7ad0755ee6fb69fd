//! The public sizes of a retrieval, from which both sides derive everything else.

use crate::error::PirError;
use crate::noise;

/// N, coefficients of a polynomial.
pub const POLYNOMIAL_SIZE: usize = 2048;
/// Bytes of the table in one polynomial: one a coefficient, N in all.
pub(crate) const POLYNOMIAL_BYTES: u32 = 2048;
/// log₂ N, the most expansion levels a query ciphertext can have.
pub(crate) const MAX_EXPANSION_LEVELS: u32 = 11;
/// w: key switching decomposes into digits of this many bits.
pub(crate) const BASE_LOG: u32 = 6;
/// l: digits of a key switching decomposition.
pub(crate) const KEY_LEVELS: u32 = 7;
/// p': bits of the table in one plaintext coefficient, centred. One byte.
pub(crate) const PLAINTEXT_BITS: u32 = 8;
/// Bits of an answer's mask coefficients that are sent.
pub(crate) const MASK_BITS: u32 = 17;
/// Bits of an answer's body coefficients that are sent.
pub(crate) const BODY_BITS: u32 = 12;

/// Fewest buckets, whatever the bound on the needed rows.
const MIN_BUCKETS: u32 = 428;
const MAX_ROWS: u32 = 1 << 24;
const MAX_ROW_BYTES: u32 = 1 << 20;
const MAX_NEEDED: u32 = 1 << 20;

/// The public sizes of a retrieval: the table's shape and the bound on the needed rows.
///
/// | symbol | name | range |
/// |---|---|---|
/// | m | rows of the table | 1 … 2^24 |
/// | | bytes of a row | 1 … 2^20 |
/// | d_max | most rows that can be fetched | 1 … 2^20 |
///
/// Everything that is sent has a size that follows from these three numbers, so a message
/// shows nothing beyond them. d_max is disclosed: take it from a ladder, never tight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PirParameters {
    rows: u32,
    row_bytes: u32,
    needed_bound: u32,
    tail_buckets: u32,
}

impl PirParameters {
    /// Checks the ranges and the noise condition 2^(63−p') ≥ 10·σ_r.
    ///
    /// # Errors
    /// [`PirError::ParameterOutOfRange`], or [`PirError::NoiseTooLarge`] for a table whose
    /// buckets are too large to answer from.
    pub fn new(rows: u32, row_bytes: u32, needed_bound: u32) -> Result<Self, PirError> {
        check("rows", rows, MAX_ROWS)?;
        check("row_bytes", row_bytes, MAX_ROW_BYTES)?;
        check("needed_bound", needed_bound, MAX_NEEDED)?;
        let mut parameters = Self {
            rows,
            row_bytes,
            needed_bound,
            tail_buckets: 1,
        };
        let levels = parameters.expansion_levels();
        let capacity = u64::from(parameters.bucket_capacity());
        if !noise::fits(levels, capacity) {
            return Err(PirError::NoiseTooLarge {
                noise_bits: noise::margin_bits(levels, capacity),
                allowed_bits: 63 - PLAINTEXT_BITS,
            });
        }
        if let Some(room) = POLYNOMIAL_BYTES.checked_div(parameters.tail_bytes()) {
            parameters.tail_buckets = (1..=room.max(1))
                .rev()
                .find(|&group| noise::fits(levels, capacity * u64::from(group)))
                .unwrap_or(1);
        }
        Ok(parameters)
    }

    /// m, rows of the table.
    #[must_use]
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Bytes of a row.
    #[must_use]
    pub fn row_bytes(&self) -> u32 {
        self.row_bytes
    }

    /// d_max, the most rows that one query can fetch.
    #[must_use]
    pub fn needed_bound(&self) -> u32 {
        self.needed_bound
    }

    /// Buckets of the cuckoo table: max(428, ⌈1.7·d_max⌉).
    #[must_use]
    pub fn buckets(&self) -> u32 {
        bucket_count(self.needed_bound)
    }

    /// The most rows a bucket may have: six standard deviations above the mean of 3m/buckets.
    ///
    /// The client redraws a hash seed that exceeds it, which depends on the seed alone, and
    /// the server refuses one.
    #[must_use]
    pub fn bucket_capacity(&self) -> u32 {
        let mean = (3 * u64::from(self.rows)).div_ceil(u64::from(self.buckets()));
        let slack = 6 * (mean.isqrt() + 1) + 12;
        // At most m, as a row's three buckets are distinct.
        u32::try_from(mean + slack).map_or(self.rows, |capacity| capacity.min(self.rows))
    }

    /// 3m, the selectors of a query: each row has one in each of its three buckets.
    #[must_use]
    pub fn selectors(&self) -> usize {
        3 * self.rows as usize
    }

    /// h, the expansion levels: 11, fewer when one ciphertext has room to spare.
    #[must_use]
    pub fn expansion_levels(&self) -> u32 {
        let needed = self.selectors().next_power_of_two().ilog2();
        needed.min(MAX_EXPANSION_LEVELS)
    }

    /// ⌈3m/N⌉, ciphertexts of a query.
    #[must_use]
    pub fn query_ciphertexts(&self) -> usize {
        self.selectors().div_ceil(POLYNOMIAL_SIZE)
    }

    /// Polynomials that a row fills completely.
    #[must_use]
    pub(crate) fn full_polynomials(&self) -> usize {
        self.row_bytes as usize / POLYNOMIAL_SIZE
    }

    /// Bytes of a row beyond its full polynomials.
    #[must_use]
    pub(crate) fn tail_bytes(&self) -> u32 {
        self.row_bytes % POLYNOMIAL_BYTES
    }

    /// Groups of consecutive buckets, the unit in which answers are sent.
    ///
    /// Rows seldom fill whole polynomials: the tails of a group's buckets, as many as fit (and
    /// as the noise allows), share one answer ciphertext, each shifted by a monomial.
    #[must_use]
    pub(crate) fn groups(&self) -> u32 {
        self.buckets().div_ceil(self.tail_buckets)
    }

    /// The buckets of a group.
    pub(crate) fn group_buckets(&self, group: u32) -> std::ops::Range<u32> {
        let first = group.saturating_mul(self.tail_buckets).min(self.buckets());
        first..(first + self.tail_buckets).min(self.buckets())
    }
}

/// max(428, ⌈1.7·d_max⌉).
pub(crate) fn bucket_count(needed_bound: u32) -> u32 {
    let scaled = (17 * u64::from(needed_bound)).div_ceil(10);
    u32::try_from(scaled).map_or(u32::MAX, |count| count.max(MIN_BUCKETS))
}

fn check(name: &'static str, actual: u32, maximum: u32) -> Result<(), PirError> {
    if actual == 0 || actual > maximum {
        return Err(PirError::ParameterOutOfRange {
            name,
            minimum: 1,
            maximum: u64::from(maximum),
            actual: u64::from(actual),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_the_formulas() {
        let parameters = PirParameters::new(100_000, 7_168, 512).unwrap();
        assert_eq!(parameters.buckets(), 871);
        assert_eq!(parameters.query_ciphertexts(), 147);
        assert_eq!(parameters.expansion_levels(), 11);
        assert_eq!(parameters.full_polynomials(), 3);
        assert_eq!(parameters.tail_bytes(), 1_024);
        assert_eq!(parameters.tail_buckets, 2);
        assert_eq!(parameters.groups(), 436);
        assert_eq!(parameters.group_buckets(435), 870..871);
        assert_eq!(PirParameters::new(100, 1, 1).unwrap().buckets(), 428);
        assert_eq!(PirParameters::new(100, 1, 1).unwrap().expansion_levels(), 9);
        assert_eq!(PirParameters::new(1, 1, 1).unwrap().expansion_levels(), 2);
    }

    #[test]
    fn out_of_range_is_refused() {
        assert!(PirParameters::new(0, 1, 1).is_err());
        assert!(PirParameters::new(1, 0, 1).is_err());
        assert!(PirParameters::new(1, 1, 0).is_err());
        assert!(PirParameters::new(MAX_ROWS + 1, 1, 1).is_err());
        assert!(PirParameters::new(1, MAX_ROW_BYTES + 1, 1).is_err());
        assert!(PirParameters::new(1, 1, MAX_NEEDED + 1).is_err());
        let too_noisy = PirParameters::new(MAX_ROWS, 1, 1);
        assert!(matches!(too_noisy, Err(PirError::NoiseTooLarge { .. })));
    }
}
