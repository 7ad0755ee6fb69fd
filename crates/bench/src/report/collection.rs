//! The records that a directory holds, told apart by what they say they are.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::described;
use crate::fetch::FetchReport;
use crate::links::LinksReport;
use crate::psi::PsiReport;
use crate::record::ProductsReport;
use crate::release::ReleaseReport;
use crate::rounds::RoundsReport;
use crate::scale::ScaleReport;
use crate::{BenchError, Document};

/// Everything found, by kind, in the order of the file names.
#[derive(Debug, Default)]
pub struct Collection {
    /// `bench products`.
    pub products: Vec<Document<ProductsReport>>,
    /// `bench fetch`.
    pub fetch: Vec<Document<FetchReport>>,
    /// `bench rounds`.
    pub rounds: Vec<Document<RoundsReport>>,
    /// `bench release`.
    pub release: Vec<Document<ReleaseReport>>,
    /// `bench scale`.
    pub scale: Vec<Document<ScaleReport>>,
    /// `bench links`.
    pub links: Vec<Document<LinksReport>>,
    /// `bench psi`.
    pub psi: Vec<Document<PsiReport>>,
    origin: Vec<String>,
}

impl Collection {
    /// Reads every JSON file of `directory` that says which benchmark it is of.
    ///
    /// # Errors
    /// [`BenchError::File`] for a record that cannot be read, [`BenchError::NothingToReport`].
    pub fn read(directory: &Path) -> Result<Self, BenchError> {
        let failed = |source| BenchError::File {
            path: directory.to_owned(),
            source,
        };
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                paths.push(path);
            }
        }
        paths.sort();
        let mut collection = Self::default();
        for path in &paths {
            let kind: Document<serde_json::Value> = Document::read(path)?;
            let (found, machine) = (kind.bench.as_str(), &kind.machine);
            match found {
                "products" => keep(&mut collection.products, path)?,
                "fetch" => keep(&mut collection.fetch, path)?,
                "rounds" => keep(&mut collection.rounds, path)?,
                "release" => keep(&mut collection.release, path)?,
                "scale" => keep(&mut collection.scale, path)?,
                "links" => keep(&mut collection.links, path)?,
                "psi" => keep(&mut collection.psi, path)?,
                _ => continue,
            }
            let mut line = described(machine);
            if kind.quick {
                line += "; made with --quick, so smaller and fewer than it could be";
            }
            if !collection.origin.contains(&line) {
                collection.origin.push(line);
            }
        }
        if collection.origin.is_empty() {
            return Err(BenchError::NothingToReport {
                directory: directory.to_owned(),
            });
        }
        Ok(collection)
    }

    /// The machines, one line each.
    #[must_use]
    pub fn origin(&self) -> Vec<String> {
        self.origin.clone()
    }
}

fn keep<T: DeserializeOwned>(kept: &mut Vec<Document<T>>, path: &Path) -> Result<(), BenchError> {
    kept.push(Document::read(path)?);
    Ok(())
}

/// How a data set is called on the page.
pub(super) fn title(label: &str) -> String {
    match label {
        "" => "synthetic".to_owned(),
        "filmtrust" => "FilmTrust".to_owned(),
        "ciao" => "Ciao".to_owned(),
        "epinions" => "Epinions".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_directory_is_refused_and_foreign_files_are_left() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("other.json"), "{\"bench\": \"x\"}").unwrap();
        let error = Collection::read(directory.path()).unwrap_err();
        assert!(
            matches!(error, BenchError::NothingToReport { .. }),
            "{error}"
        );
    }

    #[test]
    fn a_broken_record_is_named() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(
            directory.path().join("scale.json"),
            "{\"bench\": \"scale\", \"users\": 3}",
        )
        .unwrap();
        let error = Collection::read(directory.path()).unwrap_err();
        assert!(error.to_string().contains("scale.json"), "{error}");
    }
}
