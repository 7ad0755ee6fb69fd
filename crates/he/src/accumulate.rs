//! Accumulation: Σ_f y_if·ct_f over the non-zeros, tile by tile. Step 2.
//!
//! Each of the κ + 1 polynomials is cut into tiles of coefficients; one tile of the needed rows
//! is brought into memory (masks by expanding them, bodies from wherever the caller keeps
//! them), then every response takes from it what its non-zeros ask for. Where the narrowest tile
//! of all needed rows is too large, some rows come at a time. Memory is therefore the caller's
//! tile budget plus the responses being filled and their non-zeros, never m·N.

mod kernel;
mod plan;

use std::ops::Range;

use rayon::prelude::*;

use crate::{Accumulated, GlweParameters, HeError, RowPacking, UploadMasks};
use kernel::{Entries, Kernel};
use plan::OwnTile;
pub(crate) use plan::Plan;

/// Coefficients in the narrowest tile: the kernel's block.
const MIN_TILE: usize = kernel::BLOCK;
/// Rows that a thread reads at a time.
const ROWS_AT_ONCE: usize = 64;
/// Coefficients of a tile of some of the needed rows: long enough to be read from a file.
const PIECE_TILE: usize = 8 * MIN_TILE;
/// Bytes of a tile whose rows are found in a cache, not in memory, wherever they lie.
const CACHED_TILE_BYTES: usize = 8 << 20;
/// Bytes of the rows of one row of Y, for the second-level cache of one core.
const OWN_TILE_BYTES: usize = 256 << 10;

/// A source of one polynomial of every row, read in tiles: masks, bodies in memory, bodies in
/// a file.
pub trait RowSource: Sync {
    /// What reading can fail with.
    type Error: From<HeError> + Send;

    /// Writes coefficients `coefficients` of rows `rows`, at the scale of q, to `out`: their number
    /// for each row, one row after the other. Called from many threads; rows ascend unless they
    /// are computed.
    ///
    /// # Errors
    /// When a row cannot be read.
    fn read_rows(
        &self,
        rows: &[u32],
        coefficients: Range<usize>,
        out: &mut [u128],
    ) -> Result<(), Self::Error>;

    /// Whether rows are computed, not read, at less than what memory takes to find one.
    fn is_computed(&self) -> bool {
        false
    }
}

/// Integer weights Y in compressed rows, borrowed: row i's entries are
/// `offsets[i]..offsets[i+1]` of `columns` and `weights`. P1's secret.
#[derive(Clone, Copy)]
pub struct SparseRows<'a> {
    offsets: &'a [usize],
    columns: &'a [u32],
    weights: &'a [i64],
}

impl<'a> SparseRows<'a> {
    /// Rows over `column_count` columns.
    ///
    /// # Errors
    /// [`HeError::Shape`] when the arrays do not fit each other or a column is out of range,
    /// [`HeError::RowNorm`] when a row's absolute weights sum to 2^31 or more: accumulation
    /// would not be exact.
    pub fn new(
        offsets: &'a [usize],
        columns: &'a [u32],
        weights: &'a [i64],
        column_count: usize,
    ) -> Result<Self, HeError> {
        HeError::check("weights", columns.len(), weights.len())?;
        HeError::check("first row offset", 0, offsets.first().copied().unwrap_or(1))?;
        HeError::check(
            "last row offset",
            columns.len(),
            offsets.last().copied().unwrap_or(0),
        )?;
        if let Some(pair) = offsets.windows(2).find(|pair| pair[0] > pair[1]) {
            return Err(HeError::Shape {
                what: "row offsets in ascending order",
                expected: pair[0],
                actual: pair[1],
            });
        }
        if let Some(&column) = columns.iter().find(|&&c| c as usize >= column_count) {
            return Err(HeError::Shape {
                what: "column indices below",
                expected: column_count,
                actual: column as usize,
            });
        }
        let rows = Self {
            offsets,
            columns,
            weights,
        };
        let too_heavy = |&row: &usize| {
            let (_, weights) = rows.row(row);
            weights
                .iter()
                .try_fold(0u64, |sum, weight| sum.checked_add(weight.unsigned_abs()))
                .is_none_or(|sum| sum >= 1 << 31)
        };
        match (0..rows.len()).find(too_heavy) {
            Some(row) => Err(HeError::RowNorm { row }),
            None => Ok(rows),
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Columns and weights of row `i`.
    fn row(&self, i: usize) -> (&'a [u32], &'a [i64]) {
        let own = self.offsets[i]..self.offsets[i + 1];
        (&self.columns[own.clone()], &self.weights[own])
    }
}

/// The accumulation of all responses to one upload.
pub struct Accumulation<'a> {
    parameters: GlweParameters,
    packing: RowPacking,
    weights: SparseRows<'a>,
    kernel: Kernel,
    tile_bytes: usize,
}

impl<'a> Accumulation<'a> {
    /// The rows of `weights`, in order, packed into responses. A tile takes at most
    /// `tile_bytes` bytes, one row of 128 coefficients at least; smaller than the last-level cache
    /// is fastest for masks, larger reads files in longer pieces.
    #[must_use]
    pub fn new(
        parameters: GlweParameters,
        packing: RowPacking,
        weights: SparseRows<'a>,
        tile_bytes: usize,
    ) -> Self {
        Self {
            parameters,
            packing,
            weights,
            kernel: Kernel::new(),
            tile_bytes,
        }
    }

    /// Number of responses.
    #[must_use]
    pub fn responses(&self) -> usize {
        self.packing.responses(self.weights.len())
    }

    /// Accumulates responses `responses` whole. Memory: (κ+1)·N·16 bytes each, and a tile.
    ///
    /// # Errors
    /// What `bodies` fails with.
    pub fn accumulate<B: RowSource>(
        &self,
        responses: Range<usize>,
        masks: &UploadMasks,
        bodies: &B,
    ) -> Result<Vec<Accumulated>, B::Error> {
        let (size, dimension) = (
            self.parameters.polynomial_size(),
            self.parameters.dimension(),
        );
        let length = (dimension + 1) * size;
        let mut sums = vec![vec![0; length]; responses.len()];
        let plan = Plan::new(self, responses);
        for polynomial in 0..=dimension {
            let own = polynomial * size..(polynomial + 1) * size;
            let mut out: Vec<&mut [u128]> =
                sums.iter_mut().map(|sum| &mut sum[own.clone()]).collect();
            if polynomial < dimension {
                self.add_polynomial(&plan, &masks.polynomial(polynomial), &mut out)?;
            } else {
                self.add_polynomial(&plan, bodies, &mut out)?;
            }
        }
        sums.into_iter()
            .map(|sum| Accumulated::new(self.parameters, sum).map_err(B::Error::from))
            .collect()
    }

    /// Adds one polynomial of responses `responses` to `out`, N coefficients for each. For
    /// callers that fill the κ + 1 polynomials at different times or spill them.
    ///
    /// # Errors
    /// What `source` fails with, [`HeError::Shape`] when `out` has another shape.
    pub fn accumulate_polynomial<S: RowSource>(
        &self,
        responses: Range<usize>,
        source: &S,
        out: &mut [&mut [u128]],
    ) -> Result<(), S::Error> {
        let size = self.parameters.polynomial_size();
        HeError::check("responses to fill", responses.len(), out.len())?;
        for out in &*out {
            HeError::check("coefficients to fill", size, out.len())?;
        }
        self.add_polynomial(&Plan::new(self, responses), source, out)
    }

    fn add_polynomial<S: RowSource>(
        &self,
        plan: &Plan,
        source: &S,
        out: &mut [&mut [u128]],
    ) -> Result<(), S::Error> {
        let narrowest_bytes = 16 * MIN_TILE * plan.needed.len();
        if source.is_computed() && narrowest_bytes > CACHED_TILE_BYTES {
            return self.add_computed(plan, source, out);
        }
        if narrowest_bytes > self.tile_bytes {
            let rows = self.tile_bytes / 16 / PIECE_TILE;
            for piece in plan.pieces(rows.max(1)) {
                self.add_tiles(&piece, source, out)?;
            }
            return Ok(());
        }
        self.add_tiles(plan, source, out)
    }

    /// One tile of all rows of `plan` after the other.
    fn add_tiles<S: RowSource>(
        &self,
        plan: &Plan,
        source: &S,
        out: &mut [&mut [u128]],
    ) -> Result<(), S::Error> {
        let size = self.parameters.polynomial_size();
        let width = self.tile_width(plan.needed.len());
        let mut tile = vec![0u128; plan.needed.len() * width];
        for first in (0..size).step_by(width) {
            tile.par_chunks_mut(width * ROWS_AT_ONCE)
                .zip(plan.needed.par_chunks(ROWS_AT_ONCE))
                .try_for_each(|(out, rows)| source.read_rows(rows, first..first + width, out))?;
            out.par_iter_mut().enumerate().for_each(|(index, out)| {
                let rows = plan.rows_of(index);
                for (slot, entries) in rows.enumerate() {
                    let shift = first + slot * self.packing.width();
                    self.kernel.add_rotated(entries, &tile, width, shift, out);
                }
            });
        }
        Ok(())
    }

    /// The same without a tile for all: every row of Y has its own rows computed into the cache of
    /// the core that adds them. A non-zero then costs the same however many users there are.
    pub(crate) fn add_computed<S: RowSource>(
        &self,
        plan: &Plan,
        source: &S,
        out: &mut [&mut [u128]],
    ) -> Result<(), S::Error> {
        let size = self.parameters.polynomial_size();
        let most_entries = OWN_TILE_BYTES / 16 / MIN_TILE;
        let add = |buffers: &mut OwnTile, (response, out): (usize, &mut &mut [u128])| {
            for (slot, entries) in plan.rows_of(response).enumerate() {
                for entries in entries.own().chunks(most_entries) {
                    buffers.hold(plan, entries);
                    let width = (OWN_TILE_BYTES / 16 / entries.len()).min(size);
                    let width = 1 << width.ilog2();
                    buffers.tile.resize(entries.len() * width, 0);
                    for first in (0..size).step_by(width) {
                        let range = first..first + width;
                        source.read_rows(&buffers.rows, range, &mut buffers.tile)?;
                        let entries = Entries {
                            from_here: &buffers.entries,
                            count: buffers.entries.len(),
                        };
                        let shift = first + slot * self.packing.width();
                        self.kernel
                            .add_rotated(entries, &buffers.tile, width, shift, out);
                    }
                }
            }
            Ok(())
        };
        out.par_iter_mut()
            .enumerate()
            .try_for_each_init(OwnTile::default, add)
    }

    fn tile_width(&self, needed_rows: usize) -> usize {
        let coefficients = self.tile_bytes / 16 / needed_rows.max(1);
        let power_of_two = 1 << coefficients.max(1).ilog2();
        power_of_two.clamp(MIN_TILE, self.parameters.polynomial_size())
    }
}
