//! Rows out of delimited text: comments and blank lines skipped, a header found, every row as
//! wide as the first.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use crate::columns::{self, Role};
use crate::limits::MAX_ROW_BYTES;
use crate::record::{BadQuote, Record, Splitter};
use crate::table::{Header, Layout};
use crate::text::Lines;
use crate::{Column, ColumnError, DataError, Delimiter};

/// Lines looked at before the first row is given, and bytes of them.
const LOOKED_AT: usize = 64;
const LOOKED_AT_BYTES: usize = 1 << 20;

/// Lines of a file, the first of which can be looked at before they are read.
pub(crate) struct Ahead<'a> {
    lines: Lines<'a>,
    ahead: VecDeque<(u64, String)>,
}

impl<'a> Ahead<'a> {
    pub(crate) fn new(mut lines: Lines<'a>) -> Result<Self, DataError> {
        let mut ahead = VecDeque::new();
        let (mut rows, mut bytes) = (0, 0);
        while rows < LOOKED_AT && bytes < LOOKED_AT_BYTES {
            let mut line = String::new();
            let Some(number) = lines.next(&mut line)? else {
                break;
            };
            rows += usize::from(is_row(&line));
            bytes += line.len();
            ahead.push_back((number, line));
        }
        Ok(Self { lines, ahead })
    }

    /// The lines looked at that are rows or a header.
    pub(crate) fn rows(&self) -> Vec<&str> {
        let lines = self.ahead.iter().map(|(_, line)| line.as_str());
        lines.filter(|line| is_row(line)).collect()
    }

    /// The last comment before the first row.
    fn comment(&self) -> Option<&str> {
        let before = self.ahead.iter().take_while(|(_, line)| !is_row(line));
        before
            .map(|(_, line)| line.as_str())
            .filter(|line| !line.trim().is_empty())
            .last()
    }

    /// A part of the lines of another.
    fn part(file: &Path, text: &'a [u8]) -> Self {
        Self {
            lines: Lines::of(file, Box::new(text)),
            ahead: VecDeque::new(),
        }
    }

    /// Puts the next line into `line` and gives its number.
    pub(crate) fn next(&mut self, line: &mut String) -> Result<Option<u64>, DataError> {
        match self.ahead.pop_front() {
            Some((number, ahead)) => {
                *line = ahead;
                Ok(Some(number))
            }
            None => self.lines.next(line),
        }
    }
}

/// Neither blank nor a comment.
pub(crate) fn is_row(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with(['#', '%'])
}

/// What parts of a text share.
pub(crate) struct WholeRows {
    delimiter: Delimiter,
    ragged: bool,
    width: Option<(usize, u64)>,
}

/// Rows of fields.
pub(crate) struct TextRows<'a> {
    file: PathBuf,
    lines: Ahead<'a>,
    /// The line last read.
    text: String,
    splitter: Splitter,
    pub(crate) delimiter: Delimiter,
    /// The header's, with an empty one before them where the rows have one field more.
    pub(crate) names: Option<Vec<String>>,
    /// The first line that is no comment is the header and not yet read.
    header_ahead: bool,
    /// Rows may differ in width.
    pub(crate) ragged: bool,
    width: Option<(usize, u64)>,
    line: u64,
    /// Lines that were skipped as comments.
    pub(crate) comments: u64,
    /// Among them, lines between rows that are as wide as a row.
    pub(crate) comments_like_rows: u64,
}

impl<'a> TextRows<'a> {
    /// `roles` are all that the file may have; `ragged` rows may differ in width.
    pub(crate) fn new(
        file: &Path,
        lines: Ahead<'a>,
        layout: &Layout,
        roles: &[Role],
        ragged: bool,
    ) -> Result<Self, DataError> {
        let delimiter = match layout.delimiter {
            Delimiter::Detect => Delimiter::of(&lines.rows(), needed(roles)),
            given => given,
        };
        let mut rows = Self {
            file: file.to_path_buf(),
            splitter: Splitter::new(delimiter),
            lines,
            text: String::new(),
            delimiter,
            names: None,
            header_ahead: false,
            ragged,
            width: None,
            line: 0,
            comments: 0,
            comments_like_rows: 0,
        };
        rows.find_names(layout, roles)?;
        Ok(rows)
    }

    pub(crate) fn record(&self) -> &Record {
        self.splitter.record()
    }

    /// Lines that whole rows stand in, once the first row has been read: [`Lines::block`].
    pub(crate) fn block(&mut self, block: &mut Vec<u8>, least: usize) -> bool {
        let begun = self.width.is_some() && self.lines.ahead.is_empty();
        begun && self.lines.lines.block(block, least)
    }

    /// The block last read is to be read row by row.
    pub(crate) fn put_back(&mut self, block: &[u8]) {
        self.lines.lines.put_back(block);
    }

    /// What is needed to read a part of a block.
    pub(crate) fn as_whole(&self) -> WholeRows {
        WholeRows {
            delimiter: self.delimiter,
            ragged: self.ragged,
            width: self.width,
        }
    }

    /// The rows of a part of a block, whose lines count from 1.
    pub(crate) fn part(file: &Path, text: &'a [u8], whole: &WholeRows) -> Self {
        Self {
            file: file.to_path_buf(),
            lines: Ahead::part(file, text),
            text: String::new(),
            splitter: Splitter::new(whole.delimiter),
            delimiter: whole.delimiter,
            names: None,
            header_ahead: false,
            ragged: whole.ragged,
            width: whole.width,
            line: 0,
            comments: 0,
            comments_like_rows: 0,
        }
    }

    /// Lines that a part has.
    pub(crate) fn lines_read(&self) -> u64 {
        self.lines.lines.read()
    }

    /// Counts the lines of a part that has been read.
    pub(crate) fn passed(&mut self, lines: u64) {
        self.lines.lines.passed(lines);
    }

    /// The line on which the row last read begins.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    fn find_names(&mut self, layout: &Layout, roles: &[Role]) -> Result<(), DataError> {
        let rows = self.lines.rows();
        let Some(first) = rows.first().map(|line| self.cut(line)) else {
            return Ok(());
        };
        let commented = self.lines.comment().and_then(|comment| {
            let comment = comment.trim().trim_start_matches(['#', '%']);
            let by_delimiter = self.cut(comment);
            let fields = match by_delimiter.len() == first.len() {
                true => by_delimiter,
                false => comment.split_whitespace().map(String::from).collect(),
            };
            let fits = fields.len() == first.len() && known(&fields, roles) >= 2;
            fits.then_some(fields)
        });
        let asked_for = roles.iter().any(|role| match &role.column {
            column if column.is_none() => false,
            column => matches!(column, Column::Name(_)),
        });
        let is_header = match layout.header {
            Header::Present => true,
            Header::Absent => false,
            Header::Detect if commented.is_some() => {
                self.names = commented;
                return Ok(());
            }
            Header::Detect if asked_for => true,
            Header::Detect => {
                let has_number = first.iter().any(|field| field.parse::<f64>().is_ok());
                match known(&first, roles) {
                    0 => false,
                    _ if has_number => false,
                    1 if first.len() > 1 => {
                        let called =
                            |field: &&String| roles.iter().any(|role| role.is_called(field));
                        let name = first.iter().find(called).cloned().unwrap_or_default();
                        return Err(self.unclear(ColumnError::PerhapsHeader { name }));
                    }
                    _ => true,
                }
            }
        };
        if is_header {
            let mut names = first;
            let row = rows.get(1).map(|line| self.cut(line).len());
            if row == Some(names.len() + 1) && !self.ragged {
                if !layout.index_column {
                    return Err(self.index_column(&names, "the rows have one field more"));
                }
                names.insert(0, String::new());
            }
            self.header_ahead = true;
            self.names = Some(names);
        }
        Ok(())
    }

    /// Whether the first word of every line looked at ends in a colon.
    pub(crate) fn begins_with_colons(&self) -> bool {
        let rows = self.lines.rows();
        let colon = |line: &&str| {
            line.split_whitespace()
                .next()
                .is_some_and(|word| word.ends_with(':'))
        };
        !rows.is_empty() && rows.iter().all(colon)
    }

    /// The fields of one line on its own.
    fn cut(&self, line: &str) -> Vec<String> {
        let mut splitter = Splitter::new(self.delimiter);
        // What is wrong with it is said when it is read.
        let _ = splitter.feed(line);
        splitter.record().iter().map(String::from).collect()
    }

    pub(crate) fn index_column(&self, names: &[String], why: &'static str) -> DataError {
        self.unclear(ColumnError::IndexColumn {
            header: names.iter().take(32).cloned().collect(),
            why,
        })
    }

    fn unclear(&self, source: ColumnError) -> DataError {
        let file = self.file.clone();
        DataError::Columns { file, source }
    }

    /// Reads the next row; false at the end.
    pub(crate) fn read(&mut self) -> Result<bool, DataError> {
        if std::mem::take(&mut self.header_ahead) && self.read_row()? {
            // One more than its own where the header is a field shorter than the rows.
            let width = self.names.as_ref().map_or(0, Vec::len);
            self.width = Some((width, self.line));
        }
        if !self.read_row()? {
            return Ok(false);
        }
        let actual = self.record().len();
        let (width, first) = *self.width.get_or_insert((actual, self.line));
        if actual != width && !self.ragged {
            return Err(self.wrong_width(width, first));
        }
        Ok(true)
    }

    fn wrong_width(&self, expected: usize, first_line: u64) -> DataError {
        DataError::WrongWidth {
            file: self.file.clone(),
            line: self.line,
            expected,
            actual: self.record().len(),
            first_line,
            delimiter: self.delimiter.name(),
        }
    }

    fn read_row(&mut self) -> Result<bool, DataError> {
        let mut begun = None;
        while let Some(number) = self.lines.next(&mut self.text)? {
            if begun.is_none() && !is_row(&self.text) {
                self.skip();
                continue;
            }
            let started = *begun.get_or_insert(number);
            self.line = started;
            let file = || self.file.clone();
            let fed = self.splitter.feed(&self.text);
            let bad = |BadQuote| DataError::BadQuote {
                file: file(),
                line: number,
            };
            if fed.map_err(bad)? {
                return Ok(true);
            }
            if self.record().bytes() > MAX_ROW_BYTES {
                return Err(DataError::RowTooLong {
                    file: file(),
                    line: started,
                    limit: MAX_ROW_BYTES,
                });
            }
        }
        match begun {
            Some(line) => Err(DataError::BadQuote {
                file: self.file.clone(),
                line,
            }),
            None => Ok(false),
        }
    }

    /// Counts a line that is no row.
    fn skip(&mut self) {
        if self.text.trim().is_empty() {
            return;
        }
        self.comments += 1;
        let like_a_row = |(width, _)| width > 1 && self.cut(&self.text).len() == width;
        self.comments_like_rows += u64::from(self.width.is_some_and(like_a_row));
    }
}

/// Fields that a row needs at least: up to the last that is asked for, and one for each that a
/// file must have.
fn needed(roles: &[Role]) -> usize {
    let asked_for = roles.iter().filter_map(|role| match role.column {
        Column::Index(index) => Some(index),
        Column::Name(_) | Column::Usual => None,
    });
    let usual = roles.iter().filter_map(|role| role.usual);
    asked_for.chain(usual).max().map_or(1, |last| last + 1)
}

/// How many roles have a column among `names`.
fn known(names: &[String], roles: &[Role]) -> usize {
    let called = |role: &&Role| names.iter().any(|name| role.is_called(name));
    roles.iter().filter(called).count()
}

/// Whether the first column of these names numbers the rows.
pub(crate) fn has_index(names: &[String]) -> bool {
    names.first().is_some_and(|name| columns::is_index(name))
}
