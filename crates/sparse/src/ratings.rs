use crate::SparseError;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sprs::CsMatI;

/// One observed rating r_ij, by indices.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rating {
    /// User index i.
    pub user: u32,
    /// Item index j.
    pub item: u32,
    /// The rating on the data set's own scale.
    pub value: f32,
}

/// Values that a thread changes at a time.
const VALUES_AT_ONCE: usize = 1 << 14;

/// R over the observed pairs Ω, both by user and by item; each row ascending. P0's secret.
#[derive(Clone)]
pub struct RatingMatrix {
    by_user: CsMatI<f32, u32, usize>,
    by_item: CsMatI<f32, u32, usize>,
}

/// Rows that one thread filters at a time.
const ROWS_AT_ONCE: usize = 1 << 14;

/// The values whose row and column are kept; as many rows and columns.
fn filtered(
    matrix: &CsMatI<f32, u32, usize>,
    is_kept: impl Fn(u32, u32) -> bool + Sync,
) -> CsMatI<f32, u32, usize> {
    let rows: Vec<usize> = (0..matrix.rows()).collect();
    let parts = rows.par_chunks(ROWS_AT_ONCE).map(|rows| {
        let (mut ends, mut indices, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for &index in rows {
            let place = u32::try_from(index).unwrap_or(u32::MAX);
            let (of_row, theirs) = row(matrix, index);
            for (&column, &value) in of_row.iter().zip(theirs) {
                if is_kept(place, column) {
                    indices.push(column);
                    values.push(value);
                }
            }
            ends.push(indices.len());
        }
        (ends, indices, values)
    });
    let parts: Vec<(Vec<usize>, Vec<u32>, Vec<f32>)> = parts.collect();
    let kept = parts.iter().map(|(_, indices, _)| indices.len()).sum();
    let mut indptr = Vec::with_capacity(matrix.rows() + 1);
    let (mut indices, mut values) = (Vec::with_capacity(kept), Vec::with_capacity(kept));
    indptr.push(0);
    for (ends, of_part, theirs) in parts {
        indptr.extend(ends.iter().map(|end| indices.len() + end));
        indices.extend(of_part);
        values.extend(theirs);
    }
    CsMatI::new((matrix.rows(), matrix.cols()), indptr, indices, values)
}

/// Which of `users` users are among `members`; members beyond them are passed over.
#[must_use]
pub fn user_mask<'m>(users: usize, members: impl IntoIterator<Item = &'m u32>) -> Vec<bool> {
    let mut is_member = vec![false; users];
    for &user in members {
        if let Some(is_member) = is_member.get_mut(user as usize) {
            *is_member = true;
        }
    }
    is_member
}

impl RatingMatrix {
    /// Builds R of shape `users` × `items`; the order of `ratings` does not matter.
    ///
    /// # Errors
    /// An index out of range, a value that is not finite, or a pair given twice.
    pub fn from_ratings(
        users: usize,
        items: usize,
        ratings: &[Rating],
    ) -> Result<Self, SparseError> {
        for count in [users, items] {
            u32::try_from(count).map_err(|_| SparseError::TooMany { count })?;
        }
        for &Rating { user, item, value } in ratings {
            if user as usize >= users || item as usize >= items {
                return Err(SparseError::RatingOutOfRange {
                    user,
                    item,
                    users,
                    items,
                });
            }
            if !value.is_finite() {
                return Err(SparseError::RatingNotFinite { user, item });
            }
        }
        let mut sorted = ratings.to_vec();
        sorted.par_sort_unstable_by_key(|r| (r.user, r.item));
        if let Some(twice) = sorted
            .windows(2)
            .find(|pair| pair[0].user == pair[1].user && pair[0].item == pair[1].item)
        {
            return Err(SparseError::DuplicateRating {
                user: twice[0].user,
                item: twice[0].item,
            });
        }
        let mut indptr = vec![0usize; users + 1];
        for rating in &sorted {
            indptr[rating.user as usize + 1] += 1;
        }
        for i in 0..users {
            indptr[i + 1] += indptr[i];
        }
        let indices = sorted.iter().map(|r| r.item).collect();
        let values = sorted.iter().map(|r| r.value).collect();
        let by_user = CsMatI::new((users, items), indptr, indices, values);
        let by_item = by_user.to_csc().transpose_into();
        Ok(Self { by_user, by_item })
    }

    /// The same pairs with another value each.
    ///
    /// # Errors
    /// A value that is not finite.
    pub fn with_values(&self, value: impl Fn(f32) -> f32 + Sync) -> Result<Self, SparseError> {
        let mut with = self.clone();
        for side in [&mut with.by_user, &mut with.by_item] {
            side.data_mut()
                .par_chunks_mut(VALUES_AT_ONCE)
                .flatten_iter()
                .for_each(|rating| *rating = value(*rating));
        }
        if with
            .by_user
            .data()
            .par_iter()
            .all(|value| value.is_finite())
        {
            return Ok(with);
        }
        let broken = with.iter().find(|rating| !rating.value.is_finite());
        match broken {
            Some(Rating { user, item, .. }) => Err(SparseError::RatingNotFinite { user, item }),
            None => Ok(with),
        }
    }

    /// Without the ratings of the users in `hidden`, ascending; users and items stay.
    #[must_use]
    pub fn without_users(&self, hidden: &[u32]) -> Self {
        let is_hidden = user_mask(self.users(), hidden);
        let is_hidden = |user: u32| is_hidden.get(user as usize).copied().unwrap_or(true);
        Self {
            by_user: filtered(&self.by_user, |user, _| !is_hidden(user)),
            by_item: filtered(&self.by_item, |_, user| !is_hidden(user)),
        }
    }

    /// Number of users, with or without ratings.
    pub fn users(&self) -> usize {
        self.by_user.rows()
    }

    /// Number of items.
    pub fn items(&self) -> usize {
        self.by_user.cols()
    }

    /// |Ω|.
    pub fn len(&self) -> usize {
        self.by_user.nnz()
    }

    /// Whether nothing was rated.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Items that `user` rated, ascending, and the ratings; empty for an unknown user.
    pub fn by_user(&self, user: usize) -> (&[u32], &[f32]) {
        row(&self.by_user, user)
    }

    /// Users who rated `item`, ascending, and the ratings; empty for an unknown item.
    pub fn by_item(&self, item: usize) -> (&[u32], &[f32]) {
        row(&self.by_item, item)
    }

    /// μ, the mean observed rating; 0 when nothing was rated.
    pub fn mean(&self) -> f64 {
        let sum: f64 = self.by_user.data().iter().map(|&r| f64::from(r)).sum();
        sum / self.len().max(1) as f64
    }

    /// All ratings, ascending by user, then item.
    pub fn iter(&self) -> impl Iterator<Item = Rating> + '_ {
        (0u32..).take(self.users()).flat_map(|user| {
            let (items, values) = self.by_user(user as usize);
            items
                .iter()
                .zip(values)
                .map(move |(&item, &value)| Rating { user, item, value })
        })
    }
}

fn row(matrix: &CsMatI<f32, u32, usize>, index: usize) -> (&[u32], &[f32]) {
    let indptr = matrix.indptr();
    let bounds = indptr.raw_storage();
    match (bounds.get(index), bounds.get(index + 1)) {
        (Some(&start), Some(&end)) => (&matrix.indices()[start..end], &matrix.data()[start..end]),
        _ => (&[], &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rating(user: u32, item: u32, value: f32) -> Rating {
        Rating { user, item, value }
    }

    /// As if they had never been given, whoever is hidden, over several parts of rows.
    #[test]
    fn ratings_of_hidden_users_are_gone() {
        let users = 2 * u32::try_from(ROWS_AT_ONCE).unwrap() + 7;
        let of =
            |user: u32| (0..user % 4).map(move |n| rating(user, (user * 7 + n) % 50, n as f32));
        let all: Vec<Rating> = (0..users).flat_map(of).collect();
        let whole = RatingMatrix::from_ratings(users as usize, 50, &all).unwrap();
        let everybody: Vec<u32> = (0..users).collect();
        let some: Vec<u32> = (0..users).step_by(3).chain([users + 9]).collect();
        for hidden in [&[][..], &[1, 5, users - 1][..], &some, &everybody] {
            let rest = all
                .iter()
                .filter(|r| hidden.binary_search(&r.user).is_err());
            let rest: Vec<Rating> = rest.copied().collect();
            let expected = RatingMatrix::from_ratings(users as usize, 50, &rest).unwrap();
            let found = whole.without_users(hidden);
            assert_eq!(
                (found.by_user, found.by_item),
                (expected.by_user, expected.by_item)
            );
        }
    }

    #[test]
    fn gives_rows_and_columns() {
        let given = [rating(2, 0, 3.0), rating(0, 1, 5.0), rating(0, 0, 1.0)];
        let r = RatingMatrix::from_ratings(3, 2, &given).unwrap();
        assert_eq!(r.by_user(0), (&[0, 1][..], &[1.0, 5.0][..]));
        assert_eq!(r.by_user(1), (&[][..], &[][..]));
        assert_eq!(r.by_item(0), (&[0, 2][..], &[1.0, 3.0][..]));
        assert_eq!(r.mean(), 3.0);
        assert_eq!(r.iter().count(), 3);
        assert_eq!((r.users(), r.items()), (3, 2));
        let doubled = r.with_values(|value| 2.0 * value).unwrap();
        assert_eq!(doubled.by_user(0), (&[0, 1][..], &[2.0, 10.0][..]));
        assert_eq!(doubled.by_item(0), (&[0, 2][..], &[2.0, 6.0][..]));
        assert!(matches!(
            r.with_values(|value| 1.0 / (value - 5.0)).err(),
            Some(SparseError::RatingNotFinite { user: 0, item: 1 })
        ));
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        let twice = [rating(0, 0, 3.0), rating(0, 0, 4.0)];
        let err = |ratings: &[Rating]| RatingMatrix::from_ratings(1, 1, ratings).err().unwrap();
        assert_eq!(
            err(&twice),
            SparseError::DuplicateRating { user: 0, item: 0 }
        );
        assert!(matches!(
            err(&[rating(0, 0, f32::NAN)]),
            SparseError::RatingNotFinite { .. }
        ));
        assert!(matches!(
            err(&[rating(0, 1, 1.0)]),
            SparseError::RatingOutOfRange { .. }
        ));
    }
}
