//! The form of a proposal, and what it would cost before it is sent.

use maud::{Markup, html};
use s3rec_model::Preset;
use s3rec_wire::v1;

use super::super::Frame;
use super::super::charts::bar;
use super::super::words::{bytes, count, duration, model_words, moment, name};
use crate::form::Form;

/// What can be proposed about.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    /// Of ratings.
    pub datasets: Vec<String>,
    /// Of factors brought along.
    pub factors: Vec<String>,
}

/// √Σμ² that nobody exceeds unless the social platform's people have said otherwise.
const USUAL_MU_IN_ALL: f64 = 2.0;

/// The form with what was filled in, and what is wrong with that.
#[must_use]
pub fn propose(
    frame: &Frame,
    choices: &Choices,
    form: &Form,
    wrong: Option<&(String, String)>,
) -> Markup {
    let body = html! {
        @if let Some((message, remedy)) = wrong {
            section.card role="alert" { p.bad { (message) } p { (remedy) } }
        }
        @if choices.datasets.is_empty() {
            p.warning { "There are no ratings yet: import them first, with s3rec rating import." }
        }
        p { "Nothing is sent before you have seen what it would cost and give away." }
        form method="post" action="/propose/estimate" {
            (frame.token())
            fieldset {
                legend { "What for" }
                label { "Purpose (the people who consent read it)" input type="text" name="purpose" required maxlength="500" value=(form.text("purpose")); }
                (select(form, "dataset", "Ratings", &options(&choices.datasets)))
                (select(form, "operator", "What is asked of the links", &[
                    ("friends", "friends: one noised opening; lists for people with few ratings"),
                    ("normalized-laplacian", "normalized-laplacian: a joint training, friends are alike"),
                    ("laplacian", "laplacian: the same, as published"),
                    ("out-average", "out-average: like the mean of those one trusts"),
                ]))
            }
            (friends(form, choices))
            (training(form))
            (assumed(form))
            button.act type="submit" { "What would it cost?" }
        }
    };
    frame.page("Propose a job", "/propose", &body)
}

fn friends(form: &Form, choices: &Choices) -> Markup {
    let mut factors = vec![("", "the built-in model")];
    factors.extend(options(&choices.factors));
    html! {
        fieldset {
            legend { "Of friends' sums" }
            (field(form, "mu", "μ that the opening spends", "1", "decimal"))
            (field(form, "few_below", "Open users with fewer ratings than", "5", "numeric"))
            (field(form, "calibration_share", "Share of the others that is opened to learn from", "0.2", "decimal"))
            (tick(form, "two_sided", "Open everybody's sums over everybody, with √2 times the noise"))
            (select(form, "factors", "Model", &factors))
        }
    }
}

fn training(form: &Form) -> Markup {
    let presets = Preset::all();
    let mut preset = vec![("", "none")];
    preset.extend(
        presets
            .iter()
            .map(|one| (one.name.as_str(), one.name.as_str())),
    );
    html! {
        details open[is_filled(form, &["preset", "rank", "rounds", "solver", "protocol", "release", "seed", "held_out_share"])] {
            summary { "Of a training, and how it is computed" }
            fieldset {
                legend { "Model" }
                (select(form, "preset", "Settings found by search on a published set", &preset))
                (field(form, "rank", "Columns of one opening", "10; 8 of friends' sums", "numeric"))
                (field(form, "rounds", "Openings at most", "the solver's own; 1 of friends' sums", "numeric"))
                (select(form, "solver", "Solver", &[("", "als, or the preset's"), ("als", "als"), ("adam", "adam"), ("gd", "gd")]))
                (field(form, "social_weight", "Weight of the social term", "the solver's own", "decimal"))
                (field(form, "held_out_share", "Share of the ratings held out to measure", "0.2", "decimal"))
                (tick(form, "held_out_latest", "Hold out the latest ratings instead of random ones"))
                (field(form, "seed", "Seed of the split; stays here", "0", "numeric"))
            }
            fieldset {
                legend { "Protocol and release" }
                (select(form, "protocol", "Protocol", &[
                    ("", "the usual: preprocessed; noise-first of friends' sums"),
                    ("preprocessed", "preprocessed"), ("he", "he"),
                    ("preprocessed-pir", "preprocessed-pir"), ("he-pir", "he-pir"),
                ]))
                (select(form, "release", "Release of a training's openings", &[
                    ("", "exact: shows links"), ("noised", "noised: needs the three below"),
                ]))
                (field(form, "noise_sigma", "Standard deviation of the noise", "", "decimal"))
                (field(form, "row_norm_beta", "Assumed bound on the norm of a row", "", "decimal"))
                (field(form, "delta", "δ", "0.000001", "decimal"))
                (select(form, "pattern", "What of the links' pattern this platform may know", &[
                    ("nothing", "nothing"), ("active-rows", "who has a link"),
                    ("active-rows-and-columns", "who has a link and who is linked to"),
                ]))
                (field(form, "expires_days", "Days until the proposal ends", "30", "numeric"))
                (tick(form, "again", "Propose it also where an open job asks for the same"))
            }
        }
    }
}

fn assumed(form: &Form) -> Markup {
    html! {
        details open[is_filled(form, &["common_users", "links_bound", "degree_bound", "megabits_per_second", "round_trip_ms"])] {
            summary { "What the estimate assumes" }
            fieldset {
                legend { "Only for the estimate; nothing of it is sent" }
                (field(form, "common_users", "Users that both platforms have", "all of the data set", "numeric"))
                (field(form, "links_bound", "Links that the social platform states", "16 for each user", "numeric"))
                (field(form, "degree_bound", "Of one user", "1024", "numeric"))
                (field(form, "megabits_per_second", "Rate of the link, Mbit/s", "100", "decimal"))
                (field(form, "round_trip_ms", "Its round trip, ms", "0", "decimal"))
            }
        }
    }
}

fn options(names: &[String]) -> Vec<(&str, &str)> {
    names
        .iter()
        .map(|name| (name.as_str(), name.as_str()))
        .collect()
}

fn is_filled(form: &Form, names: &[&str]) -> bool {
    names.iter().any(|name| !form.text(name).is_empty())
}

/// A field that may stay empty: then `usual` holds.
fn field(form: &Form, name: &str, label: &str, usual: &str, mode: &str) -> Markup {
    html! {
        label {
            (label)
            input type="text" inputmode=(mode) name=(name) value=(form.text(name)) placeholder=(usual) autocomplete="off";
        }
    }
}

fn select(form: &Form, name: &str, label: &str, options: &[(&str, &str)]) -> Markup {
    html! {
        label {
            (label)
            select name=(name) {
                @for (value, text) in options {
                    option value=(value) selected[form.text(name) == *value && !value.is_empty()] { (text) }
                }
            }
        }
    }
}

fn tick(form: &Form, name: &str, label: &str) -> Markup {
    html! {
        label { input type="checkbox" name=(name) value="yes" checked[form.text(name) == "yes"]; " " (label) }
    }
}

/// What it would cost, spend and give away; sent from here, or changed.
#[must_use]
pub fn estimated(frame: &Frame, form: &Form, estimate: &v1::EstimateJobResponse) -> Markup {
    let proposal = estimate.proposal.clone().unwrap_or_default();
    let assumed = estimate.assumed.clone().unwrap_or_default();
    let can_be = estimate
        .estimates
        .first()
        .is_some_and(|first| first.refused.is_empty());
    let body = html! {
        dl {
            dt { "Purpose" } dd { (proposal.purpose) }
            dt { "Ratings" } dd { (proposal.dataset) @if !proposal.factors.is_empty() { ", with the factors " (proposal.factors) } }
            dt { "What" } dd { (model_words(proposal.model.as_ref(), proposal.protocol())) }
            dt { "Released" }
            dd { (name(proposal.release_policy.unwrap_or_default().kind().as_str_name(), "RELEASE_KIND"))
                "; pattern policy " (name(proposal.pattern_policy().as_str_name(), "PATTERN_POLICY")) }
            dt { "Ends" } dd { (moment(proposal.expires_unix_ms)) }
        }
        h2 { "Cost" }
        (costs(&estimate.estimates))
        p.quiet {
            "For " (count(assumed.common_users.into())) " common users and at most " (count(assumed.links_bound)) " links, "
            (count(assumed.degree_bound.into())) " of one user, over " (assumed.megabits_per_second) " Mbit/s with a round trip of "
            (assumed.round_trip_ms) " ms, " (assumed.cores) " cores at each side. Nothing was sent."
        }
        h2 { "What it spends" }
        (spent(estimate))
        h2 { "What the people who consent will read" }
        ul { @for statement in &estimate.gives_away { li { (statement) } } }
        form.card method="post" action="/propose/send" {
            (frame.token())
            @for (name, text) in form.fields() { input type="hidden" name=(name) value=(text); }
            @if can_be { button.act type="submit" { "Send the proposal" } " " }
            button type="submit" formaction="/propose/change" { "Change it" }
        }
    };
    frame.page("Before it is sent", "/propose", &body)
}

fn costs(all: &[v1::ProtocolEstimate]) -> Markup {
    let size = |number: u64| {
        if number == 0 {
            "–".to_owned()
        } else {
            bytes(number)
        }
    };
    html! {
        div.scroll {
            table {
                thead {
                    tr {
                        th { "Protocol" } th.number { "To social" } th.number { "To rating" } th.number { "Time" }
                        th.number { "Memory here" } th.number { "there" } th.number { "Disk here" } th.number { "there" }
                    }
                }
                tbody {
                    @for (index, one) in all.iter().enumerate() {
                        @let protocol = name(one.protocol().as_str_name(), "PROTOCOL");
                        tr {
                            td { @if index == 0 { strong { (protocol) } " (proposed)" } @else { (protocol) } }
                            @if one.refused.is_empty() {
                                td.number { (bytes(one.bytes_to_social)) }
                                td.number { (bytes(one.bytes_to_rating)) }
                                td.number { (duration(one.seconds)) }
                                @for number in [one.rating_memory_bytes, one.social_memory_bytes, one.rating_disk_bytes, one.social_disk_bytes] {
                                    td.number { (size(number)) }
                                }
                            } @else {
                                td colspan="7" { (one.refused) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn spent(estimate: &v1::EstimateJobResponse) -> Markup {
    html! {
        @if estimate.mu > 0.0 {
            dl.budgets {
                dt { "μ of this job" } dd { strong { (format!("{:.3}", estimate.mu)) } }
                dt { "√Σμ² by this platform's count" }
                dd {
                    (bar(estimate.mu_before, estimate.mu_after, USUAL_MU_IN_ALL))
                    (format!("{:.3}", estimate.mu_before)) " so far, " strong { (format!("{:.3}", estimate.mu_after)) } " with it; "
                    (USUAL_MU_IN_ALL) " is the limit unless the social platform's people set another"
                }
                @if estimate.opened_users > 0 { dt { "Users opened" } dd { "about " (count(estimate.opened_users.into())) } }
                @if let Some(guarantee) = &estimate.guarantee {
                    dt { "ε" } dd { (guarantee.epsilon) " at δ = " (guarantee.delta) }
                    dt { "Noise, σ" } dd { (format!("{:.4}", guarantee.sigma)) }
                }
            }
        } @else {
            p.warning { "No noise: no μ bounds what it shows." }
        }
    }
}
