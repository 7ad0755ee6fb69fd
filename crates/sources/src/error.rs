//! What is wrong with which place, and how to put it right.

use std::path::Path;

/// What kind of thing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// What was written names no place.
    Place,
    /// A file on this machine.
    Local,
    /// Nobody answers, or not who should.
    Unreachable,
    /// A password or key is missing, wrong, or does not suffice.
    Credentials,
    /// There is no such database, bucket or object.
    Missing,
    /// A query that the database refuses.
    Query,
    /// The connection broke, or stood still, after it had begun.
    Broken,
    /// The files there cannot be read as one.
    Data,
}

impl Trouble {
    /// A stable name for programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Place => "SOURCE_PLACE",
            Self::Local => "FILE",
            Self::Unreachable => "SOURCE_UNREACHABLE",
            Self::Credentials => "SOURCE_CREDENTIALS",
            Self::Missing => "SOURCE_MISSING",
            Self::Query => "SOURCE_QUERY",
            Self::Broken => "SOURCE_BROKEN",
            Self::Data => "SOURCE_DATA",
        }
    }
}

/// Why a place could not be read from or written to. Nothing was imported, or exported.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {what}{}{remedy}", if remedy.is_empty() { "" } else { "; " })]
pub struct SourceError {
    /// Where, without secrets.
    pub place: String,
    /// What kind of thing is wrong.
    pub trouble: Trouble,
    /// What is wrong.
    pub what: String,
    /// How to put it right; empty where the system's own words say it.
    pub remedy: String,
}

impl SourceError {
    pub(crate) fn new(
        place: &str,
        trouble: Trouble,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            place: place.to_owned(),
            trouble,
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    pub(crate) fn local(place: &Path, error: &std::io::Error) -> Self {
        Self::new(&crate::shown(place), Trouble::Local, error.to_string(), "")
    }
}

/// An error with all that caused it, each said once.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

/// The error of that type among what caused another.
pub(crate) fn cause<'e, E: std::error::Error + 'static>(
    error: &'e (dyn std::error::Error + 'static),
) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        // What a system error carries is not its source, but the source of that.
        let carried = error
            .downcast_ref::<std::io::Error>()
            .and_then(|error| error.get_ref());
        next = match carried {
            Some(carried) => Some(carried),
            None => error.source(),
        };
    }
    None
}
