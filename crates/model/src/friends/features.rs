//! What a noised sum is described by. The number of friends is in no column of it: the length of
//! the sum tells enough.

use rayon::prelude::*;
use s3rec_algebra::RealMatrix;
use serde::{Deserialize, Serialize};

/// a of y/(t + a): about how many friends' worth of length a sum must have to count half.
const SOFTENING: [f64; 3] = [1.0, 4.0, 16.0];

/// Numbers that a sum so wide is described by.
fn width(columns: usize) -> usize {
    columns + 2 + SOFTENING.len() * (columns + 1)
}

/// y, t, ln(1 + t), and y/(t + a), 1/(t + a), with t the length of y less that of the noise.
fn describe(y: &[f64], sigma: f64, features: &mut [f64]) {
    let t = noisy_degree(y, sigma);
    let soft = SOFTENING.iter().flat_map(|a| {
        let inverse = 1.0 / (t + a);
        y.iter().map(move |y| y * inverse).chain([inverse])
    });
    let values = y.iter().copied().chain([t, t.ln_1p()]).chain(soft);
    features
        .iter_mut()
        .zip(values)
        .for_each(|(to, value)| *to = value);
}

/// The sums of an opening and what standardises their features, which are made of a sum when they
/// are asked for: they take five times the memory of it. P0's secret.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Described {
    columns: usize,
    /// |O| × C, row by row.
    sums: Vec<f64>,
    sigma: f64,
    standard: Standard,
}

impl Described {
    /// Of all opened users' sums with noise of standard deviation `sigma`; features are
    /// standardised over the users at `places`, whose own are given besides, in that order.
    pub(super) fn new(sums: &RealMatrix, sigma: f64, places: &[usize]) -> (Self, RealMatrix) {
        let width = width(sums.columns());
        let mut features = RealMatrix::zeros(places.len(), width);
        features
            .values_mut()
            .par_chunks_exact_mut(width)
            .zip(places)
            .for_each(|(row, &place)| describe(sums.row(place), sigma, row));
        let standard = Standard::of(&features);
        let rows = features.values_mut().par_chunks_exact_mut(width);
        rows.for_each(|row| standard.apply(row));
        let described = Self {
            columns: sums.columns(),
            sums: sums.values().to_vec(),
            sigma,
            standard,
        };
        (described, features)
    }

    /// Numbers that a sum is described by.
    pub(super) fn width(&self) -> usize {
        width(self.columns)
    }

    /// Standardised features of the opened user at `row`.
    pub(super) fn row(&self, row: usize) -> Vec<f64> {
        let mut features = vec![0.0; self.width()];
        let sum = &self.sums[row * self.columns..][..self.columns];
        describe(sum, self.sigma, &mut features);
        self.standard.apply(&mut features);
        features
    }

    /// The same of some.
    pub(super) fn rows(&self, rows: &[usize]) -> RealMatrix {
        let mut features = RealMatrix::zeros(rows.len(), self.width());
        features
            .values_mut()
            .par_chunks_exact_mut(self.width())
            .zip(rows)
            .for_each(|(to, &row)| to.copy_from_slice(&self.row(row)));
        features
    }
}

/// What is kept to describe sums by.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Features {
    /// Made when they are asked for.
    OfSums(Described),
    /// |O| × width, as version 0.1 stored them.
    Made { width: usize, rows: Vec<f64> },
}

impl Features {
    /// Standardised features of the opened user at `row`; none for nobody.
    pub(super) fn row(&self, row: usize) -> Vec<f64> {
        match self {
            Self::OfSums(described) => described.row(row),
            Self::Made { width, rows } => {
                let mut rows = rows.chunks_exact((*width).max(1));
                rows.nth(row).unwrap_or_default().to_vec()
            }
        }
    }
}

/// t: the length of a noised sum less that of its noise, in friends' rows. What P0 knows of a
/// user's number of friends: friends who like different things count less than their number.
pub fn noisy_degree(sum: &[f64], sigma: f64) -> f64 {
    let squares: f64 = sum.iter().map(|y| y * y).sum();
    (squares - sum.len() as f64 * sigma * sigma).max(0.0).sqrt()
}

/// Centre and spread of every column.
#[derive(Clone, Serialize, Deserialize)]
struct Standard {
    mean: Vec<f64>,
    spread: Vec<f64>,
}

impl Standard {
    /// Of all rows.
    fn of(features: &RealMatrix) -> Self {
        let count = features.rows().max(1) as f64;
        let mut mean = vec![0.0; features.columns()];
        for row in 0..features.rows() {
            let row = features.row(row).iter();
            mean.iter_mut()
                .zip(row)
                .for_each(|(mean, x)| *mean += x / count);
        }
        let mut spread = vec![0.0; features.columns()];
        for row in 0..features.rows() {
            let row = features.row(row).iter().zip(&mean);
            let squares = spread.iter_mut().zip(row);
            squares.for_each(|(spread, (x, mean))| *spread += (x - mean) * (x - mean) / count);
        }
        // A column that is constant says nothing, and shall not be divided by its rounding.
        for spread in &mut spread {
            *spread = if *spread > 1e-18 {
                spread.sqrt()
            } else {
                f64::INFINITY
            };
        }
        Self { mean, spread }
    }

    /// Standardises a row.
    fn apply(&self, row: &mut [f64]) {
        for ((x, mean), spread) in row.iter_mut().zip(&self.mean).zip(&self.spread) {
            *x = (*x - mean) / spread;
        }
    }
}
