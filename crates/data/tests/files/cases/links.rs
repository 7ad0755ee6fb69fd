//! Shapes of links.

use s3rec_data::{Column, DataError, LinkOptions, LinkShape, Weights};

use super::case;

#[test]
fn c00_base_is_read_whole() {
    let Some(case) = case("00-base") else { return };
    let report = case.links("trust.tsv", &LinkOptions::default()).report;
    assert_eq!(report.links, 14);
    assert!(report.reading.suspicions.is_empty());
    assert_eq!(
        case.links("numtrust.tsv", &LinkOptions::default())
            .report
            .links,
        14
    );
}

#[test]
fn c21_lists_of_friends_become_links() {
    let Some(case) = case("21-adjacency") else {
        return;
    };
    let lists = LinkOptions {
        shape: LinkShape::Lists,
        ..LinkOptions::default()
    };
    for file in ["colon.txt", "yelp-friends.csv", "yelp-friends.tsv"] {
        let set = case.links(file, &LinkOptions::default());
        assert_eq!(set.report.links, 14, "{file}");
        assert!(set.users.names().all(|user| user.len() == 2), "{file}");
        assert_eq!(case.links(file, &lists).links, set.links, "{file}");
    }
    for file in ["adj.tsv", "adjlist.txt"] {
        case.links_refused(file, &LinkOptions::default(), &["--adjacency"]);
        assert_eq!(case.links(file, &lists).report.links, 14, "{file}");
    }
    // Who has no friends is nobody's friend called None.
    let yelp = case.links("yelp-friends.csv", &LinkOptions::default());
    assert!(yelp.users.find("None").is_none());
    let undirected = LinkOptions {
        undirected: true,
        ..LinkOptions::default()
    };
    let report = case.links("colon.txt", &undirected).report;
    assert!(report.reversed_added > 0 && report.links as u64 == 14 + report.reversed_added);
}

#[test]
fn c22_comments_are_no_links_and_matrices_are_refused() {
    let Some(case) = case("22-snap-comments") else {
        return;
    };
    for (file, comments) in [("soc.txt", 3), ("one.txt", 1), ("konect.tsv", 1)] {
        let report = case.links(file, &LinkOptions::default()).report;
        assert_eq!(report.links, 14, "{file}");
        assert_eq!(report.reading.comment_lines, comments, "{file}");
    }
    case.links_refused("mtx.mtx", &LinkOptions::default(), &["MatrixMarket"]);
    case.ratings_refused(
        "mtx.mtx",
        &s3rec_data::RatingOptions::default(),
        &["MatrixMarket"],
    );
}

#[test]
fn c23_padded_columns_are_read() {
    let Some(case) = case("23-padded-columns") else {
        return;
    };
    let report = case.links("trust_data.txt", &LinkOptions::default()).report;
    assert_eq!((report.links, report.users), (14, 7));
    assert!(
        report.reading.read_as.starts_with("spaces"),
        "{}",
        report.reading.read_as
    );
}

#[test]
fn c28_distrust_is_no_trust() {
    let Some(case) = case("28-signed") else {
        return;
    };
    case.links_refused(
        "trust.tsv",
        &LinkOptions::default(),
        &["--weight-column", "\"-1\""],
    );
    let weighted = LinkOptions {
        weight: Column::Index(2),
        ..LinkOptions::default()
    };
    let report = case.links("trust.tsv", &weighted).report;
    assert!(report.not_positive_dropped > 0);
    assert_eq!(report.links as u64 + report.not_positive_dropped, 14);
    let any = LinkOptions {
        weights: Weights::Any,
        ..weighted
    };
    assert_eq!(case.links("trust.tsv", &any).report.links, 14);
}

#[test]
fn c62_a_weight_is_called_weight() {
    let Some(case) = case("62-weight-names") else {
        return;
    };
    let parts = ["field weight is \"f\"", ":2:", "--weight-column none"];
    let error = case.links_refused("trust.csv", &LinkOptions::default(), &parts);
    assert!(matches!(
        error,
        DataError::NotANumber {
            field: "weight",
            ..
        }
    ));
    let unread = LinkOptions {
        weight: Column::Name("none".into()),
        ..LinkOptions::default()
    };
    assert_eq!(case.links("trust.csv", &unread).report.links, 14);
    assert_eq!(
        case.links("dates.csv", &LinkOptions::default())
            .report
            .links,
        14
    );
    let named = LinkOptions {
        weight: Column::Name("since".into()),
        ..LinkOptions::default()
    };
    case.links_refused("dates.csv", &named, &["field weight is \"2013-05-01\""]);
}
