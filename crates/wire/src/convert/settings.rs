//! Settings of a training: the conversation's words and the job's.

use s3rec_job::{LocalSettings, ModelSettings};
use s3rec_model::{SolverSettings, StopRule};
use s3rec_sparse::OperatorKind;

use super::{operator_from_wire, operator_to_wire, solver_from_wire, solver_to_wire};
use crate::{WireError, field, v1};

/// Reads settings whose solver and operator are named; what they mean for a solver is checked by
/// [`ModelSettings::solver_settings`].
///
/// # Errors
/// [`WireError`] naming the first field that is missing, unknown or out of range.
pub fn model_from_wire(model: &v1::ModelSettings) -> Result<ModelSettings, WireError> {
    let local = model.local.unwrap_or_default();
    Ok(ModelSettings {
        rank: field::within("model.rank", model.rank, 1, 512)?,
        solver: solver_from_wire("model.solver", model.solver)?,
        operator: operator_from_wire("operator", model.operator)?,
        rounds: field::within("model.rounds", model.rounds, 1, 1 << 16)?,
        social_weight: model.social_weight,
        regularization: model.regularization,
        learning_rate: model.learning_rate,
        social_bias_weight: model.social_bias_weight,
        local: LocalSettings {
            user_decay: local.user_decay,
            item_decay: local.item_decay,
            user_bias_decay: local.user_bias_decay,
            item_bias_decay: local.item_bias_decay,
            implicit_ridge: local.implicit_ridge,
            warm_sweeps: local.warm_sweeps,
            sweeps_per_opening: local.sweeps_per_opening,
            activity_prior: local.activity_prior,
            popularity_weight: local.popularity_weight,
            stop: local.stop.as_ref().map(stop_rule).transpose()?,
        },
    })
}

/// When to stop early.
fn stop_rule(rule: &v1::StopRule) -> Result<StopRule, WireError> {
    let name = "model.local.stop.objective_tolerance";
    if !(0.0..=1.0).contains(&rule.objective_tolerance) {
        return Err(WireError::Real {
            field: name,
            allowed: "a number from 0 to 1",
            actual: rule.objective_tolerance,
        });
    }
    Ok(StopRule {
        patience: field::within("model.local.stop.patience", rule.patience, 1, 1000)?,
        objective_tolerance: rule.objective_tolerance,
    })
}

/// The message.
#[must_use]
pub fn model_to_wire(model: &ModelSettings) -> v1::ModelSettings {
    let local = &model.local;
    let message = v1::LocalSettings {
        user_decay: local.user_decay,
        item_decay: local.item_decay,
        user_bias_decay: local.user_bias_decay,
        item_bias_decay: local.item_bias_decay,
        implicit_ridge: local.implicit_ridge,
        activity_prior: local.activity_prior,
        popularity_weight: local.popularity_weight,
        warm_sweeps: local.warm_sweeps,
        sweeps_per_opening: local.sweeps_per_opening,
        stop: local.stop.map(|rule| v1::StopRule {
            patience: rule.patience,
            objective_tolerance: rule.objective_tolerance,
        }),
    };
    v1::ModelSettings {
        rank: model.rank,
        solver: solver_to_wire(model.solver).into(),
        operator: operator_to_wire(model.operator).into(),
        rounds: model.rounds,
        social_weight: model.social_weight,
        regularization: model.regularization,
        learning_rate: model.learning_rate,
        social_bias_weight: model.social_bias_weight,
        local: (*local != LocalSettings::default()).then_some(message),
    }
}

/// Everything said, nothing left to a default: what a request of these settings would be.
#[must_use]
pub fn to_wire(
    settings: &SolverSettings,
    operator: OperatorKind,
    stop: Option<StopRule>,
) -> v1::ModelSettings {
    model_to_wire(&ModelSettings::of(settings, operator, stop))
}

#[cfg(test)]
mod tests {
    use s3rec_model::Preset;

    use super::*;

    #[test]
    fn a_preset_survives_the_wire() {
        for preset in Preset::all() {
            let rule = Some(StopRule::default());
            let message = to_wire(&preset.settings, preset.operator, rule);
            let read = model_from_wire(&message).unwrap();
            assert_eq!(read.solver_settings(0).unwrap(), preset.settings);
            assert_eq!((read.operator, read.local.stop), (preset.operator, rule));
            assert_eq!(model_to_wire(&read), message);
            let bare = v1::ModelSettings {
                local: None,
                ..message
            };
            assert_eq!(model_to_wire(&model_from_wire(&bare).unwrap()), bare);
        }
    }

    #[test]
    fn rules_out_of_range_are_refused_by_name() {
        let preset = Preset::named("published").unwrap();
        for (patience, objective_tolerance, name) in [
            (0, 0.0, "patience"),
            (1001, 0.0, "patience"),
            (3, -1.0, "objective_tolerance"),
            (3, f64::NAN, "objective_tolerance"),
        ] {
            let rule = StopRule {
                patience,
                objective_tolerance,
            };
            let message = to_wire(&preset.settings, preset.operator, Some(rule));
            let error = model_from_wire(&message).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
