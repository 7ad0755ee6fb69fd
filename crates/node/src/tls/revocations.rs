//! Certificates that their authority has taken back: X.509 revocation lists, PEM.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use super::TlsError;
use crate::pki::Inspected;

/// Revoked certificates, by issuer and serial number.
#[derive(Debug, Default)]
pub struct Revocations {
    revoked: HashSet<(Vec<u8>, Vec<u8>)>,
    lists: Vec<CertificateRevocationListDer<'static>>,
}

impl Revocations {
    /// The lists in a file, or in all `*.crl` files of a directory; none without either. TLS checks
    /// their signatures at every handshake.
    ///
    /// # Errors
    /// [`TlsError::File`]; [`TlsError::Pem`] for a file without a list.
    pub fn read(place: Option<&Path>) -> Result<Self, TlsError> {
        let mut read = Self::default();
        for file in place.into_iter().flat_map(list_files) {
            read.add(&file)?;
        }
        Ok(read)
    }

    fn add(&mut self, path: &Path) -> Result<(), TlsError> {
        let pem = std::fs::read(path).map_err(TlsError::at(path))?;
        let wrong = || TlsError::Pem {
            path: path.to_owned(),
            expected: "revocation list",
        };
        let lists: Vec<_> = CertificateRevocationListDer::pem_slice_iter(&pem)
            .collect::<Result<_, _>>()
            .map_err(|_| wrong())?;
        if lists.is_empty() {
            return Err(wrong());
        }
        for list in lists {
            let (rest, parsed) = CertificateRevocationList::from_der(&list).map_err(|_| wrong())?;
            if !rest.is_empty() {
                return Err(wrong());
            }
            let issuer = parsed.issuer().as_raw();
            for entry in parsed.iter_revoked_certificates() {
                let key = (issuer.to_vec(), entry.raw_serial().to_vec());
                self.revoked.insert(key);
            }
            self.lists.push(list);
        }
        Ok(())
    }

    /// Whether a certificate is on a list of its issuer.
    #[must_use]
    pub fn contain(&self, certificate: &Inspected) -> bool {
        // Two sets of bytes, neither secret.
        let key = (certificate.issuer.clone(), certificate.serial.clone());
        self.revoked.contains(&key)
    }

    /// For TLS.
    pub(super) fn lists(&self) -> &[CertificateRevocationListDer<'static>] {
        &self.lists
    }
}

/// The files that revocation lists are read from: `place`, or where that is a directory its `*.crl`
/// files in order.
pub(super) fn list_files(place: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(place) else {
        return vec![place.to_owned()];
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "crl"))
        .collect();
    files.sort();
    files
}
