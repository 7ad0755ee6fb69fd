//! Events of jobs: stored in order, and handed to whoever watches as they come.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use s3rec_wire::v1::{JobEvent, JobState, Role};
use tokio::sync::broadcast;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::observe;
use crate::process::now_unix_ms;
use crate::store::{Store, StoreError, Table};

pub(crate) const EVENTS: Table = Table("events");
/// How jobs end, before they have.
pub(crate) const ENDINGS: Table = Table("endings");

/// Events that a slow watcher may be behind before it misses progress.
const BUFFERED_EVENTS: usize = 256;

/// What a watching call returns to tonic.
pub type EventStream = Pin<Box<dyn Stream<Item = Result<JobEvent, Status>> + Send>>;

/// The events of all jobs; clones share it.
#[derive(Clone)]
pub struct Journal {
    store: Store,
    jobs: Arc<Mutex<HashMap<String, Live>>>,
}

struct Live {
    next: u32,
    last: JobEvent,
    /// Since when the time of its phase is not counted yet.
    counted: Instant,
    watchers: broadcast::Sender<JobEvent>,
}

impl Journal {
    /// The journal in `store`, with what it holds.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(store: &Store) -> Result<Self, StoreError> {
        let mut jobs = HashMap::new();
        for (_, event) in store.list::<JobEvent>(EVENTS, "")? {
            let live = jobs.entry(event.job_id.clone()).or_insert_with(Live::new);
            live.next += 1;
            live.last = event;
        }
        let journal = Self {
            store: store.clone(),
            jobs: Arc::new(Mutex::new(jobs)),
        };
        for (job, ending) in store.list::<JobEvent>(ENDINGS, "")? {
            let last = journal.last(&job).unwrap_or_default();
            if !is_terminal(last.state()) {
                journal.record(ending)?;
            }
        }
        Ok(journal)
    }

    /// Ends a job: that it ends is on disk before anything is erased, and everything is erased
    /// before anybody is told. Whatever is cut short is made up for at the next start.
    ///
    /// # Errors
    /// [`StoreError`]; `erase` has run and the watchers are told all the same.
    pub fn end(&self, event: JobEvent, erase: impl FnOnce()) -> Result<(), StoreError> {
        let intended = self.store.put(ENDINGS, &event.job_id, &event);
        erase();
        // What was erased may have made the room that the first try lacked.
        let again = intended.or_else(|_| self.store.put(ENDINGS, &event.job_id, &event));
        self.record(event).and(again)
    }

    /// Stores an event, stamped with the time, and tells the watchers.
    ///
    /// # Errors
    /// [`StoreError`]; the watchers are told all the same.
    pub fn record(&self, event: JobEvent) -> Result<(), StoreError> {
        self.tell(event, true)
    }

    /// Tells the watchers of progress that need not outlive the process.
    pub fn mention(&self, event: JobEvent) {
        // Nothing is stored, so nothing fails.
        let _ = self.tell(event, false);
    }

    fn tell(&self, mut event: JobEvent, stored: bool) -> Result<(), StoreError> {
        event.time_unix_ms = now_unix_ms();
        let mut jobs = self.lock();
        let live = jobs.entry(event.job_id.clone()).or_insert_with(Live::new);
        live.count_phase();
        event.waiting_since_unix_ms = live.waiting_since(event.waiting_for());
        if is_terminal(event.state()) && !is_terminal(live.last.state()) {
            observe::state_ended(event.state());
        }
        let outcome = if stored {
            let key = key(&event.job_id, live.next);
            live.next += 1;
            self.store.put(EVENTS, &key, &event)
        } else {
            Ok(())
        };
        live.last = event.clone();
        // Without watchers nobody is told.
        let _ = live.watchers.send(event);
        outcome
    }

    /// Notes who is waited for from now on, without a word to the watchers: it shows in the
    /// job's status.
    pub fn awaits(&self, job: &str, role: Role) {
        if let Some(live) = self.lock().get_mut(job)
            && !is_terminal(live.last.state())
        {
            live.last.waiting_since_unix_ms = live.waiting_since(role);
            live.last.waiting_for = role.into();
        }
    }

    /// The newest event of every job.
    #[must_use]
    pub fn newest(&self) -> Vec<JobEvent> {
        self.lock().values().map(|live| live.last.clone()).collect()
    }

    /// Counts the time that open jobs have spent in their phases since it was last counted.
    pub fn count_phases(&self) {
        self.lock().values_mut().for_each(Live::count_phase);
    }

    /// The newest event of a job.
    #[must_use]
    pub fn last(&self, job: &str) -> Option<JobEvent> {
        self.lock().get(job).map(|live| live.last.clone())
    }

    /// The stored events of a job, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn history(&self, job: &str) -> Result<Vec<JobEvent>, StoreError> {
        let events = self.store.list::<JobEvent>(EVENTS, &format!("{job}/"))?;
        Ok(events.into_iter().map(|(_, event)| event).collect())
    }

    /// Stored events of a job, then new ones until a terminal one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn watch(&self, job: &str) -> Result<EventStream, StoreError> {
        // Under the lock, so that no event falls between history and subscription.
        let (history, watched) = {
            let mut jobs = self.lock();
            let live = jobs.entry(job.to_owned()).or_insert_with(Live::new);
            let watched = live.watchers.subscribe();
            let stored = self.store.list::<JobEvent>(EVENTS, &format!("{job}/"))?;
            let history: Vec<_> = stored.into_iter().map(|(_, event)| event).collect();
            (history, watched)
        };
        Ok(stream(history, watched))
    }

    /// The newest event of a job, then new ones until a terminal one.
    #[must_use]
    pub fn follow(&self, job: &str) -> EventStream {
        let mut jobs = self.lock();
        let live = jobs.entry(job.to_owned()).or_insert_with(Live::new);
        stream(vec![live.last.clone()], live.watchers.subscribe())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Live>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stream(history: Vec<JobEvent>, mut watched: broadcast::Receiver<JobEvent>) -> EventStream {
    let (sender, receiver) = tokio::sync::mpsc::channel(16);
    tokio::spawn(async move {
        let mut ended = false;
        for event in history {
            ended = is_terminal(event.state());
            if sender.send(Ok(event)).await.is_err() {
                return;
            }
        }
        while !ended {
            let received = tokio::select! {
                received = watched.recv() => received,
                () = sender.closed() => return,
            };
            let event = match received {
                Ok(event) => event,
                Err(broadcast::error::RecvError::Lagged(_)) => continue,
                Err(broadcast::error::RecvError::Closed) => return,
            };
            ended = is_terminal(event.state());
            if sender.send(Ok(event)).await.is_err() {
                return;
            }
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

impl Live {
    fn new() -> Self {
        Self {
            next: 0,
            last: JobEvent::default(),
            counted: Instant::now(),
            watchers: broadcast::channel(BUFFERED_EVENTS).0,
        }
    }

    /// Since when `role` is waited for: as long as before, if it was waited for already.
    fn waiting_since(&self, role: Role) -> i64 {
        match role {
            Role::Unspecified => 0,
            role if role == self.last.waiting_for() => self.last.waiting_since_unix_ms,
            _ => now_unix_ms(),
        }
    }

    fn count_phase(&mut self) {
        let since = std::mem::replace(&mut self.counted, Instant::now());
        if !is_terminal(self.last.state()) {
            observe::phase_spent(self.last.phase(), since.elapsed());
        }
    }
}

/// Whether a job in this state has ended.
#[must_use]
pub fn is_terminal(state: JobState) -> bool {
    matches!(
        state,
        JobState::Rejected | JobState::Finished | JobState::Failed | JobState::Cancelled
    )
}

/// A state as people are told it: `rejected`.
#[must_use]
pub fn state_words(state: JobState) -> String {
    let name = state.as_str_name();
    name.trim_start_matches("JOB_STATE_").to_lowercase()
}

/// Zero-padded, so that keys sort as events came.
fn key(job: &str, number: u32) -> String {
    format!("{job}/{number:010}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_stream::StreamExt;

    #[test]
    fn people_are_told_a_state_in_words() {
        assert_eq!(state_words(JobState::Rejected), "rejected");
    }

    fn event(state: JobState) -> JobEvent {
        JobEvent {
            job_id: "job".into(),
            state: state.into(),
            ..JobEvent::default()
        }
    }

    #[test]
    fn an_end_that_was_cut_short_is_made_up_for() {
        let directory = tempfile::tempdir().unwrap();
        {
            let store = Store::open(directory.path()).unwrap();
            let journal = Journal::open(&store).unwrap();
            journal.record(event(JobState::Running)).unwrap();
            let killed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                journal.end(event(JobState::Cancelled), || {
                    std::panic::resume_unwind(Box::new(()))
                })
            }));
            assert!(killed.is_err());
            assert_eq!(journal.last("job").unwrap().state(), JobState::Running);
        }
        let store = Store::open(directory.path()).unwrap();
        let journal = Journal::open(&store).unwrap();
        assert_eq!(journal.last("job").unwrap().state(), JobState::Cancelled);
        assert_eq!(journal.history("job").unwrap().len(), 2);
        // And no second time.
        assert_eq!(
            Journal::open(&store).unwrap().history("job").unwrap().len(),
            2
        );
    }

    #[tokio::test]
    async fn watchers_see_the_past_and_then_the_present_to_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let journal = Journal::open(&store).unwrap();
        journal.record(event(JobState::Proposed)).unwrap();
        let watched = journal.watch("job").unwrap();
        journal.record(event(JobState::Approved)).unwrap();
        journal.mention(event(JobState::Running));
        journal.record(event(JobState::Failed)).unwrap();
        let seen: Vec<_> = watched.map(|event| event.unwrap().state()).collect().await;
        use JobState::{Approved, Failed, Proposed, Running};
        assert_eq!(seen, [Proposed, Approved, Running, Failed]);

        let told: Vec<_> = journal.follow("job").collect().await;
        assert_eq!(told.len(), 1);
        let again = Journal::open(&store).unwrap();
        assert_eq!(again.last("job").unwrap().state(), Failed);
        assert_eq!(again.history("job").unwrap().len(), 3);
    }

    #[tokio::test]
    async fn a_wait_keeps_its_beginning_until_somebody_else_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::open(&Store::open(directory.path()).unwrap()).unwrap();
        let waiting = |role: Role| JobEvent {
            waiting_for: role.into(),
            // An event made from an older one must not bring its time along.
            waiting_since_unix_ms: 1,
            ..event(JobState::Running)
        };
        let since = || journal.last("job").unwrap().waiting_since_unix_ms;
        journal.record(waiting(Role::Social)).unwrap();
        let began = since();
        assert!(began > 1);
        while now_unix_ms() == began {
            std::thread::yield_now();
        }
        journal.mention(waiting(Role::Social));
        assert_eq!(since(), began);
        journal.awaits("job", Role::Rating);
        assert!(since() > began);
        assert_eq!(journal.last("job").unwrap().waiting_for(), Role::Rating);
        journal.awaits("job", Role::Unspecified);
        assert_eq!(since(), 0);
        journal.record(event(JobState::Failed)).unwrap();
        journal.awaits("job", Role::Rating);
        assert_eq!(since(), 0, "nobody is waited for once it has ended");
    }
}
