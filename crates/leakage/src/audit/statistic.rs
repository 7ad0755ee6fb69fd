//! The canary's statistic, whitened over the whole output, and what it shows.

use super::LEVEL;
use super::interval::{lower, quantile, upper};
use super::outputs::Outputs;
use crate::linear::{Cholesky, add, dot};

/// Standard errors beyond which the training half's own word on a canary's effect is taken in the
/// place of what P0 knows it to be.
const SURPRISE: f64 = 4.5;
/// Thresholds that are tried on the training half.
const THRESHOLDS: usize = 101;

/// What is shown of μ: of all rows the most, 0 where nothing is.
pub(super) fn lower_bound(outputs: &Outputs) -> f64 {
    let rows = 0..outputs.rows;
    rows.map(|row| of_row(outputs, row)).fold(0.0, f64::max)
}

/// Half of a row's level for either rate.
fn level(outputs: &Outputs) -> f64 {
    LEVEL / outputs.rows as f64 / 2.0
}

fn of_row(outputs: &Outputs, row: usize) -> f64 {
    let training = outputs.runs() / 2;
    let direction = direction(outputs, row, training);
    let scored = |run: usize| {
        let score = dot(&direction, &outputs.left(run, row));
        (score, outputs.coins[run * outputs.rows + row])
    };
    let mut trained: Vec<(f64, bool)> = (0..training).map(scored).collect();
    trained.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    // Between two scores: a score itself would be a coin's toss away where there is no noise.
    let thresholds = (1..THRESHOLDS).filter_map(|step| {
        let place = trained.len() * step / THRESHOLDS;
        let (below, above) = (trained.get(place.checked_sub(1)?)?, trained.get(place)?);
        Some(f64::midpoint(below.0, above.0))
    });
    let shown = |threshold: f64, scored: &[(f64, bool)]| {
        let count = |coin: bool| scored.iter().filter(|s| s.1 == coin).count() as u64;
        let above = |coin: bool| {
            let hits = scored.iter().filter(|s| s.1 == coin && s.0 > threshold);
            hits.count() as u64
        };
        let found = lower(above(true), count(true), level(outputs));
        let alarms = upper(above(false), count(false), level(outputs));
        quantile(found) - quantile(alarms)
    };
    let best = thresholds.max_by(|a, b| shown(*a, &trained).total_cmp(&shown(*b, &trained)));
    let judged: Vec<(f64, bool)> = (training..outputs.runs()).map(scored).collect();
    best.map_or(0.0, |threshold| shown(threshold, &judged))
}

/// Σ⁻¹·δ, of the training half: Σ the covariance of the output within runs of the same coin, δ the
/// canary's effect on it.
fn direction(outputs: &Outputs, row: usize, training: usize) -> Vec<f64> {
    let width = outputs.rows * outputs.columns;
    let mut means = [vec![0.0; width], vec![0.0; width]];
    let mut counts = [0.0; 2];
    let coin = |run: usize| usize::from(outputs.coins[run * outputs.rows + row]);
    for run in 0..training {
        add(&mut means[coin(run)], &outputs.left(run, row), 1.0);
        counts[coin(run)] += 1.0;
    }
    for (mean, count) in means.iter_mut().zip(counts) {
        mean.iter_mut().for_each(|x| *x /= f64::max(count, 1.0));
    }
    let mut covariance = vec![0.0; width * width];
    for run in 0..training {
        let mut left = outputs.left(run, row);
        add(&mut left, &means[coin(run)], -1.0);
        for (i, a) in left.iter().enumerate() {
            let lower = &mut covariance[i * width..=i * width + i];
            add(lower, &left, a / training as f64);
        }
    }
    let errors = counts
        .iter()
        .map(|count| count.max(1.0).recip())
        .sum::<f64>();
    let own = row * outputs.columns..(row + 1) * outputs.columns;
    let mut effect = vec![0.0; width];
    effect[own.clone()].copy_from_slice(&outputs.canaries[own]);
    for (i, effect) in effect.iter_mut().enumerate() {
        let seen = means[1][i] - means[0][i];
        let error = (covariance[i * width + i] * errors).sqrt();
        if (seen - *effect).abs() > SURPRISE * error + 1e-3 {
            *effect = seen;
        }
    }
    Cholesky::of(covariance, width).solve(&mut effect);
    effect
}
