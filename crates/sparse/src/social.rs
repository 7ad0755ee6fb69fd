use crate::SparseError;
use sprs::CsMatI;

/// S: who trusts or follows whom, m × m and binary, rows the trusters. P1's secret.
///
/// Self links are dropped and repeated links merged; both are counted. Neither `Debug` nor
/// serialisable: the links are what the whole protocol protects.
#[derive(Clone)]
pub struct SocialMatrix {
    matrix: CsMatI<i64, u32, usize>,
    self_links_dropped: u64,
    duplicates_merged: u64,
}

impl SocialMatrix {
    /// Builds S from directed links (truster, trustee) over users `0..users`, in any order.
    ///
    /// # Errors
    /// [`SparseError::LinkOutOfRange`] for an index outside `0..users`, [`SparseError::TooMany`]
    /// when indices would not fit 32 bits.
    pub fn from_links(
        users: usize,
        links: impl IntoIterator<Item = (u32, u32)>,
    ) -> Result<Self, SparseError> {
        if u32::try_from(users).is_err() {
            return Err(SparseError::TooMany { count: users });
        }
        let mut self_links_dropped = 0;
        let mut pairs = Vec::new();
        for (truster, trustee) in links {
            if truster as usize >= users || trustee as usize >= users {
                return Err(SparseError::LinkOutOfRange {
                    truster,
                    trustee,
                    users,
                });
            }
            if truster == trustee {
                self_links_dropped += 1;
            } else {
                pairs.push((truster, trustee));
            }
        }
        let given = pairs.len();
        pairs.sort_unstable();
        pairs.dedup();
        let mut indptr = vec![0usize; users + 1];
        for &(truster, _) in &pairs {
            indptr[truster as usize + 1] += 1;
        }
        for i in 0..users {
            indptr[i + 1] += indptr[i];
        }
        let trustees: Vec<u32> = pairs.iter().map(|&(_, trustee)| trustee).collect();
        let ones = vec![1i64; trustees.len()];
        Ok(Self {
            matrix: CsMatI::new((users, users), indptr, trustees, ones),
            self_links_dropped,
            duplicates_merged: (given - pairs.len()) as u64,
        })
    }

    /// m, the number of users, with or without links.
    pub fn users(&self) -> usize {
        self.matrix.rows()
    }

    /// Distinct directed links, self links aside.
    pub fn links(&self) -> usize {
        self.matrix.nnz()
    }

    /// Self links that were given and dropped.
    pub fn self_links_dropped(&self) -> u64 {
        self.self_links_dropped
    }

    /// Rows that repeated an earlier link.
    pub fn duplicates_merged(&self) -> u64 {
        self.duplicates_merged
    }

    /// The trustees of one user, ascending; empty for an unknown user.
    pub fn trusted_by(&self, user: u32) -> &[u32] {
        let indptr = self.matrix.indptr();
        let bounds = indptr.raw_storage();
        let row = user as usize;
        match (bounds.get(row), bounds.get(row + 1)) {
            (Some(&start), Some(&end)) => &self.matrix.indices()[start..end],
            _ => &[],
        }
    }

    /// All links (truster, trustee), ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        // `users` fits u32 by construction.
        (0u32..)
            .take(self.users())
            .flat_map(|i| self.trusted_by(i).iter().map(move |&f| (i, f)))
    }

    /// For each user the number of distinct users linked with them, in either direction.
    pub fn friends(&self) -> Vec<usize> {
        let both = &self.matrix + &self.matrix.transpose_view().to_other_storage();
        both.outer_iterator().map(|row| row.nnz()).collect()
    }

    /// S over a selection of users: row and column j of the result are user `selection[j]`.
    ///
    /// Links with an end outside the selection fall away. Used to go from P1's own users to the
    /// common users in the order both platforms agreed on.
    ///
    /// # Errors
    /// [`SparseError::LinkOutOfRange`] when the selection names a user outside `0..users`.
    pub fn select(&self, selection: &[u32]) -> Result<Self, SparseError> {
        let mut position = vec![None; self.users()];
        for (new, &old) in (0u32..).zip(selection) {
            let users = self.users();
            *position
                .get_mut(old as usize)
                .ok_or(SparseError::LinkOutOfRange {
                    truster: old,
                    trustee: old,
                    users,
                })? = Some(new);
        }
        let links = self.iter().filter_map(|(i, f)| {
            Some((
                *position.get(i as usize)?.as_ref()?,
                *position.get(f as usize)?.as_ref()?,
            ))
        });
        Self::from_links(selection.len(), links)
    }

    pub(crate) fn matrix(&self) -> &CsMatI<i64, u32, usize> {
        &self.matrix
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_duplicates_and_drops_self_links() {
        let s = SocialMatrix::from_links(4, [(2, 1), (0, 1), (2, 1), (3, 3), (1, 0)]).unwrap();
        assert_eq!(s.iter().collect::<Vec<_>>(), [(0, 1), (1, 0), (2, 1)]);
        assert_eq!((s.self_links_dropped(), s.duplicates_merged()), (1, 1));
        assert_eq!(s.friends(), [1, 2, 1, 0]);
        assert!(s.trusted_by(9).is_empty());
    }

    #[test]
    fn refuses_a_link_outside() {
        let refused = SocialMatrix::from_links(2, [(0, 2)]).err().unwrap();
        assert_eq!(
            refused,
            SparseError::LinkOutOfRange {
                truster: 0,
                trustee: 2,
                users: 2
            }
        );
    }

    #[test]
    fn selects_in_the_agreed_order() {
        let s = SocialMatrix::from_links(4, [(0, 1), (1, 2), (2, 3)]).unwrap();
        let common = s.select(&[3, 2, 0]).unwrap();
        assert_eq!(common.iter().collect::<Vec<_>>(), [(1, 0)]);
        assert!(s.select(&[4]).is_err());
    }
}
