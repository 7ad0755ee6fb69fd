//! What may be known of an operator's pattern, as types (protocol page, sections 3.2 and 4).
//!
//! A protocol that is sensitive to locations takes a [`SecretPattern`] and may use it only for
//! its own memory accesses; whatever shapes a message takes a [`PublicPattern`], which only
//! [`declassify`] makes.

use crate::SocialOperator;
use serde::{Deserialize, Serialize};

/// What P1 lets P0 know of the pattern. Part of the proposal and of the audit record.
///
/// An exact opening shows the active rows under every policy: all others open to zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PatternPolicy {
    /// All m rows are returned, all m rows uploaded.
    #[default]
    Nothing,
    /// Only users with a link are returned; for a symmetric operator that also says which
    /// columns are needed, so the upload is trimmed too.
    ActiveRows,
    /// Returned rows and uploaded rows are both trimmed (S3Rec's location-insensitive setting).
    ActiveRowsAndColumns,
}

/// Which rows and columns of Y hold a non-zero: P1's secret, and never `Debug`ged.
pub struct SecretPattern {
    users: usize,
    symmetric: bool,
    rows: Vec<u32>,
    columns: Vec<u32>,
}

impl SecretPattern {
    /// The pattern of an operator.
    pub fn of(operator: &SocialOperator) -> Self {
        Self {
            users: operator.users(),
            symmetric: operator.kind().is_symmetric(),
            rows: operator.active_rows(),
            columns: operator.active_columns(),
        }
    }

    /// Columns with a non-zero, ascending: the rows of U that P1 needs.
    pub fn needed_rows(&self) -> &[u32] {
        &self.columns
    }
}

/// The rows that messages may be shaped by, known to both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicPattern {
    /// m.
    pub users: usize,
    /// Rows of Y·U that are returned, ascending.
    pub returned_rows: Vec<u32>,
    /// Rows of U that are uploaded, ascending.
    pub uploaded_rows: Vec<u32>,
}

/// Gives away as much of a secret pattern as `policy` allows. The only way from
/// [`SecretPattern`] to [`PublicPattern`], so that a search for this name finds every place
/// where P1 lets a pattern out.
///
/// P0 learns `returned_rows` and `uploaded_rows`; under [`PatternPolicy::Nothing`] both are all rows.
pub fn declassify(pattern: &SecretPattern, policy: PatternPolicy) -> PublicPattern {
    let all = || (0u32..).take(pattern.users).collect::<Vec<_>>();
    let trims_upload = match policy {
        PatternPolicy::Nothing => false,
        PatternPolicy::ActiveRows => pattern.symmetric,
        PatternPolicy::ActiveRowsAndColumns => true,
    };
    PublicPattern {
        users: pattern.users,
        returned_rows: match policy {
            PatternPolicy::Nothing => all(),
            PatternPolicy::ActiveRows | PatternPolicy::ActiveRowsAndColumns => pattern.rows.clone(),
        },
        uploaded_rows: if trims_upload {
            pattern.columns.clone()
        } else {
            all()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OperatorKind, SocialMatrix};

    fn secret(kind: OperatorKind) -> SecretPattern {
        let links = SocialMatrix::from_links(5, [(1, 3), (4, 3)]).unwrap();
        SecretPattern::of(&SocialOperator::build(kind, &links))
    }

    #[test]
    fn nothing_is_nothing() {
        let public = declassify(&secret(OperatorKind::Laplacian), PatternPolicy::Nothing);
        assert_eq!(public.returned_rows, [0, 1, 2, 3, 4]);
        assert_eq!(public.uploaded_rows, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_symmetric_operator_trims_the_upload_with_the_rows() {
        let public = declassify(&secret(OperatorKind::Laplacian), PatternPolicy::ActiveRows);
        assert_eq!(public.returned_rows, [1, 3, 4]);
        assert_eq!(public.uploaded_rows, [1, 3, 4]);
    }

    #[test]
    fn an_asymmetric_operator_keeps_its_columns_to_itself() {
        let pattern = secret(OperatorKind::OutAverage);
        let public = declassify(&pattern, PatternPolicy::ActiveRows);
        assert_eq!(public.returned_rows, [1, 4]);
        assert_eq!(public.uploaded_rows.len(), 5);
        let public = declassify(&pattern, PatternPolicy::ActiveRowsAndColumns);
        assert_eq!(public.uploaded_rows, [3]);
        assert_eq!(pattern.needed_rows(), [3]);
    }
}
