//! What a job is allowed to do by consent: which protocol, and how openings are released.
//!
//! What may be known of the pattern of Y is [`s3rec_sparse::PatternPolicy`].

use serde::{Deserialize, Serialize};

use crate::SpmmError;
use crate::noise_first::guarantee::Mu;
use crate::noise_first::{Sides, Terms};

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
    /// One opening of friends' sums, whose noise also hides that of the ciphertexts (page
    /// `noised_opening`).
    NoiseFirst,
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
            Protocol::NoiseFirst => "noise-first",
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
    /// Friends' sums with Gaussian noise, accounted in μ: what `noise-first` opens.
    Friends(FriendsRelease),
}

/// What a proposal of friends' sums fixes before the common users are known (page
/// `noised_opening`, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FriendsRelease {
    /// μ that the opening spends.
    pub mu: f64,
    /// Which links it shows: between opened users and the others, or all.
    pub sides: Sides,
    /// t: P0's users with fewer ratings are opened.
    pub few_below: u32,
    /// f: share of the others that P0 opens for calibration, drawn once a lineage.
    pub calibration_share: f64,
    /// |O|, at most: what t and f come to among all users of P0.
    pub most_opened: u32,
    /// β, to which P0 keeps the norm of every row; P1 cannot see it.
    pub row_norm_bound: f64,
}

impl FriendsRelease {
    /// Users on either side, at least. Hygiene: μ covers a single one.
    pub const LEAST_USERS: u32 = 50;

    /// μ, where it is one.
    #[must_use]
    pub fn mu(&self) -> Option<Mu> {
        Mu::new(self.mu)
    }

    /// What parameters are chosen for.
    ///
    /// # Errors
    /// [`SpmmError::NotPositive`] for a μ that is none.
    pub fn terms(
        &self,
        (opened, uploaded): (u32, u32),
        columns: u32,
        degree_bound: u32,
    ) -> Result<Terms, SpmmError> {
        let mu = self.mu().ok_or(SpmmError::NotPositive {
            what: "mu",
            actual: self.mu,
        })?;
        Ok(Terms {
            sides: self.sides,
            opened,
            uploaded,
            columns,
            row_norm_bound: self.row_norm_bound,
            degree_bound,
            mu,
        })
    }

    fn validate(&self) -> Result<(), SpmmError> {
        for (what, value) in [("mu", self.mu), ("row_norm_bound", self.row_norm_bound)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(SpmmError::NotPositive {
                    what,
                    actual: value,
                });
            }
        }
        if !(0.0..1.0).contains(&self.calibration_share) {
            return Err(SpmmError::NotPositive {
                what: "1 - calibration_share",
                actual: 1.0 - self.calibration_share,
            });
        }
        Ok(())
    }
}

impl ReleasePolicy {
    /// Refuses parameters that mean nothing.
    ///
    /// # Errors
    /// [`SpmmError::OutOfRange`] or [`SpmmError::NotPositive`].
    pub fn validate(&self, ring_bits: u32) -> Result<(), SpmmError> {
        match *self {
            ReleasePolicy::Exact => Ok(()),
            ReleasePolicy::Friends(release) => release.validate(),
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
