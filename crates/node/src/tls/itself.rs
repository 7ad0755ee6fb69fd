//! A daemon may ask itself how it is, whoever else its operators' authority lets in.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

/// Lets in whom `operators` lets in, and the holder of our own certificate's key. The latter
/// gets no further than health and reflection: operator verbs ask for an operator's role.
#[derive(Debug)]
pub(super) struct OrItself {
    operators: Arc<dyn ClientCertVerifier>,
    own: CertificateDer<'static>,
}

impl OrItself {
    pub(super) fn new(
        operators: Arc<dyn ClientCertVerifier>,
        own: CertificateDer<'static>,
    ) -> Arc<Self> {
        Arc::new(Self { operators, own })
    }
}

impl ClientCertVerifier for OrItself {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.operators.root_hint_subjects()
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
        self.operators
            .verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.operators.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.operators.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.operators.supported_verify_schemes()
    }
}
