//! Anywhere to export to.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{SourceError, Trouble};
use crate::place::{ObjectPlace, Place};
use crate::{objects, shown, spool};

/// Where an export goes. It is written to [`file`](Self::file) and is there once
/// [finished](Self::finish).
#[derive(Debug)]
pub struct Destination {
    file: PathBuf,
    /// Of an object, which is written once its copy is whole.
    object: Option<(ObjectPlace, TempDir)>,
}

impl Destination {
    /// What `path` names: `s3://`, `gs://` and `az://` an object; `file://` and anything else a file.
    ///
    /// # Errors
    /// [`Trouble::Place`] for a place that nothing is written to.
    pub fn named(path: &Path) -> Result<Self, SourceError> {
        let refused = |what: &str, remedy: &str| {
            Err(SourceError::new(&shown(path), Trouble::Place, what, remedy))
        };
        match Place::named(path)? {
            Place::Path(file) => Ok(Self { file, object: None }),
            Place::StandardInput => refused("this cannot be written to", "name a file"),
            Place::Postgres(_) => refused(
                "exports are files",
                "write one, and load it there; or name s3://, gs://, az://",
            ),
            Place::Objects(place) => {
                let name = place.key.rsplit('/').next().unwrap_or_default();
                if name.is_empty() || name.contains('*') {
                    return refused("this names no single object", "give the object's whole key");
                }
                let folder = tempfile::tempdir().map_err(|error| spool::failed(&error))?;
                Ok(Self {
                    file: folder.path().join(name),
                    object: Some((place, folder)),
                })
            }
        }
    }

    /// The file to write, on this machine.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Puts what was written where it belongs.
    ///
    /// # Errors
    /// [`SourceError`] naming the place; nothing is there then.
    pub async fn finish(self) -> Result<(), SourceError> {
        match &self.object {
            Some((place, _folder)) => objects::write(place, &self.file).await,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_written_where_they_are_and_objects_beside() {
        let file = Destination::named(Path::new("file:///a/b.parquet")).unwrap();
        assert_eq!(file.file(), Path::new("/a/b.parquet"));
        let object = Destination::named(Path::new("s3://bucket/a/b.parquet")).unwrap();
        assert!(object.file().ends_with("b.parquet"));
        assert_ne!(object.file(), Path::new("a/b.parquet"));
        for text in [
            "s3://bucket/",
            "s3://bucket/a/*",
            "postgres://h/d",
            "-",
            "ftp://h/f",
        ] {
            let refused = Destination::named(Path::new(text)).unwrap_err();
            assert_eq!(refused.trouble, Trouble::Place, "{text}");
        }
    }
}
