//! Certificates that their authority has taken back: X.509 revocation lists, PEM.

use std::collections::HashSet;
use std::path::Path;

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
    /// The lists in a file; none without a file. TLS checks their signatures at every handshake.
    ///
    /// # Errors
    /// [`TlsError::File`]; [`TlsError::Pem`] for a file without a list.
    pub fn read(file: Option<&Path>) -> Result<Self, TlsError> {
        let Some(path) = file else {
            return Ok(Self::default());
        };
        let pem = std::fs::read(path).map_err(|source| TlsError::File {
            path: path.to_owned(),
            source,
        })?;
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
        let mut revoked = HashSet::new();
        for list in &lists {
            let (rest, parsed) = CertificateRevocationList::from_der(list).map_err(|_| wrong())?;
            if !rest.is_empty() {
                return Err(wrong());
            }
            let issuer = parsed.issuer().as_raw();
            for entry in parsed.iter_revoked_certificates() {
                revoked.insert((issuer.to_vec(), entry.raw_serial().to_vec()));
            }
        }
        Ok(Self { revoked, lists })
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
