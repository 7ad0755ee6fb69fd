//! Data files that an operator imports.

use std::path::Path;

use s3rec_data::{
    FactorOptions, FactorSet, LinkOptions, LinkSet, RatingOptions, RatingSet, Roster, RosterOptions,
};

#[test]
fn ratings() {
    bolero::check!().for_each(|bytes: &[u8]| {
        if let Ok(set) =
            RatingSet::read_from(Path::new("ratings.tsv"), bytes, &RatingOptions::default())
        {
            assert!(set.ratings.iter().all(|rating| rating.value.is_finite()));
            assert!(
                set.ratings
                    .iter()
                    .all(|rating| (rating.user as usize) < set.users.len())
            );
        }
    });
}

#[test]
fn links() {
    bolero::check!().for_each(|bytes: &[u8]| {
        if let Ok(set) = LinkSet::read_from(Path::new("links.tsv"), bytes, &LinkOptions::default())
        {
            set.social_matrix(&set.users).unwrap();
        }
    });
}

#[test]
fn ratings_in_files_of_every_kind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ratings");
    bolero::check!().for_each(|bytes: &[u8]| {
        // Kind told by content: gzip, Parquet or text.
        std::fs::write(&path, bytes).unwrap();
        let _ = RatingSet::read(&path, &RatingOptions::default());
    });
}

#[test]
fn links_in_files_of_every_kind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("links");
    bolero::check!().for_each(|bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let _ = LinkSet::read(&path, &LinkOptions::default());
    });
}

#[test]
fn factors_in_files_of_either_kind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("factors");
    let options = FactorOptions {
        max_bytes: 1 << 20,
        ..FactorOptions::default()
    };
    bolero::check!().for_each(|bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        if let Ok(set) = FactorSet::read(&path, None, &options) {
            let users = &set.users;
            assert!(users.values.iter().all(|value| value.is_finite()));
            assert_eq!(users.values.len(), users.width * users.ids.len());
        }
    });
}

#[test]
fn rosters() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let name = Path::new("users.txt");
        if let Ok(roster) = Roster::read_from(name, bytes, &RosterOptions::default()) {
            assert!(!roster.users.is_empty());
        }
    });
}
