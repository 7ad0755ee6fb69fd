//! Counters, named once. Labels are from closed sets: stages, phases, states, ports, reasons.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, gauge};
use s3rec_job::{JobState, Phase};
use s3rec_link::{Direction, Meter};
use s3rec_wire::status::Reason;

const ROUNDS: &str = "s3rec_rounds_total";
const BYTES: &str = "s3rec_peer_bytes_total";
const MESSAGES: &str = "s3rec_peer_messages_total";
const PHASE_SECONDS: &str = "s3rec_phase_seconds";
const JOBS_ENDED: &str = "s3rec_jobs_ended_total";
const JOB_ERRORS: &str = "s3rec_job_errors_total";
const CALLS: &str = "s3rec_calls_total";
const REFUSED_CALLS: &str = "s3rec_refused_calls_total";
const REFUSED_CONNECTIONS: &str = "s3rec_refused_connections_total";
const RELOADS: &str = "s3rec_key_reloads_total";
const CONNECTIONS: &str = "s3rec_open_connections";

/// Why a connection is not served, or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedConnection {
    /// Too many are open.
    Limit,
    /// No valid certificate.
    Tls,
    /// TLS took too long.
    Slow,
    /// HTTP/2 did not begin.
    Silent,
}

impl RefusedConnection {
    const ALL: [Self; 4] = [Self::Limit, Self::Tls, Self::Slow, Self::Silent];

    const fn name(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Tls => "tls",
            Self::Slow => "slow",
            Self::Silent => "silent",
        }
    }
}

/// Counts of jobs and keys begin at zero: one that appears with its first event has no rate at it.
pub(super) fn begin() {
    counter!(ROUNDS).increment(0);
    for stage in ["offline", "online"] {
        for direction in ["sent", "received"] {
            counter!(BYTES, "direction" => direction, "stage" => stage).increment(0);
        }
        counter!(MESSAGES, "stage" => stage).increment(0);
    }
    for state in JobState::ALL
        .into_iter()
        .filter(|state| state.is_terminal())
    {
        counter!(JOBS_ENDED, "state" => state.name()).increment(0);
    }
    for reason in Reason::ALL {
        counter!(JOB_ERRORS, "reason" => reason.name()).increment(0);
    }
    for outcome in ["used", "refused"] {
        counter!(RELOADS, "outcome" => outcome).increment(0);
    }
}

/// A port begins to serve: its counts begin at zero.
pub fn port_opened(port: &'static str) {
    counter!(CALLS, "port" => port).increment(0);
    for reason in Reason::ALL {
        counter!(REFUSED_CALLS, "port" => port, "reason" => reason.name()).increment(0);
    }
    for cause in RefusedConnection::ALL {
        counter!(REFUSED_CONNECTIONS, "port" => port, "cause" => cause.name()).increment(0);
    }
}

/// An opening is done, at either platform by its own count.
pub fn round_done() {
    counter!(ROUNDS).increment(1);
}

/// A meter of the messages of a job's `phase`.
#[must_use]
pub fn meter(phase: MeteredPhase) -> Meter {
    match phase {
        MeteredPhase::Offline => {
            Meter::observed_by(|direction, bytes| peer_message(direction, "offline", bytes))
        }
        MeteredPhase::Online => {
            Meter::observed_by(|direction, bytes| peer_message(direction, "online", bytes))
        }
    }
}

/// What a message is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeteredPhase {
    /// Everything before the rounds, and the stock's close.
    Offline,
    /// The rounds.
    Online,
}

fn peer_message(direction: Direction, stage: &'static str, bytes: u64) {
    let direction = match direction {
        Direction::Sent => "sent",
        Direction::Received => "received",
    };
    counter!(BYTES, "direction" => direction, "stage" => stage).increment(bytes);
    counter!(MESSAGES, "stage" => stage).increment(1);
}

/// A job has spent this long in a phase.
pub fn phase_spent(phase: Option<Phase>, time: Duration) {
    if let Some(phase) = phase {
        gauge!(PHASE_SECONDS, "phase" => phase.name()).increment(time.as_secs_f64());
    }
}

/// A job has reached a terminal state.
pub fn state_ended(state: JobState) {
    counter!(JOBS_ENDED, "state" => state.name()).increment(1);
}

/// A job was ended by an error.
pub fn job_failed(reason: Reason) {
    counter!(JOB_ERRORS, "reason" => reason.name()).increment(1);
}

/// A call came in at a port.
pub fn called(port: &'static str) {
    counter!(CALLS, "port" => port).increment(1);
}

/// A call was answered with a reason of ours.
pub fn call_refused(port: &'static str, reason: Reason) {
    counter!(REFUSED_CALLS, "port" => port, "reason" => reason.name()).increment(1);
}

/// A connection was not served, or ended, because of what it did.
pub fn connection_refused(port: &'static str, cause: RefusedConnection) {
    counter!(REFUSED_CONNECTIONS, "port" => port, "cause" => cause.name()).increment(1);
}

/// Keys, pins or revocations changed on disk; whether the new ones fit and hold now.
pub fn reloaded(fit: bool) {
    let outcome = if fit { "used" } else { "refused" };
    counter!(RELOADS, "outcome" => outcome).increment(1);
}

/// How many connections a port has now.
pub fn connections(port: &'static str, open: usize) {
    gauge!(CONNECTIONS, "port" => port).set(u32::try_from(open).unwrap_or(u32::MAX));
}

/// Says what each means; shown as HELP lines.
pub(super) fn describe() {
    describe_counter!(ROUNDS, "Openings of Y·U since the start.");
    describe_counter!(BYTES, "Bytes of messages between the platforms.");
    describe_counter!(MESSAGES, "Messages between the platforms.");
    describe_gauge!(
        PHASE_SECONDS,
        "Seconds that jobs spent in a phase; only grows."
    );
    describe_counter!(
        JOBS_ENDED,
        "Jobs that reached a terminal state since the start."
    );
    describe_counter!(
        JOB_ERRORS,
        "Jobs ended by an error since the start, by reason."
    );
    describe_counter!(CALLS, "Calls that came in.");
    describe_counter!(REFUSED_CALLS, "Calls answered with an error, by reason.");
    describe_counter!(
        REFUSED_CONNECTIONS,
        "Connections not served or ended, by cause."
    );
    describe_counter!(RELOADS, "Changed key files, by whether they were used.");
    describe_gauge!(CONNECTIONS, "Connections that are open now.");
}
