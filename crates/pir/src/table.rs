//! The server's table: m rows of equal length, the encrypted row bodies of section 3.1.

use std::io;

use crate::error::PirError;

/// A table that answers are computed from; in memory, on disk, or made on demand.
///
/// Rows are read in no particular order and three times for every answer (once for each of a
/// row's buckets), from several threads at once.
pub trait RowTable: Sync {
    /// m, the number of rows.
    fn rows(&self) -> u32;

    /// Bytes of every row.
    fn row_bytes(&self) -> u32;

    /// Writes row `row` < m to `out`, which has [`Self::row_bytes`] bytes.
    ///
    /// # Errors
    /// Whatever keeps the row from being read.
    fn read_row(&self, row: u32, out: &mut [u8]) -> io::Result<()>;
}

/// A table in memory.
pub struct ServerTable {
    rows: u32,
    row_bytes: u32,
    bytes: Vec<u8>,
}

impl ServerTable {
    /// A table of `rows` rows of `row_bytes` bytes, laid end to end in `bytes`.
    ///
    /// # Errors
    /// [`PirError::Length`] when `bytes` has another length.
    pub fn new(rows: u32, row_bytes: u32, bytes: Vec<u8>) -> Result<Self, PirError> {
        let expected = u64::from(rows) * u64::from(row_bytes);
        if bytes.len() as u64 != expected {
            return Err(PirError::Length {
                part: "table",
                expected,
                actual: bytes.len() as u64,
            });
        }
        Ok(Self {
            rows,
            row_bytes,
            bytes,
        })
    }
}

impl RowTable for ServerTable {
    fn rows(&self) -> u32 {
        self.rows
    }

    fn row_bytes(&self) -> u32 {
        self.row_bytes
    }

    fn read_row(&self, row: u32, out: &mut [u8]) -> io::Result<()> {
        let length = self.row_bytes as usize;
        let start = row as usize * length;
        let bytes = self.bytes.get(start..start + length);
        let bytes = bytes.ok_or(io::ErrorKind::UnexpectedEof)?;
        if out.len() != length {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        out.copy_from_slice(bytes);
        Ok(())
    }
}
