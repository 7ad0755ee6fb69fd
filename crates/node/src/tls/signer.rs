//! The key of a platform's signatures, which lies beside its TLS key and which its certificate
//! names.

use std::path::PathBuf;

use s3rec_audit::{AuditError, Signer};

use super::TlsError;
use super::material::refuse_exposed;
use crate::config::TlsSettings;
use crate::pki::{Inspected, signer_uri};

/// Why a platform has no key to sign with. Each says what to mend.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The file is missing, or others can read it.
    #[error("the signing key: {0}; `s3rec pki` makes one beside each platform's key")]
    File(#[from] TlsError),
    /// The file holds something else.
    #[error("{path}: {source}")]
    Form {
        /// The file.
        path: PathBuf,
        /// Why.
        source: AuditError,
    },
    /// The certificate names another key, or none.
    #[error(
        "{certificate} does not name the signing key in {path}: its alternative names need the URI {uri}; \
         `s3rec pki` issues certificates that have it"
    )]
    Unnamed {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        path: PathBuf,
        /// What the certificate lacks.
        uri: String,
    },
}

/// Reads the signing key: the file of the TLS key with the ending `.sign`.
///
/// # Errors
/// [`SignerError`].
pub fn load(settings: &TlsSettings, own: &Inspected) -> Result<Signer, SignerError> {
    let path = settings.key.with_extension("sign");
    refuse_exposed(&path)?;
    let pem = std::fs::read_to_string(&path).map_err(TlsError::at(&path))?;
    let pem = zeroize::Zeroizing::new(pem);
    let signer = Signer::from_pem(&pem).map_err(|source| SignerError::Form {
        path: path.clone(),
        source,
    })?;
    if own.signer != Some(signer.public()) {
        return Err(SignerError::Unnamed {
            certificate: settings.certificate.clone(),
            path,
            uri: signer_uri(&signer.public()),
        });
    }
    Ok(signer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{CertificateRole, issue};
    use crate::tls::TlsMaterial;

    #[test]
    fn only_the_key_that_the_certificate_names_signs() {
        let directory = tempfile::tempdir().unwrap();
        issue(directory.path(), &[]).unwrap();
        let at = |name: &str| directory.path().join(name);
        let settings = TlsSettings {
            ca: at("ca.pem"),
            certificate: at("social.pem"),
            key: at("social.key"),
            revoked: None,
        };
        let material = TlsMaterial::load(&settings, CertificateRole::Social).unwrap();
        let key = material.signer().unwrap().public();
        assert_eq!(material.own().signer, Some(key));

        std::fs::copy(at("rating.sign"), at("social.sign")).unwrap();
        assert!(matches!(
            material.signer(),
            Err(SignerError::Unnamed { .. })
        ));
        std::fs::write(at("social.sign"), "nothing").unwrap();
        assert!(matches!(material.signer(), Err(SignerError::Form { .. })));
        std::fs::remove_file(at("social.sign")).unwrap();
        assert!(matches!(material.signer(), Err(SignerError::File(_))));
    }
}
