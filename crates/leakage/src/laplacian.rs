//! The exact opening of the paper, (D + E)·U − (S + Sᵀ)·U, attacked by matching: a row is the sum
//! of its user's factors less each neighbour's, twice where both trust each other.

use s3rec_algebra::RealMatrix;
use s3rec_sparse::{OperatorKind, SocialOperator};

use crate::linear::add;
use crate::matching::{Puzzle, Table, peel};
use crate::metrics::Scored;
use crate::release::EXACT_UNIT;
use crate::{LeakageError, Study};

struct Laplacian {
    factors: RealMatrix,
    product: RealMatrix,
}

impl Puzzle for Laplacian {
    fn rows(&self) -> usize {
        self.product.rows()
    }

    fn target(&self, row: usize, known: &[u32], count: usize) -> Vec<f64> {
        let weight = (known.len() + count) as f64;
        let mut rest = self.factors.row(row).to_vec();
        rest.iter_mut().for_each(|x| *x *= weight);
        add(&mut rest, self.product.row(row), -1.0);
        for &column in known {
            add(&mut rest, self.factors.row(column as usize), -1.0);
        }
        rest
    }

    fn fits(&self, row: usize, known: &[u32], found: &[u32]) -> bool {
        found.iter().all(|&column| {
            let twice = |list: &[u32]| list.iter().filter(|&&other| other == column).count();
            column as usize != row && !known.contains(&column) && twice(found) <= 2
        })
    }

    fn mirrored(&self) -> bool {
        true
    }
}

/// Scores of every pair after one exact opening of the study's factors.
pub(crate) fn scores(study: &Study) -> Result<Vec<Scored>, LeakageError> {
    let mut factors = study.soreg_rows.clone();
    for value in factors.values_mut() {
        *value = (*value / EXACT_UNIT).round() * EXACT_UNIT;
    }
    let operator = SocialOperator::build(OperatorKind::Laplacian, &study.social);
    let product = operator.multiply_real(&factors)?;
    let puzzle = Laplacian { factors, product };
    let table = Table::new(&puzzle.factors);
    let found = peel(&table, &puzzle);
    let mut scored = Vec::new();
    for (row, found) in (0u32..).zip(&found) {
        let friends = study.friends.of(row);
        let users = u32::try_from(study.users()).unwrap_or(u32::MAX);
        let mut is_found = vec![false; study.users()];
        found
            .iter()
            .for_each(|&column| is_found[column as usize] = true);
        scored.extend((row + 1..users).map(|other| {
            let score = f32::from(u8::from(is_found[other as usize]));
            (score, friends.binary_search(&other).is_ok())
        }));
    }
    Ok(scored)
}
