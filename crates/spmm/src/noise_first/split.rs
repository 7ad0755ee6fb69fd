//! Who is opened and whose rows are added up.

use super::{NoiseFirstError, Sides, Terms};

/// Users that are hashed at a time.
const HASHED_AT_ONCE: usize = 1 << 12;

/// O and W among the m common users, both ascending. W follows from O: a release in which a pair
/// stands on both sides would change two rows under a bound for one. Public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    sides: Sides,
    users: u32,
    opened: Vec<u32>,
    uploaded: Vec<u32>,
}

impl Split {
    /// Rows of `opened`, columns of everybody else.
    ///
    /// # Errors
    /// [`NoiseFirstError::User`] for a list that is not ascending or names nobody,
    /// [`NoiseFirstError::Sides`] where nobody is opened or nobody is left.
    pub fn one_sided(users: u32, opened: Vec<u32>) -> Result<Self, NoiseFirstError> {
        if let Some(pair) = opened.windows(2).find(|pair| pair[0] >= pair[1]) {
            let what = "the list of opened users is not ascending";
            let user = pair[1];
            return Err(NoiseFirstError::User { what, user });
        }
        if let Some(&user) = opened.last().filter(|&&user| user >= users) {
            let what = "the list of opened users names no common user";
            return Err(NoiseFirstError::User { what, user });
        }
        let mut next = opened.iter().peekable();
        let uploaded: Vec<u32> = (0..users)
            .filter(|user| next.next_if_eq(&user).is_none())
            .collect();
        if opened.is_empty() || uploaded.is_empty() {
            return Err(NoiseFirstError::Sides);
        }
        Ok(Self {
            sides: Sides::One,
            users,
            opened,
            uploaded,
        })
    }

    /// Rows and columns of everybody.
    #[must_use]
    pub fn two_sided(users: u32) -> Self {
        let everybody: Vec<u32> = (0..users).collect();
        Self {
            sides: Sides::Two,
            users,
            opened: everybody.clone(),
            uploaded: everybody,
        }
    }

    /// m.
    #[must_use]
    pub fn users(&self) -> u32 {
        self.users
    }

    /// O.
    #[must_use]
    pub fn opened(&self) -> &[u32] {
        &self.opened
    }

    /// W.
    #[must_use]
    pub fn uploaded(&self) -> &[u32] {
        &self.uploaded
    }

    /// Refuses a split that is not the one that `terms` state sensitivity and shapes for.
    pub(crate) fn check(&self, terms: &Terms) -> Result<(), NoiseFirstError> {
        if self.sides != terms.sides {
            return Err(NoiseFirstError::Sides);
        }
        for (what, expected, list) in [
            ("the number of opened users", terms.opened, &self.opened),
            (
                "the number of uploaded users",
                terms.uploaded,
                &self.uploaded,
            ),
        ] {
            let (expected, actual) = (expected as usize, list.len());
            if expected != actual {
                return Err(NoiseFirstError::Shape {
                    what,
                    expected,
                    actual,
                });
            }
        }
        Ok(())
    }

    /// Absorbs both lists.
    pub(crate) fn absorb(&self, hasher: &mut blake3::Hasher) {
        for list in [&self.opened, &self.uploaded] {
            hasher.update(&(list.len() as u64).to_le_bytes());
            for users in list.chunks(HASHED_AT_ONCE) {
                let bytes = users.iter().flat_map(|user| user.to_le_bytes());
                hasher.update(&bytes.collect::<Vec<u8>>());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::terms;
    use super::*;

    #[test]
    fn the_uploaded_are_all_but_the_opened() {
        let split = Split::one_sided(6, vec![1, 2, 5]).unwrap();
        assert_eq!(split.opened(), [1, 2, 5]);
        assert_eq!(split.uploaded(), [0, 3, 4]);
        let split = Split::two_sided(3);
        assert_eq!(
            (split.opened(), split.uploaded()),
            (&[0, 1, 2][..], &[0, 1, 2][..])
        );
    }

    #[test]
    fn lists_that_are_no_set_of_users_are_refused() {
        for opened in [&[][..], &[1, 0], &[2, 2], &[4], &[0, 1, 2, 3]] {
            assert!(Split::one_sided(4, opened.to_vec()).is_err(), "{opened:?}");
        }
    }

    /// Rows and columns of everybody under the sensitivity of one row, and the other way.
    #[test]
    fn a_split_of_other_terms_is_refused() {
        let one = Split::one_sided(6, vec![1, 2]).unwrap();
        one.check(&terms(Sides::One, 2, 4, 1)).unwrap();
        Split::two_sided(6)
            .check(&terms(Sides::Two, 6, 6, 1))
            .unwrap();
        assert!(
            Split::two_sided(6)
                .check(&terms(Sides::One, 6, 6, 1))
                .is_err()
        );
        for terms in [
            terms(Sides::Two, 2, 4, 1),
            terms(Sides::One, 3, 4, 1),
            terms(Sides::One, 2, 3, 1),
        ] {
            assert!(one.check(&terms).is_err(), "{terms:?}");
        }
    }
}
