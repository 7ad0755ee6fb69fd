//! A certificate by request and signature: who will hold a key makes it and keeps it, and only
//! the request, signed with it, goes to the authority.

use std::path::{Path, PathBuf};

use rcgen::{CertificateSigningRequestParams, KeyPair, SanType};
use rustls_pki_types::CertificateSigningRequestDer;
use rustls_pki_types::pem::PemObject;
use s3rec_audit::PublicKey;

use super::card::{self, Card};
use super::issue::{OWN_NAMES, params, signer, write_new};
use super::role::signer_of;
use super::rotate::authority;
use super::{CertificateRole, Pin, PkiError, check_host};

/// A request is a few hundred bytes; whoever sends more sends something else.
const MOST_BYTES: u64 = 64 << 10;

/// What [`request()`] wrote.
#[derive(Clone, Debug)]
pub struct Requested {
    /// The request, to be sent to the authority; nothing in it is secret.
    pub request_path: PathBuf,
    /// PEM of the private key, which stays.
    pub key_path: PathBuf,
    /// SHA-256 of the request: both sides read it to each other.
    pub digest: Pin,
}

/// A request as its authority reads it, its own signature checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// For which role.
    pub role: CertificateRole,
    /// The names and addresses it asks for, without this machine's own.
    pub hosts: Vec<String>,
    /// SHA-256 of the request.
    pub digest: Pin,
    /// The key of a platform's approvals and audit log.
    signer: Option<PublicKey>,
    der: CertificateSigningRequestDer<'static>,
}

/// Makes the key of `role` in `directory`, a platform's signing key too, and the request for a
/// certificate: `ROLE.key`, `ROLE.sign`, `ROLE.csr`.
///
/// # Errors
/// [`PkiError::Exists`] rather than overwriting a key, [`PkiError::Host`], [`PkiError::File`].
pub fn request(
    directory: &Path,
    role: CertificateRole,
    hosts: &[String],
) -> Result<Requested, PkiError> {
    hosts.iter().try_for_each(|host| check_host(host))?;
    std::fs::create_dir_all(directory).map_err(PkiError::at(directory))?;
    let request_path = directory.join(format!("{role}.csr"));
    let key_path = directory.join(format!("{role}.key"));
    let signer = match role.operator() {
        Some(_) => Some(signer(&directory.join(format!("{role}.sign")))?),
        None => None,
    };
    let key = KeyPair::generate()?;
    let request = params(role, hosts, signer.as_ref())?.serialize_request(&key)?;
    write_new(&key_path, key.serialize_pem().as_bytes(), 0o600)?;
    write_new(&request_path, request.pem()?.as_bytes(), 0o644)?;
    Ok(Requested {
        request_path,
        key_path,
        digest: Pin::of(request.der()),
    })
}

/// Reads a request; what it asks for is shown to a person before [`sign`].
///
/// # Errors
/// [`PkiError::Unreadable`] for what is no request of ours: its own signature wrong, no role or
/// several, names that no certificate of ours has.
pub fn read_request(path: &Path) -> Result<Request, PkiError> {
    let unreadable = |detail: &str| PkiError::Unreadable {
        path: path.to_owned(),
        detail: detail.to_owned(),
    };
    let pem = card::read_bounded(path, MOST_BYTES)?;
    let der = CertificateSigningRequestDer::from_pem_slice(pem.as_bytes()).map_err(|_| {
        unreadable("no certificate request in PEM form, as s3rec pki request makes")
    })?;
    let asked = CertificateSigningRequestParams::from_der(&der)
        .map_err(|error| unreadable(&format!("the request is not in order: {error}")))?;
    let (mut roles, mut signers, mut hosts) = (Vec::new(), Vec::new(), Vec::new());
    for name in &asked.params.subject_alt_names {
        match name {
            SanType::DnsName(host) => hosts.push(host.to_string()),
            SanType::IpAddress(address) => hosts.push(address.to_string()),
            SanType::URI(uri) => match (
                CertificateRole::from_uri(uri.as_str()),
                signer_of(uri.as_str()),
            ) {
                (Some(role), _) => roles.push(role),
                (None, Some(key)) => signers.push(key),
                (None, None) => return Err(unreadable("it asks for a name that is none of ours")),
            },
            _ => return Err(unreadable("it asks for a name that is none of ours")),
        }
    }
    hosts.retain(|host| !OWN_NAMES.contains(&host.as_str()));
    hosts.iter().try_for_each(|host| check_host(host))?;
    let [role] = roles[..] else {
        return Err(unreadable("it asks for no role of ours, or for several"));
    };
    let signer = match (role.operator().is_some(), &signers[..]) {
        (true, [signer]) => Some(*signer),
        (false, []) => None,
        _ => return Err(unreadable("its signing key does not go with its role")),
    };
    Ok(Request {
        role,
        hosts,
        digest: Pin::of(&der),
        signer,
        der,
    })
}

/// Signs a request with the authority in `directory` (`ca.pem`, `ca.key`). Of the request only the
/// key and what [`Request`] shows goes into the certificate. The card that answers it holds the
/// certificate, the authority's, and its revocation list; the caller writes it.
///
/// # Errors
/// [`PkiError`] of the authority's files.
pub fn sign(directory: &Path, request: &Request) -> Result<Card, PkiError> {
    let authority = authority(directory)?;
    let asked = CertificateSigningRequestParams::from_der(&request.der)?;
    let ours = CertificateSigningRequestParams {
        params: params(request.role, &request.hosts, request.signer.as_ref())?,
        public_key: asked.public_key,
    };
    let certificate = ours.signed_by(&authority)?;
    Card::new(directory, &certificate.pem(), None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{inspect, issue_platform};

    fn directories() -> (tempfile::TempDir, tempfile::TempDir) {
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap())
    }

    #[test]
    fn a_request_becomes_a_certificate_and_no_key_leaves() {
        let (authority, holder) = directories();
        issue_platform(authority.path(), CertificateRole::Rating, &[]).unwrap();
        for role in CertificateRole::ALL {
            let hosts = vec!["p1.example".to_owned(), "10.0.0.7".to_owned()];
            let made = request(holder.path(), role, &hosts).unwrap();
            let sent = std::fs::read_to_string(&made.request_path).unwrap();
            assert!(!sent.contains("PRIVATE"), "{sent}");
            let read = read_request(&made.request_path).unwrap();
            assert_eq!((read.role, &read.hosts), (role, &hosts));
            assert_eq!(read.digest, made.digest);
            let card = sign(authority.path(), &read).unwrap();
            assert!(!card.to_text().contains("PRIVATE"));
            let inspected = inspect(&card.certificate_der().unwrap()).unwrap();
            assert_eq!(inspected.role, role);
            assert_eq!(inspected.signer.is_some(), role.operator().is_some());
            let again = request(holder.path(), role, &hosts);
            assert!(matches!(again, Err(PkiError::Exists { .. })), "{again:?}");
        }
    }

    #[test]
    fn what_is_no_request_of_ours_is_refused() {
        let (_, holder) = directories();
        let made = request(holder.path(), CertificateRole::Social, &[]).unwrap();
        let path = holder.path().join("other.csr");
        let good = std::fs::read_to_string(&made.request_path).unwrap();
        let mut der = CertificateSigningRequestDer::from_pem_slice(good.as_bytes())
            .unwrap()
            .to_vec();
        // One bit of the key or of what is asked for: the request's own signature is over both.
        let middle = der.len() / 2;
        der[middle] ^= 1;
        let key = KeyPair::generate().unwrap();
        let foreign = rcgen::CertificateParams::new(vec!["p1.example".to_owned()]).unwrap();
        let foreign = foreign.serialize_request(&key).unwrap().pem().unwrap();
        let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
        authority.subject_alt_names = vec![
            SanType::URI("s3rec://role/social-operator".try_into().unwrap()),
            SanType::Rfc822Name("a@b.example".try_into().unwrap()),
        ];
        let mail = authority.serialize_request(&key).unwrap().pem().unwrap();
        let flipped = pem_of(&der);
        for text in [
            "",
            "no PEM",
            &foreign,
            &mail,
            &flipped,
            &"x".repeat(1 << 17),
        ] {
            std::fs::write(&path, text).unwrap();
            let refused = read_request(&path).unwrap_err();
            assert!(
                matches!(refused, PkiError::Unreadable { .. }),
                "{refused}: {text:.60}"
            );
        }
    }

    fn pem_of(der: &[u8]) -> String {
        // Base64 by hand would be longer than what is tested: rustls writes none, rcgen does.
        let body = base64(der);
        format!("-----BEGIN CERTIFICATE REQUEST-----\n{body}\n-----END CERTIFICATE REQUEST-----\n")
    }

    fn base64(bytes: &[u8]) -> String {
        const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for three in bytes.chunks(3) {
            let word = three
                .iter()
                .chain(&[0, 0])
                .take(3)
                .fold(0_usize, |word, byte| word << 8 | usize::from(*byte));
            for place in 0..4 {
                match place <= three.len() {
                    true => text.push(char::from(DIGITS[word >> (18 - 6 * place) & 63])),
                    false => text.push('='),
                }
            }
        }
        text
    }
}
