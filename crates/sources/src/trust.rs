//! Whom TLS connections believe: the authorities of this machine, or those of a file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate of ours and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// TLS that verifies the other side's certificate and name.
///
/// # Errors
/// What is wrong with which file.
pub(crate) fn client(
    roots: Option<&Path>,
    identity: Option<&Identity>,
) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(match roots {
            Some(file) => of_file(file)?,
            None => of_machine()?,
        });
    let Some(Identity { certificate, key }) = identity else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = certificates(certificate)?;
    let own = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| format!("the key {}: {error}", key.display()))?;
    let with = builder.with_client_auth_cert(chain, own);
    with.map_err(|error| format!("{}: {error}", certificate.display()))
}

fn of_machine() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(found.certs);
    match store.is_empty() {
        false => Ok(store),
        true => Err(
            "this machine has no certificates of authorities; install ca-certificates, or let \
             SSL_CERT_FILE name a file of them"
                .to_owned(),
        ),
    }
}

fn of_file(file: &Path) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(file)? {
        let added = store.add(certificate);
        added.map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(store)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let refused = |what: String| format!("the certificate {}: {what}", file.display());
    let read = CertificateDer::pem_file_iter(file).map_err(|error| refused(error.to_string()))?;
    let all: Result<Vec<_>, _> = read.collect();
    let all = all.map_err(|error| refused(error.to_string()))?;
    match all.is_empty() {
        false => Ok(all),
        true => Err(refused("there is none in it".into())),
    }
}
