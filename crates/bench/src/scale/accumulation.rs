//! The accumulation alone against non-zeros: Σ_f y_if·ct_f over one polynomial of N = 512, the
//! size that few columns use. One of κ + 1: a whole response takes as many times as long.

use std::ops::Range;
use std::time::Instant;

use s3rec_data::power_law_links;
use s3rec_he::{Accumulation, GlweParameters, HeError, RowPacking, RowSource, SparseRows};
use s3rec_sparse::{OperatorKind, SocialMatrix, SocialOperator};
use serde::{Deserialize, Serialize};

use crate::spread::Quantiles;
use crate::{BenchError, memory};

const DIMENSION: usize = 10;
const POLYNOMIAL_SIZE: usize = 512;
/// Ten openings of ten columns: five rows fit a response.
const SLOTS: usize = 100;
const TILE_BYTES: usize = 64 << 20;

/// One number of non-zeros.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccumulationPoint {
    /// m.
    pub users: u64,
    /// Of Y, diagonal included.
    pub nonzeros: u64,
    /// Seconds over the repeats.
    pub seconds: Quantiles,
    /// Processor seconds of all threads, of one run.
    #[serde(default)]
    pub core_seconds: f64,
    /// Bytes of ciphertexts added a second, at the median.
    pub bytes_per_second: f64,
}

/// Measures about `nonzeros` non-zeros among `users` users, all threads at work.
pub(super) fn measure(
    users: u32,
    nonzeros: u64,
    repeats: u32,
) -> Result<AccumulationPoint, BenchError> {
    // Two entries for a link and one on the diagonal for a user.
    let links = nonzeros.saturating_sub(u64::from(users)) / 2;
    let links = usize::try_from(links).unwrap_or(usize::MAX).max(1);
    let pairs = power_law_links(users as usize, links, 12)?;
    let social = SocialMatrix::from_links(users as usize, pairs)?;
    let operator = SocialOperator::build(OperatorKind::NormalizedLaplacian, &social);
    let (mut offsets, mut columns, mut weights) = (vec![0], Vec::new(), Vec::new());
    for row in 0..operator.users() {
        let (row_columns, row_weights) = operator.row(row);
        columns.extend_from_slice(row_columns);
        weights.extend_from_slice(row_weights);
        offsets.push(columns.len());
    }
    let rows = SparseRows::new(&offsets, &columns, &weights, operator.users())?;
    let parameters = GlweParameters::new(DIMENSION, POLYNOMIAL_SIZE, 0)?;
    let packing = RowPacking::new(&parameters, SLOTS)?;
    let job = Accumulation::new(parameters, packing, rows, TILE_BYTES);
    let mut sums = vec![vec![0_u128; POLYNOMIAL_SIZE]; job.responses()];
    let mut seconds = Vec::new();
    let before = memory::core_seconds();
    for _ in 0..repeats.max(1) {
        let mut out: Vec<&mut [u128]> = sums.iter_mut().map(Vec::as_mut_slice).collect();
        let started = Instant::now();
        job.accumulate_polynomial(0..job.responses(), &Striped, &mut out)?;
        seconds.push(started.elapsed().as_secs_f64());
    }
    let core_seconds = (memory::core_seconds() - before) / f64::from(repeats.max(1));
    std::hint::black_box(&sums);
    let seconds = Quantiles::of(seconds);
    let bytes = columns.len() as f64 * (16 * POLYNOMIAL_SIZE) as f64;
    Ok(AccumulationPoint {
        users: u64::from(users),
        nonzeros: columns.len() as u64,
        seconds,
        core_seconds,
        bytes_per_second: bytes / seconds.median,
    })
}

/// Ciphertexts that cost next to nothing to read: what is measured is adding them.
struct Striped;

impl RowSource for Striped {
    type Error = HeError;

    fn read_rows(
        &self,
        rows: &[u32],
        coefficients: Range<usize>,
        out: &mut [u128],
    ) -> Result<(), HeError> {
        for (&row, out) in std::iter::zip(rows, out.chunks_exact_mut(coefficients.len())) {
            for (place, coefficient) in out.iter_mut().zip(coefficients.clone()) {
                *place = u128::from(row) << 64 | coefficient as u128;
            }
        }
        Ok(())
    }
}
