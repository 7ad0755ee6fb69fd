//! Anything to import, opened.

use std::path::{Path, PathBuf};

use crate::error::{SourceError, Trouble};
use crate::opened::Opened;
use crate::place::Place;
use crate::{files, objects, postgres, shown};

/// A place to read from, and what of it.
#[derive(Clone, Debug)]
pub struct Source {
    path: PathBuf,
    place: Place,
    /// Of a database.
    query: String,
}

impl Source {
    /// What `path` names: `-` is standard input; `postgres://…` the rows of `query`, which is empty for
    /// all else; `s3://`, `gs://` and `az://` an object; `file://` and anything else a file. A folder, or
    /// a prefix of objects, stands for all `*.parquet` in and below it, and a last name with `*` for the
    /// files that it fits, in the order of their names.
    ///
    /// # Errors
    /// [`Trouble::Place`].
    pub fn named(path: &Path, query: &str) -> Result<Self, SourceError> {
        let place = Place::named(path)?;
        let refused = |what: &str, remedy: &str| {
            Err(SourceError::new(&shown(path), Trouble::Place, what, remedy))
        };
        match (&place, query.trim()) {
            (Place::Postgres(_), "") => refused(
                "which of its rows are meant?",
                "give --query 'SELECT …', with the columns named as those of files are",
            ),
            (Place::Postgres(_), _) | (_, "") => Ok(Self {
                path: path.to_owned(),
                place,
                query: query.to_owned(),
            }),
            _ => refused("a query is for postgres://", "leave --query out"),
        }
    }

    /// What messages call it, without secrets.
    #[must_use]
    pub fn name(&self) -> String {
        shown(&self.path)
    }

    /// Opens it. What is elsewhere is copied whole first.
    ///
    /// # Errors
    /// [`SourceError`] naming the place, what is wrong and how to put it right.
    pub async fn open(&self) -> Result<Opened, SourceError> {
        match &self.place {
            Place::Postgres(address) => postgres::open(address, &self.name(), &self.query).await,
            Place::Objects(place) => objects::open(place).await,
            Place::StandardInput | Place::Path(_) => {
                let place = self.place.clone();
                let opened = tokio::task::spawn_blocking(move || match place.path() {
                    Some(path) => files::open(path),
                    None => files::standard_input()
                        .map_err(|error| SourceError::local(Path::new("-"), &error)),
                });
                opened.await.map_err(|error| {
                    SourceError::new(&self.name(), Trouble::Local, error.to_string(), "")
                })?
            }
        }
    }
}
