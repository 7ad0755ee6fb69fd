//! The platforms' signing keys (ed25519), and what a signature is over.
//!
//! A key signs statements of several kinds; a label in front of the bytes keeps them apart, so
//! that a signature over one kind is none over another.

use std::fmt;

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::AuditError;

/// A signature, 64 bytes.
pub type Signature = [u8; 64];

/// A platform's public signing key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

/// A platform's private signing key; erased when dropped, and never shown.
pub struct Signer(pub(crate) SigningKey);

impl Signer {
    /// A new key.
    ///
    /// # Errors
    /// [`AuditError::Entropy`].
    pub fn generate() -> Result<Self, AuditError> {
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(secret.as_mut_slice()).map_err(|_| AuditError::Entropy)?;
        Ok(Self(SigningKey::from_bytes(&secret)))
    }

    /// Reads PEM as [`Self::to_pem`] writes it.
    ///
    /// # Errors
    /// [`AuditError::Key`].
    pub fn from_pem(pem: &str) -> Result<Self, AuditError> {
        let key = SigningKey::from_pkcs8_pem(pem);
        key.map(Self).map_err(|_| AuditError::Key {
            what: "the signing key's file",
        })
    }

    /// The key as PEM (PKCS#8).
    ///
    /// # Errors
    /// [`AuditError::Key`], which does not happen to a key.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, AuditError> {
        let pem = self.0.to_pkcs8_pem(LineEnding::LF);
        pem.map_err(|_| AuditError::Key {
            what: "our signing key",
        })
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs `bytes` as a statement of the kind `label`.
    #[must_use]
    pub fn sign(&self, label: &str, bytes: &[u8]) -> Signature {
        self.0.sign(&labelled(label, bytes)).to_bytes()
    }
}

impl PublicKey {
    /// A key from its bytes.
    ///
    /// # Errors
    /// [`AuditError::Key`] for bytes that are no point, or a weak one.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, AuditError> {
        let key = VerifyingKey::from_bytes(bytes);
        match key {
            Ok(key) if !key.is_weak() => Ok(Self(*bytes)),
            _ => Err(AuditError::Key {
                what: "a public key",
            }),
        }
    }

    /// The key's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether this key made `signature` over `bytes` as a statement of the kind `label`.
    #[must_use]
    pub fn has_signed(&self, label: &str, bytes: &[u8], signature: &[u8]) -> bool {
        let Ok(signature) = ed25519_dalek::Signature::from_slice(signature) else {
            return false;
        };
        let message = labelled(label, bytes);
        VerifyingKey::from_bytes(&self.0)
            .is_ok_and(|key| key.verify_strict(&message, &signature).is_ok())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

fn labelled(label: &str, bytes: &[u8]) -> Vec<u8> {
    [b"s3rec v1 ", label.as_bytes(), &[0], bytes].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_over_label_and_bytes_by_one_key() {
        let signer = Signer::generate().unwrap();
        let signature = signer.sign("approval", b"text");
        let key = signer.public();
        assert!(key.has_signed("approval", b"text", &signature));
        assert!(!key.has_signed("heads", b"text", &signature));
        assert!(!key.has_signed("approval", b"texts", &signature));
        let other = Signer::generate().unwrap().public();
        assert!(!other.has_signed("approval", b"text", &signature));
        for byte in 0..signature.len() {
            let mut flipped = signature;
            flipped[byte] ^= 1;
            assert!(!key.has_signed("approval", b"text", &flipped), "{byte}");
        }
        assert!(!key.has_signed("approval", b"text", &signature[..63]));
    }

    #[test]
    fn keys_survive_their_file() {
        let signer = Signer::generate().unwrap();
        let again = Signer::from_pem(&signer.to_pem().unwrap()).unwrap();
        assert_eq!(again.public(), signer.public());
        assert!(Signer::from_pem("-----BEGIN NOTHING-----").is_err());
        // The identity of the group signs anything.
        let mut weak = [0; 32];
        weak[0] = 1;
        assert!(PublicKey::from_bytes(&weak).is_err());
    }
}
