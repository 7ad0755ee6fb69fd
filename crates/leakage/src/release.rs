//! One opening, as P0 has it before it attacks.

use s3rec_algebra::{RealMatrix, Seed};
use s3rec_sparse::ladder;
use s3rec_spmm::noise_first::guarantee::Mu;
use s3rec_spmm::noise_first::{self, Block, Rows, Sides, Split, Terms};

use crate::linear::add;
use crate::metrics::Scored;
use crate::product::ProductSession;
use crate::{LeakageError, Study};

/// Pairs that are judged at most; beyond, whole rows are left out evenly.
pub(crate) const MOST_PAIRS: usize = 1 << 22;

/// With what noise sums are opened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Exposure {
    /// None.
    Exact,
    /// That of this μ.
    Noised(Mu),
}

/// Sums of friends' rows as P0 decodes them, and what is to be found.
pub struct Release {
    pub(crate) sides: Sides,
    pub(crate) exposure: Exposure,
    pub(crate) split: Split,
    /// X as it was encoded, |W| × C.
    pub(crate) rows: RealMatrix,
    /// |O| × C.
    pub(crate) sums: RealMatrix,
    /// Of the noise; 0 for exact sums.
    pub(crate) sigma: f64,
    /// Which pairs are linked: uploaded friends of each opened user.
    pub(crate) block: Block,
    /// Rows whose pairs are judged.
    pub(crate) judged: Vec<usize>,
}

/// Units of an exact opening's fixed-point values: 2⁻²⁰.
pub(crate) const EXACT_UNIT: f64 = 1.0 / (1u64 << 20) as f64;

impl Release {
    /// Opens friends' sums. With noise it is the product `noise-first` that does it, over both
    /// platforms' code, and P0's view is what it decodes.
    ///
    /// # Errors
    /// Terms that the product refuses.
    pub fn open(study: &Study, sides: Sides, exposure: Exposure) -> Result<Self, LeakageError> {
        Self::open_as(study, sides, exposure, 1)
    }

    /// As [`Self::open`], with the noise of opening `number`.
    pub(crate) fn open_as(
        study: &Study,
        sides: Sides,
        exposure: Exposure,
        number: u64,
    ) -> Result<Self, LeakageError> {
        let users = u32::try_from(study.users()).unwrap_or(u32::MAX);
        let (split, rows) = match sides {
            Sides::One => (study.one_sided.clone(), &study.one_sided_rows),
            Sides::Two => (Split::two_sided(users), &study.two_sided_rows),
        };
        let block = study.friends.block(&split)?;
        let (rows, sums, sigma) = match exposure {
            Exposure::Exact => {
                let mut rows = rows.clone();
                for value in rows.values_mut() {
                    *value = (*value / EXACT_UNIT).round() * EXACT_UNIT;
                }
                let sums = clear_sums(&block, &rows);
                (rows, sums, 0.0)
            }
            Exposure::Noised(mu) => {
                let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
                let most = ladder(study.most_friends() as u64);
                let parameters = noise_first::choose(Terms {
                    sides,
                    opened: count(split.opened().len()),
                    uploaded: count(split.uploaded().len()),
                    columns: count(rows.columns()),
                    row_norm_bound: 1.0,
                    // As an operator would state it, who looks at their own data.
                    degree_bound: u32::try_from(most).unwrap_or(u32::MAX),
                    mu,
                })?;
                let seed = Seed::from_bytes([91; 32]);
                let seed = seed.derive("leakage study", &[&study.options.seed.to_le_bytes()]);
                let session = ProductSession::new(&parameters, &seed)?;
                let encoded = Rows::encode(&parameters, rows)?;
                let sums = session.open(number, &study.friends, &split, &encoded)?;
                let values = encoded.as_encoded(&parameters);
                let rows = RealMatrix::from_vec(rows.rows(), rows.columns(), values)?;
                (rows, sums, parameters.sigma())
            }
        };
        let most_rows = (MOST_PAIRS / split.uploaded().len().max(1)).max(1);
        let stride = split.opened().len().div_ceil(most_rows).max(1);
        let judged = (0..split.opened().len()).step_by(stride).collect();
        Ok(Self {
            sides,
            exposure,
            split,
            rows,
            sums,
            sigma,
            block,
            judged,
        })
    }

    /// Whether a pair is judged in this row: not a user with themselves, and of the two places of
    /// a pair in a two-sided release one alone.
    pub(crate) fn is_judged(&self, row: usize, column: usize) -> bool {
        match self.sides {
            Sides::One => true,
            Sides::Two => {
                column > row || (column < row && self.judged.binary_search(&column).is_err())
            }
        }
    }

    /// Scores of every column of a judged row with what is to be found; pairs whose score is NaN
    /// are known to the attacker and not judged.
    pub(crate) fn judge(&self, row: usize, scores: &[f32]) -> Vec<Scored> {
        let linked = self.block.row(row);
        let columns = (0u32..).zip(scores);
        columns
            .filter(|(column, score)| !score.is_nan() && self.is_judged(row, *column as usize))
            .map(|(column, &score)| (score, linked.binary_search(&column).is_ok()))
            .collect()
    }

    /// The opened user of a row.
    pub(crate) fn opened(&self, row: usize) -> u32 {
        self.split.opened()[row]
    }

    /// The uploaded users, by column.
    pub(crate) fn uploaded(&self) -> &[u32] {
        self.split.uploaded()
    }
}

/// Σ of the friends' rows.
pub(crate) fn clear_sums(block: &Block, rows: &RealMatrix) -> RealMatrix {
    let mut sums = RealMatrix::zeros(block.rows(), rows.columns());
    for row in 0..block.rows() {
        for &column in block.row(row) {
            add(sums.row_mut(row), rows.row(column as usize), 1.0);
        }
    }
    sums
}
