//! Parquet as rows of text, the form in which every other file arrives.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use parquet::schema::types::{Type, TypePtr};

use crate::DataError;
use crate::limits::Limits;
use crate::parquet_pages;
use crate::record::Record;

/// The longest footer: a schema and row groups of a file of terabytes.
const MAX_FOOTER_BYTES: u32 = 64 << 20;
/// What follows the footer: its length and the mark.
const TAIL_BYTES: i64 = 8;

/// Rows as they are decoded. The decoder panics at many a damaged byte, which is an error of the file
/// here, and the end of it.
pub(crate) struct Rows(Option<RowIter<'static>>);

impl Rows {
    /// All rows of a file, in `schema`'s columns.
    pub(crate) fn of(
        reader: SerializedFileReader<File>,
        schema: Type,
    ) -> Result<Self, ParquetError> {
        let rows = guarded(|| RowIter::from_file_into(Box::new(reader)).project(Some(schema)))?;
        Ok(Self(Some(rows)))
    }
}

impl Iterator for Rows {
    type Item = Result<Row, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        // What has panicked is not asked again.
        let mut rows = self.0.take()?;
        let next = guarded(|| Ok(rows.next().map(|row| (row, rows))));
        match next {
            Ok(None) => None,
            Ok(Some((row, rows))) => {
                self.0 = Some(rows);
                Some(row)
            }
            Err(error) => Some(Err(error)),
        }
    }
}

/// What `decode` gives; its panic as an error.
fn guarded<T>(decode: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| {
        let what = "it is damaged, or not written as the format says: its decoder gave up";
        Err(ParquetError::General(what.into()))
    })
}

/// The rows of a file.
pub(crate) struct ParquetRows {
    file: PathBuf,
    /// Names of the columns.
    pub(crate) names: Vec<String>,
    columns: Vec<TypePtr>,
    limits: Limits,
    /// Which columns to read, in the order of the fields.
    places: Vec<Option<usize>>,
    /// Those columns in the file's order.
    selected: Vec<usize>,
    rows: Option<Rows>,
    record: Record,
    row: u64,
}

impl ParquetRows {
    pub(crate) fn open(file: &Path, limits: &Limits) -> Result<Self, DataError> {
        let reader = open(file)?;
        let schema = reader.metadata().file_metadata().schema_descr();
        let columns = schema.root_schema().get_fields().to_vec();
        Ok(Self {
            file: file.to_path_buf(),
            names: columns
                .iter()
                .map(|column| column.name().to_owned())
                .collect(),
            columns,
            limits: *limits,
            places: Vec::new(),
            selected: Vec::new(),
            rows: None,
            record: Record::default(),
            row: 0,
        })
    }

    /// The row last read, from 1.
    pub(crate) fn row(&self) -> u64 {
        self.row
    }

    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// Which of the columns a field has.
    pub(crate) fn place(&self, field: usize) -> Option<usize> {
        self.places.get(field).copied().flatten()
    }

    /// Reads only the columns at `places`, after a look at every page of theirs: what they say of
    /// their sizes is not believed.
    pub(crate) fn select(&mut self, places: &[Option<usize>]) -> Result<(), DataError> {
        self.places = places.to_vec();
        self.selected = places.iter().flatten().copied().collect();
        self.selected.sort_unstable();
        self.selected.dedup();
        for place in &self.selected {
            self.check_type(*place)?;
        }
        let refused = |error: ParquetError| refused(&self.file, 0, &error);
        let reader = open(&self.file)?;
        parquet_pages::check(&self.file, reader.metadata(), &self.selected, &self.limits)?;
        let name = reader.metadata().file_metadata().schema().name().to_owned();
        let fields = self
            .selected
            .iter()
            .map(|place| Arc::clone(&self.columns[*place]));
        let schema = Type::group_type_builder(&name)
            .with_fields(fields.collect())
            .build();
        let rows = Rows::of(reader, schema.map_err(refused)?).map_err(refused)?;
        self.rows = Some(rows);
        Ok(())
    }

    /// The columns whose type is read.
    pub(crate) fn readable(&self) -> Vec<usize> {
        let all = 0..self.columns.len();
        all.filter(|place| self.check_type(*place).is_ok())
            .collect()
    }

    /// Refuses what is neither a number nor text, by the name that its type has.
    fn check_type(&self, place: usize) -> Result<(), DataError> {
        let column = &self.columns[place];
        let info = column.get_basic_info();
        let logical = info.logical_type_ref();
        let is_list = matches!(
            (info.converted_type(), logical),
            (ConvertedType::LIST, _) | (_, Some(LogicalType::List))
        );
        let is_repeated = info.has_repetition() && info.repetition() == Repetition::REPEATED;
        let (kind, remedy) = if is_list || is_repeated {
            ("a list", "write one row for each element")
        } else if column.is_group() {
            match (info.converted_type(), logical) {
                (ConvertedType::MAP, _) | (_, Some(LogicalType::Map)) => {
                    ("a map", "write one row for each entry")
                }
                _ => (
                    "a structure of several columns",
                    "write its columns side by side",
                ),
            }
        } else if info.converted_type() == ConvertedType::DECIMAL
            || matches!(logical, Some(LogicalType::Decimal { .. }))
        {
            (
                "a decimal number of fixed precision",
                "cast it to double, or to text where it is an id",
            )
        } else if matches!(logical, Some(LogicalType::Float16)) {
            (
                "a half-precision float (float16)",
                "cast it to float or double",
            )
        } else {
            match column.get_physical_type() {
                PhysicalType::INT96 => (
                    "a time in the deprecated INT96",
                    "cast it to a timestamp in milliseconds",
                ),
                _ => return Ok(()),
            }
        };
        Err(self.type_refused(place, kind, remedy))
    }

    fn type_refused(&self, place: usize, kind: &'static str, remedy: &'static str) -> DataError {
        DataError::ParquetType {
            file: self.file.clone(),
            column: self.names[place].clone(),
            kind,
            remedy,
        }
    }

    /// Reads the next row; null is an empty field. False at the end.
    pub(crate) fn read(&mut self) -> Result<bool, DataError> {
        let Some(row) = self.rows.as_mut().and_then(Iterator::next) else {
            return Ok(false);
        };
        let row = row.map_err(|error| refused(&self.file, self.row, &error))?;
        self.row += 1;
        let mut fields = Vec::with_capacity(self.selected.len());
        for (place, (_, field)) in self.selected.iter().zip(row.get_column_iter()) {
            fields.push(self.text(*place, field)?);
        }
        self.record.clear();
        for place in &self.places {
            let found = place.and_then(|place| self.selected.binary_search(&place).ok());
            let field = found.and_then(|found| fields.get(found));
            self.record.push(field.map_or("", String::as_str));
        }
        Ok(true)
    }

    fn text(&self, place: usize, field: &Field) -> Result<String, DataError> {
        Ok(match field {
            Field::Null => String::new(),
            Field::Str(text) => text.clone(),
            Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
                Ok(text) => text.to_owned(),
                Err(_) => {
                    let kind = "bytes that are no text";
                    return Err(self.type_refused(place, kind, "write it as text"));
                }
            },
            Field::Bool(value) => u8::from(*value).to_string(),
            Field::Byte(value) => value.to_string(),
            Field::Short(value) => value.to_string(),
            Field::Int(value) => value.to_string(),
            Field::Date(days) => (i64::from(*days) * 86_400).to_string(),
            Field::Long(value) | Field::TimestampMillis(value) | Field::TimestampMicros(value) => {
                value.to_string()
            }
            Field::UByte(value) => value.to_string(),
            Field::UShort(value) => value.to_string(),
            Field::UInt(value) => value.to_string(),
            Field::ULong(value) => value.to_string(),
            Field::Float(value) => value.to_string(),
            Field::Double(value) => value.to_string(),
            _ => {
                let kind = "neither a number nor text";
                return Err(self.type_refused(place, kind, "write it as text"));
            }
        })
    }
}

/// Opens a file whose footer has a believable length.
pub(crate) fn open(file: &Path) -> Result<SerializedFileReader<File>, DataError> {
    let failed = |source| DataError::Open {
        file: file.to_path_buf(),
        source,
    };
    let mut opened = File::open(file).map_err(failed)?;
    let mut length = [0; 4];
    if opened.seek(SeekFrom::End(-TAIL_BYTES)).is_ok() && opened.read_exact(&mut length).is_ok() {
        let limit = MAX_FOOTER_BYTES;
        if u32::from_le_bytes(length) > limit {
            return Err(DataError::BadParquet {
                file: file.to_path_buf(),
                row: 0,
                reason: format!("its footer says that it is longer than {limit} bytes"),
            });
        }
    }
    opened.rewind().map_err(failed)?;
    guarded(|| SerializedFileReader::new(opened)).map_err(|error| refused(file, 0, &error))
}

pub(crate) fn refused(file: &Path, row: u64, error: &ParquetError) -> DataError {
    DataError::BadParquet {
        file: file.to_path_buf(),
        row,
        reason: error.to_string(),
    }
}
