//! Names, numbers and times as people read them.

use s3rec_job::number_format;
pub(super) use s3rec_job::number_format::{bytes, count, duration, name};
use s3rec_node::process::now_unix_ms;
use s3rec_wire::v1;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::charts::Curves;

pub(super) fn state(event: Option<&v1::JobEvent>) -> String {
    let state = event.map_or(v1::JobState::Unspecified, v1::JobEvent::state);
    name(state.as_str_name(), "JOB_STATE")
}

/// `2026-11-27 18:02 UTC`; empty for 0, which is no time.
pub(super) fn moment(unix_ms: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(unix_ms.div_euclid(1000));
    match (unix_ms, time) {
        (0, _) | (_, Err(_)) => String::new(),
        (_, Ok(time)) => {
            let (date, hour, minute) = (time.date(), time.hour(), time.minute());
            format!("{date} {hour:02}:{minute:02} UTC")
        }
    }
}

/// Whether a job in this state never changes again.
pub(super) fn is_over(event: Option<&v1::JobEvent>) -> bool {
    use v1::JobState::{Cancelled, Failed, Finished, Rejected};
    let state = event.map(v1::JobEvent::state);
    matches!(state, Some(Finished | Failed | Rejected | Cancelled))
}

/// What a job does, in few words.
pub(super) fn doing(event: &v1::JobEvent) -> String {
    let doing = match event.phase() {
        v1::Phase::Unspecified => String::new(),
        v1::Phase::Online => format!("round {} of {}", event.round, event.rounds),
        phase => name(phase.as_str_name(), "PHASE"),
    };
    match event.waiting_for() {
        v1::Role::Unspecified => doing,
        role => {
            let who = name(role.as_str_name(), "ROLE");
            let since = match event.waiting_since_unix_ms {
                0 => String::new(),
                since => match (now_unix_ms() - since) / 1000 {
                    ..=1 => String::new(),
                    waited => format!(", for {}", duration(waited as f64)),
                },
            };
            let comma = if doing.is_empty() { "" } else { ", " };
            format!("{doing}{comma}waiting for the {who} platform{since}")
        }
    }
}

/// `3 h ago`, `in 12 days`; empty for 0, which is no time.
pub(super) fn relative(unix_ms: i64) -> String {
    number_format::relative(unix_ms, now_unix_ms())
}

/// The first eight characters, by which people call a job.
pub(super) fn short(job: &str) -> &str {
    job.get(..8).unwrap_or(job)
}

/// How far the phase is, 0 to 1.
pub(super) fn share(event: &v1::JobEvent) -> f64 {
    match event.phase_progress.is_finite() {
        true => event.phase_progress.clamp(0.0, 1.0),
        false => 0.0,
    }
}

/// What is trained, in one line.
pub(super) fn model_words(model: Option<&v1::ModelSettings>, protocol: v1::Protocol) -> String {
    let protocol = name(protocol.as_str_name(), "PROTOCOL");
    let Some(model) = model else {
        return protocol;
    };
    let operator = name(model.operator().as_str_name(), "OPERATOR");
    let rounds = match model.rounds {
        1 => "1 opening".to_owned(),
        rounds => format!("{rounds} openings"),
    };
    format!("{operator}, {protocol}, {} columns, {rounds}", model.rank)
}

/// One event as the script of a page takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Live(Value);

impl Live {
    /// As JSON in one line.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.to_string()
    }
}

/// What the live part of a page shows of an event and of those before it.
#[must_use]
pub fn live(event: &v1::JobEvent, curves: &Curves) -> Live {
    Live(json!({
        "state": state(Some(event)),
        "doing": doing(event),
        "message": event.message,
        "share": share(event),
        "remaining": remaining(event),
        "curves": curves.drawn().map(|curve| curve.to_json()).collect::<Vec<_>>(),
        "over": is_over(Some(event)),
    }))
}

/// How long the phase goes on, where that is known.
pub(super) fn remaining(event: &v1::JobEvent) -> String {
    match event.remaining_seconds {
        left if left.is_finite() && left > 0.0 && !is_over(Some(event)) => {
            format!("about {} left in this phase", duration(left))
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        assert_eq!(moment(1_700_000_000_000), "2023-11-14 22:13 UTC");
        assert_eq!(moment(0), "");
        assert!(moment(i64::MAX).is_empty());
    }

    #[test]
    fn an_event_out_of_range_stays_within_the_bar() {
        let event = v1::JobEvent {
            phase_progress: f64::NAN,
            ..v1::JobEvent::default()
        };
        assert!(
            live(&event, &Curves::default())
                .text()
                .contains("\"share\":0.0")
        );
    }
}
