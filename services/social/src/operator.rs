//! The verbs of the people at the social platform.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use s3rec_audit::Kind;
use s3rec_job::{Account, Consent, JobCost, JobState, Phase};
use s3rec_node::datasets::parts::USERS;
use s3rec_node::tls::Caller;
use s3rec_node::verbs::{
    BackupStream, WatchStream, answered, backed_up, entries_to_wire, entry_to_wire, stated_since,
    watched,
};
use s3rec_sparse::BoundsRule;
use s3rec_wire::convert::{
    account_to_wire, disclosure_to_wire, event_to_wire, file_header_to_wire,
    imported_links_to_wire, job_cost_to_wire, job_id, proposal_to_wire, state_name, state_to_wire,
};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::social_platform_server::SocialPlatform;
use tonic::{Request, Response, Status, Streaming, async_trait};

use crate::bounds::Given;
use crate::budgets::{Budget, Limit};
use crate::platform::Platform;
use crate::policy::{Policy, Verdict};
use crate::tables::{CONSENTS, COSTS};
use crate::{approval, budgets, consent, ledger, reconcile};

/// Longest reason that people read, bytes.
const MAX_REASON_BYTES: usize = 2000;

pub(crate) struct OperatorService(Arc<Platform>);

impl OperatorService {
    pub(crate) fn new(platform: Arc<Platform>) -> Self {
        Self(platform)
    }

    /// Adds where a proposal stands, what its peer was shown before, and what is left.
    fn with_accounts(
        &self,
        job: &str,
        consent: Consent,
        accounts: &[Account],
    ) -> v1::ProposalSummary {
        let proposal = self.0.proposal(job);
        let mut warnings = match &proposal {
            Ok(proposal) => consent::warnings(proposal),
            Err(fault) => vec![fault.message.clone()],
        };
        warnings.extend(self.not_listed(job));
        // And what has shown itself since it was proposed.
        for shown_since in consent.warnings {
            if !warnings.contains(&shown_since) {
                warnings.push(shown_since);
            }
        }
        if let Some(warning) = ledger::of_other_names(accounts) {
            warnings.push(warning);
        }
        let is_asked = self.0.state(job) == JobState::Proposed && self.0.policy().is_some();
        let budgets = match &proposal {
            Ok(proposal) if self.0.state(job) == JobState::Proposed => {
                budgets::of(&self.0, &consent.peer, Some(proposal)).unwrap_or_default()
            }
            _ => Vec::new(),
        };
        let asked = proposal.as_ref().ok().map(proposal_to_wire);
        let judged = match is_asked {
            true => proposal.and_then(|asked| approval::verdict(&self.0, job, &asked).map(Some)),
            false => Ok(None),
        };
        let policy = match judged {
            Ok(Some(Verdict::Deny { why })) => format!("denies: {why}"),
            Ok(Some(_)) => "allows it; people decide".into(),
            Err(fault) => fault.message,
            Ok(None) => String::new(),
        };
        let asked = asked.unwrap_or_default();
        v1::ProposalSummary {
            job_id: job.into(),
            peer: consent.peer,
            purpose: asked.purpose,
            model: asked.model,
            protocol: asked.protocol,
            pattern_policy: asked.pattern_policy,
            release_policy: asked.release_policy,
            last_event: self.0.journal.last(job).map(event_to_wire),
            created_unix_ms: consent.created_unix_ms,
            warnings,
            dataset: consent.dataset,
            accounts: accounts.iter().map(account_to_wire).collect(),
            policy,
            budgets: budgets.iter().map(budget_to_wire).collect(),
            expires_unix_ms: asked.expires_unix_ms,
        }
    }

    /// What a data set without a list of users shows by its users alone.
    fn not_listed(&self, job: &str) -> Option<String> {
        let datasets = &self.0.datasets;
        let decided = self.0.consent(job).map(|consent| consent.dataset);
        let lacking = match decided {
            Ok(dataset) if !dataset.is_empty() => {
                let header = datasets.header_for(job).ok()?;
                let is_listed = header.parts.iter().any(|part| part.kind == USERS);
                if is_listed { Vec::new() } else { vec![dataset] }
            }
            _ => datasets.lacking(USERS).ok()?,
        };
        (!lacking.is_empty()).then(|| consent::not_listed(&lacking))
    }

    /// Decides on a proposal that waits for it.
    fn decide(&self, job: &str, state: JobState, message: &str, who: &str) -> Result<i32, Fault> {
        let _one_at_a_time = self.0.deciding();
        self.0.proposal(job)?;
        let current = self.0.state(job);
        if current == state {
            return Ok(state_to_wire(state).into());
        }
        if current != JobState::Proposed {
            let message = format!("the proposal is {} already", current.name());
            return Err(Fault::new(Reason::WrongState, message).at("job", job));
        }
        let entry = [
            ("job", job.into()),
            ("decision", state_name(state).into()),
            ("by", who.into()),
            ("reason", message.into()),
        ];
        self.0.audit.record(Kind::Decision, entry)?;
        self.0.advance(job, state, Phase::Consent, message)?;
        tracing::info!(job, "{}", state_name(state));
        Ok(state_to_wire(state).into())
    }
}

fn budget_to_wire((dataset, budget): &(String, Budget)) -> v1::Budget {
    let limit = match budget.limit {
        Limit::Columns => v1::Limit::Columns,
        Limit::Values => v1::Limit::Values,
        Limit::Uploads => v1::Limit::Uploads,
        Limit::Rho => v1::Limit::Rho,
        Limit::Epsilon => v1::Limit::Epsilon,
        Limit::Mu => v1::Limit::Mu,
        Limit::Intersections => v1::Limit::Intersections,
        Limit::IdsAsked => v1::Limit::IdsAsked,
    };
    v1::Budget {
        dataset: dataset.clone(),
        limit: limit.into(),
        spent: budget.spent,
        planned: budget.planned,
        most: budget.most,
    }
}

/// This platform has no other data sets.
fn of_links(kind: &str) -> Result<(), Fault> {
    if kind.is_empty() {
        return Ok(());
    }
    let message = format!("{kind:?} is no kind of data set here; leave it out");
    Err(Fault::new(Reason::InvalidRequest, message).at("field", "kind"))
}

/// What an approval states of the links.
fn given(request: &v1::ApproveProposalRequest) -> Result<Given, Fault> {
    let rule = match request.bounds_rule() {
        v1::BoundsRule::Stated => Some(BoundsRule::Stated),
        v1::BoundsRule::Ladder => Some(BoundsRule::Ladder),
        v1::BoundsRule::Unspecified if request.bounds_rule == 0 => None,
        v1::BoundsRule::Unspecified => {
            let message = "bounds_rule is none that this version knows";
            return Err(Fault::new(Reason::InvalidRequest, message).at("field", "bounds_rule"));
        }
    };
    Ok(Given {
        degree: Some(request.degree_bound).filter(|bound| *bound > 0),
        links: Some(request.links_bound).filter(|bound| *bound > 0),
        rule,
    })
}

fn shown(policy: Option<&Policy>) -> v1::PolicyResponse {
    policy.map_or_else(v1::PolicyResponse::default, |policy| v1::PolicyResponse {
        path: policy.path.display().to_string(),
        text: policy.text.clone(),
        loaded_unix_ms: policy.loaded_unix_ms,
    })
}

fn reason(text: &str, otherwise: &str) -> Result<String, Fault> {
    if text.len() > MAX_REASON_BYTES || text.chars().any(|c| c.is_control() && c != '\n') {
        let message = "a reason is at most 2000 bytes of text without control characters";
        return Err(Fault::new(Reason::InvalidRequest, message).at("field", "reason"));
    }
    Ok(if text.is_empty() { otherwise } else { text }.into())
}

#[async_trait]
impl SocialPlatform for OperatorService {
    async fn import_links(
        &self,
        request: Request<Streaming<v1::FileChunk>>,
    ) -> Result<Response<v1::ImportLinksResponse>, Status> {
        let imported = self.0.import_links(request).await;
        answered(imported.map(imported_links_to_wire))
    }

    async fn list_proposals(
        &self,
        request: Request<v1::ListProposalsRequest>,
    ) -> Result<Response<v1::ListProposalsResponse>, Status> {
        let pending_only = request.into_inner().pending_only;
        let consents = self.0.store.list::<Consent>(CONSENTS, "");
        let consents = consents.map_err(Fault::from)?.into_iter();
        let listed =
            consents.filter(|(job, _)| !pending_only || self.0.state(job) == JobState::Proposed);
        // The same for all of one peer, and every one of them reads the whole ledger.
        let mut accounts: BTreeMap<String, Vec<Account>> = BTreeMap::new();
        let mut proposals = Vec::new();
        for (job, consent) in listed {
            let of_peer = match accounts.entry(consent.peer.clone()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let of_peer = ledger::accounts(&self.0, &consent.peer);
                    new.insert(of_peer.unwrap_or_default())
                }
            };
            proposals.push(self.with_accounts(&job, consent, of_peer));
        }
        proposals.sort_by_key(|proposal| proposal.created_unix_ms);
        Ok(Response::new(v1::ListProposalsResponse { proposals }))
    }

    async fn approve_proposal(
        &self,
        request: Request<v1::ApproveProposalRequest>,
    ) -> Result<Response<v1::ApproveProposalResponse>, Status> {
        let who = Caller::name_of(&request);
        let request = request.into_inner();
        let job = &request.job_id;
        self.0.proposal(job)?;
        let dataset = self.0.datasets.choose(&request.dataset)?.to_string();
        match self.0.state(job) {
            JobState::Approved if self.0.consent(job)?.dataset == dataset => {}
            JobState::Approved => {
                let message = "the proposal was decided with another data set";
                return Err(Fault::new(Reason::WrongState, message).into());
            }
            _ => {
                let given = given(&request)?;
                let end = request.expires_unix_ms;
                approval::give(&self.0, job, &dataset, end, given, &who)?;
            }
        }
        let state = state_to_wire(self.0.state(job)).into();
        Ok(Response::new(v1::ApproveProposalResponse { state }))
    }

    async fn reject_proposal(
        &self,
        request: Request<v1::RejectProposalRequest>,
    ) -> Result<Response<v1::RejectProposalResponse>, Status> {
        let who = Caller::name_of(&request);
        let request = request.into_inner();
        let reason = reason(
            &request.reason,
            "Rejected by the social platform without a reason.",
        )?;
        let state = self.decide(&request.job_id, JobState::Rejected, &reason, &who)?;
        Ok(Response::new(v1::RejectProposalResponse { state }))
    }

    async fn revoke_approval(
        &self,
        request: Request<v1::RevokeApprovalRequest>,
    ) -> Result<Response<v1::RevokeApprovalResponse>, Status> {
        let who = Caller::name_of(&request);
        let request = request.into_inner();
        self.0.proposal(&request.job_id)?;
        let why = reason(&request.reason, "no reason was given")?;
        let current = self.0.state(&request.job_id);
        if !matches!(
            current,
            JobState::Approved | JobState::Running | JobState::Cancelled
        ) {
            let message = format!(
                "there is no approval to revoke: the job is {}",
                state_name(current)
            );
            return Err(Fault::new(Reason::WrongState, message)
                .at("job", &request.job_id)
                .into());
        }
        let entry = [
            ("job", request.job_id.as_str().into()),
            ("decision", "revoked".into()),
            ("by", who.into()),
            ("reason", why.as_str().into()),
        ];
        // Taking back must not fail because the log does.
        self.0.audit.note(Kind::Decision, entry);
        let message = format!("The social platform took its consent back: {why}");
        self.0.end(&request.job_id, JobState::Cancelled, &message);
        let state = state_to_wire(self.0.state(&request.job_id)).into();
        Ok(Response::new(v1::RevokeApprovalResponse { state }))
    }

    type WatchProposalStream = WatchStream;

    async fn watch_proposal(
        &self,
        request: Request<v1::WatchProposalRequest>,
    ) -> Result<Response<WatchStream>, Status> {
        let job = request.into_inner().job_id;
        self.0.consent(&job)?;
        let events = self.0.journal.watch(&job).map_err(Fault::from)?;
        Ok(watched(events))
    }

    async fn list_disclosures(
        &self,
        _: Request<v1::ListSocialDisclosuresRequest>,
    ) -> Result<Response<v1::ListSocialDisclosuresResponse>, Status> {
        let disclosures = self.0.disclosures()?;
        // One rating platform, whatever its certificates were called; the newest name selects
        // the rules that hold now.
        let newest = disclosures.iter().max_by_key(|shown| shown.updated_unix_ms);
        let (accounts, budgets) = match newest {
            Some(newest) => (
                ledger::accounts(&self.0, &newest.peer)?,
                budgets::of(&self.0, &newest.peer, None)?,
            ),
            None => Default::default(),
        };
        Ok(Response::new(v1::ListSocialDisclosuresResponse {
            disclosures: disclosures.iter().map(disclosure_to_wire).collect(),
            accounts: accounts.iter().map(account_to_wire).collect(),
            budgets: budgets.iter().map(budget_to_wire).collect(),
        }))
    }

    async fn show_policy(
        &self,
        _: Request<v1::PolicyRequest>,
    ) -> Result<Response<v1::PolicyResponse>, Status> {
        Ok(Response::new(shown(self.0.policy().as_deref())))
    }

    async fn reload_policy(
        &self,
        _: Request<v1::PolicyRequest>,
    ) -> Result<Response<v1::PolicyResponse>, Status> {
        let policy = self.0.reload_policy()?;
        Ok(Response::new(shown(policy.as_deref())))
    }

    async fn stock_status(
        &self,
        request: Request<v1::StockStatusRequest>,
    ) -> Result<Response<v1::StockStatusResponse>, Status> {
        let known = |job: &str| self.0.proposal(job).map(drop);
        answered(self.0.stock_status(request, known))
    }

    async fn job_cost(
        &self,
        request: Request<v1::JobCostRequest>,
    ) -> Result<Response<v1::JobCostResponse>, Status> {
        let job = request.into_inner().job_id;
        self.0.proposal(&job)?;
        let stored: Option<JobCost> = self.0.store.get(COSTS, &job).map_err(Fault::from)?;
        let running = job_id("job_id", &job)
            .map_err(Fault::from)
            .and_then(|id| self.0.slot.with(id, |running| ledger::cost_of(running)));
        let cost = running.ok().or(stored).ok_or_else(|| {
            Fault::new(
                Reason::WrongState,
                "the job has not begun, so it has cost nothing",
            )
        })?;
        Ok(Response::new(job_cost_to_wire(job, &cost)))
    }

    async fn list_datasets(
        &self,
        request: Request<v1::ListDatasetsRequest>,
    ) -> Result<Response<v1::ListDatasetsResponse>, Status> {
        of_links(&request.get_ref().kind)?;
        answered(self.0.datasets.list().map(entries_to_wire))
    }

    async fn show_dataset(
        &self,
        request: Request<v1::ShowDatasetRequest>,
    ) -> Result<Response<v1::ShowLinksResponse>, Status> {
        of_links(&request.get_ref().kind)?;
        let shown = self.0.datasets.show(&request.into_inner().dataset)?;
        Ok(Response::new(v1::ShowLinksResponse {
            dataset: Some(entry_to_wire(shown.dataset)),
            imported: Some(imported_links_to_wire(shown.imported)),
            header: Some(file_header_to_wire(&shown.header)),
        }))
    }

    async fn delete_dataset(
        &self,
        request: Request<v1::DeleteDatasetRequest>,
    ) -> Result<Response<v1::DeleteDatasetResponse>, Status> {
        of_links(&request.get_ref().kind)?;
        answered(self.0.delete_dataset(request))
    }

    async fn delete_job(
        &self,
        request: Request<v1::DeleteJobRequest>,
    ) -> Result<Response<v1::DeleteJobResponse>, Status> {
        let who = Caller::name_of(&request);
        let job_id = request.into_inner().job_id;
        self.0.consent(&job_id)?;
        self.0.ended.delete(&job_id, &who)?;
        Ok(Response::new(v1::DeleteJobResponse { job_id }))
    }

    async fn accept_peer_log(
        &self,
        request: Request<v1::AcceptPeerLogRequest>,
    ) -> Result<Response<v1::AcceptPeerLogResponse>, Status> {
        answered(self.0.accept_peer_log(request))
    }

    type BackupStream = BackupStream;

    async fn backup(
        &self,
        request: Request<v1::BackupRequest>,
    ) -> Result<Response<BackupStream>, Status> {
        let (platform, who) = (Arc::clone(&self.0), Caller::name_of(&request));
        backed_up(move || platform.back_up(&[&platform.datasets], &[], &who)).await
    }

    async fn reconcile(
        &self,
        request: Request<v1::ReconcileRequest>,
    ) -> Result<Response<v1::ReconcileResponse>, Status> {
        let who = Caller::name_of(&request);
        let stated = stated_since(request.into_inner())?;
        let jobs = reconcile::reconcile(&self.0, &stated, &who)?;
        Ok(Response::new(v1::ReconcileResponse { jobs }))
    }
}
