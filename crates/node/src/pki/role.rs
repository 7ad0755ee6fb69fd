//! What a certificate says about its holder.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use s3rec_audit::PublicKey;

use super::PkiError;

/// What stands before the hexadecimal key in the URI that binds a signing key to a certificate.
const SIGNER_URI: &str = "s3rec://signer/";

/// The URI that binds a signing key to the certificate that carries it: who pins the
/// certificate pins the key.
#[must_use]
pub fn signer_uri(key: &PublicKey) -> String {
    format!("{SIGNER_URI}{key}")
}

pub(super) fn signer_of(uri: &str) -> Option<PublicKey> {
    let digits = uri.strip_prefix(SIGNER_URI)?;
    // The same 64 digits as a pin has.
    let bytes = digits.parse::<Pin>().ok()?.digest();
    let key = PublicKey::from_bytes(&bytes).ok()?;
    (signer_uri(&key) == uri).then_some(key)
}

/// The one role a certificate gives its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateRole {
    /// The rating platform's daemon (P0).
    Rating,
    /// The social platform's daemon (P1).
    Social,
    /// A person or script that operates P0.
    RatingOperator,
    /// A person or script that operates P1.
    SocialOperator,
}

impl CertificateRole {
    /// Every role, in the order in which they are issued.
    pub const ALL: [Self; 4] = [
        Self::Rating,
        Self::Social,
        Self::RatingOperator,
        Self::SocialOperator,
    ];

    /// The role's name: the end of its URI and the stem of its files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rating => "rating",
            Self::Social => "social",
            Self::RatingOperator => "rating-operator",
            Self::SocialOperator => "social-operator",
        }
    }

    /// The URI among the subject's alternative names.
    #[must_use]
    pub fn uri(self) -> String {
        format!("s3rec://role/{}", self.name())
    }

    /// The role of the people who operate a platform; `None` where this is theirs already.
    #[must_use]
    pub const fn operator(self) -> Option<Self> {
        match self {
            Self::Rating => Some(Self::RatingOperator),
            Self::Social => Some(Self::SocialOperator),
            Self::RatingOperator | Self::SocialOperator => None,
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    pub(super) fn from_uri(uri: &str) -> Option<Self> {
        Self::from_name(uri.strip_prefix("s3rec://role/")?)
    }
}

impl fmt::Display for CertificateRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// SHA-256 of a certificate's DER bytes: exactly one certificate fits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pin([u8; 32]);

/// Text that is no pin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a pin is 64 hexadecimal digits (SHA-256 of the certificate's DER), not {given_length} characters of {given:?}"
)]
pub struct PinError {
    given: String,
    given_length: usize,
}

impl Pin {
    /// The pin of a certificate in DER.
    #[must_use]
    pub fn of(certificate_der: &[u8]) -> Self {
        Self(Sha256::digest(certificate_der).into())
    }

    /// The digest itself.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.0
    }
}

impl FromStr for Pin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        let refused = || PinError {
            given: text.chars().take(80).collect(),
            given_length: text.chars().count(),
        };
        of_hexadecimal(digits).map(Self).ok_or_else(refused)
    }
}

/// The bytes of 64 hexadecimal digits, and of nothing else.
pub(crate) fn of_hexadecimal(digits: &str) -> Option<[u8; 32]> {
    if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({self})")
    }
}

/// What matters to us of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// Its one role.
    pub role: CertificateRole,
    /// Common name of the subject, empty when there is none.
    pub name: String,
    /// SHA-256 of its DER.
    pub pin: Pin,
    /// The key of the platform's signatures; none where the certificate names none or several.
    pub signer: Option<PublicKey>,
    /// End of validity, seconds since the Unix epoch.
    pub not_after_unix_s: i64,
    /// Beginning of validity, seconds since the Unix epoch.
    pub not_before_unix_s: i64,
    /// Name of the authority, DER.
    pub issuer: Vec<u8>,
    /// The authority's number for it, as in DER.
    pub serial: Vec<u8>,
}

/// Reads role, name, pin and expiry; does not judge the signature (TLS does).
///
/// # Errors
/// [`PkiError::NotACertificate`], or [`PkiError::Roles`] unless exactly one role is named.
pub fn inspect(certificate_der: &[u8]) -> Result<Inspected, PkiError> {
    let (rest, parsed) =
        X509Certificate::from_der(certificate_der).map_err(|_| PkiError::NotACertificate)?;
    if !rest.is_empty() {
        return Err(PkiError::NotACertificate);
    }
    let names = parsed
        .subject_alternative_name()
        .map_err(|_| PkiError::NotACertificate)?;
    let (mut roles, mut signers) = (Vec::new(), Vec::new());
    for name in names
        .iter()
        .flat_map(|extension| &extension.value.general_names)
    {
        if let GeneralName::URI(uri) = name {
            roles.extend(CertificateRole::from_uri(uri));
            signers.extend(signer_of(uri));
        }
    }
    let [role] = roles[..] else {
        return Err(PkiError::Roles { found: roles.len() });
    };
    let name = parsed
        .subject()
        .iter_common_name()
        .next()
        .and_then(|attribute| attribute.as_str().ok())
        .unwrap_or_default()
        .chars()
        .take(200)
        .collect();
    Ok(Inspected {
        role,
        name,
        pin: Pin::of(certificate_der),
        signer: match signers[..] {
            [signer] => Some(signer),
            _ => None,
        },
        not_after_unix_s: parsed.validity().not_after.timestamp(),
        not_before_unix_s: parsed.validity().not_before.timestamp(),
        issuer: parsed.issuer().as_raw().to_vec(),
        serial: parsed.raw_serial().to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_survives_its_text() {
        let pin = Pin::of(b"some certificate");
        assert_eq!(pin.to_string().parse::<Pin>().unwrap(), pin);
        assert_eq!(format!("sha256:{pin}").parse::<Pin>().unwrap(), pin);
    }

    #[test]
    fn what_is_no_pin_is_refused() {
        for text in [
            "",
            "abcd",
            &"g".repeat(64),
            &"a".repeat(63),
            &"é".repeat(32),
        ] {
            assert!(text.parse::<Pin>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_signing_key_survives_its_uri_in_one_form_only() {
        let key = s3rec_audit::Signer::generate().unwrap().public();
        let uri = signer_uri(&key);
        assert_eq!(signer_of(&uri), Some(key));
        let capitals = format!("{SIGNER_URI}{}", key.to_string().to_uppercase() + "A");
        for other in [
            &uri[..uri.len() - 1],
            &capitals,
            SIGNER_URI,
            "s3rec://signer/sha256:",
        ] {
            assert_eq!(signer_of(other), None, "{other}");
        }
    }

    #[test]
    fn garbage_is_no_certificate() {
        assert!(matches!(
            inspect(b"garbage"),
            Err(PkiError::NotACertificate)
        ));
    }
}
