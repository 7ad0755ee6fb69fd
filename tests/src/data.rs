//! Small data sets, and where the public ones lie.

use std::path::{Path, PathBuf};

use s3rec_data::SyntheticSettings;

/// A ratings file and a links file.
#[derive(Clone, Debug)]
pub struct Files {
    /// user, item, rating.
    pub ratings: PathBuf,
    /// truster, trustee.
    pub links: PathBuf,
}

impl Files {
    /// A set small enough for a round of milliseconds.
    #[must_use]
    pub fn small(directory: &Path) -> Self {
        Self::of_users(directory, 80)
    }

    /// A set of that many users, as thin as [`small`](Self::small).
    #[must_use]
    pub fn of_users(directory: &Path, users: usize) -> Self {
        let settings = SyntheticSettings {
            users,
            items: 60,
            communities: 4,
            ratings_per_user: 12,
            ..SyntheticSettings::default()
        };
        let (ratings, links) = s3rec_cli::demo::write_synthetic(directory, &settings).unwrap();
        Self { ratings, links }
    }

    /// FilmTrust, or `None` with a loud word where it is missing. CI must not miss it.
    #[must_use]
    pub fn filmtrust() -> Option<Self> {
        Self::published("filmtrust/ratings.tsv", "filmtrust/trust.tsv")
    }

    /// Epinions, packed, its links with the ids of the ratings; or `None` as [`Self::filmtrust`].
    #[must_use]
    pub fn epinions() -> Option<Self> {
        Self::published("epinions/ratings.tsv.gz", "epinions/trust_aligned.tsv.gz")
    }

    fn published(ratings: &str, links: &str) -> Option<Self> {
        let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
        let root = std::env::var_os("S3REC_DATA").map_or(shared, PathBuf::from);
        let files = Self {
            ratings: root.join(ratings),
            links: root.join(links),
        };
        if files.ratings.is_file() && files.links.is_file() {
            return Some(files);
        }
        let missing = format!("{ratings} is not in {}: set S3REC_DATA", root.display());
        assert!(std::env::var_os("CI").is_none(), "{missing}");
        eprintln!("SKIPPED: {missing}");
        None
    }
}
