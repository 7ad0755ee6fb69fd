use crate::eigen::{Eigen, gramian, turn};
use crate::lists::ListsModel;
use s3rec_algebra::RealMatrix;

/// X: of every user in `uploaded` the leading directions of U·(VᵀV)^½, in which distances are
/// those of the scores; mean taken off, every row scaled to norm 1, so that β is 1. A user at the
/// mean has a row of zeros. As wide as `columns` or the factors, whichever is less.
///
/// Fixed before anything is opened: it is made from ratings alone.
pub fn rows_to_open(model: &ListsModel, uploaded: &[u32], columns: usize) -> RealMatrix {
    let rank = model.users().columns();
    let roots = model.score_roots();
    let mut rows = RealMatrix::zeros(uploaded.len(), rank);
    let mut mean = vec![0.0; rank];
    for (place, &user) in uploaded.iter().enumerate() {
        let own = model.users().row(user as usize).iter().zip(&roots);
        for ((value, mean), (u, root)) in rows.row_mut(place).iter_mut().zip(&mut mean).zip(own) {
            *value = u * root;
            *mean += *value / uploaded.len() as f64;
        }
    }
    for row in rows.values_mut().chunks_exact_mut(rank) {
        row.iter_mut()
            .zip(&mean)
            .for_each(|(value, mean)| *value -= mean);
    }
    let directions = Eigen::of(gramian(&rows), rank).vectors;
    turn(&mut rows, &directions);
    let columns = columns.min(rank);
    let mut opened = RealMatrix::zeros(uploaded.len(), columns);
    for place in 0..uploaded.len() {
        let kept = &rows.row(place)[..columns];
        let norm = kept.iter().map(|x| x * x).sum::<f64>().sqrt();
        if norm > 0.0 {
            for (to, from) in opened.row_mut(place).iter_mut().zip(kept) {
                *to = from / norm;
            }
        }
    }
    opened
}
