//! Ids that something has changed on their way.

use s3rec_data::{DataError, LinkOptions, RatingOptions, SuspicionKind, explain_overlap};

use super::{WHOLE, case, found, size};

#[test]
fn c13_ids_in_scientific_notation_are_said() {
    let Some(case) = case("13-savetxt") else {
        return;
    };
    let set = case.ratings("ratings.tsv", &RatingOptions::default());
    assert_eq!(size(&set), WHOLE);
    let suspicions = &set.report.reading.suspicions;
    assert!(
        found(suspicions).contains(&(SuspicionKind::Scientific, "user", 8)),
        "{suspicions:?}"
    );
    // And said again where they are in common with nobody.
    assert_eq!(explain_overlap(suspicions, 0, 8).len(), 1);
}

#[test]
fn c15_ids_that_a_spreadsheet_rounded_are_refused() {
    let Some(case) = case("15-excel-sci") else {
        return;
    };
    let parts = ["7.65612E+16", "rounded", ":2:", "as text"];
    case.ratings_refused("ratings.csv", &RatingOptions::default(), &parts);
}

#[test]
fn c29_ids_with_what_cannot_be_seen_are_refused_where_that_is_damage() {
    let Some(case) = case("29-odd-ids") else {
        return;
    };
    for (file, part) in [
        ("nul.tsv", "control character"),
        ("midbom.tsv", "byte order mark"),
        ("zerowidth.tsv", "cannot be seen"),
    ] {
        let error = case.ratings_refused(file, &RatingOptions::default(), &[part]);
        assert!(matches!(error, DataError::DamagedId { .. }), "{error}");
    }
    let error = case.ratings_refused("long.tsv", &RatingOptions::default(), &["513 bytes"]);
    assert!(matches!(error, DataError::IdTooLong { .. }));
    let report = case.ratings("case.tsv", &RatingOptions::default()).report;
    let found = found(&report.reading.suspicions);
    assert!(
        matches!(found[..], [(SuspicionKind::LetterCase, "user", 1..)]),
        "{found:?}"
    );
    // What people call themselves is theirs.
    assert_eq!(
        size(&case.ratings("emoji.tsv", &RatingOptions::default())),
        WHOLE
    );
    assert_eq!(
        size(&case.ratings("rtl.tsv", &RatingOptions::default())),
        WHOLE
    );
}

#[test]
fn c50_forms_of_ids_that_the_other_side_may_not_have_are_said() {
    let Some(case) = case("50-id-forms") else {
        return;
    };
    let ratings = case.ratings("plain.tsv", &RatingOptions::default());
    let common = |links: &s3rec_data::LinkSet| {
        links
            .users
            .names()
            .filter(|user| ratings.users.find(user).is_some())
            .count() as u64
    };
    for (file, kind, known) in [
        ("float.tsv", Some(SuspicionKind::DecimalPoint), 0),
        ("zeros.tsv", Some(SuspicionKind::LeadingZeros), 0),
        ("mixed.tsv", Some(SuspicionKind::LeadingZeros), 21),
        ("hashed.tsv", None, 0),
        ("prefixed.tsv", None, 0),
        // Quotes are gone whatever the delimiter.
        ("quoted.tsv", None, 30),
        ("trust.tsv", None, 30),
    ] {
        let links = case.links(file, &LinkOptions::default());
        assert_eq!(common(&links), known, "{file}");
        let suspicions = &links.report.reading.suspicions;
        let kinds: Vec<_> = suspicions.iter().map(|one| one.kind).collect();
        assert_eq!(kinds, kind.into_iter().collect::<Vec<_>>(), "{file}");
        let explained = explain_overlap(suspicions, known, links.users.len() as u64);
        assert_eq!(explained.len(), kinds.len(), "{file}");
    }
}
