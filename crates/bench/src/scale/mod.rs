//! Cost against users, non-zeros and rank: measured where it fits the time and room given,
//! predicted by the cost model beyond, the two marked apart.
//!
//! Links are drawn with power-law degrees. Users grow at a fixed degree; non-zeros grow among a
//! fixed number of users and are measured at the accumulation alone, which is what they cost; the
//! rank grows with everything else fixed. A noised opening of friends' sums is measured whole, at
//! any size ([`opening`]).

mod accumulation;
mod fit;
pub mod opening;
mod outlook;
mod point;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use accumulation::AccumulationPoint;
pub use fit::Fit;
pub use outlook::{Outlook, outlook};
pub use point::ScalePoint;

use crate::BenchError;
use point::Measuring;

/// What to measure, and how far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScaleOptions {
    /// Numbers of users at the fixed degree.
    pub users: Vec<u32>,
    /// Links that a user gives, everywhere but in `nonzeros`.
    pub links_per_user: u32,
    /// k, everywhere but in `ranks`.
    pub rank: u32,
    /// Openings.
    pub rounds: u32,
    /// Ranks, at `rank_users` users.
    pub ranks: Vec<u32>,
    /// Users while the rank grows.
    pub rank_users: u32,
    /// Non-zeros of Y.
    pub nonzeros: Vec<u64>,
    /// Users while the non-zeros grow.
    pub nonzeros_users: u32,
    /// Points expected to take longer than this, both parties together, are predicted.
    pub seconds_limit: f64,
    /// Points whose stocks need more room on disk than this are predicted.
    pub disk_limit_bytes: u64,
    /// Bytes that each party's offline computation may hold at once.
    pub memory_limit_bytes: usize,
    /// Runs of every measured point.
    pub repeats: u32,
    /// Where stocks of columns are kept while they are measured.
    pub scratch: PathBuf,
}

impl Default for ScaleOptions {
    fn default() -> Self {
        Self {
            users: vec![1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000],
            links_per_user: 10,
            rank: 10,
            rounds: 10,
            ranks: vec![8, 16, 32, 64, 128],
            rank_users: 5_000,
            nonzeros: vec![100_000, 300_000, 1_000_000, 3_000_000, 10_000_000],
            nonzeros_users: 10_000,
            seconds_limit: 120.0,
            disk_limit_bytes: 20_000_000_000,
            memory_limit_bytes: 1 << 30,
            repeats: 3,
            scratch: std::env::temp_dir(),
        }
    }
}

/// All points with what was fitted through them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScaleReport {
    /// What was asked for.
    pub options: ScaleOptions,
    /// Against users.
    pub users: Vec<ScalePoint>,
    /// Against the rank.
    pub ranks: Vec<ScalePoint>,
    /// Against non-zeros: the accumulation.
    pub nonzeros: Vec<AccumulationPoint>,
    /// Power laws through the measured points.
    pub fits: Vec<Fit>,
    /// Measured seconds over those of the model, at the largest measured number of users: what
    /// predicted seconds were multiplied by.
    pub calibration: f64,
    /// 10⁸ users and 10¹⁰ links.
    pub outlook: Outlook,
}

/// Measures and predicts every point, telling `progress` before each.
///
/// # Errors
/// Those of the products, and no room in the scratch directory.
pub fn measure(
    options: &ScaleOptions,
    mut progress: impl FnMut(&str),
) -> Result<ScaleReport, BenchError> {
    let mut measuring = Measuring::new(options);
    let mut users = Vec::new();
    for &count in &options.users {
        users.push(measuring.point(count, options.rank, &mut progress)?);
    }
    let mut ranks = Vec::new();
    for &rank in &options.ranks {
        ranks.push(measuring.point(options.rank_users, rank, &mut progress)?);
    }
    let mut nonzeros = Vec::new();
    for &count in &options.nonzeros {
        progress(&format!("accumulating {count} non-zeros"));
        nonzeros.push(accumulation::measure(
            options.nonzeros_users,
            count,
            options.repeats,
        )?);
    }
    let calibration = measuring.calibration();
    Ok(ScaleReport {
        options: options.clone(),
        fits: fit::all(&users, &ranks, &nonzeros),
        users,
        ranks,
        nonzeros,
        calibration,
        outlook: outlook(measuring.core_calibration())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_predicted_and_says_so() {
        let options = ScaleOptions {
            users: vec![40, 80, 2_000_000],
            ranks: vec![2],
            rank_users: 40,
            links_per_user: 3,
            rank: 2,
            rounds: 2,
            nonzeros: vec![600, 6_000],
            nonzeros_users: 200,
            repeats: 1,
            ..ScaleOptions::default()
        };
        let report = measure(&options, |_| {}).unwrap();
        let measured: Vec<bool> = report.users.iter().map(|p| p.measured.is_some()).collect();
        assert_eq!(measured, [true, true, false]);
        let last = &report.users[2];
        assert!(last.why_predicted.is_some() && last.offline_seconds() > 0.0);
        for point in &report.users {
            // Bytes are exact wherever both are known, but for the greeting of a session.
            if let Some(measured) = &point.measured {
                let more = measured.offline.bytes() - point.offline.bytes();
                assert!(more < 512, "{more}");
                assert_eq!(measured.round.bytes(), point.round.bytes());
            }
        }
        assert_eq!(report.nonzeros.len(), 2);
        assert!(report.outlook.total_bytes > 1_000_000_000_000);
        assert!(report.fits.iter().any(|fit| fit.what.contains("bytes")));
    }
}
