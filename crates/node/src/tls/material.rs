//! Keys and authorities from files.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use s3rec_audit::Signer;

use super::Revocations;
use super::SignerError;
use crate::config::TlsSettings;
use crate::pki::{CertificateRole, Inspected, PkiError, inspect};

/// Failures of reading our TLS files. Each names the file to mend.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that cannot be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file without what it should hold.
    #[error("{path} holds no {expected} in PEM form")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What was expected.
        expected: &'static str,
    },
    /// A private key that others can read.
    #[error("{path} can be read by others (mode {mode:03o}); restrict it with: chmod 600 {path}")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Of `peer.pin` and `peer.pin_file` both are set, or neither is.
    #[error(
        "set either peer.pin or peer.pin_file, to say which certificate the other platform has"
    )]
    Pins,
    /// A file of pins without any, or with a line that is none.
    #[error("{path}: {detail}; write one pin a line, as s3rec pki prints it")]
    PinFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// Our certificate has no role or several, or is none.
    #[error("{path}: {source}")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PkiError,
    },
    /// Our certificate has the wrong role.
    #[error("{path} is a certificate for the role {actual}; this program needs {expected}")]
    Role {
        /// The file.
        path: PathBuf,
        /// What is needed.
        expected: CertificateRole,
        /// What it is.
        actual: CertificateRole,
    },
    /// rustls refuses key and certificate, or the authorities.
    #[error("key {key} and certificate {certificate} do not fit: {source}")]
    Unfit {
        /// The key.
        key: PathBuf,
        /// The certificate.
        certificate: PathBuf,
        /// Why.
        source: Box<rustls::Error>,
    },
    /// Our own certificate would not be let in.
    #[error("{certificate} is not valid under {authority}: {source}")]
    Unverified {
        /// The certificate.
        certificate: PathBuf,
        /// The authorities.
        authority: PathBuf,
        /// Why.
        source: Box<rustls::Error>,
    },
    /// `operator.ca` is unset, and no authority in `tls.ca` issued our own certificate: whoever
    /// is there is the other platform's, and would make operators of ours.
    #[error(
        "operator.ca is unset, and {certificate} was not issued by an authority in {authorities}: \
         the other platform's authority would decide who operates this one; set operator.ca to \
         the authority of your own operators' certificates"
    )]
    OperatorAuthority {
        /// Our certificate.
        certificate: PathBuf,
        /// `tls.ca`.
        authorities: PathBuf,
    },
    /// The authorities cannot verify clients.
    #[error("the authorities in {path} cannot verify anybody: {detail}")]
    Authority {
        /// The file.
        path: PathBuf,
        /// Why.
        detail: String,
    },
}

impl TlsError {
    /// What an error of the file system becomes, at that file.
    pub(crate) fn at(path: &Path) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::File {
            path: path.to_owned(),
            source,
        }
    }

    /// What to do, where that does not follow from the words of the error.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::File { .. } => Some(
                "The client file or the configuration names this file. s3rec pki trust writes peer-ca.pem \
                 and peer.pin from the other platform's card; s3rec init and s3rec pki make our own."
                    .into(),
            ),
            Self::Role { expected, .. } => Some(format!(
                "Name the certificate of a {expected}, and its key, in the client file (certificate, key) \
                 or the configuration (tls); or call the platform that this one is for."
            )),
            Self::Exposed { .. } => Some("Then try again: nothing was sent.".into()),
            Self::Unfit { .. } => Some(
                "Name a certificate and the key that it was made for; s3rec pki writes both side by side."
                    .into(),
            ),
            _ => None,
        }
    }

    /// Whether a certificate was not let in because another authority issued it.
    #[must_use]
    pub fn is_of_another_authority(&self) -> bool {
        use rustls::CertificateError::{BadSignature, UnknownIssuer};
        let Self::Unverified { source, .. } = self else {
            return false;
        };
        matches!(
            **source,
            rustls::Error::InvalidCertificate(UnknownIssuer | BadSignature)
        )
    }
}

/// Our certificate, key and authorities, read and checked once.
pub struct TlsMaterial {
    pub(super) settings: TlsSettings,
    pub(super) roots: Arc<RootCertStore>,
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    pub(super) own: Inspected,
    pub(super) revocations: Revocations,
}

impl TlsMaterial {
    /// Reads the files and checks that the key is ours alone and the certificate is for `role`.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn load(settings: &TlsSettings, role: CertificateRole) -> Result<Self, TlsError> {
        refuse_exposed(&settings.key)?;
        let chain = certificates(&settings.certificate)?;
        let leaf = chain.first().ok_or_else(|| TlsError::Pem {
            path: settings.certificate.clone(),
            expected: "certificate",
        })?;
        let own = inspect(leaf).map_err(|source| TlsError::Certificate {
            path: settings.certificate.clone(),
            source,
        })?;
        if own.role != role {
            return Err(TlsError::Role {
                path: settings.certificate.clone(),
                expected: role,
                actual: own.role,
            });
        }
        let key = PrivateKeyDer::from_pem_file(&settings.key).map_err(|_| TlsError::Pem {
            path: settings.key.clone(),
            expected: "private key",
        })?;
        Ok(Self {
            settings: settings.clone(),
            roots: store(&settings.ca, certificates(&settings.ca)?)?,
            chain,
            key,
            own,
            revocations: Revocations::read(settings.revoked.as_deref())?,
        })
    }

    /// What our own certificate says.
    #[must_use]
    pub fn own(&self) -> &Inspected {
        &self.own
    }

    /// Our certificate, DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        self.chain.first().map_or(&[], |leaf| leaf)
    }

    /// The key of our signatures.
    ///
    /// # Errors
    /// [`SignerError`].
    pub fn signer(&self) -> Result<Signer, SignerError> {
        super::signer::load(&self.settings, &self.own)
    }

    /// Who was revoked when the files were read.
    #[must_use]
    pub fn revocations(&self) -> &Revocations {
        &self.revocations
    }
}

/// Refuses a secret file that its group or others can read.
///
/// # Errors
/// [`TlsError::Exposed`] with the remedy; [`TlsError::File`].
pub fn refuse_exposed(path: &Path) -> Result<(), TlsError> {
    let metadata = std::fs::metadata(path).map_err(TlsError::at(path))?;
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(TlsError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = std::fs::read(path).map_err(TlsError::at(path))?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    read.map_err(|_| TlsError::Pem {
        path: path.to_owned(),
        expected: "certificate",
    })
}

/// Authorities that are believed; `path` is where they come from.
pub(super) fn store(
    path: &Path,
    authorities: Vec<CertificateDer<'static>>,
) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority).map_err(|error| TlsError::Authority {
            path: path.to_owned(),
            detail: error.to_string(),
        })?;
    }
    if roots.is_empty() {
        return Err(TlsError::Pem {
            path: path.to_owned(),
            expected: "certificate",
        });
    }
    Ok(Arc::new(roots))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::pki::issue;

    fn settings(directory: &Path, stem: &str) -> TlsSettings {
        TlsSettings {
            ca: directory.join("ca.pem"),
            certificate: directory.join(format!("{stem}.pem")),
            key: directory.join(format!("{stem}.key")),
            revoked: None,
        }
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        issue(directory.path(), &[]).unwrap();
        let settings = settings(directory.path(), "rating");
        let exposed = std::fs::Permissions::from_mode(0o640);
        std::fs::set_permissions(&settings.key, exposed).unwrap();
        let refused = TlsMaterial::load(&settings, CertificateRole::Rating)
            .err()
            .unwrap();
        assert!(
            matches!(refused, TlsError::Exposed { mode: 0o640, .. }),
            "{refused}"
        );
    }

    #[test]
    fn another_role_or_another_key_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        issue(directory.path(), &[]).unwrap();
        let mut settings = settings(directory.path(), "rating");
        let refused = TlsMaterial::load(&settings, CertificateRole::Social)
            .err()
            .unwrap();
        assert!(matches!(refused, TlsError::Role { .. }), "{refused}");
        settings.key = directory.path().join("social.key");
        let loaded = TlsMaterial::load(&settings, CertificateRole::Rating).unwrap();
        assert!(matches!(
            loaded.client_config(),
            Err(TlsError::Unfit { .. })
        ));
    }
}
