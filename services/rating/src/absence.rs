//! A social platform that is away: who waits for whom since when, and for how long.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use s3rec_job::{JobDisclosure, JobEvent, JobState, Party, Phase, Proposal};
use s3rec_wire::status::{Fault, Reason};

use crate::platform::Platform;
use crate::tables::{DISCLOSURES, PROPOSALS};

/// First and longest wait between two attempts, before the jitter.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// An attempt that gets no further than this many before it is the last.
const SAME_PLACE: u32 = 3;

/// The time since the job last got on.
pub(crate) struct Absence {
    limit: Duration,
    /// Of this process's own clock: nothing that happens to the wall clock ends a job.
    since: Instant,
    farthest: Mark,
    /// Attempts of this process, over a connection or for one.
    attempts: u32,
    /// Of them, since the job last got on.
    waited: u32,
    /// Attempts over a connection since the one that got farthest, none of which got further.
    no_further: u32,
    waits: ExponentialBackoff,
}

/// How far a job is; greater is farther.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
struct Mark(Option<Phase>, u32, f64);

impl Absence {
    pub(crate) fn new(platform: &Platform) -> Self {
        Self {
            limit: Duration::from_secs(platform.limits.resume_seconds),
            since: Instant::now(),
            farthest: Mark(None, 0, 0.0),
            attempts: 0,
            waited: 0,
            no_further: 0,
            waits: waits(),
        }
    }

    /// After an attempt that broke off, `over` a connection to P1 or before there was one: how
    /// long to wait before the next.
    ///
    /// # Errors
    /// The end of the job: what will not pass, has lasted for too long, or breaks off at the same
    /// place every time ([`Reason::NoProgress`]).
    pub(crate) fn after(
        &mut self,
        platform: &Platform,
        job: &str,
        fault: Fault,
        over: Over,
    ) -> Result<Duration, Fault> {
        self.attempts += 1;
        let last = platform.journal.last(job).unwrap_or_default();
        let mark = Mark(last.phase, last.round, last.phase_progress);
        let place = place(&last);
        tracing::warn!(
            job,
            attempt = self.attempts,
            reason = fault.reason.name(),
            connected = over == Over::Connection,
            place,
            "an attempt broke off: {fault}"
        );
        if !can_pass(platform, job, &fault, over)? {
            return Err(fault);
        }
        let is_waiting_for_people = last.state == JobState::Proposed;
        // Getting on over and over at the same place is not getting on.
        if mark > self.farthest || (is_waiting_for_people && fault.reason != Reason::Unreachable) {
            *self = Self {
                farthest: mark,
                attempts: self.attempts,
                ..Self::new(platform)
            };
        } else if over == Over::Connection {
            self.no_further += 1;
            if self.no_further >= SAME_PLACE {
                let message = format!(
                    "the job broke off {} times and got no further than {place}; the last time: {}",
                    self.no_further + 1,
                    fault.message
                );
                return Err(Fault::new(Reason::NoProgress, message));
            }
        }
        if self.since.elapsed() >= self.limit {
            let message = format!(
                "the social platform stayed away for {} s ({})",
                self.limit.as_secs(),
                fault.message
            );
            return Err(Fault::new(Reason::PeerStayedAway, message));
        }
        self.waited += 1;
        let wait = self.waits.next().unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
        let wait = wait.min(self.limit.saturating_sub(self.since.elapsed()));
        let event = JobEvent {
            waiting_for: Some(Party::Social),
            message: format!(
                "Waiting for the social platform, attempt {}: {}. The job goes on when it is \
                 back; it is given up after {} s.",
                self.waited,
                fault.message.trim_end_matches('.'),
                self.limit.as_secs()
            ),
            ..last
        };
        // The first word stays in the history, its repetitions do not.
        if self.waited == 1 {
            platform.record(event)?;
        } else {
            platform.journal.notify(event);
        }
        Ok(wait)
    }
}

/// What an attempt that broke off had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// Nobody who answered.
    Nothing,
    /// P1, and the job's lifeline.
    Connection,
}

/// Where a job is, for people.
fn place(last: &JobEvent) -> String {
    let percent = 100.0 * last.phase_progress;
    match last.phase {
        Some(Phase::Alignment) => format!("{percent:.0} % of finding the common users"),
        Some(Phase::Setup) => "agreeing on parameters and keys".into(),
        Some(Phase::Offline) => format!("{percent:.0} % of multiplying masks"),
        Some(Phase::Online) => format!("round {} of {}", last.round, last.rounds),
        Some(Phase::Evaluation) => "the end of training".into(),
        Some(Phase::Consent) | None => "its approval".into(),
    }
}

/// Whether the job waits for a fault to pass.
pub(crate) fn can_pass(
    platform: &Platform,
    job: &str,
    fault: &Fault,
    over: Over,
) -> Result<bool, Fault> {
    Ok(is_passing(fault.reason, over) && can_go_on(platform, job)?)
}

/// Whether there is anything that the job could come back to.
fn can_go_on(platform: &Platform, job: &str) -> Result<bool, Fault> {
    let disclosed: Option<JobDisclosure> = platform.store.get(DISCLOSURES, job)?;
    let openings = disclosed.map_or(0, |disclosed| disclosed.openings);
    let proposal: Option<Proposal> = platform.store.get(PROPOSALS, job)?;
    Ok(openings == 0 || proposal.is_some_and(|proposal| proposal.can_resume_after(openings)))
}

fn waits() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(FIRST_WAIT)
        .with_max_delay(LONGEST_WAIT)
        .with_factor(2.0)
        .with_jitter()
        .without_max_times()
        .build()
}

/// Whether a fault is one of the link or of a platform that restarts. A handshake that broke off
/// looks like a refused one; who refuses for good is told apart by time.
fn is_passing(reason: Reason, over: Over) -> bool {
    // A certificate that was good when the connection began: the next one is under the one that
    // is ours by then.
    let is_replaced = matches!(
        reason,
        Reason::NotInForce | Reason::Revoked | Reason::WrongPin
    );
    if is_replaced {
        return over == Over::Connection;
    }
    matches!(
        reason,
        Reason::PeerVanished
            | Reason::Unreachable
            | Reason::PeerIdle
            | Reason::ShuttingDown
            | Reason::Superseded
            | Reason::TlsFailed
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_ends_under_way_is_replaced_and_a_refused_one_is_the_end() {
        for reason in [Reason::NotInForce, Reason::Revoked, Reason::WrongPin] {
            assert!(is_passing(reason, Over::Connection));
            assert!(!is_passing(reason, Over::Nothing));
        }
        for over in [Over::Connection, Over::Nothing] {
            assert!(is_passing(Reason::PeerVanished, over));
            assert!(!is_passing(Reason::BeyondConsent, over));
            assert!(!is_passing(Reason::PlatformFailed, over));
        }
    }
}
