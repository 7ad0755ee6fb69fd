//! What all calls share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use s3rec_node::config::{Limits, SocialSettings};
use s3rec_node::journal::{Journal, is_terminal};
use s3rec_node::pki::Pin;
use s3rec_node::stocks::Stocks;
use s3rec_node::store::{Store, StoreError, Table};
use s3rec_wire::convert::Proposal;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;

use crate::session::Slot;

pub(crate) const PROPOSALS: Table = Table("proposals");
pub(crate) const CONSENTS: Table = Table("consents");
pub(crate) const COSTS: Table = Table("costs");

/// The daemon's state.
pub(crate) struct Platform {
    pub(crate) store: Store,
    pub(crate) journal: Journal,
    pub(crate) slot: Slot,
    pub(crate) limits: Limits,
    pub(crate) stocks: Stocks,
    /// Tells a restart to the peer.
    pub(crate) instance_nonce: [u8; 16],
    /// Names of both platforms' keys in stocks: P0's as pinned, and our own.
    pub(crate) rating_pin: Pin,
    pub(crate) own_pin: Pin,
    links_dir: PathBuf,
}

impl Platform {
    /// Opens the store; jobs that ran when the daemon last ended have failed.
    pub(crate) fn open(settings: &SocialSettings, own_pin: Pin) -> Result<Arc<Self>, StoreError> {
        let store = Store::open(&settings.data_dir)?;
        let journal = Journal::open(&store)?;
        let stocks = Stocks::open(&settings.data_dir, &store)?;
        let mut instance_nonce = [0; 16];
        // Without entropy the nonce only fails to tell a restart.
        let _ = getrandom::fill(&mut instance_nonce);
        let platform = Self {
            store,
            journal,
            slot: Slot::default(),
            limits: settings.limits.clone(),
            stocks,
            instance_nonce,
            rating_pin: settings.peer.pin,
            own_pin,
            links_dir: settings.data_dir.join("links"),
        };
        for (job, _) in platform.store.list::<v1::PeerProposal>(PROPOSALS, "")? {
            let Some(last) = platform.journal.last(&job) else {
                continue;
            };
            if last.state() == v1::JobState::Running {
                let message = "This daemon ended while the job ran. Nothing more was opened; \
                               the rating platform must propose the job anew.";
                platform.journal.record(v1::JobEvent {
                    message: message.into(),
                    state: v1::JobState::Failed.into(),
                    ..last
                })?;
            }
        }
        Ok(Arc::new(platform))
    }

    pub(crate) fn links_dir(&self) -> &std::path::Path {
        &self.links_dir
    }

    pub(crate) fn idle_limit(&self) -> Duration {
        Duration::from_secs(self.limits.idle_seconds)
    }

    /// A stored proposal.
    pub(crate) fn proposal(&self, job: &str) -> Result<Proposal, Fault> {
        let message: Option<v1::PeerProposal> = self.store.get(PROPOSALS, job)?;
        let message = message.ok_or_else(|| {
            Fault::new(Reason::NotFound, format!("there is no proposal {job}")).at("job", job)
        })?;
        Ok(Proposal::from_wire(&message)?)
    }

    pub(crate) fn consent(&self, job: &str) -> Result<v1::ProposalSummary, Fault> {
        Ok(self.store.get(CONSENTS, job)?.unwrap_or_default())
    }

    /// The newest state of a job.
    pub(crate) fn state(&self, job: &str) -> v1::JobState {
        self.journal
            .last(job)
            .map_or(v1::JobState::Unspecified, |event| event.state())
    }

    /// Records a new state, unless the job has ended; then the first end stands.
    pub(crate) fn advance(
        &self,
        job: &str,
        state: v1::JobState,
        phase: v1::Phase,
        message: impl Into<String>,
    ) -> Result<(), Fault> {
        let last = self.journal.last(job).unwrap_or_default();
        if is_terminal(last.state()) {
            return Ok(());
        }
        let event = v1::JobEvent {
            job_id: job.into(),
            state: state.into(),
            phase: phase.into(),
            message: message.into(),
            waiting_for: v1::Role::Unspecified.into(),
            ..last
        };
        Ok(self.journal.record(event)?)
    }

    /// Ends the running job of that name, and the job. Never fails: what cannot be stored is
    /// logged, because the job has ended all the same.
    pub(crate) fn end(&self, job: &str, state: v1::JobState, message: &str) {
        let phase = self
            .journal
            .last(job)
            .map_or(v1::Phase::Unspecified, |e| e.phase());
        let running = self.slot.end(job);
        // Keys and shares go with the job, whatever its end is.
        self.stocks.erase(&self.store, job);
        if let Some(running) = &running
            && let Err(error) = crate::ledger::store_cost(self, running)
        {
            tracing::error!(job, "the job's cost is not stored: {error}");
        }
        match state {
            v1::JobState::Failed => tracing::warn!(job, "failed: {message}"),
            _ => tracing::info!(job, "{}: {message}", state.as_str_name()),
        }
        if let Err(error) = self.advance(job, state, phase, message) {
            tracing::error!(job, "the job's end is not stored: {error}");
        }
    }

    /// Ends whatever runs, because the daemon stops.
    pub(crate) fn stop(&self) {
        if let Some(job) = self.slot.running_job() {
            let message =
                "The social platform's daemon was stopped. Propose the job anew when it is up.";
            self.end(&job.to_string(), v1::JobState::Failed, message);
        }
    }
}
