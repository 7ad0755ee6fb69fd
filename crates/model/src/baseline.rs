//! What every model must beat.

use crate::Predictor;
use s3rec_sparse::RatingMatrix;

/// Predicts μ for everything.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GlobalMean {
    mean: f64,
}

impl GlobalMean {
    /// Learns μ.
    pub fn fit(ratings: &RatingMatrix) -> Self {
        Self {
            mean: ratings.mean(),
        }
    }
}

impl Predictor for GlobalMean {
    fn score(&self, _user: u32, _item: u32) -> f64 {
        self.mean
    }

    fn scale(&self) -> (f64, f64) {
        (f64::NEG_INFINITY, f64::INFINITY)
    }
}

/// Predicts μ + b_i + c_j.
#[derive(Debug, Clone, PartialEq)]
pub struct Biases {
    mean: f64,
    scale: (f64, f64),
    users: Vec<f64>,
    items: Vec<f64>,
}

/// Sweeps after which the biases no longer move in the digits anyone reports.
const SWEEPS: usize = 12;

impl Biases {
    /// Learns the minimum of ½ Σ (r_ij − μ − b_i − c_j)² + λ_b/2 Σ b_i² + λ_c/2 Σ c_j² by
    /// alternating closed forms, items first.
    pub fn fit(
        ratings: &RatingMatrix,
        scale: (f64, f64),
        user_decay: f64,
        item_decay: f64,
    ) -> Self {
        let mean = ratings.mean();
        let mut users = vec![0.0; ratings.users()];
        let mut items = vec![0.0; ratings.items()];
        for _ in 0..SWEEPS {
            for (item, c_j) in items.iter_mut().enumerate() {
                *c_j = shrunk_mean(ratings.by_item(item), &users, mean, item_decay);
            }
            for (user, b_i) in users.iter_mut().enumerate() {
                *b_i = shrunk_mean(ratings.by_user(user), &items, mean, user_decay);
            }
        }
        Self {
            mean,
            scale,
            users,
            items,
        }
    }

    /// μ.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// b_i for all users.
    pub fn users(&self) -> &[f64] {
        &self.users
    }

    /// c_j for all items.
    pub fn items(&self) -> &[f64] {
        &self.items
    }
}

impl Predictor for Biases {
    fn score(&self, user: u32, item: u32) -> f64 {
        let bias = |of: &[f64], index: u32| of.get(index as usize).copied().unwrap_or(0.0);
        self.mean + bias(&self.users, user) + bias(&self.items, item)
    }

    fn scale(&self) -> (f64, f64) {
        self.scale
    }
}

fn shrunk_mean((others, values): (&[u32], &[f32]), biases: &[f64], mean: f64, decay: f64) -> f64 {
    let residuals: f64 = others
        .iter()
        .zip(values)
        .map(|(&o, &r)| f64::from(r) - mean - biases[o as usize])
        .sum();
    let weight = values.len() as f64 + decay;
    if weight > 0.0 {
        residuals / weight
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_sparse::Rating;

    #[test]
    fn finds_additive_effects() {
        let mut given = Vec::new();
        for user in 0..6u32 {
            for item in 0..5u32 {
                if (user + item) % 3 != 0 {
                    let value = 3.0 + 0.2 * user as f32 - 0.3 * item as f32;
                    given.push(Rating { user, item, value });
                }
            }
        }
        let r = RatingMatrix::from_ratings(6, 5, &given).unwrap();
        let biases = Biases::fit(&r, (0.0, 6.0), 1e-9, 1e-9);
        // Held-out pairs follow the same rule.
        assert!((biases.predict(3, 0) - 3.6).abs() < 0.02);
        assert!((biases.predict(99, 99) - r.mean()).abs() < 1e-12);
        assert_eq!(GlobalMean::fit(&r).predict(0, 0), r.mean());
    }
}
