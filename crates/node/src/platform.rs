//! What the daemons of both platforms hold, and the verbs of their people that both answer alike.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use s3rec_audit::{Kind, Meeting, PublicKey, Signature};
use s3rec_job::JobDisclosure;
use s3rec_wire::convert::head_to_wire;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use tokio::sync::watch;
use tonic::{Request, Response, Status, Streaming};

use crate::audit::{Audit, PeerLog};
use crate::config::{Limits, Settings};
use crate::daemon::DaemonError;
use crate::datasets::{Content, Datasets};
use crate::journal::{Journal, is_terminal};
use crate::observe::{Observed, PeerSight, Reach};
use crate::pki::CertificateRole;
use crate::process::fresh_nonce;
use crate::retention::{self, EndedJobs, JobTables};
use crate::stocks::Stocks;
use crate::store::Store;
use crate::tls::{Caller, Identity};

/// What a daemon holds, whichever platform's it is; `C` is what its people import.
pub struct Core<C> {
    /// Records on disk.
    pub store: Store,
    /// Events of jobs.
    pub journal: Journal,
    /// What was imported.
    pub datasets: Datasets<C>,
    /// What ended jobs leave.
    pub ended: EndedJobs,
    /// As configured.
    pub limits: Limits,
    /// Stocks of masked columns.
    pub stocks: Arc<Stocks>,
    /// When the other platform was last met.
    pub sight: PeerSight,
    /// Tells a restart to the other platform.
    pub instance_nonce: [u8; 16],
    /// Both platforms' keys: the other's as it is met, and our own.
    pub identity: Arc<Identity>,
    /// The audit log.
    pub audit: Audit,
    /// As configured.
    pub data_dir: PathBuf,
    /// The other platform's.
    peer: CertificateRole,
    tables: JobTables,
}

impl<C: Content> Core<C> {
    /// Opens what is in the data directory, for a daemon of the platform `role`.
    ///
    /// # Errors
    /// [`DaemonError`].
    pub fn open<P>(
        settings: &Settings<P>,
        identity: Arc<Identity>,
        role: CertificateRole,
        tables: JobTables,
    ) -> Result<Self, DaemonError> {
        let data_dir = &settings.data_dir;
        let store = Store::open(data_dir)?;
        let journal = Journal::open(&store)?;
        // What is on disk of a running job outlives a start of the daemon.
        let goes_on = |job: &str| journal.state(job) == v1::JobState::Running;
        let stocks = Arc::new(Stocks::open(data_dir, &store, goes_on)?);
        let now = identity.now();
        let signer = now.material.signer()?;
        let audit = Audit::open(data_dir, role, now.material.certificate(), signer)?;
        // A finished job's model is served with the data that it was trained on.
        let holding = tables.holding.map(|table| store.keys(table));
        let holding = holding.transpose()?.unwrap_or_default();
        let is_needed = |job: &str| journal.is_open(job) || holding.iter().any(|held| held == job);
        let limit_bytes = settings.limits.import_bytes;
        let datasets = Datasets::open(data_dir, &store, &audit, limit_bytes, is_needed)?;
        Ok(Self {
            ended: EndedJobs::new(&store, &journal, &audit, settings.retention, tables),
            store,
            journal,
            datasets,
            limits: settings.limits.clone(),
            stocks,
            sight: PeerSight::default(),
            instance_nonce: fresh_nonce()?,
            identity,
            audit,
            data_dir: data_dir.clone(),
            peer: match role {
                CertificateRole::Rating => CertificateRole::Social,
                _ => CertificateRole::Rating,
            },
            tables,
        })
    }

    /// Until `stop`: follows the files of keys and certificates, and tidies, by `tidy` first.
    pub fn tend(&self, tidy: impl Fn() + Clone + Send + 'static, stop: &watch::Receiver<bool>) {
        let every = Duration::from_secs(self.limits.reload_seconds.max(1));
        tokio::spawn(Arc::clone(&self.identity).follow(every, stop.clone()));
        let ended = self.ended.clone();
        let look = move || {
            tidy();
            ended.look();
        };
        tokio::spawn(retention::follow(look, stop.clone()));
    }

    /// Longest silence of the other platform.
    #[must_use]
    pub fn idle_limit(&self) -> Duration {
        Duration::from_secs(self.limits.idle_seconds)
    }

    /// The newest state of a job.
    #[must_use]
    pub fn state(&self, job: &str) -> v1::JobState {
        self.journal.state(job)
    }

    /// What each job has disclosed.
    ///
    /// # Errors
    /// [`Reason::StorageFailed`].
    pub fn disclosures(&self) -> Result<Vec<JobDisclosure>, Fault> {
        let stored = self.store.list(self.tables.ledger, "")?;
        Ok(stored
            .into_iter()
            .map(|(_, disclosure)| disclosure)
            .collect())
    }

    /// Where metrics and readiness are looked up; `reach` calls the other platform, where we do.
    #[must_use]
    pub fn observed(&self, role: v1::Role, reach: Option<Reach>) -> Observed {
        let identity = Arc::clone(&self.identity);
        Observed::new(
            role,
            self.store.clone(),
            self.journal.clone(),
            Arc::clone(&self.stocks),
            self.tables.ledger,
            self.data_dir.clone(),
            Box::new(move || identity.own().not_after_unix_s),
            self.sight.clone(),
            reach,
        )
    }

    /// A job's new phase or its end, in the audit log.
    pub fn note_step(&self, job: &str, state: v1::JobState, phase: v1::Phase, message: &str) {
        let kind = match is_terminal(state) {
            true => Kind::End,
            false => Kind::Phase,
        };
        let entry = [
            ("job", job.into()),
            ("state", state.as_str_name().into()),
            ("phase", phase.as_str_name().into()),
            ("message", message.into()),
        ];
        self.audit.note(kind, entry);
    }

    /// The other platform's audit log, as it has shown it.
    #[must_use]
    pub fn peer_log(&self) -> PeerLog<'_> {
        PeerLog::of(self.peer, &self.store)
    }

    /// The other platform's signature over both heads, which is `key`'s.
    ///
    /// # Errors
    /// [`Reason::NotSigned`].
    pub fn read_signature(
        &self,
        meeting: &Meeting,
        key: &PublicKey,
        signature: &[u8],
    ) -> Result<Signature, Fault> {
        let peer = self.peer.name();
        let checked = meeting.check(peer, key, signature);
        let read = checked.ok().and_then(|()| signature.try_into().ok());
        read.ok_or_else(|| {
            let message =
                format!("the {peer} platform's signature over both audit heads is not valid");
            Fault::new(Reason::NotSigned, message).at("job", &meeting.job)
        })
    }

    /// Imports a file of data.
    ///
    /// # Errors
    /// As [`Datasets::import`].
    pub async fn import(
        &self,
        request: Request<Streaming<v1::FileChunk>>,
    ) -> Result<C::Imported, Fault> {
        let who = Caller::name_of(&request);
        self.datasets.import(request.into_inner(), &who).await
    }

    /// Removes a data set.
    ///
    /// # Errors
    /// As [`Datasets::delete`].
    pub fn delete_dataset(
        &self,
        request: Request<v1::DeleteDatasetRequest>,
    ) -> Result<v1::DeleteDatasetResponse, Fault> {
        let who = Caller::name_of(&request);
        let dataset = request.into_inner().dataset;
        self.datasets.delete(&dataset, &who)?;
        Ok(v1::DeleteDatasetResponse { dataset })
    }

    /// What is left of a job's stock, or of all stocks; `known` refuses a job that is not there.
    ///
    /// # Errors
    /// [`Reason::StorageFailed`]; that of `known`.
    pub fn stock_status(
        &self,
        request: Request<v1::StockStatusRequest>,
        known: impl Fn(&str) -> Result<(), Fault>,
    ) -> Result<v1::StockStatusResponse, Fault> {
        let job = request.into_inner().job_id;
        if !job.is_empty() {
            known(&job)?;
        }
        let used = |job: &str| {
            let disclosure: Option<JobDisclosure> = self.store.get(self.tables.ledger, job)?;
            Ok(disclosure.map_or(0, |disclosure| disclosure.opened_columns))
        };
        Ok(self.stocks.status(&self.store, &job, used)?)
    }

    /// Accepts another audit log of the other platform than it has shown before.
    ///
    /// # Errors
    /// As [`PeerLog::accept`].
    pub fn accept_peer_log(
        &self,
        request: Request<v1::AcceptPeerLogRequest>,
    ) -> Result<v1::AcceptPeerLogResponse, Fault> {
        let who = Caller::name_of(&request);
        let log = request.into_inner().log;
        let head = self.peer_log().accept(&self.audit, &log, &who)?;
        Ok(v1::AcceptPeerLogResponse {
            head: Some(head_to_wire(&head)),
        })
    }
}

/// The answer to a call.
///
/// # Errors
/// The refusal, in the words of gRPC.
pub fn answered<T>(answer: Result<T, Fault>) -> Result<Response<T>, Status> {
    Ok(Response::new(answer?))
}
