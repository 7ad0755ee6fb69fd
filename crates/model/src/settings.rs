use crate::ModelError;
use serde::{Deserialize, Serialize};

/// How the objective is minimised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SolverKind {
    /// Full-batch gradient descent, as published: one opening a step.
    Gd,
    /// Full-batch Adam: one opening a step.
    Adam,
    /// Alternating least squares with the social term linearised: few openings.
    Als,
}

impl SolverKind {
    /// The name in proposals, configuration and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gd => "gd",
            Self::Adam => "adam",
            Self::Als => "als",
        }
    }
}

impl std::fmt::Display for SolverKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Everything that decides what is learnt from given ratings, the seed included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SolverSettings {
    /// Which solver.
    pub solver: SolverKind,
    /// k, the number of factors.
    pub rank: usize,
    /// Steps that consume a social product; the solver ends after so many.
    pub openings: u32,
    /// Seed of the starting point.
    pub seed: u64,
    /// λ_u on user factors.
    pub user_decay: f64,
    /// λ_v on item factors.
    pub item_decay: f64,
    /// λ on user biases.
    pub user_bias_decay: f64,
    /// λ on item biases.
    pub item_bias_decay: f64,
    /// γ on the factors.
    pub social_weight: f64,
    /// γ on the user bias. Above 0 the bias is opened as one more column.
    pub social_bias_weight: f64,
    /// `als`: ρ of the implicit prior, what a user's mere choice of items says about them
    /// (SVD++; local to P0, no opening); none without it. Typically 5 to 50.
    pub implicit_ridge: Option<f64>,
    /// Whether a user's bias is drawn to what users who rate as much tend to rate, instead of
    /// to 0 (local to P0, no opening).
    pub activity_prior: bool,
    /// How much an item's number of ratings counts in lists; none: learnt, see
    /// [`popularity`](crate::popularity).
    pub popularity_weight: Option<f64>,
    /// Step size of `gd` and `adam`; without one, `gd` gives every row its own and `adam` uses
    /// 0.02.
    pub learning_rate: Option<f64>,
    /// Steps without the social term before the first opening: they cost P0 time and nothing
    /// else.
    pub warm_sweeps: u32,
    /// `als`: local sweeps over users and items for each opening.
    pub sweeps_per_opening: u32,
}

impl Default for SolverSettings {
    fn default() -> Self {
        Self {
            solver: SolverKind::Als,
            rank: 10,
            openings: 10,
            seed: 0,
            user_decay: 9.0,
            item_decay: 9.0,
            user_bias_decay: 5.0,
            item_bias_decay: 5.0,
            social_weight: 10.0,
            social_bias_weight: 0.0,
            implicit_ridge: None,
            activity_prior: false,
            popularity_weight: None,
            learning_rate: None,
            warm_sweeps: 40,
            sweeps_per_opening: 2,
        }
    }
}

/// The largest rank that any job may ask for.
pub(crate) const MAX_RANK: usize = 512;

impl SolverSettings {
    /// Columns of an opened matrix: k, and one more when the user bias is smoothed.
    pub fn opened_columns(&self) -> usize {
        self.rank + usize::from(self.smooths_bias())
    }

    /// Whether the user bias is part of the social term.
    pub fn smooths_bias(&self) -> bool {
        self.social_bias_weight > 0.0
    }

    /// The same without the social term.
    #[must_use]
    pub fn without_social(&self) -> Self {
        Self {
            social_weight: 0.0,
            social_bias_weight: 0.0,
            ..self.clone()
        }
    }

    /// Whether there is a social term at all.
    pub fn is_social(&self) -> bool {
        self.social_weight + self.social_bias_weight > 0.0
    }

    /// Checks every field.
    ///
    /// # Errors
    /// [`ModelError::Setting`] names the first that makes no sense.
    pub fn validate(&self) -> Result<(), ModelError> {
        let bad = |field, actual, expected| {
            Err(ModelError::Setting {
                field,
                actual,
                expected,
            })
        };
        if self.rank == 0 || self.rank > MAX_RANK {
            return bad("rank", self.rank as f64, "from 1 to 512");
        }
        let weights = [
            ("user_decay", self.user_decay),
            ("item_decay", self.item_decay),
            ("user_bias_decay", self.user_bias_decay),
            ("item_bias_decay", self.item_bias_decay),
        ];
        for (field, actual) in weights {
            if !(actual > 0.0 && actual <= 1e6) {
                return bad(field, actual, "above 0, at most 1e6");
            }
        }
        let weights = [
            ("social_weight", self.social_weight),
            ("social_bias_weight", self.social_bias_weight),
        ];
        for (field, actual) in weights {
            if !(0.0..=1e6).contains(&actual) {
                return bad(field, actual, "from 0 to 1e6");
            }
        }
        if let Some(rate) = self
            .learning_rate
            .filter(|rate| !(*rate > 0.0 && *rate <= 10.0))
        {
            return bad("learning_rate", rate, "above 0, at most 10");
        }
        if let Some(ridge) = self.implicit_ridge.filter(|r| !(*r > 0.0 && *r <= 1e6)) {
            return bad("implicit_ridge", ridge, "above 0, at most 1e6");
        }
        if self.implicit_ridge.is_some() && self.solver != SolverKind::Als {
            return bad(
                "implicit_ridge",
                self.implicit_ridge.unwrap_or(0.0),
                "none but with als",
            );
        }
        if let Some(weight) = self
            .popularity_weight
            .filter(|weight| !(0.0..=1e6).contains(weight))
        {
            return bad("popularity_weight", weight, "from 0 to 1e6");
        }
        let sweeps = f64::from(self.sweeps_per_opening);
        if !(1.0..=1000.0).contains(&sweeps) {
            return bad("sweeps_per_opening", sweeps, "from 1 to 1000");
        }
        if self.warm_sweeps > 100_000 {
            let actual = f64::from(self.warm_sweeps);
            return bad("warm_sweeps", actual, "at most 100,000");
        }
        Ok(())
    }
}
