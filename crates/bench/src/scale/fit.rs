//! Power laws: y = a·x^b by least squares over the logarithms.

use serde::{Deserialize, Serialize};

use super::{AccumulationPoint, ScalePoint};

/// A power law through points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// What grows.
    pub what: String,
    /// With what.
    pub against: String,
    /// b.
    pub exponent: f64,
    /// a.
    pub factor: f64,
    /// Share of the variance that it explains.
    pub r_squared: f64,
    /// Points it goes through.
    pub points: u64,
    /// What the exponent should be, with the tolerance; null where nothing is claimed.
    pub claimed: Option<(f64, f64)>,
    /// Whether it is.
    pub met: Option<bool>,
}

impl Fit {
    /// Through `points`; nothing below two of them.
    #[must_use]
    pub fn through(
        what: &str,
        against: &str,
        points: &[(f64, f64)],
        claimed: Option<(f64, f64)>,
    ) -> Option<Self> {
        let logs: Vec<(f64, f64)> = points
            .iter()
            .filter(|(x, y)| *x > 0.0 && *y > 0.0)
            .map(|(x, y)| (x.ln(), y.ln()))
            .collect();
        let count = logs.len() as f64;
        let mean = |pick: fn(&(f64, f64)) -> f64| logs.iter().map(pick).sum::<f64>() / count;
        let (x_mean, y_mean) = (mean(|p| p.0), mean(|p| p.1));
        let covariance: f64 = logs.iter().map(|p| (p.0 - x_mean) * (p.1 - y_mean)).sum();
        let x_spread: f64 = logs.iter().map(|p| (p.0 - x_mean).powi(2)).sum();
        let y_spread: f64 = logs.iter().map(|p| (p.1 - y_mean).powi(2)).sum();
        if logs.len() < 2 || x_spread <= 0.0 {
            return None;
        }
        let exponent = covariance / x_spread;
        let explained = if y_spread > 0.0 {
            covariance * covariance / (x_spread * y_spread)
        } else {
            1.0
        };
        Some(Self {
            what: what.to_owned(),
            against: against.to_owned(),
            exponent,
            factor: (y_mean - exponent * x_mean).exp(),
            r_squared: explained,
            points: logs.len() as u64,
            claimed,
            met: claimed.map(|(expected, tolerance)| (exponent - expected).abs() <= tolerance),
        })
    }
}

/// Linear within a tenth.
const LINEAR: Option<(f64, f64)> = Some((1.0, 0.1));

pub(super) fn all(
    users: &[ScalePoint],
    ranks: &[ScalePoint],
    nonzeros: &[AccumulationPoint],
) -> Vec<Fit> {
    let over = |points: &[ScalePoint], x: fn(&ScalePoint) -> u64, y: fn(&ScalePoint) -> f64| {
        let measured = points.iter().filter(|point| point.measured.is_some());
        measured
            .map(|point| (x(point) as f64, y(point)))
            .collect::<Vec<_>>()
    };
    let by_users = |y| over(users, |point| point.users, y);
    let by_rank = |y| over(ranks, |point| point.rank, y);
    let by_nonzeros: Vec<(f64, f64)> = nonzeros
        .iter()
        .map(|point| (point.nonzeros as f64, point.seconds.median))
        .collect();
    // Seconds of a few hundred rows are those of a few dozen syncs to disk.
    let long_enough: Vec<(f64, f64)> = by_users(ScalePoint::offline_seconds)
        .into_iter()
        .filter(|(_, seconds)| *seconds >= SHORTEST_SECONDS)
        .collect();
    let core_seconds: Vec<(f64, f64)> = by_users(ScalePoint::offline_core_seconds)
        .into_iter()
        .filter(|(_, seconds)| *seconds >= SHORTEST_SECONDS)
        .collect();
    let adding: Vec<(f64, f64)> = nonzeros
        .iter()
        .filter(|point| point.core_seconds >= SHORTEST_SECONDS / 10.0)
        .map(|point| (point.nonzeros as f64, point.core_seconds))
        .collect();
    [
        Fit::through("offline seconds", "users", &long_enough, LINEAR),
        Fit::through("offline core-seconds", "users", &core_seconds, LINEAR),
        Fit::through(
            "offline bytes",
            "users",
            &by_users(|point| point.offline.bytes() as f64),
            LINEAR,
        ),
        Fit::through(
            "bytes of an opening",
            "users",
            &by_users(|point| point.round.bytes() as f64),
            LINEAR,
        ),
        Fit::through("accumulation seconds", "non-zeros", &by_nonzeros, LINEAR),
        Fit::through("accumulation core-seconds", "non-zeros", &adding, LINEAR),
        Fit::through(
            "offline seconds",
            "rank",
            &by_rank(ScalePoint::offline_seconds),
            None,
        ),
        Fit::through(
            "offline bytes",
            "rank",
            &by_rank(|point| point.offline.bytes() as f64),
            None,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Below this, what does not grow with the job decides.
const SHORTEST_SECONDS: f64 = 0.5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_is_found() {
        let points: Vec<(f64, f64)> = [1.0, 10.0, 50.0, 400.0_f64]
            .map(|x| (x, 3.0 * x.powf(1.5)))
            .into();
        let fit = Fit::through("y", "x", &points, LINEAR).unwrap();
        assert!((fit.exponent - 1.5).abs() < 1e-9 && (fit.factor - 3.0).abs() < 1e-9);
        assert!((fit.r_squared - 1.0).abs() < 1e-9);
        assert_eq!(fit.met, Some(false));
        assert!(Fit::through("y", "x", &points[..1], None).is_none());
    }
}
