//! Seeds: where every random value comes from, one for each purpose and content.

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::AlgebraError;

/// A secret seed of 32 bytes, erased on drop, never printed.
///
/// A seed is used for one purpose and one content only: [`Seed::derive`] makes the seeds of the
/// several purposes, so that what a party sends is a function of its key and of what it answers.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Seed([u8; 32]);

impl Seed {
    /// A fresh seed from the operating system.
    ///
    /// # Errors
    /// [`AlgebraError::Entropy`] when it has none.
    pub fn generate() -> Result<Self, AlgebraError> {
        let mut seed = Self([0; 32]);
        getrandom::fill(&mut seed.0).map_err(|source| AlgebraError::Entropy { source })?;
        Ok(seed)
    }

    /// A seed read back from storage or fixed by a test.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The seed's bytes, for storing it.
    #[must_use]
    pub const fn expose_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The seed for one purpose (`label`) and one content: BLAKE3 keyed with this seed over the
    /// length-prefixed label and parts, so different (label, content) never collide.
    #[must_use]
    pub fn derive(&self, label: &str, content: &[&[u8]]) -> Self {
        let mut derived = Self([0; 32]);
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        absorb(&mut hasher, label, content);
        hasher.finalize_xof().fill(&mut derived.0);
        hasher.zeroize();
        derived
    }

    /// As [`Self::derive`], for a seed that will be shown to the peer, such as the master seed
    /// of an upload's masks.
    #[must_use]
    pub fn derive_public(&self, label: &str, content: &[&[u8]]) -> PublicSeed {
        PublicSeed(self.derive(label, content).0)
    }
}

impl PartialEq for Seed {
    /// In constant time.
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Seed {}

/// A seed that both parties know: masks of an upload, A_pk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PublicSeed([u8; 32]);

impl PublicSeed {
    /// A seed received from the peer or read back from storage.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The seed's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The public seed for one purpose and one content, from this one.
    #[must_use]
    pub fn derive(&self, label: &str, content: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        absorb(&mut hasher, label, content);
        Self(*hasher.finalize().as_bytes())
    }

    /// The public seed made of several contributions, each party's own among them: the XOF of
    /// `seed₀ ‖ seed₁ ‖ id` in section 3.1, so that neither party chooses the result.
    #[must_use]
    pub fn combine(label: &str, contributions: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("s3rec 2025 combined public seed v1");
        absorb(&mut hasher, label, contributions);
        Self(*hasher.finalize().as_bytes())
    }
}

fn absorb(hasher: &mut blake3::Hasher, label: &str, content: &[&[u8]]) {
    for part in std::iter::once(label.as_bytes()).chain(content.iter().copied()) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_and_content_separate() {
        let seed = Seed::from_bytes([1; 32]);
        let derived = [
            seed.derive("a", &[]),
            seed.derive("b", &[]),
            seed.derive("a", &[b""]),
            seed.derive("a", &[b"x"]),
            seed.derive("ax", &[]),
            seed.derive("a", &[b"x", b"y"]),
            seed.derive("a", &[b"xy"]),
            Seed::from_bytes([2; 32]).derive("a", &[]),
        ];
        for (i, a) in derived.iter().enumerate() {
            for b in &derived[i + 1..] {
                assert!(a != b);
            }
        }
        assert!(seed.derive("a", &[b"x"]) == derived[3]);
    }

    #[test]
    fn combined_seeds_depend_on_every_contribution() {
        let both = PublicSeed::combine("pk", &[&[1; 32], &[2; 32], b"id"]);
        assert_ne!(
            both,
            PublicSeed::combine("pk", &[&[2; 32], &[1; 32], b"id"])
        );
        assert_ne!(
            both,
            PublicSeed::combine("pk", &[&[1; 32], &[2; 32], b"ie"])
        );
        assert_ne!(
            both,
            PublicSeed::combine("pq", &[&[1; 32], &[2; 32], b"id"])
        );
    }

    #[test]
    fn fresh_seeds_differ() {
        assert!(Seed::generate().unwrap() != Seed::generate().unwrap());
    }
}
