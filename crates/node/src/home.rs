//! A data directory with store and audit log, for tests.

use std::path::Path;

use crate::audit::Audit;
use crate::config::TlsSettings;
use crate::pki::{CertificateRole, issue};
use crate::store::Store;
use crate::tls::TlsMaterial;

/// Deleted when dropped.
pub(crate) struct Home {
    directory: tempfile::TempDir,
    pub(crate) store: Store,
    pub(crate) audit: Audit,
}

impl Home {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path().join("keys");
        issue(&keys, &[]).unwrap();
        let role = CertificateRole::Social;
        let settings = TlsSettings {
            ca: keys.join("ca.pem"),
            certificate: keys.join("social.pem"),
            key: keys.join("social.key"),
            revoked: None,
        };
        let material = TlsMaterial::load(&settings, role).unwrap();
        let store = Store::open(directory.path()).unwrap();
        let signer = material.signer().unwrap();
        let audit = Audit::open(directory.path(), role, material.certificate(), signer).unwrap();
        Self {
            directory,
            store,
            audit,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}
