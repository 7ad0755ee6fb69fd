//! Parquet in several files, as a job of Spark or a query leaves it, as one file of JSON lines.

use std::io::{Error, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::DataError;
use crate::limits::{Limits, MAX_DECOMPRESSED_BYTES, MAX_ROWS};
use crate::parquet_rows::ParquetRows;

/// Writes the rows of `files`, one after the other, as JSON lines to `out`; returns how many. Every
/// value becomes text, as it is read of a single file; columns of lists and structures are left out.
///
/// # Errors
/// [`DataError::ParquetParts`] where a file has other columns than the first, [`DataError`] of a
/// file that cannot be read, and [`DataError::Open`] of `name` where `out` cannot be written.
pub fn parquet_as_json_lines(
    files: &[PathBuf],
    name: &Path,
    out: &mut impl Write,
) -> Result<u64, DataError> {
    let mut limits = Limits {
        bytes: MAX_DECOMPRESSED_BYTES,
        rows: MAX_ROWS,
    };
    let mut first: Option<Vec<String>> = None;
    for file in files {
        let mut rows = ParquetRows::open(file, &limits)?;
        let columns = rows.readable();
        let names: Vec<String> = columns
            .iter()
            .map(|place| rows.names[*place].clone())
            .collect();
        match &first {
            None => first = Some(names.clone()),
            Some(first) if *first != names => {
                return Err(DataError::ParquetParts {
                    file: file.clone(),
                    columns: names.join(", "),
                    first: first.join(", "),
                });
            }
            Some(_) => {}
        }
        let places: Vec<Option<usize>> = columns.into_iter().map(Some).collect();
        rows.select(&places)?;
        while rows.read()? {
            limits.rows = limits.rows.checked_sub(1).ok_or(DataError::TooManyRows {
                file: name.to_owned(),
                limit: MAX_ROWS,
            })?;
            write_row(&names, &rows, out).map_err(|source| DataError::Open {
                file: name.to_owned(),
                source,
            })?;
        }
    }
    Ok(MAX_ROWS - limits.rows)
}

fn write_row(names: &[String], rows: &ParquetRows, out: &mut impl Write) -> Result<(), Error> {
    let fields = names.iter().zip(rows.record().iter());
    let object: Map<String, Value> = fields
        .map(|(name, value)| (name.clone(), value.into()))
        .collect();
    serde_json::to_writer(&mut *out, &object)?;
    out.write_all(b"\n")
}
