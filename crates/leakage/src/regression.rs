//! Sparse regression: each row explained by few of P0's own rows, with coefficients from 0 to 1
//! (the lasso in a box, by coordinate descent).

use rayon::prelude::*;
use s3rec_algebra::RealMatrix;
use s3rec_spmm::noise_first::Sides;

use crate::likelihood::narrow;
use crate::linear::{add, dot};
use crate::metrics::Scored;
use crate::release::Release;

/// Sweeps over all columns.
const SWEEPS: usize = 60;
/// Changes below which a sweep is the last.
const STILL: f64 = 1e-4;
/// The penalty of exact sums; with noise it is σ.
const LEAST_PENALTY: f64 = 0.01;

pub(crate) fn scores(release: &Release) -> Vec<Scored> {
    let columns = release.uploaded().len();
    let fits: Vec<Vec<f32>> = match release.sides {
        Sides::One => Vec::new(),
        Sides::Two if columns * columns <= crate::release::MOST_PAIRS => (0..columns)
            .into_par_iter()
            .map(|row| fit(release, row))
            .collect(),
        Sides::Two => Vec::new(),
    };
    let judged = release.judged.par_iter().map(|&row| {
        let mut scores = fits.get(row).cloned().unwrap_or_else(|| fit(release, row));
        for (score, other) in scores.iter_mut().zip(&fits) {
            *score += other[row];
        }
        release.judge(row, &scores)
    });
    judged.flatten_iter().collect()
}

/// Coefficients, those above 0 lifted by 1; of the others how near they are to being one.
fn fit(release: &Release, row: usize) -> Vec<f32> {
    let rows: &RealMatrix = &release.rows;
    let penalty = release.sigma.max(LEAST_PENALTY);
    let own = (release.sides == Sides::Two).then_some(row);
    let squares: Vec<f64> = (0..rows.rows())
        .map(|f| dot(rows.row(f), rows.row(f)))
        .collect();
    let mut coefficients = vec![0.0f64; rows.rows()];
    let mut rest = release.sums.row(row).to_vec();
    for sweep in 0..SWEEPS {
        let mut largest = 0.0f64;
        for column in 0..rows.rows() {
            // Every fourth sweep goes over all of them.
            let is_idle = sweep % 4 != 0 && coefficients[column] == 0.0;
            if is_idle || Some(column) == own || squares[column] < 1e-12 {
                continue;
            }
            let x = rows.row(column);
            let before = coefficients[column];
            let after = before + (dot(x, &rest) - penalty) / squares[column];
            let after = after.clamp(0.0, 1.0);
            if after != before {
                add(&mut rest, x, before - after);
                coefficients[column] = after;
                largest = largest.max((after - before).abs());
            }
        }
        if sweep % 4 == 0 && largest < STILL {
            break;
        }
    }
    let columns = coefficients.iter().enumerate();
    columns
        .map(|(column, &coefficient)| {
            if coefficient > 0.0 {
                return narrow(1.0 + coefficient);
            }
            let slack = dot(rows.row(column), &rest) - penalty;
            narrow(slack / (1.0 + slack.abs()))
        })
        .collect()
}
