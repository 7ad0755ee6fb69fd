//! The data of a demonstration: given files, or a generated set.

use std::path::{Path, PathBuf};

use s3rec_data::SyntheticSettings;

use super::{DemoArgs, write_synthetic};
use crate::failure::Failure;

/// What the rating platform and the social platform import.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) ratings: PathBuf,
    pub(super) links: PathBuf,
}

impl Files {
    /// The files given, or new ones in `directory`.
    pub(super) fn prepare(arguments: &DemoArgs, directory: &Path) -> Result<Self, Failure> {
        let (ratings, links) = match (&arguments.ratings, &arguments.links) {
            (Some(ratings), Some(links)) => (ratings.clone(), links.clone()),
            _ => {
                let settings = SyntheticSettings {
                    seed: arguments.seed,
                    ..Default::default()
                };
                write_synthetic(directory, &settings)?
            }
        };
        Ok(Self { ratings, links })
    }
}
