//! A job as it goes, which the script of the page keeps up to date.

use maud::{Markup, html};
use s3rec_wire::v1;

use super::charts::{Curves, curves};
use super::words::{doing, remaining, share, state};

/// Jobs that one page follows: each takes one of the few connections of a browser.
const FOLLOWED: usize = 2;

/// The first of several, those that run before those that wait, are followed.
pub(super) fn is_followed<'a>(jobs: impl Iterator<Item = Option<&'a v1::JobEvent>>) -> Vec<bool> {
    let states: Vec<_> = jobs
        .map(|event| event.map(v1::JobEvent::state) == Some(v1::JobState::Running))
        .collect();
    let running = states.iter().filter(|runs| **runs).count();
    let mut left = (FOLLOWED.min(running), FOLLOWED.saturating_sub(running));
    let mut take = |runs: bool| {
        let left = if runs { &mut left.0 } else { &mut left.1 };
        let taken = *left > 0;
        *left = left.saturating_sub(1);
        taken
    };
    states.into_iter().map(&mut take).collect()
}

/// State, what it does, who waits for whom, how far; with `drawn`, the curves of its rounds.
pub(super) fn progress(
    job: &str,
    event: &v1::JobEvent,
    is_followed: bool,
    drawn: Option<&Curves>,
) -> Markup {
    let source = is_followed.then(|| format!("/events/{job}"));
    html! {
        div data-events=[source] data-state=(state(Some(event))) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_run_are_followed_before_those_that_wait_and_never_many() {
        use v1::JobState::{Proposed, Running};
        let followed = |states: &[v1::JobState]| {
            let events: Vec<v1::JobEvent> = states
                .iter()
                .map(|state| v1::JobEvent {
                    state: (*state).into(),
                    ..v1::JobEvent::default()
                })
                .collect();
            is_followed(events.iter().map(Some))
        };
        let taken = followed(&[Proposed, Proposed, Running]);
        assert_eq!(taken, [true, false, true]);
        let taken = followed(&[Running, Running, Running]);
        assert_eq!(taken, [true, true, false]);
        assert_eq!(followed(&[Proposed; 4]), [true, true, false, false]);
    }
}
