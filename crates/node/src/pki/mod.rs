//! Certificates: roles as URIs in the subject's alternative names, pins, and an issuer.

mod card;
mod issue;
mod names;
mod request;
mod role;
mod rotate;

pub use card::{Card, Trusted, trust};
pub use issue::{Issuance, IssuedIdentity, issue, issue_platform};
pub use names::{check_host, inspect_file, server_names};
pub use request::{Request, Requested, read_request, request, sign};
pub(crate) use role::of_hexadecimal;
pub use role::{CertificateRole, Inspected, Pin, PinError, inspect, signer_uri};
pub use rotate::{activate, certificate_in, revoke, rotate};

/// Failures of reading or issuing certificates.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Making a key or certificate failed.
    #[error("making a certificate failed: {0}")]
    Issue(#[from] rcgen::Error),
    /// A platform's signing key could not be made or read.
    #[error("{path}: {source}")]
    Signer {
        /// The key's file.
        path: std::path::PathBuf,
        /// Why.
        source: s3rec_audit::AuditError,
    },
    /// A file that is not what it should be.
    #[error("{path}: {detail}")]
    Unreadable {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A secret key that others can read.
    #[error("{0}")]
    Exposed(String),
    /// A host name does not fit a certificate.
    #[error(
        "{host:?} is neither a host name nor an IP address; give it without port, scheme and path"
    )]
    Host {
        /// What was given.
        host: String,
    },
    /// Bytes that are no X.509 certificate.
    #[error("not an X.509 certificate")]
    NotACertificate,
    /// The certificate names no role of ours, or several.
    #[error("the certificate names {found} s3rec roles instead of one")]
    Roles {
        /// How many were found.
        found: usize,
    },
    /// A certificate of a role that has no place there.
    #[error("the role {role} is given where {expected} is needed")]
    Role {
        /// What was given.
        role: CertificateRole,
        /// What is needed.
        expected: &'static str,
    },
    /// An existing file would be overwritten.
    #[error("{path} exists already; choose an empty directory, or move it away")]
    Exists {
        /// The file.
        path: std::path::PathBuf,
    },
}

impl PkiError {
    /// What an error of the file system becomes, at that file.
    pub(crate) fn at(path: &std::path::Path) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::File {
            path: path.to_owned(),
            source,
        }
    }
}
