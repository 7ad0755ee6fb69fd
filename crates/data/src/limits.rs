//! What reading a file may take, whatever the file says of itself.

/// What is read of compressed files where the caller says nothing else: 16 GiB.
pub const MAX_DECOMPRESSED_BYTES: u64 = 16 << 30;

/// The most rows that are read: 2^29, two and a half times the largest published set.
pub const MAX_ROWS: u64 = 1 << 29;

/// The longest row: room for a review's text, or for a hub with a hundred thousand friends.
pub const MAX_ROW_BYTES: usize = 4 << 20;

/// Bounds that hold while a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes of what is decompressed or decoded.
    pub(crate) bytes: u64,
    /// Rows.
    pub(crate) rows: u64,
}
