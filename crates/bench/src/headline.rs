//! The two ratios that the project is held to: bytes and wall time of a whole training to the
//! same objective, ours against `ssmm` with gradient descent.
//!
//! The objective is that of `als` after the openings of the training that was run. How many
//! gradient descent needs for it comes from the rounds records (the clear product decides how fast
//! an objective falls, not the cryptography), bytes and seconds from the links records. Gradient
//! descent that never gets there is charged for the openings it was given, and no more.

use serde::{Deserialize, Serialize};

use crate::links::{LinkRun, LinksReport};
use crate::rounds::RoundsReport;

/// The slowest link, over which wall time is compared.
const SLOW_BITS_PER_SECOND: u64 = 100_000_000;

/// Bytes to be saved, averaged over the data sets.
pub const BYTES_BOUND: f64 = 2_000.0;
/// Wall time to be saved over the slow link, averaged likewise.
pub const SECONDS_BOUND: f64 = 500.0;

/// One data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Which.
    pub label: String,
    /// Whether a record of it was made with `--quick`.
    pub quick: bool,
    /// m.
    pub users: u64,
    /// Openings of gradient descent.
    pub gradient_openings: u64,
    /// Whether it is as low as `als` after them.
    pub gradient_reached: bool,
    /// Openings of the training with `als` that was run.
    pub als_openings: u64,
    /// Payload of `preprocessed` with `als`, offline included.
    pub our_bytes: u64,
    /// Payload of `ssmm` with gradient descent, from its message shapes.
    pub ssmm_bytes: u64,
    /// Wall time of ours over the slow link.
    pub our_seconds: f64,
    /// Wall time of `ssmm` over it, computed.
    pub ssmm_seconds: f64,
}

impl Comparison {
    /// Bytes of `ssmm` over ours.
    #[must_use]
    pub fn bytes_ratio(&self) -> f64 {
        self.ssmm_bytes as f64 / self.our_bytes.max(1) as f64
    }

    /// Seconds of `ssmm` over ours.
    #[must_use]
    pub fn seconds_ratio(&self) -> f64 {
        self.ssmm_seconds / self.our_seconds
    }
}

/// Puts the records of one data set together; nothing where either lacks what it takes.
#[must_use]
pub fn compare(label: &str, rounds: &RoundsReport, links: &LinksReport) -> Option<Comparison> {
    let run = |protocol: &str| -> Option<&LinkRun> {
        links.runs.iter().find(|run| {
            run.protocol == protocol && run.link.bits_per_second == SLOW_BITS_PER_SECOND
        })
    };
    let (ours, theirs) = (run("preprocessed")?, run("ssmm")?);
    let (gradient_openings, gradient_reached) = rounds.gradient_openings_to_match(ours.openings)?;
    // The record computed `ssmm` for its own number of openings; all cost the same.
    let share = f64::from(gradient_openings) / theirs.openings.max(1) as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bytes, far below 2^63"
    )]
    let ssmm_bytes = (theirs.bytes() as f64 * share) as u64;
    Some(Comparison {
        label: label.to_owned(),
        quick: false,
        users: links.users,
        gradient_openings: u64::from(gradient_openings),
        gradient_reached,
        als_openings: ours.openings,
        our_bytes: ours.bytes(),
        ssmm_bytes,
        our_seconds: ours.seconds.median,
        ssmm_seconds: theirs.seconds.median * share,
    })
}

/// Both ratios, averaged over the data sets that are compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Headline {
    /// One for each data set.
    pub comparisons: Vec<Comparison>,
    /// Mean ratio of bytes.
    pub bytes_ratio: f64,
    /// Mean ratio of seconds.
    pub seconds_ratio: f64,
}

impl Headline {
    /// Over FilmTrust and Epinions, or whatever was measured; nothing for nothing.
    #[must_use]
    pub fn of(comparisons: Vec<Comparison>) -> Option<Self> {
        let count = comparisons.len() as f64;
        if comparisons.is_empty() {
            return None;
        }
        let mean =
            |ratio: fn(&Comparison) -> f64| comparisons.iter().map(ratio).sum::<f64>() / count;
        Some(Self {
            bytes_ratio: mean(Comparison::bytes_ratio),
            seconds_ratio: mean(Comparison::seconds_ratio),
            comparisons,
        })
    }

    /// Whether this is what the bounds are stated for: full runs of FilmTrust and Epinions.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let full = |label| {
            let mut comparisons = self.comparisons.iter();
            comparisons.any(|comparison| comparison.label == label && !comparison.quick)
        };
        full("filmtrust") && full("epinions")
    }

    /// Whether both bounds are kept.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.bytes_ratio >= BYTES_BOUND && self.seconds_ratio >= SECONDS_BOUND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison(ssmm_bytes: u64) -> Comparison {
        Comparison {
            label: "x".to_owned(),
            quick: false,
            users: 10,
            gradient_openings: 300,
            gradient_reached: true,
            als_openings: 8,
            our_bytes: 1_000,
            ssmm_bytes,
            our_seconds: 2.0,
            ssmm_seconds: 2_000.0,
        }
    }

    #[test]
    fn ratios_are_averaged_over_data_sets() {
        let headline = Headline::of(vec![comparison(1_000_000), comparison(5_000_000)]).unwrap();
        assert_eq!(
            (headline.bytes_ratio, headline.seconds_ratio),
            (3000.0, 1000.0)
        );
        assert!(headline.is_met());
        assert!(!Headline::of(vec![comparison(1_000)]).unwrap().is_met());
        assert!(Headline::of(Vec::new()).is_none());
    }
}
