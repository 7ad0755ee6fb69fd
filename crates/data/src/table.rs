//! Delimited text, plain or gzipped, or Parquet, row by row with positions for error messages.

use crate::DataError;
use crate::bounded::{self, Bounded};
use crate::parquet_rows::{MAGIC, ParquetRows};
use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// Ids longer than this are taken for a wrong delimiter.
pub const MAX_ID_BYTES: usize = 512;

/// What separates fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delimiter {
    /// By file extension: `.csv` comma, everything else tab; `.gz` is looked through.
    #[default]
    ByExtension,
    /// Tab.
    Tab,
    /// Comma.
    Comma,
    /// Semicolon.
    Semicolon,
    /// One space.
    Space,
}

impl Delimiter {
    /// The delimiter that people name by the character itself; nothing means
    /// [`Delimiter::ByExtension`] of `file_name`, which may not be the name that is opened.
    ///
    /// # Errors
    /// [`DataError::BadDelimiter`].
    pub fn named(text: &str, file_name: &Path) -> Result<Self, DataError> {
        Ok(match text {
            "" if Self::ByExtension.byte(file_name) == b',' => Self::Comma,
            "" | "\t" => Self::Tab,
            "," => Self::Comma,
            ";" => Self::Semicolon,
            " " => Self::Space,
            _ => {
                let actual = text.chars().take(8).collect();
                return Err(DataError::BadDelimiter { actual });
            }
        })
    }

    fn byte(self, file: &Path) -> u8 {
        match self {
            Self::Tab => b'\t',
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Space => b' ',
            Self::ByExtension => {
                let name = file
                    .file_name()
                    .map(|n| n.to_string_lossy().to_ascii_lowercase());
                let name = name.unwrap_or_default();
                if name.trim_end_matches(".gz").ends_with(".csv") {
                    b','
                } else {
                    b'\t'
                }
            }
        }
    }
}

/// Whether the first line names the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Header {
    /// A first line is a header when a column is asked for by name, or its rating is no
    /// number, or its first field is a usual column name.
    #[default]
    Detect,
    /// The first line is a header.
    Present,
    /// The first line is data.
    Absent,
}

/// Where a field stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Column {
    /// Counted from 0.
    Index(usize),
    /// By the header's name, compared without case.
    Name(String),
}

impl Column {
    /// A column as people write it: a number counts from 1, all else is a name in the header;
    /// nothing is the column at `default`, counted from 0.
    ///
    /// # Errors
    /// [`DataError::BadColumn`] for a number below 1.
    pub fn named(text: &str, default: usize) -> Result<Self, DataError> {
        if text.is_empty() {
            return Ok(Self::Index(default));
        }
        match text.parse::<usize>() {
            Ok(number) if (1..=MAX_COLUMNS).contains(&number) => Ok(Self::Index(number - 1)),
            Ok(actual) => Err(DataError::BadColumn { actual }),
            Err(_) => Ok(Self::Name(text.into())),
        }
    }

    /// As [`Self::named`] where the column may be absent.
    ///
    /// # Errors
    /// As [`Self::named`].
    pub fn optional(text: &str) -> Result<Option<Self>, DataError> {
        match text {
            "" => Ok(None),
            text => Self::named(text, 0).map(Some),
        }
    }
}

/// No file that people keep has more columns.
const MAX_COLUMNS: usize = 1 << 16;

/// First fields that mark a header line.
const HEADER_NAMES: [&str; 12] = [
    "user", "user_id", "userid", "uid", "truster", "trustor", "follower", "source", "src", "from",
    "user1", "id",
];

/// Where rows come from.
pub(crate) enum Source<'a> {
    /// Delimited text.
    Text(Box<dyn Read + 'a>),
    /// Parquet, whose first row is the names of its columns.
    Parquet(ParquetRows),
}

/// Opens `file`, telling gzip and Parquet by their magic bytes rather than by name. What is
/// compressed may be at most `limit_bytes` long once it is not.
pub(crate) fn open(file: &Path, limit_bytes: u64) -> Result<Source<'static>, DataError> {
    let refused = |source| DataError::Open {
        file: file.to_path_buf(),
        source,
    };
    let opened = File::open(file).map_err(refused)?;
    if opened.metadata().map_err(refused)?.is_dir() {
        return Err(refused(std::io::ErrorKind::IsADirectory.into()));
    }
    let mut reader = BufReader::with_capacity(1 << 16, opened);
    let start = std::io::BufRead::fill_buf(&mut reader).map_err(refused)?;
    if start.starts_with(&[0x1f, 0x8b]) {
        let text = Bounded::new(MultiGzDecoder::new(reader), limit_bytes);
        Ok(Source::Text(Box::new(text)))
    } else if start.starts_with(MAGIC) {
        Ok(Source::Parquet(ParquetRows::open(file, limit_bytes)?))
    } else {
        Ok(Source::Text(Box::new(reader)))
    }
}

enum Reader<'a> {
    Text(csv::Reader<Box<dyn Read + 'a>>),
    Parquet(ParquetRows),
}

/// Rows of selected fields, with their line numbers; Parquet counts rows from 1.
pub(crate) struct Table<'a> {
    file: PathBuf,
    reader: Reader<'a>,
    fields: Vec<(&'static str, Column)>,
    positions: Vec<usize>,
    delimiter: u8,
    header: Header,
    record: csv::StringRecord,
    started: bool,
    line: u64,
}

impl<'a> Table<'a> {
    pub(crate) fn new(
        file: &Path,
        source: Source<'a>,
        delimiter: Delimiter,
        header: Header,
        fields: Vec<(&'static str, Column)>,
    ) -> Self {
        let delimiter = delimiter.byte(file);
        let (reader, header) = match source {
            Source::Text(source) => {
                let mut reader = csv::ReaderBuilder::new();
                reader
                    .delimiter(delimiter)
                    .has_headers(false)
                    .flexible(true)
                    .quoting(delimiter != b'\t')
                    .trim(csv::Trim::All);
                (Reader::Text(reader.from_reader(source)), header)
            }
            Source::Parquet(rows) => (Reader::Parquet(rows), Header::Present),
        };
        Self {
            file: file.to_path_buf(),
            reader,
            positions: vec![0; fields.len()],
            fields,
            delimiter,
            header,
            record: csv::StringRecord::new(),
            started: false,
            line: 0,
        }
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// The line of the row last read.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// A field's name.
    pub(crate) fn name(&self, field: usize) -> &'static str {
        self.fields[field].0
    }

    /// Goes to the next row of data; false at the end of the file. `numeric` is the field, if
    /// any, that is a number in every row but a header.
    pub(crate) fn advance(&mut self, numeric: Option<usize>) -> Result<bool, DataError> {
        if !self.started {
            self.started = true;
            if !self.read()? {
                return Ok(false);
            }
            if !self.place_columns(numeric)? {
                return Ok(true);
            }
        }
        self.read()
    }

    /// A field of the current row.
    pub(crate) fn field(&self, field: usize) -> Result<&str, DataError> {
        let (name, _) = self.fields[field];
        let value =
            self.record
                .get(self.positions[field])
                .ok_or_else(|| DataError::MissingField {
                    file: self.file.clone(),
                    line: self.line,
                    field: name,
                    expected: self.positions.iter().max().map_or(0, |last| last + 1),
                    actual: self.record.len(),
                    delimiter: char::from(self.delimiter),
                })?;
        if value.is_empty() {
            let (file, line) = (self.file.clone(), self.line);
            return Err(DataError::EmptyField {
                file,
                line,
                field: name,
            });
        }
        Ok(value)
    }

    /// A field that is an id: not empty, not absurdly long.
    pub(crate) fn id(&self, field: usize) -> Result<&str, DataError> {
        let value = self.field(field)?;
        if value.len() > MAX_ID_BYTES {
            return Err(DataError::IdTooLong {
                file: self.file.clone(),
                line: self.line,
                field: self.fields[field].0,
                limit: MAX_ID_BYTES,
                actual: value.len(),
            });
        }
        Ok(value)
    }

    fn read(&mut self) -> Result<bool, DataError> {
        let reader = match &mut self.reader {
            Reader::Text(reader) => reader,
            Reader::Parquet(rows) => {
                let read = rows.read(&mut self.record, &self.positions)?;
                self.line = rows.row();
                return Ok(read);
            }
        };
        match reader.read_record(&mut self.record) {
            Ok(true) => {
                self.line = self
                    .record
                    .position()
                    .map_or(self.line + 1, csv::Position::line);
                Ok(true)
            }
            Ok(false) => Ok(false),
            Err(error) => Err(self.explain(error)),
        }
    }

    /// Finds the columns; true when the current row is a header and not data.
    fn place_columns(&mut self, numeric: Option<usize>) -> Result<bool, DataError> {
        let by_name = self
            .fields
            .iter()
            .any(|(_, column)| matches!(column, Column::Name(_)));
        for (position, (_, column)) in self.positions.iter_mut().zip(&self.fields) {
            *position = match column {
                Column::Index(index) => *index,
                Column::Name(name) => self
                    .record
                    .iter()
                    .position(|found| found.eq_ignore_ascii_case(name))
                    .ok_or_else(|| DataError::NoSuchColumn {
                        file: self.file.clone(),
                        name: name.clone(),
                        header: self.record.iter().take(32).map(String::from).collect(),
                    })?,
            };
        }
        Ok(match self.header {
            Header::Present => true,
            Header::Absent => by_name,
            Header::Detect => by_name || self.looks_like_header(numeric),
        })
    }

    fn looks_like_header(&self, numeric: Option<usize>) -> bool {
        let names_a_column = self.record.get(0).is_some_and(|first| {
            let first = first.trim_start_matches('#').to_ascii_lowercase();
            HEADER_NAMES.contains(&first.as_str())
        });
        match numeric.and_then(|field| self.record.get(self.positions[field])) {
            Some(value) => names_a_column && value.parse::<f64>().is_err(),
            None => names_a_column,
        }
    }

    fn explain(&self, error: csv::Error) -> DataError {
        let (file, line) = (self.file.clone(), self.line);
        match error.into_kind() {
            csv::ErrorKind::Io(source) => match source.kind() {
                std::io::ErrorKind::FileTooLarge => DataError::TooLarge {
                    file,
                    limit: bounded::limit_of(&source),
                },
                std::io::ErrorKind::UnexpectedEof
                | std::io::ErrorKind::InvalidInput
                | std::io::ErrorKind::InvalidData => DataError::Truncated { file, line, source },
                _ => DataError::Read { file, line, source },
            },
            csv::ErrorKind::Utf8 { pos, .. } => DataError::NotText {
                file,
                line: pos.map_or(line + 1, |pos| pos.line()),
            },
            // The reader is flexible and neither seeks nor deserialises: nothing else occurs.
            other => DataError::Read {
                file,
                line,
                source: std::io::Error::other(format!("{other:?}")),
            },
        }
    }
}
