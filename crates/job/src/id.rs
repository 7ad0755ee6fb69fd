use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The name of a job: a UUID that P0 makes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "[u8; 16]", into = "[u8; 16]")]
pub struct JobId(Uuid);

impl From<[u8; 16]> for JobId {
    fn from(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl From<JobId> for [u8; 16] {
    fn from(job: JobId) -> Self {
        job.0.into_bytes()
    }
}

impl JobId {
    /// A new, random one.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The UUID's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Reads the hyphenated lower-case form, and no other.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let parsed = Uuid::try_parse(text).ok().map(Self);
        parsed.filter(|job| job.to_string() == text)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
