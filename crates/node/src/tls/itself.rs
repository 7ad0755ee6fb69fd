//! A daemon may ask itself how it is, whatever authorities its own certificate and those that it
//! believes are of: both ends know the certificate itself.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError,
    PeerIncompatible, SignatureScheme,
};

/// Lets in whom `others` lets in, and the holder of our own certificate's key. The latter gets
/// no further than health and reflection: verbs and the peer's calls ask for another role.
#[derive(Debug)]
pub(super) struct OrItself {
    others: Arc<dyn ClientCertVerifier>,
    own: CertificateDer<'static>,
}

impl OrItself {
    pub(super) fn new(
        others: Arc<dyn ClientCertVerifier>,
        own: CertificateDer<'static>,
    ) -> Arc<Self> {
        Arc::new(Self { others, own })
    }
}

impl ClientCertVerifier for OrItself {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.others.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        // Certificates are public; that the caller holds the key is verified below.
        if *end_entity == self.own {
            return Ok(ClientCertVerified::assertion());
        }
        self.others
            .verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.others.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.others.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.others.supported_verify_schemes()
    }
}

/// Believes the holder of our own certificate's key and nobody else.
#[derive(Debug)]
pub(super) struct OnlyItself {
    own: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

/// Somebody else answers where our daemon should.
#[derive(Debug, thiserror::Error)]
#[error(
    "whoever listens there presents another certificate than tls.certificate (a daemon takes up a \
     new one within limits.reload_seconds)"
)]
struct NotItself;

impl OnlyItself {
    pub(super) fn new(own: CertificateDer<'static>, provider: Arc<CryptoProvider>) -> Arc<Self> {
        Arc::new(Self { own, provider })
    }
}

impl ServerCertVerifier for OnlyItself {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // That it holds the key is verified below; whether it has ended, by who asked to connect.
        if *end_entity == self.own {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateError::Other(OtherError(Arc::new(NotItself))).into())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
