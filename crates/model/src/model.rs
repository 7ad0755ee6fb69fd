use crate::{Predictor, Unit};
use s3rec_algebra::RealMatrix;

/// A trained model: mean, biases and factors. P0's secret.
///
/// Users and items are stored with their bias as one more column: row i of `users` is
/// (u_i, b_i), row j of `items` is (v_j, c_j), so that ẑ_ij = μ + b_i + c_j + u_i·v_j and
/// r̂_ij = m + s·ẑ_ij, m and s the model's [`Unit`].
#[derive(Clone)]
pub struct Model {
    /// What its numbers are measured in.
    pub unit: Unit,
    /// μ, standardised.
    pub mean: f64,
    /// Lowest and highest rating; predictions are clipped to them.
    pub scale: (f64, f64),
    /// Users × (k + 1).
    pub users: RealMatrix,
    /// Items × (k + 1).
    pub items: RealMatrix,
}

impl Model {
    /// k, the length of a factor.
    pub fn rank(&self) -> usize {
        self.users.columns().saturating_sub(1)
    }

    /// u_i.
    pub fn user_factor(&self, user: usize) -> &[f64] {
        &self.users.row(user)[..self.rank()]
    }

    /// b_i.
    pub fn user_bias(&self, user: usize) -> f64 {
        self.users.row(user)[self.rank()]
    }

    /// v_j.
    pub fn item_factor(&self, item: usize) -> &[f64] {
        &self.items.row(item)[..self.rank()]
    }

    /// c_j.
    pub fn item_bias(&self, item: usize) -> f64 {
        self.items.row(item)[self.rank()]
    }

    /// The same model with its numbers in rating units, as it is exported: μ, b, c and V are
    /// restored, U stays as it was learnt and opened.
    pub fn in_rating_units(&self) -> Self {
        let (rank, spread) = (self.rank(), self.unit.spread);
        let mut model = self.clone();
        model.mean = self.unit.restore(self.mean);
        model.unit = Unit::OF_RATINGS;
        for row in 0..model.users.rows() {
            model.users.row_mut(row)[rank] *= spread;
        }
        for value in model.items.values_mut() {
            *value *= spread;
        }
        model
    }
}

impl Predictor for Model {
    /// r̂_ij; an index out of range counts as an average user or item.
    fn score(&self, user: u32, item: u32) -> f64 {
        let rank = self.rank();
        let user = (user as usize)
            .lt(&self.users.rows())
            .then(|| self.users.row(user as usize));
        let item = (item as usize)
            .lt(&self.items.rows())
            .then(|| self.items.row(item as usize));
        let bias = |row: Option<&[f64]>| row.map_or(0.0, |row| row[rank]);
        let own: f64 = match (user, item) {
            (Some(u), Some(v)) => u[..rank].iter().zip(v).map(|(u, v)| u * v).sum(),
            _ => 0.0,
        };
        self.unit.restore(self.mean + bias(user) + bias(item) + own)
    }

    fn scale(&self) -> (f64, f64) {
        self.scale
    }
}
