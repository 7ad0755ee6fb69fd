//! Exports to an S3 store and to `file://`.

use std::path::Path;

use s3rec_data::{FactorOptions, FactorSet};
use s3rec_tests::data::Files;
use s3rec_tests::pair::Pair;
use s3rec_tests::s3::S3;

use super::run;

#[test]
fn what_is_exported_to_a_store_is_what_the_file_is() {
    let Some(store) = S3::start() else { return };
    store.make("films");
    let pair = Pair::start();
    let directory = tempfile::tempdir().unwrap();
    let files = Files::of_users(directory.path(), 300);
    let (rating, social) = (pair.rating_connection(), pair.social_connection());
    let environment = store.environment();
    let at = |connection, line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        run(directory.path(), connection, &environment, &words)
    };
    at(
        &rating,
        &format!("rating import {}", files.ratings.display()),
    )
    .json();
    at(&social, &format!("social import {}", files.links.display())).json();
    let propose = "rating propose --purpose pilot --operator friends";
    let job = at(&rating, propose).json()["job_id"]
        .as_str()
        .unwrap()
        .to_owned();
    at(&social, &format!("social approve {job}")).json();
    at(&rating, &format!("rating start {job}")).json();
    let watched = at(&rating, &format!("rating watch {job}"));
    assert_eq!(watched.code, Some(0), "{watched:?}");

    let read = |path: &Path| std::fs::read(path).unwrap();
    let fetched = |key: &str| {
        let to = directory.path().join("fetched");
        store.get("films", key, &to);
        read(&to)
    };
    for (line, key) in [
        ("rating recommend --all --count 5", "out/lists.parquet"),
        ("rating export-friends", "out/friends.parquet"),
        ("rating calibration-users", "out/users.txt"),
    ] {
        let file = directory.path().join("local");
        let local = at(&rating, &format!("{line} --out file://{}", file.display())).json();
        let away = at(&rating, &format!("{line} --out s3://films/{key}")).json();
        assert_eq!(away["users"], local["users"]);
        assert_eq!(away["file"], format!("s3://films/{key}"));
        assert_eq!(fetched(key), read(&file), "{line}");
    }
    // What was written is a file that imports read, from where it is.
    let imported = at(
        &rating,
        "rating import-factors s3://films/out/friends.parquet",
    );
    let friends = directory.path().join("friends");
    store.get("films", "out/friends.parquet", &friends);
    let known = FactorSet::read(&friends, None, &FactorOptions::default()).unwrap();
    assert_eq!(
        imported.json()["users"],
        known.users.ids.len(),
        "as many as were exported"
    );

    // Nothing is left of an export that nobody takes.
    let keys = store.keys("films");
    assert_eq!(keys.len(), 3, "{keys:?}");
    let refused = at(
        &rating,
        "rating recommend --all --out s3://flims/lists.parquet",
    )
    .error();
    assert_eq!(refused["reason"], "SOURCE_MISSING", "{refused}");
    let refused = at(&rating, "rating export-friends --out postgres://h/d").error();
    assert_eq!(refused["reason"], "SOURCE_PLACE", "{refused}");
    let refused = at(&rating, "rating import-factors postgres://h/d").error();
    assert_eq!(refused["reason"], "USAGE", "{refused}");
    assert_eq!(store.keys("films"), keys);
}
