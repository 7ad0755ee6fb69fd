//! What one platform hands to the other, or an authority to who asked it: a card, in which nothing
//! is secret.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use super::issue::write_new;
use super::{CertificateRole, Inspected, Pin, PkiError, certificate_in, inspect};

/// A card is a few thousand bytes, more only for a revocation list of many.
const MOST_BYTES: u64 = 1 << 20;

const HEAD: &str = "\
# A card of s3rec: who this is, by certificate. Nothing in here is secret. The other platform takes
# it with `s3rec pki trust`, and compares the pin over a way that both trust.
";

/// A certificate, the authority that issued it, and whom that has revoked.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// `https://host:port` where the social platform is called; nobody else is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// PEM.
    certificate: String,
    /// PEM.
    authority: String,
    /// PEM; a card of an authority that keeps no list has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revocations: Option<String>,
}

/// What [`trust`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted {
    /// Whose card it is.
    pub role: CertificateRole,
    /// Pin of the certificate.
    pub pin: Pin,
    /// It answers a request made here, and is in place as our own certificate.
    pub is_ours: bool,
    /// Pins that were believed before, and still are.
    pub kept: Vec<Pin>,
    /// Files that were written.
    pub written: Vec<PathBuf>,
}

impl Card {
    /// Of a certificate that the authority in `directory` (`ca.pem`, `ca.crl`) has issued.
    ///
    /// # Errors
    /// [`PkiError`] of the files, and as [`Card::read`].
    pub fn new(
        directory: &Path,
        certificate: &str,
        address: Option<String>,
    ) -> Result<Self, PkiError> {
        let list = directory.join("ca.crl");
        let card = Self {
            address,
            certificate: certificate.to_owned(),
            authority: read_bounded(&directory.join("ca.pem"), MOST_BYTES)?,
            revocations: match list.exists() {
                true => Some(read_bounded(&list, MOST_BYTES)?),
                false => None,
            },
        };
        card.check(directory)?;
        Ok(card)
    }

    /// Reads a card and checks that it fits together.
    ///
    /// # Errors
    /// [`PkiError::Unreadable`] with what is wrong.
    pub fn read(path: &Path) -> Result<Self, PkiError> {
        let text = read_bounded(path, MOST_BYTES)?;
        let card: Self = toml::from_str(&text).map_err(|error| PkiError::Unreadable {
            path: path.to_owned(),
            detail: format!("this is no card, as s3rec init or s3rec pki sign writes it: {error}"),
        })?;
        card.check(path)?;
        Ok(card)
    }

    /// As it is written.
    #[must_use]
    pub fn to_text(&self) -> String {
        let body = toml::to_string_pretty(self).unwrap_or_default();
        format!("{HEAD}{body}")
    }

    /// The certificate, DER.
    ///
    /// # Errors
    /// [`PkiError::NotACertificate`].
    pub fn certificate_der(&self) -> Result<CertificateDer<'static>, PkiError> {
        der(&self.certificate)
    }

    /// What the certificate says.
    ///
    /// # Errors
    /// As [`inspect`].
    pub fn inspect(&self) -> Result<Inspected, PkiError> {
        inspect(&self.certificate_der()?)
    }

    fn check(&self, path: &Path) -> Result<(), PkiError> {
        let unreadable = |detail: String| PkiError::Unreadable {
            path: path.to_owned(),
            detail,
        };
        let inspected = self.inspect()?;
        let refused = |error: &dyn std::fmt::Display| {
            unreadable(format!(
                "its certificate ({}) is not valid under its authority: {error}",
                inspected.role
            ))
        };
        let mut roots = RootCertStore::empty();
        roots
            .add(der(&self.authority)?)
            .map_err(|error| refused(&error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| refused(&error))?;
        verifier
            .verify_client_cert(&self.certificate_der()?, &[], UnixTime::now())
            .map_err(|error| refused(&error))?;
        if let Some(list) = &self.revocations {
            list_in(list).ok_or_else(|| unreadable("its revocation list is none".into()))?;
        }
        if let Some(address) = &self.address
            && (inspected.role != CertificateRole::Social || !address.starts_with("https://"))
        {
            let detail = format!("address {address:?} is none of a social platform's");
            return Err(unreadable(detail));
        }
        Ok(())
    }
}

/// Takes a card up into `directory`, where the keys of one platform or one operator lie.
///
/// Where the private key of its certificate lies there, it answers a request made there:
/// `ROLE.pem` and, where there are none, `ca.pem` and `ca.crl` are written. Otherwise it is the other
/// platform's: its authority is added to `peer-ca.pem`, its pin to `peer.pin`, and its revocation
/// list becomes `peer.crl` unless that is newer. A pin that was there stays, so that a rotation does
/// not break a running pair.
///
/// # Errors
/// [`PkiError::Exists`] for a certificate of ours that is there already; [`PkiError::Role`] for the
/// card of an operator, or of our own platform.
pub fn trust(directory: &Path, card: &Card) -> Result<Trusted, PkiError> {
    let inspected = card.inspect()?;
    let role = inspected.role;
    if has_key_of(directory, role, card)? {
        return take_own(directory, card, &inspected);
    }
    let other = match role {
        CertificateRole::Rating => CertificateRole::Social,
        CertificateRole::Social => CertificateRole::Rating,
        _ => {
            let expected = "the card of the other platform, or one whose request was made here,";
            return Err(PkiError::Role { role, expected });
        }
    };
    if directory.join(format!("{role}.key")).exists()
        && !directory.join(format!("{other}.key")).exists()
    {
        let expected = "the card of the other platform";
        return Err(PkiError::Role { role, expected });
    }
    let at = |name: &str| directory.join(name);
    let mut written = Vec::new();
    let mut update = |path: PathBuf, text: String| -> Result<(), PkiError> {
        if std::fs::read_to_string(&path).ok().as_deref() != Some(text.as_str()) {
            replace(&path, &text)?;
            written.push(path);
        }
        Ok(())
    };
    // The pin last: with it the other platform is let in, and by then the rest is there.
    let before = std::fs::read_to_string(at("peer-ca.pem")).unwrap_or_default();
    let known = CertificateDer::pem_slice_iter(before.as_bytes()).flatten();
    let authority = der(&card.authority)?;
    if !known.into_iter().any(|known| known == authority) {
        update(at("peer-ca.pem"), before + &card.authority)?;
    }
    if let Some(list) = &card.revocations {
        let present = std::fs::read_to_string(at("peer.crl")).unwrap_or_default();
        update(at("peer.crl"), newest_lists(&present, list)?)?;
    }
    let pins = std::fs::read_to_string(at("peer.pin")).unwrap_or_default();
    let kept: Vec<Pin> = pins
        .lines()
        .filter_map(|line| line.trim().parse().ok())
        .filter(|pin| *pin != inspected.pin)
        .collect();
    if !pins.contains(&inspected.pin.to_string()) {
        update(at("peer.pin"), format!("{pins}{}\n", inspected.pin))?;
    }
    Ok(Trusted {
        role,
        pin: inspected.pin,
        is_ours: false,
        kept,
        written,
    })
}

fn take_own(directory: &Path, card: &Card, inspected: &Inspected) -> Result<Trusted, PkiError> {
    let path = directory.join(format!("{}.pem", inspected.role));
    let mut written = Vec::new();
    let parts = [
        (directory.join("ca.pem"), Some(&card.authority)),
        (directory.join("ca.crl"), card.revocations.as_ref()),
    ];
    if path.exists() && certificate_in(&path)? != card.certificate_der()? {
        return Err(PkiError::Exists { path });
    }
    for (path, text) in parts {
        // A platform's own authority, which its operators are of, stays.
        if let (false, Some(text)) = (path.exists(), text) {
            write_new(&path, text.as_bytes(), 0o644)?;
            written.push(path);
        }
    }
    if !path.exists() {
        write_new(&path, card.certificate.as_bytes(), 0o644)?;
        written.push(path);
    }
    Ok(Trusted {
        role: inspected.role,
        pin: inspected.pin,
        is_ours: true,
        kept: Vec::new(),
        written,
    })
}

/// Whether the private key of the card's certificate lies in the directory.
fn has_key_of(directory: &Path, role: CertificateRole, card: &Card) -> Result<bool, PkiError> {
    let path = directory.join(format!("{role}.key"));
    let Ok(key) = PrivateKeyDer::from_pem_file(&path) else {
        return Ok(false);
    };
    let provider = rustls::crypto::ring::default_provider();
    let Ok(key) = provider.key_provider.load_private_key(key) else {
        return Ok(false);
    };
    let chain = vec![card.certificate_der()?];
    let fits = rustls::sign::CertifiedKey::new(chain, key).keys_match();
    Ok(fits.is_ok())
}

/// The lists of `present` and `new` in PEM; of one issuer the one with the higher number.
fn newest_lists(present: &str, new: &str) -> Result<String, PkiError> {
    let broken = PkiError::NotACertificate;
    let Some((issuer, number)) = list_in(new) else {
        return Err(broken);
    };
    match list_in(present) {
        Some((of, at_present)) if of == issuer && at_present > number => Ok(present.to_owned()),
        Some((of, _)) if of != issuer => Ok(format!("{present}{new}")),
        _ => Ok(new.to_owned()),
    }
}

/// Issuer and number of the first revocation list in a PEM text.
fn list_in(pem: &str) -> Option<(Vec<u8>, u64)> {
    let der = CertificateRevocationListDer::from_pem_slice(pem.as_bytes()).ok()?;
    let (_, list) = CertificateRevocationList::from_der(&der).ok()?;
    let number = list
        .crl_number()
        .and_then(|number| u64::try_from(number).ok());
    Some((list.issuer().as_raw().to_vec(), number.unwrap_or_default()))
}

fn der(pem: &str) -> Result<CertificateDer<'static>, PkiError> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| PkiError::NotACertificate)
}

/// A small file that somebody else wrote.
pub(super) fn read_bounded(path: &Path, most: u64) -> Result<String, PkiError> {
    let failed = PkiError::at(path);
    let file = std::fs::File::open(path).map_err(&failed)?;
    let mut text = String::new();
    let read = file.take(most + 1).read_to_string(&mut text);
    let unreadable = |detail: String| PkiError::Unreadable {
        path: path.to_owned(),
        detail,
    };
    match read {
        Ok(length) if length as u64 > most => {
            Err(unreadable(format!("it is larger than {most} bytes")))
        }
        Ok(_) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Err(unreadable("it is no text".into()))
        }
        Err(error) => Err(failed(error)),
    }
}

/// Whole or not at all: a running daemon may read it meanwhile.
fn replace(path: &Path, text: &str) -> Result<(), PkiError> {
    let next = path.with_extension("next");
    let _ = std::fs::remove_file(&next);
    write_new(&next, text.as_bytes(), 0o644)?;
    std::fs::rename(&next, path).map_err(PkiError::at(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{issue_platform, read_request, request, revoke, rotate, sign};

    fn platform(role: CertificateRole) -> (tempfile::TempDir, Card) {
        let directory = tempfile::tempdir().unwrap();
        let issued = issue_platform(directory.path(), role, &[]).unwrap();
        let pem = std::fs::read_to_string(&issued.identities[0].certificate_path).unwrap();
        let address = (role == CertificateRole::Social).then(|| "https://p1.example:7201".into());
        let card = Card::new(directory.path(), &pem, address).unwrap();
        (directory, card)
    }

    #[test]
    fn a_card_survives_its_text_and_one_that_does_not_fit_together_is_refused() {
        let (directory, card) = platform(CertificateRole::Social);
        let (_, other) = platform(CertificateRole::Rating);
        let path = directory.path().join("social.card");
        std::fs::write(&path, card.to_text()).unwrap();
        assert_eq!(Card::read(&path).unwrap(), card);
        for wrong in [
            Card {
                authority: other.authority.clone(),
                ..card.clone()
            },
            Card {
                certificate: other.certificate.clone(),
                authority: other.authority.clone(),
                ..card.clone()
            },
            Card {
                revocations: Some("none".into()),
                ..card.clone()
            },
            Card {
                address: Some("http://p1.example:7201".into()),
                ..card.clone()
            },
        ] {
            std::fs::write(&path, wrong.to_text()).unwrap();
            assert!(Card::read(&path).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_other_platforms_pins_add_up_and_its_lists_do_not_go_back() {
        let (home, own) = platform(CertificateRole::Rating);
        let (theirs, card) = platform(CertificateRole::Social);
        let refused = trust(home.path(), &own).unwrap();
        assert!(refused.is_ours && refused.written.is_empty());
        let trusted = trust(home.path(), &card).unwrap();
        assert!(
            !trusted.is_ours && trusted.written.len() == 3,
            "{trusted:?}"
        );
        assert!(trust(home.path(), &card).unwrap().written.is_empty());

        let next = rotate(theirs.path(), CertificateRole::Social, &[]).unwrap();
        revoke(theirs.path(), &theirs.path().join("social-operator.pem")).unwrap();
        let pem = std::fs::read_to_string(&next.certificate_path).unwrap();
        let newer = Card::new(theirs.path(), &pem, None).unwrap();
        let trusted = trust(home.path(), &newer).unwrap();
        assert_eq!(trusted.kept.len(), 1);
        let pins = std::fs::read_to_string(home.path().join("peer.pin")).unwrap();
        assert_eq!(pins.lines().count(), 2);
        let list = std::fs::read_to_string(home.path().join("peer.crl")).unwrap();
        trust(home.path(), &card).unwrap();
        let after = std::fs::read_to_string(home.path().join("peer.crl")).unwrap();
        assert_eq!(list, after, "an older card does not take a revocation back");
        let authorities = std::fs::read_to_string(home.path().join("peer-ca.pem")).unwrap();
        assert_eq!(authorities.matches("BEGIN").count(), 1);
    }

    #[test]
    fn an_answered_request_is_put_beside_its_key_and_no_elses() {
        let (authority, _) = platform(CertificateRole::Rating);
        let holder = tempfile::tempdir().unwrap();
        let role = CertificateRole::RatingOperator;
        let made = request(holder.path(), role, &[]).unwrap();
        let card = sign(authority.path(), &read_request(&made.request_path).unwrap()).unwrap();
        let trusted = trust(holder.path(), &card).unwrap();
        assert!(trusted.is_ours && trusted.written.len() == 3, "{trusted:?}");
        let stranger = tempfile::tempdir().unwrap();
        let refused = trust(stranger.path(), &card).unwrap_err();
        assert!(matches!(refused, PkiError::Role { .. }), "{refused}");
        let (social, _) = platform(CertificateRole::Social);
        let (_, impostor) = platform(CertificateRole::Social);
        let refused = trust(social.path(), &impostor).unwrap_err();
        assert!(matches!(refused, PkiError::Role { .. }), "{refused}");
    }
}
