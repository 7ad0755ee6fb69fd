//! How we listen and how we call: TLS 1.3, a certificate at both ends, and no session that
//! outlives its certificate.
//!
//! Nothing is resumed: a ticket or a stored session would let somebody in by a certificate that
//! has ended or was revoked since. Both sides show their certificates at every handshake; a
//! handshake a connection is a price that nobody notices here.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::itself::{OnlyItself, OrItself};
use super::material::{TlsError, TlsMaterial, certificates, store};

/// HTTP/2 is all that gRPC speaks.
const ALPN: &[u8] = b"h2";

/// Whom a port's TLS lets in, besides the daemon itself.
#[derive(Clone, Copy, Debug)]
pub enum Clients<'a> {
    /// Everybody of the authorities in `tls.ca`: the other platform.
    Platforms,
    /// The people here: everybody of the authorities in `operator.ca`. Without one, of the
    /// authority in `tls.ca` that issued our own certificate, and of no other that is there: the
    /// other platform's authority makes no operators of ours.
    Operators(Option<&'a Path>),
}

impl TlsMaterial {
    /// Whether the authorities in `authority` would let us in now, as the other platform's would.
    ///
    /// # Errors
    /// [`TlsError::Unverified`] with what TLS says: ended, revoked, or of another authority.
    pub fn verify_own(&self, authority: &Path) -> Result<(), TlsError> {
        let roots = store(authority, certificates(authority)?)?;
        let (leaf, rest) = self.own_chain()?;
        let verifier = self.client_verifier(roots, authority)?;
        let verified = verifier.verify_client_cert(leaf, rest, UnixTime::now());
        verified.map(drop).map_err(|source| TlsError::Unverified {
            certificate: self.settings.certificate.clone(),
            authority: authority.to_owned(),
            source: Box::new(source),
        })
    }

    /// For a listener: callers must present a certificate of `clients`, or be the daemon itself.
    ///
    /// # Errors
    /// [`TlsError`]; [`TlsError::OperatorAuthority`] where nothing says whose operators to
    /// believe.
    pub fn server_config(&self, clients: Clients<'_>) -> Result<ServerConfig, TlsError> {
        let (path, roots) = match clients {
            Clients::Operators(Some(path)) => (path, store(path, certificates(path)?)?),
            Clients::Operators(None) => (self.settings.ca.as_path(), self.own_authorities()?),
            Clients::Platforms => (self.settings.ca.as_path(), Arc::clone(&self.roots)),
        };
        let verifier = self.client_verifier(roots, path)?;
        let (own, _) = self.own_chain()?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .and_then(|builder| {
                builder
                    .with_client_cert_verifier(OrItself::new(verifier, own.clone()))
                    .with_single_cert(self.chain.clone(), self.key.clone_key())
            })
            .map_err(|source| self.unfit(source))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    /// For a listener of browsers, which log in without a certificate of theirs.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn browser_config(&self) -> Result<ServerConfig, TlsError> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .and_then(|builder| {
                builder
                    .with_no_client_auth()
                    .with_single_cert(self.chain.clone(), self.key.clone_key())
            })
            .map_err(|source| self.unfit(source))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    /// For connecting; role and pin of whoever answers are checked by the client.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn client_config(&self) -> Result<ClientConfig, TlsError> {
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(&self.roots), provider())
                .with_crls(self.revocations.lists().iter().cloned())
                .only_check_end_entity_revocation()
                .allow_unknown_revocation_status()
                .build()
                .map_err(|error| TlsError::Authority {
                    path: self.settings.ca.clone(),
                    detail: error.to_string(),
                })?;
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .and_then(|builder| {
                builder
                    .with_webpki_verifier(verifier)
                    .with_client_auth_cert(self.chain.clone(), self.key.clone_key())
            });
        Ok(without_sessions(
            config.map_err(|source| self.unfit(source))?,
        ))
    }

    /// For connecting to our own daemon: only the holder of our certificate's key is believed,
    /// whichever authorities are.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn client_config_to_itself(&self) -> Result<ClientConfig, TlsError> {
        let (own, _) = self.own_chain()?;
        let verifier = OnlyItself::new(own.clone(), provider());
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .and_then(|builder| {
                builder
                    .dangerous()
                    .with_custom_certificate_verifier(verifier)
                    .with_client_auth_cert(self.chain.clone(), self.key.clone_key())
            });
        Ok(without_sessions(
            config.map_err(|source| self.unfit(source))?,
        ))
    }

    /// The authorities of `tls.ca` that issued our own certificate.
    fn own_authorities(&self) -> Result<Arc<RootCertStore>, TlsError> {
        let (leaf, rest) = self.own_chain()?;
        let parsed = ParsedCertificate::try_from(leaf).map_err(|source| self.unfit(source))?;
        // Whether it has ended is asked elsewhere; who issued it does not change.
        let began = u64::try_from(self.own.not_before_unix_s).unwrap_or(0);
        let began = UnixTime::since_unix_epoch(Duration::from_secs(began));
        let provider = provider();
        let algorithms = provider.signature_verification_algorithms.all;
        let issued_it = |authority: &CertificateDer<'static>| {
            let Ok(alone) = store(&self.settings.ca, vec![authority.clone()]) else {
                return false;
            };
            [began, UnixTime::now()].into_iter().any(|at| {
                verify_server_cert_signed_by_trust_anchor(&parsed, &alone, rest, at, algorithms)
                    .is_ok()
            })
        };
        let mut authorities = certificates(&self.settings.ca)?;
        authorities.retain(issued_it);
        if authorities.is_empty() {
            return Err(TlsError::OperatorAuthority {
                certificate: self.settings.certificate.clone(),
                authorities: self.settings.ca.clone(),
            });
        }
        store(&self.settings.ca, authorities)
    }

    fn client_verifier(
        &self,
        roots: Arc<RootCertStore>,
        path: &Path,
    ) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        WebPkiClientVerifier::builder_with_provider(roots, provider())
            .with_crls(self.revocations.lists().iter().cloned())
            .only_check_end_entity_revocation()
            .allow_unknown_revocation_status()
            .build()
            .map_err(|error| TlsError::Authority {
                path: path.to_owned(),
                detail: error.to_string(),
            })
    }

    fn own_chain(
        &self,
    ) -> Result<(&CertificateDer<'static>, &[CertificateDer<'static>]), TlsError> {
        self.chain.split_first().ok_or_else(|| TlsError::Pem {
            path: self.settings.certificate.clone(),
            expected: "certificate",
        })
    }

    fn unfit(&self, source: rustls::Error) -> TlsError {
        TlsError::Unfit {
            key: self.settings.key.clone(),
            certificate: self.settings.certificate.clone(),
            source: Box::new(source),
        }
    }
}

fn without_sessions(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
