//! Models, and what one of them must beat.

use maud::{Markup, html};
use s3rec_wire::v1;

use super::super::Frame;
use super::super::words::{count, model_words, moment, short};

/// All models, the newest first.
#[must_use]
pub fn models(frame: &Frame, all: &[v1::ModelSummary]) -> Markup {
    let body = html! {
        @if all.is_empty() { p.quiet { "No job has finished with a model yet." } }
        @for one in all.iter().rev() {
            section.card {
                h2 { a href={ "/model/" (one.model_id) } { (short(&one.model_id)) } " of " (one.dataset) }
                (facts(one))
                p { a href={ "/recommend?model=" (one.model_id) } { "Try recommendations" } }
            }
        }
    };
    frame.page("Models", "/models", &body)
}

fn facts(one: &v1::ModelSummary) -> Markup {
    html! {
        dl {
            dt { "Made" } dd { (moment(one.created_unix_ms)) " by the job " a href={ "/job/" (one.job_id) } { (short(&one.job_id)) } }
            dt { "For" } dd { (count(one.users)) " users and " (count(one.items)) " items" }
            @if let Some(quality) = &one.quality {
                dt { "Held out" }
                dd { (format!("RMSE {:.4}, MAE {:.4}", quality.rmse, quality.mae)) " over " (count(quality.ratings)) " ratings" }
            }
            @if let Some(settings) = &one.settings {
                dt { "Settings" } dd { (model_words(Some(settings), protocol(settings))) }
            }
        }
    }
}

/// A model does not keep the protocol; only friends' sums have one of their own.
fn protocol(settings: &v1::ModelSettings) -> v1::Protocol {
    match settings.operator() {
        v1::Operator::Friends => v1::Protocol::NoiseFirst,
        _ => v1::Protocol::Unspecified,
    }
}

/// One model, beside what it must beat where that was measured, or why it was not.
#[must_use]
pub fn model(
    frame: &Frame,
    one: &v1::ModelSummary,
    evaluated: &Result<v1::EvaluateResponse, String>,
) -> Markup {
    let body = html! {
        (facts(one))
        p { a.button href={ "/recommend?model=" (one.model_id) } { "Try recommendations" } }
        h2 { "Beside what it must beat" }
        @match evaluated {
            Ok(evaluated) => (compared(evaluated)),
            Err(why) => p.quiet { "Not measured: " (why) },
        }
        h2 { "Delete" }
        form.card method="post" action={ "/model/" (one.model_id) "/delete" } {
            (frame.token())
            label {
                input type="checkbox" name="sure" value="yes" required;
                " Delete this model with the copy of the ratings that it is served with. It cannot be made again without a new job."
            }
            button.no type="submit" { "Delete" }
        }
    };
    let title = format!("Model {}", short(&one.model_id));
    frame.page(&title, "/models", &body)
}

fn compared(evaluated: &v1::EvaluateResponse) -> Markup {
    let rows = [
        ("global mean", evaluated.global_mean),
        ("biases", evaluated.biases),
        ("no social term", evaluated.no_social),
        ("this model", evaluated.model),
    ];
    html! {
        div.scroll {
            table {
                thead { tr { th { "Predictor" } th.number { "RMSE" } th.number { "MAE" } th.number { "Ratings" } } }
                tbody {
                    @for (name, metrics) in rows {
                        tr {
                            td { (name) }
                            @match metrics {
                                Some(metrics) => {
                                    td.number { (format!("{:.4}", metrics.rmse)) }
                                    td.number { (format!("{:.4}", metrics.mae)) }
                                    td.number { (count(metrics.ratings)) }
                                },
                                None => { td.number { "–" } td.number { "–" } td.number { "–" } },
                            }
                        }
                    }
                }
            }
        }
        @for warning in &evaluated.warnings { p.warning { (warning) } }
    }
}
