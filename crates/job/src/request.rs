//! What P0's people ask for, in full: what a proposal is made of, and what stays at P0.

use s3rec_model::{ModelError, Preset, SolverKind, SolverSettings, StopRule};
use s3rec_sparse::{OperatorKind, PatternPolicy};
use s3rec_spmm::{Protocol, ReleasePolicy};
use serde::{Deserialize, Serialize};

/// A job as it was asked for, what was left open filled in. Equal requests ask for the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobRequest {
    /// P0's data set of ratings.
    pub dataset: String,
    /// What is learnt, and how.
    pub model: ModelSettings,
    /// How Y·U is computed.
    pub protocol: Protocol,
    /// What of Y's pattern is shown.
    pub pattern: PatternPolicy,
    /// How openings are released. How many users an opening of friends' sums takes at most is 1
    /// here: it is counted for the proposal.
    pub release: ReleasePolicy,
    /// Why, in P0's words.
    pub purpose: String,
    /// Of the split and of the solver's start.
    pub seed: u64,
    /// What the model is judged by.
    pub held_out: HeldOut,
    /// The proposal's end, milliseconds since the Unix epoch; none: the usual time from now.
    pub expires_unix_ms: Option<i64>,
    /// P0's data set of factors; empty: rows are made from the ratings alone.
    pub factors: String,
}

/// Which ratings are held out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    /// Their share; 0: nothing is held out; none: the usual share.
    pub share: Option<f64>,
    /// The latest ones instead of any.
    pub is_latest: bool,
}

/// Settings of a training as they are asked for. What is none is the solver's documented default;
/// a 0 is a 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelSettings {
    /// k.
    pub rank: u32,
    /// How P0 turns Y·U into factors.
    pub solver: SolverKind,
    /// Which Y.
    pub operator: OperatorKind,
    /// Openings at most.
    pub rounds: u32,
    /// γ.
    pub social_weight: Option<f64>,
    /// λ of users and items, unless a side has its own.
    pub regularization: Option<f64>,
    /// Step size.
    pub learning_rate: Option<f64>,
    /// γ on the user biases.
    pub social_bias_weight: f64,
    /// What P1 is not shown.
    pub local: LocalSettings,
}

/// Settings that are P0's own affair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LocalSettings {
    /// λ_u.
    pub user_decay: Option<f64>,
    /// λ_v.
    pub item_decay: Option<f64>,
    /// λ on user biases.
    pub user_bias_decay: Option<f64>,
    /// λ on item biases.
    pub item_bias_decay: Option<f64>,
    /// ρ of the implicit prior.
    pub implicit_ridge: Option<f64>,
    /// Steps before the first opening.
    pub warm_sweeps: Option<u32>,
    /// Local sweeps for each opening.
    pub sweeps_per_opening: Option<u32>,
    /// Whether a user's bias is drawn to what users who rate as much tend to rate.
    pub activity_prior: Option<bool>,
    /// How much popularity counts in lists.
    pub popularity_weight: Option<f64>,
    /// When to stop early, if at all.
    pub stop: Option<StopRule>,
}

impl ModelSettings {
    /// Everything said, nothing left to a default: what a model was trained with, and what a
    /// request of these settings would be.
    #[must_use]
    pub fn of(settings: &SolverSettings, operator: OperatorKind, stop: Option<StopRule>) -> Self {
        Self {
            rank: u32::try_from(settings.rank).unwrap_or(u32::MAX),
            solver: settings.solver,
            operator,
            rounds: settings.openings,
            social_weight: Some(settings.social_weight),
            // Users and items have their own below.
            regularization: None,
            learning_rate: settings.learning_rate,
            social_bias_weight: settings.social_bias_weight,
            local: LocalSettings {
                user_decay: Some(settings.user_decay),
                item_decay: Some(settings.item_decay),
                user_bias_decay: Some(settings.user_bias_decay),
                item_bias_decay: Some(settings.item_bias_decay),
                implicit_ridge: settings.implicit_ridge,
                warm_sweeps: Some(settings.warm_sweeps),
                sweeps_per_opening: Some(settings.sweeps_per_opening),
                activity_prior: Some(settings.activity_prior),
                popularity_weight: settings.popularity_weight,
                stop,
            },
        }
    }

    /// What the solver runs with.
    ///
    /// # Errors
    /// [`ModelError`] naming the first setting that makes no sense.
    pub fn solver_settings(&self, seed: u64) -> Result<SolverSettings, ModelError> {
        let (local, defaults) = (&self.local, defaults_of(self.solver));
        let decay = |own: Option<f64>, default| own.or(self.regularization).unwrap_or(default);
        let settings = SolverSettings {
            solver: self.solver,
            rank: usize::try_from(self.rank).unwrap_or(usize::MAX),
            openings: self.rounds,
            seed,
            user_decay: decay(local.user_decay, defaults.user_decay),
            item_decay: decay(local.item_decay, defaults.item_decay),
            user_bias_decay: local.user_bias_decay.unwrap_or(defaults.user_bias_decay),
            item_bias_decay: local.item_bias_decay.unwrap_or(defaults.item_bias_decay),
            social_weight: self.social_weight.unwrap_or(defaults.social_weight),
            social_bias_weight: self.social_bias_weight,
            implicit_ridge: local.implicit_ridge.or(defaults.implicit_ridge),
            activity_prior: local.activity_prior.unwrap_or(defaults.activity_prior),
            popularity_weight: local.popularity_weight.or(defaults.popularity_weight),
            learning_rate: self.learning_rate,
            warm_sweeps: local.warm_sweeps.unwrap_or(defaults.warm_sweeps),
            sweeps_per_opening: local
                .sweeps_per_opening
                .unwrap_or(defaults.sweeps_per_opening),
        };
        settings.validate()?;
        Ok(settings)
    }

    /// The social weight as P1 is shown it, also where it is the solver's default.
    #[must_use]
    pub fn shown_social_weight(&self) -> f64 {
        self.social_weight.unwrap_or_else(|| match self.operator {
            // An opening of friends' sums is no training: nothing weighs them.
            OperatorKind::Friends => 0.0,
            _ => defaults_of(self.solver).social_weight,
        })
    }
}

/// What a solver runs with where a request leaves a number open: `als` as in the preset
/// `published`, which section 5 of the protocol page measures; it needs far fewer openings.
#[must_use]
pub fn defaults_of(solver: SolverKind) -> SolverSettings {
    let published = Preset::named("published").filter(|preset| preset.settings.solver == solver);
    published.map_or_else(SolverSettings::default, |preset| preset.settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_open_is_the_solvers_default() {
        let published = Preset::named("published").unwrap();
        let mut model = ModelSettings {
            social_weight: None,
            local: LocalSettings::default(),
            ..ModelSettings::of(&published.settings, published.operator, None)
        };
        let published = published.settings;
        assert_eq!(model.solver_settings(0).unwrap(), published);

        // One weight for both sides unless a side has its own.
        model.regularization = Some(3.0);
        model.local.item_decay = Some(4.0);
        let settings = model.solver_settings(0).unwrap();
        assert_eq!((settings.user_decay, settings.item_decay), (3.0, 4.0));

        // A 0 is a 0, and P1 is shown the weight whether it was given or not.
        assert_eq!(model.shown_social_weight(), published.social_weight);
        let friends = ModelSettings {
            operator: OperatorKind::Friends,
            ..model
        };
        assert_eq!(friends.shown_social_weight(), 0.0);
        model.social_weight = Some(0.0);
        assert_eq!(model.solver_settings(0).unwrap().social_weight, 0.0);
        assert_eq!(model.shown_social_weight(), 0.0);
        // Nor is it the default where it is no usable value.
        model.local = LocalSettings::default();
        model.regularization = Some(0.0);
        assert!(model.solver_settings(0).is_err());
        model.regularization = None;
        model.learning_rate = Some(0.0);
        assert!(model.solver_settings(0).is_err());
    }

    #[test]
    fn settings_out_of_range_are_refused_by_name() {
        type Change = fn(&mut LocalSettings);
        let cases: [(&str, Change); 5] = [
            ("popularity_weight", |l| l.popularity_weight = Some(-0.5)),
            ("user_bias_decay", |l| l.user_bias_decay = Some(-1.0)),
            ("implicit_ridge", |l| l.implicit_ridge = Some(f64::NAN)),
            ("warm_sweeps", |l| l.warm_sweeps = Some(u32::MAX)),
            ("sweeps_per_opening", |l| l.sweeps_per_opening = Some(0)),
        ];
        for (name, change) in cases {
            let preset = Preset::named("published").unwrap();
            let mut model = ModelSettings::of(&preset.settings, preset.operator, None);
            change(&mut model.local);
            let error = model.solver_settings(0).unwrap_err().to_string();
            assert!(error.contains(name), "{name}: {error}");
        }
    }
}
