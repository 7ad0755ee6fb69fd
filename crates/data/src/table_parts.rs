//! Blocks of text whose rows many threads read at once, each a part of it.
//!
//! A part is read by what reads a whole table. Where one is not as simple as it may be (something in it is
//! wrong, a quoted field goes on beyond its end, a limit is reached), nothing of the block is taken
//! and it is read row by row: what is found, and where something is said to be wrong, never
//! depends on how a text was cut.

use std::iter::Sum;

use crate::table::{Rows, Table, TableContext};
use crate::text_rows::{TextRows, WholeRows};

/// How a text is cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// Bytes that are read before anything is made of them.
    pub(crate) block_bytes: usize,
    /// Bytes of a part, one thread's.
    pub(crate) part_bytes: usize,
}

impl Default for Cut {
    fn default() -> Self {
        Self {
            block_bytes: 1 << 20,
            part_bytes: 1 << 16,
        }
    }
}

/// What parts of a table share.
pub(crate) struct Whole {
    context: TableContext,
    rows: WholeRows,
}

/// What a part had.
#[derive(Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) lines: u64,
    pub(crate) rows: u64,
    bytes: u64,
    comments: u64,
    comments_like_rows: u64,
}

impl Whole {
    /// A part as a table of its own, whose lines count from 1.
    pub(crate) fn part<'b>(&self, text: &'b [u8]) -> Table<'b> {
        let rows = TextRows::part(self.context.file(), text, &self.rows);
        self.context.clone().table(Rows::Text(rows))
    }
}

impl Table<'_> {
    /// Puts whole lines of text into `block`; `None` where the next row is to be read by itself.
    pub(crate) fn block(&mut self, block: &mut Vec<u8>, cut: Cut) -> Option<Whole> {
        let Rows::Text(rows) = &mut self.rows else {
            return None;
        };
        rows.block(block, cut.block_bytes).then(|| Whole {
            context: self.context.clone(),
            rows: rows.as_whole(),
        })
    }

    /// The block last read is to be read row by row.
    pub(crate) fn put_back(&mut self, block: &[u8]) {
        if let Rows::Text(rows) = &mut self.rows {
            rows.put_back(block);
        }
    }

    /// The line before the block that is read.
    pub(crate) fn lines_read(&self) -> u64 {
        match &self.rows {
            Rows::Text(rows) => rows.lines_read(),
            Rows::Json(_) | Rows::Parquet(_) => 0,
        }
    }

    /// What this part had, once it has been read.
    pub(crate) fn totals(&self) -> Totals {
        let (comments, comments_like_rows) = self.comments();
        Totals {
            lines: self.lines_read(),
            rows: self.read,
            bytes: self.bytes,
            comments,
            comments_like_rows,
        }
    }

    /// Whether so much may be read besides.
    pub(crate) fn fits(&self, more: &Totals) -> bool {
        let (rows, bytes) = (self.read + more.rows, self.bytes + more.bytes);
        let limits = self.context.limits();
        rows <= limits.rows && bytes <= limits.bytes
    }

    /// Counts what parts had as read.
    pub(crate) fn pass(&mut self, parts: &Totals) {
        self.read += parts.rows;
        self.bytes += parts.bytes;
        if let Rows::Text(rows) = &mut self.rows {
            rows.passed(parts.lines);
            rows.comments += parts.comments;
            rows.comments_like_rows += parts.comments_like_rows;
        }
    }
}

impl Sum for Totals {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), |all, part| Self {
            lines: all.lines + part.lines,
            rows: all.rows + part.rows,
            bytes: all.bytes + part.bytes,
            comments: all.comments + part.comments,
            comments_like_rows: all.comments_like_rows + part.comments_like_rows,
        })
    }
}

/// A block in parts that end where lines do.
pub(crate) fn parts(mut block: &[u8], cut: Cut) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while !block.is_empty() {
        let after = block.get(cut.part_bytes..).unwrap_or_default();
        let end = after.iter().position(|byte| *byte == b'\n');
        let (part, rest) = block.split_at(end.map_or(block.len(), |end| cut.part_bytes + end + 1));
        parts.push(part);
        block = rest;
    }
    parts
}
