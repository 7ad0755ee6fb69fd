//! What is made of P1's links stays unseen until a public time: nothing of it is counted, logged,
//! left in the job's place or answered earlier, and no fault of it is told.

use std::time::Duration;

use s3rec_job::JobId;
use s3rec_link::pacing::{self, AnswerTimes};
use s3rec_wire::status::Fault;
use tokio::time::Instant;

use crate::slot::Running;

/// Something made of the links after its public time has passed. What is in it can leave by
/// [`disclosing::clear`](crate::disclosing::clear) alone.
pub(crate) struct Held<T>(T);

impl<T> Held<T> {
    /// For the door, and for what shows nothing by itself.
    pub(crate) fn into_inner(self) -> T {
        self.0
    }
}

/// When what is made of the links may be seen.
pub(crate) struct PublicTime {
    what: &'static str,
    job: JobId,
    began: Instant,
    time: Duration,
}

impl PublicTime {
    /// From now on. A time of zero is for work that looks at no link, and is not missed.
    pub(crate) fn of(what: &'static str, job: JobId, time: Duration) -> Self {
        Self {
            what,
            job,
            began: Instant::now(),
            time,
        }
    }

    /// Does the work and waits, whether it came to something or to a fault.
    ///
    /// # Errors
    /// Those of `work`.
    pub(crate) async fn hold<T>(
        self,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<Held<T>, Fault> {
        let worked = work.await;
        if !self.time.is_zero()
            && let Some(late) = pacing::hold(self.began, self.time).await
        {
            pacing_missed(self.what, self.job, self.time, late);
        }
        worked.map(Held)
    }
}

/// How long P1 may take to read and arrange its links, by what P0 knows or is about to be told:
/// what was stated of them, how many users P1 has, and how many users both have. Where a connection
/// was given up, what was under way on it comes to its end first.
pub(crate) fn reading_time(running: &Running) -> Duration {
    let overlap = running.overlap.unwrap_or_default();
    let common = u32::try_from(overlap.common_users).unwrap_or(u32::MAX);
    reading_time_of(running, overlap.social_users, common).max(running.rest())
}

/// The same where the common users are not known yet.
pub(crate) fn reading_time_of(running: &Running, own: u64, placed: u32) -> Duration {
    let links = running.opened.bounds.stated.links;
    let links = links.min(own.saturating_mul(own.saturating_sub(1)));
    AnswerTimes::setup(links, placed)
}

/// P1's people should know: what was late shows something of the links.
pub(crate) fn pacing_missed(what: &str, job: JobId, time: Duration, late: Duration) {
    tracing::warn!(
        %job,
        "{what} was answered {} ms later than its public time of {} ms, which the rating platform \
         sees; give this daemon more processor time, or state larger bounds",
        late.as_millis(),
        time.as_millis()
    );
}
