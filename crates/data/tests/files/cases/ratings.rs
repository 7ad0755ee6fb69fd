//! Layouts and values of ratings.

use s3rec_data::{Column, DataError, OutOfScale, RatingOptions, Scale, SuspicionKind, Values};

use super::{WHOLE, by_number, case, found, size};

#[test]
fn c00_base_is_read_whole() {
    let Some(case) = case("00-base") else { return };
    let set = case.ratings("ratings.tsv", &RatingOptions::default());
    assert_eq!(size(&set), WHOLE);
    assert!(
        set.report.reading.suspicions.is_empty(),
        "{:?}",
        set.report.reading
    );
    assert_eq!(
        set.report.reading.sample_users.first().map(String::as_str),
        Some("u1")
    );
    case.ratings("num.tsv", &RatingOptions::default());
}

#[test]
fn c01_double_colons_are_read_once_the_fourth_column_is_named() {
    let Some(case) = case("01-double-colon") else {
        return;
    };
    let parts = ["--timestamp-column", "column 4"];
    case.ratings_refused("ratings.dat", &RatingOptions::default(), &parts);
    let options = RatingOptions {
        timestamp: Column::Index(3),
        ..RatingOptions::default()
    };
    let set = case.ratings("ratings.dat", &options);
    assert_eq!((size(&set), set.timestamps[0]), (WHOLE, 978_300_000_000));
    assert_eq!(
        size(&case.ratings("ratings.dat", &by_number(Column::Usual))),
        WHOLE
    );
}

#[test]
fn c07_a_decimal_comma_is_read_when_asked() {
    let Some(case) = case("07-decimal-comma") else {
        return;
    };
    let options = RatingOptions::default();
    case.ratings_refused(
        "ratings.csv",
        &options,
        &["\"5,5\"", "--decimal-comma", ":2:"],
    );
    let options = RatingOptions {
        decimal_comma: true,
        ..options
    };
    let set = case.ratings("ratings.csv", &options);
    assert_eq!(size(&set), WHOLE);
    assert_eq!(set.report.scale, Scale { min: 1.5, max: 5.5 });
}

#[test]
fn c09_quoted_fields_lose_their_quotes_in_any_text() {
    let Some(case) = case("09-quoted-tsv") else {
        return;
    };
    let set = case.ratings("ratings.tsv", &RatingOptions::default());
    assert_eq!((size(&set), set.users.name(0)), (WHOLE, Some("u1")));
    assert!(set.report.reading.read_as.contains("user \"user_id\""));
}

#[test]
fn c10_row_names_of_r_are_refused_until_said() {
    let Some(case) = case("10-r-rownames") else {
        return;
    };
    let options = RatingOptions::default();
    case.ratings_refused(
        "ratings.txt",
        &options,
        &["one field more", "--index-column"],
    );
    let options = RatingOptions {
        index_column: true,
        ..options
    };
    let set = case.ratings("ratings.txt", &options);
    assert_eq!(
        (size(&set), set.report.scale),
        (WHOLE, Scale { min: 1.0, max: 5.0 })
    );
}

#[test]
fn c11_an_index_of_pandas_is_refused_until_said() {
    let Some(case) = case("11-pandas-index") else {
        return;
    };
    for file in ["ratings.csv", "unnamed.csv"] {
        let options = RatingOptions::default();
        case.ratings_refused(file, &options, &["--index-column", "user_id"]);
        let options = RatingOptions {
            index_column: true,
            ..options
        };
        let set = case.ratings(file, &options);
        assert_eq!(
            (size(&set), set.report.scale),
            (WHOLE, Scale { min: 1.0, max: 5.0 })
        );
        // Whoever names every column means them.
        let named = RatingOptions {
            user: Column::Name("user_id".into()),
            item: Column::Name("item_id".into()),
            rating: Column::Name("rating".into()),
            ..RatingOptions::default()
        };
        assert_eq!(size(&case.ratings(file, &named)), WHOLE);
    }
}

#[test]
fn c23_padded_columns_are_read() {
    let Some(case) = case("23-padded-columns") else {
        return;
    };
    for file in ["ratings.txt", "sucl.tsv"] {
        assert_eq!(
            size(&case.ratings(file, &RatingOptions::default())),
            WHOLE,
            "{file}"
        );
    }
}

#[test]
fn c25_times_are_read_in_every_usual_form() {
    let Some(case) = case("25-times") else { return };
    for (file, first_ms) in [
        ("float.csv", 964_982_703_000),
        ("iso.csv", 1_287_532_500_000),
        ("ms.csv", 1_588_615_855_070),
    ] {
        let set = case.ratings(file, &RatingOptions::default());
        assert_eq!((size(&set), set.timestamps[0]), (WHOLE, first_ms), "{file}");
        let unread = RatingOptions {
            timestamp: Column::Name("none".into()),
            ..RatingOptions::default()
        };
        assert!(case.ratings(file, &unread).timestamps.is_empty());
    }
}

#[test]
fn c26_missing_ratings_are_refused_or_dropped_and_counted() {
    let Some(case) = case("26-missing-ratings") else {
        return;
    };
    for file in ["dash.csv", "empty.csv", "nan.csv", "null.csv"] {
        let options = RatingOptions::default();
        let error = case.ratings_refused(file, &options, &["--drop-missing", "field rating"]);
        assert!(matches!(error, DataError::Missing { .. }), "{error}");
        let options = RatingOptions {
            drop_missing: true,
            ..options
        };
        let report = case.ratings(file, &options).report;
        assert!(report.missing_dropped > 0, "{file}");
        assert_eq!(
            report.rows,
            report.ratings as u64 + report.missing_dropped,
            "{file}"
        );
        assert_eq!(report.scale, Scale { min: 1.0, max: 5.0 });
    }
    let report = case
        .ratings("minusone.csv", &RatingOptions::default())
        .report;
    let found = found(&report.reading.suspicions);
    assert!(
        matches!(found[..], [(SuspicionKind::MinusOne, "rating", 1..)]),
        "{found:?}"
    );
    let scaled = RatingOptions {
        scale: Scale::new(1.0, 5.0).ok(),
        out_of_scale: OutOfScale::Drop,
        ..RatingOptions::default()
    };
    let report = case.ratings("minusone.csv", &scaled).report;
    assert!(report.out_of_scale_dropped > 0 && report.reading.suspicions.is_empty());
}

#[test]
fn c38_a_row_of_another_width_is_refused_by_line() {
    let Some(case) = case("38-inconsistent-width") else {
        return;
    };
    for file in ["num.csv", "ratings.csv"] {
        let parts = [":5:", "has 4 fields", "has 3"];
        case.ratings_refused(file, &RatingOptions::default(), &parts);
    }
}

#[test]
fn c51_purchases_are_counts() {
    let Some(case) = case("51-all-ones") else {
        return;
    };
    case.ratings_refused("purchases.tsv", &RatingOptions::default(), &["--counts"]);
    let counts = RatingOptions {
        values: Values::Counts,
        ..RatingOptions::default()
    };
    let report = case.ratings("purchases.tsv", &counts).report;
    assert_eq!(report.scale, Scale { min: 0.0, max: 1.0 });
    case.ratings_refused(
        "zero-count.tsv",
        &counts,
        &["count 0", "begin at 1", "--drop-missing"],
    );
    let dropping = RatingOptions {
        drop_missing: true,
        ..counts
    };
    assert!(
        case.ratings("zero-count.tsv", &dropping)
            .report
            .missing_dropped
            > 0
    );
    assert_eq!(
        case.ratings("half.tsv", &RatingOptions::default())
            .report
            .scale
            .max,
        1.25
    );
}

#[test]
fn c53_values_that_no_scale_has_are_said() {
    let Some(case) = case("53-huge-values") else {
        return;
    };
    for (file, expected) in [
        ("jester99.tsv", SuspicionKind::Outlier),
        ("outlier.tsv", SuspicionKind::Outlier),
        ("ratings.tsv", SuspicionKind::Magnitude),
        ("tiny.tsv", SuspicionKind::Magnitude),
    ] {
        let report = case.ratings(file, &RatingOptions::default()).report;
        let found = found(&report.reading.suspicions);
        assert!(
            found
                .iter()
                .any(|(kind, field, _)| (*kind, *field) == (expected, "rating")),
            "{file}: {found:?}"
        );
    }
}

#[test]
fn c54_a_rating_of_zero_is_said() {
    let Some(case) = case("54-bookcrossing") else {
        return;
    };
    let set = case.ratings("BX.csv", &RatingOptions::default());
    assert_eq!(
        (set.users.name(0), set.items.name(0)),
        (Some("1"), Some("0345451041"))
    );
    let found = found(&set.report.reading.suspicions);
    assert!(
        matches!(found[..], [(SuspicionKind::ZeroRating, "rating", 1..)]),
        "{found:?}"
    );
}

#[test]
fn c58_atomic_files_of_recbole_name_their_columns() {
    let Some(case) = case("58-recbole") else {
        return;
    };
    let set = case.ratings("ml.inter", &RatingOptions::default());
    assert_eq!((size(&set), set.timestamps.len()), (WHOLE, 52));
    let links = case.links("ml.net", &s3rec_data::LinkOptions::default());
    assert_eq!(links.report.links, 14);
}
