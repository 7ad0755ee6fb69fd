//! Rows of named fields out of any file, with positions for messages.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::columns::{Role, by_name, by_order};
use crate::id_forms::damage;
use crate::json_rows::{self, JsonRows};
use crate::limits::Limits;
use crate::parquet_rows::ParquetRows;
use crate::record::Record;
use crate::source::Source;
use crate::text::Lines;
use crate::text_rows::{Ahead, TextRows, has_index};
use crate::{Column, ColumnError, DataError, Delimiter};

/// Ids longer than this are taken for a wrong delimiter.
pub const MAX_ID_BYTES: usize = 512;

/// Whether the first line names the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Header {
    /// The first line, or the comment before it, is a header when a column is asked for by name,
    /// or when it holds two usual column names and no number.
    #[default]
    Detect,
    /// The first line is a header.
    Present,
    /// The first line is data.
    Absent,
}

/// How text is laid out.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Layout {
    pub(crate) delimiter: Delimiter,
    pub(crate) header: Header,
    /// The first column numbers the rows and has no meaning.
    pub(crate) index_column: bool,
}

/// Where something stands, for messages.
#[derive(Clone, Copy)]
pub(crate) struct Place<'p> {
    pub(crate) file: &'p Path,
    pub(crate) line: u64,
    pub(crate) field: &'static str,
}

impl Place<'_> {
    /// Refuses what cannot be an id.
    pub(crate) fn check(self, id: &str) -> Result<(), DataError> {
        let Self { file, line, field } = self;
        let file = || file.to_path_buf();
        if id.is_empty() {
            return Err(DataError::EmptyField {
                file: file(),
                line,
                field,
            });
        }
        if id.len() > MAX_ID_BYTES {
            return Err(DataError::IdTooLong {
                file: file(),
                line,
                field,
                limit: MAX_ID_BYTES,
                actual: id.len(),
            });
        }
        match damage(id) {
            None => Ok(()),
            Some(damage) => Err(DataError::DamagedId {
                file: file(),
                line,
                field,
                actual: id.chars().take(60).collect(),
                damage,
            }),
        }
    }
}

pub(crate) enum Rows<'a> {
    Text(TextRows<'a>),
    Json(JsonRows<'a>),
    Parquet(Box<ParquetRows>),
}

/// What a table is and how its rows are understood; the same for all parts of it.
#[derive(Clone)]
pub(crate) struct TableContext {
    file: PathBuf,
    limits: Limits,
    layout: Layout,
    roles: Vec<Role>,
    /// Where the fields of `roles` stand in a record.
    places: Vec<Option<usize>>,
    /// Columns that nothing names and that must therefore say nothing.
    must_be_empty: bool,
    /// A third column may also be 1 throughout.
    ones_allowed: bool,
}

/// Rows of selected fields, with their line numbers; Parquet counts rows from 1.
pub(crate) struct Table<'a> {
    pub(crate) context: TableContext,
    pub(crate) rows: Rows<'a>,
    /// Rows.
    pub(crate) read: u64,
    /// Bytes of their fields.
    pub(crate) bytes: u64,
}

impl TableContext {
    /// Begins to read rows of it.
    pub(crate) fn table(self, rows: Rows<'_>) -> Table<'_> {
        Table {
            context: self,
            rows,
            read: 0,
            bytes: 0,
        }
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// What may be read of it.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }
}

impl<'a> Table<'a> {
    /// `roles` are all that the file may have; `ragged` rows may differ in width.
    pub(crate) fn open(
        file: &Path,
        source: Source<'a>,
        limits: Limits,
        layout: Layout,
        roles: &[Role],
        ragged: bool,
    ) -> Result<Self, DataError> {
        let rows = match source {
            Source::Parquet(rows) => Rows::Parquet(rows),
            Source::Text(text) => {
                let lines = Ahead::new(Lines::new(file, text)?)?;
                let json = lines
                    .rows()
                    .first()
                    .is_some_and(|line| json_rows::begins(line));
                match json && layout.delimiter == Delimiter::Detect {
                    true => Rows::Json(JsonRows::new(file, lines)?),
                    false => Rows::Text(TextRows::new(file, lines, &layout, roles, ragged)?),
                }
            }
        };
        let context = TableContext {
            file: file.to_path_buf(),
            limits,
            layout,
            roles: Vec::new(),
            places: Vec::new(),
            must_be_empty: false,
            ones_allowed: false,
        };
        Ok(context.table(rows))
    }

    /// The columns' names, where the file has them.
    pub(crate) fn names(&self) -> Option<&[String]> {
        match &self.rows {
            Rows::Text(rows) => rows.names.as_deref(),
            Rows::Json(rows) => Some(&rows.names),
            Rows::Parquet(rows) => Some(&rows.names),
        }
    }

    /// Finds the fields that are read from here on. `ones_allowed`: a third column that nothing
    /// names may be 1 throughout.
    pub(crate) fn place(&mut self, roles: Vec<Role>, ones_allowed: bool) -> Result<(), DataError> {
        let usual = roles
            .iter()
            .any(|role| role.usual.is_some() && role.column == Column::Usual);
        let names: Option<Vec<&str>> = self
            .names()
            .map(|names| names.iter().map(String::as_str).collect());
        let unclear = |source| DataError::Columns {
            file: self.context.file.clone(),
            source,
        };
        let mut places = match &names {
            Some(names) => by_name(&roles, names).map_err(unclear)?,
            None => {
                let named = roles.iter().find_map(|role| match &role.column {
                    Column::Name(name) if !role.column.is_none() => Some(name),
                    _ => None,
                });
                if let Some(name) = named {
                    let (name, header) = (name.clone(), Vec::new());
                    return Err(unclear(ColumnError::NoSuchColumn { name, header }));
                }
                by_order(&roles).map_err(unclear)?
            }
        };
        match &mut self.rows {
            Rows::Text(rows) => match &rows.names {
                Some(names) if has_index(names) && usual && !self.context.layout.index_column => {
                    return Err(rows.index_column(names, "the first column has no name"));
                }
                Some(_) => {}
                None => {
                    self.context.must_be_empty = usual;
                    let shift = usize::from(self.context.layout.index_column);
                    for (place, role) in places.iter_mut().zip(&roles) {
                        if role.column == Column::Usual {
                            *place = place.map(|place| place + shift);
                        }
                    }
                }
            },
            Rows::Json(rows) => rows.select(&places),
            Rows::Parquet(rows) => rows.select(&places)?,
        }
        if !matches!(self.rows, Rows::Text(_)) {
            // Their records hold the selected fields alone.
            for (field, place) in places.iter_mut().enumerate() {
                *place = place.map(|_| field);
            }
        }
        self.context.roles = roles;
        self.context.places = places;
        self.context.ones_allowed = ones_allowed;
        Ok(())
    }

    pub(crate) fn file(&self) -> &Path {
        &self.context.file
    }

    /// The line of the row last read.
    pub(crate) fn line(&self) -> u64 {
        match &self.rows {
            Rows::Text(rows) => rows.line(),
            Rows::Json(rows) => rows.line(),
            Rows::Parquet(rows) => rows.row(),
        }
    }

    /// Where a field of the current row stands.
    pub(crate) fn at(&self, field: usize) -> Place<'_> {
        Place {
            file: &self.context.file,
            line: self.line(),
            field: self.context.roles[field].field,
        }
    }

    /// Whether rows have a field.
    pub(crate) fn has(&self, field: usize) -> bool {
        self.context.places[field].is_some()
    }

    /// Lines skipped as comments, and those of them that look like rows.
    pub(crate) fn comments(&self) -> (u64, u64) {
        match &self.rows {
            Rows::Text(rows) => (rows.comments, rows.comments_like_rows),
            Rows::Json(_) | Rows::Parquet(_) => (0, 0),
        }
    }

    /// How the file was understood, in words.
    pub(crate) fn read_as(&self) -> String {
        let kind = match &self.rows {
            Rows::Text(rows) => match rows.names {
                Some(_) => format!("{} separated with a header", rows.delimiter.name()),
                None => format!("{} separated without a header", rows.delimiter.name()),
            },
            Rows::Json(_) => "JSON lines".into(),
            Rows::Parquet(_) => "Parquet".into(),
        };
        let names = self.names();
        let columns = self
            .context
            .roles
            .iter()
            .enumerate()
            .filter_map(|(field, role)| {
                let place = match &self.rows {
                    Rows::Text(_) => self.context.places[field]?,
                    Rows::Json(rows) => rows.place(field)?,
                    Rows::Parquet(rows) => rows.place(field)?,
                };
                let column = match names.and_then(|names| names.get(place)) {
                    Some(name) => format!("{:?}", name.chars().take(40).collect::<String>()),
                    None => format!("column {}", place + 1),
                };
                Some(format!("{} {column}", role.field))
            });
        format!("{kind}: {}", columns.collect::<Vec<_>>().join(", "))
    }

    /// The current row.
    pub(crate) fn record(&self) -> &Record {
        match &self.rows {
            Rows::Text(rows) => rows.record(),
            Rows::Json(rows) => rows.record(),
            Rows::Parquet(rows) => rows.record(),
        }
    }

    /// Goes to the next row of data; false at the end of the file.
    pub(crate) fn advance(&mut self) -> Result<bool, DataError> {
        let more = match &mut self.rows {
            Rows::Text(rows) => rows.read()?,
            Rows::Json(rows) => rows.read()?,
            Rows::Parquet(rows) => rows.read()?,
        };
        if !more {
            return Ok(false);
        }
        self.read += 1;
        if self.read > self.context.limits.rows {
            return Err(DataError::TooManyRows {
                file: self.context.file.clone(),
                limit: self.context.limits.rows,
            });
        }
        // As the same row would be in text, whatever a compact form makes of it.
        self.bytes += (self.record().bytes() + self.record().len()) as u64;
        if self.bytes > self.context.limits.bytes {
            return Err(DataError::TooLarge {
                file: self.context.file.clone(),
                limit: self.context.limits.bytes,
            });
        }
        if self.context.must_be_empty {
            self.check_surplus()?;
        }
        Ok(true)
    }

    /// Columns that nothing names must say nothing.
    fn check_surplus(&self) -> Result<(), DataError> {
        let record = self.record();
        let skipped = usize::from(self.context.layout.index_column);
        for (place, field) in record.iter().enumerate().skip(skipped) {
            if field.is_empty() || self.context.places.contains(&Some(place)) {
                continue;
            }
            let one =
                self.context.ones_allowed && record.len() == 3 + skipped && place == 2 + skipped;
            if one && field.parse() == Ok(1.0) {
                continue;
            }
            let numbers = record
                .iter()
                .filter(|field| field.parse::<f64>().is_ok())
                .count();
            let named = self.context.roles.iter().map(|role| role.flag);
            let is_link = self
                .context
                .roles
                .iter()
                .any(|role| role.field == "trustee");
            let lists = is_link.then_some("--adjacency where rows are lists");
            let source = ColumnError::Surplus {
                line: self.line(),
                column: place + 1,
                actual: field.chars().take(40).collect(),
                width: record.len(),
                is_matrix: record.len() >= 8 && numbers + 1 >= record.len(),
                flags: named.chain(lists).collect(),
            };
            let file = self.context.file.clone();
            return Err(DataError::Columns { file, source });
        }
        Ok(())
    }

    /// A field of the current row as it stands there, perhaps empty.
    pub(crate) fn raw(&self, field: usize) -> Result<&str, DataError> {
        let place = self.context.places[field].unwrap_or(usize::MAX);
        self.record()
            .get(place)
            .ok_or_else(|| DataError::MissingField {
                file: self.context.file.clone(),
                line: self.line(),
                field: self.context.roles[field].field,
                expected: self
                    .context
                    .places
                    .iter()
                    .flatten()
                    .max()
                    .map_or(0, |last| last + 1),
                actual: self.record().len(),
                delimiter: match &self.rows {
                    Rows::Text(rows) => rows.delimiter.name(),
                    Rows::Json(_) | Rows::Parquet(_) => "",
                },
            })
    }

    /// The column of a field.
    pub(crate) fn column(&self, field: usize) -> Option<usize> {
        self.context.places[field]
    }

    /// Rows are lists of any length from here on.
    pub(crate) fn take_lists(&mut self) {
        self.context.must_be_empty = false;
        if let Rows::Text(rows) = &mut self.rows {
            rows.ragged = true;
        }
    }

    /// Whether every row begins with an id and a colon, as adjacency lists are written.
    pub(crate) fn begins_with_colons(&self) -> bool {
        match &self.rows {
            Rows::Text(rows) => rows.begins_with_colons(),
            Rows::Json(_) | Rows::Parquet(_) => false,
        }
    }
}
