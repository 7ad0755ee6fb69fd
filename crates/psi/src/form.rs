//! Which form of the intersection a job takes.

use crate::vole::Layout;
use crate::{PsiError, Sizes};

/// From so many ids of P0's on, small VOLEs: before, their table is over 1.4 times as long as
/// the set, and Diffie-Hellman takes less than a second of one core.
const LEAST_VOLE_IDS: u64 = 4_096;

/// The form of an intersection. It follows from P0's number of ids alone, so that both platforms
/// know it from the openings, and P1's limits before P1 has read anything. A P0 that deviates chooses
/// it by the number that it announces: what only [`crate::vole`] promises holds from 4,096 ids on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Diffie-Hellman on ristretto255, at the root of this crate.
    Ecdh,
    /// Small VOLEs, [`crate::vole`].
    Vole,
}

impl Form {
    /// The form for so many ids of P0's, whatever P1's number.
    #[must_use]
    pub fn of(rating_ids: u64) -> Self {
        match rating_ids >= LEAST_VOLE_IDS {
            true => Self::Vole,
            false => Self::Ecdh,
        }
    }

    /// Most ids of its choice that a P0 that announces so many can ask about, also when it
    /// deviates: what a limit counts. [`Layout::most_ids`] says what may come to that by chance.
    ///
    /// # Errors
    /// [`PsiError::TooManyIds`] above [`crate::MAX_IDS`].
    pub fn most_ids(rating_ids: u64) -> Result<u64, PsiError> {
        let sizes = Sizes::new(rating_ids, 0)?;
        Ok(match Self::of(rating_ids) {
            Self::Ecdh => rating_ids,
            Self::Vole => Layout::new(sizes).most_ids(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MAX_IDS;

    #[test]
    fn limits_count_what_p0_can_bring() {
        assert_eq!(Form::of(4_095), Form::Ecdh);
        assert_eq!(Form::most_ids(4_095), Ok(4_095));
        assert_eq!(Form::of(4_096), Form::Vole);
        for (ids, share) in [
            (4_096, 1.41),
            (100_000, 1.26),
            (1_000_000, 1.235),
            (MAX_IDS, 1.226),
        ] {
            let most = Form::most_ids(ids).unwrap();
            assert!(
                most > ids && (most as f64) < share * ids as f64,
                "{ids}: {most}"
            );
        }
        assert!(Form::most_ids(MAX_IDS + 1).is_err());
    }
}
