//! Every folder of the inputs that people really have, with the right outcome: read as meant, or
//! refused with what settles it. They lie at `$S3REC_CASES`, else at `../shared/cases` beside the
//! repository; without them these tests say so, and fail where `CI` is `true`.

mod ids;
mod kinds;
mod links;
mod ratings;

use std::path::PathBuf;

use s3rec_data::{
    Column, DataError, LinkOptions, LinkSet, RatingOptions, RatingSet, Suspicion, SuspicionKind,
};

/// One folder.
struct Case(PathBuf);

/// The folder of that name, if the cases are at hand.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn case(name: &str) -> Option<Case> {
    let folder = std::env::var_os("S3REC_CASES").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../../shared/cases"
            ))
        },
        PathBuf::from,
    );
    if folder.is_dir() {
        let case = folder.join(name);
        assert!(case.is_dir(), "{} is not there", case.display());
        return Some(Case(case));
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "no cases at {}: set S3REC_CASES",
        folder.display()
    );
    eprintln!(
        "SKIPPED {name}: NO CASES AT {}; SET S3REC_CASES",
        folder.display()
    );
    None
}

impl Case {
    fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    fn ratings(&self, file: &str, options: &RatingOptions) -> RatingSet {
        match RatingSet::read(&self.path(file), options) {
            Ok(set) => set,
            Err(error) => panic!("{error}"),
        }
    }

    fn links(&self, file: &str, options: &LinkOptions) -> LinkSet {
        match LinkSet::read(&self.path(file), options) {
            Ok(set) => set,
            Err(error) => panic!("{error}"),
        }
    }

    fn ratings_refused(&self, file: &str, options: &RatingOptions, parts: &[&str]) -> DataError {
        let Err(error) = RatingSet::read(&self.path(file), options) else {
            panic!("{file} was read");
        };
        said(file, &error, parts);
        error
    }

    fn links_refused(&self, file: &str, options: &LinkOptions, parts: &[&str]) -> DataError {
        let Err(error) = LinkSet::read(&self.path(file), options) else {
            panic!("{file} was read");
        };
        said(file, &error, parts);
        error
    }
}

/// Every refusal names the file and says what settles it.
fn said(file: &str, error: &DataError, parts: &[&str]) {
    let text = error.to_string();
    for part in parts.iter().chain(&[file]) {
        assert!(text.contains(part), "{part:?} is missing: {text}");
    }
}

/// Users, ratings: those of the plain files are 8 and 52.
fn size(set: &RatingSet) -> (usize, usize) {
    (set.report.users, set.report.ratings)
}

const WHOLE: (usize, usize) = (8, 52);

/// What looked wrong with which field, and how often.
fn found(suspicions: &[Suspicion]) -> Vec<(SuspicionKind, &str, u64)> {
    let found = suspicions.iter();
    found
        .map(|one| (one.kind, one.field.as_str(), one.count))
        .collect()
}

/// Columns without a name, named by number.
fn by_number(timestamp: Column) -> RatingOptions {
    RatingOptions {
        user: Column::Index(0),
        item: Column::Index(1),
        rating: Column::Index(2),
        timestamp,
        ..RatingOptions::default()
    }
}

/// A case that nobody tests is one that nobody looks after.
#[test]
fn every_folder_has_its_test() {
    let Some(base) = case("00-base") else { return };
    let tests = [
        include_str!("ids.rs"),
        include_str!("kinds.rs"),
        include_str!("links.rs"),
        include_str!("ratings.rs"),
    ]
    .concat();
    for folder in std::fs::read_dir(base.0.parent().unwrap()).unwrap() {
        let folder = folder.unwrap();
        let name = folder.file_name().into_string().unwrap();
        let tested = !folder.path().is_dir() || tests.contains(&format!("case({name:?})"));
        assert!(tested, "{name} has no test");
    }
}
