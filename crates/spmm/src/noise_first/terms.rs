//! What both platforms agree on before parameters are chosen.

use serde::{Deserialize, Serialize};

use super::NoiseFirstError;
use super::guarantee::Mu;

/// Deviations of noise that a result has room for beside the largest sum.
const ROOM: f64 = 7.0;
/// Values of an upload or an answer, at most: 2 GiB as residues.
const VALUES: f64 = (1u32 << 28) as f64;

/// Whose links a release shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sides {
    /// Rows of opened users, columns of the others: a pair changes one row, by one x. Pairs
    /// within either set are in no release.
    One,
    /// Rows and columns of everybody: a pair changes two rows.
    Two,
}

/// What is public before parameters are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// Which links it shows.
    pub sides: Sides,
    /// |O|, rows that are answered.
    pub opened: u32,
    /// |W|, rows that are uploaded.
    pub uploaded: u32,
    /// C, values of a row.
    pub columns: u32,
    /// β, bound on ‖x_f‖₂.
    pub row_norm_bound: f64,
    /// Friends of one user, at most: from consent, never from the links. A row beyond it is
    /// computed as it is and may wrap.
    pub degree_bound: u32,
    /// What is spent.
    pub mu: Mu,
}

impl Terms {
    /// ℓ₂-sensitivity to one pair of users: β, or √2·β.
    #[must_use]
    pub fn sensitivity(&self) -> f64 {
        match self.sides {
            Sides::One => self.row_norm_bound,
            Sides::Two => self.row_norm_bound * std::f64::consts::SQRT_2,
        }
    }

    /// g: bits of a result, so that the largest sum and its noise fit.
    pub(crate) fn result_bits(&self) -> Option<u32> {
        // σ is at least Δ/μ.
        let largest = f64::from(self.degree_bound) * self.row_norm_bound * self.mu.value()
            / self.sensitivity();
        (2..=36).find(|bits| f64::from(bits - 1).exp2() >= largest + ROOM)
    }

    pub(crate) fn validate(&self) -> Result<(), NoiseFirstError> {
        let at_least = |what, actual: f64, least: f64, most: f64| {
            if actual >= least && actual <= most {
                return Ok(());
            }
            let condition = format!("between {least} and {most}");
            Err(NoiseFirstError::Refused {
                what,
                actual,
                condition,
            })
        };
        let users = f64::from(1 << 24);
        at_least("the number of opened users", self.opened.into(), 1.0, users)?;
        at_least(
            "the number of uploaded users",
            self.uploaded.into(),
            1.0,
            users,
        )?;
        at_least("the number of columns", self.columns.into(), 1.0, 384.0)?;
        // What either side holds in memory follows from it.
        let values = f64::from(self.opened.max(self.uploaded)) * f64::from(self.columns);
        at_least("the number of values", values, 1.0, VALUES)?;
        at_least("the row norm bound β", self.row_norm_bound, 1e-9, 1e9)?;
        at_least("the degree bound", self.degree_bound.into(), 1.0, users)?;
        at_least("μ", self.mu.value(), 1e-3, 100.0)
    }
}
