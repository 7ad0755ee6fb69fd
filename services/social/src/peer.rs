//! The rating platform's calls: each checks its place in the order, works, and on any error
//! ends the job at this side with a reason that both sides' people can read.

use std::pin::Pin;
use std::sync::Arc;

use s3rec_audit::PublicKey;
use s3rec_link::grpc::AnswerStream;
use s3rec_link::{LinkError, Meter};
use s3rec_node::observe;
use s3rec_node::offer::PROTOCOLS;
use s3rec_node::tls::Caller;
use s3rec_node::traces::join_trace;
use s3rec_spmm::MAX_FRAME_BYTES;
use s3rec_wire::PROTOCOL_VERSION;
use s3rec_wire::convert::{JobId, Proposal, protocol_to_wire};
use s3rec_wire::record::Record;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;
use s3rec_wire::v1::peer_server::Peer;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming, async_trait};
use tracing::Instrument;

use crate::platform::Platform;
use crate::{absence, align, ledger, lifeline, meetings, probe, proposals, rounds, setup};

pub(crate) struct PeerService(Arc<Platform>);

impl PeerService {
    pub(crate) fn new(platform: Arc<Platform>) -> Self {
        Self(platform)
    }

    /// Ends the job with a fault of one of its calls, and gives the fault its place.
    fn fail(&self, job: JobId, fault: Fault) -> Fault {
        fail(&self.0, job, fault)
    }
}

/// Ends the job with a fault of one of its calls, and gives the fault its place.
///
/// A fault that only says that the job is not running, or that another job is, ends nothing; a
/// P0 that is away is waited for.
pub(crate) fn fail(platform: &Arc<Platform>, job: JobId, fault: Fault) -> Fault {
    let fault = fault.at("job", job);
    let ends = match fault.reason {
        Reason::Busy | Reason::Superseded => false,
        Reason::PeerVanished | Reason::PeerIdle => {
            absence::suspend(platform, job, &sentence(&fault.message));
            false
        }
        _ => true,
    };
    if ends && platform.slot.running_job() == Some(job) {
        let state = match fault.reason {
            Reason::Cancelled => JobState::Cancelled,
            _ => JobState::Failed,
        };
        if state == JobState::Failed {
            observe::job_failed(fault.reason);
        }
        platform.end(&job.to_string(), state, &fault.advice());
    }
    fault
}

/// The message as a sentence.
fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    let rest = letters.as_str().trim_end_matches('.');
    format!("{}{rest}.", first.unwrap_or_default())
}

/// A failed channel in the peer's eyes: its bytes are blamed on it, not on our operator.
pub(crate) fn blamed(error: LinkError, round: Option<u32>) -> Fault {
    let place = match round {
        Some(round) => format!(" in round {round}"),
        None => " before the first round".into(),
    };
    let mut fault = Fault::from(error);
    fault.message = match fault.reason {
        Reason::PeerVanished => format!("the rating platform vanished{place}: {}", fault.message),
        _ => format!(
            "{}{place} (the rating platform's side of the link)",
            fault.message
        ),
    };
    if let Some(round) = round {
        fault = fault.at("round", round);
    }
    fault
}

fn caller<T>(request: &Request<T>) -> String {
    let caller = request.extensions().get::<Caller>();
    caller.map(|caller| caller.name.clone()).unwrap_or_default()
}

/// The key of P0's signatures, as its certificate names it.
fn rating_key<T>(platform: &Platform, request: &Request<T>) -> Result<PublicKey, Fault> {
    let caller = request.extensions().get::<Caller>();
    let certificate = caller.map_or(&[][..], |caller| &caller.certificate);
    platform.audit.peer(certificate)
}

fn job_of(text: &str) -> Result<JobId, Fault> {
    Ok(JobId::parse("job_id", text)?)
}

#[async_trait]
impl Peer for PeerService {
    async fn hello(
        &self,
        request: Request<v1::HelloRequest>,
    ) -> Result<Response<v1::HelloResponse>, Status> {
        let hello = request.into_inner();
        if hello.protocol_version != PROTOCOL_VERSION {
            let message = format!(
                "the social platform speaks version {PROTOCOL_VERSION} of the conversation, the rating platform {}",
                hello.protocol_version
            );
            return Err(Fault::new(Reason::VersionMismatch, message).into());
        }
        if hello.role() != v1::Role::Rating {
            let fault = Fault::new(Reason::InvalidRequest, "role must be the rating platform's");
            return Err(fault.at("field", "role").into());
        }
        if hello.instance_nonce.len() != self.0.instance_nonce.len() {
            let fault = Fault::new(Reason::InvalidRequest, "instance_nonce must have 16 bytes");
            return Err(fault.at("field", "instance_nonce").into());
        }
        self.0.sight.seen();
        Ok(Response::new(v1::HelloResponse {
            protocol_version: PROTOCOL_VERSION,
            software_version: env!("CARGO_PKG_VERSION").into(),
            role: v1::Role::Social.into(),
            instance_nonce: self.0.instance_nonce.to_vec(),
            max_frame_bytes: u32::try_from(MAX_FRAME_BYTES).unwrap_or(u32::MAX),
            protocols: PROTOCOLS.map(|p| protocol_to_wire(p).into()).to_vec(),
            certificate: self.0.identity.now().material.certificate().to_vec(),
        }))
    }

    async fn propose(
        &self,
        request: Request<v1::PeerProposal>,
    ) -> Result<Response<v1::PeerProposalReceipt>, Status> {
        let peer = caller(&request);
        // Whoever proposes must be able to sign.
        rating_key(&self.0, &request)?;
        let message = request.into_inner();
        let proposal = Proposal::from_wire(&message).map_err(Fault::from)?;
        let state = proposals::receive(&self.0, &proposal, &message, peer)?;
        Ok(Response::new(v1::PeerProposalReceipt {
            job_id: message.job_id,
            state: state.into(),
        }))
    }

    type WatchDecisionStream = Pin<Box<dyn Stream<Item = Result<v1::Decision, Status>> + Send>>;

    async fn watch_decision(
        &self,
        request: Request<v1::WatchDecisionRequest>,
    ) -> Result<Response<Self::WatchDecisionStream>, Status> {
        let job = job_of(&request.into_inner().job_id)?;
        self.0.proposal(&job.to_string())?;
        let decisions = lifeline::open(Arc::clone(&self.0), job);
        Ok(Response::new(Box::pin(decisions)))
    }

    type AlignStream = align::AlignStream;

    async fn align(
        &self,
        request: Request<Streaming<v1::AlignChunk>>,
    ) -> Result<Response<Self::AlignStream>, Status> {
        let peer = caller(&request);
        let answer = align::answer(&self.0, request.into_inner(), peer).await?;
        Ok(Response::new(answer))
    }

    async fn setup(
        &self,
        request: Request<v1::SetupRequest>,
    ) -> Result<Response<v1::SetupResponse>, Status> {
        let request = request.into_inner();
        let job = job_of(&request.job_id)?;
        let received_bytes = request.wire_bytes();
        self.0.slot.refuse_while_away(job)?;
        let taken = self.0.slot.take(job, false)?;
        let meter: Meter = taken.meter.clone();
        meter.received(received_bytes);
        let span = tracing::info_span!("setup", %job);
        join_trace(&span, job);
        let answered = setup::answer(&self.0, job, request, taken);
        let answered = answered.instrument(span).await;
        let response = answered.map_err(|fault| self.fail(job, fault))?;
        meter.sent(response.wire_bytes());
        Ok(Response::new(response))
    }

    type ExchangeStream = AnswerStream;

    async fn exchange(
        &self,
        request: Request<Streaming<v1::ExchangeChunk>>,
    ) -> Result<Response<AnswerStream>, Status> {
        let answer = rounds::answer(&self.0, request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn finish(
        &self,
        request: Request<v1::FinishRequest>,
    ) -> Result<Response<v1::FinishResponse>, Status> {
        let request = request.into_inner();
        let job = job_of(&request.job_id)?;
        // A P0 that did not hear the answer asks again.
        if self.0.state(&job.to_string()) == JobState::Finished {
            let disclosed = self.0.store.get(ledger::DISCLOSURES, &job.to_string());
            let disclosed: Option<v1::Disclosure> = disclosed.map_err(Fault::from)?;
            let openings = disclosed.map_or(0, |disclosed| disclosed.openings);
            return Ok(Response::new(v1::FinishResponse { openings }));
        }
        let openings = self.0.slot.with(job, |running| running.openings)?;
        if openings != request.openings {
            let message = format!(
                "the rating platform counts {} openings, the social platform {openings}",
                request.openings
            );
            return Err(self
                .fail(job, Fault::new(Reason::Contradiction, message))
                .into());
        }
        ledger::compare(&self.0, job, None, request.counters)
            .map_err(|fault| self.fail(job, fault))?;
        let message = format!("The rating platform has its model after {openings} openings.");
        self.0.end(&job.to_string(), JobState::Finished, &message);
        Ok(Response::new(v1::FinishResponse { openings }))
    }

    async fn probe(
        &self,
        request: Request<v1::ProbeRequest>,
    ) -> Result<Response<v1::ProbeResponse>, Status> {
        let answered = probe::answer(&self.0.probes, &request.into_inner())?;
        Ok(Response::new(answered))
    }

    async fn cross_sign(
        &self,
        request: Request<v1::CrossSignRequest>,
    ) -> Result<Response<v1::CrossSignResponse>, Status> {
        let key = rating_key(&self.0, &request)?;
        let request = request.into_inner();
        let job = job_of(&request.job_id)?;
        let answered = meetings::answer(&self.0, &request, &key);
        Ok(Response::new(
            answered.map_err(|fault| self.fail(job, fault))?,
        ))
    }

    async fn abort(
        &self,
        request: Request<v1::AbortRequest>,
    ) -> Result<Response<v1::AbortResponse>, Status> {
        let request = request.into_inner();
        let job = job_of(&request.job_id)?.to_string();
        self.0.proposal(&job)?;
        let reason: String = request
            .reason
            .chars()
            .filter(|c| !c.is_control())
            .take(2000)
            .collect();
        let message = format!("The rating platform ended the job: {reason}");
        self.0.end(&job, JobState::Cancelled, &message);
        let state = self.0.state(&job).into();
        Ok(Response::new(v1::AbortResponse { state }))
    }
}
