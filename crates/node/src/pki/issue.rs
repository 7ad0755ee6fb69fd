//! Issues a certificate authority and one identity for each role under it.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use time::{Duration, OffsetDateTime};

use super::rotate::revoke_nobody;
use super::{CertificateRole, Pin, PkiError, check_host, signer_uri};
use s3rec_audit::{PublicKey, Signer};

/// Days that an issued identity is valid; the authority lives ten times as long.
const VALID_DAYS: i64 = 397;

/// What every certificate is valid for beside the hosts that are given.
pub(super) const OWN_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

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
/// `ca.pem`, `ca.key`, the revocation list `ca.crl`, and `NAME.pem`, `NAME.key` for every role; keys are ECDSA P-256 with
/// file mode 0600. A platform also has `NAME.sign`, the ed25519 key of its approvals and of the
/// heads of its audit log, whose public half its certificate names.
///
/// # Errors
/// [`PkiError::Exists`] rather than overwriting anything, [`PkiError::Host`],
/// [`PkiError::File`].
pub fn issue(directory: &Path, hosts: &[String]) -> Result<Issuance, PkiError> {
    issue_roles(directory, hosts, &CertificateRole::ALL)
}

/// Makes an authority of one platform's own, and under it the identities of its daemon and of its
/// operators, as [`issue`] names the files. Nobody else's key is made: it need not travel.
///
/// # Errors
/// As [`issue`]; [`PkiError::Role`] for a `role` that is no platform's.
pub fn issue_platform(
    directory: &Path,
    role: CertificateRole,
    hosts: &[String],
) -> Result<Issuance, PkiError> {
    let operator = role.operator().ok_or(PkiError::Role {
        role,
        expected: "rating or social",
    })?;
    issue_roles(directory, hosts, &[role, operator])
}

fn issue_roles(
    directory: &Path,
    hosts: &[String],
    roles: &[CertificateRole],
) -> Result<Issuance, PkiError> {
    hosts.iter().try_for_each(|host| check_host(host))?;
    std::fs::create_dir_all(directory).map_err(PkiError::at(directory))?;
    let authority = authority()?;
    let ca_path = directory.join("ca.pem");
    write_new(&ca_path, authority.pem().as_bytes(), 0o644)?;
    write_new(
        &directory.join("ca.key"),
        authority.key().serialize_pem().as_bytes(),
        0o600,
    )?;
    let identities = roles
        .iter()
        .map(|&role| identity(directory, role, role.name(), hosts, &authority))
        .collect::<Result<_, _>>()?;
    revoke_nobody(directory, &authority)?;
    Ok(Issuance {
        ca_path,
        identities,
    })
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, PkiError> {
    let key = KeyPair::generate()?;
    // A name of its own: one authority's revocation list says nothing about another's.
    let mark = blake3::hash(key.public_key_raw()).to_hex();
    let name = format!("s3rec authority {}", mark.split_at(16).0);
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, VALID_DAYS * 10);
    Ok(CertifiedIssuer::self_signed(params, key)?)
}

pub(super) fn identity(
    directory: &Path,
    role: CertificateRole,
    stem: &str,
    hosts: &[String],
    authority: &Issuer<'_, KeyPair>,
) -> Result<IssuedIdentity, PkiError> {
    let signer = match role.operator() {
        Some(_) => Some(signer(&directory.join(format!("{role}.sign")))?),
        None => None,
    };
    let params = params(role, hosts, signer.as_ref())?;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, authority)?;

    let certificate_path = directory.join(format!("{stem}.pem"));
    let key_path = directory.join(format!("{stem}.key"));
    write_new(&certificate_path, certificate.pem().as_bytes(), 0o644)?;
    write_new(&key_path, key.serialize_pem().as_bytes(), 0o600)?;
    Ok(IssuedIdentity {
        role,
        certificate_path,
        key_path,
        pin: Pin::of(certificate.der()),
    })
}

/// What a certificate of `role` says, from now on: valid for this machine's own names and `hosts`.
pub(super) fn params(
    role: CertificateRole,
    hosts: &[String],
    signer: Option<&PublicKey>,
) -> Result<CertificateParams, PkiError> {
    let mut names: Vec<String> = OWN_NAMES.map(String::from).to_vec();
    for host in hosts {
        if !names.contains(host) {
            names.push(host.clone());
        }
    }
    let mut params = CertificateParams::new(names).map_err(|_| PkiError::Host {
        host: hosts.join(", "),
    })?;
    let uris = &mut params.subject_alt_names;
    uris.push(SanType::URI(role.uri().try_into()?));
    if let Some(signer) = signer {
        uris.push(SanType::URI(signer_uri(signer).try_into()?));
    }
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
    Ok(params)
}

/// The public half of the signing key in `path`, made if there is none: a further certificate
/// of the same platform keeps its key.
pub(super) fn signer(path: &Path) -> Result<PublicKey, PkiError> {
    let broken = |source| PkiError::Signer {
        path: path.to_owned(),
        source,
    };
    match std::fs::read_to_string(path) {
        Ok(pem) => Ok(Signer::from_pem(&pem).map_err(broken)?.public()),
        Err(_) => {
            let signer = Signer::generate().map_err(broken)?;
            write_new(path, signer.to_pem().map_err(broken)?.as_bytes(), 0o600)?;
            Ok(signer.public())
        }
    }
}

/// Valid from an hour ago, for clocks that differ.
fn set_validity(params: &mut CertificateParams, days: i64) {
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::hours(1);
    params.not_after = now + Duration::days(days);
}

pub(super) fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), PkiError> {
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
        PkiError::at(path)(source)
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
            let file = identity.key_path.with_extension("sign");
            let signer = std::fs::read_to_string(file).ok();
            let signer = signer.map(|pem| Signer::from_pem(&pem).unwrap().public());
            assert_eq!(inspected.signer, signer);
            let is_platform = ["rating", "social"].contains(&identity.role.name());
            assert_eq!(signer.is_some(), is_platform);
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
