//! Keys and authorities from files.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::TlsSettings;
use crate::pki::{CertificateRole, Inspected, PkiError, inspect};

/// HTTP/2 is all that gRPC speaks.
const ALPN: &[u8] = b"h2";

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
        source: rustls::Error,
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

/// Our certificate, key and authorities, read and checked once.
pub struct TlsMaterial {
    settings: TlsSettings,
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    own: Inspected,
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
            roots: roots(&settings.ca)?,
            chain,
            key,
            own,
        })
    }

    /// What our own certificate says.
    #[must_use]
    pub fn own(&self) -> &Inspected {
        &self.own
    }

    /// For a listener: clients must present a certificate of `client_ca`, or of the general
    /// authorities without one.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn server_config(&self, client_ca: Option<&Path>) -> Result<ServerConfig, TlsError> {
        let (path, clients) = match client_ca {
            Some(path) => (path, roots(path)?),
            None => (self.settings.ca.as_path(), Arc::clone(&self.roots)),
        };
        let verifier = WebPkiClientVerifier::builder_with_provider(clients, provider())
            .build()
            .map_err(|error| TlsError::Authority {
                path: path.to_owned(),
                detail: error.to_string(),
            })?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder
                    .with_client_cert_verifier(verifier)
                    .with_single_cert(self.chain.clone(), self.key.clone_key())
            })
            .map_err(|source| self.unfit(source))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(config)
    }

    /// For connecting; role and pin of whoever answers are checked by the client.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn client_config(&self) -> Result<ClientConfig, TlsError> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder
                    .with_root_certificates(Arc::clone(&self.roots))
                    .with_client_auth_cert(self.chain.clone(), self.key.clone_key())
            })
            .map_err(|source| self.unfit(source))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(config)
    }

    fn unfit(&self, source: rustls::Error) -> TlsError {
        TlsError::Unfit {
            key: self.settings.key.clone(),
            certificate: self.settings.certificate.clone(),
            source,
        }
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn refuse_exposed(path: &Path) -> Result<(), TlsError> {
    let metadata = std::fs::metadata(path).map_err(|source| TlsError::File {
        path: path.to_owned(),
        source,
    })?;
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(TlsError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = std::fs::read(path).map_err(|source| TlsError::File {
        path: path.to_owned(),
        source,
    })?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    read.map_err(|_| TlsError::Pem {
        path: path.to_owned(),
        expected: "certificate",
    })
}

fn roots(path: &Path) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots
            .add(certificate)
            .map_err(|error| TlsError::Authority {
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
