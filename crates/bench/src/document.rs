//! One form for every record: what was measured, where and from which commit, around the
//! measurement itself.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{BenchError, Machine};

/// A measurement with its origin. The fields of `body` stand beside ours in the JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document<T> {
    /// `products`, `fetch`, `rounds`, `release`, `scale`, `links`.
    #[serde(default)]
    pub bench: String,
    /// Which data set; empty for synthetic ones.
    #[serde(default)]
    pub label: String,
    /// Made with `--quick`: smaller and fewer, for seeing that it works.
    #[serde(default)]
    pub quick: bool,
    /// Runs that medians are over.
    #[serde(default)]
    pub repeats: u64,
    /// Seconds since 1970.
    #[serde(default)]
    pub made_unix_seconds: u64,
    /// Where and from which commit.
    #[serde(default)]
    pub machine: Machine,
    /// The measurement.
    #[serde(flatten)]
    pub body: T,
}

impl<T> Document<T> {
    /// `body`, measured here and now.
    pub fn new(bench: &str, label: &str, quick: bool, repeats: u64, body: T) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self {
            bench: bench.to_owned(),
            label: label.to_owned(),
            quick,
            repeats,
            made_unix_seconds: now.map_or(0, |since| since.as_secs()),
            machine: Machine::here(),
            body,
        }
    }

    /// `products.json`, or `products-ciao.json` with a label.
    #[must_use]
    pub fn stem(&self) -> String {
        if self.label.is_empty() {
            self.bench.clone()
        } else {
            format!("{}-{}", self.bench, self.label)
        }
    }
}

impl<T: Serialize> Document<T> {
    /// Writes the document into `directory`, made if need be, and says where.
    ///
    /// # Errors
    /// [`BenchError::File`].
    pub fn write(&self, directory: &Path) -> Result<PathBuf, BenchError> {
        let path = directory.join(format!("{}.json", self.stem()));
        let failed = |source| BenchError::File {
            path: path.clone(),
            source,
        };
        std::fs::create_dir_all(directory).map_err(failed)?;
        let text = serde_json::to_string_pretty(self).map_err(|error| failed(error.into()))?;
        std::fs::write(&path, text + "\n").map_err(failed)?;
        Ok(path)
    }
}

impl<T: DeserializeOwned> Document<T> {
    /// Reads what [`Document::write`] wrote.
    ///
    /// # Errors
    /// [`BenchError::File`], also for a file of another form.
    pub fn read(path: &Path) -> Result<Self, BenchError> {
        let failed = |source| BenchError::File {
            path: path.to_owned(),
            source,
        };
        let text = std::fs::read_to_string(path).map_err(failed)?;
        serde_json::from_str(&text).map_err(|error| failed(error.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Body {
        records: Vec<f64>,
    }

    #[test]
    fn a_document_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let body = Body {
            records: vec![0.25, 3.0],
        };
        let document = Document::new("products", "ciao", true, 3, body);
        let path = document.write(&directory.path().join("new")).unwrap();
        assert!(path.ends_with("products-ciao.json"), "{path:?}");
        assert_eq!(Document::<Body>::read(&path).unwrap(), document);
        let value: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        // The body's fields stand at the top, where readers of records look for them.
        assert_eq!(value["records"][1], 3.0);
        assert_eq!(value["machine"]["commit"], document.machine.commit);
    }

    #[test]
    fn a_file_of_another_form_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.json");
        std::fs::write(&path, "{\"bench\": \"products\"}").unwrap();
        let error = Document::<Body>::read(&path).unwrap_err();
        assert!(error.to_string().contains("x.json"), "{error}");
    }
}
