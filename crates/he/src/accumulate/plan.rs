//! Which rows some responses need, and with which weights.

use std::ops::Range;

use super::Accumulation;
use super::kernel::{Entries, Entry};

/// The rows that some non-zeros of one row of Y take, one for each.
#[derive(Default)]
pub(super) struct OwnTile {
    pub(super) rows: Vec<u32>,
    pub(super) entries: Vec<Entry>,
    pub(super) tile: Vec<u128>,
}

impl OwnTile {
    pub(super) fn hold(&mut self, plan: &Plan, entries: &[Entry]) {
        self.rows.clear();
        self.rows
            .extend(entries.iter().map(|entry| plan.needed[entry.row()]));
        self.entries.clear();
        self.entries
            .extend(entries.iter().enumerate().map(|(i, entry)| entry.at(i)));
    }
}

/// The non-zeros of some responses, over the rows that these responses need.
pub(crate) struct Plan {
    /// The needed rows, ascending.
    pub(super) needed: Vec<u32>,
    /// Entries of each row of each response, columns replaced by positions in `needed`.
    entries: Vec<Entry>,
    offsets: Vec<usize>,
    /// Response r's rows are `offsets[response_rows[r]..=response_rows[r + 1]]`.
    response_rows: Vec<usize>,
}

impl Plan {
    pub(crate) fn new(accumulation: &Accumulation<'_>, responses: Range<usize>) -> Self {
        let (packing, weights) = (&accumulation.packing, &accumulation.weights);
        let rows_of = |response| packing.rows_of(response, weights.len());
        let mut needed: Vec<u32> = responses
            .clone()
            .flat_map(rows_of)
            .flat_map(|row| weights.row(row).0.iter().copied())
            .collect();
        needed.sort_unstable();
        needed.dedup();
        let mut plan = Self {
            needed,
            entries: Vec::new(),
            offsets: vec![0],
            response_rows: vec![0],
        };
        for response in responses {
            for row in rows_of(response) {
                plan.push_row(weights.row(row));
            }
            plan.response_rows.push(plan.offsets.len() - 1);
        }
        plan
    }

    /// The same non-zeros by ranges of needed rows, at most `most_rows` of them at a time: the sums
    /// of all pieces are those of the whole.
    pub(super) fn pieces(&self, most_rows: usize) -> impl Iterator<Item = Self> {
        (0..self.needed.len())
            .step_by(most_rows)
            .map(move |first| self.piece(first..(first + most_rows).min(self.needed.len())))
    }

    fn piece(&self, positions: Range<usize>) -> Self {
        let mut piece = Self {
            needed: self.needed[positions.clone()].to_vec(),
            entries: Vec::new(),
            offsets: vec![0],
            response_rows: self.response_rows.clone(),
        };
        for row in self.offsets.windows(2) {
            let own = self.entries[row[0]..row[1]].iter();
            let within = own.filter(|entry| positions.contains(&entry.row()));
            let moved = within.map(|entry| entry.at(entry.row() - positions.start));
            piece.entries.extend(moved);
            piece.offsets.push(piece.entries.len());
        }
        piece
    }

    /// Positive weights, then the others: the kernel's branch on the sign is foreseen.
    fn push_row(&mut self, (columns, weights): (&[u32], &[i64])) {
        for positive in [true, false] {
            let own = std::iter::zip(columns, weights).filter(|(_, w)| (**w > 0) == positive);
            for (column, &weight) in own {
                let position = self
                    .needed
                    .binary_search(column)
                    // Unwrap safety: `needed` holds every column of these rows.
                    .expect("a needed row");
                self.entries.push(Entry::new(position, weight));
            }
        }
        self.offsets.push(self.entries.len());
    }

    pub(super) fn rows_of(&self, response: usize) -> impl Iterator<Item = Entries<'_>> {
        let rows = self.response_rows[response]..self.response_rows[response + 1];
        rows.map(|row| Entries {
            from_here: &self.entries[self.offsets[row]..],
            count: self.offsets[row + 1] - self.offsets[row],
        })
    }
}
