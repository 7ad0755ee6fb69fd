//! A job's progress on stderr: a bar on a terminal, lines elsewhere, nothing for programs.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use s3rec_wire::v1;

use crate::output::{bytes, duration, name, note};

/// Fine steps of the bar.
const BAR_STEPS: u64 = 1_000;
/// Lines of the same phase are at least this far apart.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Shows one job's events as they come.
#[derive(Debug)]
pub struct JobProgress {
    form: Form,
}

#[derive(Debug)]
enum Form {
    Silent,
    Bar(ProgressBar),
    Lines(Option<(v1::JobState, v1::Phase, Instant)>),
}

impl JobProgress {
    /// Chooses the form: nothing when `silent`, otherwise by what stderr is.
    #[must_use]
    pub fn new(silent: bool) -> Self {
        let form = if silent {
            Form::Silent
        } else if std::io::stderr().is_terminal() {
            Form::Bar(bar())
        } else {
            Form::Lines(None)
        };
        Self { form }
    }

    /// Shows an event.
    pub fn show(&mut self, event: &v1::JobEvent) {
        match &mut self.form {
            Form::Silent => {}
            Form::Bar(bar) => {
                bar.set_prefix(title(event));
                bar.set_position(steps(event.phase_progress));
                bar.set_message(details(event));
            }
            Form::Lines(last) => {
                let now = Instant::now();
                let key = (event.state(), event.phase());
                let found = event.overlap.is_some() && event.phase() == v1::Phase::Alignment;
                let due = found
                    || last.is_none_or(|(state, phase, at)| {
                        (state, phase) != key || now.duration_since(at) >= LINE_INTERVAL
                    });
                let last_round = event.rounds > 0 && event.round == event.rounds;
                if due || last_round || super::client::is_terminal(event.state()) {
                    *last = Some((key.0, key.1, now));
                    note(&format!("{}: {}", title(event), details(event)));
                }
            }
        }
    }
}

impl Drop for JobProgress {
    fn drop(&mut self) {
        if let Form::Bar(bar) = &self.form {
            bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    let template = "{prefix:>20.20} [{bar:16}] {wide_msg}";
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━━ ");
    ProgressBar::new(BAR_STEPS).with_style(style)
}

fn steps(share: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..=1,000 first; a NaN becomes 0"
    )]
    let steps = (share.clamp(0.0, 1.0) * 1_000.0) as u64;
    steps
}

fn title(event: &v1::JobEvent) -> String {
    match (event.state(), event.phase()) {
        (v1::JobState::Running, v1::Phase::Online) => {
            format!("round {} of {}", event.round, event.rounds)
        }
        (v1::JobState::Running | v1::JobState::Approved | v1::JobState::Proposed, phase)
            if phase != v1::Phase::Unspecified =>
        {
            name(phase.as_str_name(), "PHASE")
        }
        (state, _) => name(state.as_str_name(), "JOB_STATE"),
    }
}

fn details(event: &v1::JobEvent) -> String {
    let mut parts = Vec::new();
    if let Some(training) = &event.training {
        parts.push(format!("loss {:.1}", training.loss));
        if training.held_out_rmse > 0.0 {
            parts.push(format!("RMSE {:.4}", training.held_out_rmse));
        }
    }
    if let Some(cost) = &event.phase_cost {
        let both_ways = cost.bytes_to_social.saturating_add(cost.bytes_to_rating);
        parts.push(bytes(both_ways));
    }
    if event.remaining_seconds > 0.0 {
        parts.push(format!("{} left", duration(event.remaining_seconds)));
    }
    if event.waiting_for() != v1::Role::Unspecified {
        let who = name(event.waiting_for().as_str_name(), "ROLE");
        parts.push(format!("waiting for the {who} platform"));
    }
    if !event.message.is_empty() {
        parts.push(event.message.clone());
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> v1::JobEvent {
        v1::JobEvent {
            state: v1::JobState::Running.into(),
            phase: v1::Phase::Online.into(),
            round: 3,
            rounds: 20,
            ..Default::default()
        }
    }

    #[test]
    fn a_round_is_told_with_its_figures() {
        let event = v1::JobEvent {
            phase_cost: Some(v1::Cost {
                bytes_to_social: 2_000_000,
                ..Default::default()
            }),
            training: Some(v1::TrainingProgress {
                loss: 1234.56,
                held_out_rmse: 0.81234,
                saturations: 0,
            }),
            remaining_seconds: 4.0,
            waiting_for: v1::Role::Social.into(),
            ..event()
        };
        assert_eq!(title(&event), "round 3 of 20");
        let expected =
            "loss 1234.6, RMSE 0.8123, 2.00 MB, 4.0 s left, waiting for the social platform";
        assert_eq!(details(&event), expected);
    }

    #[test]
    fn a_failure_is_told_by_state_and_message() {
        let event = v1::JobEvent {
            state: v1::JobState::Failed.into(),
            message: "the social platform vanished in round 3".into(),
            ..event()
        };
        assert_eq!(title(&event), "failed");
        assert_eq!(details(&event), "the social platform vanished in round 3");
    }

    #[test]
    fn a_share_out_of_range_does_not_break_the_bar() {
        assert_eq!([f64::NAN, -1.0, 0.5, 7.0].map(steps), [0, 0, 500, 1_000]);
    }
}
