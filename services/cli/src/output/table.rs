//! Tables for people: plain columns, numbers to the right, no wider than the terminal.

use comfy_table::{Cell, CellAlignment, ContentArrangement, presets};

/// A table under construction.
#[derive(Debug)]
pub struct Table {
    inner: comfy_table::Table,
}

impl Table {
    /// A table with such column titles: `job | state | proposed`.
    #[must_use]
    pub fn new(titles: &str) -> Self {
        let mut inner = comfy_table::Table::new();
        inner.load_preset(presets::UTF8_HORIZONTAL_ONLY);
        if let Some(width) = super::terminal::width() {
            inner.set_content_arrangement(ContentArrangement::Dynamic);
            inner.set_width(u16::try_from(width).unwrap_or(u16::MAX));
        }
        inner.set_header(titles.split('|').map(str::trim));
        Self { inner }
    }

    /// Adds a row: the first cell to the left, what looks like a number to the right.
    #[must_use]
    pub fn row(mut self, cells: &[String]) -> Self {
        let cells = cells.iter().enumerate().map(|(index, text)| {
            let numeric = text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '–');
            let right = index > 0 && numeric;
            Cell::new(text).set_alignment(if right {
                CellAlignment::Right
            } else {
                CellAlignment::Left
            })
        });
        self.inner.add_row(cells.collect::<Vec<_>>());
        self
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}
