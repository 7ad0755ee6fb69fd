//! The rating platform's calls: each checks its place in the order, works, and on any error
//! ends the job at this side with a reason that both sides' people can read.

use std::pin::Pin;
use std::sync::Arc;

use s3rec_audit::PublicKey;
use s3rec_job::{JobDisclosure, JobId, JobState, number_format};
use s3rec_link::Meter;
use s3rec_link::grpc::AnswerStream;
use s3rec_node::offer::PROTOCOLS;
use s3rec_node::tls::Caller;
use s3rec_node::traces::join_trace;
use s3rec_spmm::MAX_FRAME_BYTES;
use s3rec_wire::PROTOCOL_VERSION;
use s3rec_wire::convert::{
    counters_from_wire, job_id, proposal_from_wire, protocol_to_wire, state_to_wire,
};
use s3rec_wire::record::Record;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::peer_server::Peer;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming, async_trait};
use tracing::Instrument;

use crate::absence::fail;
use crate::align::AlignStream;
use crate::faults::outward;
use crate::platform::Platform;
use crate::tables::DISCLOSURES;
use crate::{align, head_exchange, ledger, lifeline, probe, proposals, rounds, setup};

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

/// P0's name, by its certificate.
fn caller<T>(request: &Request<T>) -> Result<String, Fault> {
    let caller = request.extensions().get::<Caller>();
    let caller = caller.ok_or_else(|| Fault::new(Reason::NoCertificate, "nobody has called"))?;
    Ok(caller.name.clone())
}

/// The key of P0's signatures, as its certificate names it.
fn rating_key<T>(platform: &Platform, request: &Request<T>) -> Result<PublicKey, Fault> {
    let caller = request.extensions().get::<Caller>();
    let caller = caller.ok_or_else(|| Fault::new(Reason::NoCertificate, "nobody has called"))?;
    platform.audit.peer(&caller.certificate)
}

fn respond<T>(answer: Result<T, Fault>) -> Result<Response<T>, Status> {
    answer.map(Response::new).map_err(outward)
}

fn job_of(text: &str) -> Result<JobId, Fault> {
    Ok(job_id("job_id", text)?)
}

/// The calls, before their faults are made fit to leave.
impl PeerService {
    async fn take_hello(
        &self,
        request: Request<v1::HelloRequest>,
    ) -> Result<v1::HelloResponse, Fault> {
        let hello = request.into_inner();
        if hello.protocol_version != PROTOCOL_VERSION {
            let message = format!(
                "the social platform speaks version {PROTOCOL_VERSION} of the conversation, the rating platform {}",
                hello.protocol_version
            );
            return Err(Fault::new(Reason::VersionMismatch, message));
        }
        if hello.role() != v1::Role::Rating {
            let fault = Fault::new(Reason::InvalidRequest, "role must be the rating platform's");
            return Err(fault.at("field", "role"));
        }
        if hello.instance_nonce.len() != self.0.instance_nonce.len() {
            let fault = Fault::new(Reason::InvalidRequest, "instance_nonce must have 16 bytes");
            return Err(fault.at("field", "instance_nonce"));
        }
        self.0.sight.seen();
        Ok(v1::HelloResponse {
            protocol_version: PROTOCOL_VERSION,
            software_version: env!("CARGO_PKG_VERSION").into(),
            role: v1::Role::Social.into(),
            instance_nonce: self.0.instance_nonce.to_vec(),
            max_frame_bytes: u32::try_from(MAX_FRAME_BYTES).unwrap_or(u32::MAX),
            protocols: PROTOCOLS.map(|p| protocol_to_wire(p).into()).to_vec(),
            certificate: self.0.identity.now().material.certificate().to_vec(),
        })
    }

    async fn take_propose(
        &self,
        request: Request<v1::PeerProposal>,
    ) -> Result<v1::PeerProposalReceipt, Fault> {
        let peer = caller(&request)?;
        // Whoever proposes must be able to sign.
        rating_key(&self.0, &request)?;
        let message = request.into_inner();
        let proposal = proposal_from_wire(&message)?;
        let state = proposals::receive(&self.0, &proposal, &message.to_record(), peer)?;
        Ok(v1::PeerProposalReceipt {
            job_id: message.job_id,
            state: state_to_wire(state).into(),
        })
    }

    async fn take_watch_decision(
        &self,
        request: Request<v1::WatchDecisionRequest>,
    ) -> Result<DecisionStream, Fault> {
        let job = job_of(&request.into_inner().job_id)?;
        self.0.proposal(&job.to_string())?;
        let decisions = lifeline::open(Arc::clone(&self.0), job);
        Ok(Box::pin(decisions))
    }

    async fn take_align(
        &self,
        request: Request<Streaming<v1::AlignChunk>>,
    ) -> Result<AlignStream, Fault> {
        let peer = caller(&request)?;
        align::answer(&self.0, request.into_inner(), peer).await
    }

    async fn take_setup(
        &self,
        request: Request<v1::SetupRequest>,
    ) -> Result<v1::SetupResponse, Fault> {
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
        Ok(response)
    }

    async fn take_exchange(
        &self,
        request: Request<Streaming<v1::ExchangeChunk>>,
    ) -> Result<AnswerStream, Fault> {
        rounds::answer(&self.0, request.into_inner()).await
    }

    async fn take_finish(
        &self,
        request: Request<v1::FinishRequest>,
    ) -> Result<v1::FinishResponse, Fault> {
        let request = request.into_inner();
        let job = job_of(&request.job_id)?;
        // A P0 that did not hear the answer asks again.
        if self.0.state(&job.to_string()) == JobState::Finished {
            let disclosed = self.0.store.get(DISCLOSURES, &job.to_string());
            let disclosed: Option<JobDisclosure> = disclosed?;
            let openings = disclosed.map_or(0, |disclosed| disclosed.openings);
            return Ok(v1::FinishResponse { openings });
        }
        let openings = self.0.slot.with(job, |running| running.openings)?;
        if openings != request.openings {
            let message = format!(
                "the rating platform counts {} openings, the social platform {openings}",
                request.openings
            );
            return Err(self.fail(job, Fault::new(Reason::Contradiction, message)));
        }
        ledger::compare(&self.0, job, None, request.counters.map(counters_from_wire))
            .map_err(|fault| self.fail(job, fault))?;
        let message = format!(
            "The rating platform has its model after {}.",
            number_format::of(openings.into(), "opening")
        );
        self.0.end(&job.to_string(), JobState::Finished, &message);
        Ok(v1::FinishResponse { openings })
    }

    async fn take_probe(
        &self,
        request: Request<v1::ProbeRequest>,
    ) -> Result<v1::ProbeResponse, Fault> {
        probe::answer(&self.0.probes, &request.into_inner())
    }

    async fn take_cross_sign(
        &self,
        request: Request<v1::CrossSignRequest>,
    ) -> Result<v1::CrossSignResponse, Fault> {
        let key = rating_key(&self.0, &request)?;
        let request = request.into_inner();
        let job = job_of(&request.job_id)?;
        let answered = head_exchange::answer(&self.0, &request, &key);
        answered.map_err(|fault| self.fail(job, fault))
    }

    async fn take_abort(
        &self,
        request: Request<v1::AbortRequest>,
    ) -> Result<v1::AbortResponse, Fault> {
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
        let state = state_to_wire(self.0.state(&job)).into();
        Ok(v1::AbortResponse { state })
    }
}

type DecisionStream = Pin<Box<dyn Stream<Item = Result<v1::Decision, Status>> + Send>>;

#[async_trait]
impl Peer for PeerService {
    async fn hello(
        &self,
        request: Request<v1::HelloRequest>,
    ) -> Result<Response<v1::HelloResponse>, Status> {
        respond(self.take_hello(request).await)
    }

    async fn propose(
        &self,
        request: Request<v1::PeerProposal>,
    ) -> Result<Response<v1::PeerProposalReceipt>, Status> {
        respond(self.take_propose(request).await)
    }

    type WatchDecisionStream = DecisionStream;

    async fn watch_decision(
        &self,
        request: Request<v1::WatchDecisionRequest>,
    ) -> Result<Response<DecisionStream>, Status> {
        respond(self.take_watch_decision(request).await)
    }

    type AlignStream = AlignStream;

    async fn align(
        &self,
        request: Request<Streaming<v1::AlignChunk>>,
    ) -> Result<Response<AlignStream>, Status> {
        respond(self.take_align(request).await)
    }

    async fn setup(
        &self,
        request: Request<v1::SetupRequest>,
    ) -> Result<Response<v1::SetupResponse>, Status> {
        respond(self.take_setup(request).await)
    }

    type ExchangeStream = AnswerStream;

    async fn exchange(
        &self,
        request: Request<Streaming<v1::ExchangeChunk>>,
    ) -> Result<Response<AnswerStream>, Status> {
        respond(self.take_exchange(request).await)
    }

    async fn finish(
        &self,
        request: Request<v1::FinishRequest>,
    ) -> Result<Response<v1::FinishResponse>, Status> {
        respond(self.take_finish(request).await)
    }

    async fn probe(
        &self,
        request: Request<v1::ProbeRequest>,
    ) -> Result<Response<v1::ProbeResponse>, Status> {
        respond(self.take_probe(request).await)
    }

    async fn cross_sign(
        &self,
        request: Request<v1::CrossSignRequest>,
    ) -> Result<Response<v1::CrossSignResponse>, Status> {
        respond(self.take_cross_sign(request).await)
    }

    async fn abort(
        &self,
        request: Request<v1::AbortRequest>,
    ) -> Result<Response<v1::AbortResponse>, Status> {
        respond(self.take_abort(request).await)
    }
}
