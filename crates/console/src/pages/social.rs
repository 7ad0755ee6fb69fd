//! Pages of the social platform.

use maud::{Markup, html};
use s3rec_job::statements::measured_share;
use s3rec_spmm::noise_first::guarantee::Mu;
use s3rec_wire::convert::operator_from_wire;
use s3rec_wire::v1;

use super::Frame;
use super::charts::{Attack, attacks};
use super::live::{is_followed, progress};
use super::shared::{accounts, budgets};
use super::words::{is_over, moment, name, state};

/// The proposals: those that wait for a decision, those that run or may begin, and what is over.
#[must_use]
pub fn overview(frame: &Frame, proposals: &[v1::ProposalSummary]) -> Markup {
    let is_pending = |one: &&v1::ProposalSummary| {
        let state = one.last_event.as_ref().map(v1::JobEvent::state);
        state == Some(v1::JobState::Proposed)
    };
    let is_ended = |one: &&v1::ProposalSummary| is_over(one.last_event.as_ref());
    let pending: Vec<_> = proposals.iter().filter(is_pending).collect();
    let ended: Vec<_> = proposals.iter().filter(is_ended).collect();
    let going: Vec<_> = proposals
        .iter()
        .filter(|one| !is_pending(one) && !is_ended(one))
        .collect();
    let body = html! {
        h2 { "Waiting for your decision" }
        @if pending.is_empty() { p.quiet { "Nothing." } }
        @for one in &pending {
            section.card {
                h3 { a href=(place(one)) { (purpose(one)) } }
                (facts(one))
                @if let Some(warning) = one.warnings.first() { p.warning { (warning) } }
                p { a href=(place(one)) { "What it would give away, and decide" } }
            }
        }
        h2 { "Approved and running" }
        @if going.is_empty() { p.quiet { "Nothing." } }
        @for (one, follows) in going.iter().zip(is_followed(going.iter().map(|one| one.last_event.as_ref()))) {
            (running(one, follows))
        }
        h2 { "Over" }
        @if ended.is_empty() { p.quiet { "Nothing." } } @else { (over(&ended)) }
    };
    frame.page("Proposals", "/", &body)
}

fn place(one: &v1::ProposalSummary) -> String {
    format!("/proposal/{}", one.job_id)
}

fn purpose(one: &v1::ProposalSummary) -> &str {
    match one.purpose.as_str() {
        "" => "no purpose stated",
        purpose => purpose,
    }
}

fn facts(one: &v1::ProposalSummary) -> Markup {
    let release = one.release_policy.unwrap_or_default();
    html! {
        dl {
            dt { "From" } dd { (one.peer) }
            dt { "Job" } dd { (one.job_id) }
            @if let Some(model) = &one.model {
                dt { "Trained" }
                dd {
                    (name(one.protocol().as_str_name(), "PROTOCOL")) ", "
                    (name(model.operator().as_str_name(), "OPERATOR")) ", rank " (model.rank) ", "
                    (model.rounds) " rounds"
                }
            }
            dt { "Released" }
            dd {
                (name(release.kind().as_str_name(), "RELEASE_KIND")) "; pattern policy "
                (name(one.pattern_policy().as_str_name(), "PATTERN_POLICY"))
            }
            dt { "Proposed" } dd { (moment(one.created_unix_ms)) }
            @if one.expires_unix_ms != 0 { dt { "Ends" } dd { (moment(one.expires_unix_ms)) } }
        }
    }
}

fn running(one: &v1::ProposalSummary, is_followed: bool) -> Markup {
    let event = one.last_event.clone().unwrap_or_default();
    html! {
        section.card {
            h3 { a href=(place(one)) { (purpose(one)) } }
            (progress(&one.job_id, &event, is_followed, None))
        }
    }
}

fn over(ended: &[&v1::ProposalSummary]) -> Markup {
    html! {
        div.scroll {
            table {
                thead { tr { th { "Purpose" } th { "State" } th { "From" } th { "When" } th { "What happened" } } }
                tbody {
                    @for one in ended.iter().rev() {
                        @let event = one.last_event.clone().unwrap_or_default();
                        tr {
                            td { a href=(place(one)) { (purpose(one)) } }
                            td { (state(Some(&event))) }
                            td { (one.peer) }
                            td { (moment(event.time_unix_ms)) }
                            td.long { (event.message) }
                        }
                    }
                }
            }
        }
    }
}

/// One proposal with everything that consenting gives away, and the decision where it waits for one.
#[must_use]
pub fn proposal(frame: &Frame, one: &v1::ProposalSummary, datasets: &[String]) -> Markup {
    let event = one.last_event.clone().unwrap_or_default();
    let body = html! {
        p { "This job is " strong { (state(Some(&event))) } "." }
        @if !is_over(Some(&event)) && event.state() != v1::JobState::Proposed { (running(one, true)) }
        @else if !event.message.is_empty() { p.quiet { (event.message) } }
        (facts(one))
        h2 { "What it gives away" }
        @for warning in &one.warnings { p.warning { (warning) } }
        (attack(one))
        @if !one.budgets.is_empty() { h2 { "What is left" } (budgets(&one.budgets)) }
        @if !one.policy.is_empty() { h2 { "The policy" } p { (one.policy) } }
        @if !one.accounts.is_empty() { h2 { "Opened to the rating platform before" } (accounts(&one.accounts)) }
        @if event.state() == v1::JobState::Proposed { (decide(frame, one, datasets)) }
        @else if !is_over(Some(&event)) { (revoke(frame, one)) }
    };
    frame.page(purpose(one), "/", &body)
}

/// What an attacker could find in this release: by its promise where it has one, as measured where not.
fn attack(one: &v1::ProposalSummary) -> Markup {
    let release = one.release_policy.unwrap_or_default();
    let model = one.model.unwrap_or_default();
    let noised = |label: &str, mu: f64| {
        let label = format!("{label}, μ = {mu:.3}: at most");
        Mu::new(mu).map(|mu| Attack::Noised { label, mu })
    };
    // √Σμ² with this and what was approved before it.
    let after = one
        .budgets
        .iter()
        .find(|budget| budget.limit() == v1::Limit::Mu);
    let mut lines: Vec<Attack> = Vec::new();
    match (release.kind(), release.friends) {
        (v1::ReleaseKind::Friends, Some(friends)) => {
            lines.extend(noised("This opening", friends.mu));
            let more = after.filter(|after| after.planned > friends.mu + 1e-9);
            lines.extend(
                more.and_then(|after| noised("All noised openings with it", after.planned)),
            );
        }
        (v1::ReleaseKind::Exact | v1::ReleaseKind::Coarse, _) => {
            let columns = model.rank + u32::from(model.social_bias_weight > 0.0);
            let measured = operator_from_wire("operator", model.operator)
                .ok()
                .and_then(|operator| measured_share(operator, columns).strip_suffix(" %"))
                .and_then(|share| share.parse::<f64>().ok());
            lines.extend(
                measured.map(|share| Attack::Exact {
                    label:
                        "One opening searched, measured on FilmTrust, without an error: at least"
                            .into(),
                    found: share / 100.0,
                }),
            );
        }
        _ => {
            let asked = after.filter(|after| after.planned > 0.0);
            lines.extend(
                asked.and_then(|after| noised("All noised openings with it", after.planned)),
            );
        }
    }
    if lines.is_empty() {
        return html! {};
    }
    html! {
        h2 { "What an attack finds" }
        (attacks(&lines))
        p.quiet {
            "Of your own links: " code { "s3rec social leakage --links FILE" } ", on this machine, before you decide."
        }
    }
}

fn decide(frame: &Frame, one: &v1::ProposalSummary, datasets: &[String]) -> Markup {
    html! {
        h2 { "Decide" }
        form.card method="post" action={ (place(one)) "/approve" } {
            (frame.token())
            @if datasets.len() > 1 {
                fieldset {
                    legend { "Links to use" }
                    @for dataset in datasets {
                        label { input type="radio" name="dataset" value=(dataset) required; " " (dataset) }
                    }
                }
            }
            label {
                input type="checkbox" name="read" value="yes" required;
                " I have read what this gives away, and consent to exactly this proposal."
            }
            button.act type="submit" { "Approve" }
        }
        form.card method="post" action={ (place(one)) "/reject" } {
            (frame.token())
            label { "Why not (the rating platform's people read it)" input type="text" name="reason" maxlength="500" required; }
            button.no type="submit" { "Reject" }
        }
    }
}

fn revoke(frame: &Frame, one: &v1::ProposalSummary) -> Markup {
    html! {
        h2 { "Take the consent back" }
        form.card method="post" action={ (place(one)) "/revoke" } {
            (frame.token())
            p { "Effective before the next opening. What was opened before stays known." }
            label { "Why (the rating platform's people read it)" input type="text" name="reason" maxlength="500"; }
            button.no type="submit" { "Revoke" }
        }
    }
}

/// The policy in force.
#[must_use]
pub fn policy(frame: &Frame, answer: &v1::PolicyResponse) -> Markup {
    let body = html! {
        @if answer.path.is_empty() {
            p { "There is no policy: people decide. Of limits over all jobs those of the configuration hold, and √Σμ² of 2 where friends' sums are opened." }
        } @else {
            p { (answer.path) ", read " (moment(answer.loaded_unix_ms)) }
            pre { (answer.text) }
            form method="post" action="/policy/reload" {
                (frame.token())
                button type="submit" { "Read the file again" }
            }
            p.quiet { "A file that is wrong is refused by line, and the one in force stays." }
        }
    };
    frame.page("Policy", "/policy", &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        Frame {
            role: "social",
            platform: "p1.example".into(),
            person: "alice".into(),
            form_token: "the-form-token".into(),
        }
    }

    fn one(state: v1::JobState) -> v1::ProposalSummary {
        v1::ProposalSummary {
            job_id: "1b4e28ba-2fa1-41d2-883f-0016d3cca427".into(),
            peer: "s3rec rating".into(),
            purpose: "<script>alert(1)</script>".into(),
            warnings: vec!["an exact opening shows 66 % of the links".into()],
            last_event: Some(v1::JobEvent {
                state: state.into(),
                phase: v1::Phase::Online.into(),
                round: 2,
                rounds: 5,
                ..v1::JobEvent::default()
            }),
            ..v1::ProposalSummary::default()
        }
    }

    #[test]
    fn what_the_other_platform_wrote_is_shown_and_not_run() {
        for state in [
            v1::JobState::Proposed,
            v1::JobState::Running,
            v1::JobState::Failed,
        ] {
            let list = overview(&frame(), &[one(state)]).into_string();
            let page = proposal(&frame(), &one(state), &[]).into_string();
            for text in [list, page] {
                assert!(!text.contains("<script>alert"), "{text}");
                assert!(text.contains("&lt;script&gt;alert"), "{text}");
            }
        }
    }

    #[test]
    fn consent_is_asked_for_below_what_it_gives_away_and_only_while_it_waits() {
        let page = proposal(&frame(), &one(v1::JobState::Proposed), &[]).into_string();
        let warned = page.find("66 % of the links").unwrap();
        assert!(warned < page.find("/approve").unwrap());
        // Every form carries the session's token, logging out included.
        let forms = page.matches("<form").count();
        assert_eq!(forms, page.matches("value=\"the-form-token\"").count());
        assert_eq!(forms, 3);
        let running = proposal(&frame(), &one(v1::JobState::Running), &[]).into_string();
        assert!(!running.contains("/approve") && running.contains("/revoke"));
        assert!(running.contains("round 2 of 5"));
        let over = proposal(&frame(), &one(v1::JobState::Failed), &[]).into_string();
        assert!(!over.contains("/approve") && !over.contains("/revoke"));
    }

    #[test]
    fn nothing_comes_from_elsewhere_and_nothing_is_inline() {
        let sets = ["a".to_owned(), "b".to_owned()];
        let page = proposal(&frame(), &one(v1::JobState::Proposed), &sets).into_string();
        for forbidden in ["http://", "https://", "style=", "onclick", "javascript:"] {
            assert!(!page.contains(forbidden), "{forbidden}: {page}");
        }
        assert_eq!(page.matches("type=\"radio\"").count(), 2);
    }
}
