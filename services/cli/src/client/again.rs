//! A job that is watched for hours: a daemon that restarts meanwhile is waited for.

use std::time::{Duration, Instant};

use s3rec_wire::status::Fault;
use s3rec_wire::v1;
use tonic::{Code, Status, Streaming};

use super::watch::is_terminal;
use super::{RatingClient, SocialClient};
use crate::failure::Failure;
use crate::output::note;

/// How long a daemon may stay away.
const LONGEST_AWAY: Duration = Duration::from_secs(600);
const AGAIN: Duration = Duration::from_secs(1);

/// As [`rating_events`](super::rating_events), over as many connections as it takes. Every event is
/// shown once.
///
/// # Errors
/// [`Failure::Refused`] for a platform that was never reached, that refuses, or that stays away for ten
/// minutes; whatever `on_event` returns.
pub async fn watch_rating(
    client: &mut RatingClient,
    job_id: &str,
    mut on_event: impl FnMut(&v1::JobEvent) -> Result<(), Failure>,
) -> Result<v1::JobEvent, Failure> {
    let mut watching = Watching::new("rating");
    loop {
        let request = v1::WatchJobRequest {
            job_id: job_id.to_owned(),
        };
        let opened = client.watch_job(request).await;
        let opened = opened.map(tonic::Response::into_inner);
        if let Some(last) = watching.follow(opened, &mut on_event).await? {
            return Ok(last);
        }
    }
}

/// As [`watch_rating`], at the social platform.
///
/// # Errors
/// As [`watch_rating`].
pub async fn watch_social(
    client: &mut SocialClient,
    job_id: &str,
    mut on_event: impl FnMut(&v1::JobEvent) -> Result<(), Failure>,
) -> Result<v1::JobEvent, Failure> {
    let mut watching = Watching::new("social");
    loop {
        let request = v1::WatchProposalRequest {
            job_id: job_id.to_owned(),
        };
        let opened = client.watch_proposal(request).await;
        let opened = opened.map(tonic::Response::into_inner);
        if let Some(last) = watching.follow(opened, &mut on_event).await? {
            return Ok(last);
        }
    }
}

/// What was seen so far, over all connections.
struct Watching {
    platform: &'static str,
    /// When the newest event was made that was shown.
    newest_unix_ms: Option<i64>,
    /// After a connection that broke: events up to this time were shown before.
    shown_until_ms: Option<i64>,
    /// Since when nobody answers.
    away_since: Option<Instant>,
}

impl Watching {
    fn new(platform: &'static str) -> Self {
        Self {
            platform,
            newest_unix_ms: None,
            shown_until_ms: None,
            away_since: None,
        }
    }

    /// Follows one connection; `None` when it broke and is to be made anew.
    async fn follow(
        &mut self,
        opened: Result<Streaming<v1::JobEvent>, Status>,
        on_event: &mut impl FnMut(&v1::JobEvent) -> Result<(), Failure>,
    ) -> Result<Option<v1::JobEvent>, Failure> {
        let status = match opened {
            Ok(mut events) => loop {
                match events.message().await {
                    Ok(Some(event)) => {
                        self.away_since = None;
                        if self.is_new(&event) {
                            on_event(&event)?;
                        }
                        if is_terminal(event.state()) {
                            return Ok(Some(event));
                        }
                    }
                    Ok(None) => {
                        break Status::unavailable("the daemon ended what it told of the job");
                    }
                    Err(status) => break status,
                }
            },
            Err(status) => status,
        };
        self.wait_after(status).await?;
        Ok(None)
    }

    /// Events are told from the job's beginning at every connection.
    fn is_new(&mut self, event: &v1::JobEvent) -> bool {
        let is_told_again = self
            .shown_until_ms
            .is_some_and(|until| event.time_unix_ms <= until && !is_terminal(event.state()));
        if is_told_again {
            return false;
        }
        self.shown_until_ms = None;
        self.newest_unix_ms = Some(event.time_unix_ms);
        true
    }

    async fn wait_after(&mut self, status: Status) -> Result<(), Failure> {
        let was_there = self.newest_unix_ms.is_some();
        let since = *self.away_since.get_or_insert_with(|| {
            if was_there && is_absence(&status) {
                note(&format!(
                    "The {} platform's daemon is away; it is waited for. The job goes on without this \
                     command.",
                    self.platform
                ));
            }
            Instant::now()
        });
        if !was_there || !is_absence(&status) || since.elapsed() > LONGEST_AWAY {
            return Err(status.into());
        }
        self.shown_until_ms = self.newest_unix_ms;
        tokio::time::sleep(AGAIN).await;
        Ok(())
    }
}

/// Whether a daemon that is started again mends it.
fn is_absence(status: &Status) -> bool {
    match Fault::from_status(status) {
        Some(fault) => fault.reason.code() == Code::Unavailable,
        // gRPC's own words for a connection that broke in the middle of an answer.
        None => matches!(
            status.code(),
            Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled
        ),
    }
}

#[cfg(test)]
mod tests {
    use s3rec_wire::status::Reason;

    use super::*;

    #[test]
    fn an_event_that_is_told_again_is_shown_once() {
        let mut watching = Watching::new("rating");
        let event = |time_unix_ms, state: v1::JobState| v1::JobEvent {
            time_unix_ms,
            state: state.into(),
            ..v1::JobEvent::default()
        };
        use v1::JobState::{Finished, Running};
        for (time, state, is_new) in [(1, Running, true), (2, Running, true), (2, Running, true)] {
            assert_eq!(watching.is_new(&event(time, state)), is_new, "{time}");
        }
        watching.shown_until_ms = watching.newest_unix_ms;
        for (time, state, is_new) in [
            (1, Running, false),
            (2, Running, false),
            (3, Running, true),
            (3, Running, true),
        ] {
            assert_eq!(watching.is_new(&event(time, state)), is_new, "{time}");
        }
        watching.shown_until_ms = watching.newest_unix_ms;
        assert!(
            watching.is_new(&event(3, Finished)),
            "the end is always told"
        );
    }

    #[test]
    fn a_refusal_is_no_absence() {
        for (reason, is_away) in [
            (Reason::ShuttingDown, true),
            (Reason::Unreachable, true),
            (Reason::NotFound, false),
            (Reason::Revoked, false),
        ] {
            let status = Fault::new(reason, "what happened").into_status();
            assert_eq!(is_absence(&status), is_away, "{reason:?}");
        }
        assert!(is_absence(&Status::unknown("h2 protocol error")));
    }
}
