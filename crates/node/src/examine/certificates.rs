//! The certificates that a daemon goes by, and when they end.

use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::Settings;
use crate::pki::Pin;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whose, or what for.
    pub what: &'static str,
    /// Common name of its subject.
    pub name: String,
    /// SHA-256 of its DER, in hexadecimal.
    pub pin: String,
    /// End of its validity, seconds since the Unix epoch.
    pub not_after_unix_s: i64,
}

/// Our own, and those of the authorities that are believed. What cannot be read is left out: the
/// examination says what is wrong with it.
#[must_use]
pub fn certificates<P>(settings: &Settings<P>) -> Vec<Certificate> {
    let tls = &settings.tls;
    let mut all = of_file("this platform", &tls.certificate);
    // What follows it in the file is the chain.
    all.truncate(1);
    all.extend(of_file("authority believed", &tls.ca));
    if let Some(ca) = &settings.operator.ca {
        all.extend(of_file("authority of the operators", ca));
    }
    all
}

fn of_file(what: &'static str, path: &Path) -> Vec<Certificate> {
    let Ok(read) = CertificateDer::pem_file_iter(path) else {
        return Vec::new();
    };
    read.filter_map(Result::ok)
        .filter_map(|der| of_der(what, &der))
        .collect()
}

fn of_der(what: &'static str, der: &[u8]) -> Option<Certificate> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    let name = parsed.subject().iter_common_name().next();
    let name = name.and_then(|name| name.as_str().ok()).unwrap_or_default();
    Some(Certificate {
        what,
        name: name.to_owned(),
        pin: Pin::of(der).to_string(),
        not_after_unix_s: parsed.validity().not_after.timestamp(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{CertificateRole, issue};

    #[test]
    fn what_is_in_a_file_is_told_and_what_is_no_certificate_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let issued = issue(directory.path(), &[]).unwrap();
        let own = issued.identity(CertificateRole::Rating).unwrap();
        let told = of_file("this platform", &own.certificate_path);
        assert_eq!(
            told.first().map(|one| one.pin.clone()),
            Some(own.pin.to_string())
        );
        let authority = of_file("authority believed", &issued.ca_path);
        assert_eq!(authority.len(), 1);
        assert!(authority[0].not_after_unix_s >= told[0].not_after_unix_s);
        let none = directory.path().join("none.pem");
        std::fs::write(&none, "no certificate").unwrap();
        assert_eq!(of_file("nothing", &none), []);
    }
}
