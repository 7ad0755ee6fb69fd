//! Recommendations for one user, each with its reasons.

use maud::{Markup, html};
use s3rec_wire::v1;

use super::super::Frame;
use super::super::words::short;

/// What was asked, and what came of it.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    /// Empty: the newest model.
    pub model: String,
    /// Empty: nobody was asked for yet.
    pub user: String,
    /// Whether what the user has rated is listed too.
    pub includes_rated: bool,
    /// The answer, or why there is none.
    pub answer: Option<Result<v1::RecommendResponse, (String, String)>>,
}

/// A part of a score that is smaller is no reason.
const LEAST: f64 = 0.005;

/// The form, and the list where somebody was asked for.
#[must_use]
pub fn recommend(frame: &Frame, models: &[v1::ModelSummary], tried: &Tried) -> Markup {
    let body = html! {
        @if models.is_empty() {
            p.quiet { "There is no model yet: a job has to finish first." }
        } @else {
            form.card method="post" action="/recommend" {
                (frame.token())
                label {
                    "Model"
                    select name="model" {
                        @for (index, one) in models.iter().rev().enumerate() {
                            option value=(one.model_id) selected[one.model_id == tried.model || (index == 0 && tried.model.is_empty())] {
                                (short(&one.model_id)) " of " (one.dataset) @if index == 0 { " (the newest)" }
                            }
                        }
                    }
                }
                label { "User, as in the ratings" input type="text" name="user" required maxlength="1024" autocomplete="off" value=(tried.user); }
                label { input type="checkbox" name="include_rated" value="yes" checked[tried.includes_rated]; " Also list what the user has rated" }
                button.act type="submit" { "Recommend" }
            }
        }
        @match &tried.answer {
            None => {},
            Some(Err((message, remedy))) => {
                p.bad role="alert" { (message) }
                p { (remedy) }
            },
            Some(Ok(answer)) => (list(&tried.user, answer)),
        }
    };
    frame.page("Recommend", "/recommend", &body)
}

fn list(user: &str, answer: &v1::RecommendResponse) -> Markup {
    let of_friends = |item: &v1::Recommendation| item.parts.is_some_and(|p| p.social != 0.0);
    html! {
        h2 { "For " (user) }
        @if !answer.known_user { p.warning { "The model does not know this user: this is what people like in general." } }
        @if answer.items.iter().any(of_friends) {
            p.quiet { "“Friends” is what their friends like, all of them together: who they are, this platform does not know." }
        }
        div.scroll {
            table {
                thead {
                    tr {
                        th.number { "Place" } th { "Item" } th { "Why" } th.number { "Score" } th.number { "Rating" }
                        th.number { "Item's own" } th.number { "Taste" } th.number { "Friends" } th.number { "Popularity" }
                    }
                }
                tbody {
                    @for (place, item) in (1..).zip(&answer.items) {
                        @let parts = item.parts.unwrap_or_default();
                        tr {
                            td.number { (place) }
                            td { (item.item_id) }
                            td.long { (why(&parts)) }
                            td.number { (format!("{:.3}", item.score)) }
                            td.number { (format!("{:.3}", item.score - parts.popularity)) }
                            td.number { (format!("{:+.3}", parts.item_bias)) }
                            td.number { (format!("{:+.3}", parts.taste)) }
                            td.number { (format!("{:+.3}", parts.social)) }
                            td.number { (format!("{:+.3}", parts.popularity)) }
                        }
                    }
                }
            }
        }
    }
}

/// What speaks for an item, the strongest first.
fn why(parts: &v1::ScoreParts) -> String {
    let mut reasons = [
        ("people like it in general", parts.item_bias),
        ("it fits this user's own ratings", parts.taste),
        ("their friends like such", parts.social),
        ("many rated it", parts.popularity),
    ];
    reasons.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    let said: Vec<&str> = reasons
        .iter()
        .filter(|(_, part)| *part >= LEAST)
        .map(|(reason, _)| *reason)
        .collect();
    match said.as_slice() {
        [] => "nothing speaks for it more than for others".into(),
        said => said.join("; "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_come_by_their_weight_and_only_those_that_speak_for_it() {
        let parts = v1::ScoreParts {
            item_bias: 0.1,
            taste: -0.4,
            social: 0.3,
            popularity: 0.001,
            ..v1::ScoreParts::default()
        };
        assert_eq!(
            why(&parts),
            "their friends like such; people like it in general"
        );
        assert!(why(&v1::ScoreParts::default()).starts_with("nothing"));
    }
}
