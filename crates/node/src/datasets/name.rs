//! Names of data sets: the one place that says which there are.

use std::fmt;

use s3rec_wire::status::{Fault, Reason};

/// Longest name, bytes.
const MAX_BYTES: usize = 64;

/// How the names of files begin that are no data sets: as no data set's name does.
const HIDDEN: char = '.';

/// The name of a data set, which is its file's name too: plain words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetName(String);

impl DatasetName {
    /// Reads a name as people give it.
    ///
    /// # Errors
    /// [`Reason::InvalidRequest`] naming the field `dataset`.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let good = (1..=MAX_BYTES).contains(&text.len())
            && text.chars().all(plain)
            && !text.starts_with(HIDDEN);
        if good {
            return Ok(Self(text.into()));
        }
        let message = "a data set's name is 1 to 64 letters, digits, '-', '_' or '.', not \
                       beginning with '.'";
        Err(Fault::new(Reason::InvalidRequest, message).at("field", "dataset"))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DatasetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_the_directory_are_refused() {
        for name in [
            "",
            "..",
            ".hidden",
            ".job-1",
            "a/b",
            "../x",
            "a b",
            "a\0",
            &"x".repeat(65),
            "ü",
        ] {
            assert!(DatasetName::parse(name).is_err(), "{name}");
        }
        for name in ["film-trust_2.tsv", "job-1", &"x".repeat(64)] {
            assert_eq!(DatasetName::parse(name).unwrap().as_str(), name);
        }
    }
}
