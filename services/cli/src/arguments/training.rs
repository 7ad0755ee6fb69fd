//! What is trained: a preset, the solver's defaults, and what differs from them.

use clap::Args;
use s3rec_model::{Preset, StopRule};
use s3rec_wire::convert::settings::to_wire;
use s3rec_wire::v1;

use super::settings::social_settings_file;
use super::{OperatorChoice, PresetChoice, SettingsFile, SolverChoice};

/// Rank where neither a preset nor an operator names one.
const RANK: u32 = 10;

/// The settings of a training. What is given goes before the preset, the preset before the
/// solver's own defaults.
#[derive(Args, Clone, Debug, Default)]
pub struct TrainingArgs {
    /// Settings found by search on a published set.
    #[arg(long, value_enum)]
    pub preset: Option<PresetChoice>,
    /// Settings as s3rec tune --out wrote them.
    #[arg(long, value_name = "FILE", conflicts_with = "preset",
          value_parser = social_settings_file)]
    pub settings: Option<SettingsFile>,
    /// How the rating platform learns; als unless given.
    #[arg(long, value_enum)]
    pub solver: Option<SolverChoice>,
    /// What the social platform derives from its links; normalized-laplacian unless given.
    #[arg(long, value_enum)]
    pub operator: Option<OperatorChoice>,
    /// Number of factors; 10 unless given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=512))]
    pub rank: Option<u32>,
    /// Openings of the product at most; the solver's own number unless given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: Option<u32>,
    /// Weight of the social term.
    #[arg(long, value_name = "WEIGHT")]
    pub social_weight: Option<f64>,
    /// Weight of the social term on the user biases; above 0 one more column is opened.
    #[arg(long, value_name = "WEIGHT")]
    pub social_bias_weight: Option<f64>,
    /// Weight of the norm of the factors, users' and items' alike.
    #[arg(long, value_name = "WEIGHT")]
    pub regularization: Option<f64>,
    /// Step size of gd and adam.
    #[arg(long, value_name = "SIZE")]
    pub learning_rate: Option<f64>,
    /// Weight of the norm of the user factors; stays at the rating platform.
    #[arg(long, value_name = "WEIGHT", conflicts_with = "regularization")]
    pub user_decay: Option<f64>,
    /// Weight of the norm of the item factors; stays at the rating platform.
    #[arg(long, value_name = "WEIGHT", conflicts_with = "regularization")]
    pub item_decay: Option<f64>,
    /// Weight of the squared user biases; stays at the rating platform.
    #[arg(long, value_name = "WEIGHT")]
    pub user_bias_decay: Option<f64>,
    /// Weight of the squared item biases; stays at the rating platform.
    #[arg(long, value_name = "WEIGHT")]
    pub item_bias_decay: Option<f64>,
    /// als: ridge of the prior that a user's choice of items gives, as in SVD++; 0: none. Stays
    /// at the rating platform.
    #[arg(long, value_name = "RIDGE")]
    pub implicit_ridge: Option<f64>,
    /// Steps without the social term before the first opening; stays at the rating platform.
    #[arg(long, value_name = "STEPS")]
    pub warm_sweeps: Option<u32>,
    /// als: sweeps over users and items for each opening; stays at the rating platform.
    #[arg(long, value_name = "SWEEPS")]
    pub sweeps_per_opening: Option<u32>,
    /// Openings in a row without a better held-out error after which training stops below
    /// --rounds, as it does when the objective stands still; 0: make all rounds.
    #[arg(long, value_name = "OPENINGS")]
    pub patience: Option<u32>,
}

impl TrainingArgs {
    /// The preset, if one was named or read from a file.
    #[must_use]
    pub fn preset(&self) -> Option<Preset> {
        let file = self.settings.as_ref().map(|file| file.0.clone());
        file.or_else(|| self.preset.map(PresetChoice::load))
    }

    /// Whether friends' sums are opened.
    #[must_use]
    pub fn is_of_friends(&self) -> bool {
        self.operator == Some(OperatorChoice::Friends)
    }

    /// Of an opening of friends' sums, which is no training: what does not go with it is refused
    /// where the proposal is checked.
    fn of_friends(&self) -> v1::ModelSettings {
        v1::ModelSettings {
            operator: OperatorChoice::Friends.number(),
            solver: self.solver.map_or(0, SolverChoice::number),
            rank: self.rank.unwrap_or_default(),
            rounds: self.rounds.unwrap_or_default(),
            social_weight: Some(self.social_weight.unwrap_or(0.0)),
            social_bias_weight: self.social_bias_weight.unwrap_or_default(),
            ..v1::ModelSettings::default()
        }
    }

    /// The settings in the conversation's words. Training stops early after
    /// `default_patience` openings without a better error unless the command line says
    /// otherwise; 0: never.
    #[must_use]
    pub fn settings(&self, default_patience: u32) -> v1::ModelSettings {
        if self.is_of_friends() {
            return self.of_friends();
        }
        let preset = self.preset();
        let mut model = preset.map_or_else(
            || v1::ModelSettings {
                rank: RANK,
                solver: SolverChoice::Als.number(),
                operator: OperatorChoice::NormalizedLaplacian.number(),
                ..v1::ModelSettings::default()
            },
            |preset| to_wire(&preset.settings, preset.operator, None),
        );
        if let Some(solver) = self.solver.map(SolverChoice::number)
            && solver != model.solver
        {
            // A preset's openings and its prior are its own solver's.
            model.solver = solver;
            model.rounds = 0;
            if let Some(local) = &mut model.local {
                local.implicit_ridge = None;
            }
        }
        model.operator = self.operator.map_or(model.operator, OperatorChoice::number);
        model.rank = self.rank.unwrap_or(model.rank);
        model.rounds = self.rounds.unwrap_or(model.rounds);
        model.social_weight = self.social_weight.or(model.social_weight);
        model.social_bias_weight = self.social_bias_weight.unwrap_or(model.social_bias_weight);
        model.learning_rate = self.learning_rate.or(model.learning_rate);
        let mut local = model.local.unwrap_or_default();
        if let Some(both) = self.regularization {
            model.regularization = Some(both);
            (local.user_decay, local.item_decay) = (None, None);
        }
        local.user_decay = self.user_decay.or(local.user_decay);
        local.item_decay = self.item_decay.or(local.item_decay);
        local.user_bias_decay = self.user_bias_decay.or(local.user_bias_decay);
        local.item_bias_decay = self.item_bias_decay.or(local.item_bias_decay);
        local.implicit_ridge = match self.implicit_ridge {
            Some(0.0) => None,
            given => given.or(local.implicit_ridge),
        };
        local.warm_sweeps = self.warm_sweeps.or(local.warm_sweeps);
        local.sweeps_per_opening = self.sweeps_per_opening.or(local.sweeps_per_opening);
        let patience = self.patience.unwrap_or(default_patience);
        local.stop = (patience > 0).then(|| v1::StopRule {
            patience,
            objective_tolerance: StopRule::default().objective_tolerance,
        });
        model.local = Some(local);
        model
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_goes_before_the_preset() {
        let ciao = TrainingArgs {
            preset: Some(PresetChoice::Ciao),
            ..TrainingArgs::default()
        };
        let preset = Preset::named("ciao").unwrap();
        let expected = to_wire(&preset.settings, preset.operator, None);
        assert_eq!(ciao.settings(0), expected);

        let changed = TrainingArgs {
            rounds: Some(2),
            social_bias_weight: Some(0.0),
            implicit_ridge: Some(0.0),
            regularization: Some(7.0),
            patience: Some(4),
            ..ciao.clone()
        };
        let model = changed.settings(0);
        let local = model.local.unwrap();
        assert_eq!((model.rounds, model.rank), (2, expected.rank));
        assert_eq!(model.social_bias_weight, 0.0);
        assert_eq!(model.regularization, Some(7.0));
        assert_eq!((local.user_decay, local.implicit_ridge), (None, None));
        assert_eq!(
            local.user_bias_decay,
            expected.local.unwrap().user_bias_decay
        );
        assert_eq!(local.stop.unwrap().patience, 4);

        let adam = TrainingArgs {
            solver: Some(SolverChoice::Adam),
            ..ciao
        };
        let model = adam.settings(3);
        assert_eq!((model.rounds, model.solver()), (0, v1::Solver::Adam));
        assert_eq!(model.local.unwrap().implicit_ridge, None);
    }

    #[test]
    fn without_a_preset_the_solver_decides() {
        let model = TrainingArgs::default().settings(3);
        assert_eq!((model.solver(), model.rank), (v1::Solver::Als, RANK));
        assert_eq!((model.rounds, model.social_weight), (0, None));
        let none = TrainingArgs {
            social_weight: Some(0.0),
            ..TrainingArgs::default()
        };
        assert_eq!(none.settings(3).social_weight, Some(0.0));
        let stop = model.local.unwrap().stop.unwrap();
        assert_eq!((stop.patience, stop.objective_tolerance), (3, 1e-5));
    }
}
