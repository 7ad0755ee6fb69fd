//! What all calls share.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use s3rec_node::config::{Limits, RatingPeer, RatingSettings};
use s3rec_node::journal::{Journal, is_terminal};
use s3rec_node::server::stopped;
use s3rec_node::stocks::Stocks;
use s3rec_node::store::{Store, StoreError, Table};
use s3rec_node::tls::TlsMaterial;
use s3rec_wire::convert::JobId;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use tokio::sync::watch;

use crate::models::Cache;

pub(crate) const JOBS: Table = Table("jobs");
pub(crate) const REQUESTS: Table = Table("requests");
pub(crate) const PROPOSALS: Table = Table("proposals");
pub(crate) const REPORTS: Table = Table("reports");
pub(crate) const DISCLOSURES: Table = Table("disclosures");

/// The daemon's state.
pub(crate) struct Platform {
    pub(crate) store: Store,
    pub(crate) journal: Journal,
    pub(crate) limits: Limits,
    pub(crate) stocks: Stocks,
    pub(crate) peer: RatingPeer,
    pub(crate) tls: TlsMaterial,
    pub(crate) models: Cache,
    /// Tells a restart to the peer.
    pub(crate) instance_nonce: [u8; 16],
    data_dir: PathBuf,
    running: Mutex<Option<Running>>,
}

/// The one running job.
struct Running {
    job: JobId,
    cancel: watch::Sender<Option<String>>,
}

/// Holds the place of the running job; frees it when dropped.
pub(crate) struct Place {
    platform: Arc<Platform>,
    /// Why the job is to end, once somebody wants that.
    pub(crate) cancelled: watch::Receiver<Option<String>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        *self.platform.running() = None;
    }
}

impl Platform {
    /// Opens the store; jobs that ran when the daemon last ended have failed.
    pub(crate) fn open(
        settings: &RatingSettings,
        tls: TlsMaterial,
    ) -> Result<Arc<Self>, StoreError> {
        let store = Store::open(&settings.data_dir)?;
        let journal = Journal::open(&store)?;
        let stocks = Stocks::open(&settings.data_dir, &store)?;
        let mut instance_nonce = [0; 16];
        // Without entropy the nonce only fails to tell a restart.
        let _ = getrandom::fill(&mut instance_nonce);
        let platform = Self {
            store,
            journal,
            limits: settings.limits.clone(),
            stocks,
            peer: settings.peer.clone(),
            tls,
            models: Cache::default(),
            instance_nonce,
            data_dir: settings.data_dir.clone(),
            running: Mutex::new(None),
        };
        for (job, _) in platform.store.list::<v1::JobSummary>(JOBS, "")? {
            let Some(last) = platform.journal.last(&job) else {
                continue;
            };
            if last.state() == v1::JobState::Running {
                let message =
                    "This daemon ended while the job ran. No model was made; propose the job anew.";
                platform.journal.record(v1::JobEvent {
                    message: message.into(),
                    state: v1::JobState::Failed.into(),
                    ..last
                })?;
            }
        }
        Ok(Arc::new(platform))
    }

    pub(crate) fn ratings_dir(&self) -> PathBuf {
        self.data_dir.join("ratings")
    }

    pub(crate) fn models_dir(&self) -> PathBuf {
        self.data_dir.join("models")
    }

    pub(crate) fn idle_limit(&self) -> Duration {
        Duration::from_secs(self.limits.idle_seconds)
    }

    /// The newest state of a job.
    pub(crate) fn state(&self, job: &str) -> v1::JobState {
        self.journal
            .last(job)
            .map_or(v1::JobState::Unspecified, |event| event.state())
    }

    /// What was asked for when the job was proposed.
    pub(crate) fn request(&self, job: &str) -> Result<v1::ProposeJobRequest, Fault> {
        let request: Option<v1::ProposeJobRequest> = self.store.get(REQUESTS, job)?;
        request.ok_or_else(|| {
            Fault::new(Reason::NotFound, format!("there is no job {job}")).at("job", job)
        })
    }

    /// Stores an event, unless the job has ended; then the first end stands.
    pub(crate) fn record(&self, event: v1::JobEvent) -> Result<(), Fault> {
        if is_terminal(self.state(&event.job_id)) {
            return Ok(());
        }
        Ok(self.journal.record(event)?)
    }

    /// Takes the place of the running job.
    pub(crate) fn begin(self: &Arc<Self>, job: JobId) -> Result<Place, Fault> {
        let mut running = self.running();
        if let Some(running) = &*running {
            let message = if running.job == job {
                "this job runs already"
            } else {
                "another job is running or waiting for its approval"
            };
            return Err(Fault::new(Reason::Busy, message).at("running_job", running.job));
        }
        let (cancel, cancelled) = watch::channel(None);
        *running = Some(Running { job, cancel });
        Ok(Place {
            platform: Arc::clone(self),
            cancelled,
        })
    }

    /// Asks the running job of that name to end; false when it does not run.
    pub(crate) fn cancel(&self, job: JobId, reason: String) -> bool {
        let running = self.running();
        let Some(running) = running.as_ref().filter(|running| running.job == job) else {
            return false;
        };
        running.cancel.send_replace(Some(reason));
        true
    }

    /// After the sign to stop: ends the running job and waits until that is written.
    pub(crate) async fn drain(&self, stop: watch::Receiver<bool>, deadline: Duration) {
        stopped(stop).await;
        if let Some(running) = &*self.running() {
            let reason = "the rating platform's daemon was stopped";
            running.cancel.send_replace(Some(reason.into()));
        }
        let ended = async {
            while self.running().is_some() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(deadline, ended).await.is_err() {
            tracing::warn!("the running job did not end in time");
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
