use super::EvaluationReport;

/// A figure is worse than another's only beyond this share, so that ties are no warning.
const WORSE: f64 = 1.0 + 1e-9;

/// What a reader should know before using the figures. `drawn_in` is the most training ratings of
/// any fold that lay too far out for their size to be learnt.
pub(super) fn of(report: &EvaluationReport, drawn_in: usize) -> Vec<String> {
    let mut warnings = Vec::new();
    let quality = &report.quality;
    let learnt = [
        ("without links", quality.no_social.rmse.mean),
        ("with rewired links", quality.placebo.rmse.mean),
        ("with links", quality.social.rmse.mean),
    ];
    let baselines = [
        ("the global mean", quality.global_mean.rmse.mean),
        ("the biases", quality.biases.rmse.mean),
    ];
    for (model, rmse) in learnt {
        for (baseline, reached) in baselines {
            if rmse > reached * WORSE {
                warnings.push(format!(
                    "the model {model} is worse than {baseline}: RMSE {rmse:.4} against {reached:.4}; \
                     tune for these data (s3rec tune)"
                ));
            }
        }
    }
    let refused = report.choices.iter().filter(|fold| fold.social.refused);
    let refused = refused.count();
    if refused > 0 && report.settings.solver.is_social() {
        warnings.push(format!(
            "the social term was refused in {refused} of {} folds: on ratings held out to choose by \
             it made the error larger",
            report.folds
        ));
    }
    match report.social_gain.rmse {
        Some(gain) if gain.is_loss() => warnings.push(format!(
            "the links make the RMSE worse than rewired ones do, by {:.4}",
            -gain.mean
        )),
        Some(gain) if !gain.is_gain() => warnings.push(
            "no social gain in RMSE: the interval of the difference from rewired links has 0 in it"
                .to_owned(),
        ),
        _ => {}
    }
    if drawn_in > 0 {
        warnings.push(format!(
            "up to {drawn_in} training ratings lie so far out that they were learnt as the \
             outermost usual rating; give --scale if they are mistakes, --counts if they are counts"
        ));
    }
    warnings
}
