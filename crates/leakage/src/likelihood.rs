//! Likelihood ratios of pairs, the rest of their rows modelled as independent links under a prior.
//!
//! Given the others, a row is y = Σ_f s_f·x_f + noise with P(s_f = 1) = p_f: nearly Gaussian with
//! mean Σ p_f·x_f and covariance σ²·I + Σ p_f(1 − p_f)·x_f·x_fᵀ. Where a prior says that a link is
//! known, p_f is 0 or 1, and it is subtracted exactly. In two-sided releases a pair stands in two
//! rows, and what one tells of it is part of the other's prior: belief propagation, with messages
//! damped.

use rayon::prelude::*;
use s3rec_algebra::RealMatrix;
use s3rec_spmm::noise_first::Sides;

use crate::linear::{Cholesky, add, dot};
use crate::metrics::Scored;
use crate::release::Release;

/// Values that all messages of a two-sided release may take; beyond, each row is read once.
const MOST_MESSAGES: usize = 1 << 22;
/// Rounds of messages.
const ROUNDS: usize = 6;
/// Share of a message that is kept from the round before.
const DAMPING: f64 = 0.5;
/// Log-odds that no message exceeds.
const REACH: f64 = 30.0;
/// Noise that exact sums are read with: what is not Gaussian in them.
const LEAST_SIGMA: f64 = 1e-3;

/// What an attacker holds likely before the release.
pub(crate) trait Prior: Sync {
    /// Log-odds of every column of `row` being linked; ±∞ where it is known.
    fn log_odds(&self, row: usize, out: &mut [f32]);
}

/// What a pair is scored by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scoring {
    /// Prior and release together; pairs known before are not judged.
    Posterior,
    /// The release's likelihood ratio alone, pairs judged whatever the prior says.
    Ratio,
}

pub(crate) fn chance(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// One row given its columns' priors.
struct RowModel {
    /// Inverse of the covariance, C × C.
    inverse: Vec<f64>,
    /// The row less its mean.
    residual: Vec<f64>,
}

impl RowModel {
    fn new(rows: &RealMatrix, sum: &[f64], sigma: f64, log_odds: &[f32]) -> Self {
        let width = rows.columns();
        let mut covariance = vec![0.0; width * width];
        for i in 0..width {
            covariance[i * width + i] = sigma.max(LEAST_SIGMA).powi(2);
        }
        let mut residual = sum.to_vec();
        for (column, &log_odds) in log_odds.iter().enumerate() {
            let p = chance(log_odds.into());
            if p < 1e-9 {
                continue;
            }
            let x = rows.row(column);
            add(&mut residual, x, -p);
            let spread = p * (1.0 - p);
            for (i, a) in x.iter().enumerate() {
                let lower = &mut covariance[i * width..=i * width + i];
                add(lower, x, spread * a);
            }
        }
        Self {
            inverse: Cholesky::of(covariance, width).inverse(),
            residual,
        }
    }

    /// ln of the likelihood ratio of a link to `x`, which was modelled with `log_odds`.
    fn ratio(&self, x: &[f64], log_odds: f32) -> f64 {
        let width = x.len();
        let (mut forward, mut square) = (0.0, 0.0);
        for (row, a) in self.inverse.chunks_exact(width).zip(x) {
            let inner = dot(row, x);
            square += a * inner;
        }
        for (row, r) in self.inverse.chunks_exact(width).zip(&self.residual) {
            forward += r * dot(row, x);
        }
        let p = chance(log_odds.into());
        // Its own part in mean and covariance taken out (Sherman and Morrison).
        let alone = 1.0 - p * (1.0 - p) * square;
        let ratio = (forward + p * square - square / 2.0) / alone.max(1e-6);
        ratio.clamp(-REACH, REACH)
    }
}

/// Scores of all judged pairs.
pub(crate) fn scores(release: &Release, prior: &dyn Prior, scoring: Scoring) -> Vec<Scored> {
    let columns = release.uploaded().len();
    if release.sides == Sides::Two
        && columns * columns <= MOST_MESSAGES
        && scoring != Scoring::Ratio
    {
        return propagated(release, prior);
    }
    // One reading of each row; a two-sided pair adds up what its two rows tell.
    let model = |row: usize, odds: &mut [f32]| {
        own_odds(release, prior, row, odds);
        RowModel::new(&release.rows, release.sums.row(row), release.sigma, odds)
    };
    let others: Vec<RowModel> = match release.sides {
        Sides::One => Vec::new(),
        Sides::Two => (0..columns)
            .into_par_iter()
            .map_init(|| vec![0.0; columns], |odds, row| model(row, odds))
            .collect(),
    };
    let judged = release.judged.par_iter();
    let judged = judged.map_init(
        || (vec![0.0; columns], vec![0.0; columns]),
        |(odds, scores), &row| {
            let own = model(row, odds);
            for (column, score) in scores.iter_mut().enumerate() {
                let odds = odds[column];
                let mut ratio = own.ratio(release.rows.row(column), odds);
                if let Some(other) = others.get(column) {
                    ratio += other.ratio(release.rows.row(row), odds);
                }
                *score = match scoring {
                    Scoring::Ratio => narrow(ratio),
                    Scoring::Posterior if odds.is_infinite() => f32::NAN,
                    Scoring::Posterior => odds + narrow(ratio),
                };
            }
            release.judge(row, scores)
        },
    );
    judged.flatten_iter().collect()
}

/// Scores by the prior alone.
pub(crate) fn prior_scores(release: &Release, prior: &dyn Prior) -> Vec<Scored> {
    let columns = release.uploaded().len();
    let judged = release.judged.par_iter().map_init(
        || vec![0.0; columns],
        |scores, &row| {
            own_odds(release, prior, row, scores);
            for score in scores.iter_mut().filter(|score| score.is_infinite()) {
                *score = f32::NAN;
            }
            release.judge(row, scores)
        },
    );
    judged.flatten_iter().collect()
}

/// The prior, nobody being their own friend.
fn own_odds(release: &Release, prior: &dyn Prior, row: usize, odds: &mut [f32]) {
    prior.log_odds(row, odds);
    if release.sides == Sides::Two {
        odds[row] = f32::NEG_INFINITY;
    }
}

/// Belief propagation over a two-sided release.
fn propagated(release: &Release, prior: &dyn Prior) -> Vec<Scored> {
    let users = release.uploaded().len();
    let mut odds = vec![0.0f32; users * users];
    odds.par_chunks_mut(users)
        .enumerate()
        .for_each(|(row, odds)| own_odds(release, prior, row, odds));
    // What row f tells of its pair with i, at i's place.
    let mut incoming = vec![0.0f32; users * users];
    let mut outgoing = vec![0.0f32; users * users];
    for _ in 0..ROUNDS {
        outgoing
            .par_chunks_mut(users)
            .enumerate()
            .for_each(|(row, messages)| {
                let at = row * users..(row + 1) * users;
                let both = odds[at.clone()].iter().zip(&incoming[at]);
                let together: Vec<f32> = both.map(|(a, b)| a + b).collect();
                let (rows, sum) = (&release.rows, release.sums.row(row));
                let model = RowModel::new(rows, sum, release.sigma, &together);
                for (column, message) in messages.iter_mut().enumerate() {
                    let ratio = model.ratio(rows.row(column), together[column]);
                    *message = narrow(DAMPING * f64::from(*message) + (1.0 - DAMPING) * ratio);
                }
            });
        incoming
            .par_chunks_mut(users)
            .enumerate()
            .for_each(|(user, messages)| {
                for (other, message) in messages.iter_mut().enumerate() {
                    *message = outgoing[other * users + user];
                }
            });
    }
    let judged = release.judged.par_iter().map(|&row| {
        let at = row * users..(row + 1) * users;
        let messages = outgoing[at.clone()].iter().zip(&incoming[at.clone()]);
        let scores: Vec<f32> = odds[at]
            .iter()
            .zip(messages)
            .map(|(&odds, (own, other))| match odds.is_infinite() {
                true => f32::NAN,
                false => odds + own + other,
            })
            .collect();
        release.judge(row, &scores)
    });
    judged.flatten_iter().collect()
}

#[expect(clippy::cast_possible_truncation, reason = "scores need no more")]
pub(crate) fn narrow(value: f64) -> f32 {
    value as f32
}
