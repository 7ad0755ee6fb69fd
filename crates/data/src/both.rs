//! Both files, for whoever holds both: demonstrations, searches and measurements.

use std::path::{Path, PathBuf};

use crate::{DataError, LinkOptions, LinkSet, RatingOptions, RatingSet, Roster, RosterOptions};

/// A ratings file and a links file, and how they are read.
#[derive(Debug, Clone, PartialEq)]
pub struct BothFiles {
    /// The ratings.
    pub ratings: PathBuf,
    /// How they are read.
    pub rating_options: RatingOptions,
    /// The links.
    pub links: PathBuf,
    /// How they are read.
    pub link_options: LinkOptions,
    /// The users of both platforms, who need no rating and no link, and how they are read.
    pub roster: Option<(PathBuf, RosterOptions)>,
}

impl BothFiles {
    /// The two files, read by default.
    #[must_use]
    pub fn new(ratings: &Path, links: &Path) -> Self {
        Self {
            ratings: ratings.to_path_buf(),
            rating_options: RatingOptions::default(),
            links: links.to_path_buf(),
            link_options: LinkOptions::default(),
            roster: None,
        }
    }

    /// Reads both.
    ///
    /// # Errors
    /// Those of the readers, naming file, line and field.
    pub fn read(&self) -> Result<(RatingSet, LinkSet), DataError> {
        let ratings = RatingSet::read(&self.ratings, &self.rating_options)?;
        let links = LinkSet::read(&self.links, &self.link_options)?;
        let Some((file, options)) = &self.roster else {
            return Ok((ratings, links));
        };
        let roster = Roster::read(file, options)?;
        Ok((
            ratings.with_roster(roster.clone()),
            links.with_roster(roster),
        ))
    }
}
