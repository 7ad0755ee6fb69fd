//! Kinds of files, told by content.

use s3rec_data::{LinkOptions, RatingOptions};

use super::{WHOLE, case, size};

#[test]
fn c05_utf16_is_read_with_and_without_a_mark() {
    let Some(case) = case("05-utf16") else { return };
    for file in ["ratings.txt", "nobom.txt"] {
        assert_eq!(
            size(&case.ratings(file, &RatingOptions::default())),
            WHOLE,
            "{file}"
        );
    }
}

#[test]
fn c18_packed_files_are_read_and_workbooks_named() {
    let Some(case) = case("18-archives") else {
        return;
    };
    for file in [
        "ratings.tar.gz",
        "ratings.tsv.bz2",
        "ratings.tsv.xz",
        "ratings.tsv.zst",
        "ratings.zip",
    ] {
        assert_eq!(
            size(&case.ratings(file, &RatingOptions::default())),
            WHOLE,
            "{file}"
        );
    }
    case.ratings_refused("ratings.xlsx", &RatingOptions::default(), &["Excel", "CSV"]);
}

#[test]
fn c19_types_of_parquet_are_read_or_named() {
    let Some(case) = case("19-parquet") else {
        return;
    };
    let options = RatingOptions::default();
    for (file, parts) in [
        ("decimal.parquet", &["\"rating\"", "decimal", "cast"][..]),
        ("half.parquet", &["\"rating\"", "half-precision", "cast"]),
        ("decimalid.parquet", &["\"user_id\"", "decimal", "cast"]),
        ("list.parquet", &["a list", "one row"]),
        ("binid.parquet", &["\"user_id\"", "no text"]),
    ] {
        case.ratings_refused(file, &options, parts);
    }
    case.ratings_refused("c-brotli.parquet", &options, &["Parquet", "snappy"]);
    case.ratings_refused("empty.parquet", &options, &["no usable row"]);
    case.ratings_refused("nullid.parquet", &options, &["field user is empty"]);
    for file in [
        "c-gzip.parquet",
        "c-lz4.parquet",
        "c-none.parquet",
        "c-snappy.parquet",
        "c-zstd.parquet",
        "dict.parquet",
        "floatid.parquet",
        "int64.parquet",
        "large.parquet",
        "order.parquet",
        "strrating.parquet",
        "ts.parquet",
        "uint64.parquet",
        "v2.parquet",
        "bool.parquet",
        "floatbig.parquet",
    ] {
        let set = case.ratings(file, &options);
        assert!(set.report.ratings > 0, "{file}");
    }
}

#[test]
fn c20_json_lines_are_read_and_arrays_named() {
    let Some(case) = case("20-jsonl") else { return };
    assert_eq!(
        size(&case.ratings("reviews.json", &RatingOptions::default())),
        WHOLE
    );
    case.ratings_refused(
        "array.json",
        &RatingOptions::default(),
        &["JSON array", "one object a line"],
    );
}

#[test]
fn c65_names_decide_in_parquet_whatever_their_order() {
    let Some(case) = case("65-parquet-order") else {
        return;
    };
    let links = case.links("trust.tsv", &LinkOptions::default());
    for file in ["item-first.parquet", "ts-third.parquet"] {
        let set = case.ratings(file, &RatingOptions::default());
        assert!(set.report.scale.max <= 5.0, "{file}");
        let known = links
            .users
            .names()
            .filter(|user| set.users.find(user).is_some())
            .count();
        assert_eq!(known, links.users.len(), "{file}");
    }
}
