//! Proposing, starting and cancelling.

use std::sync::Arc;

use s3rec_audit::Kind;
use s3rec_job::{JobEvent, JobId, JobRecord, JobRequest, JobState, ModelRecord, Party, Phase};
use s3rec_node::datasets::JobCopy;
use s3rec_node::offer;
use s3rec_node::process::now_unix_ms;
use s3rec_node::rows::Row;
use s3rec_node::versions::binding;
use s3rec_spmm::ReleasePolicy;
use s3rec_wire::convert::{job_id, proposal_from_wire, proposal_to_wire};
use s3rec_wire::record::Record;
use s3rec_wire::status::{Fault, Reason};

use crate::connection::PeerConnection;
use crate::friends_sides::Choosing;
use crate::imports::blocking;
use crate::offered::Offered;
use crate::plan::plan;
use crate::platform::Platform;
use crate::tables::{JOBS, MODELS, PROPOSALS, STARTED};
use crate::{consent, ending, factors, runner};

/// A job that was proposed.
pub(crate) struct Proposed {
    pub(crate) job: String,
    pub(crate) state: JobState,
    /// Why it was rejected at once, where it was.
    pub(crate) reason: String,
}

/// Checks the request against the data, sends the proposal, and stores the job; not, where
/// `once`, one that an open job asks for already.
pub(crate) async fn propose(
    platform: &Platform,
    mut request: JobRequest,
    once: bool,
) -> Result<Proposed, Fault> {
    platform.refuse_unreconciled()?;
    let job = JobId::random();
    let name = job.to_string();
    let dataset = platform.datasets.choose(&request.dataset)?;
    request.dataset = dataset.to_string();
    if once {
        refuse_repeated(platform, &request)?;
    }
    // Until the proposal stands, whatever ends this takes the copy back.
    let copy = platform.datasets.copy(&dataset, job)?;
    let users = platform.datasets.imported(dataset.as_str())?.report.users;
    let ratings = platform.datasets.load(&name).await?;
    // How many users a release opens, at most, is part of what is consented to.
    let mut release = request.release;
    if let ReleasePolicy::Friends(friends) = &mut release {
        let choosing = Choosing::of(platform, &copy.version.lineage)?;
        friends.most_opened = choosing.count(&ratings, friends);
    }
    let with = (&ratings, copy.id_rule);
    let own = factors::copy(&platform.factors, &request.factors, job, with).await?;
    let factors = own.as_ref().map(|own| binding(&own.version)).transpose()?;
    let offered = Offered {
        job,
        request: &request,
        release,
        id_rule: copy.id_rule.name(),
        version: &copy.version,
        users: users as u64,
        factors_commitment: factors.map(|(commitment, _)| commitment),
    };
    let proposal = offered.proposal()?;
    let message = proposal_to_wire(&proposal);
    // As P1 will read it.
    let proposal = proposal_from_wire(&message)?;
    offer::check(&proposal)?;

    let open = platform.journal.open_jobs().len();
    if open >= platform.limits.open_jobs as usize {
        let message = format!("{open} jobs are open, which is the limit; cancel those not wanted");
        return Err(Fault::new(Reason::LimitExceeded, message));
    }
    let checked = request.clone();
    blocking(move || plan(&ratings, &checked).map(drop)).await??;

    let mut connection = PeerConnection::open(platform).await?;
    let entry = [
        ("job", name.as_str().into()),
        ("peer", connection.peer.as_str().into()),
        ("proposal", message.to_record().into()),
    ];
    platform.audit.record(Kind::Proposal, entry)?;
    let state = connection.propose(message.clone()).await?;
    let record = JobRecord {
        created_unix_ms: now_unix_ms(),
        request: Some(request),
    };
    let stored = platform.store.put_all(&[
        (PROPOSALS, &name, proposal.to_row()),
        (JOBS, &name, record.to_row()),
    ]);
    let stored = stored.map_err(Fault::from).and_then(|()| {
        platform.record(JobEvent {
            job: name.clone(),
            state: JobState::Proposed,
            phase: Some(Phase::Consent),
            rounds: proposal.rounds,
            waiting_for: Some(Party::Social),
            message: "Proposed to the social platform, whose operator decides.".into(),
            ..JobEvent::default()
        })
    });
    if let Err(fault) = stored {
        connection.abort(job, &fault.message).await;
        return Err(fault);
    }
    copy.keep();
    own.into_iter().for_each(JobCopy::keep);
    tracing::info!(%job, "proposed");
    let mut reason = String::new();
    if state == JobState::Rejected {
        // At once, by a policy: why stands in the first notice of the lifeline.
        let fault = connection.lifeline(job).await?.broken().await;
        ending::end(platform, job, &fault);
        reason = fault.message;
    }
    Ok(Proposed {
        job: name,
        state,
        reason,
    })
}

/// Refuses what an open job asks for already.
fn refuse_repeated(platform: &Platform, request: &JobRequest) -> Result<(), Fault> {
    for open in platform.journal.open_jobs() {
        let mut same = platform.request(&open)?;
        same.expires_unix_ms = request.expires_unix_ms;
        if same == *request {
            let state = platform.state(&open).name();
            let message = format!("the job {open}, which is {state}, asks for the same");
            return Err(Fault::new(Reason::AlreadyProposed, message).at("job", open));
        }
    }
    Ok(())
}

/// Connects, learns P1's decision, and lets the job run by itself. One that waits for the decision
/// already goes on waiting.
pub(crate) async fn start(
    platform: &Arc<Platform>,
    job: &str,
    waits_for_approval: bool,
) -> Result<JobState, Fault> {
    let (job, name) = known(platform, job)?;
    let state = platform.state(&name);
    if !matches!(state, JobState::Proposed | JobState::Approved) {
        let last = platform.journal.last(&name).unwrap_or_default();
        let message = format!("the job is {}: {}", state.name(), last.message);
        return Err(Fault::new(Reason::WrongState, message).at("job", job));
    }
    platform.refuse_unreconciled()?;
    if waits_for_approval && platform.has_begun(job) && platform.begins_by_itself(&name)? {
        return Ok(state);
    }
    let place = platform.begin(job)?;
    // From here on nobody else opens a lifeline of the job.
    drop(platform.deciding.lock().await);
    let mut connection = PeerConnection::open(platform).await?;
    let lifeline = connection.lifeline(job).await?;
    let decision = lifeline.first().await?;
    match decision {
        JobState::Approved => {
            if let Err(fault) = consent::refuse_expired(&lifeline.approval()) {
                ending::end(platform, job, &fault);
                connection.abort(job, &fault.message).await;
                return Err(fault.at("job", job));
            }
        }
        JobState::Proposed if waits_for_approval => {}
        JobState::Proposed => {
            let message = "the social platform's operator has not decided yet";
            return Err(Fault::new(Reason::NotApproved, message).at("job", job));
        }
        _ => {
            let fault = lifeline.broken().await.at("job", job);
            ending::end(platform, job, &fault);
            return Err(fault);
        }
    }
    platform.store.put_all(&[(STARTED, &name, Vec::new())])?;
    let begun = runner::Begun {
        platform: Arc::clone(platform),
        job,
        place,
        connected: Some((connection, lifeline)),
    };
    tokio::spawn(runner::run(begun));
    Ok(decision)
}

/// A job that was proposed here; a name that is no job's is not found, whatever its form.
fn known(platform: &Platform, name: &str) -> Result<(JobId, String), Fault> {
    platform.known(name)?;
    Ok((job_id("job_id", name)?, name.to_owned()))
}

/// Goes on with the job that was started before this daemon's start.
pub(crate) fn take_up(platform: &Arc<Platform>) -> Result<(), Fault> {
    let Some(job) = platform.started()? else {
        return Ok(());
    };
    tracing::info!(%job, "going on");
    let begun = runner::Begun {
        platform: Arc::clone(platform),
        job,
        place: platform.begin(job)?,
        connected: None,
    };
    tokio::spawn(runner::run(begun));
    Ok(())
}

/// Ends a job: the running one before its next opening, any other at once.
pub(crate) async fn cancel(
    platform: &Platform,
    job: &str,
    reason: &str,
) -> Result<JobState, Fault> {
    let (job, name) = known(platform, job)?;
    let state = platform.state(&name);
    if state.is_terminal() {
        let message = format!("the job is {} already", state.name());
        return Err(Fault::new(Reason::WrongState, message).at("job", job));
    }
    let why: String = reason
        .chars()
        .filter(|c| !c.is_control())
        .take(500)
        .collect();
    let why = if why.is_empty() {
        "no reason was given".into()
    } else {
        why
    };
    let reason = format!("the rating platform's operator cancelled the job: {why}");
    let deciding = platform.deciding.lock().await;
    if !platform.cancel(job, reason.clone()) {
        runner::notify_peer(platform, job, &why).await;
        ending::end_now(platform, job, &Fault::new(Reason::Cancelled, reason));
    }
    drop(deciding);
    // The running job ends within moments; wait for its event.
    let ended = async {
        while !platform.state(&name).is_terminal() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let _ = tokio::time::timeout(std::time::Duration::from_secs(10), ended).await;
    Ok(platform.state(&name))
}

/// Deletes the details of an ended job, whose model is gone too.
pub(crate) fn delete(platform: &Platform, job: &str, who: &str) -> Result<(), Fault> {
    platform.known(job)?;
    let model: Option<ModelRecord> = platform.store.get(MODELS, job)?;
    if model.is_some() && !platform.journal.is_open(job) {
        let message = format!("the model of the job {job} is there");
        let fault = Fault::new(Reason::WrongState, message).at("job", job);
        return Err(fault.remedied_by(format!(
            "Delete the model first: s3rec rating models delete {job}"
        )));
    }
    platform.ended.delete(job, who)?;
    platform.datasets.release(job);
    Ok(())
}
