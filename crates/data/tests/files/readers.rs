//! Readers against files as people have them: right, wrong, damaged.

use flate2::{Compression, write::GzEncoder};
use s3rec_data::{
    Column, ColumnError, DataError, Delimiter, Duplicates, Header, LinkOptions, LinkSet,
    OutOfScale, RatingOptions, RatingSet, Scale, Values,
};
use std::io::Write;
use std::path::Path;

fn ratings(text: &str, options: &RatingOptions) -> Result<RatingSet, DataError> {
    RatingSet::read_from(Path::new("r.tsv"), text.as_bytes(), options)
}

fn message(result: Result<RatingSet, DataError>) -> String {
    result.err().expect("refused").to_string()
}

#[test]
fn reads_what_is_well_formed() {
    let set = ratings(
        "ann\tx\t3.5\nbob\ty\t1\nann\ty\t5\n",
        &RatingOptions::default(),
    )
    .unwrap();
    assert_eq!(set.users.names().collect::<Vec<_>>(), ["ann", "bob"]);
    assert_eq!(
        (set.report.users, set.report.items, set.report.ratings),
        (2, 2, 3)
    );
    assert_eq!(set.report.scale, Scale { min: 1.0, max: 5.0 });
    assert!((set.report.density - 0.75).abs() < 1e-12);
    assert!((set.report.mean - 9.5 / 3.0).abs() < 1e-6);
}

#[test]
fn takes_csv_with_header_quotes_and_columns_by_name() {
    let text = "stars,film,who\n4,\"Crouching Tiger, Hidden Dragon\",é\n2,Heat,b\n";
    let options = RatingOptions {
        user: Column::Name("Who".into()),
        item: Column::Name("film".into()),
        rating: Column::Name("stars".into()),
        ..RatingOptions::default()
    };
    let set = RatingSet::read_from(Path::new("r.csv"), text.as_bytes(), &options).unwrap();
    assert_eq!(set.items.name(0), Some("Crouching Tiger, Hidden Dragon"));
    assert_eq!(set.report.rows, 2);
    let options = RatingOptions {
        user: Column::Name("nobody".into()),
        ..options
    };
    let refused = RatingSet::read_from(Path::new("r.csv"), text.as_bytes(), &options);
    assert!(matches!(
        refused,
        Err(DataError::Columns {
            source: ColumnError::NoSuchColumn { .. },
            ..
        })
    ));
}

#[test]
fn finds_a_header_only_where_there_is_one() {
    let with = "user_id,item_id,rating\na,x,3\nb,x,4\n";
    let read = |text: &str, header| {
        let options = RatingOptions {
            header,
            delimiter: Delimiter::Comma,
            ..Default::default()
        };
        RatingSet::read_from(Path::new("r"), text.as_bytes(), &options)
    };
    assert_eq!(read(with, Header::Detect).unwrap().report.rows, 2);
    // A user called "user" in a line of data is a user.
    assert_eq!(
        read("user,x,3\nb,x,4\n", Header::Detect)
            .unwrap()
            .report
            .rows,
        2
    );
    // A header that says nothing known is not passed over.
    let refused = message(read("a,x,3\nb,x,4\nc,x,5\n", Header::Present));
    assert!(refused.contains("--user-column"), "{refused}");
    let refused = message(read(with, Header::Absent));
    assert!(
        refused.contains("r:1") && refused.contains("\"rating\""),
        "{refused}"
    );
}

#[test]
fn names_file_line_and_field() {
    let options = RatingOptions::default();
    let refused = message(ratings("a\tx\t3\nb\ty\tgood\n", &options));
    assert!(
        refused.contains("r.tsv:2: field rating is \"good\""),
        "{refused}"
    );
    let refused = message(ratings("a\tx\t3\nb\ty", &options));
    assert!(
        refused.contains("r.tsv:2: this row has 2 fields and line 1 has 3"),
        "{refused}"
    );
    let refused = message(ratings("a\tx\t3\n\ty\t3\n", &options));
    assert!(
        refused.contains("r.tsv:2: field user is empty"),
        "{refused}"
    );
    let by_tabs = RatingOptions {
        delimiter: Delimiter::Tab,
        ..RatingOptions::default()
    };
    let refused = message(ratings("a,x,3\nb,y,2\n", &by_tabs));
    assert!(refused.contains("field item is missing") && refused.contains("delimiter"));
    for not_finite in ["NaN", "inf"] {
        assert!(ratings(&format!("a\tx\t{not_finite}\n"), &options).is_err());
    }
    let long = format!("{}\tx\t3\n", "u".repeat(600));
    assert!(matches!(
        ratings(&long, &options),
        Err(DataError::IdTooLong { actual: 600, .. })
    ));
}

#[test]
fn merges_duplicates_by_the_rule_asked_for() {
    let text = "a\tx\t1\nb\tx\t5\na\tx\t2\na\tx\t2\na\tx\t4\n";
    let kept = |duplicates| {
        let options = RatingOptions {
            duplicates,
            ..RatingOptions::default()
        };
        let set = ratings(text, &options).unwrap();
        assert_eq!((set.report.duplicates_merged, set.report.ratings), (3, 2));
        set.ratings[0].value
    };
    assert_eq!(kept(Duplicates::Last), 4.0);
    assert_eq!(kept(Duplicates::First), 1.0);
    assert_eq!(kept(Duplicates::Mean), 2.25);
    let set = ratings(text, &RatingOptions::default()).unwrap();
    assert_eq!(set.report.duplicates_conflicting, 2);
    let options = RatingOptions {
        duplicates: Duplicates::Refuse,
        ..Default::default()
    };
    assert!(matches!(
        ratings(text, &options),
        Err(DataError::Duplicate { line: 3, .. })
    ));
}

#[test]
fn refuses_or_drops_what_is_outside_the_scale() {
    let text = "a\tx\t0\na\ty\t3\nb\tx\t5\n";
    let scale = Some(Scale { min: 1.0, max: 5.0 });
    let refused = message(ratings(
        text,
        &RatingOptions {
            scale,
            ..Default::default()
        },
    ));
    assert!(
        refused.contains("r.tsv:1") && refused.contains("scale 1 to 5"),
        "{refused}"
    );
    let out_of_scale = OutOfScale::Drop;
    let set = ratings(
        text,
        &RatingOptions {
            scale,
            out_of_scale,
            ..Default::default()
        },
    )
    .unwrap();
    assert_eq!((set.report.out_of_scale_dropped, set.report.rows), (1, 3));
    // A dropped row leaves no trace of its user or item.
    assert_eq!((set.report.users, set.report.ratings), (2, 2));
    let backwards = Some(Scale { min: 5.0, max: 1.0 });
    let refused = ratings(
        text,
        &RatingOptions {
            scale: backwards,
            ..Default::default()
        },
    );
    assert!(matches!(refused, Err(DataError::BadScale { .. })));
}

#[test]
fn refuses_what_makes_no_sense() {
    let options = RatingOptions::default();
    assert!(matches!(
        ratings("", &options),
        Err(DataError::Empty { rows: 0, .. })
    ));
    assert!(matches!(
        ratings("a\tx\t3\nb\tx\t3\n", &options),
        Err(DataError::Constant { .. })
    ));
    let not_text =
        RatingSet::read_from(Path::new("r"), &b"a\tx\t3\n\xff\xfe\tx\t3\n"[..], &options);
    assert!(matches!(not_text, Err(DataError::NotText { line: 2, .. })));
    let absent = RatingSet::read(Path::new("/nowhere/r.tsv"), &options);
    assert!(message(absent).contains("/nowhere/r.tsv"));
}

#[test]
fn reads_gzip_and_notices_a_truncated_file() {
    let text: String = (0..5000)
        .map(|i| format!("u{}\ti{}\t{}\n", i % 97, i, 1 + i * 7 % 5))
        .collect();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    let packed = encoder.finish().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.tsv.gz");
    std::fs::write(&whole, &packed).unwrap();
    let set = RatingSet::read(&whole, &RatingOptions::default()).unwrap();
    assert_eq!(set.report.ratings, 5000);
    let cut = folder.path().join("cut.tsv.gz");
    for keep in [packed.len() / 2, packed.len() - 4] {
        std::fs::write(&cut, &packed[..keep]).unwrap();
        let refused = RatingSet::read(&cut, &RatingOptions::default());
        assert!(
            matches!(refused, Err(DataError::Truncated { .. })),
            "{keep}"
        );
    }
}

#[test]
fn links_drop_self_links_and_merge_repeats() {
    let text = "a\tb\t1\nb\ta\t1\na\ta\t1\na\tb\t1\nc\ta\t0\n";
    let attempt =
        |options: &LinkOptions| LinkSet::read_from(Path::new("l.tsv"), text.as_bytes(), options);
    let read = |options: &LinkOptions| attempt(options).unwrap();
    // A third column that is not 1 throughout means something.
    let refused = attempt(&LinkOptions::default()).err().unwrap().to_string();
    assert!(
        refused.contains("line 5") && refused.contains("--weight-column"),
        "{refused}"
    );
    let set = read(&LinkOptions {
        truster: Column::Index(0),
        trustee: Column::Index(1),
        ..LinkOptions::default()
    });
    assert_eq!(set.links, [(0, 1), (1, 0), (2, 0)]);
    assert_eq!(
        (set.report.self_links_dropped, set.report.duplicates_merged),
        (1, 1)
    );
    let set = read(&LinkOptions {
        weight: Column::Index(2),
        ..LinkOptions::default()
    });
    assert_eq!((set.report.links, set.report.not_positive_dropped), (2, 1));
    let one_field = LinkSet::read_from(Path::new("l.tsv"), &b"a\n"[..], &LinkOptions::default());
    assert!(
        one_field
            .err()
            .unwrap()
            .to_string()
            .contains("l.tsv:1: field trustee is missing")
    );
}

#[test]
fn links_meet_ratings_by_id() {
    let people = ratings("b\tx\t1\na\tx\t2\n", &RatingOptions::default()).unwrap();
    let text = "a\tb\nz\ta\n";
    let links =
        LinkSet::read_from(Path::new("l"), text.as_bytes(), &LinkOptions::default()).unwrap();
    let social = links.social_matrix(&people.users).unwrap();
    assert_eq!(
        (social.users(), social.iter().collect::<Vec<_>>()),
        (2, vec![(1, 0)])
    );
}

#[test]
fn the_later_time_wins_over_the_later_row() {
    let text = "a\tx\t1\t200\na\tx\t5\t100\nb\ty\t3\t50\n";
    let options = RatingOptions {
        timestamp: Column::Index(3),
        ..RatingOptions::default()
    };
    let set = ratings(text, &options).unwrap();
    assert_eq!(
        (set.ratings[0].value, set.timestamps),
        (1.0, vec![200_000, 50_000])
    );
    let without = RatingOptions {
        user: Column::Index(0),
        item: Column::Index(1),
        rating: Column::Index(2),
        ..RatingOptions::default()
    };
    assert_eq!(ratings(text, &without).unwrap().ratings[0].value, 5.0);
    let refused = message(ratings(text, &RatingOptions::default()));
    assert!(refused.contains("--timestamp-column"), "{refused}");
    let first = RatingOptions {
        duplicates: Duplicates::First,
        ..options.clone()
    };
    assert_eq!(ratings(text, &first).unwrap().timestamps, [200_000, 50_000]);
    let refused = message(ratings("a\tx\t1\tnoon\n", &options));
    assert!(
        refused.contains("r.tsv:1: field timestamp is \"noon\""),
        "{refused}"
    );
}

#[test]
fn counts_add_up_and_are_scaled() {
    let options = RatingOptions {
        values: Values::Counts,
        ..RatingOptions::default()
    };
    let set = ratings("a\tx\t3\na\tx\t4\nb\tx\t1\n", &options).unwrap();
    assert_eq!((set.ratings[0].value, set.ratings[1].value), (3.0, 1.0));
    assert_eq!(set.report.scale, Scale { min: 1.0, max: 3.0 });
    assert!(matches!(
        ratings("a\tx\t0\nb\tx\t2\n", &options),
        Err(DataError::NotACount { line: 1, .. })
    ));
    let scaled = RatingOptions {
        scale: Some(Scale { min: 1.0, max: 5.0 }),
        ..options
    };
    assert!(matches!(
        ratings("a\tx\t3\n", &scaled),
        Err(DataError::CountsHaveNoScale)
    ));
}

#[test]
fn two_spellings_of_one_id_are_refused_by_row() {
    use s3rec_data::IdRule;
    let read = |text: &str, ids| {
        let options = RatingOptions {
            ids,
            ..RatingOptions::default()
        };
        RatingSet::read_from(Path::new("r.tsv"), text.as_bytes(), &options)
    };
    let users = |set: &RatingSet| set.users.names().map(String::from).collect::<Vec<_>>();
    // One spelling in many rows is one user, kept in its normal form.
    let twice = "Zoe\u{308}\tx\t1\nann\tx\t2\nZoe\u{308}\ty\t4\n";
    let set = read(twice, IdRule::NfcTrim).ok().unwrap();
    assert_eq!(users(&set), ["Zo\u{eb}", "ann"]);

    let mixed = "Zoe\u{308}\tx\t1\nann\tx\t2\nZo\u{eb}\ty\t4\n";
    let error = read(mixed, IdRule::NfcTrim).err().unwrap().to_string();
    for part in ["r.tsv:3", "field user", "line 1", "nfc-trim"] {
        assert!(error.contains(part), "{error}");
    }

    let cases = "Ann\tx\t1\nbob\tx\t2\nann\ty\t4\n";
    assert_eq!(users(&read(cases, IdRule::NfcTrim).ok().unwrap()).len(), 3);
    let error = read(cases, IdRule::NfcTrimCaseFold).err().unwrap();
    assert!(error.to_string().contains("r.tsv:3"), "{error}");
    let folded = read("Ann\tx\t1\nBOB\tx\t2\n", IdRule::NfcTrimCaseFold);
    assert_eq!(users(&folded.ok().unwrap()), ["ann", "bob"]);

    let links = LinkSet::read_from(
        Path::new("l.tsv"),
        "a\tZo\u{eb}\nb\tc\nZoe\u{308}\tb\n".as_bytes(),
        &LinkOptions::default(),
    );
    let error = links.err().unwrap().to_string();
    for part in ["l.tsv:3", "field truster", "line 1"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_gzip_bomb_is_refused_naming_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bomb.tsv.gz");
    // A few kilobytes that become sixteen mebibytes of one line.
    let file = std::fs::File::create(&path).unwrap();
    let mut gzip = GzEncoder::new(file, Compression::best());
    for _ in 0..16 {
        gzip.write_all(&vec![b'a'; 1 << 20]).unwrap();
    }
    gzip.finish().unwrap();
    assert!(path.metadata().unwrap().len() < 1 << 15);
    let options = RatingOptions {
        max_decompressed_bytes: 1 << 20,
        ..RatingOptions::default()
    };
    let refused = RatingSet::read(&path, &options).err().unwrap();
    assert!(
        matches!(&refused, DataError::TooLarge { limit, .. } if *limit == 1 << 20),
        "{refused}"
    );
    assert!(refused.to_string().contains("1048576"), "{refused}");
    let links = LinkOptions {
        max_decompressed_bytes: 1 << 20,
        ..LinkOptions::default()
    };
    let refused = LinkSet::read(&path, &links).err().unwrap();
    assert!(matches!(refused, DataError::TooLarge { .. }), "{refused}");
}

#[test]
fn columns_are_read_as_people_write_them() {
    assert_eq!(Column::named("").unwrap(), Column::Usual);
    assert_eq!(Column::named("3").unwrap(), Column::Index(2));
    assert_eq!(
        Column::named("stars").unwrap(),
        Column::Name("stars".into())
    );
    assert!(Column::named("0").is_err());
}
