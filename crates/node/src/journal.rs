//! Events of jobs: stored in order, and handed to whoever watches as they come.
//!
//! Only open jobs have a place in memory and among the watchers. What is known of an ended one is
//! its state; the rest is on disk, until [`Journal::forget`].

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use s3rec_job::{JobEvent, JobState, Party};
use tokio::sync::broadcast;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;

use crate::observe;
use crate::process::now_unix_ms;
use crate::rows::Row;
use crate::store::{Change, Store, StoreError, Table};

pub(crate) const EVENTS: Table = Table("events");
/// By job: its last event; before it is among the events, how the job is about to end.
pub(crate) const ENDINGS: Table = Table("endings");
/// The jobs that have begun and not ended; nothing is stored but their names.
pub(crate) const OPEN: Table = Table("open jobs");

/// Events that a slow watcher may be behind before it misses progress.
const BUFFERED_EVENTS: usize = 256;

/// Events as they come.
pub type EventStream = Pin<Box<dyn Stream<Item = JobEvent> + Send>>;

/// The events of all jobs; clones share it.
#[derive(Clone)]
pub struct Journal {
    store: Store,
    jobs: Arc<Mutex<Jobs>>,
}

#[derive(Default)]
struct Jobs {
    open: HashMap<String, Live>,
    ended: HashMap<String, JobState>,
}

struct Live {
    next: u32,
    last: JobEvent,
    /// Since when the time of its phase is not counted yet.
    counted: Instant,
    /// Once somebody watches.
    watchers: Option<broadcast::Sender<JobEvent>>,
}

impl Journal {
    /// The journal in `store`, with what it holds.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(store: &Store) -> Result<Self, StoreError> {
        let mut jobs = Jobs::default();
        for job in store.keys(OPEN)? {
            let last = store.last::<JobEvent>(EVENTS, &format!("{job}/"))?;
            if let Some((key, last)) = last {
                let number = key
                    .rsplit('/')
                    .next()
                    .and_then(|number| number.parse().ok());
                let next = number.map_or(0, |number: u32| number.saturating_add(1));
                jobs.open.insert(job, Live::at(next, last));
            }
        }
        let mut cut_short = Vec::new();
        for (job, ending) in store.list::<JobEvent>(ENDINGS, "")? {
            match jobs.open.contains_key(&job) {
                true => cut_short.push(ending),
                false => drop(jobs.ended.insert(job, ending.state)),
            }
        }
        let journal = Self {
            store: store.clone(),
            jobs: Arc::new(Mutex::new(jobs)),
        };
        for ending in cut_short {
            journal.record(ending)?;
        }
        Ok(journal)
    }

    /// Ends a job: that it ends is on disk before anything is erased, and everything is erased
    /// before anybody is told. Whatever is cut short is made up for at the next start. The first
    /// end stands.
    ///
    /// # Errors
    /// [`StoreError`]; `erase` has run and the watchers are told all the same.
    pub fn end(&self, event: JobEvent, erase: impl FnOnce()) -> Result<(), StoreError> {
        let intend = || {
            let jobs = self.lock();
            match jobs.open.contains_key(&event.job) {
                true => self.store.put(ENDINGS, &event.job, &event),
                false => Ok(()),
            }
        };
        let intended = intend();
        erase();
        // What was erased may have made the room that the first try lacked.
        let again = intended.or_else(|_| intend());
        self.record(event).and(again)
    }

    /// Stores an event, stamped with the time, and tells the watchers. A job that has ended takes
    /// no more of them.
    ///
    /// # Errors
    /// [`StoreError`]; the watchers are told all the same.
    pub fn record(&self, event: JobEvent) -> Result<(), StoreError> {
        self.emit(event, true)
    }

    /// Tells the watchers of progress that need not outlive the process.
    pub fn notify(&self, event: JobEvent) {
        // Nothing is stored, so nothing fails.
        let _ = self.emit(event, false);
    }

    fn emit(&self, mut event: JobEvent, stored: bool) -> Result<(), StoreError> {
        let mut jobs = self.lock();
        let job = event.job.clone();
        let ends = event.state.is_terminal();
        // A job begins with what is stored and is no end.
        let begins = stored && !ends && !jobs.ended.contains_key(&job);
        let live = match jobs.open.get_mut(&job) {
            Some(live) => live,
            None if begins => jobs.open.entry(job.clone()).or_insert_with(Live::new),
            None => return Ok(()),
        };
        event.time_unix_ms = now_unix_ms();
        live.count_phase();
        event.waiting_since_unix_ms = live.waiting_since(event.waiting_for);
        let outcome = if stored {
            let key = key(&job, live.next);
            let mut changes = vec![Change::Put(EVENTS, &key, event.to_row())];
            match (ends, live.next) {
                (true, _) => {
                    changes.push(Change::Put(ENDINGS, &job, event.to_row()));
                    changes.push(Change::Remove(OPEN, &job));
                }
                (false, 0) => changes.push(Change::Put(OPEN, &job, Vec::new())),
                (false, _) => {}
            }
            live.next += 1;
            self.store.change(&changes)
        } else {
            Ok(())
        };
        live.last = event.clone();
        if let Some(watchers) = &live.watchers {
            // Whoever watched may have gone away.
            let _ = watchers.send(event.clone());
        }
        if ends {
            observe::state_ended(event.state);
            jobs.open.remove(&job);
            jobs.ended.insert(job, event.state);
        }
        outcome
    }

    /// Notes who is waited for from now on, without a word to the watchers: it shows in the
    /// job's status.
    pub fn awaits(&self, job: &str, party: Option<Party>) {
        if let Some(live) = self.lock().open.get_mut(job) {
            live.last.waiting_since_unix_ms = live.waiting_since(party);
            live.last.waiting_for = party;
        }
    }

    /// The newest event of every open job.
    #[must_use]
    pub fn newest(&self) -> Vec<JobEvent> {
        let jobs = self.lock();
        jobs.open.values().map(|live| live.last.clone()).collect()
    }

    /// How many jobs have ended in each state, of those that are not forgotten.
    #[must_use]
    pub fn ended_by_state(&self) -> BTreeMap<JobState, u64> {
        let mut counts = BTreeMap::new();
        for state in self.lock().ended.values() {
            *counts.entry(*state).or_default() += 1;
        }
        counts
    }

    /// The jobs that have begun and not ended.
    #[must_use]
    pub fn open_jobs(&self) -> Vec<String> {
        self.lock().open.keys().cloned().collect()
    }

    /// Whether a job has begun and not ended.
    #[must_use]
    pub fn is_open(&self, job: &str) -> bool {
        self.lock().open.contains_key(job)
    }

    /// Counts the time that open jobs have spent in their phases since it was last counted.
    pub fn count_phases(&self) {
        self.lock().open.values_mut().for_each(Live::count_phase);
    }

    /// The newest state of a job.
    #[must_use]
    pub fn state(&self, job: &str) -> JobState {
        let jobs = self.lock();
        let open = jobs.open.get(job).map(|live| live.last.state);
        let ended = jobs.ended.get(job).copied();
        open.or(ended).unwrap_or_default()
    }

    /// The newest event of a job; of an ended one whose event cannot be read, its state alone.
    #[must_use]
    pub fn last(&self, job: &str) -> Option<JobEvent> {
        let state = {
            let jobs = self.lock();
            if let Some(live) = jobs.open.get(job) {
                return Some(live.last.clone());
            }
            *jobs.ended.get(job)?
        };
        let stored = self
            .store
            .get::<JobEvent>(ENDINGS, job)
            .unwrap_or_else(|error| {
                tracing::error!(job, "how the job ended cannot be read: {error}");
                None
            });
        Some(stored.unwrap_or_else(|| JobEvent {
            job: job.into(),
            state,
            ..JobEvent::default()
        }))
    }

    /// The last event of every ended job, the one that ended first before the others.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn ended(&self) -> Result<Vec<JobEvent>, StoreError> {
        let endings = self.store.list::<JobEvent>(ENDINGS, "")?.into_iter();
        let mut ended: Vec<_> = endings
            .filter(|(job, _)| !self.is_open(job))
            .map(|(_, event)| event)
            .collect();
        ended.sort_by_key(|event| event.time_unix_ms);
        Ok(ended)
    }

    /// The stored events of a job, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn history(&self, job: &str) -> Result<Vec<JobEvent>, StoreError> {
        let events = self.store.list::<JobEvent>(EVENTS, &format!("{job}/"))?;
        Ok(events.into_iter().map(|(_, event)| event).collect())
    }

    /// Drops all events of an ended job but the last; true when there were others.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn shorten(&self, job: &str) -> Result<bool, StoreError> {
        let events = format!("{job}/");
        let all = self.store.list::<JobEvent>(EVENTS, &events)?;
        let Some((key, last)) = all.last().filter(|_| all.len() > 1 && !self.is_open(job)) else {
            return Ok(false);
        };
        self.store.change(&[
            Change::RemoveAll(EVENTS, &events),
            Change::Put(EVENTS, key, last.to_row()),
        ])?;
        Ok(true)
    }

    /// Forgets an ended job, and makes `changes` with it: all or nothing. An open job stays as it
    /// is; false then.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn forget(&self, job: &str, changes: Vec<Change<'_>>) -> Result<bool, StoreError> {
        let mut jobs = self.lock();
        if jobs.open.contains_key(job) {
            return Ok(false);
        }
        let events = format!("{job}/");
        let mut all = changes;
        all.push(Change::RemoveAll(EVENTS, &events));
        all.push(Change::Remove(ENDINGS, job));
        self.store.change(&all)?;
        jobs.ended.remove(job);
        Ok(true)
    }

    /// Stored events of a job, then new ones until a terminal one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn watch(&self, job: &str) -> Result<EventStream, StoreError> {
        // Under the lock, so that no event falls between history and subscription.
        let mut jobs = self.lock();
        let watched = jobs.open.get_mut(job).map(Live::subscribe);
        let history = self.history(job)?;
        Ok(stream(history, watched))
    }

    /// The newest event of a job, then new ones until a terminal one.
    #[must_use]
    pub fn follow(&self, job: &str) -> EventStream {
        let watched = {
            let mut jobs = self.lock();
            let live = jobs.open.get_mut(job);
            live.map(|live| (live.last.clone(), live.subscribe()))
        };
        match watched {
            Some((last, watched)) => stream(vec![last], Some(watched)),
            None => stream(self.last(job).into_iter().collect(), None),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `watched` is absent where nothing more comes.
fn stream(history: Vec<JobEvent>, watched: Option<broadcast::Receiver<JobEvent>>) -> EventStream {
    let (sender, receiver) = tokio::sync::mpsc::channel(16);
    tokio::spawn(async move {
        let mut ended = watched.is_none();
        for event in history {
            ended |= event.state.is_terminal();
            if sender.send(event).await.is_err() {
                return;
            }
        }
        let Some(mut watched) = watched else {
            return;
        };
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
            ended = event.state.is_terminal();
            if sender.send(event).await.is_err() {
                return;
            }
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

impl Live {
    fn new() -> Self {
        Self::at(0, JobEvent::default())
    }

    fn at(next: u32, last: JobEvent) -> Self {
        Self {
            next,
            last,
            counted: Instant::now(),
            watchers: None,
        }
    }

    fn subscribe(&mut self) -> broadcast::Receiver<JobEvent> {
        let watchers = &mut self.watchers;
        let watchers = watchers.get_or_insert_with(|| broadcast::channel(BUFFERED_EVENTS).0);
        watchers.subscribe()
    }

    /// Since when `party` is waited for: as long as before, if it was waited for already.
    fn waiting_since(&self, party: Option<Party>) -> i64 {
        match party {
            None => 0,
            party if party == self.last.waiting_for => self.last.waiting_since_unix_ms,
            _ => now_unix_ms(),
        }
    }

    fn count_phase(&mut self) {
        let since = std::mem::replace(&mut self.counted, Instant::now());
        if !self.last.state.is_terminal() {
            observe::phase_spent(self.last.phase, since.elapsed());
        }
    }
}

/// Zero-padded, so that keys sort as events came.
pub(crate) fn key(job: &str, number: u32) -> String {
    format!("{job}/{number:010}")
}

#[cfg(test)]
mod tests;
