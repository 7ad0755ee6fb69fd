//! The shares W and R on disk, and the masks Z from a seed: both by rounds, so that an opening
//! reads one contiguous piece.

use rayon::prelude::*;
use s3rec_algebra::{RingBits, RingMatrix, Seed, Stream, packing};
use zeroize::{Zeroize, Zeroizing};

use super::{Bulk, StockStorage};
use crate::{Layout, ProductParameters, SpmmError};

/// Rows of a round that a thread masks, or adds shares to, at a time.
const ROWS_AT_ONCE: usize = 1 << 10;

/// Bytes of the stream behind one ring element of Z.
const MASK_BYTES: u64 = 8;

/// Shares of Y·Z: round, then row, then column; ⌈ℓ/8⌉ bytes a value, little-endian.
#[derive(Clone, Copy)]
pub(crate) struct ShareFile {
    ring: RingBits,
    rows: usize,
    columns: usize,
    layout: Layout,
}

impl ShareFile {
    pub(crate) fn new(parameters: &ProductParameters) -> Result<ShareFile, SpmmError> {
        Ok(ShareFile {
            ring: parameters.ring()?,
            rows: parameters.returned_rows as usize,
            columns: parameters.columns as usize,
            layout: parameters.layout()?,
        })
    }

    fn value_bytes(&self) -> usize {
        self.ring.bits().div_ceil(8) as usize
    }

    fn offset(&self, round: usize, row: usize) -> u64 {
        ((round * self.rows + row) * self.columns * self.value_bytes()) as u64
    }

    /// Writes the shares of some responses of a block: `values` holds `used_slots` values a response.
    pub(crate) fn write_responses(
        &self,
        storage: &dyn StockStorage,
        block: u32,
        first_response: usize,
        values: &[u64],
    ) -> Result<(), SpmmError> {
        let per_row = self.layout.block_columns as usize;
        let first_row = first_response * self.layout.rows_per_response as usize;
        let rows = (values.len() / per_row.max(1)).min(self.rows.saturating_sub(first_row));
        let first_round = block as usize * self.layout.rounds_per_block as usize;
        let length = rows * self.columns * self.value_bytes();
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        for round in 0..self.layout.rounds_per_block as usize {
            bytes.clear();
            for row in values.chunks_exact(per_row).take(rows) {
                // A share that was left out would read as zero, and hide nothing.
                let own = row.chunks_exact(self.columns).nth(round);
                for value in own.ok_or(SpmmError::Shape {
                    what: "columns of a response's row",
                    expected: self.columns as u64 * (round as u64 + 1),
                    actual: row.len() as u64,
                })? {
                    bytes.extend(value.to_le_bytes().into_iter().take(self.value_bytes()));
                }
            }
            storage.write_at(
                Bulk::Shares,
                self.offset(first_round + round, first_row),
                &bytes,
            )?;
        }
        Ok(())
    }

    /// Adds the shares of one round to `values`, returned rows × k. On all cores.
    pub(crate) fn add_round(
        &self,
        storage: &dyn StockStorage,
        round: u32,
        values: &mut RingMatrix,
    ) -> Result<(), SpmmError> {
        let width_bits = 8 * u32::try_from(self.value_bytes()).unwrap_or(u32::MAX);
        values.update_rows(ROWS_AT_ONCE, |first_row, values| {
            let mut bytes = vec![0; values.len() * self.value_bytes()];
            let offset = self.offset(round as usize, first_row);
            storage.read_at(Bulk::Shares, offset, &mut bytes)?;
            let mut shares = vec![0; values.len()];
            packing::unpack_range_u64(&bytes, width_bits, 0, &mut shares)?;
            for (value, share) in values.iter_mut().zip(&shares) {
                *value = value.wrapping_add(*share);
            }
            bytes.zeroize();
            shares.zeroize();
            Ok(())
        })
    }
}

/// Z: uniform over the ring, from a seed that is fresh for the stock. Column block by column
/// block it is what P0 encrypts; round by round it is the pad of an opening.
pub(crate) struct Masks {
    stream: Stream,
    ring: RingBits,
    rows: usize,
    columns: usize,
    layout: Layout,
}

impl Masks {
    pub(crate) fn new(parameters: &ProductParameters, entropy: &Seed) -> Result<Masks, SpmmError> {
        Ok(Masks {
            stream: Stream::new(&entropy.derive("s3rec stock masks Z", &[])),
            ring: parameters.ring()?,
            rows: parameters.uploaded_rows as usize,
            columns: parameters.columns as usize,
            layout: parameters.layout()?,
        })
    }

    fn fill(&self, round: usize, first_row: usize, out: &mut [u64]) {
        let position = (round * self.rows + first_row) * self.columns;
        self.stream
            .at(position as u64 * MASK_BYTES)
            .fill_ring(self.ring, out);
    }

    /// M = U − Z for one round, uploaded rows × k, packed: ℓ bits a value. On all cores.
    pub(crate) fn mask(&self, upload: &RingMatrix, round: u32) -> Result<Vec<u8>, SpmmError> {
        let bits = self.ring.bits();
        let mut packed = vec![0; packing::packed_bytes(upload.values().len(), bits)];
        // Rows in multiples of eight begin and end at whole bytes.
        let piece = self.columns * ROWS_AT_ONCE;
        let mask = |(index, (packed, upload)): (usize, (&mut [u8], &[u64]))| {
            let mut values = vec![0; upload.len()];
            self.fill(round as usize, index * ROWS_AT_ONCE, &mut values);
            for (value, &upload) in values.iter_mut().zip(upload) {
                *value = self.ring.reduce(upload.wrapping_sub(*value));
            }
            Ok::<_, SpmmError>(packing::pack_into_u64(&values, bits, packed)?)
        };
        packed
            .par_chunks_mut(packing::packed_bytes(piece, bits))
            .zip(upload.values().par_chunks(piece))
            .enumerate()
            .try_for_each(mask)?;
        Ok(packed)
    }

    /// Some rows of a block of Z, as they are encrypted: rows × block columns.
    pub(crate) fn block_rows(
        &self,
        block: u32,
        rows: std::ops::Range<usize>,
    ) -> Result<Zeroizing<RingMatrix>, SpmmError> {
        let rounds = self.layout.rounds_per_block as usize;
        let width = self.layout.block_columns as usize;
        let mut values = vec![0; rows.len() * width];
        let mut piece = vec![0; rows.len() * self.columns];
        for round in 0..rounds {
            self.fill(block as usize * rounds + round, rows.start, &mut piece);
            for (row, from) in values
                .chunks_exact_mut(width)
                .zip(piece.chunks_exact(self.columns))
            {
                let place = row.get_mut(round * self.columns..(round + 1) * self.columns);
                place
                    .into_iter()
                    .for_each(|place| place.copy_from_slice(from));
            }
        }
        piece.zeroize();
        Ok(RingMatrix::new(self.ring, rows.len(), width, values)?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OperatorKind, ProductRequest, Protocol, choose_parameters};

    /// A value of Z that hid two of U would tell their difference; one that is encrypted otherwise
    /// than it is used would tell nobody anything.
    #[test]
    fn every_value_has_a_mask_of_its_own_and_the_block_has_the_same() {
        let (users, columns, rounds) = (2_500u32, 3u32, 4u32);
        assert!(users as usize > 2 * ROWS_AT_ONCE);
        let kind = OperatorKind::Laplacian;
        let request = ProductRequest::new(Protocol::Preprocessed, kind, users, columns, rounds);
        let parameters = choose_parameters(&request).unwrap();
        let (ring, layout) = (parameters.ring().unwrap(), parameters.layout().unwrap());
        let entropy = Seed::from_bytes([3; 32]);
        let masks = Masks::new(&parameters, &entropy).unwrap();
        let (rows, columns) = (users as usize, columns as usize);
        let of_round = rows * columns;

        let mut all = vec![0; rounds as usize * of_round];
        Stream::new(&entropy.derive("s3rec stock masks Z", &[])).fill_ring(ring, &mut all);
        let nothing = RingMatrix::new(ring, rows, columns, vec![0; of_round]).unwrap();
        for round in 0..rounds {
            let z = &all[round as usize * of_round..][..of_round];
            let packed = masks.mask(&nothing, round).unwrap();
            let masked = packing::unpack_u64(&packed, ring.bits(), of_round).unwrap();
            let sums = masked
                .iter()
                .zip(z)
                .map(|(m, z)| ring.reduce(m.wrapping_add(*z)));
            assert!(sums.into_iter().all(|sum| sum == 0), "round {round}");

            let (block, own) = (
                round / layout.rounds_per_block,
                round % layout.rounds_per_block,
            );
            for range in [0..rows, 1_023..1_026, 2_499..2_500] {
                let encrypted = masks.block_rows(block, range.clone()).unwrap();
                for (index, row) in range.enumerate() {
                    let first = own as usize * columns;
                    let encrypted = &encrypted.row(index)[first..first + columns];
                    assert_eq!(encrypted, &z[row * columns..(row + 1) * columns]);
                }
            }
        }
    }
}
