//! What the daemons of both platforms hold.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use s3rec_audit::{HeadExchange, Kind, PublicKey, Signature};
use s3rec_job::{JobDisclosure, JobState, Party, Phase};
use s3rec_wire::convert::{phase_name, state_name};
use s3rec_wire::status::{Fault, Reason};
use tokio::sync::watch;

use crate::audit::{Audit, PeerLog};
use crate::backup;
use crate::config::{Limits, Settings};
use crate::daemon::DaemonError;
use crate::datasets::{Content, Datasets};
use crate::journal::Journal;
use crate::observe::{Observed, PeerSight, Reach};
use crate::pki::CertificateRole;
use crate::process::fresh_nonce;
use crate::retention::{self, EndedJobs, JobTables};
use crate::stocks::Stocks;
use crate::store::Store;
use crate::tls::Identity;

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
    pub(crate) tables: JobTables,
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
        backup::make::sweep(data_dir)?;
        let journal = Journal::open(&store)?;
        // What is on disk of a running job outlives a start of the daemon.
        let goes_on = |job: &str| journal.state(job) == JobState::Running;
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
    pub fn state(&self, job: &str) -> JobState {
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
    pub fn observed(&self, party: Party, reach: Option<Reach>) -> Observed {
        let identity = Arc::clone(&self.identity);
        Observed::new(
            party,
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
    pub fn note_step(&self, job: &str, state: JobState, phase: Option<Phase>, message: &str) {
        let kind = match state.is_terminal() {
            true => Kind::End,
            false => Kind::Phase,
        };
        let entry = [
            ("job", job.into()),
            ("state", state_name(state).into()),
            ("phase", phase_name(phase).into()),
            ("message", message.into()),
        ];
        self.audit.note(kind, entry);
    }

    /// Whose daemon this is.
    #[must_use]
    pub fn role(&self) -> CertificateRole {
        match self.peer {
            CertificateRole::Rating => CertificateRole::Social,
            _ => CertificateRole::Rating,
        }
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
        heads: &HeadExchange,
        key: &PublicKey,
        signature: &[u8],
    ) -> Result<Signature, Fault> {
        let peer = self.peer.name();
        let checked = heads.check(peer, key, signature);
        let read = checked.ok().and_then(|()| signature.try_into().ok());
        read.ok_or_else(|| {
            let message =
                format!("the {peer} platform's signature over both audit heads is not valid");
            Fault::new(Reason::NotSigned, message).at("job", &heads.job)
        })
    }
}
