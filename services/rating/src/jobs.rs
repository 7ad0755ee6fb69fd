//! Proposing, starting and cancelling.

use std::sync::Arc;

use s3rec_node::journal::is_terminal;
use s3rec_node::offer;
use s3rec_node::process::now_unix_ms;
use s3rec_wire::convert::{ALIGNMENT_KEYED_HASH, JobId, Proposal};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::{JobState, Phase};

use crate::imports::{self, blocking};
use crate::plan::{fill_defaults, plan};
use crate::platform::{JOBS, PROPOSALS, Platform, REQUESTS};
use crate::runner;
use crate::session::Session;

/// u_max: factors learnt from ratings of common scales stay far below it.
const SATURATION_BOUND: f64 = 8.0;

/// Makes every protocol exact (design page, section 2).
const GUARD_BITS: u32 = 2;

/// Checks the request against the data, sends the proposal, and stores the job.
pub(crate) async fn propose(
    platform: &Platform,
    mut request: v1::ProposeJobRequest,
) -> Result<v1::ProposeJobResponse, Fault> {
    fill_defaults(&mut request);
    let job = JobId::random();
    let name = job.to_string();
    let message = v1::PeerProposal {
        job_id: name.clone(),
        purpose: request.purpose.clone(),
        model: request.model,
        protocol: request.protocol,
        pattern_policy: request.pattern_policy,
        release_policy: request.release_policy,
        alignment: ALIGNMENT_KEYED_HASH.into(),
        saturation_bound: SATURATION_BOUND,
        guard_bits: GUARD_BITS,
    };
    let proposal = Proposal::from_wire(&message)?;
    offer::check(&proposal)?;

    let open = platform.store.list::<v1::JobSummary>(JOBS, "")?;
    let open = open
        .iter()
        .filter(|(job, _)| !is_terminal(platform.state(job)));
    let open = open.count();
    if open >= platform.limits.open_jobs as usize {
        let message = format!("{open} jobs are open, which is the limit; cancel those not wanted");
        return Err(Fault::new(Reason::LimitExceeded, message));
    }
    request.dataset = imports::assign(platform, &request.dataset, &name)?;
    let ratings = imports::load(platform, &name).await?;
    let checked = request.clone();
    blocking(move || plan(&ratings, &checked).map(drop)).await??;

    let mut session = Session::open(platform).await?;
    let state = session.propose(message.clone()).await?;
    let summary = v1::JobSummary {
        job_id: name.clone(),
        dataset: request.dataset.clone(),
        model: request.model,
        protocol: request.protocol,
        last_event: None,
        created_unix_ms: now_unix_ms(),
        model_id: String::new(),
    };
    platform.store.put(REQUESTS, &name, &request)?;
    platform.store.put(PROPOSALS, &name, &message)?;
    platform.store.put(JOBS, &name, &summary)?;
    platform.record(v1::JobEvent {
        job_id: name.clone(),
        state: JobState::Proposed.into(),
        phase: Phase::Consent.into(),
        rounds: proposal.rounds,
        waiting_for: v1::Role::Social.into(),
        message: "Proposed to the social platform, whose operator decides.".into(),
        ..v1::JobEvent::default()
    })?;
    tracing::info!(%job, "proposed");
    Ok(v1::ProposeJobResponse {
        job_id: name,
        state: state.into(),
    })
}

/// Connects, learns P1's decision, and lets the job run by itself.
pub(crate) async fn start(
    platform: &Arc<Platform>,
    request: v1::StartJobRequest,
) -> Result<v1::StartJobResponse, Fault> {
    let job = JobId::parse("job_id", &request.job_id)?;
    let name = job.to_string();
    platform.request(&name)?;
    let state = platform.state(&name);
    if !matches!(state, JobState::Proposed | JobState::Approved) {
        let message = format!("the job is {}", state.as_str_name());
        return Err(Fault::new(Reason::WrongState, message).at("job", job));
    }
    let place = platform.begin(job)?;
    let mut session = Session::open(platform).await?;
    let lifeline = session.lifeline(job).await?;
    let decision = lifeline.first().await?;
    match decision {
        JobState::Approved => {}
        JobState::Proposed if request.wait_for_approval => {}
        JobState::Proposed => {
            let message = "the social platform's operator has not decided yet";
            return Err(Fault::new(Reason::NotApproved, message).at("job", job));
        }
        _ => {
            let fault = lifeline.broken().await.at("job", job);
            runner::end(platform, job, &fault);
            return Err(fault);
        }
    }
    let begun = runner::Begun {
        platform: Arc::clone(platform),
        job,
        session,
        lifeline,
        place,
    };
    tokio::spawn(runner::run(begun));
    Ok(v1::StartJobResponse {
        state: decision.into(),
    })
}

/// Ends a job: the running one before its next opening, any other at once.
pub(crate) async fn cancel(
    platform: &Platform,
    request: v1::CancelJobRequest,
) -> Result<v1::CancelJobResponse, Fault> {
    let job = JobId::parse("job_id", &request.job_id)?;
    let name = job.to_string();
    platform.request(&name)?;
    let state = platform.state(&name);
    if is_terminal(state) {
        let message = format!("the job is {} already", state.as_str_name());
        return Err(Fault::new(Reason::WrongState, message).at("job", job));
    }
    let why: String = request
        .reason
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
    if !platform.cancel(job, reason.clone()) {
        if let Ok(mut session) = Session::open(platform).await {
            session.abort(job, &why).await;
        }
        runner::end_now(platform, job, &Fault::new(Reason::Cancelled, reason));
    }
    // The running job ends within moments; wait for its word.
    let ended = async {
        while !is_terminal(platform.state(&name)) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let _ = tokio::time::timeout(std::time::Duration::from_secs(10), ended).await;
    Ok(v1::CancelJobResponse {
        state: platform.state(&name).into(),
    })
}
