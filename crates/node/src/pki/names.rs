//! The hosts that a certificate is for.

use std::net::IpAddr;
use std::path::Path;

use rustls_pki_types::{CertificateDer, DnsName, ServerName, pem::PemObject};
use s3rec_wire::status::echo;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::{Inspected, PkiError, inspect};

/// Whether a certificate can be for `host`: an address, or a DNS name, of which the first label
/// may be `*`. No port, no scheme, no path.
///
/// # Errors
/// [`PkiError::Host`].
pub fn check_host(host: &str) -> Result<(), PkiError> {
    let name = host.strip_prefix("*.").unwrap_or(host);
    // An address that is none, such as 10.0.0.300, is no name either.
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    let is_named = DnsName::try_from(name).is_ok()
        && !name.ends_with('.')
        && !name.rsplit('.').next().is_none_or(is_number);
    if is_named || host.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    Err(PkiError::Host { host: echo(host) })
}

/// What the first certificate of a PEM file says, and the hosts that it is for in their order.
///
/// # Errors
/// [`PkiError::File`], or as [`inspect`].
pub fn inspect_file(path: &Path) -> Result<(Inspected, Vec<ServerName<'static>>), PkiError> {
    let pem = std::fs::read(path).map_err(PkiError::at(path))?;
    let der = CertificateDer::from_pem_slice(&pem).map_err(|_| PkiError::NotACertificate)?;
    Ok((inspect(&der)?, server_names(&der)?))
}

/// The hosts that a certificate is for; for a wildcard, one host that it covers.
///
/// # Errors
/// [`PkiError::NotACertificate`].
pub fn server_names(certificate_der: &[u8]) -> Result<Vec<ServerName<'static>>, PkiError> {
    let (_, parsed) =
        X509Certificate::from_der(certificate_der).map_err(|_| PkiError::NotACertificate)?;
    let names = parsed
        .subject_alternative_name()
        .map_err(|_| PkiError::NotACertificate)?;
    let general = names
        .iter()
        .flat_map(|extension| &extension.value.general_names);
    Ok(general
        .filter_map(|name| match name {
            GeneralName::DNSName(host) => {
                ServerName::try_from(host.replacen('*', "daemon", 1)).ok()
            }
            GeneralName::IPAddress(bytes) => match bytes.len() {
                4 => <[u8; 4]>::try_from(*bytes).ok().map(IpAddr::from),
                _ => <[u8; 16]>::try_from(*bytes).ok().map(IpAddr::from),
            }
            .map(|address| ServerName::IpAddress(address.into())),
            _ => None,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{CertificateRole, issue};

    #[test]
    fn hosts_come_in_the_order_of_the_certificate() {
        let directory = tempfile::tempdir().unwrap();
        let hosts = ["p0.example".to_owned(), "*.p0.example".to_owned()];
        let issued = issue(directory.path(), &hosts).unwrap();
        let path = &issued
            .identity(CertificateRole::Rating)
            .unwrap()
            .certificate_path;
        let (inspected, names) = inspect_file(path).unwrap();
        assert_eq!(inspected.role, CertificateRole::Rating);
        let shown: Vec<_> = names.iter().map(ServerName::to_str).collect();
        assert_eq!(
            shown,
            [
                "localhost",
                "127.0.0.1",
                "::1",
                "p0.example",
                "daemon.p0.example"
            ]
        );
    }

    #[test]
    fn hosts_are_names_and_addresses_and_nothing_else() {
        for host in [
            "p0",
            "p0.example",
            "*.p0.example",
            "rating_1",
            "10.0.0.3",
            "::1",
        ] {
            check_host(host).unwrap();
        }
        for host in [
            "",
            " ",
            "p0 example",
            "p0.example:7200",
            "https://p0.example",
            "p0.example/",
            "p0.example.",
            "10.0.0.300",
            "10.0.0.3/8",
            "[::1]",
            "*",
            "*.",
            "a*.example",
            "-p0",
            "zoë.example",
            "a,b",
            "user@host",
            &"a".repeat(64),
            &"a.".repeat(200),
        ] {
            let refused = check_host(host);
            assert!(matches!(refused, Err(PkiError::Host { .. })), "{host:?}");
        }
        let directory = tempfile::tempdir().unwrap();
        let hosts = ["p0.example:7200".to_owned()];
        assert!(issue(directory.path(), &hosts).is_err());
        let left = std::fs::read_dir(directory.path()).unwrap();
        assert_eq!(left.count(), 0, "nothing was written");
    }

    #[test]
    fn a_file_without_a_certificate_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.pem");
        std::fs::write(&path, "no certificate").unwrap();
        assert!(matches!(
            inspect_file(&path),
            Err(PkiError::NotACertificate)
        ));
    }
}
