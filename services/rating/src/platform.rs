//! What all calls share.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use s3rec_audit::Kind;
use s3rec_job::{JobDisclosure, JobId};
use s3rec_node::audit::Audit;
use s3rec_node::config::{Limits, RatingPeer, RatingSettings};
use s3rec_node::daemon::DaemonError;
use s3rec_node::journal::{Journal, is_terminal};
use s3rec_node::observe::PeerSight;
use s3rec_node::pki::CertificateRole;
use s3rec_node::process::fresh_nonce;
use s3rec_node::retention::{EndedJobs, JobTables};
use s3rec_node::server::stopped;
use s3rec_node::stocks::Stocks;
use s3rec_node::store::Store;
use s3rec_node::tls::Identity;
use s3rec_wire::convert::job_id;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use tokio::sync::watch;

use crate::factors::FactorDatasets;
use crate::imports::RatingDatasets;
use crate::model_cache::Cache;
use crate::tables::{APPROVALS, DISCLOSURES, JOBS, MODELS, PROPOSALS, REPORTS, REQUESTS, STARTED};

/// Where what belongs to a job is.
const OF_JOBS: JobTables = JobTables {
    details: &[JOBS, REQUESTS, PROPOSALS, REPORTS, STARTED, APPROVALS],
    ledger: DISCLOSURES,
    holding: Some(MODELS),
};

/// The daemon's state.
pub(crate) struct Platform {
    pub(crate) store: Store,
    pub(crate) journal: Journal,
    pub(crate) datasets: RatingDatasets,
    pub(crate) factors: FactorDatasets,
    /// What ended jobs leave.
    pub(crate) ended: EndedJobs,
    pub(crate) limits: Limits,
    pub(crate) stocks: Arc<Stocks>,
    pub(crate) peer: RatingPeer,
    pub(crate) identity: Arc<Identity>,
    pub(crate) audit: Audit,
    pub(crate) models: Cache,
    /// When P1 was last met.
    pub(crate) sight: PeerSight,
    /// Tells a restart to the peer.
    pub(crate) instance_nonce: [u8; 16],
    pub(crate) data_dir: PathBuf,
    running: Mutex<Option<Running>>,
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
        let store = Store::open(&settings.data_dir)?;
        let journal = Journal::open(&store)?;
        let goes_on = |job: &str| journal.state(job) == v1::JobState::Running;
        let stocks = Arc::new(Stocks::open(&settings.data_dir, &store, goes_on)?);
        let now = identity.now();
        let (role, certificate) = (CertificateRole::Rating, now.material.certificate());
        let signer = now.material.signer()?;
        let audit = Audit::open(&settings.data_dir, role, certificate, signer)?;
        // A finished job's model is served with the ratings that it was trained on.
        let models = store.keys(MODELS)?;
        let is_needed = |job: &str| journal.is_open(job) || models.iter().any(|model| model == job);
        let limit_bytes = settings.limits.import_bytes;
        let datasets =
            RatingDatasets::open(&settings.data_dir, &store, &audit, limit_bytes, is_needed)?;
        let factors =
            FactorDatasets::open(&settings.data_dir, &store, &audit, limit_bytes, is_needed)?;
        let ended = EndedJobs::new(&store, &journal, &audit, settings.retention, OF_JOBS);
        let platform = Self {
            store,
            journal,
            datasets,
            factors,
            ended,
            limits: settings.limits.clone(),
            stocks,
            peer: settings.peer.clone(),
            identity,
            audit,
            models: Cache::default(),
            sight: PeerSight::default(),
            instance_nonce: fresh_nonce()?,
            data_dir: settings.data_dir.clone(),
            running: Mutex::new(None),
        };
        Ok(Arc::new(platform))
    }

    pub(crate) fn models_dir(&self) -> PathBuf {
        self.data_dir.join("models")
    }

    pub(crate) fn idle_limit(&self) -> Duration {
        Duration::from_secs(self.limits.idle_seconds)
    }

    /// The newest state of a job.
    pub(crate) fn state(&self, job: &str) -> v1::JobState {
        self.journal.state(job)
    }

    /// What was asked for when the job was proposed.
    pub(crate) fn request(&self, job: &str) -> Result<v1::ProposeJobRequest, Fault> {
        let request: Option<v1::ProposeJobRequest> = self.store.get(REQUESTS, job)?;
        request.ok_or_else(|| Fault::no_job(job))
    }

    /// Stores an event, unless the job has ended; then the first end stands.
    pub(crate) fn record(&self, event: v1::JobEvent) -> Result<(), Fault> {
        let last = self.journal.last(&event.job_id).unwrap_or_default();
        if is_terminal(last.state()) {
            return Ok(());
        }
        if (last.state(), last.phase()) != (event.state(), event.phase()) {
            let (state, phase) = (event.state(), event.phase());
            self.note_step(&event.job_id, state, phase, &event.message);
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
    fn note_step(&self, job: &str, state: v1::JobState, phase: v1::Phase, message: &str) {
        let ended = is_terminal(state);
        let shown: Option<JobDisclosure> = self.store.get(DISCLOSURES, job).ok().flatten();
        if let Some(shown) = shown.filter(|_| ended) {
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
        let entry = [
            ("job", job.into()),
            ("state", state.as_str_name().into()),
            ("phase", phase.as_str_name().into()),
            ("message", message.into()),
        ];
        let kind = if ended { Kind::End } else { Kind::Phase };
        self.audit.note(kind, entry);
    }

    /// Ends a job with its last event; its keys, masks and state are erased before anybody is
    /// told, and its copy of the ratings, unless there is a model that is served with them. The
    /// first end stands.
    pub(crate) fn end(&self, event: v1::JobEvent) -> Result<(), Fault> {
        let job = event.job_id.clone();
        if is_terminal(self.state(&job)) {
            return Ok(());
        }
        self.note_step(&job, event.state(), event.phase(), &event.message);
        let has_model = event.state() == v1::JobState::Finished;
        Ok(self.journal.end(event, || {
            self.stocks.erase(&self.store, &job);
            if !has_model {
                self.datasets.release(&job);
            }
        })?)
    }

    /// The job that was started and has not ended, when there is one.
    pub(crate) fn started(&self) -> Result<Option<JobId>, Fault> {
        for job in self.journal.open_jobs() {
            let started: Option<v1::StartJobRequest> = self.store.get(STARTED, &job)?;
            if started.is_some() {
                return Ok(Some(job_id("job_id", &job)?));
            }
        }
        Ok(None)
    }

    /// Takes the place of the running job.
    pub(crate) fn begin(self: &Arc<Self>, job: JobId) -> Result<Place, Fault> {
        let mut running = self.running();
        if let Some(running) = &*running {
            let in_the_way = running.job.to_string();
            let does = match self.state(&in_the_way) {
                v1::JobState::Proposed => "waits for the social platform's decision",
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
