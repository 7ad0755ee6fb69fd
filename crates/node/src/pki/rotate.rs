//! Replaces and takes back identities of an authority made by [`issue`](super::issue()).
//!
//! A rotation has two steps, so that a running pair never refuses itself: [`rotate`] makes the
//! next identity beside the present one, and its pin goes to the other platform, which accepts
//! both; [`activate`] then moves it into place, where a running daemon finds it.

use std::path::{Path, PathBuf};

use rcgen::{
    CertificateRevocationListParams, Issuer, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use super::issue::{identity, write_new};
use super::{CertificateRole, IssuedIdentity, PkiError, check_host, inspect};
use crate::tls::refuse_exposed;

/// How long a revocation list says it is current; nobody refuses an older one.
const LIST_DAYS: i64 = 3650;

/// Makes the next identity of `role` in `directory`: `NAME.next.pem`, `NAME.next.key`.
///
/// # Errors
/// [`PkiError::Exists`] while another next one waits to be activated; [`PkiError`] for an
/// authority that is not there or whose key others can read.
pub fn rotate(
    directory: &Path,
    role: CertificateRole,
    hosts: &[String],
) -> Result<IssuedIdentity, PkiError> {
    hosts.iter().try_for_each(|host| check_host(host))?;
    let authority = authority(directory)?;
    identity(directory, role, &format!("{role}.next"), hosts, &authority)
}

/// Moves the next identity of `role` into place, key first; the present certificate stays as
/// `NAME.old.pem`, for [`revoke`], and its key is gone.
///
/// # Errors
/// [`PkiError::File`] without a next one.
pub fn activate(directory: &Path, role: CertificateRole) -> Result<IssuedIdentity, PkiError> {
    let at = |ending: &str| directory.join(format!("{role}{ending}"));
    let next = certificate_in(&at(".next.pem"))?;
    exposed(&at(".next.key"))?;
    rename(&at(".pem"), &at(".old.pem"))?;
    rename(&at(".next.key"), &at(".key"))?;
    rename(&at(".next.pem"), &at(".pem"))?;
    Ok(IssuedIdentity {
        role,
        certificate_path: at(".pem"),
        key_path: at(".key"),
        pin: inspect(&next)?.pin,
    })
}

/// Puts a certificate on the authority's revocation list, `ca.crl`, made when it is missing.
/// Both platforms need the new list where their `tls.revoked` names it.
///
/// # Errors
/// [`PkiError`], also for a certificate that names no role.
pub fn revoke(directory: &Path, certificate: &Path) -> Result<PathBuf, PkiError> {
    let authority = authority(directory)?;
    let revoked = inspect(&certificate_in(certificate)?)?;
    let path = directory.join("ca.crl");
    let mut present = present(&path)?;
    let now = OffsetDateTime::now_utc();
    if !present
        .revoked
        .iter()
        .any(|(serial, _)| *serial == revoked.serial)
    {
        present.revoked.push((revoked.serial, now));
    }
    write_list(&path, &authority, present.number + 1, present.revoked)?;
    Ok(path)
}

/// Writes a list of nobody, so that `tls.revoked` has a file from the beginning.
pub(super) fn revoke_nobody(
    directory: &Path,
    authority: &Issuer<'_, KeyPair>,
) -> Result<(), PkiError> {
    write_list(&directory.join("ca.crl"), authority, 1, Vec::new())
}

/// The first certificate of a PEM file, in DER.
///
/// # Errors
/// [`PkiError::Unreadable`].
pub fn certificate_in(path: &Path) -> Result<CertificateDer<'static>, PkiError> {
    CertificateDer::from_pem_file(path).map_err(|error| PkiError::Unreadable {
        path: path.to_owned(),
        detail: error.to_string(),
    })
}

pub(super) fn authority(directory: &Path) -> Result<Issuer<'static, KeyPair>, PkiError> {
    let key_path = directory.join("ca.key");
    exposed(&key_path)?;
    let read = |path: &Path| std::fs::read_to_string(path).map_err(PkiError::at(path));
    let key = KeyPair::from_pem(&read(&key_path)?)?;
    Ok(Issuer::from_ca_cert_pem(
        &read(&directory.join("ca.pem"))?,
        key,
    )?)
}

/// Serial numbers, and since when they are revoked.
#[derive(Default)]
struct List {
    number: u64,
    revoked: Vec<(Vec<u8>, OffsetDateTime)>,
}

fn present(path: &Path) -> Result<List, PkiError> {
    if !path.exists() {
        return Ok(List::default());
    }
    let unreadable = |detail: String| PkiError::Unreadable {
        path: path.to_owned(),
        detail,
    };
    let der = rustls_pki_types::CertificateRevocationListDer::from_pem_file(path)
        .map_err(|error| unreadable(error.to_string()))?;
    let (_, list) =
        CertificateRevocationList::from_der(&der).map_err(|error| unreadable(error.to_string()))?;
    let number = list
        .crl_number()
        .and_then(|number| u64::try_from(number).ok());
    let revoked = list
        .iter_revoked_certificates()
        .map(|entry| {
            let since = entry.revocation_date.to_datetime();
            (entry.raw_serial().to_vec(), since)
        })
        .collect();
    Ok(List {
        number: number.unwrap_or_default(),
        revoked,
    })
}

fn write_list(
    path: &Path,
    authority: &Issuer<'_, KeyPair>,
    number: u64,
    revoked: Vec<(Vec<u8>, OffsetDateTime)>,
) -> Result<(), PkiError> {
    let now = OffsetDateTime::now_utc();
    let params = CertificateRevocationListParams {
        this_update: now - Duration::hours(1),
        next_update: now + Duration::days(LIST_DAYS),
        crl_number: SerialNumber::from(number),
        issuing_distribution_point: None,
        revoked_certs: revoked
            .into_iter()
            .map(|(serial, since)| RevokedCertParams {
                serial_number: SerialNumber::from(serial),
                revocation_time: since,
                reason_code: None,
                invalidity_date: None,
            })
            .collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = params.signed_by(authority)?.pem()?;
    let next = path.with_extension("crl.next");
    // One that a run before left unfinished.
    let _ = std::fs::remove_file(&next);
    write_new(&next, list.as_bytes(), 0o644)?;
    rename(&next, path)
}

fn exposed(path: &Path) -> Result<(), PkiError> {
    refuse_exposed(path).map_err(|error| PkiError::Exposed(error.to_string()))
}

fn rename(from: &Path, to: &Path) -> Result<(), PkiError> {
    std::fs::rename(from, to).map_err(PkiError::at(from))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::pki::issue;

    #[test]
    fn the_next_identity_waits_until_it_is_activated() {
        let directory = tempfile::tempdir().unwrap();
        let issued = issue(directory.path(), &[]).unwrap();
        let role = CertificateRole::Rating;
        let old = issued.identity(role).unwrap();
        let next = rotate(directory.path(), role, &["p0.example".into()]).unwrap();
        assert_ne!(next.pin, old.pin);
        let present = |path: &Path| inspect(&certificate_in(path).unwrap()).unwrap().pin;
        assert_eq!(present(&old.certificate_path), old.pin);
        assert!(matches!(
            rotate(directory.path(), role, &[]),
            Err(PkiError::Exists { .. })
        ));
        let active = activate(directory.path(), role).unwrap();
        assert_eq!(
            (active.pin, present(&old.certificate_path)),
            (next.pin, next.pin)
        );
        assert_eq!(present(&directory.path().join("rating.old.pem")), old.pin);
        assert!(activate(directory.path(), role).is_err(), "no next one");
    }

    #[test]
    fn lists_grow_and_name_nobody_twice() {
        let directory = tempfile::tempdir().unwrap();
        let issued = issue(directory.path(), &[]).unwrap();
        let path = directory.path().join("ca.crl");
        let first = present(&path).unwrap();
        assert!(first.revoked.is_empty());
        for (index, identity) in issued.identities.iter().enumerate().take(2) {
            revoke(directory.path(), &identity.certificate_path).unwrap();
            revoke(directory.path(), &identity.certificate_path).unwrap();
            let list = present(&path).unwrap();
            assert_eq!(list.revoked.len(), index + 1);
            assert_eq!(list.number, first.number + 2 * (index as u64 + 1));
        }
    }

    #[test]
    fn an_authority_whose_key_others_can_read_signs_nothing() {
        let directory = tempfile::tempdir().unwrap();
        issue(directory.path(), &[]).unwrap();
        let key = directory.path().join("ca.key");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
        let refused = rotate(directory.path(), CertificateRole::Social, &[])
            .unwrap_err()
            .to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
    }
}
