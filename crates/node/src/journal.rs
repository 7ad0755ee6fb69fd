//! Events of jobs: stored in order, and handed to whoever watches as they come.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use s3rec_wire::v1::{JobEvent, JobState};
use tokio::sync::broadcast;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::process::now_unix_ms;
use crate::store::{Store, StoreError, Table};

const EVENTS: Table = Table("events");

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
        Ok(Self {
            store: store.clone(),
            jobs: Arc::new(Mutex::new(jobs)),
        })
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
        let (history, mut watched) = {
            let mut jobs = self.lock();
            let live = jobs.entry(job.to_owned()).or_insert_with(Live::new);
            let watched = live.watchers.subscribe();
            let stored = self.store.list::<JobEvent>(EVENTS, &format!("{job}/"))?;
            let history: Vec<_> = stored.into_iter().map(|(_, event)| event).collect();
            (history, watched)
        };
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
        Ok(Box::pin(ReceiverStream::new(receiver)))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Live>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    fn new() -> Self {
        Self {
            next: 0,
            last: JobEvent::default(),
            watchers: broadcast::channel(BUFFERED_EVENTS).0,
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

/// Zero-padded, so that keys sort as events came.
fn key(job: &str, number: u32) -> String {
    format!("{job}/{number:010}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_stream::StreamExt;

    fn event(state: JobState) -> JobEvent {
        JobEvent {
            job_id: "job".into(),
            state: state.into(),
            ..JobEvent::default()
        }
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

        let again = Journal::open(&store).unwrap();
        assert_eq!(again.last("job").unwrap().state(), Failed);
        assert_eq!(again.history("job").unwrap().len(), 3);
    }
}
