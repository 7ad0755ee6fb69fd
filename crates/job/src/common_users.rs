use crate::TrainError;
use s3rec_algebra::RealMatrix;

/// Where P0's users stand among the m common users: row c of Y and of every opening is P0's
/// user `rows[c]`. P0's other users have no social term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommonUsers {
    rows: Vec<u32>,
    users: usize,
}

impl CommonUsers {
    /// The common users in the order both platforms agreed on, as indices of P0's `users`.
    ///
    /// # Errors
    /// [`TrainError::CommonUser`] for an index outside `0..users` or given twice.
    pub fn new(rows: Vec<u32>, users: usize) -> Result<Self, TrainError> {
        let mut seen = vec![false; users];
        for (position, &user) in rows.iter().enumerate() {
            match seen.get_mut(user as usize) {
                Some(seen) if !*seen => *seen = true,
                _ => return Err(TrainError::CommonUser { position, user }),
            }
        }
        Ok(Self { rows, users })
    }

    /// All of P0's users in their own order: what the clear evaluation uses.
    ///
    /// # Errors
    /// [`TrainError::CommonUser`] for more users than 32-bit indices name.
    pub fn all(users: usize) -> Result<Self, TrainError> {
        let rows: Vec<u32> = (0u32..).take(users).collect();
        Self::new(rows, users)
    }

    /// m.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether the platforms share nobody.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// P0's index of each common user.
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// P0's users × columns in, common users × columns out.
    ///
    /// # Panics
    /// When `matrix` has fewer rows than P0 has users.
    pub fn gather(&self, matrix: &RealMatrix) -> RealMatrix {
        let mut gathered = RealMatrix::zeros(self.rows.len(), matrix.columns());
        for (row, &user) in self.rows.iter().enumerate() {
            gathered
                .row_mut(row)
                .copy_from_slice(matrix.row(user as usize));
        }
        gathered
    }

    /// Common users × columns in, P0's users × columns out, zero rows for everybody else.
    ///
    /// # Panics
    /// When `matrix` has fewer rows than there are common users.
    pub fn scatter(&self, matrix: &RealMatrix) -> RealMatrix {
        let mut scattered = RealMatrix::zeros(self.users, matrix.columns());
        for (row, &user) in self.rows.iter().enumerate() {
            scattered
                .row_mut(user as usize)
                .copy_from_slice(matrix.row(row));
        }
        scattered
    }
}

/// Puts `unit` in the first column of every row that would encode to zeros.
///
/// A solver takes a row of zeros in Y·U for a user without links, who has no social term. Rows of
/// U below half a unit would make it one for users whose friends all have such rows, and for
/// `out-average` a pull to the origin and none at all are far apart.
pub(crate) fn make_visible(rows: &mut RealMatrix, unit: f64) {
    for index in 0..rows.rows() {
        let row = rows.row_mut(index);
        if row.iter().all(|value| value.abs() <= unit / 2.0) {
            row.iter_mut().take(1).for_each(|value| *value = unit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_encodes_to_zeros() {
        let values = vec![0.0, 0.0, 0.5, -0.25, 0.0, 0.75, -0.5, 0.5];
        let mut rows = RealMatrix::from_vec(4, 2, values).unwrap();
        make_visible(&mut rows, 1.0);
        assert_eq!(rows.values(), [1.0, 0.0, 1.0, -0.25, 0.0, 0.75, 1.0, 0.5]);
    }

    #[test]
    fn gathers_and_scatters_by_the_agreed_order() {
        let common = CommonUsers::new(vec![2, 0], 3).unwrap();
        let own = RealMatrix::from_vec(3, 2, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        let gathered = common.gather(&own);
        assert_eq!(gathered.values(), [5.0, 6.0, 1.0, 2.0]);
        assert_eq!(
            common.scatter(&gathered).values(),
            [1.0, 2.0, 0.0, 0.0, 5.0, 6.0]
        );
        assert_eq!((common.len(), common.is_empty()), (2, false));
        assert_eq!(common.rows(), [2, 0]);
        assert!(CommonUsers::new(Vec::new(), 3).unwrap().is_empty());
    }

    #[test]
    fn refuses_strangers_and_doubles() {
        let refused = |rows: Vec<u32>| CommonUsers::new(rows, 3).unwrap_err();
        assert_eq!(
            refused(vec![0, 3]),
            TrainError::CommonUser {
                position: 1,
                user: 3
            }
        );
        assert_eq!(
            refused(vec![1, 1]),
            TrainError::CommonUser {
                position: 1,
                user: 1
            }
        );
    }
}
