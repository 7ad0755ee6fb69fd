//! Settings of a training: the conversation's words and the model's. What is absent there means
//! the solver's documented default; a 0 is a 0.

use s3rec_model::{Preset, SolverKind, SolverSettings, StopRule};
use s3rec_sparse::OperatorKind;

use super::{operator_to_wire, solver_to_wire};
use crate::status::{Fault, Reason};
use crate::v1;

/// The model crate's settings for the conversation's.
///
/// # Errors
/// [`Reason::InvalidRequest`] naming the first setting that makes no sense.
pub fn from_wire(model: &v1::ModelSettings, seed: u64) -> Result<SolverSettings, Fault> {
    let solver = solver_kind(model.solver());
    let defaults = defaults_of(solver);
    let local = model.local.unwrap_or_default();
    let decay = |own: Option<f64>, default| own.or(model.regularization).unwrap_or(default);
    let settings = SolverSettings {
        solver,
        rank: usize::try_from(model.rank).unwrap_or(usize::MAX),
        openings: model.rounds,
        seed,
        user_decay: decay(local.user_decay, defaults.user_decay),
        item_decay: decay(local.item_decay, defaults.item_decay),
        user_bias_decay: local.user_bias_decay.unwrap_or(defaults.user_bias_decay),
        item_bias_decay: local.item_bias_decay.unwrap_or(defaults.item_bias_decay),
        social_weight: model.social_weight.unwrap_or(defaults.social_weight),
        social_bias_weight: model.social_bias_weight,
        implicit_ridge: local.implicit_ridge.or(defaults.implicit_ridge),
        activity_prior: local.activity_prior.unwrap_or(defaults.activity_prior),
        popularity_weight: local.popularity_weight.or(defaults.popularity_weight),
        learning_rate: model.learning_rate,
        warm_sweeps: local.warm_sweeps.unwrap_or(defaults.warm_sweeps),
        sweeps_per_opening: local
            .sweeps_per_opening
            .unwrap_or(defaults.sweeps_per_opening),
    };
    settings
        .validate()
        .map_err(|error| Fault::new(Reason::InvalidRequest, error.to_string()))?;
    Ok(settings)
}

/// Everything said, nothing left to a default: what a request of these settings would be, and
/// what a finished model was trained with.
#[must_use]
pub fn to_wire(
    settings: &SolverSettings,
    operator: OperatorKind,
    stop: Option<StopRule>,
) -> v1::ModelSettings {
    v1::ModelSettings {
        rank: u32::try_from(settings.rank).unwrap_or(u32::MAX),
        solver: solver_to_wire(settings.solver).into(),
        operator: operator_to_wire(operator).into(),
        rounds: settings.openings,
        social_weight: Some(settings.social_weight),
        // Users and items have their own below.
        regularization: None,
        learning_rate: settings.learning_rate,
        social_bias_weight: settings.social_bias_weight,
        local: Some(v1::LocalSettings {
            user_decay: Some(settings.user_decay),
            item_decay: Some(settings.item_decay),
            user_bias_decay: Some(settings.user_bias_decay),
            item_bias_decay: Some(settings.item_bias_decay),
            implicit_ridge: settings.implicit_ridge,
            activity_prior: Some(settings.activity_prior),
            popularity_weight: settings.popularity_weight,
            warm_sweeps: Some(settings.warm_sweeps),
            sweeps_per_opening: Some(settings.sweeps_per_opening),
            stop: stop.map(|rule| v1::StopRule {
                patience: rule.patience,
                objective_tolerance: rule.objective_tolerance,
            }),
        }),
    }
}

/// What is shown to P1: everything but the part that stays here, and the social weight also where
/// it is the solver's default.
#[must_use]
pub fn shown(model: &v1::ModelSettings) -> v1::ModelSettings {
    // An opening of friends' sums is no training: nothing weighs them.
    let default = match model.operator() {
        v1::Operator::Friends => 0.0,
        _ => defaults_of(solver_kind(model.solver())).social_weight,
    };
    v1::ModelSettings {
        social_weight: model.social_weight.or(Some(default)),
        local: None,
        ..*model
    }
}

/// When to stop early, if at all.
///
/// # Errors
/// [`Reason::InvalidRequest`] for a rule out of range.
pub fn stop_rule(model: &v1::ModelSettings) -> Result<Option<StopRule>, Fault> {
    let Some(rule) = model.local.and_then(|local| local.stop) else {
        return Ok(None);
    };
    let refused = |message: &str, field: &str| {
        Err(Fault::new(Reason::InvalidRequest, message).at("field", field))
    };
    if !(1..=1000).contains(&rule.patience) {
        return refused("patience must be 1 to 1000", "model.local.stop.patience");
    }
    if !(0.0..=1.0).contains(&rule.objective_tolerance) {
        let message = "objective_tolerance must be 0 to 1";
        return refused(message, "model.local.stop.objective_tolerance");
    }
    Ok(Some(StopRule {
        patience: rule.patience,
        objective_tolerance: rule.objective_tolerance,
    }))
}

/// The model's solver; unspecified means `als`.
#[must_use]
pub fn solver_kind(solver: v1::Solver) -> SolverKind {
    match solver {
        v1::Solver::Gd => SolverKind::Gd,
        v1::Solver::Adam => SolverKind::Adam,
        v1::Solver::Als | v1::Solver::Unspecified => SolverKind::Als,
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
    fn a_preset_survives_the_wire() {
        for preset in Preset::all() {
            let rule = StopRule::default();
            let message = to_wire(&preset.settings, preset.operator, Some(rule));
            assert_eq!(from_wire(&message, 0).unwrap(), preset.settings);
            assert_eq!(stop_rule(&message).unwrap(), Some(rule));
            assert_eq!(shown(&message).local, None);
        }
    }

    #[test]
    fn what_is_left_open_is_the_solvers_default() {
        let mut model = v1::ModelSettings {
            rank: 10,
            rounds: 10,
            ..v1::ModelSettings::default()
        };
        let published = Preset::named("published").unwrap().settings;
        assert_eq!(from_wire(&model, 0).unwrap(), published);
        assert_eq!(stop_rule(&model).unwrap(), None);

        // One weight for both sides unless a side has its own.
        model.regularization = Some(3.0);
        model.local = Some(v1::LocalSettings {
            item_decay: Some(4.0),
            ..v1::LocalSettings::default()
        });
        let settings = from_wire(&model, 0).unwrap();
        assert_eq!((settings.user_decay, settings.item_decay), (3.0, 4.0));

        // A 0 is a 0, and P1 is shown the weight whether it was given or not.
        assert_eq!(shown(&model).social_weight, Some(published.social_weight));
        model.social_weight = Some(0.0);
        assert_eq!(from_wire(&model, 0).unwrap().social_weight, 0.0);
        assert_eq!(shown(&model).social_weight, Some(0.0));
        // Nor is it the default where it is no usable value.
        model.local = None;
        model.regularization = Some(0.0);
        assert!(from_wire(&model, 0).is_err());
        model.regularization = None;
        model.learning_rate = Some(0.0);
        assert!(from_wire(&model, 0).is_err());
    }

    #[test]
    fn settings_out_of_range_are_refused_by_name() {
        type Change = fn(&mut v1::LocalSettings);
        let local = |change: Change| {
            let mut local = v1::LocalSettings::default();
            change(&mut local);
            v1::ModelSettings {
                rank: 10,
                rounds: 10,
                local: Some(local),
                ..v1::ModelSettings::default()
            }
        };
        let cases: [(&str, Change); 5] = [
            ("popularity_weight", |l| l.popularity_weight = Some(-0.5)),
            ("user_bias_decay", |l| l.user_bias_decay = Some(-1.0)),
            ("implicit_ridge", |l| l.implicit_ridge = Some(f64::NAN)),
            ("warm_sweeps", |l| l.warm_sweeps = Some(u32::MAX)),
            ("sweeps_per_opening", |l| l.sweeps_per_opening = Some(0)),
        ];
        for (name, change) in cases {
            let fault = from_wire(&local(change), 0).unwrap_err();
            assert!(fault.message.contains(name), "{name}: {}", fault.message);
        }
        let rule = |patience, objective_tolerance| v1::StopRule {
            patience,
            objective_tolerance,
        };
        for bad in [
            rule(0, 0.0),
            rule(1001, 0.0),
            rule(3, -1.0),
            rule(3, f64::NAN),
        ] {
            let model = v1::ModelSettings {
                local: Some(v1::LocalSettings {
                    stop: Some(bad),
                    ..v1::LocalSettings::default()
                }),
                ..v1::ModelSettings::default()
            };
            assert!(stop_rule(&model).is_err(), "{bad:?}");
        }
    }
}
