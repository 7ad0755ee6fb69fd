//! What all calls share.

use std::collections::HashSet;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use s3rec_audit::{HeadExchange, Kind, Signature};
use s3rec_cluster::Cluster;
use s3rec_data::ImportedLinks;
use s3rec_job::{Consent, JobEvent, JobState, Overlap, Party, Phase, Proposal};
use s3rec_node::allowance::HourlyAllowance;
use s3rec_node::config::{Limits, SocialSettings};
use s3rec_node::daemon::DaemonError;
use s3rec_node::datasets::Content;
use s3rec_node::pki::CertificateRole;
use s3rec_node::platform::Core;
use s3rec_node::retention::JobTables;
use s3rec_node::spool::Upload;
use s3rec_node::tls::{Caller, Identity};
use s3rec_spmm::noise_first::MachinePace;
use s3rec_wire::status::{Fault, Reason};
use tonic::Request;

use crate::bounds;
use crate::imports::Links;
use crate::policy::{Policy, PolicyError};
use crate::probe::Allowance;
use crate::slot::Slot;
use crate::tables::{APPROVALS, CONSENTS, COSTS, COUNTED, DISCLOSURES, PROPOSALS};
use crate::witnessed_opened::WitnessedOpened;

/// Where what belongs to a job is.
const OF_JOBS: JobTables = JobTables {
    details: &[PROPOSALS, CONSENTS, COSTS, APPROVALS, COUNTED],
    ledger: DISCLOSURES,
    holding: None,
};

/// Proof that nobody else counts.
pub(crate) type Counting<'a> = MutexGuard<'a, ()>;

/// Meetings of the audit logs, and absences from running jobs, that an hour has for each proposal
/// that it may have: more than an honest job needs, and a bound on log and journal.
const HEAD_EXCHANGES_OF_A_PROPOSAL: u32 = 16;
const ABSENCES_OF_A_PROPOSAL: u32 = 4;

fn per_proposal(limits: &Limits, each: u32) -> HourlyAllowance {
    HourlyAllowance::new(limits.proposals_per_hour.saturating_mul(each))
}

/// The daemon's state.
pub(crate) struct Platform {
    core: Core<Links>,
    /// How many proposals the other platform may still make.
    pub(crate) proposing: HourlyAllowance,
    pub(crate) slot: Slot,
    /// What is left of the probes answered in a minute.
    pub(crate) probes: Allowance,
    /// Heads of both audit logs that we have signed and P0 has not yet.
    pub(crate) half_signed: Mutex<Option<(HeadExchange, Signature)>>,
    policy_file: Option<PathBuf>,
    policy: RwLock<Option<Arc<Policy>>>,
    /// Held while somebody decides, so that limits are not used twice.
    deciding: Mutex<()>,
    /// Held from looking at what a job comes to until it is counted, while a job takes its place,
    /// and while it loses it.
    counting: Mutex<()>,
    /// Jobs that are being ended: nothing of theirs begins or leaves any more, though the journal
    /// does not say so yet.
    ending: Mutex<HashSet<String>>,
    /// How many exchanges of the audit logs' heads are still kept, and how often P0 may still be away
    /// from a running job.
    pub(crate) exchanging_heads: HourlyAllowance,
    pub(crate) being_away: HourlyAllowance,
    /// Who was opened of each lineage, as our audit log witnesses it.
    witnessed: Mutex<WitnessedOpened>,
    /// Who computes friends' sums for us, if not this process.
    pub(crate) workers: Option<Arc<Cluster>>,
}

impl Deref for Platform {
    type Target = Core<Links>;

    fn deref(&self) -> &Core<Links> {
        &self.core
    }
}

/// Who is waited for in a state, as far as the state alone tells.
fn awaited(state: JobState) -> Option<Party> {
    match state {
        JobState::Proposed => Some(Party::Social),
        JobState::Approved => Some(Party::Rating),
        _ => None,
    }
}

impl Platform {
    /// Opens the store.
    pub(crate) fn open(
        settings: &SocialSettings,
        identity: Arc<Identity>,
    ) -> Result<Arc<Self>, DaemonError> {
        let policy_file = settings.peer.policy.clone();
        let policy = read_policy(policy_file.as_deref()).map_err(Fault::from)?;
        let core = Core::open(settings, identity, CertificateRole::Social, OF_JOBS)?;
        bounds::all_approve_by_themselves(&core.datasets, policy.as_deref())?;
        let platform = Self {
            proposing: HourlyAllowance::new(settings.limits.proposals_per_hour),
            slot: Slot::new(core.journal.clone(), core.audit.clone()),
            probes: Allowance::default(),
            half_signed: Mutex::default(),
            policy_file,
            policy: RwLock::new(policy),
            deciding: Mutex::default(),
            counting: Mutex::default(),
            ending: Mutex::default(),
            exchanging_heads: per_proposal(&settings.limits, HEAD_EXCHANGES_OF_A_PROPOSAL),
            being_away: per_proposal(&settings.limits, ABSENCES_OF_A_PROPOSAL),
            witnessed: Mutex::default(),
            workers: Cluster::of_platform(settings.workers.as_deref())?,
            core,
        };
        Ok(Arc::new(platform))
    }

    /// What public times of a-parts follow from besides sizes: this machine, measured, but where
    /// workers make them, of whose machines nothing is known here.
    pub(crate) fn pace(&self) -> MachinePace {
        match self.workers {
            Some(_) => MachinePace::STATED,
            None => MachinePace::measured(),
        }
    }

    /// The policy in force.
    pub(crate) fn policy(&self) -> Option<Arc<Policy>> {
        let policy = self.policy.read().unwrap_or_else(PoisonError::into_inner);
        policy.clone()
    }

    /// Reads the policy's file again; a bad one changes nothing.
    pub(crate) fn reload_policy(&self) -> Result<Option<Arc<Policy>>, Fault> {
        let read = read_policy(self.policy_file.as_deref()).map_err(Fault::from)?;
        bounds::all_approve_by_themselves(&self.datasets, read.as_deref())?;
        if let Some(policy) = &read {
            let path = policy.path.display().to_string();
            let text = policy.text.as_str().into();
            let entry = [("path", path.into()), ("text", text)];
            self.audit.record(Kind::Policy, entry)?;
        }
        let mut policy = self.policy.write().unwrap_or_else(PoisonError::into_inner);
        policy.clone_from(&read);
        Ok(read)
    }

    /// Reads a file of links in; not such as a rule of the policy would approve beyond what it states.
    pub(crate) async fn import_links(
        &self,
        request: Request<Upload>,
    ) -> Result<ImportedLinks, Fault> {
        let who = Caller::name_of(&request);
        let policy = self.policy();
        let imported =
            self.datasets
                .import_checked(request.into_inner(), &who, move |header, links| {
                    let found = Links::imported(links, header);
                    bounds::approves_by_itself(policy.as_deref(), &header.dataset, &found)
                });
        imported.await
    }

    /// Pins of P0's certificate, as it was last let through, and of ours.
    pub(crate) fn pins(&self) -> ([u8; 32], [u8; 32]) {
        (
            self.identity.peer_pin().digest(),
            self.identity.own().pin.digest(),
        )
    }

    /// Waits until nobody else decides on a proposal.
    pub(crate) fn deciding(&self) -> MutexGuard<'_, ()> {
        self.deciding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody else counts, or takes or leaves the place of the running job.
    pub(crate) fn counting(&self) -> Counting<'_> {
        self.counting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a job has ended, or is about to.
    ///
    /// # Errors
    /// [`Reason::Cancelled`].
    pub(crate) fn refuse_ended(&self, job: &str) -> Result<(), Fault> {
        if !self.endings().contains(job) && !self.state(job).is_terminal() {
            return Ok(());
        }
        Err(Fault::new(Reason::Cancelled, "the job has ended").at("job", job))
    }

    /// Who was opened, by the audit log.
    pub(crate) fn witnessed(&self) -> MutexGuard<'_, WitnessedOpened> {
        self.witnessed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Jobs that are being ended.
    pub(crate) fn endings(&self) -> MutexGuard<'_, HashSet<String>> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stored proposal.
    pub(crate) fn proposal(&self, job: &str) -> Result<Proposal, Fault> {
        let proposal: Option<Proposal> = self.store.get(PROPOSALS, job)?;
        proposal.ok_or_else(|| Fault::no_job(job))
    }

    pub(crate) fn consent(&self, job: &str) -> Result<Consent, Fault> {
        let consent: Option<Consent> = self.store.get(CONSENTS, job)?;
        consent.ok_or_else(|| Fault::no_job(job))
    }

    /// Records a new state, unless the job has ended; then the first end stands.
    pub(crate) fn advance(
        &self,
        job: &str,
        state: JobState,
        phase: Phase,
        message: impl Into<String>,
    ) -> Result<(), Fault> {
        let last = self.journal.last(job).unwrap_or_default();
        if last.state.is_terminal() {
            return Ok(());
        }
        let message = message.into();
        if (last.state, last.phase) != (state, Some(phase)) {
            self.note_step(job, state, Some(phase), &message);
        }
        let event = JobEvent {
            job: job.into(),
            state,
            phase: Some(phase),
            message,
            waiting_for: awaited(state),
            phase_progress: 0.0,
            ..last
        };
        Ok(self.journal.record(event)?)
    }

    /// Tells watchers how far a phase is; nothing is stored.
    pub(crate) fn notify_progress(&self, job: &str, phase: Phase, share: f64) {
        let last = self.journal.last(job).unwrap_or_default();
        if !last.state.is_terminal() {
            self.journal.notify(JobEvent {
                phase: Some(phase),
                phase_progress: share,
                ..last
            });
        }
    }

    /// Records how many users both platforms have, before anything is computed on them.
    pub(crate) fn record_overlap(
        &self,
        job: &str,
        overlap: Overlap,
        message: String,
    ) -> Result<(), Fault> {
        let last = self.journal.last(job).unwrap_or_default();
        if last.state.is_terminal() {
            return Ok(());
        }
        Ok(self.journal.record(JobEvent {
            overlap: Some(overlap),
            phase_progress: 1.0,
            message,
            ..last
        })?)
    }
}

fn read_policy(file: Option<&std::path::Path>) -> Result<Option<Arc<Policy>>, PolicyError> {
    let policy = file.map(Policy::read).transpose()?;
    Ok(policy.map(Arc::new))
}
