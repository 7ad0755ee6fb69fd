//! What friends' sums say of users, as Parquet for whoever ranks.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as PhysicalType};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

use crate::DataError;

/// Rows of one row group, at most.
pub const GROUP_ROWS: usize = 1 << 16;

/// One opened user.
#[derive(Debug, Clone, PartialEq)]
pub struct FriendsRow<'a> {
    /// Who.
    pub id: &'a str,
    /// The noised sum of their friends' rows, C values.
    pub sum: &'a [f64],
    /// Length of the sum less that of its noise, in friends' rows.
    pub noisy_degree: f64,
    /// The factor that the sum says they have, in the space of P0's own factors; k values.
    pub estimate: &'a [f64],
    /// Whether it beat popularity on calibration users.
    pub is_used: bool,
}

/// Writes one row for each user: `id` (text), `friends_sum` (list of double), `noisy_degree`
/// (double), `estimate` (list of double), `is_used` (boolean). What is there before it is
/// [finished](Self::finish) is no Parquet file.
pub struct FriendsWriter {
    file: PathBuf,
    writer: SerializedFileWriter<File>,
}

impl FriendsWriter {
    /// Creates the file, or empties it.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn create(file: &Path) -> Result<Self, DataError> {
        let failed = |error: ParquetError| failed(file, &error);
        let opened = File::create(file).map_err(|error| failed(error.into()))?;
        let properties = Arc::new(WriterProperties::builder().build());
        let schema = schema().map_err(failed)?;
        let writer = SerializedFileWriter::new(opened, schema, properties).map_err(failed)?;
        Ok(Self {
            file: file.to_path_buf(),
            writer,
        })
    }

    /// Writes further users, in row groups of [`GROUP_ROWS`] at most.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn write(&mut self, rows: &[FriendsRow<'_>]) -> Result<(), DataError> {
        for rows in rows.chunks(GROUP_ROWS) {
            let written = write_group(&mut self.writer, rows);
            written.map_err(|error| failed(&self.file, &error))?;
        }
        Ok(())
    }

    /// Writes what makes it a Parquet file.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn finish(self) -> Result<(), DataError> {
        let closed = self.writer.close();
        closed.map(drop).map_err(|error| failed(&self.file, &error))
    }
}

fn failed(file: &Path, error: &ParquetError) -> DataError {
    DataError::Write {
        file: file.to_path_buf(),
        reason: error.to_string(),
    }
}

fn write_group(
    writer: &mut SerializedFileWriter<File>,
    rows: &[FriendsRow<'_>],
) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    texts(&mut group, rows.iter().map(|row| row.id))?;
    lists(&mut group, rows.iter().map(|row| row.sum))?;
    let degrees: Vec<f64> = rows.iter().map(|row| row.noisy_degree).collect();
    column(&mut group, |writer| match writer {
        ColumnWriter::DoubleColumnWriter(writer) => {
            writer.write_batch(&degrees, None, None).map(drop)
        }
        _ => Err(ParquetError::General("noisy_degree is no double".into())),
    })?;
    lists(&mut group, rows.iter().map(|row| row.estimate))?;
    let used: Vec<bool> = rows.iter().map(|row| row.is_used).collect();
    column(&mut group, |writer| match writer {
        ColumnWriter::BoolColumnWriter(writer) => writer.write_batch(&used, None, None).map(drop),
        _ => Err(ParquetError::General("is_used is no boolean".into())),
    })?;
    group.close().map(drop)
}

fn schema() -> Result<TypePtr, ParquetError> {
    let plain = |name: &str, kind: PhysicalType| {
        let column = Type::primitive_type_builder(name, kind).with_repetition(Repetition::REQUIRED);
        column.build().map(Arc::new)
    };
    let list = |name: &str| {
        let list = Type::group_type_builder("list")
            .with_repetition(Repetition::REPEATED)
            .with_fields(vec![plain("element", PhysicalType::DOUBLE)?])
            .build()?;
        let list = Type::group_type_builder(name)
            .with_repetition(Repetition::REQUIRED)
            .with_converted_type(ConvertedType::LIST)
            .with_logical_type(Some(LogicalType::List))
            .with_fields(vec![Arc::new(list)]);
        list.build().map(Arc::new)
    };
    let id = Type::primitive_type_builder("id", PhysicalType::BYTE_ARRAY)
        .with_repetition(Repetition::REQUIRED)
        .with_converted_type(ConvertedType::UTF8)
        .with_logical_type(Some(LogicalType::String))
        .build()?;
    let fields = vec![
        Arc::new(id),
        list("friends_sum")?,
        plain("noisy_degree", PhysicalType::DOUBLE)?,
        list("estimate")?,
        plain("is_used", PhysicalType::BOOLEAN)?,
    ];
    let schema = Type::group_type_builder("friends").with_fields(fields);
    schema.build().map(Arc::new)
}

/// Writes the next column.
fn column(
    group: &mut SerializedRowGroupWriter<'_, File>,
    write: impl FnOnce(&mut ColumnWriter<'_>) -> Result<(), ParquetError>,
) -> Result<(), ParquetError> {
    let mut next = group
        .next_column()?
        .ok_or_else(|| ParquetError::General("there is no further column".into()))?;
    write(next.untyped())?;
    next.close()
}

fn texts<'a>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    texts: impl Iterator<Item = &'a str>,
) -> Result<(), ParquetError> {
    let texts: Vec<ByteArray> = texts.map(ByteArray::from).collect();
    column(group, |writer| match writer {
        ColumnWriter::ByteArrayColumnWriter(writer) => {
            writer.write_batch(&texts, None, None).map(drop)
        }
        _ => Err(ParquetError::General("id is no text".into())),
    })
}

fn lists<'a>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    lists: impl Iterator<Item = &'a [f64]>,
) -> Result<(), ParquetError> {
    let (mut values, mut definition, mut repetition) = (Vec::new(), Vec::new(), Vec::new());
    for list in lists {
        // A value is there at level 1; the first of a list begins a row, an empty list has none.
        definition.extend(list.iter().map(|_| 1i16));
        repetition.extend((0..list.len()).map(|place| i16::from(place > 0)));
        if list.is_empty() {
            definition.push(0);
            repetition.push(0);
        }
        values.extend_from_slice(list);
    }
    column(group, |writer| match writer {
        ColumnWriter::DoubleColumnWriter(writer) => {
            let levels = (Some(&definition[..]), Some(&repetition[..]));
            writer.write_batch(&values, levels.0, levels.1).map(drop)
        }
        _ => Err(ParquetError::General("a list holds no doubles".into())),
    })
}
