//! What the operations on one ciphertext take.

use crate::ProductParameters;

/// In seconds.
pub(super) const NANOSECOND: f64 = 1e-9;

/// Seconds of one core for the operations on one ciphertext, fitted to measurements.
pub(super) struct Work {
    polynomial_size: f64,
    dimension: f64,
}

impl Work {
    pub(super) fn of(parameters: &ProductParameters) -> Work {
        Work {
            polynomial_size: f64::from(parameters.polynomial_size),
            dimension: f64::from(parameters.glwe_dimension),
        }
    }

    /// One number-theoretic transform of a polynomial, either way.
    pub(super) fn transform(&self) -> f64 {
        2.5 * NANOSECOND * self.polynomial_size * self.polynomial_size.log2()
    }

    /// Products of two transformed polynomials, `count` of them.
    pub(super) fn pointwise(&self, count: f64) -> f64 {
        15.0 * NANOSECOND * self.polynomial_size * count
    }

    /// Masks of one row from the seed.
    pub(super) fn expansion(&self) -> f64 {
        10.0 * NANOSECOND * self.polynomial_size * self.dimension
    }

    pub(super) fn encryption(&self) -> f64 {
        self.expansion()
            + (self.dimension + 1.0) * self.transform()
            + self.pointwise(self.dimension)
    }

    pub(super) fn decryption(&self) -> f64 {
        (self.dimension + 1.0) * self.transform() + self.pointwise(self.dimension)
    }

    /// One non-zero weight times one ciphertext.
    pub(super) fn accumulation(&self) -> f64 {
        NANOSECOND * self.polynomial_size * (self.dimension + 1.0)
    }

    pub(super) fn rerandomisation(&self) -> f64 {
        (2.0 * self.dimension + 1.0) * self.transform()
            + self.pointwise(self.dimension * (self.dimension + 1.0))
    }
}
