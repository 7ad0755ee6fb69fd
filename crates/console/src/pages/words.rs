//! Names, numbers and times as people read them.

use s3rec_wire::v1;
use serde_json::{Value, json};
use time::OffsetDateTime;

/// `JOB_STATE_RUNNING` of the type `JOB_STATE` becomes `running`.
pub(super) fn name(proto_name: &str, type_prefix: &str) -> String {
    let bare = proto_name.strip_prefix(type_prefix).unwrap_or(proto_name);
    bare.trim_start_matches('_')
        .to_lowercase()
        .replace('_', "-")
}

pub(super) fn state(event: Option<&v1::JobEvent>) -> String {
    let state = event.map_or(v1::JobState::Unspecified, v1::JobEvent::state);
    name(state.as_str_name(), "JOB_STATE")
}

/// 1234567 becomes `1,234,567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
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
            format!("{doing}, waiting for the {who} platform")
        }
    }
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

/// What the live part of a page shows of an event.
#[must_use]
pub fn live(event: &v1::JobEvent) -> Live {
    let share = event.phase_progress;
    Live(json!({
        "state": state(Some(event)),
        "doing": doing(event),
        "message": event.message,
        "share": if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 },
        "over": is_over(Some(event)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_read_well() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
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
        assert!(live(&event).text().contains("\"share\":0.0"));
    }
}
