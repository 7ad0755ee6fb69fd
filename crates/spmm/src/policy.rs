//! What a job is allowed to do by consent: which protocol, and how openings are released.
//!
//! What may be known of the pattern of Y is [`s3rec_sparse::PatternPolicy`].

use serde::{Deserialize, Serialize};

use crate::SpmmError;

/// How Y·U is computed without either side showing its operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// One homomorphic exchange per opening (section 3.1).
    He,
    /// As `He`, the upload fetched by private information retrieval (section 3.2).
    HePir,
    /// Random masks multiplied beforehand, plain speed online (section 3.3).
    Preprocessed,
    /// As `Preprocessed`, the upload fetched by private information retrieval (section 3.2).
    PreprocessedPir,
}

impl Protocol {
    /// Cryptography before training, ring arithmetic during it?
    pub fn is_preprocessed(self) -> bool {
        matches!(self, Protocol::Preprocessed | Protocol::PreprocessedPir)
    }

    /// Does P1 fetch the rows it needs instead of receiving all of them?
    pub fn fetches_privately(self) -> bool {
        matches!(self, Protocol::HePir | Protocol::PreprocessedPir)
    }

    /// Name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::He => "he",
            Protocol::HePir => "he-pir",
            Protocol::Preprocessed => "preprocessed",
            Protocol::PreprocessedPir => "preprocessed-pir",
        }
    }
}

/// How an opening is released to the rating platform (section 6).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleasePolicy {
    /// The exact product. One opening shows P0 the links of users who have up to about k.
    Exact,
    /// Only the top bits of a value. A traffic measure, **not a privacy measure**: it is
    /// dithered rounding that repeated openings undo.
    Coarse {
        /// Bits of each ring element that are released.
        released_bits: u32,
    },
    /// Discrete Gaussian noise on every value, accounted in zCDP.
    Noised {
        /// Standard deviation, in units of the real-valued product.
        sigma: f64,
        /// Bound on ‖u‖₂ of a row of U that the statement assumes; P1 cannot check it.
        row_norm_beta: f64,
        /// The δ of the (ε, δ) statement.
        delta: f64,
    },
}

impl ReleasePolicy {
    /// Refuses parameters that mean nothing.
    ///
    /// # Errors
    /// [`SpmmError::OutOfRange`] or [`SpmmError::NotPositive`].
    pub fn validate(&self, ring_bits: u32) -> Result<(), SpmmError> {
        match *self {
            ReleasePolicy::Exact => Ok(()),
            ReleasePolicy::Coarse { released_bits } => {
                if !(8..=ring_bits).contains(&released_bits) {
                    return Err(SpmmError::OutOfRange {
                        what: "released_bits",
                        least: 8,
                        most: u64::from(ring_bits),
                        actual: u64::from(released_bits),
                    });
                }
                Ok(())
            }
            ReleasePolicy::Noised {
                sigma,
                row_norm_beta,
                delta,
            } => {
                for (what, value) in [
                    ("sigma", sigma),
                    ("row_norm_beta", row_norm_beta),
                    ("delta", delta),
                ] {
                    if !(value.is_finite() && value > 0.0) {
                        return Err(SpmmError::NotPositive {
                            what,
                            actual: value,
                        });
                    }
                }
                if delta >= 1.0 {
                    return Err(SpmmError::NotPositive {
                        what: "1 - delta",
                        actual: 1.0 - delta,
                    });
                }
                Ok(())
            }
        }
    }
}
