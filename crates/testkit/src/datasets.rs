//! The published data sets, read from `$S3REC_DATA`, else from `../shared/data` beside the
//! workspace. They are never part of the repository, so a test that needs one asks first.

use s3rec_data::{DataError, LinkOptions, LinkSet, OutOfScale, RatingOptions, RatingSet, Scale};
use std::path::PathBuf;

/// A published data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dataset {
    /// Films; 1,508 users, 35,494 ratings, 1,853 links.
    FilmTrust,
    /// Consumer products; 7,375 users, 282,650 pairs, 111,781 links.
    Ciao,
    /// Consumer products; 40,163 users, 664,824 ratings, 487,183 link rows, ids aligned.
    EpinionsAligned,
}

impl Dataset {
    fn files(self) -> (&'static str, &'static str) {
        match self {
            Self::FilmTrust => ("filmtrust/ratings.tsv", "filmtrust/trust.tsv"),
            Self::Ciao => ("ciao/ratings.tsv.gz", "ciao/trust.tsv"),
            Self::EpinionsAligned => ("epinions/ratings.tsv.gz", "epinions/trust_aligned.tsv.gz"),
        }
    }

    fn scale(self) -> Scale {
        match self {
            Self::FilmTrust => Scale { min: 0.5, max: 4.0 },
            Self::Ciao | Self::EpinionsAligned => Scale { min: 1.0, max: 5.0 },
        }
    }

    /// Whether the files are at hand.
    pub fn is_available(self) -> bool {
        folder().join(self.files().0).is_file() && folder().join(self.files().1).is_file()
    }

    /// Reads ratings (rows outside the published scale dropped) and links.
    ///
    /// # Errors
    /// Whatever the readers refuse.
    pub fn read(self) -> Result<(RatingSet, LinkSet), DataError> {
        let (ratings, links) = self.files();
        let options = RatingOptions {
            scale: Some(self.scale()),
            out_of_scale: OutOfScale::Drop,
            ..RatingOptions::default()
        };
        Ok((
            RatingSet::read(&folder().join(ratings), &options)?,
            LinkSet::read(&folder().join(links), &LinkOptions::default())?,
        ))
    }
}

fn folder() -> PathBuf {
    std::env::var_os("S3REC_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    )
}
