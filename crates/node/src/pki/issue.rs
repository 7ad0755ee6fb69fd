//! Issues a certificate authority and one identity for each role under it.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};
use time::{Duration, OffsetDateTime};

use super::{CertificateRole, Pin, PkiError};

/// Days that an issued identity is valid; the authority lives ten times as long.
const VALID_DAYS: i64 = 397;

/// What [`issue`] wrote.
#[derive(Clone, Debug)]
pub struct Issuance {
    /// The authority's certificate.
    pub ca_path: PathBuf,
    /// One identity for each role, in the order of [`CertificateRole::ALL`].
    pub identities: Vec<IssuedIdentity>,
}

/// One identity on disk.
#[derive(Clone, Debug)]
pub struct IssuedIdentity {
    /// Whose it is.
    pub role: CertificateRole,
    /// PEM of the certificate.
    pub certificate_path: PathBuf,
    /// PEM of the private key, readable by its owner only.
    pub key_path: PathBuf,
    /// What the other platform pins.
    pub pin: Pin,
}

impl Issuance {
    /// The identity of `role`.
    #[must_use]
    pub fn identity(&self, role: CertificateRole) -> Option<&IssuedIdentity> {
        self.identities
            .iter()
            .find(|identity| identity.role == role)
    }
}

/// Makes a certificate authority and the four identities in `directory`, created if missing.
///
/// Every identity is valid for `localhost`, `127.0.0.1` and `::1`, and for `hosts`. Files:
/// `ca.pem`, `ca.key`, and `NAME.pem`, `NAME.key` for every role; keys are ECDSA P-256 with
/// file mode 0600.
///
/// # Errors
/// [`PkiError::Exists`] rather than overwriting anything, [`PkiError::Host`],
/// [`PkiError::File`].
pub fn issue(directory: &Path, hosts: &[String]) -> Result<Issuance, PkiError> {
    std::fs::create_dir_all(directory).map_err(|source| PkiError::File {
        path: directory.to_owned(),
        source,
    })?;
    let authority = authority()?;
    let ca_path = directory.join("ca.pem");
    write_new(&ca_path, authority.pem().as_bytes(), 0o644)?;
    write_new(
        &directory.join("ca.key"),
        authority.key().serialize_pem().as_bytes(),
        0o600,
    )?;
    let identities = CertificateRole::ALL
        .into_iter()
        .map(|role| identity(directory, role, hosts, &authority))
        .collect::<Result<_, _>>()?;
    Ok(Issuance {
        ca_path,
        identities,
    })
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, PkiError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params
        .distinguished_name
        .push(DnType::CommonName, "s3rec authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, VALID_DAYS * 10);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn identity(
    directory: &Path,
    role: CertificateRole,
    hosts: &[String],
    authority: &CertifiedIssuer<'_, KeyPair>,
) -> Result<IssuedIdentity, PkiError> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(String::from).to_vec();
    for host in hosts {
        if !names.contains(host) {
            names.push(host.clone());
        }
    }
    let mut params = CertificateParams::new(names).map_err(|_| PkiError::Host {
        host: hosts.join(", "),
    })?;
    params
        .subject_alt_names
        .push(SanType::URI(role.uri().try_into()?));
    params
        .distinguished_name
        .push(DnType::CommonName, format!("s3rec {role}"));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = match role {
        CertificateRole::Rating | CertificateRole::Social => vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ],
        CertificateRole::RatingOperator | CertificateRole::SocialOperator => {
            vec![ExtendedKeyUsagePurpose::ClientAuth]
        }
    };
    set_validity(&mut params, VALID_DAYS);
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, authority)?;

    let certificate_path = directory.join(format!("{role}.pem"));
    let key_path = directory.join(format!("{role}.key"));
    write_new(&certificate_path, certificate.pem().as_bytes(), 0o644)?;
    write_new(&key_path, key.serialize_pem().as_bytes(), 0o600)?;
    Ok(IssuedIdentity {
        role,
        certificate_path,
        key_path,
        pin: Pin::of(certificate.der()),
    })
}

/// Valid from an hour ago, for clocks that differ.
fn set_validity(params: &mut CertificateParams, days: i64) {
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::hours(1);
    params.not_after = now + Duration::days(days);
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), PkiError> {
    let opened = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path);
    let written = opened.and_then(|mut file| file.write_all(bytes));
    written.map_err(|source| {
        if source.kind() == std::io::ErrorKind::AlreadyExists {
            return PkiError::Exists {
                path: path.to_owned(),
            };
        }
        PkiError::File {
            path: path.to_owned(),
            source,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use rustls_pki_types::{CertificateDer, pem::PemObject};

    #[test]
    fn identities_name_their_role_and_fit_their_pin() {
        let directory = tempfile::tempdir().unwrap();
        let issued = issue(directory.path(), &["p0.example".into()]).unwrap();
        assert_eq!(issued.identities.len(), 4);
        for identity in &issued.identities {
            let der = CertificateDer::from_pem_file(&identity.certificate_path).unwrap();
            let inspected = super::super::inspect(&der).unwrap();
            assert_eq!(inspected.role, identity.role);
            assert_eq!(inspected.pin, identity.pin);
            let mode = identity.key_path.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn nothing_is_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        issue(directory.path(), &[]).unwrap();
        let again = issue(directory.path(), &[]);
        assert!(matches!(again, Err(PkiError::Exists { .. })));
    }

    #[test]
    fn the_authority_itself_has_no_role() {
        let directory = tempfile::tempdir().unwrap();
        let issued = issue(directory.path(), &[]).unwrap();
        let der = CertificateDer::from_pem_file(&issued.ca_path).unwrap();
        let inspected = super::super::inspect(&der);
        assert!(matches!(inspected, Err(PkiError::Roles { found: 0 })));
    }
}
