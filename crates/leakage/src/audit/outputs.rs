//! Runs of the product at toy size, and faults put into copies of what they released.

use rayon::prelude::*;
use s3rec_algebra::{RealMatrix, Seed};
use s3rec_spmm::noise_first::{self, Friends, Rows, Sides, Split, Terms};
use serde::{Deserialize, Serialize};

use super::AuditOptions;
use crate::LeakageError;
use crate::draws::{normal, purpose, stream, unit};
use crate::linear::{add, dot};
use crate::product::ProductSession;

/// |O|: rows that each have a canary.
const ROWS: u32 = 2;
/// |W|: of each row's friends one is its canary, one is always a friend, and one never.
const UPLOADED: u32 = 3 * ROWS;
/// C: few, so that half of the runs tell the covariance of the whole output.
const COLUMNS: u32 = 12;
/// Runs under the same keys.
const SESSION: usize = 250;

/// A fault of a noised opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Noise of half the deviation.
    HalfSigma,
    /// The last row has no noise.
    UnnoisedRow,
    /// The last column has no noise.
    UnnoisedColumn,
    /// The first two rows have the same noise.
    EqualNoise,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::HalfSigma,
        Self::UnnoisedRow,
        Self::UnnoisedColumn,
        Self::EqualNoise,
    ];
}

/// What many runs released, one after the other.
#[derive(Clone)]
pub struct Outputs {
    /// |O|.
    pub(crate) rows: usize,
    /// C.
    pub(crate) columns: usize,
    /// Runs × rows: whether each row's canary was linked.
    pub(super) coins: Vec<bool>,
    /// Runs × rows × columns, as P0 decodes them.
    pub(super) values: Vec<f64>,
    /// The same without noise and without canaries.
    pub(super) others: Vec<f64>,
    /// Rows × columns: what each canary adds to its row.
    pub(super) canaries: Vec<f64>,
}

impl Outputs {
    /// Runs the product.
    pub(super) fn of_product(options: &AuditOptions) -> Result<Self, LeakageError> {
        let parameters = noise_first::choose(Terms {
            sides: Sides::One,
            opened: ROWS,
            uploaded: UPLOADED,
            columns: COLUMNS,
            row_norm_bound: 1.0,
            degree_bound: UPLOADED,
            mu: options.mu,
        })?;
        let split = Split::one_sided(ROWS + UPLOADED, (0..ROWS).collect())?;
        let (rows, columns) = (ROWS as usize, COLUMNS as usize);
        let mut rng = stream(options.seed, purpose::ROWS);
        let mut x = RealMatrix::zeros(UPLOADED as usize, columns);
        for row in 0..x.rows() {
            let row = x.row_mut(row);
            row.iter_mut().for_each(|x| *x = normal(&mut rng));
            let norm = dot(row, row).sqrt();
            row.iter_mut().for_each(|x| *x /= norm);
        }
        let encoded = Rows::encode(&parameters, &x)?;
        let sent = encoded.as_encoded(&parameters);
        let of = |friend: u32| &sent[friend as usize * columns..][..columns];
        let mut rng = stream(options.seed, purpose::COINS);
        let coins: Vec<bool> = (0..options.runs * rows)
            .map(|_| unit(&mut rng) < 0.5)
            .collect();
        let seed = Seed::from_bytes([92; 32]);
        let seed = seed.derive("leakage audit", &[&options.seed.to_le_bytes()]);
        let values: Vec<Vec<f64>> = coins
            .par_chunks(SESSION * rows)
            .enumerate()
            .map(|(session, coins)| {
                let seed = seed.derive("session", &[&(session as u64).to_le_bytes()]);
                let session = ProductSession::new(&parameters, &seed)?;
                let mut values = Vec::with_capacity(coins.len() * columns);
                for (number, coins) in (1..).zip(coins.chunks(rows)) {
                    let fixed = (0..ROWS).map(|row| (row, constant(row)));
                    let drawn = (0..ROWS).zip(coins).filter(|(_, coin)| **coin);
                    let drawn = drawn.map(|(row, _)| (row, canary(row)));
                    let links = fixed.chain(drawn).map(|(row, column)| (row, ROWS + column));
                    let friends = Friends::from_links(ROWS + UPLOADED, links)?;
                    let opened = session.open(number, &friends, &split, &encoded)?;
                    values.extend(opened.values());
                }
                Ok(values)
            })
            .collect::<Result<_, LeakageError>>()?;
        let once: Vec<f64> = (0..ROWS)
            .flat_map(|row| of(constant(row)))
            .copied()
            .collect();
        Ok(Self {
            rows,
            columns,
            coins,
            values: values.concat(),
            others: once.repeat(options.runs),
            canaries: (0..ROWS).flat_map(|row| of(canary(row))).copied().collect(),
        })
    }

    /// Runs.
    pub(super) fn runs(&self) -> usize {
        self.coins.len() / self.rows
    }

    /// What a run released less what everybody else's links add to it: the canary of `row` and
    /// noise are left.
    pub(super) fn left(&self, run: usize, row: usize) -> Vec<f64> {
        let width = self.rows * self.columns;
        let at = run * width..(run + 1) * width;
        let mut left = self.values[at.clone()].to_vec();
        add(&mut left, &self.others[at], -1.0);
        for other in (0..self.rows).filter(|other| *other != row) {
            if self.coins[run * self.rows + other] {
                let at = other * self.columns..(other + 1) * self.columns;
                add(&mut left[at.clone()], &self.canaries[at], -1.0);
            }
        }
        left
    }

    /// The same runs, had the product had this fault: their noise is changed, the sums are not.
    #[must_use]
    pub fn with(&self, fault: Fault) -> Self {
        let mut outputs = self.clone();
        let (rows, columns) = (self.rows, self.columns);
        let width = rows * columns;
        for run in 0..self.runs() {
            let at = run * width..(run + 1) * width;
            let mut sums = self.others[at.clone()].to_vec();
            for row in (0..rows).filter(|row| self.coins[run * rows + row]) {
                let at = row * columns..(row + 1) * columns;
                add(&mut sums[at.clone()], &self.canaries[at], 1.0);
            }
            let values = &mut outputs.values[at];
            let mut noise: Vec<f64> = values.iter().zip(&sums).map(|(y, s)| y - s).collect();
            match fault {
                Fault::HalfSigma => noise.iter_mut().for_each(|x| *x /= 2.0),
                Fault::UnnoisedRow => noise[width - columns..].fill(0.0),
                Fault::UnnoisedColumn => {
                    noise
                        .iter_mut()
                        .skip(columns - 1)
                        .step_by(columns)
                        .for_each(|x| *x = 0.0);
                }
                Fault::EqualNoise => noise.copy_within(..columns, columns),
            }
            add(&mut sums, &noise, 1.0);
            values.copy_from_slice(&sums);
        }
        outputs
    }
}

fn canary(row: u32) -> u32 {
    3 * row
}

fn constant(row: u32) -> u32 {
    3 * row + 1
}
