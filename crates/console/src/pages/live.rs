//! A job as it goes, which the script of the page keeps up to date.

use maud::{Markup, html};
use s3rec_wire::v1;

use super::charts::{Curves, curves};
use super::words::{doing, remaining, share, state};

/// State, what it does, who waits for whom, how far; with `drawn`, the curves of its rounds.
pub(super) fn progress(job: &str, event: &v1::JobEvent, drawn: Option<&Curves>) -> Markup {
    html! {
        div data-events={ "/events/" (job) } data-state=(state(Some(event))) {
            p {
                strong data-part="state" { (state(Some(event))) } " – "
                span data-part="doing" { (doing(event)) }
            }
            progress max="1" value=(format!("{:.3}", share(event))) aria-label="Of this phase" {}
            p.quiet data-part="remaining" { (remaining(event)) }
            p.quiet aria-live="polite" data-part="message" { (event.message) }
            @if let Some(drawn) = drawn { (curves(drawn)) }
            noscript { p.quiet { "Without script this is how it stood when the page was asked for; load it again." } }
        }
    }
}
