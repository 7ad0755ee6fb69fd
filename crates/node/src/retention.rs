//! What ended jobs leave, and for how long: their details go, their counters stay.
//!
//! Nothing here touches the audit log, or a job's line in the ledger: what was disclosed counts
//! for as long as the data directory is there.

use std::time::Duration;

use s3rec_audit::Kind;
use s3rec_wire::status::{Fault, Reason};
use tokio::sync::watch;

use crate::audit::Audit;
use crate::config::Retention;
use crate::journal::Journal;
use crate::process::{blocking, now_unix_ms};
use crate::stocks::STOCKS;
use crate::store::{Change, Store, StoreError, Table};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// How often a daemon looks for what is over.
const EVERY: Duration = Duration::from_secs(600);

/// Where a platform keeps what belongs to its jobs, each record under its job's id.
#[derive(Clone, Copy, Debug)]
pub struct JobTables {
    /// Details, which go with the job.
    pub details: &'static [Table],
    /// The ledger: a line for each job that has disclosed anything. None is ever removed.
    pub ledger: Table,
    /// Records whose job stays while they are there.
    pub holding: Option<Table>,
}

/// The ended jobs of a platform; clones share them.
#[derive(Clone)]
pub struct EndedJobs {
    store: Store,
    journal: Journal,
    audit: Audit,
    settings: Retention,
    tables: JobTables,
}

/// What one look has found to be over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Jobs that were forgotten.
    pub jobs: u32,
    /// Jobs of which only the last event is left.
    pub shortened: u32,
}

impl EndedJobs {
    /// Looks after the jobs of `journal`.
    #[must_use]
    pub fn new(
        store: &Store,
        journal: &Journal,
        audit: &Audit,
        settings: Retention,
        tables: JobTables,
    ) -> Self {
        Self {
            store: store.clone(),
            journal: journal.clone(),
            audit: audit.clone(),
            settings,
            tables,
        }
    }

    /// Drops the details of an ended job, all at once; false where it has not ended. Counters stay.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn forget(&self, job: &str) -> Result<bool, StoreError> {
        let tables = self.tables.details.iter().chain(&[STOCKS]);
        let changes = tables.map(|table| Change::Remove(*table, job));
        self.journal.forget(job, changes.collect())
    }

    /// Forgets an ended job because `who` asks for it.
    ///
    /// # Errors
    /// [`Reason::WrongState`] for a job that has not ended.
    pub fn delete(&self, job: &str, who: &str) -> Result<(), Fault> {
        let refused = || {
            let state = self.journal.state(job).name();
            let message = format!("the job is {state}; only ended ones are deleted");
            Fault::new(Reason::WrongState, message).at("job", job)
        };
        if self.journal.is_open(job) {
            return Err(refused());
        }
        let entry = [
            ("what", "job".into()),
            ("job", job.into()),
            ("by", who.into()),
        ];
        self.audit.record(Kind::Deletion, entry)?;
        match self.forget(job)? {
            true => Ok(()),
            false => Err(refused()),
        }
    }

    /// Forgets what is over by the settings. What ended last stays longest, and what opened
    /// nothing makes room for the rest.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn tidy(&self, now_unix_ms: i64) -> Result<Tidied, StoreError> {
        let mut tidied = Tidied::default();
        let before = |days: u32| now_unix_ms.saturating_sub(i64::from(days).saturating_mul(DAY_MS));
        let Retention {
            jobs_days,
            unopened_days,
            events_days,
            ended_jobs,
        } = self.settings;
        let events = before(events_days);
        let (mut small, mut large) = (Vec::new(), Vec::new());
        let ledger = self.store.keys(self.tables.ledger)?;
        let held = match self.tables.holding {
            Some(table) => self.store.keys(table)?,
            None => Vec::new(),
        };
        for event in self.journal.ended()? {
            if event.time_unix_ms < events && self.journal.shorten(&event.job)? {
                tidied.shortened += 1;
            }
            if held.contains(&event.job) {
                continue;
            }
            // Keys are in order.
            match ledger.binary_search(&event.job) {
                Ok(_) => large.push(event),
                Err(_) => small.push(event),
            }
        }
        let most = usize::try_from(ended_jobs).unwrap_or(usize::MAX);
        let mut over = (small.len() + large.len()).saturating_sub(most);
        for (ended, until) in [(small, before(unopened_days)), (large, before(jobs_days))] {
            for event in ended {
                let is_old = event.time_unix_ms < until;
                if !is_old && over == 0 {
                    break;
                }
                if self.forget(&event.job)? {
                    over = over.saturating_sub(1);
                    tidied.jobs += 1;
                }
            }
        }
        Ok(tidied)
    }

    /// Makes room where a flood of proposals has ended more jobs than are kept: once in a while,
    /// so that each proposal does not pay for it.
    pub fn make_room(&self) {
        let ended: u64 = self.journal.ended_by_state().values().sum();
        // An eighth more than is kept, so that a whole batch goes at once.
        let most = u64::from(self.settings.ended_jobs);
        if ended > most + (most / 8).max(8) {
            self.look();
        }
    }

    /// One look, whose faults are logged.
    pub fn look(&self) {
        match self.tidy(now_unix_ms()) {
            Ok(Tidied {
                jobs: 0,
                shortened: 0,
            }) => {}
            Ok(Tidied { jobs, shortened }) => {
                tracing::info!(jobs, shortened, "details of ended jobs are dropped");
                if jobs > 0 {
                    let entry = [
                        ("what", "ended jobs".into()),
                        ("jobs", jobs.into()),
                        ("by", "retention".into()),
                    ];
                    self.audit.note(Kind::Deletion, entry);
                }
            }
            Err(error) => tracing::error!("ended jobs are not tidied up: {error}"),
        }
    }
}

/// When a proposal ends that nobody begins a job with: when it states, and no later than `days`
/// after it was made.
#[must_use]
pub fn proposal_end(made_unix_ms: i64, states_unix_ms: i64, days: u32) -> i64 {
    let latest = made_unix_ms.saturating_add(i64::from(days).saturating_mul(DAY_MS));
    states_unix_ms.min(latest)
}

/// Looks at once and from time to time until the daemon stops.
pub async fn follow(look: impl Fn() + Clone + Send + 'static, mut stop: watch::Receiver<bool>) {
    loop {
        if let Err(Fault { message, .. }) = blocking(look.clone()).await {
            tracing::error!("tidying up: {message}");
        }
        let stopped = stop.wait_for(|stopped| *stopped);
        if tokio::time::timeout(EVERY, stopped).await.is_ok() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Home;
    use s3rec_job::{JobDisclosure, JobEvent, JobState};

    const DETAILS: Table = Table("details");
    const LEDGER: Table = Table("ledger");
    const HOLDING: Table = Table("holding");

    struct Jobs {
        home: Home,
        journal: Journal,
        ended: EndedJobs,
    }

    impl Jobs {
        fn new(settings: Retention) -> Self {
            let home = Home::new();
            let journal = Journal::open(&home.store).unwrap();
            let tables = JobTables {
                details: &[DETAILS],
                ledger: LEDGER,
                holding: Some(HOLDING),
            };
            let ended = EndedJobs::new(&home.store, &journal, &home.audit, settings, tables);
            Self {
                home,
                journal,
                ended,
            }
        }

        /// A job with details and that many openings, ended unless it is open.
        fn add(&self, job: &str, openings: u32, is_open: bool) {
            let event = |state: JobState| JobEvent {
                job: job.into(),
                state,
                ..JobEvent::default()
            };
            self.journal.record(event(JobState::Proposed)).unwrap();
            let store = &self.home.store;
            store.put(DETAILS, job, &event(JobState::Proposed)).unwrap();
            if openings > 0 {
                let line = JobDisclosure {
                    job: job.into(),
                    openings,
                    ..JobDisclosure::default()
                };
                store.put(LEDGER, job, &line).unwrap();
            }
            if !is_open {
                self.journal.end(event(JobState::Failed), || {}).unwrap();
            }
        }

        fn known(&self) -> Vec<String> {
            self.home.store.keys(DETAILS).unwrap()
        }

        fn lines(&self) -> Vec<String> {
            self.home.store.keys(LEDGER).unwrap()
        }
    }

    #[test]
    fn jobs_that_opened_nothing_go_first_and_counters_never() {
        let jobs = Jobs::new(Retention::default());
        for (job, openings) in [("a", 0), ("b", 3), ("c", 0), ("d", 2)] {
            jobs.add(job, openings, false);
        }
        jobs.add("open", 0, true);
        jobs.home
            .store
            .put(HOLDING, "d", &JobEvent::default())
            .unwrap();
        let now = now_unix_ms();
        let after = |days: u32| now + i64::from(days) * DAY_MS + DAY_MS;
        assert_eq!(jobs.ended.tidy(now).unwrap(), Tidied::default());

        let settings = Retention::default();
        let tidied = jobs.ended.tidy(after(settings.unopened_days)).unwrap();
        assert_eq!((tidied.jobs, tidied.shortened), (2, 4));
        assert_eq!(jobs.known(), ["b", "d", "open"]);
        assert_eq!(jobs.journal.history("b").unwrap().len(), 1);
        jobs.ended.tidy(after(settings.jobs_days)).unwrap();
        assert_eq!(jobs.known(), ["d", "open"]);
        // What was opened stays counted, whatever is forgotten of the job.
        assert_eq!(jobs.lines(), ["b", "d"]);
        assert!(!jobs.ended.forget("open").unwrap());
        assert_eq!(jobs.journal.state("open"), JobState::Proposed);
    }

    #[test]
    fn no_more_ended_jobs_are_kept_than_the_settings_say() {
        let jobs = Jobs::new(Retention {
            ended_jobs: 10,
            ..Retention::default()
        });
        jobs.add("first", 1, false);
        for number in 0..100 {
            jobs.add(&format!("job-{number:03}"), 0, false);
            jobs.ended.make_room();
            assert!(jobs.known().len() <= 19, "{}", jobs.known().len());
        }
        jobs.ended.look();
        let known = jobs.known();
        assert_eq!(known.len(), 10);
        assert!(known.contains(&"first".into()) && known.contains(&"job-099".into()));
        assert!(!known.contains(&"job-000".into()));
        assert_eq!(jobs.lines(), ["first"]);
    }
}
