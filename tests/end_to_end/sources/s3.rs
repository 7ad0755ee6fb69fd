//! Imports from an S3 store.

use std::path::Path;

use s3rec_data::ListsFile;
use s3rec_tests::command::Run;
use s3rec_tests::data::Files;
use s3rec_tests::pair::Pair;
use s3rec_tests::s3::S3;
use s3rec_tests::torn::Torn;

use super::{assert_committed, held, run};

fn refusal(ran: &Run, reason: &str, parts: &[&str]) {
    assert_ne!(ran.code, Some(0), "{ran:?}");
    let error = ran.error();
    assert_eq!(error["reason"], reason, "{error}");
    let said = format!("{} {}", error["message"], error["remedy"]);
    for part in parts {
        assert!(said.contains(part), "{part} is not in {said}");
    }
}

#[test]
fn epinions_from_a_store_is_what_the_file_is() {
    let (Some(files), Some(store)) = (Files::epinions(), S3::start()) else {
        return;
    };
    store.make("films");
    store.put("films", "2026/ratings.tsv.gz", &files.ratings);
    store.put("films", "trust", &files.links);
    let pair = Pair::start();
    let directory = tempfile::tempdir().unwrap();
    // Torn twice on its way, and gone on with from there.
    let torn = Torn::after(store.port, 1 << 20, 2);
    let connections = [pair.rating_connection(), pair.social_connection()];
    let file_url = |path: &Path| format!("file://{}", path.display());
    for (name, environment, rated, linked) in [
        (
            "file",
            vec![],
            file_url(&files.ratings),
            file_url(&files.links),
        ),
        (
            "store",
            S3::environment_at(torn.port),
            "s3://films/2026/ratings.tsv.gz".to_owned(),
            "s3://films/trust".to_owned(),
        ),
    ] {
        for (platform, source, connection, rows) in [
            ("rating", &rated, &connections[0], ("ratings", 664_824)),
            ("social", &linked, &connections[1], ("links", 487_002)),
        ] {
            let arguments = [platform, "import", source, "--dataset", name];
            let imported = run(directory.path(), connection, &environment, &arguments).json();
            assert_eq!(imported[rows.0], rows.1, "{name} {imported}");
        }
    }
    assert_eq!(torn.torn(), 2);
    assert_committed(pair, &files, &["file", "store"]);
}

#[test]
fn folders_and_patterns_of_objects_are_their_parquet_files() {
    let Some(store) = S3::start() else { return };
    store.make("films");
    let pair = Pair::start();
    let directory = tempfile::tempdir().unwrap();
    let part = directory.path().join("part");
    for (key, user) in [
        ("day/b/part-2.parquet", "ann"),
        ("day/part-1.parquet", "bob"),
        ("day/_temporary/part-0.parquet", "nobody"),
    ] {
        let mut file = ListsFile::create(&part).unwrap();
        file.add(user, [("x", 1.0), ("y", 2.5)]).unwrap();
        file.finish().unwrap();
        store.put("films", key, &part);
    }
    std::fs::write(&part, "").unwrap();
    store.put("films", "day/_SUCCESS", &part);
    std::fs::write(&part, "PAR1 and no more").unwrap();
    store.put("films", "torn/part-7.parquet", &part);
    let connection = pair.rating_connection();
    let import = |place: &str| {
        let columns = ["--item-column", "item", "--rating-column", "score"];
        let arguments = [&["rating", "import", place], &columns[..]].concat();
        run(
            directory.path(),
            &connection,
            &store.environment(),
            &arguments,
        )
    };
    for (place, ratings) in [
        ("s3://films/day", 4),
        ("s3://films/day/", 4),
        ("s3://films/day/part-*.parquet", 2),
        ("s3://films/day/b/part-2.parquet", 2),
    ] {
        let imported = import(place).json();
        assert_eq!(imported["ratings"], ratings, "{place}: {imported}");
    }
    refusal(
        &import("s3://films/day/*.csv"),
        "SOURCE_MISSING",
        &["no Parquet file"],
    );
    refusal(
        &import("s3://films/torn/"),
        "SOURCE_DATA",
        &["s3://films/torn/part-7.parquet", "Parquet"],
    );
}

#[test]
fn what_goes_wrong_says_how_to_put_it_right_and_leaves_nothing() {
    let Some(store) = S3::start() else { return };
    store.make("films");
    let pair = Pair::start();
    let directory = tempfile::tempdir().unwrap();
    let rows: String = (0..200_000)
        .map(|i| format!("u{}\ti{i}\t{}\n", i % 977, i % 5))
        .collect();
    let file = directory.path().join("rows.tsv");
    std::fs::write(&file, rows).unwrap();
    store.put("films", "rows.tsv", &file);
    std::fs::write(
        &file,
        "{\"user\":\"a\",\"item\":\"x\",\"rating\":1}\n{\"user\":\"b\",\"item\":{}}\n",
    )
    .unwrap();
    store.put("films", "bad.jsonl", &file);
    let before = held(&pair, directory.path());
    let connection = pair.rating_connection();
    let import = |place: &str, environment: &[(&str, String)]| {
        run(
            directory.path(),
            &connection,
            environment,
            &["rating", "import", place],
        )
    };
    let usual = store.environment();

    refusal(
        &import("s3://flims/rows.tsv", &usual),
        "SOURCE_MISSING",
        &["no bucket", "flims", "AWS_ENDPOINT_URL"],
    );
    refusal(
        &import("s3://films/row.tsv", &usual),
        "SOURCE_MISSING",
        &["no such object", "key"],
    );
    refusal(
        &import("s3://films/bad.jsonl", &usual),
        "INVALID_FILE",
        &["s3://films/bad.jsonl:2", "item"],
    );
    refusal(
        &import("s3://films/rows.tsv?a=b", &usual),
        "SOURCE_PLACE",
        &["BUCKET/KEY"],
    );
    let in_the_clear: Vec<_> = usual
        .iter()
        .filter(|(name, _)| *name != "AWS_ALLOW_HTTP")
        .cloned()
        .collect();
    refusal(
        &import("s3://films/rows.tsv", &in_the_clear),
        "SOURCE_UNREACHABLE",
        &["in the clear", "AWS_ALLOW_HTTP"],
    );
    let nobody = S3::environment_at(1);
    refusal(
        &import("s3://films/rows.tsv", &nobody),
        "SOURCE_UNREACHABLE",
        &["refused", "AWS_ENDPOINT_URL"],
    );

    // Every connection breaks, sooner than the object ends.
    let torn = Torn::after(store.port, 64 << 10, usize::MAX);
    let ran = import("s3://films/rows.tsv", &S3::environment_at(torn.port));
    refusal(
        &ran,
        "SOURCE_BROKEN",
        &[
            "the connection broke after",
            "again and again",
            "nothing was imported",
        ],
    );
    assert!(torn.torn() > 1, "it was tried again");
    assert_eq!(held(&pair, directory.path()), before);

    // The keys of a profile, where the environment names none.
    let keys = directory.path().join(".aws");
    std::fs::create_dir(&keys).unwrap();
    let lines = "[night]\naws_access_key_id = a\naws_secret_access_key = b\n";
    std::fs::write(keys.join("credentials"), lines).unwrap();
    let mut by_profile: Vec<_> = usual
        .into_iter()
        .filter(|(name, _)| !name.contains("KEY"))
        .collect();
    by_profile.push(("AWS_PROFILE", "nobody".into()));
    refusal(
        &import("s3://films/rows.tsv", &by_profile),
        "SOURCE_CREDENTIALS",
        &["nobody", "credentials"],
    );
    by_profile.pop();
    by_profile.push(("AWS_PROFILE", "night".into()));
    assert_eq!(
        import("s3://films/rows.tsv", &by_profile).json()["ratings"],
        200_000
    );
}
