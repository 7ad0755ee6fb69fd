//! The links among the common users of a job.

use s3rec_data::LinkSet;
use s3rec_sparse::{OperatorKind, SocialMatrix, SocialOperator, SparseError};

/// Y of the links among the common users, who are numbered in their order. That order is drawn
/// anew for each job; the weights are those of our own order, the same for every job.
pub(crate) fn common_operator(
    kind: OperatorKind,
    links: &LinkSet,
    rows: &[u32],
) -> Result<SocialOperator, SparseError> {
    let mut place = vec![None; links.users.len()];
    for (index, row) in (0_u32..).zip(rows) {
        if let Some(place) = place.get_mut(*row as usize) {
            *place = Some(index);
        }
    }
    let at = |user: u32| place.get(user as usize).copied().flatten();
    let common = links
        .links
        .iter()
        .filter_map(|(truster, trustee)| Some((at(*truster)?, at(*trustee)?)));
    let matrix = SocialMatrix::from_links(rows.len(), common)?;
    let rank = |user: u32| rows.get(user as usize).copied().unwrap_or(user);
    Ok(SocialOperator::build_preferring(kind, &matrix, rank))
}
