//! A rating platform that says what it likes. Whatever it wants to say honestly it says with the
//! crates that ours uses; nothing of what it hears is checked beyond what it needs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc as mpsc_of_threads;
use std::time::Duration;

use s3rec_algebra::RingMatrix;
use s3rec_audit::Signer;
use s3rec_job::{Counters, JobId, Overlap, Phase, Proposal, Terms};
use s3rec_link::{Meter, drive, grpc};
use s3rec_node::alignment;
use s3rec_node::client::connect;
use s3rec_node::pki::CertificateRole;
use s3rec_node::tls::{Authorize, TlsMaterial};
use s3rec_psi::{Common, Form, rating, vole};
use s3rec_sparse::{OperatorKind, PatternPolicy};
use s3rec_spmm::he::{RatingKeySetup, RatingKeys};
use s3rec_spmm::preprocessed::{
    MemoryStorage, RatingBlock, RatingOpening, RatingSession, RatingStock, StockTerms,
};
use s3rec_spmm::{Endpoint, ProductRequest, Protocol, ReleasePolicy, choose_parameters};
use s3rec_wire::convert::{
    ChunkHeader, align_chunk, align_opening, align_part, counters_to_wire, parameters_digest,
    parameters_to_wire, proposal_to_wire,
};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::align_chunk::Part;
use s3rec_wire::v1::peer_client::PeerClient;
use s3rec_wire::v1::{AlignChunk, JobState};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

mod agreed;
mod endpoints;
mod pausing;

pub(crate) use agreed::AgreedSetup;
use agreed::{pattern, wanted};
use endpoints::{Tallied, Waiting};

use crate::target::tls;

/// Longest wait for any one thing.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whoever has a rating platform's certificate.
pub(crate) struct Attacker {
    pub(crate) client: PeerClient<Channel>,
    /// What that certificate signs with.
    pub(crate) signer: Signer,
    pins: ([u8; 32], [u8; 32]),
    /// Everything that came, in bytes of messages.
    pub(crate) meter: Meter,
    /// Payload of the frames of the last exchange that came from P1.
    pub(crate) answered_bytes: u64,
    decisions: Option<Streaming<v1::Decision>>,
}

/// A proposal of that many openings of four columns.
pub(crate) fn proposal(protocol: Protocol, rounds: u32) -> Proposal {
    Proposal {
        job: JobId::random(),
        purpose: "better recommendations".into(),
        rank: 4,
        solver: s3rec_model::SolverKind::Als,
        operator: OperatorKind::Laplacian,
        rounds,
        social_weight: Some(1.0),
        regularization: None,
        learning_rate: None,
        social_bias_weight: 0.0,
        protocol,
        pattern: PatternPolicy::Nothing,
        release: ReleasePolicy::Exact,
        saturation_bound: 8.0,
        guard_bits: 2,
        id_rule: "nfc-trim".into(),
        terms: Terms {
            expires_unix_ms: s3rec_node::process::now_unix_ms() + 3_600_000,
            ..Terms::default()
        },
    }
}

/// What a call was refused with.
pub(crate) fn fault_of(status: &Status) -> Fault {
    Fault::from_status(status)
        .unwrap_or_else(|| Fault::new(Reason::Bug, format!("not a fault of ours: {status:?}")))
}

impl Attacker {
    pub(crate) async fn connect(address: &str, keys: &Path, stem: &str) -> Self {
        let material = TlsMaterial::load(&tls(keys, stem), CertificateRole::Rating).unwrap();
        let theirs = TlsMaterial::load(&tls(keys, "social"), CertificateRole::Social).unwrap();
        // A certificate that is announced has its signing key elsewhere.
        let signer = material.signer();
        let signer = signer.unwrap_or_else(|_| Signer::generate().unwrap());
        let pin = |material: &TlsMaterial| {
            let inspected = s3rec_node::pki::inspect(material.certificate()).unwrap();
            inspected.pin.digest()
        };
        let pins = (pin(&material), pin(&theirs));
        let social = Authorize::role(CertificateRole::Social);
        let channel = connect(address, &material, social).await.unwrap();
        Self {
            client: PeerClient::new(channel),
            signer,
            pins,
            meter: Meter::default(),
            answered_bytes: 0,
            decisions: None,
        }
    }

    pub(crate) async fn hello(&mut self) {
        let hello = v1::HelloRequest {
            protocol_version: s3rec_wire::PROTOCOL_VERSION,
            software_version: "hostile".into(),
            role: v1::Role::Rating.into(),
            instance_nonce: vec![6; 16],
        };
        self.client.hello(hello).await.unwrap();
    }

    pub(crate) async fn propose(&mut self, proposal: &Proposal) -> Result<JobState, Fault> {
        let proposed = self.client.propose(proposal_to_wire(proposal)).await;
        let receipt = proposed.map_err(|status| fault_of(&status))?;
        Ok(receipt.into_inner().state())
    }

    /// Opens a lifeline and gives the state that it tells first.
    pub(crate) async fn attach(&mut self, job: JobId) -> Result<JobState, Fault> {
        let request = v1::WatchDecisionRequest {
            job_id: job.to_string(),
        };
        let opened = self.client.watch_decision(request).await;
        let mut decisions = opened.map_err(|status| fault_of(&status))?.into_inner();
        let first = decisions.message().await;
        let first = first.map_err(|status| fault_of(&status))?.unwrap();
        self.decisions = Some(decisions);
        Ok(first.state())
    }

    /// Lets go of the lifeline.
    pub(crate) fn detach(&mut self) {
        self.decisions = None;
    }

    /// Proposes and attaches; the policy must approve at once.
    pub(crate) async fn approved(&mut self, proposal: &Proposal) {
        assert_eq!(self.propose(proposal).await.unwrap(), JobState::Approved);
        self.attach(proposal.job).await.unwrap();
    }

    /// The intersection with `ids` as our users.
    pub(crate) async fn align(
        &mut self,
        job: JobId,
        ids: &[String],
    ) -> Result<(Common, Overlap), Fault> {
        self.align_claiming(job, ids, |_| ()).await
    }

    /// The intersection, the claims changed by `change` before they are sent.
    pub(crate) async fn align_claiming(
        &mut self,
        job: JobId,
        ids: &[String],
        change: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(Common, Overlap), Fault> {
        let claim = |mut claims| {
            change(&mut claims);
            Some(claims)
        };
        self.compare(job, ids, claim).await
    }

    /// The intersection without claims: leaves once it has all labels.
    pub(crate) async fn align_leaving(
        &mut self,
        job: JobId,
        ids: &[String],
    ) -> Result<(Common, Overlap), Fault> {
        self.compare(job, ids, |_| None).await
    }

    async fn compare(
        &mut self,
        job: JobId,
        ids: &[String],
        claim: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>,
    ) -> Result<(Common, Overlap), Fault> {
        let ours = alignment::opening(job, ids.len(), "nfc-trim").unwrap();
        let (sender, receiver) = mpsc::channel::<AlignChunk>(4);
        sender.send(ours.to_wire()).await.unwrap();
        let called = self.client.align(ReceiverStream::new(receiver)).await;
        let mut answers = called.map_err(|status| fault_of(&status))?.into_inner();
        let first = next(&mut answers).await?.ok_or_else(ended)?;
        let theirs = align_opening(first).unwrap();
        if theirs.common_digest.is_some() {
            let message = "P1 has found this job's common users before";
            return Err(Fault::new(Reason::StateLost, message));
        }
        let (session, sizes) = alignment::agree(&ours, &theirs).unwrap();
        let ids = ids.iter().map(String::as_str);
        let (common, claims) = match Form::of(sizes.rating().into()) {
            Form::Ecdh => {
                let (mut masking, mut matching) = rating::begin(&session, sizes, ids).unwrap();
                while let Some(points) = masking.next_chunk() {
                    let _ = sender.send(align_chunk(Part::Points(points))).await;
                }
                while !matching.is_complete() {
                    matching = match part(&mut answers).await? {
                        Part::Points(bytes) => matching.take_points(&bytes).unwrap(),
                        Part::Labels(bytes) => matching.take_labels(&bytes).unwrap(),
                        _ => panic!("not from P1 where P0 has few ids"),
                    };
                }
                matching.finish(masking.finish().unwrap()).unwrap()
            }
            Form::Vole => {
                let encoding = vole::rating::begin(&session, sizes, ids).unwrap();
                let Part::Transfers(request) = part(&mut answers).await? else {
                    panic!("P1 asks for transfers first")
                };
                let (mut sending, answer) = encoding.take_request(&request).unwrap();
                let _ = sender.send(align_chunk(Part::Transfers(answer))).await;
                while let Some(columns) = sending.next_chunk() {
                    let _ = sender.send(align_chunk(Part::Columns(columns))).await;
                }
                let mut matching = sending.finish().unwrap();
                while !matching.is_complete() {
                    let Part::Labels(labels) = part(&mut answers).await? else {
                        panic!("P1 sends labels and nothing else")
                    };
                    matching = matching.take_labels(&labels).unwrap();
                }
                matching.finish().unwrap()
            }
        };
        let overlap = alignment::overlap(sizes, &common);
        let Some(claims) = claim(claims.chunks().flatten().copied().collect()) else {
            return Ok((common, overlap));
        };
        let _ = sender.send(align_chunk(Part::Claims(claims))).await;
        drop(sender);
        // P1 ends its stream once it has checked the claims.
        while next(&mut answers).await?.is_some() {}
        Ok((common, overlap))
    }

    pub(crate) async fn setup(
        &mut self,
        request: v1::SetupRequest,
    ) -> Result<v1::SetupResponse, Fault> {
        let answered = self.client.setup(request).await;
        Ok(answered.map_err(|status| fault_of(&status))?.into_inner())
    }

    /// The first call of Setup as our own rating platform makes it.
    pub(crate) fn setup_request(job: JobId, common: &Common) -> v1::SetupRequest {
        let stock_id = JobId::random();
        v1::SetupRequest {
            job_id: job.to_string(),
            seed_half: vec![3; 32],
            users_digest: common.digest.to_vec(),
            parameters: None,
            stock_id: stock_id.as_bytes().to_vec(),
            ..v1::SetupRequest::default()
        }
    }

    /// Both calls of Setup, the parameters changed by `change` before they are sent.
    pub(crate) async fn agree(
        &mut self,
        proposal: &Proposal,
        (common, overlap): (&Common, Overlap),
        change: impl FnOnce(&mut v1::ProductParameters),
    ) -> Result<AgreedSetup, Fault> {
        let honest = |_: &mut ProductRequest| ();
        self.agree_wanting(proposal, (common, overlap), honest, change)
            .await
    }

    /// As [`Self::agree`], the parameters chosen for what `want` makes of the honest wish.
    pub(crate) async fn agree_wanting(
        &mut self,
        proposal: &Proposal,
        (common, overlap): (&Common, Overlap),
        want: impl FnOnce(&mut ProductRequest),
        change: impl FnOnce(&mut v1::ProductParameters),
    ) -> Result<AgreedSetup, Fault> {
        let mut request = Self::setup_request(proposal.job, common);
        let bounds = self.setup(request.clone()).await?;
        let pattern = pattern(proposal, &bounds);
        let mut wanted = wanted(proposal, &bounds, &pattern);
        want(&mut wanted);
        let parameters = choose_parameters(&wanted).unwrap();
        let mut message = parameters_to_wire(&parameters).unwrap();
        change(&mut message);
        let digest = parameters_digest(&message);
        request.parameters = Some(message);
        let agreed = self.setup(request.clone()).await?;
        let array = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).unwrap();
        Ok(AgreedSetup {
            proposal: proposal.clone(),
            parameters,
            digest,
            pattern: Arc::new(pattern),
            rating_half: array(&request.seed_half),
            social_half: array(&bounds.seed_half),
            stock_id: request.stock_id.try_into().unwrap(),
            users_digest: common.digest,
            operator_commitment: array(&agreed.operator_commitment),
            overlap,
        })
    }

    /// From the proposal to the agreement, honestly, with `ids` as our users.
    pub(crate) async fn agreed(&mut self, proposal: &Proposal, ids: &[String]) -> AgreedSetup {
        self.approved(proposal).await;
        let (common, overlap) = self.align(proposal.job, ids).await.unwrap();
        let agreed = self.agree(proposal, (&common, overlap), |_| ()).await;
        agreed.unwrap()
    }

    /// One exchange, with whatever header.
    pub(crate) async fn exchange<E: Endpoint + 'static>(
        &mut self,
        header: &ChunkHeader,
        endpoint: E,
    ) -> Result<E, Fault> {
        let answered = Arc::new(AtomicU64::new(0));
        let tallied = Tallied {
            inner: endpoint,
            answered_bytes: Arc::clone(&answered),
        };
        let done = async {
            let client = self.client.clone();
            let mut channel = grpc::call(client, header, &self.meter, PATIENCE).await?;
            let done = drive(tallied, &mut channel, |_| {}).await?;
            Ok::<_, Fault>(done.inner)
        };
        let done = done.await;
        self.answered_bytes = answered.load(Ordering::Relaxed);
        done
    }

    /// Announces the key and makes the stock.
    pub(crate) async fn stock(&mut self, agreed: &AgreedSetup) -> Result<RatingStock, Fault> {
        self.stock_in(agreed, MemoryStorage::default()).await
    }

    /// As [`Self::stock`], on a disk that the caller keeps.
    pub(crate) async fn stock_in(
        &mut self,
        agreed: &AgreedSetup,
        storage: MemoryStorage,
    ) -> Result<RatingStock, Fault> {
        let mut stock = self.begin_stock(agreed, storage).await?;
        for _ in 0..agreed.blocks() {
            stock = self.block(agreed, stock).await?;
        }
        Ok(stock)
    }

    /// Announces the key of a stock.
    pub(crate) async fn begin_stock(
        &mut self,
        agreed: &AgreedSetup,
        storage: MemoryStorage,
    ) -> Result<RatingStock, Fault> {
        let terms = StockTerms {
            stock_id: agreed.stock_id,
            rating_party: self.pins.0,
            social_party: self.pins.1,
            users_digest: agreed.users_digest,
            operator_commitment: agreed.operator_commitment,
            key_seed: agreed.key_seed(),
            parameters: agreed.parameters.clone(),
        };
        let pattern = Arc::clone(&agreed.pattern);
        let stock = RatingStock::create(Arc::new(storage), terms, pattern).unwrap();
        let setup = stock.key_setup().unwrap();
        self.exchange(&agreed.header(Phase::Setup, 0), setup)
            .await?;
        Ok(stock)
    }

    /// Uploads the next block of a stock, and takes the answer to it.
    pub(crate) async fn block(
        &mut self,
        agreed: &AgreedSetup,
        stock: RatingStock,
    ) -> Result<RatingStock, Fault> {
        let block = RatingBlock::new(stock).unwrap();
        let header = agreed.header(Phase::Offline, 0);
        Ok(self.exchange(&header, block).await?.into_stock().unwrap())
    }

    /// Meets P1 over the stock.
    pub(crate) async fn meet(
        &mut self,
        agreed: &AgreedSetup,
        stock: RatingStock,
    ) -> Result<RatingStock, Fault> {
        let session = RatingSession::with_kept_inputs(stock).unwrap();
        let header = agreed.header(Phase::Offline, 0);
        let met = self.exchange(&header, session).await?;
        Ok(met.into_stock().unwrap())
    }

    /// One opening of a stock under `header`, whose frames name the stock's own next columns.
    pub(crate) async fn open(
        &mut self,
        header: ChunkHeader,
        stock: RatingStock,
        factors: RingMatrix,
    ) -> Result<(RingMatrix, RatingStock), Fault> {
        let opening = RatingOpening::new(stock, &factors).unwrap();
        let opened = self.exchange(&header, opening).await?;
        Ok(opened.into_product().unwrap())
    }

    /// As [`Self::open`], the input sent only once `go` says so.
    pub(crate) async fn open_after(
        &mut self,
        header: ChunkHeader,
        stock: RatingStock,
        factors: RingMatrix,
        go: mpsc_of_threads::Receiver<()>,
    ) -> Result<(RingMatrix, RatingStock), Fault> {
        let opening = Waiting {
            inner: RatingOpening::new(stock, &factors).unwrap(),
            go: Some(go),
        };
        let opened = self.exchange(&header, opening).await?;
        Ok(opened.inner.into_product().unwrap())
    }

    /// Announces a key of `he`.
    pub(crate) async fn keys(&mut self, agreed: &AgreedSetup) -> Result<Arc<RatingKeys>, Fault> {
        let keys = RatingKeys::generate(&agreed.parameters, &agreed.key_seed()).unwrap();
        let keys = Arc::new(keys);
        let setup = RatingKeySetup::new(&keys).unwrap();
        self.exchange(&agreed.header(Phase::Setup, 0), setup)
            .await?;
        Ok(keys)
    }

    pub(crate) async fn finish(
        &mut self,
        job: JobId,
        openings: u32,
        counters: Counters,
    ) -> Result<(), Fault> {
        let request = v1::FinishRequest {
            job_id: job.to_string(),
            openings,
            counters: Some(counters_to_wire(&counters)),
        };
        let finished = self.client.finish(request).await;
        finished.map(drop).map_err(|status| fault_of(&status))
    }

    pub(crate) async fn abort(&mut self, job: JobId) {
        let request = v1::AbortRequest {
            job_id: job.to_string(),
            reason: "never mind".into(),
        };
        self.client.abort(request).await.unwrap();
    }
}

async fn next(answers: &mut Streaming<AlignChunk>) -> Result<Option<AlignChunk>, Fault> {
    let message = tokio::time::timeout(PATIENCE, answers.message()).await;
    message.unwrap().map_err(|status| fault_of(&status))
}

async fn part(answers: &mut Streaming<AlignChunk>) -> Result<Part, Fault> {
    let chunk = next(answers).await?.ok_or_else(ended)?;
    Ok(align_part(chunk).unwrap())
}

fn ended() -> Fault {
    Fault::new(Reason::PeerVanished, "P1 has ended its stream")
}
