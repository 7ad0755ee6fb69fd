//! What can go wrong, by culprit: a file of ours, a member, the work itself.

use std::io;
use std::path::PathBuf;

use s3rec_node::pki::Pin;
use s3rec_node::tls::TlsError;
use s3rec_wire::status::{Fault, Reason};

/// Everything that a cluster reports. What is about a member names it.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A file that cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file of workers is not what it should be.
    #[error("{path}: {detail}")]
    Members {
        /// The file.
        path: PathBuf,
        /// What is wrong, with field or line.
        detail: String,
    },
    /// Our own key or certificate.
    #[error(transparent)]
    Key(#[from] TlsError),
    /// Our own certificate is not the one that the file gives us.
    #[error(
        "{path} has the digest {actual}, and the file of workers gives {name} {expected}; write the \
         one into the other, at every member"
    )]
    OwnPin {
        /// Our certificate.
        path: PathBuf,
        /// Who we are.
        name: String,
        /// As the file says.
        expected: Pin,
        /// As it is.
        actual: Pin,
    },
    /// The part of this program that the file gives us is not the one that was asked for.
    #[error("{path}: this.name is {name:?}, {expected}")]
    Part {
        /// The file of workers.
        path: PathBuf,
        /// Who we are by it.
        name: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A certificate or a key could not be made.
    #[error("making a certificate failed: {0}")]
    Made(#[from] rcgen::Error),
    /// TLS refuses our key and certificate.
    #[error("TLS refuses our own key and certificate: {0}")]
    Tls(#[from] rustls::Error),
    /// The system refused: randomness, a thread, a socket of our own.
    #[error("the operating system refused: {0}")]
    System(#[from] io::Error),
    /// A member that cannot be reached, or was there and is gone.
    #[error("{member}: {what}")]
    Lost {
        /// Name and address.
        member: String,
        /// What happened.
        what: String,
    },
    /// A member that refuses, or whose bytes mean nothing.
    #[error("{member} {what}")]
    Refused {
        /// Name and address.
        member: String,
        /// What happened.
        what: String,
    },
    /// What a worker made does not fit, or was no task to begin with: a bug of ours.
    #[error("the work went wrong: {0}")]
    Work(String),
}

impl ClusterError {
    /// Whether it may be otherwise when the member is back.
    pub(crate) const fn may_pass(&self) -> bool {
        matches!(self, Self::Lost { .. })
    }

    /// As the daemon reports it: to its own people alone, since who computes for a platform is
    /// nobody else's business.
    #[must_use]
    pub fn into_fault(self) -> Fault {
        let message = format!("the platform's workers: {self}");
        match self {
            Self::Work(_) => Fault::new(Reason::Bug, message),
            _ => Fault::new(Reason::WorkersFailed, message),
        }
    }
}
