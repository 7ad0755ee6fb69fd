//! The first failure of a session, which ends all of it: a dataflow that has lost a member would wait
//! for ever.

use std::sync::{Arc, OnceLock};

use tokio::sync::watch;

use crate::ClusterError;

/// How a session is, to everything that takes part in it here.
#[derive(Clone)]
pub(crate) struct Health(Arc<Inner>);

struct Inner {
    first: OnceLock<Failure>,
    failed: watch::Sender<bool>,
}

/// Who failed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// A member is gone or silent.
    Lost { member: String, what: String },
    /// A member sent what no member sends.
    Refused { member: String, what: String },
    /// The work itself.
    Work(String),
}

impl Failure {
    pub(crate) fn lost(member: &str, what: impl Into<String>) -> Self {
        Self::Lost {
            member: member.into(),
            what: what.into(),
        }
    }

    pub(crate) fn refused(member: &str, what: impl Into<String>) -> Self {
        Self::Refused {
            member: member.into(),
            what: what.into(),
        }
    }
}

impl From<Failure> for ClusterError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Lost { member, what } => Self::Lost { member, what },
            Failure::Refused { member, what } => Self::Refused { member, what },
            Failure::Work(what) => Self::Work(what),
        }
    }
}

impl Health {
    pub(crate) fn new() -> Self {
        let (failed, _) = watch::channel(false);
        let first = OnceLock::new();
        Self(Arc::new(Inner { first, failed }))
    }

    /// Ends the session; what came first is why.
    pub(crate) fn fail(&self, failure: Failure) {
        if self.0.first.set(failure).is_ok() {
            self.0.failed.send_replace(true);
        }
    }

    pub(crate) fn failure(&self) -> Option<Failure> {
        self.0.first.get().cloned()
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.0.first.get().is_some()
    }

    /// Waits until it fails.
    pub(crate) async fn failed(&self) {
        let mut failed = self.0.failed.subscribe();
        // It cannot go: we hold it.
        let _ = failed.wait_for(|failed| *failed).await;
    }
}
