use crate::ModelError;
use serde::{Deserialize, Serialize};

/// Everything that decides what lists are learnt from given ratings, the seed included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListsSettings {
    /// k, the number of factors.
    pub rank: usize,
    /// Sweeps over users and items.
    pub sweeps: u32,
    /// Steps of conjugate gradients by which a row with more than sixteen observations is improved
    /// in a sweep, in single precision; 0 solves every row exactly, in double.
    pub gradient_steps: u32,
    /// Seed of the starting point.
    pub seed: u64,
    /// α, the weight of every pair, observed or not.
    pub unobserved_weight: f64,
    /// λ.
    pub decay: f64,
    /// ν: how the decay of a row grows with its number of observations.
    pub decay_exponent: f64,
    /// s: what a rating one standard deviation above the mean adds to its confidence of 1.
    pub confidence_slope: f64,
    /// w, how much popularity counts in lists; none: learnt.
    pub popularity_weight: Option<f64>,
}

impl Default for ListsSettings {
    fn default() -> Self {
        Self {
            rank: 32,
            sweeps: 10,
            gradient_steps: 3,
            seed: 0,
            unobserved_weight: 0.003,
            decay: 0.03,
            decay_exponent: 1.0,
            confidence_slope: 0.5,
            popularity_weight: None,
        }
    }
}

/// The largest rank of lists.
pub(crate) const MAX_RANK: usize = 128;

impl ListsSettings {
    /// Checks every field.
    ///
    /// # Errors
    /// [`ModelError::Setting`] names the first that makes no sense.
    pub fn validate(&self) -> Result<(), ModelError> {
        let within = |field, actual: f64, fits: bool, expected| {
            if fits {
                return Ok(());
            }
            Err(ModelError::Setting {
                field,
                actual,
                expected,
            })
        };
        let rank = self.rank as f64;
        let fits = (1..=MAX_RANK).contains(&self.rank);
        within("lists.rank", rank, fits, "from 1 to 128")?;
        let sweeps = f64::from(self.sweeps);
        let fits = (1..=1000).contains(&self.sweeps);
        within("lists.sweeps", sweeps, fits, "from 1 to 1000")?;
        let steps = f64::from(self.gradient_steps);
        let fits = self.gradient_steps <= 1000;
        within("lists.gradient_steps", steps, fits, "from 0 to 1000")?;
        let (weight, decay) = (self.unobserved_weight, self.decay);
        let fits = weight > 0.0 && weight <= 1e3;
        within(
            "lists.unobserved_weight",
            weight,
            fits,
            "above 0, at most 1e3",
        )?;
        let fits = decay > 0.0 && decay <= 1e6;
        within("lists.decay", decay, fits, "above 0, at most 1e6")?;
        let exponent = self.decay_exponent;
        let fits = (0.0..=2.0).contains(&exponent);
        within("lists.decay_exponent", exponent, fits, "from 0 to 2")?;
        let slope = self.confidence_slope;
        let fits = (0.0..=100.0).contains(&slope);
        within("lists.confidence_slope", slope, fits, "from 0 to 100")?;
        let popularity = self.popularity_weight.unwrap_or(0.0);
        let fits = (0.0..=1e6).contains(&popularity);
        within("lists.popularity_weight", popularity, fits, "from 0 to 1e6")
    }
}
