//! What all calls share.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use s3rec_audit::Kind;
use s3rec_cluster::Cluster;
use s3rec_job::{JobDisclosure, JobEvent, JobId, JobRecord, JobRequest, JobState, Phase};
use s3rec_node::config::{RatingPeer, RatingSettings};
use s3rec_node::daemon::DaemonError;
use s3rec_node::datasets::Datasets;
use s3rec_node::pki::CertificateRole;
use s3rec_node::platform::Core;
use s3rec_node::retention::JobTables;
use s3rec_node::server::stopped;
use s3rec_node::tls::Identity;
use s3rec_wire::convert::job_id;
use s3rec_wire::status::{Fault, Reason};
use tokio::sync::watch;

use crate::factors::FactorDatasets;
use crate::imports::Ratings;
use crate::model_cache::Cache;
use crate::tables::{APPROVALS, DISCLOSURES, JOBS, MODELS, PROPOSALS, REPORTS, STARTED};

/// Where what belongs to a job is.
const OF_JOBS: JobTables = JobTables {
    details: &[JOBS, PROPOSALS, REPORTS, STARTED, APPROVALS],
    ledger: DISCLOSURES,
    holding: Some(MODELS),
};

/// The daemon's state.
pub(crate) struct Platform {
    core: Core<Ratings>,
    pub(crate) factors: FactorDatasets,
    pub(crate) peer: RatingPeer,
    pub(crate) models: Cache,
    /// Held while lifelines of jobs that nobody has begun are opened and listened to, and while one
    /// of them is cancelled.
    pub(crate) deciding: tokio::sync::Mutex<()>,
    running: Mutex<Option<Running>>,
    /// Who encrypts friends' rows for us, if not this process.
    pub(crate) workers: Option<Arc<Cluster>>,
}

impl Deref for Platform {
    type Target = Core<Ratings>;

    fn deref(&self) -> &Core<Ratings> {
        &self.core
    }
}

/// The one running job.
struct Running {
    job: JobId,
    ask: watch::Sender<Ask>,
}

/// What is asked of the running job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Nothing.
    Run,
    /// To end, for this reason.
    End(String),
    /// To rest until the daemon's next start.
    Rest,
}

/// Holds the place of the running job; frees it when dropped.
pub(crate) struct Place {
    platform: Arc<Platform>,
    /// What is asked of the job.
    pub(crate) asked: watch::Receiver<Ask>,
}

impl Drop for Place {
    fn drop(&mut self) {
        *self.platform.running() = None;
    }
}

impl Platform {
    /// Opens the store.
    pub(crate) fn open(
        settings: &RatingSettings,
        identity: Arc<Identity>,
    ) -> Result<Arc<Self>, DaemonError> {
        let core = Core::open(settings, identity, CertificateRole::Rating, OF_JOBS)?;
        let limit_bytes = settings.limits.import_bytes;
        // A model is served without the factors that it was made from.
        let is_open = |job: &str| core.journal.is_open(job);
        let (store, audit) = (&core.store, &core.audit);
        let factors = Datasets::open(&settings.data_dir, store, audit, limit_bytes, is_open)?;
        Ok(Arc::new(Self {
            core,
            factors,
            peer: settings.peer.clone(),
            models: Cache::default(),
            deciding: tokio::sync::Mutex::new(()),
            running: Mutex::new(None),
            workers: Cluster::of_platform(settings.workers.as_deref())?,
        }))
    }

    pub(crate) fn models_dir(&self) -> PathBuf {
        self.data_dir.join("models")
    }

    /// What was asked for when the job was proposed.
    pub(crate) fn request(&self, job: &str) -> Result<JobRequest, Fault> {
        self.known(job)?.request.ok_or_else(|| {
            let message = "an older version took the job; this one does not take it as it stands";
            Fault::new(Reason::WrongState, message)
                .at("job", job)
                .remedied_by("Propose the job anew.")
        })
    }

    /// The record of a job that was proposed here.
    pub(crate) fn known(&self, job: &str) -> Result<JobRecord, Fault> {
        let record: Option<JobRecord> = self.store.get(JOBS, job)?;
        record.ok_or_else(|| Fault::no_job(job))
    }

    /// Stores an event, unless the job has ended; then the first end stands.
    pub(crate) fn record(&self, event: JobEvent) -> Result<(), Fault> {
        let last = self.journal.last(&event.job).unwrap_or_default();
        if last.state.is_terminal() {
            return Ok(());
        }
        if (last.state, last.phase) != (event.state, event.phase) {
            let (state, phase) = (event.state, event.phase);
            self.note_step(&event.job, state, phase, &event.message);
        }
        Ok(self.journal.record(event)?)
    }

    /// Pins of our certificate, and of P1's as it was last let through.
    pub(crate) fn pins(&self) -> ([u8; 32], [u8; 32]) {
        (
            self.identity.own().pin.digest(),
            self.identity.peer_pin().digest(),
        )
    }

    /// A job's new phase or its end, in the audit log; with its end, what it has shown us.
    fn note_step(&self, job: &str, state: JobState, phase: Option<Phase>, message: &str) {
        let shown: Option<JobDisclosure> = self.store.get(DISCLOSURES, job).ok().flatten();
        if let Some(shown) = shown.filter(|_| state.is_terminal()) {
            let entry = [
                ("job", job.into()),
                ("openings", shown.openings.into()),
                ("columns", shown.opened_columns.into()),
                ("values", shown.opened_values.into()),
                ("bytes", shown.bytes.into()),
                ("learnt", shown.own_statements.join("\n").into()),
            ];
            self.audit.note(Kind::Disclosure, entry);
        }
        self.core.note_step(job, state, phase, message);
    }

    /// Ends a job with its last event; its keys, masks and state are erased before anybody is
    /// told, and its copy of the ratings, unless there is a model that is served with them. The
    /// first end stands.
    pub(crate) fn end(&self, event: JobEvent) -> Result<(), Fault> {
        let job = event.job.clone();
        if self.state(&job).is_terminal() {
            return Ok(());
        }
        self.note_step(&job, event.state, event.phase, &event.message);
        let has_model = event.state == JobState::Finished;
        Ok(self.journal.end(event, || {
            self.stocks.erase(&self.store, &job);
            self.factors.release(&job);
            if !has_model {
                self.datasets.release(&job);
            }
        })?)
    }

    /// The job that was started and has not ended, when there is one.
    pub(crate) fn started(&self) -> Result<Option<JobId>, Fault> {
        let started = self.store.keys(STARTED)?;
        for job in self.journal.open_jobs() {
            if started.contains(&job) {
                return Ok(Some(job_id("job_id", &job)?));
            }
        }
        Ok(None)
    }

    /// Whether somebody has started a job that has not ended: nothing more needs to be done for it.
    pub(crate) fn begins_by_itself(&self, job: &str) -> Result<bool, Fault> {
        let is_started = self.store.keys(STARTED)?.iter().any(|known| known == job);
        Ok(is_started && self.journal.is_open(job))
    }

    /// Takes the place of the running job.
    pub(crate) fn begin(self: &Arc<Self>, job: JobId) -> Result<Place, Fault> {
        let mut running = self.running();
        if let Some(running) = &*running {
            let in_the_way = running.job.to_string();
            let does = match self.state(&in_the_way) {
                JobState::Proposed => "waits for the social platform's decision",
                _ => "is running",
            };
            let fault = if running.job == job {
                Fault::new(Reason::Busy, format!("this job {does} already"))
            } else {
                let message = format!("one job runs at a time, and the job {in_the_way} {does}");
                let remedy = format!(
                    "Wait until it has ended (s3rec rating watch {in_the_way}), or cancel it: \
                     s3rec rating cancel {in_the_way}"
                );
                Fault::new(Reason::Busy, message).remedied_by(remedy)
            };
            return Err(fault.at("running_job", in_the_way));
        }
        let (ask, asked) = watch::channel(Ask::Run);
        *running = Some(Running { job, ask });
        Ok(Place {
            platform: Arc::clone(self),
            asked,
        })
    }

    /// Whether a job has the place of the running one.
    pub(crate) fn has_begun(&self, job: JobId) -> bool {
        self.running()
            .as_ref()
            .is_some_and(|running| running.job == job)
    }

    /// Asks the running job of that name to end; false when it does not run.
    pub(crate) fn cancel(&self, job: JobId, reason: String) -> bool {
        let running = self.running();
        let Some(running) = running.as_ref().filter(|running| running.job == job) else {
            return false;
        };
        running.ask.send_replace(Ask::End(reason));
        true
    }

    /// After the sign to stop: lets the running job rest, and waits until it does.
    pub(crate) async fn drain(&self, stop: watch::Receiver<bool>, deadline: Duration) {
        stopped(stop).await;
        if let Some(running) = &*self.running() {
            running.ask.send_replace(Ask::Rest);
        }
        let ended = async {
            while self.running().is_some() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(deadline, ended).await.is_err() {
            tracing::warn!("the running job did not come to rest in time");
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
