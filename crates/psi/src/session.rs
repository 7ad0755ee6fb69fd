//! What both parties know before the first masked id: who they are for, and how many there are.

use crate::{MAX_CHUNK_BYTES, PsiError};

/// Most ids of one party: a bound on memory, about 150 bytes an id of both sets.
pub const MAX_IDS: u64 = 1 << 24;

/// A wrong match is at most this unlikely, −log₂.
const STATISTICAL_BITS: u32 = 40;

/// The run that everything is bound to. Both halves are fresh, so no two runs hash alike.
#[derive(Clone)]
pub struct PsiSession {
    pub(crate) id_key: [u8; 32],
    pub(crate) point_key: [u8; 32],
    pub(crate) tag_key: [u8; 32],
    pub(crate) proof_key: [u8; 32],
    pub(crate) order_key: [u8; 32],
    pub(crate) vole_key: [u8; 32],
}

impl PsiSession {
    /// The session of one job: its id, each party's 32 fresh bytes, and the rule by which both
    /// normalised their ids. All public to both.
    #[must_use]
    pub fn new(
        job: &[u8; 16],
        rating_half: &[u8; 32],
        social_half: &[u8; 32],
        id_rule: &str,
    ) -> Self {
        let key = |label: &str| {
            let mut hasher = blake3::Hasher::new_derive_key(label);
            hasher.update(job);
            hasher.update(rating_half);
            hasher.update(social_half);
            hasher.update(id_rule.as_bytes());
            *hasher.finalize().as_bytes()
        };
        Self {
            id_key: key("s3rec psi v1: id"),
            point_key: key("s3rec psi v1: hash to ristretto255"),
            tag_key: key("s3rec psi v1: tag of a doubly masked id"),
            proof_key: key("s3rec psi v1: proof of the claims"),
            order_key: key("s3rec psi v1: order of the common ids"),
            vole_key: key("s3rec psi v1: the form of small VOLEs"),
        }
    }
}

/// How many ids each party has. Public; everything's size follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    rating: u32,
    social: u32,
}

impl Sizes {
    /// The sizes as announced.
    ///
    /// # Errors
    /// [`PsiError::TooManyIds`] above [`MAX_IDS`].
    pub fn new(rating: u64, social: u64) -> Result<Self, PsiError> {
        let within = |actual: u64| {
            u32::try_from(actual)
                .ok()
                .filter(|_| actual <= MAX_IDS)
                .ok_or(PsiError::TooManyIds {
                    most: MAX_IDS,
                    actual,
                })
        };
        Ok(Self {
            rating: within(rating)?,
            social: within(social)?,
        })
    }

    /// n₀.
    #[must_use]
    pub fn rating(&self) -> u32 {
        self.rating
    }

    /// n₁.
    #[must_use]
    pub fn social(&self) -> u32 {
        self.social
    }

    /// ℓ: the fewest bytes with n₀·n₁·2^(−8ℓ) ≤ 2^-40.
    #[must_use]
    pub fn label_bytes(&self) -> usize {
        let pairs = u64::from(self.rating) * u64::from(self.social);
        // The smallest p with pairs ≤ 2^p.
        let pair_bits = u64::BITS - pairs.saturating_sub(1).leading_zeros();
        (STATISTICAL_BITS + pair_bits).div_ceil(8) as usize
    }

    /// Labels of a message of at most [`MAX_CHUNK_BYTES`].
    pub(crate) fn most_labels(&self) -> usize {
        MAX_CHUNK_BYTES / self.label_bytes()
    }

    pub(crate) fn rating_bitmap_bytes(&self) -> usize {
        self.rating.div_ceil(8) as usize
    }

    pub(crate) fn social_bitmap_bytes(&self) -> usize {
        self.social.div_ceil(8) as usize
    }

    /// Bytes of the claims: both bitmaps and the proof.
    #[must_use]
    pub fn claims_bytes(&self) -> usize {
        self.rating_bitmap_bytes() + self.social_bitmap_bytes() + 32
    }

    /// Bytes from P0 to P1, framing aside.
    #[must_use]
    pub fn bytes_to_social(&self) -> u64 {
        32 * u64::from(self.rating) + self.claims_bytes() as u64
    }

    /// Bytes from P1 to P0, framing aside.
    #[must_use]
    pub fn bytes_to_rating(&self) -> u64 {
        32 * u64::from(self.social) + self.label_bytes() as u64 * u64::from(self.rating)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_wrong_matches_below_2_to_the_minus_40() {
        for (rating, social, expected) in [
            (0, 0, 5),
            (1, 1, 5),
            (1_508, 1_642, 8),
            (1_000_000, 1_000_000, 10),
            (1 << 20, 1 << 20, 10),
            (1 << 20, (1 << 20) + 1, 11),
            (MAX_IDS, MAX_IDS, 11),
        ] {
            let sizes = Sizes::new(rating, social).unwrap();
            assert_eq!(sizes.label_bytes(), expected, "{rating} {social}");
            let failure = (rating as f64) * (social as f64) / 256_f64.powf(expected as f64);
            assert!(failure <= 2_f64.powi(-40));
        }
    }

    #[test]
    fn a_million_on_both_sides_takes_74_bytes_an_id() {
        let sizes = Sizes::new(1_000_000, 1_000_000).unwrap();
        let bytes = sizes.bytes_to_social() + sizes.bytes_to_rating();
        assert_eq!(bytes, 74_250_032);
    }

    #[test]
    fn sizes_are_bounded_before_anything_is_allocated() {
        assert!(matches!(
            Sizes::new(MAX_IDS + 1, 0),
            Err(PsiError::TooManyIds { .. })
        ));
        assert!(matches!(
            Sizes::new(0, u64::MAX),
            Err(PsiError::TooManyIds { .. })
        ));
    }

    #[test]
    fn every_part_of_a_session_changes_its_keys() {
        let base = PsiSession::new(&[0; 16], &[1; 32], &[2; 32], "nfc-trim");
        for other in [
            PsiSession::new(&[9; 16], &[1; 32], &[2; 32], "nfc-trim"),
            PsiSession::new(&[0; 16], &[9; 32], &[2; 32], "nfc-trim"),
            PsiSession::new(&[0; 16], &[1; 32], &[9; 32], "nfc-trim"),
            PsiSession::new(&[0; 16], &[1; 32], &[2; 32], "nfc-trim-casefold"),
        ] {
            assert_ne!(base.id_key, other.id_key);
            assert_ne!(base.point_key, other.point_key);
            assert_ne!(base.tag_key, other.tag_key);
            assert_ne!(base.proof_key, other.proof_key);
            assert_ne!(base.order_key, other.order_key);
            assert_ne!(base.vole_key, other.vole_key);
        }
    }
}
