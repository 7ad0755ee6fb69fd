//! Lists of recommendations as Parquet: a row for each item of each user's list.
//!
//! | column | type | |
//! |---|---|---|
//! | `user` | text | as in the ratings file |
//! | `place` | int32 | from 1, the best |
//! | `item` | text | as in the ratings file |
//! | `score` | double | what the list is ordered by |

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, Type as PhysicalType};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

use crate::DataError;

/// Rows of one row group.
const GROUP_ROWS: usize = 1 << 18;

/// A file of lists that is being written, a row group in memory at a time.
pub struct ListsFile {
    path: PathBuf,
    writer: SerializedFileWriter<File>,
    users: Vec<ByteArray>,
    places: Vec<i32>,
    items: Vec<ByteArray>,
    scores: Vec<f64>,
    rows: u64,
}

impl ListsFile {
    /// Begins a file, replacing what is there.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn create(path: &Path) -> Result<Self, DataError> {
        let failed = |reason: String| DataError::Write {
            file: path.to_owned(),
            reason,
        };
        let file = File::create(path).map_err(|error| failed(error.to_string()))?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
        let writer = schema()
            .and_then(|schema| {
                SerializedFileWriter::new(file, schema, Arc::new(properties.build()))
            })
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            path: path.to_owned(),
            writer,
            users: Vec::new(),
            places: Vec::new(),
            items: Vec::new(),
            scores: Vec::new(),
            rows: 0,
        })
    }

    /// Adds a user's list, best first.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn add<'a>(
        &mut self,
        user: &str,
        list: impl IntoIterator<Item = (&'a str, f64)>,
    ) -> Result<(), DataError> {
        let user = ByteArray::from(user);
        for (place, (item, score)) in (1..).zip(list) {
            self.users.push(user.clone());
            self.places.push(place);
            self.items.push(ByteArray::from(item));
            self.scores.push(score);
        }
        if self.places.len() >= GROUP_ROWS {
            self.flush()?;
        }
        Ok(())
    }

    /// Ends the file; how many rows it has.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn finish(mut self) -> Result<u64, DataError> {
        self.flush()?;
        let path = self.path;
        let closed = self.writer.close();
        closed.map_err(|error| DataError::Write {
            file: path,
            reason: error.to_string(),
        })?;
        Ok(self.rows)
    }

    fn flush(&mut self) -> Result<(), DataError> {
        self.write_group().map_err(|error| DataError::Write {
            file: self.path.clone(),
            reason: error.to_string(),
        })
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        if self.places.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        column::<ByteArrayType>(&mut group, &self.users)?;
        column::<Int32Type>(&mut group, &self.places)?;
        column::<ByteArrayType>(&mut group, &self.items)?;
        column::<DoubleType>(&mut group, &self.scores)?;
        group.close()?;
        self.rows += self.places.len() as u64;
        self.users.clear();
        self.places.clear();
        self.items.clear();
        self.scores.clear();
        Ok(())
    }
}

/// Writes the next column.
fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: &[T::T],
) -> Result<(), ParquetError> {
    let next = group.next_column()?;
    let mut next =
        next.ok_or_else(|| ParquetError::General("there is no further column".into()))?;
    next.typed::<T>().write_batch(values, None, None)?;
    next.close()
}

fn schema() -> Result<TypePtr, ParquetError> {
    let field = |name: &str, kind: PhysicalType| {
        let field = Type::primitive_type_builder(name, kind);
        let field = field.with_repetition(Repetition::REQUIRED);
        match kind {
            PhysicalType::BYTE_ARRAY => field
                .with_converted_type(ConvertedType::UTF8)
                .with_logical_type(Some(LogicalType::String)),
            _ => field,
        }
        .build()
        .map(Arc::new)
    };
    let fields = vec![
        field("user", PhysicalType::BYTE_ARRAY)?,
        field("place", PhysicalType::INT32)?,
        field("item", PhysicalType::BYTE_ARRAY)?,
        field("score", PhysicalType::DOUBLE)?,
    ];
    let schema = Type::group_type_builder("lists").with_fields(fields);
    schema.build().map(Arc::new)
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    use super::*;

    #[test]
    fn lists_come_back_row_by_row_over_several_groups() {
        let directory = std::env::temp_dir().join(format!("s3rec-lists-{}", std::process::id()));
        let users = 3 * GROUP_ROWS / 4;
        let mut file = ListsFile::create(&directory).unwrap();
        for user in 0..users {
            let list = [("a", 2.0), ("ü", user as f64)];
            file.add(&format!("user {user}"), list).unwrap();
        }
        assert_eq!(file.finish().unwrap(), 2 * users as u64);
        let reader = SerializedFileReader::new(File::open(&directory).unwrap()).unwrap();
        assert_eq!(reader.metadata().num_row_groups(), 2);
        let mut rows = reader.get_row_iter(None).unwrap();
        for user in 0..users {
            for (place, (item, score)) in (1..).zip([("a", 2.0), ("ü", user as f64)]) {
                let row = rows.next().unwrap().unwrap();
                assert_eq!(row.get_string(0).unwrap(), &format!("user {user}"));
                assert_eq!(row.get_int(1).unwrap(), place);
                assert_eq!(row.get_string(2).unwrap(), item);
                assert_eq!(row.get_double(3).unwrap(), score);
            }
        }
        assert!(rows.next().is_none());
        std::fs::remove_file(directory).unwrap();
        assert!(ListsFile::create(Path::new("/nowhere/lists")).is_err());
    }
}
