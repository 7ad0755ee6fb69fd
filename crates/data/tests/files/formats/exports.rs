//! What databases, spreadsheets and statistics programs write.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use s3rec_data::{Column, Header, RatingOptions, RatingSet, SuspicionKind};

use super::{columns, ratings, refused, rows};

#[test]
fn excel_csv_of_a_european_locale() {
    let text = "\u{feff}Benutzer;Film;Wertung\r\n17;4;3,5\r\n18;4;1.000,0\r\n";
    refused(
        ratings("r.csv", text, &RatingOptions::default()),
        &["\"Film\"", "--header"],
    );
    let named = RatingOptions {
        user: Column::Name("Benutzer".into()),
        item: Column::Name("Film".into()),
        rating: Column::Name("wertung".into()),
        decimal_comma: true,
        ..RatingOptions::default()
    };
    let set = ratings("r.csv", text, &named).unwrap();
    assert_eq!(rows(&set), [("17", "4", 3.5), ("18", "4", 1000.0)]);
}

#[test]
fn excel_unicode_text() {
    let text = "user\titem\trating\r\nZo\u{eb}\tx\t3\r\nann\tx\t4\r\n";
    let mut bytes = vec![0xff, 0xfe];
    bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    let name = std::path::Path::new("r.txt");
    let set = RatingSet::read_from(name, &bytes[..], &RatingOptions::default()).unwrap();
    assert_eq!(rows(&set)[0], ("Zo\u{eb}", "x", 3.0));
}

#[test]
fn r_write_csv_and_write_table() {
    let csv = "\"\",\"user\",\"item\",\"rating\"\n\"1\",\"a\",\"x\",5\n\"2\",\"b\",\"x\",3\n";
    let table = "\"user\" \"item\" \"rating\"\n\"1\" \"a\" \"x\" 5\n\"2\" \"b\" \"x\" 3\n";
    for text in [csv, table] {
        refused(
            ratings("r.txt", text, &RatingOptions::default()),
            &["--index-column"],
        );
        let options = RatingOptions {
            index_column: true,
            ..RatingOptions::default()
        };
        let set = ratings("r.txt", text, &options).unwrap();
        assert_eq!(rows(&set), [("a", "x", 5.0), ("b", "x", 3.0)]);
    }
    let missing = "user,item,rating\na,x,5\nb,x,NA\nc,x,2\n";
    refused(
        ratings("r.csv", missing, &RatingOptions::default()),
        &[":3:", "\"NA\"", "--drop-missing"],
    );
}

#[test]
fn pandas_without_names() {
    // to_csv of a frame whose columns were never named: numbers as a header, and an index.
    let text = ",0,1,2\n0,a,x,5\n1,b,x,3\n";
    assert!(ratings("r.csv", text, &RatingOptions::default()).is_err());
    let options = RatingOptions {
        header: Header::Present,
        ..columns(2, 3, 4, 0)
    };
    assert_eq!(
        rows(&ratings("r.csv", text, &options).unwrap()),
        [("a", "x", 5.0), ("b", "x", 3.0)]
    );
    let floats = "user_id,item_id,rating\n1.0,7,5\n2.0,7,3\n";
    let report = ratings("r.csv", floats, &RatingOptions::default())
        .unwrap()
        .report;
    assert_eq!(
        report.reading.suspicions[0].kind,
        SuspicionKind::DecimalPoint
    );
}

#[test]
fn mysql_and_postgres() {
    let mysql = "user_id\titem_id\trating\n1\t7\t5\n2\t7\t\\N\n3\t7\t1\n";
    refused(
        ratings("dump.tsv", mysql, &RatingOptions::default()),
        &["\"\\\\N\"", "--drop-missing"],
    );
    let dropping = RatingOptions {
        drop_missing: true,
        ..RatingOptions::default()
    };
    assert_eq!(
        ratings("dump.tsv", mysql, &dropping)
            .unwrap()
            .report
            .missing_dropped,
        1
    );
    let psql = " user_id | item_id | rating \n---------+---------+--------\n       1 |       7 |      5\n(1 row)\n";
    refused(
        ratings("psql.txt", psql, &RatingOptions::default()),
        &["psql.txt:2", "has 1 field"],
    );
    let unaligned = "user_id|item_id|rating\n1|7|5\n2|7|4\n";
    assert_eq!(
        ratings("psql.txt", unaligned, &RatingOptions::default())
            .unwrap()
            .report
            .ratings,
        2
    );
}

#[test]
fn reviews_with_line_ends_and_commas_inside() {
    let text =
        "review,user,stars,item\n\"Good, but\nlong \"\"film\"\"\",a,4,x\n# not a comment,b,2,x\n";
    // Who begins a field with # must quote it: the last line is skipped, and said.
    let set = ratings("r.csv", text, &RatingOptions::default());
    refused(set, &["every rating"]);
    let quoted = text.replace("# not a comment", "\"# not a comment\"");
    let set = ratings("r.csv", &quoted, &RatingOptions::default()).unwrap();
    assert_eq!(rows(&set), [("a", "x", 4.0), ("b", "x", 2.0)]);
    let among = "user,item,stars\na,x,4\n#b,x,2\nc,x,5\n";
    let report = ratings("r.csv", among, &RatingOptions::default())
        .unwrap()
        .report;
    assert_eq!(
        report.reading.suspicions[0].kind,
        SuspicionKind::CommentLikeRow
    );
}

#[test]
fn names_that_swap_columns_decide() {
    let swapped = "item_id,user_id,rating\nx,a,5\nx,b,3\n";
    let set = ratings("r.csv", swapped, &RatingOptions::default()).unwrap();
    assert_eq!(rows(&set), [("a", "x", 5.0), ("b", "x", 3.0)]);
    let times = "user_id,item_id,timestamp,rating\na,x,978300000,5\nb,x,978300001,3\n";
    let set = ratings("r.csv", times, &RatingOptions::default()).unwrap();
    assert_eq!(set.report.scale.max, 5.0);
    let contradicted = RatingOptions {
        user: Column::Index(0),
        ..RatingOptions::default()
    };
    refused(
        ratings("r.csv", swapped, &contradicted),
        &["--user-column 1", "\"item_id\""],
    );
}

#[test]
fn downloads_that_are_not_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ratings.csv");
    for (bytes, part) in [
        (&b"<!DOCTYPE html><html><head><title>404"[..], "web page"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a",
            "Git LFS",
        ),
        (b"SQLite format 3\0.....", "SQLite"),
        (b"\x89HDF\r\n\x1a\n.....", "HDF5"),
        (b"\x80\x04\x95\x10\0\0\0\0", "pickle"),
        (b"\x93NUMPY\x01\0", "NumPy"),
        (b"{'user_id': 'a', 'rating': 5}\n", "Python"),
        (b"<?xml version=\"1.0\"?><graphml>", "XML"),
        (b"%PDF-1.7", "PDF"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let read = RatingSet::read(&path, &RatingOptions::default());
        refused(
            read.map_err(|error| error.to_string()),
            &[part, "ratings.csv"],
        );
    }
}

#[test]
fn a_field_without_end_is_refused_before_it_is_held() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ratings.csv.gz");
    let file = std::fs::File::create(&path).unwrap();
    let mut gzip = GzEncoder::new(file, Compression::fast());
    for _ in 0..64 {
        gzip.write_all(&vec![b'a'; 1 << 20]).unwrap();
    }
    gzip.finish().unwrap();
    let read = RatingSet::read(&path, &RatingOptions::default());
    refused(
        read.map_err(|error| error.to_string()),
        &["ratings.csv.gz:1", "4194304 bytes"],
    );
    // Also where quotes let a field go on over lines.
    let file = std::fs::File::create(&path).unwrap();
    let mut gzip = GzEncoder::new(file, Compression::fast());
    gzip.write_all(b"user,item,rating\n\"").unwrap();
    for _ in 0..64 {
        gzip.write_all(&b"aaaaaaa\n".repeat(1 << 17)).unwrap();
    }
    gzip.finish().unwrap();
    let read = RatingSet::read(&path, &RatingOptions::default());
    refused(
        read.map_err(|error| error.to_string()),
        &["ratings.csv.gz:2", "4194304 bytes"],
    );
}

#[test]
fn rows_are_counted_while_they_are_read() {
    let options = RatingOptions {
        max_rows: 2,
        ..RatingOptions::default()
    };
    refused(
        ratings("r.tsv", "a\tx\t1\nb\tx\t2\nc\tx\t3\n", &options),
        &["more than 2 rows"],
    );
    let options = RatingOptions {
        max_decompressed_bytes: 10,
        ..RatingOptions::default()
    };
    refused(
        ratings("r.tsv", "a\tx\t1\nb\tx\t2\nc\tx\t3\n", &options),
        &["longer than 10 bytes"],
    );
}
