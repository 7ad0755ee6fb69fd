//! Parquet files read as the same rows in text are.

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use s3rec_data::{Column, ColumnError, DataError, LinkOptions, LinkSet, RatingOptions, RatingSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Users (null where `None`), whole-number items, ratings.
type Row = (Option<&'static str>, i64, f64);

const ROWS: [Row; 4] = [
    (Some("ann"), 7, 3.5),
    (Some("bob"), 8, 1.0),
    (Some("ann"), 8, 5.0),
    (Some("ann"), 7, 4.0),
];

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn write(directory: &Path, compression: Compression, rows: &[Row]) -> PathBuf {
    let path = directory.join("ratings");
    let schema =
        "message m { required double stars; optional binary who (UTF8); required int64 film; }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder().set_compression(compression);
    let file = File::create(&path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties.build())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let stars: Vec<f64> = rows.iter().map(|row| row.2).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<DoubleType>()
        .write_batch(&stars, None, None)
        .unwrap();
    column.close().unwrap();
    let who: Vec<ByteArray> = rows
        .iter()
        .filter_map(|row| row.0)
        .map(ByteArray::from)
        .collect();
    let present: Vec<i16> = rows.iter().map(|row| i16::from(row.0.is_some())).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<ByteArrayType>()
        .write_batch(&who, Some(&present), None)
        .unwrap();
    column.close().unwrap();
    let films: Vec<i64> = rows.iter().map(|row| row.1).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<Int64Type>()
        .write_batch(&films, None, None)
        .unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    path
}

fn by_name() -> RatingOptions {
    RatingOptions {
        user: Column::Name("who".into()),
        item: Column::Name("Film".into()),
        rating: Column::Index(0),
        ..RatingOptions::default()
    }
}

#[test]
fn the_rows_are_those_of_the_same_text() {
    let directory = tempfile::tempdir().unwrap();
    let text = "stars,who,film\n3.5,ann,7\n1,bob,8\n5,ann,8\n4,ann,7\n";
    let expected = RatingSet::read_from(Path::new("r.csv"), text.as_bytes(), &by_name()).unwrap();
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(Default::default()),
        Compression::ZSTD(Default::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
    ] {
        let path = write(directory.path(), compression, &ROWS);
        let read = RatingSet::read(&path, &by_name()).unwrap();
        assert_eq!(read.ratings, expected.ratings);
        let mut report = read.report.clone();
        assert!(report.reading.read_as.starts_with("Parquet: user \"who\""));
        report.reading.read_as = expected.report.reading.read_as.clone();
        assert_eq!(report, expected.report);
        assert!(read.items.names().eq(expected.items.names()));
    }
    let links = LinkOptions {
        truster: Column::Name("who".into()),
        trustee: Column::Name("film".into()),
        ..LinkOptions::default()
    };
    let path = directory.path().join("ratings");
    assert_eq!(LinkSet::read(&path, &links).unwrap().links.len(), 3);
}

#[test]
fn several_files_are_read_as_one_and_must_be_alike() {
    let directory = tempfile::tempdir().unwrap();
    let part = |name: &str, rows: &[Row]| {
        let written = write(directory.path(), Compression::SNAPPY, rows);
        let path = directory.path().join(name);
        std::fs::rename(written, &path).unwrap();
        path
    };
    let parts = [part("1", &ROWS[..1]), part("2", &ROWS[1..])];
    let whole = write(directory.path(), Compression::UNCOMPRESSED, &ROWS);
    let lines = directory.path().join("lines");
    let mut out = File::create(&lines).unwrap();
    assert_eq!(
        s3rec_data::parquet_as_json_lines(&parts, &lines, &mut out).unwrap(),
        4
    );
    let by_name = RatingOptions {
        rating: Column::Name("stars".into()),
        ..by_name()
    };
    let read = RatingSet::read(&lines, &by_name).unwrap();
    let expected = RatingSet::read(&whole, &by_name).unwrap();
    assert_eq!(read.ratings, expected.ratings);
    assert!(read.items.names().eq(expected.items.names()));

    let other = directory.path().join("3");
    let factors = "message m { required double stars; }";
    let schema = Arc::new(parse_message_type(factors).unwrap());
    let file = File::create(&other).unwrap();
    let writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
    writer.close().unwrap();
    let parts = [parts[0].clone(), other];
    let refused = s3rec_data::parquet_as_json_lines(&parts, &lines, &mut Vec::new());
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("stars, who, film"), "{refused}");
}

#[test]
fn what_makes_no_sense_is_refused_with_its_row() {
    let directory = tempfile::tempdir().unwrap();
    let path = write(
        directory.path(),
        Compression::UNCOMPRESSED,
        &[ROWS[0], (None, 1, 2.0)],
    );
    let refused = RatingSet::read(&path, &by_name()).err().unwrap();
    assert!(
        matches!(
            &refused,
            DataError::EmptyField {
                line: 2,
                field: "user",
                ..
            }
        ),
        "{refused}"
    );
    let absent = RatingOptions {
        user: Column::Name("nobody".into()),
        ..by_name()
    };
    let refused = RatingSet::read(&path, &absent).err().unwrap();
    assert!(
        matches!(
            &refused,
            DataError::Columns {
                source: ColumnError::NoSuchColumn { .. },
                ..
            }
        ),
        "{refused}"
    );

    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 9]).unwrap();
    let refused = RatingSet::read(&path, &by_name()).err().unwrap();
    assert!(
        matches!(&refused, DataError::BadParquet { .. }),
        "{refused}"
    );
}

#[test]
fn pages_and_rows_beyond_the_limit_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = write(directory.path(), Compression::UNCOMPRESSED, &ROWS);
    let bounded = RatingOptions {
        max_decompressed_bytes: 40,
        ..by_name()
    };
    let refused = RatingSet::read(&path, &bounded).err().unwrap();
    assert!(
        matches!(&refused, DataError::TooLarge { limit: 40, .. }),
        "{refused}"
    );
}

/// Equal rows take next to nothing in a file, and time and room once they are read.
#[test]
fn equal_rows_are_counted_while_they_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let rows = vec![ROWS[0]; 300_000];
    let path = write(directory.path(), Compression::SNAPPY, &rows);
    assert!(path.metadata().unwrap().len() < 100_000);
    let few = RatingOptions {
        max_rows: 1000,
        ..by_name()
    };
    let refused = RatingSet::read(&path, &few).err().unwrap();
    assert!(
        matches!(&refused, DataError::TooManyRows { limit: 1000, .. }),
        "{refused}"
    );
    // Six bytes of fields and three between them a row, though the pages are far smaller.
    let small = RatingOptions {
        max_decompressed_bytes: 1 << 20,
        ..by_name()
    };
    let refused = RatingSet::read(&path, &small).err().unwrap();
    assert!(matches!(&refused, DataError::TooLarge { .. }), "{refused}");
}
