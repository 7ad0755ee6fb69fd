use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Who was opened in one-sided releases of friends' sums of one lineage, by either platform's own
/// record: whoever is in it once stays in every later one (page `noised_opening`, section 2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedUsers {
    users: BTreeSet<[u8; 16]>,
}

impl OpenedUsers {
    /// What stands for a user's id, normalised alike whichever rule it was imported under.
    #[must_use]
    pub fn key_of(id: &str) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new_derive_key("s3rec 2026 opened user v1");
        hasher.update(id.as_bytes());
        let mut key = [0; 16];
        hasher.finalize_xof().fill(&mut key);
        key
    }

    /// Whether that user was opened.
    #[must_use]
    pub fn contains(&self, user: &[u8; 16]) -> bool {
        self.users.contains(user)
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.users.len() as u64
    }

    /// What stands for the whole set where it is witnessed: of 16-byte keys, which are no secret
    /// from whoever has the ids.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("s3rec 2026 opened users v1");
        for user in &self.users {
            hasher.update(user);
        }
        *hasher.finalize().as_bytes()
    }

    /// Adds users; whether any of them is new.
    pub fn add(&mut self, users: impl IntoIterator<Item = [u8; 16]>) -> bool {
        let before = self.users.len();
        self.users.extend(users);
        self.users.len() > before
    }
}

/// P0's seed of the calibration sample of one lineage, drawn once for good: fresh samples would put
/// one pair after another into a release.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalibrationSample {
    seed: [u8; 32],
}

impl CalibrationSample {
    /// Of a fresh seed.
    #[must_use]
    pub fn of_seed(seed: [u8; 32]) -> Self {
        Self { seed }
    }

    /// Whether that user is in a sample of that share: the same for every import and every order, and
    /// for a larger share whoever is in a smaller one.
    #[must_use]
    pub fn takes(&self, id: &str, share: f64) -> bool {
        let mut hasher = blake3::Hasher::new_keyed(&self.seed);
        hasher.update(id.as_bytes());
        let mut word = [0; 8];
        hasher.finalize_xof().fill(&mut word);
        // 53 bits, as a number from 0 to below 1.
        let drawn = (u64::from_le_bytes(word) >> 11) as f64 / (1u64 << 53) as f64;
        drawn < share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_its_share_and_only_grows_with_it() {
        let sample = CalibrationSample::of_seed([3; 32]);
        let ids: Vec<String> = (0..4000).map(|user| format!("u{user}")).collect();
        let taken = |share| ids.iter().filter(|id| sample.takes(id, share)).count();
        assert_eq!((taken(0.0), taken(1.0)), (0, 4000));
        assert!((700..900).contains(&taken(0.2)), "{}", taken(0.2));
        let smaller = ids.iter().filter(|id| sample.takes(id, 0.2));
        assert!(smaller.clone().all(|id| sample.takes(id, 0.3)));
        let other = CalibrationSample::of_seed([4; 32]);
        assert!(smaller.filter(|id| other.takes(id, 0.2)).count() < 250);
    }

    #[test]
    fn whoever_was_opened_stays_on_record() {
        let mut opened = OpenedUsers::default();
        let [a, b] = ["a", "b"].map(OpenedUsers::key_of);
        assert!(opened.add([a]));
        assert!(!opened.add([a]));
        assert!(opened.add([a, b]) && opened.contains(&a) && opened.contains(&b));
        assert_ne!(a, b);
        // The same set is the same digest, in whatever order it grew.
        let of = |users: &[[u8; 16]]| {
            let mut opened = OpenedUsers::default();
            opened.add(users.iter().copied());
            opened.digest()
        };
        assert_eq!(of(&[a, b]), of(&[b, a]));
        let all = [of(&[]), of(&[a]), of(&[b]), of(&[a, b])];
        assert!((1..4).all(|one| !all[..one].contains(&all[one])));
        assert_eq!(opened.count(), 2);
    }
}
