//! What friends' sums say of users, as Parquet for whoever ranks.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as PhysicalType};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

use crate::DataError;

/// Rows of one row group.
const GROUP_ROWS: usize = 1 << 16;

/// One opened user.
#[derive(Debug, Clone, PartialEq)]
pub struct FriendsRow<'a> {
    /// Who.
    pub id: &'a str,
    /// The noised sum of their friends' rows, C values.
    pub sum: Vec<f64>,
    /// Length of the sum less that of its noise, in friends' rows.
    pub noisy_degree: f64,
    /// The factor that the sum says they have, in the space of P0's own factors; k values.
    pub estimate: Vec<f64>,
    /// Whether it beat popularity on calibration users.
    pub is_used: bool,
}

/// Writes one row for each user: `id` (text), `friends_sum` (list of double), `noisy_degree`
/// (double), `estimate` (list of double), `is_used` (boolean).
///
/// # Errors
/// [`DataError::Write`].
pub fn write_friends(file: &Path, rows: &[FriendsRow<'_>]) -> Result<(), DataError> {
    let failed = |reason: String| DataError::Write {
        file: file.to_path_buf(),
        reason,
    };
    let opened = File::create(file).map_err(|error| failed(error.to_string()))?;
    write(opened, rows).map_err(|error| failed(error.to_string()))
}

fn write(file: File, rows: &[FriendsRow<'_>]) -> Result<(), ParquetError> {
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(file, schema()?, properties)?;
    for rows in rows.chunks(GROUP_ROWS) {
        let mut group = writer.next_row_group()?;
        texts(&mut group, rows.iter().map(|row| row.id))?;
        lists(&mut group, rows.iter().map(|row| &row.sum[..]))?;
        let degrees: Vec<f64> = rows.iter().map(|row| row.noisy_degree).collect();
        column(&mut group, |writer| match writer {
            ColumnWriter::DoubleColumnWriter(writer) => {
                writer.write_batch(&degrees, None, None).map(drop)
            }
            _ => Err(ParquetError::General("noisy_degree is no double".into())),
        })?;
        lists(&mut group, rows.iter().map(|row| &row.estimate[..]))?;
        let used: Vec<bool> = rows.iter().map(|row| row.is_used).collect();
        column(&mut group, |writer| match writer {
            ColumnWriter::BoolColumnWriter(writer) => {
                writer.write_batch(&used, None, None).map(drop)
            }
            _ => Err(ParquetError::General("is_used is no boolean".into())),
        })?;
        group.close()?;
    }
    writer.close().map(drop)
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
