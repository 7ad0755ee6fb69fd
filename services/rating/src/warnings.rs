//! What people should know before they use a model, one plain sentence each.

use s3rec_model::{Accuracy, Unit};

use crate::plan::Plan;

/// Of what happened while it was learnt.
pub(crate) fn of_training(plan: &Plan, unit: &Unit, saturations: u64) -> Vec<String> {
    let mut warnings = Vec::new();
    if saturations > 0 {
        warnings.push(format!(
            "{saturations} values were clipped at u_max before they were opened: the model is not what \
             it would be without; use more regularization or fewer factors"
        ));
    }
    let drawn_in = unit.drawn_in(&plan.train);
    if drawn_in > 0 {
        warnings.push(format!(
            "{drawn_in} ratings lie outside {} to {} and were learnt as if they were the nearer of the \
             two; import with --scale if they are mistakes, with --counts if they are counts",
            shown(unit.lowest),
            shown(unit.highest)
        ));
    }
    warnings
}

/// Of baselines that predict the same held-out ratings better.
pub(crate) fn of_baselines(
    model: Option<&Accuracy>,
    baselines: &[(&str, Option<&Accuracy>)],
) -> Vec<String> {
    let Some(model) = model else {
        return Vec::new();
    };
    let worse = |(name, baseline): &(&str, Option<&Accuracy>)| {
        let reached = baseline.map(|metrics| metrics.rmse)?;
        let is_known = !model.rmse.is_nan() && !reached.is_nan();
        let is_better = !is_known || model.rmse > reached * (1.0 + 1e-9);
        is_better.then(|| {
            format!(
                "{name} predicts the held-out ratings better: RMSE {reached:.4} against {:.4} of the \
                 model",
                model.rmse
            )
        })
    };
    baselines.iter().filter_map(worse).collect()
}

/// Two digits behind the point are enough for people.
fn shown(rating: f64) -> String {
    format!("{rating:.2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_better_is_named() {
        let metrics = |rmse| Accuracy { rmse, mae: rmse };
        let (model, better, worse) = (metrics(1.0), metrics(0.9), metrics(1.1));
        let baselines = [
            ("the mean", Some(&worse)),
            ("the biases", Some(&better)),
            ("the model itself", Some(&model)),
            ("nothing", None),
        ];
        let found = of_baselines(Some(&model), &baselines);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("the biases predicts") && found[0].contains("0.9000"));
        assert!(of_baselines(None, &baselines).is_empty());
        let broken = metrics(f64::NAN);
        assert_eq!(of_baselines(Some(&broken), &baselines).len(), 3);
    }
}
