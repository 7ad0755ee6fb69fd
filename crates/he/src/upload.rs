//! The upload: P0's encrypted rows, of which only the bodies travel.

use std::ops::Range;

use rayon::prelude::*;
use s3rec_algebra::packing::{self, pack_u128, unpack_range_u128};
use s3rec_algebra::{PublicSeed, RingMatrix, Seed, Stream, tuniform_bytes};
use zeroize::Zeroizing;

use crate::parameters::MODULUS_BITS;
use crate::secret::{SecretKey, signed};
use crate::{GlweParameters, HeError, RowSource};

/// The masks of every row of an upload, expanded from one public seed wherever they are needed.
///
/// Row f takes bytes 16κNf .. 16κN(f+1) of the seed's stream, so ranges are disjoint and any
/// tile costs O(1) to reach. Both parties; nothing about U is in it.
#[derive(Clone)]
pub struct UploadMasks {
    parameters: GlweParameters,
    stream: Stream,
}

impl UploadMasks {
    /// The masks that `seed` determines; a seed serves one upload only.
    #[must_use]
    pub fn new(parameters: GlweParameters, seed: &PublicSeed) -> Self {
        Self {
            parameters,
            stream: Stream::public(&seed.derive("s3rec he: upload masks", &[])),
        }
    }

    /// Coefficients `first..first + out.len()` of row `row`'s κN mask coefficients.
    pub fn fill(&self, row: usize, first: usize, out: &mut [u128]) {
        self.stream
            .at(16 * self.position(row, first))
            .fill_u128(out);
    }

    /// Where coefficient `first` of row `row` lies in the stream, in coefficients.
    fn position(&self, row: usize, first: usize) -> u64 {
        row as u64 * self.parameters.lattice_dimension() as u64 + first as u64
    }

    /// Polynomial `index` < κ of every row's mask, as a source of tiles.
    #[must_use]
    pub fn polynomial(&self, index: usize) -> MaskPolynomial<'_> {
        MaskPolynomial { masks: self, index }
    }
}

/// One of the κ mask polynomials of every row.
pub struct MaskPolynomial<'a> {
    masks: &'a UploadMasks,
    index: usize,
}

impl RowSource for MaskPolynomial<'_> {
    type Error = HeError;

    fn is_computed(&self) -> bool {
        Stream::is_fast()
    }

    fn read_rows(
        &self,
        rows: &[u32],
        coefficients: Range<usize>,
        out: &mut [u128],
    ) -> Result<(), HeError> {
        let masks = self.masks;
        let first = self.index * masks.parameters.polynomial_size() + coefficients.start;
        let places = rows.iter().map(|&row| masks.position(row as usize, first));
        masks.stream.fill_pieces(places, coefficients.len(), out);
        Ok(())
    }
}

/// The bodies of consecutive rows, packed at 128 − t bits a coefficient, N to a row.
///
/// What P0 sends in step 1 and P1 keeps: [`GlweParameters::upload_bytes_per_row`] bytes a row.
#[derive(Clone, PartialEq, Eq)]
pub struct RowBodies {
    parameters: GlweParameters,
    rows: Range<usize>,
    bytes: Vec<u8>,
}

impl RowBodies {
    /// Bodies received for `rows`, or read back from storage.
    ///
    /// # Errors
    /// [`HeError::Packing`] when the bytes are not exactly those of that many rows. Every bit
    /// pattern of that length is well formed.
    pub fn from_bytes(
        parameters: GlweParameters,
        rows: Range<usize>,
        bytes: Vec<u8>,
    ) -> Result<Self, HeError> {
        let count = rows.len().saturating_mul(parameters.polynomial_size());
        packing::check(&bytes, parameters.body_bits(), count)?;
        Ok(Self {
            parameters,
            rows,
            bytes,
        })
    }

    /// No rows yet, the next one to be `first_row`.
    #[must_use]
    pub fn empty(parameters: GlweParameters, first_row: usize) -> Self {
        Self {
            parameters,
            rows: first_row..first_row,
            bytes: Vec::new(),
        }
    }

    /// Appends the rows that follow.
    ///
    /// # Errors
    /// [`HeError::Shape`] when `next` does not begin where this ends.
    pub fn append(&mut self, next: &Self) -> Result<(), HeError> {
        HeError::check("next uploaded row", self.rows.end, next.rows.start)?;
        HeError::check(
            "bytes of an uploaded row",
            self.parameters.upload_bytes_per_row(),
            next.parameters.upload_bytes_per_row(),
        )?;
        self.bytes.extend_from_slice(&next.bytes);
        self.rows.end = next.rows.end;
        Ok(())
    }

    /// Which rows these are.
    #[must_use]
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// The bytes that travel.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes that travel, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl RowSource for RowBodies {
    type Error = HeError;

    fn read_rows(
        &self,
        rows: &[u32],
        coefficients: Range<usize>,
        out: &mut [u128],
    ) -> Result<(), HeError> {
        let row_bytes = self.parameters.upload_bytes_per_row();
        for (&row, out) in std::iter::zip(rows, out.chunks_exact_mut(coefficients.len())) {
            let row = row as usize;
            if !self.rows.contains(&row) {
                return Err(HeError::Shape {
                    what: "rows uploaded",
                    expected: row,
                    actual: self.rows.end,
                });
            }
            let start = (row - self.rows.start) * row_bytes;
            let bytes = &self.bytes[start..start + row_bytes];
            decode_bodies(&self.parameters, bytes, coefficients.start, out)?;
        }
        Ok(())
    }
}

/// Decodes coefficients `first..first + out.len()` of one row's packed bodies back to the scale
/// of q, for callers that keep bodies in files.
///
/// # Errors
/// [`HeError::Packing`] when `row_bytes` ends before them.
pub fn decode_bodies(
    parameters: &GlweParameters,
    row_bytes: &[u8],
    first: usize,
    out: &mut [u128],
) -> Result<(), HeError> {
    unpack_range_u128(row_bytes, parameters.body_bits(), first, out)?;
    for value in out {
        *value <<= parameters.dropped_body_bits();
    }
    Ok(())
}

impl SecretKey {
    /// Encrypts rows `rows` of `values` (m × width ≤ N over Z_{2^ℓ}), each as one GLWE
    /// ciphertext with the row in coefficients 0 .. width and zeros behind. Step 1.
    ///
    /// Private: `values`, `errors`. Public: `masks`. Any range of rows gives the same bytes
    /// whatever the ranges, so an interrupted upload continues identically. Both seeds must be
    /// fresh for every upload: the same masks or errors over other values reveal differences.
    ///
    /// # Errors
    /// [`HeError::Shape`] when the matrix is wider than N or has fewer rows.
    pub fn encrypt_rows(
        &self,
        values: &RingMatrix,
        masks: &PublicSeed,
        errors: &Seed,
        rows: Range<usize>,
    ) -> Result<RowBodies, HeError> {
        self.check_width(values)?;
        if rows.start > rows.end || rows.end > values.rows() {
            return Err(HeError::Shape {
                what: "rows to encrypt",
                expected: values.rows(),
                actual: rows.end,
            });
        }
        Ok(self.encrypt(values, 0, masks, errors, rows))
    }

    /// As [`Self::encrypt_rows`] for a caller that never holds the whole matrix: `values` is
    /// rows `first_row..` of the upload, all of which are encrypted.
    ///
    /// # Errors
    /// [`HeError::Shape`] when the matrix is wider than N.
    pub fn encrypt_chunk(
        &self,
        values: &RingMatrix,
        first_row: usize,
        masks: &PublicSeed,
        errors: &Seed,
    ) -> Result<RowBodies, HeError> {
        self.check_width(values)?;
        let rows = first_row..first_row + values.rows();
        Ok(self.encrypt(values, first_row, masks, errors, rows))
    }

    fn check_width(&self, values: &RingMatrix) -> Result<(), HeError> {
        let size = self.parameters().polynomial_size();
        if values.columns() <= size {
            return Ok(());
        }
        Err(HeError::Shape {
            what: "columns in a block",
            expected: size,
            actual: values.columns(),
        })
    }

    fn encrypt(
        &self,
        values: &RingMatrix,
        first_row: usize,
        masks: &PublicSeed,
        errors: &Seed,
        rows: Range<usize>,
    ) -> RowBodies {
        let parameters = *self.parameters();
        let row = RowEncryption {
            key: self,
            values,
            first_row,
            masks: UploadMasks::new(parameters, masks),
            errors: Stream::new(&errors.derive("s3rec he: upload errors", &[])),
        };
        let row_bytes = parameters.upload_bytes_per_row();
        let mut bytes = vec![0; rows.len() * row_bytes];
        bytes
            .par_chunks_exact_mut(row_bytes)
            .zip(rows.clone())
            .for_each_init(
                || RowBuffers::new(self),
                |buffers, (out, index)| row.encrypt(index, buffers, out),
            );
        RowBodies {
            parameters,
            rows,
            bytes,
        }
    }
}

struct RowEncryption<'a> {
    key: &'a SecretKey,
    values: &'a RingMatrix,
    first_row: usize,
    masks: UploadMasks,
    errors: Stream,
}

struct RowBuffers {
    mask: Vec<u128>,
    body: Vec<u128>,
    noise: Zeroizing<Vec<i64>>,
    packed: Vec<u8>,
    workspace: crate::secret::SecretWorkspace,
}

impl RowBuffers {
    fn new(key: &SecretKey) -> Self {
        let parameters = key.parameters();
        Self {
            mask: vec![0; parameters.lattice_dimension()],
            body: vec![0; parameters.polynomial_size()],
            noise: Zeroizing::new(vec![0; parameters.polynomial_size()]),
            packed: Vec::new(),
            workspace: key.workspace(),
        }
    }
}

impl RowEncryption<'_> {
    fn encrypt(&self, row: usize, buffers: &mut RowBuffers, out: &mut [u8]) {
        let parameters = self.key.parameters();
        let noise_bytes = tuniform_bytes(parameters.noise_bits()) * buffers.noise.len();
        self.errors
            .at(row as u64 * noise_bytes as u64)
            .fill_tuniform(parameters.noise_bits(), &mut buffers.noise);
        for (body, &e) in std::iter::zip(&mut buffers.body, buffers.noise.iter()) {
            *body = signed(e);
        }
        let delta_bits = MODULUS_BITS - self.values.ring().bits();
        for (body, &value) in
            std::iter::zip(&mut buffers.body, self.values.row(row - self.first_row))
        {
            *body = body.wrapping_add(u128::from(value) << delta_bits);
        }
        self.masks.fill(row, 0, &mut buffers.mask);
        self.key
            .add_mask_product(&buffers.mask, &mut buffers.body, &mut buffers.workspace);
        round_bodies(parameters.dropped_body_bits(), &mut buffers.body);
        buffers.packed.clear();
        pack_u128(&buffers.body, parameters.body_bits(), &mut buffers.packed)
            // Unwrap safety: t bits were just shifted out.
            .expect("128 − t bits");
        out.copy_from_slice(&buffers.packed);
    }
}

/// Rounds t low bits off, to the nearest multiple of 2^t, modulo 2^128.
fn round_bodies(dropped_bits: u32, bodies: &mut [u128]) {
    if dropped_bits == 0 {
        return;
    }
    let half = 1u128 << (dropped_bits - 1);
    for body in bodies {
        *body = body.wrapping_add(half) >> dropped_bits;
    }
}
