//! Vectors in a column of lists.

use std::path::Path;
use std::sync::Arc;

use parquet::file::reader::FileReader;
use parquet::record::Field;
use parquet::schema::types::Type;

use super::{FactorOptions, Gathered, Side, Vectors};
use crate::DataError;
use crate::limits::Limits;
use crate::{parquet_pages, parquet_rows};

const USER: &[&str] = &["id", "user", "user_id", "userid", "uid"];
const ITEM: &[&str] = &["id", "item", "item_id", "itemid", "iid"];
const VECTOR: &[&str] = &[
    "vector",
    "vectors",
    "factors",
    "factor",
    "embedding",
    "embeddings",
    "values",
    "friends_sum",
];

pub(super) fn read(file: &Path, side: Side, options: &FactorOptions) -> Result<Vectors, DataError> {
    let refused = |error: parquet::errors::ParquetError| parquet_rows::refused(file, 0, &error);
    let reader = parquet_rows::open(file)?;
    let metadata = reader.metadata();
    let schema = metadata.file_metadata().schema_descr().root_schema();
    let fields = schema.get_fields().to_vec();
    let find = |names: &[&str]| {
        let called = |field: &&str| names.iter().any(|name| name.eq_ignore_ascii_case(field));
        let names = fields.iter().map(|field| field.name());
        names.enumerate().find(|(_, name)| called(name))
    };
    let ids = match side {
        Side::Users => USER,
        Side::Items => ITEM,
    };
    let missing = |names: &[&str], what: &'static str| DataError::ParquetType {
        file: file.to_path_buf(),
        column: names.join(", "),
        kind: what,
        remedy: "name the columns id and vector",
    };
    let (id, _) = find(ids).ok_or_else(|| missing(ids, "nothing: no column is called so"))?;
    let (vector, _) =
        find(VECTOR).ok_or_else(|| missing(VECTOR, "nothing: no column is called so"))?;
    let mut places = [id, vector];
    places.sort_unstable();
    let limits = Limits {
        bytes: options.max_bytes,
        rows: crate::MAX_ROWS,
    };
    parquet_pages::check(file, metadata, &places, &limits)?;
    let projection = Type::group_type_builder(schema.name())
        .with_fields(places.iter().map(|&p| Arc::clone(&fields[p])).collect())
        .build()
        .map_err(refused)?;
    let rows = parquet_rows::Rows::of(reader, projection).map_err(refused)?;
    let mut gathered = Gathered::new(file, side, options);
    for row in rows {
        let row = row.map_err(|error| parquet_rows::refused(file, gathered.row, &error))?;
        let mut columns = row.get_column_iter().map(|(_, field)| field);
        let (first, second) = (columns.next(), columns.next());
        let (own, list) = if id < vector {
            (first, second)
        } else {
            (second, first)
        };
        let own = own.and_then(text).ok_or_else(|| DataError::ParquetType {
            file: file.to_path_buf(),
            column: fields[id].name().to_owned(),
            kind: "neither text nor whole numbers",
            remedy: "write ids as text",
        })?;
        let Some(Field::ListInternal(list)) = list else {
            return Err(DataError::ParquetType {
                file: file.to_path_buf(),
                column: fields[vector].name().to_owned(),
                kind: "no list of floats in every row",
                remedy: "write one list of floats for each id",
            });
        };
        gathered.take(&own, list.elements().iter().map(number))?;
    }
    gathered.finish()
}

fn text(field: &Field) -> Option<String> {
    Some(match field {
        Field::Str(text) => text.clone(),
        Field::Bytes(bytes) => std::str::from_utf8(bytes.data()).ok()?.to_owned(),
        Field::Int(value) => value.to_string(),
        Field::Long(value) => value.to_string(),
        Field::UInt(value) => value.to_string(),
        Field::ULong(value) => value.to_string(),
        _ => return None,
    })
}

fn number(field: &Field) -> Option<f64> {
    match field {
        Field::Float(value) => Some(f64::from(*value)),
        Field::Double(value) => Some(*value),
        _ => None,
    }
}
