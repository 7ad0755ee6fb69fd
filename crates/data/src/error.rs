use std::path::PathBuf;
use thiserror::Error;

use crate::ColumnError;

/// Why a file was refused: which file, which line, which field, and how to mend it.
#[derive(Debug, Error)]
pub enum DataError {
    /// The file cannot be opened.
    #[error("cannot open {}: {source}; check the path and the permissions", file.display())]
    Open {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Reading stopped with a system error.
    #[error("reading {} failed after line {line}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The last line read whole.
        line: u64,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A compressed file ends before its data does, or is damaged.
    #[error("{} is truncated or damaged after line {line} ({source}); fetch it again", file.display())]
    Truncated {
        /// The file.
        file: PathBuf,
        /// The last line read whole.
        line: u64,
        /// What the decoder says.
        source: std::io::Error,
    },
    /// A file is longer than allowed once it is decompressed or decoded.
    #[error(
        "{} is longer than {limit} bytes once decompressed; split it, or allow longer files",
        file.display()
    )]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// A file has more rows than are read.
    #[error("{} has more than {limit} rows; split it", file.display())]
    TooManyRows {
        /// The file.
        file: PathBuf,
        /// The limit.
        limit: u64,
    },
    /// A row is longer than any row of ratings or links.
    #[error(
        "{}:{line}: this row is longer than {limit} bytes; is it text, one row a line?",
        file.display()
    )]
    RowTooLong {
        /// The file.
        file: PathBuf,
        /// The line.
        line: u64,
        /// The limit in bytes.
        limit: usize,
    },
    /// A file of a kind that is not read.
    #[error("{} is {kind}; {remedy}", file.display())]
    OtherKind {
        /// The file.
        file: PathBuf,
        /// What it is.
        kind: String,
        /// What to do instead.
        remedy: &'static str,
    },
    /// A line of JSON cannot be read.
    #[error(
        "{}:{line}: not JSON with one object a line and plain values: {reason}",
        file.display()
    )]
    BadJson {
        /// The file.
        file: PathBuf,
        /// The line.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A Parquet column is of a type that is not read.
    #[error("{}: column {column:?} holds {kind}; {remedy}", file.display())]
    ParquetType {
        /// The file.
        file: PathBuf,
        /// The column.
        column: String,
        /// What it holds.
        kind: &'static str,
        /// What to do instead.
        remedy: &'static str,
    },
    /// A Parquet file has other columns than the one before it.
    #[error(
        "{} has the columns {columns}; the files before it have {first}: import them apart, or write all alike",
        file.display()
    )]
    ParquetParts {
        /// The file.
        file: PathBuf,
        /// Its columns that can be read.
        columns: String,
        /// Those of the first file.
        first: String,
    },
    /// A Parquet file cannot be read.
    #[error(
        "{} cannot be read as Parquet after row {row}: {reason}; write it uncompressed or with snappy, gzip, zstd or lz4",
        file.display()
    )]
    BadParquet {
        /// The file.
        file: PathBuf,
        /// The last row read whole.
        row: u64,
        /// What the decoder says.
        reason: String,
    },
    /// A vector that cannot be used.
    #[error("{}: row {row} ({id:?}): {what}", file.display())]
    BadVector {
        /// The file.
        file: PathBuf,
        /// The row, from 1.
        row: u64,
        /// Whose it is.
        id: String,
        /// What is wrong with it.
        what: String,
    },
    /// A file of tensors cannot be read.
    #[error("{}: {reason}", file.display())]
    BadTensors {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file cannot be written.
    #[error("writing {} failed: {reason}", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// The text is not UTF-8.
    #[error("{}:{line}: neither UTF-8 nor UTF-16 text; save the file as UTF-8", file.display())]
    NotText {
        /// The file.
        file: PathBuf,
        /// The line.
        line: u64,
    },
    /// A row has too few fields: a truncated line or another delimiter.
    #[error(
        "{}:{line}: field {field} is missing, the row has {actual} (expected at least {expected}, \
         separated by {delimiter}); give the right delimiter (--delimiter), or mend or delete the \
         line",
        file.display()
    )]
    MissingField {
        /// The file.
        file: PathBuf,
        /// The line.
        line: u64,
        /// The field's name.
        field: &'static str,
        /// Fields needed.
        expected: usize,
        /// Fields found.
        actual: usize,
        /// The delimiter used.
        delimiter: &'static str,
    },
    /// A row is not as wide as the others.
    #[error(
        "{}:{line}: this row has {actual} fields and line {first_line} has {expected} (separated \
         by {delimiter}); quote fields that hold the delimiter, or mend or delete the line; of \
         links, rows that list all friends of a user are read with --adjacency",
        file.display()
    )]
    WrongWidth {
        /// The file.
        file: PathBuf,
        /// The line.
        line: u64,
        /// Fields of the line that it is held against.
        expected: usize,
        /// Fields found.
        actual: usize,
        /// That line.
        first_line: u64,
        /// The delimiter used.
        delimiter: &'static str,
    },
    /// A quoted field does not end as it should.
    #[error(
        "{}:{line}: a quoted field is not closed, or goes on after its closing quote; double the \
         quotes inside quoted fields, or mend or delete the line",
        file.display()
    )]
    BadQuote {
        /// The file.
        file: PathBuf,
        /// The line.
        line: u64,
    },
    /// A field is empty.
    #[error("{}:{line}: field {field} is empty; fill it in or delete the line", file.display())]
    EmptyField {
        /// The file.
        file: PathBuf,
        /// The line.
        line: u64,
        /// The field's name.
        field: &'static str,
    },
    /// An id is longer than any sensible id.
    #[error(
        "{}:{line}: field {field} has {actual} bytes (at most {limit}); is the delimiter right?",
        file.display()
    )]
    IdTooLong {
        /// The file.
        file: PathBuf,
        /// The line.
        line: u64,
        /// The field's name.
        field: &'static str,
        /// The limit in bytes.
        limit: usize,
        /// Its length in bytes.
        actual: usize,
    },
    /// Two spellings of ids that normalise alike.
    #[error(
        "{}:{line}: field {field} is {written:?}, which rule {rule} takes for {first:?} of line \
         {first_line}; write the same person's id alike in every row, and other people's apart",
        file.display()
    )]
    TwoSpellings {
        /// The file.
        file: PathBuf,
        /// The line.
        line: u64,
        /// The field's name.
        field: &'static str,
        /// What stands there.
        written: String,
        /// What stood there first.
        first: String,
        /// Where.
        first_line: u64,
        /// The rule's name.
        rule: &'static str,
    },
    /// A rating or a weight is not a finite number.
    #[error(
        "{}:{line}: field {field} is {actual:?}, expected a number such as 3.5; {remedy}",
        file.display()
    )]
    NotANumber {
        /// The file.
        file: PathBuf,
        /// The line.
        line: u64,
        /// The field's name.
        field: &'static str,
        /// What to do.
        remedy: &'static str,
        /// What stands there.
        actual: String,
    },
    /// A field says that there is no value.
    #[error(
        "{}:{line}: field {field} is {actual:?}, no value; delete such rows, or have them dropped \
         and counted (--drop-missing)",
        file.display()
    )]
    Missing {
        /// The file.
        file: PathBuf,
        /// The line.
        line: u64,
        /// The field's name.
        field: &'static str,
        /// What stands there.
        actual: String,
    },
    /// A count below one.
    #[error(
        "{}:{line}: field rating is the count {actual}, and counts begin at 1: who never chose an \
         item has no row; delete such rows, or have counts of 0 dropped (--drop-missing)",
        file.display()
    )]
    NotACount {
        /// The file.
        file: PathBuf,
        /// The line.
        line: u64,
        /// What stands there.
        actual: f32,
    },
    /// A time is none.
    #[error(
        "{}:{line}: field timestamp is {actual:?}, expected seconds or milliseconds since 1970, \
         or ISO 8601 such as 2010-10-19T23:55:00Z; or read no times (--timestamp-column none)",
        file.display()
    )]
    NotATime {
        /// The file.
        file: PathBuf,
        /// The line.
        line: u64,
        /// What stands there.
        actual: String,
    },
    /// A scale was given for counts, which have none.
    #[error("counts have no scale; leave it out, or read the column as ratings")]
    CountsHaveNoScale,
    /// A rating lies outside the given scale and rows outside are refused.
    #[error(
        "{}:{line}: field rating is {actual}, outside the scale {min} to {max}; \
         give the right scale or have such rows dropped",
        file.display()
    )]
    OutOfScale {
        /// The file.
        file: PathBuf,
        /// The line.
        line: u64,
        /// The rating.
        actual: f32,
        /// The scale's lowest value.
        min: f32,
        /// The scale's highest value.
        max: f32,
    },
    /// A (user, item) pair occurs twice and duplicates are refused.
    #[error(
        "{}:{line}: user {user:?} rates item {item:?} a second time; \
         delete one row or choose how duplicates are merged",
        file.display()
    )]
    Duplicate {
        /// The file.
        file: PathBuf,
        /// The line of the repetition.
        line: u64,
        /// The user's id.
        user: String,
        /// The item's id.
        item: String,
    },
    /// A delimiter that nothing here is separated by.
    #[error("the delimiter {actual:?} is none of a tab, ',', ';', '|', '::' or spaces")]
    BadDelimiter {
        /// What was given.
        actual: String,
    },
    /// A column's number that no column has.
    #[error("column {actual} is out of range: columns are numbered from 1")]
    BadColumn {
        /// What was given.
        actual: usize,
    },
    /// An id that no platform gave to anybody: what made the file has damaged it.
    #[error("{}:{line}: field {field} is {actual:?}, {damage}", file.display())]
    DamagedId {
        /// The file.
        file: PathBuf,
        /// The line.
        line: u64,
        /// The field's name.
        field: &'static str,
        /// What stands there.
        actual: String,
        /// What has happened to it, and what to do.
        damage: &'static str,
    },
    /// It is not certain which column holds what.
    #[error("{}: {source}", file.display())]
    Columns {
        /// The file.
        file: PathBuf,
        /// What is not certain, and what settles it.
        source: ColumnError,
    },
    /// Nothing is left to learn from.
    #[error("{} has no usable row ({rows} read, {dropped} dropped)", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
        /// Rows read.
        rows: u64,
        /// Rows dropped.
        dropped: u64,
    },
    /// All ratings are the same, so that there is nothing to predict.
    #[error(
        "every rating in {} is {value}: is it the right column? Purchases, plays and the like are \
         read as counts (--counts)",
        file.display()
    )]
    Constant {
        /// The file.
        file: PathBuf,
        /// The only value.
        value: f32,
    },
    /// The scale given is not a scale.
    #[error("a rating scale needs finite min < max, not {min} to {max}")]
    BadScale {
        /// Lowest value given.
        min: f32,
        /// Highest value given.
        max: f32,
    },
    /// More distinct ids than 32-bit indices can name.
    #[error("{} has more than {limit} distinct ids in field {field}", file.display())]
    TooManyIds {
        /// The file.
        file: PathBuf,
        /// The field's name.
        field: &'static str,
        /// The limit.
        limit: u32,
    },
    /// A split that leaves one side without ratings.
    #[error("{ratings} ratings cannot be split into {parts} parts")]
    BadSplit {
        /// Ratings there are.
        ratings: usize,
        /// Parts asked for.
        parts: usize,
    },
    /// A synthetic set that cannot be drawn.
    #[error("synthetic set: {field} is {actual}, expected {expected}")]
    BadSynthetic {
        /// The setting.
        field: &'static str,
        /// Its value.
        actual: f64,
        /// What it must be.
        expected: &'static str,
    },
}
