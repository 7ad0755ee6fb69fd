//! Paired differences of two models over users, weighted to another population.
//!
//! Observations fall into cells (a stratum, or a stratum and a number of ratings); cell c weighs
//! P_c. With n, a, b the count and the sums without and with friends of one user in one cell,
//! A = Σ_c P_c·(Σ a)/(Σ n), likewise B; the figures are A and B, or their roots. The interval of
//! the difference is by linearisation, one user's observations together (a user judged with
//! several numbers of ratings counts once): the influence of user i on A is
//! Σ_c P_c·(a_ic − n_ic·Ā_c)/N_c. Student's t with as many degrees of freedom as the weights
//! leave effective users, less one.

use crate::evaluate::{Interval, student};
use std::collections::BTreeMap;

/// One user in one cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Observation {
    pub(super) user: u32,
    pub(super) cell: usize,
    /// Ratings, or 1 for a list.
    pub(super) count: f64,
    /// Sum without friends.
    pub(super) without: f64,
    /// Sum with them.
    pub(super) with: f64,
}

/// What the sums measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// A mean that is better the larger it is.
    Gain,
    /// Squared errors: the root of their mean, better the smaller it is.
    RootError,
}

impl Measure {
    fn figure(self, mean: f64) -> f64 {
        match self {
            Self::Gain => mean,
            Self::RootError => mean.max(0.0).sqrt(),
        }
    }

    /// How much better the figure gets with the mean.
    fn slope(self, mean: f64) -> f64 {
        match self {
            Self::Gain => 1.0,
            Self::RootError if mean > 0.0 => -0.5 / mean.sqrt(),
            Self::RootError => 0.0,
        }
    }

    fn better(self, without: f64, with: f64) -> f64 {
        match self {
            Self::Gain => with - without,
            Self::RootError => without - with,
        }
    }
}

/// Both models' figures and the interval of their difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Weighed {
    pub(super) users: usize,
    /// As many users of equal weight would tell as much.
    pub(super) effective: f64,
    pub(super) without: f64,
    pub(super) with: f64,
    pub(super) gain: Interval,
    /// Share of the weights whose cells somebody was judged in.
    pub(super) covered: f64,
}

#[derive(Default, Clone, Copy)]
struct Sums {
    count: f64,
    without: f64,
    with: f64,
    users: f64,
}

/// Weighs the observations; none where fewer than two users remain.
pub(super) fn weigh(
    observations: &[Observation],
    weights: &[f64],
    measure: Measure,
) -> Option<Weighed> {
    let mut cells = vec![Sums::default(); weights.len()];
    for o in observations {
        let cell = &mut cells[o.cell];
        cell.count += o.count;
        cell.without += o.without;
        cell.with += o.with;
        cell.users += 1.0;
    }
    let all: f64 = weights.iter().sum();
    let known = weights.iter().zip(&cells);
    let known: f64 = known.filter(|(_, c)| c.count > 0.0).map(|(w, _)| w).sum();
    if known <= 0.0 {
        return None;
    }
    let share = |cell: usize| weights[cell] / known;
    let (mut without, mut with) = (0.0, 0.0);
    for (cell, sums) in cells.iter().enumerate().filter(|(_, c)| c.count > 0.0) {
        without += share(cell) * sums.without / sums.count;
        with += share(cell) * sums.with / sums.count;
    }
    // Influence on the difference, and weight, by user.
    let mut by_user: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
    let (slope_without, slope_with) = (measure.slope(without), measure.slope(with));
    for o in observations.iter().filter(|o| weights[o.cell] > 0.0) {
        let sums = &cells[o.cell];
        let part = share(o.cell) / sums.count;
        let off = |sum: f64, total: f64| part * (sum - o.count * total / sums.count);
        let influence =
            slope_with * off(o.with, sums.with) - slope_without * off(o.without, sums.without);
        // A cell's own mean was fitted to it.
        let lost = (sums.users / (sums.users - 1.0).max(0.5)).sqrt();
        let user = by_user.entry(o.user).or_default();
        user.0 += lost * influence;
        user.1 += part * o.count;
    }
    if by_user.len() < 2 {
        return None;
    }
    let squares = by_user.values().map(|(_, weight)| weight * weight);
    let total: f64 = by_user.values().map(|(_, weight)| weight).sum();
    let effective = total * total / squares.sum::<f64>();
    let error = by_user.values().map(|(i, _)| i * i).sum::<f64>().sqrt();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and the number of users"
    )]
    let freedom = ((effective + 1e-9).floor() as usize)
        .saturating_sub(1)
        .max(1);
    let (without, with) = (measure.figure(without), measure.figure(with));
    let mean = measure.better(without, with);
    let reach = student(freedom) * error;
    Some(Weighed {
        users: by_user.len(),
        effective,
        without,
        with,
        gain: Interval {
            mean,
            low: mean - reach,
            high: mean + reach,
        },
        covered: known / all,
    })
}

/// Edges between strata of `values`, so that each has `fewest` of the `judged` at least; they
/// follow the quantiles of `towards`, the population that figures are weighted to.
pub(super) fn edges(judged: &[f64], towards: &[f64], strata: usize, fewest: usize) -> Vec<f64> {
    let sorted = |values: &[f64]| {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted
    };
    let towards = sorted(if towards.is_empty() { judged } else { towards });
    let judged = sorted(judged);
    let below = |edge: f64| judged.partition_point(|&value| value < edge);
    let (mut found, mut used) = (Vec::new(), 0);
    for part in 1..strata {
        let Some(&edge) = towards.get(part * towards.len() / strata) else {
            continue;
        };
        let (inside, rest) = (below(edge).saturating_sub(used), judged.len() - below(edge));
        if inside >= fewest && rest >= fewest {
            found.push(edge);
            used = below(edge);
        }
    }
    found
}

/// The stratum of a value.
pub(super) fn stratum(edges: &[f64], value: f64) -> usize {
    edges.partition_point(|&edge| edge <= value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(user: u32, cell: usize, without: f64, with: f64) -> Observation {
        Observation {
            user,
            cell,
            count: 1.0,
            without,
            with,
        }
    }

    #[test]
    fn one_cell_is_the_paired_t_test() {
        let gains = [1.0, 2.0, 3.0, 4.0, 5.0];
        let observed: Vec<Observation> = (0u32..)
            .zip(gains)
            .map(|(user, gain)| list(user, 0, 7.0, 7.0 + gain))
            .collect();
        let found = weigh(&observed, &[3.0], Measure::Gain).unwrap();
        let expected = Interval::over(&gains).unwrap();
        assert!((found.gain.mean - 3.0).abs() < 1e-12);
        assert!((found.gain.low - expected.low).abs() < 1e-9);
        assert!((found.gain.high - expected.high).abs() < 1e-9);
        assert_eq!((found.users, found.covered), (5, 1.0));
        assert!((found.effective - 5.0).abs() < 1e-9);
        assert_eq!((found.without, found.with), (7.0, 10.0));
    }

    #[test]
    fn cells_weigh_what_they_are_told_and_empty_ones_are_said() {
        let mut observed = vec![list(0, 0, 0.0, 1.0), list(1, 0, 0.0, 1.0)];
        observed.extend((2..12).map(|user| list(user, 1, 0.0, 0.0)));
        let found = weigh(&observed, &[0.6, 0.2, 0.2], Measure::Gain).unwrap();
        assert!((found.gain.mean - 0.75).abs() < 1e-12);
        assert!((found.covered - 0.8).abs() < 1e-12);
        // Within each cell nothing varies.
        assert!((found.gain.low - found.gain.high).abs() < 1e-12);
        assert!(found.effective < 4.0, "{}", found.effective);
        assert!(weigh(&observed, &[0.0, 0.0, 1.0], Measure::Gain).is_none());
    }

    #[test]
    fn a_user_judged_four_times_counts_once() {
        let once: Vec<Observation> = (0..50u32)
            .map(|user| list(user, 0, 0.0, f64::from(user % 5)))
            .collect();
        let often: Vec<Observation> = (0..4)
            .flat_map(|cell| once.iter().map(move |&o| Observation { cell, ..o }))
            .collect();
        let once = weigh(&once, &[1.0], Measure::Gain).unwrap();
        let often = weigh(&often, &[1.0; 4], Measure::Gain).unwrap();
        assert!((once.gain.low - often.gain.low).abs() < 1e-12);
        assert!((often.effective - 50.0).abs() < 1e-9);
    }

    #[test]
    fn errors_are_roots_and_their_interval_covers_what_is_true() {
        // Squared errors of normal-like residuals: the true RMSE are 1 and 0.9.
        let mut rng = crate::random::stream(1, 1 << 40);
        let mut covered = 0;
        for _ in 0..200 {
            let observed: Vec<Observation> = (0..120u32)
                .map(|user| {
                    let count = 1 + user % 7;
                    let residuals = (0..count).map(|_| crate::random::normal(&mut rng));
                    let without: f64 = residuals.map(|x| x * x).sum();
                    let other = (0..count).map(|_| crate::random::normal(&mut rng));
                    let with: f64 = other.map(|x| 0.81 * x * x).sum();
                    Observation {
                        user,
                        cell: 0,
                        count: f64::from(count),
                        without,
                        with,
                    }
                })
                .collect();
            let found = weigh(&observed, &[1.0], Measure::RootError).unwrap();
            assert!((found.without - found.with - found.gain.mean).abs() < 1e-12);
            covered += u32::from(found.gain.low < 0.1 && 0.1 < found.gain.high);
        }
        assert!((180..=198).contains(&covered), "{covered} of 200");
    }

    #[test]
    fn strata_follow_the_others_and_have_enough_of_the_judged() {
        let judged: Vec<f64> = (0..100).map(f64::from).collect();
        let towards: Vec<f64> = (0..100).map(|n| f64::from(n) / 10.0).collect();
        let found = edges(&judged, &towards, 5, 2);
        assert_eq!(found, [2.0, 4.0, 6.0, 8.0]);
        assert_eq!(edges(&judged, &towards, 5, 4), [4.0, 8.0]);
        assert_eq!(edges(&judged, &[], 4, 10), [25.0, 50.0, 75.0]);
        assert!(edges(&[], &[], 4, 10).is_empty());
        let zeros = edges(&judged, &[0.0; 50], 5, 2);
        assert!(zeros.is_empty());
        assert_eq!([1.9, 2.0, 9.0].map(|v| stratum(&found, v)), [0, 1, 4]);
    }
}
