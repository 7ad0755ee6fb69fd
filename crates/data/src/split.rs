//! Seeded splits, the same on every platform and for every number of threads.

use crate::DataError;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Positions of the ratings to learn from and of those held out, each ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Positions to learn from.
    pub train: Vec<usize>,
    /// Positions held out.
    pub test: Vec<usize>,
}

/// Splits `ratings` positions into `folds` parts, each held out once; sizes differ by at most 1.
///
/// # Errors
/// [`DataError::BadSplit`] unless 2 ≤ `folds` ≤ `ratings`.
pub fn k_fold(ratings: usize, folds: usize, seed: u64) -> Result<Vec<Fold>, DataError> {
    if folds < 2 || folds > ratings {
        return Err(DataError::BadSplit {
            ratings,
            parts: folds,
        });
    }
    let order = shuffled(ratings, seed);
    Ok((0..folds)
        .map(|fold| {
            let held = ratings * fold / folds..ratings * (fold + 1) / folds;
            hold_out(&order, held)
        })
        .collect())
}

/// Holds out the share `test_share` of `ratings` positions. With `test_share` = 1 / k this is
/// the first fold of [`k_fold`] with the same seed when k divides `ratings`.
///
/// # Errors
/// [`DataError::BadSplit`] when either side would be empty.
pub fn ratio(ratings: usize, test_share: f64, seed: u64) -> Result<Fold, DataError> {
    let held = share_of(ratings, test_share)?;
    Ok(hold_out(&shuffled(ratings, seed), 0..held))
}

/// Holds out the latest share `test_share` of ratings: what a model must foresee in service.
/// Of ratings at the same time those further down are the later ones.
///
/// # Errors
/// [`DataError::BadSplit`] when either side would be empty.
pub fn latest(timestamps: &[i64], test_share: f64) -> Result<Fold, DataError> {
    let held = share_of(timestamps.len(), test_share)?;
    let mut order: Vec<usize> = (0..timestamps.len()).collect();
    order.sort_by_key(|&position| std::cmp::Reverse((timestamps[position], position)));
    Ok(hold_out(&order, 0..held))
}

fn share_of(ratings: usize, test_share: f64) -> Result<usize, DataError> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share outside 0..1, even NaN, saturates and is refused below"
    )]
    let held = (ratings as f64 * test_share).floor() as usize;
    if held == 0 || held >= ratings {
        return Err(DataError::BadSplit { ratings, parts: 2 });
    }
    Ok(held)
}

fn hold_out(order: &[usize], held: std::ops::Range<usize>) -> Fold {
    let mut test = order[held.clone()].to_vec();
    let mut train = [&order[..held.start], &order[held.end..]].concat();
    test.sort_unstable();
    train.sort_unstable();
    Fold { train, test }
}

/// Fisher–Yates over ChaCha8, written out so that no library version moves a split.
fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let mut rng = generator(seed);
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        order.swap(last, below(&mut rng, last as u64 + 1));
    }
    order
}

/// The seed's bytes are the key: no library's seed expansion comes between.
pub(crate) fn generator(seed: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// Uniform in 0..bound (bound ≤ 2^63) by rejection.
fn below(rng: &mut ChaCha8Rng, bound: u64) -> usize {
    let ceiling = u64::MAX - u64::MAX % bound;
    loop {
        let drawn = rng.next_u64();
        if drawn < ceiling {
            // Unwrap safety: the remainder is below a length that fits usize.
            return usize::try_from(drawn % bound).expect("below a usize");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rating_is_held_out_once() {
        let folds = k_fold(103, 5, 7).unwrap();
        let mut held: Vec<usize> = folds.iter().flat_map(|fold| fold.test.clone()).collect();
        held.sort_unstable();
        assert_eq!(held, (0..103).collect::<Vec<_>>());
        for fold in &folds {
            assert_eq!(fold.train.len() + fold.test.len(), 103);
            assert!((20..=21).contains(&fold.test.len()));
            assert!(
                fold.train
                    .iter()
                    .all(|p| fold.test.binary_search(p).is_err())
            );
        }
    }

    #[test]
    fn a_seed_names_one_split_for_ever() {
        assert_eq!(ratio(10, 0.4, 0).unwrap(), ratio(10, 0.4, 0).unwrap());
        assert_ne!(ratio(100, 0.4, 0).unwrap(), ratio(100, 0.4, 1).unwrap());
        assert_eq!(k_fold(100, 5, 3).unwrap()[0], ratio(100, 0.2, 3).unwrap());
        // A pinned split: changing it changes every published figure.
        assert_eq!(ratio(10, 0.3, 0).unwrap().test, [0, 3, 5]);
    }

    #[test]
    fn time_splits_hold_out_the_latest() {
        let fold = latest(&[5, 9, 1, 9, 7], 0.4).unwrap();
        assert_eq!((fold.test, fold.train), (vec![1, 3], vec![0, 2, 4]));
        assert_eq!(latest(&[3, 3, 3], 0.34).unwrap().test, [2]);
        assert!(latest(&[], 0.5).is_err());
    }

    #[test]
    fn refuses_an_empty_side() {
        assert!(k_fold(10, 1, 0).is_err() && k_fold(3, 4, 0).is_err());
        for share in [0.0, -1.0, 1.0, 2.0, f64::NAN, 0.05] {
            assert!(ratio(10, share, 0).is_err(), "{share}");
        }
    }
}
