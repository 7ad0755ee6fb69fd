//! Parquet as rows of text, the form in which every other file arrives.

use crate::DataError;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, reader::RowIter};
use std::fs::File;
use std::path::{Path, PathBuf};

/// How a Parquet file begins.
pub(crate) const MAGIC: &[u8] = b"PAR1";

/// The rows of a file, its column names before them.
pub(crate) struct ParquetRows {
    file: PathBuf,
    /// Until they have been read.
    names: Option<csv::StringRecord>,
    rows: RowIter<'static>,
    row: u64,
}

impl ParquetRows {
    /// Refuses a file whose pages are longer than `limit_bytes` by its own account.
    pub(crate) fn open(file: &Path, limit_bytes: u64) -> Result<Self, DataError> {
        let opened = File::open(file).map_err(|source| DataError::Open {
            file: file.to_path_buf(),
            source,
        })?;
        let reader = SerializedFileReader::new(opened).map_err(|error| refused(file, 0, &error))?;
        let pages = reader.metadata().row_groups().iter();
        let bytes = pages.fold(0_u64, |sum, group| {
            sum.saturating_add(u64::try_from(group.total_byte_size()).unwrap_or(u64::MAX))
        });
        if bytes > limit_bytes {
            return Err(DataError::TooLarge {
                file: file.to_path_buf(),
                limit: limit_bytes,
            });
        }
        let schema = reader.metadata().file_metadata().schema_descr();
        let names = schema.root_schema().get_fields().iter();
        let names = names.map(|column| column.name().to_owned()).collect();
        Ok(Self {
            file: file.to_path_buf(),
            names: Some(names),
            rows: reader.into_iter(),
            row: 0,
        })
    }

    /// The row last read, from 1; 0 for the names.
    pub(crate) fn row(&self) -> u64 {
        self.row
    }

    /// Reads the names, then row by row the fields at `positions`; others are left empty, as is
    /// null. False at the end.
    pub(crate) fn read(
        &mut self,
        record: &mut csv::StringRecord,
        positions: &[usize],
    ) -> Result<bool, DataError> {
        if let Some(names) = self.names.take() {
            *record = names;
            return Ok(true);
        }
        let row = match self.rows.next() {
            None => return Ok(false),
            Some(row) => row.map_err(|error| refused(&self.file, self.row, &error))?,
        };
        self.row += 1;
        record.clear();
        for (position, (name, field)) in row.get_column_iter().enumerate() {
            if positions.contains(&position) {
                record.push_field(&self.text(name, field)?);
            } else {
                record.push_field("");
            }
        }
        Ok(true)
    }

    fn text(&self, name: &str, field: &Field) -> Result<String, DataError> {
        Ok(match field {
            Field::Null => String::new(),
            Field::Str(text) => text.trim().to_owned(),
            Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
                Ok(text) => text.trim().to_owned(),
                Err(_) => {
                    let (file, line) = (self.file.clone(), self.row);
                    return Err(DataError::NotText { file, line });
                }
            },
            Field::Bool(value) => u8::from(*value).to_string(),
            Field::Byte(value) => value.to_string(),
            Field::Short(value) => value.to_string(),
            Field::Int(value) | Field::Date(value) => value.to_string(),
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
                let reason = format!("column {name:?} holds neither numbers nor text");
                return Err(DataError::BadParquet {
                    file: self.file.clone(),
                    row: self.row,
                    reason,
                });
            }
        })
    }
}

fn refused(file: &Path, row: u64, error: &ParquetError) -> DataError {
    DataError::BadParquet {
        file: file.to_path_buf(),
        row,
        reason: error.to_string(),
    }
}
