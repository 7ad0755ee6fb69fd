//! How a job ends, whoever ends it.

use s3rec_job::{JobEvent, JobState};

use s3rec_wire::convert::state_name;

use crate::ledger;
use crate::platform::Platform;

impl Platform {
    /// Ends the running job of that name, and the job, for a reason that both sides' people may
    /// read. Never fails: what cannot be stored is logged, because the job has ended all the same.
    pub(crate) fn end(&self, job: &str, state: JobState, message: &str) {
        self.end_notifying(job, state, message, "");
    }

    /// As [`Self::end`], with other words for the other platform unless `peer_message` is empty.
    pub(crate) fn end_notifying(
        &self,
        job: &str,
        state: JobState,
        message: &str,
        peer_message: &str,
    ) {
        let phase = self.journal.last(job).and_then(|last| last.phase);
        self.begin_to_end(job);
        match state {
            JobState::Failed => tracing::warn!(job, "failed: {message}"),
            _ => tracing::info!(job, "{}: {message}", state_name(state)),
        }
        let last = self.journal.last(job).unwrap_or_default();
        if last.state.is_terminal() {
            self.endings().remove(job);
            return;
        }
        let event = JobEvent {
            job: job.into(),
            state,
            phase,
            message: message.into(),
            peer_message: peer_message.into(),
            waiting_for: None,
            ..last
        };
        self.note_step(job, state, phase, message);
        // Keys, shares and the job's own link to its data go with it, whatever its end is.
        let erase = || {
            self.stocks.erase(&self.store, job);
            self.datasets.release(job);
        };
        match self.journal.end(event, erase) {
            // The journal says it from here on.
            Ok(_) => drop(self.endings().remove(job)),
            Err(error) => tracing::error!(job, "the job's end is not stored: {error}"),
        }
    }

    /// From here on the job is over, whatever the journal says: its place is left, and what was
    /// counted of it is stored.
    pub(crate) fn begin_to_end(&self, job: &str) {
        let counting = self.counting();
        self.endings().insert(job.into());
        let running = self.slot.end(job);
        if let Some(running) = &running
            && let Err(error) = ledger::store_cost(self, &counting, running)
        {
            tracing::error!(job, "the job's cost is not stored: {error}");
        }
    }

    /// The daemon stops: the running job's calls end, and it waits for the next start.
    pub(crate) fn stop(&self) {
        if let Some(job) = self.slot.running_job() {
            let rests = self.slot.suspend(job);
            if rests.is_some_and(|rests| !rests.can_go_on) {
                let message = "The social platform's daemon was stopped in a round, which cannot \
                               be taken up again. Propose the job anew when it is up.";
                self.end(&job.to_string(), JobState::Failed, message);
            }
        }
    }
}
