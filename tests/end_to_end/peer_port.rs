//! The peer port against a client that does not keep to the conversation.

use s3rec_node::pki::CertificateRole;
use s3rec_tests::pair::Pair;
use s3rec_tests::raw;
use s3rec_wire::v1;
use s3rec_wire::v1::align_chunk::Part;
use tonic::Code;
use tonic::transport::Channel;

pub(crate) type PeerClient = v1::peer_client::PeerClient<Channel>;

pub(crate) fn hello() -> v1::HelloRequest {
    v1::HelloRequest {
        protocol_version: s3rec_wire::PROTOCOL_VERSION,
        software_version: "test".into(),
        role: v1::Role::Rating.into(),
        instance_nonce: vec![7; 16],
    }
}

async fn peer(pair: &Pair) -> PeerClient {
    let connection = pair
        .home
        .connection(CertificateRole::Rating, &pair.peer_address());
    PeerClient::new(raw::channel(&connection).await.unwrap())
}

fn proposal(change: impl FnOnce(&mut v1::PeerProposal)) -> v1::PeerProposal {
    let model = s3rec_tests::job::proposal(2).model;
    let mut proposal = v1::PeerProposal {
        job_id: "0d9a1f6e-6a0e-4c6e-9f0e-3b1f6d1c2a01".into(),
        purpose: "a test".into(),
        model,
        protocol: v1::Protocol::He.into(),
        pattern_policy: v1::PatternPolicy::Nothing.into(),
        release_policy: Some(v1::ReleasePolicy {
            kind: v1::ReleaseKind::Exact.into(),
            ..Default::default()
        }),
        alignment: "psi-by-size-1".into(),
        saturation_bound: 8.0,
        guard_bits: 2,
        id_rule: "nfc-trim".into(),
        rating_commitment: vec![5; 32],
        rating_lineage: vec![6; 16],
        factors_commitment: Vec::new(),
        columns: 0,
        bounds: Some(v1::ParameterBounds {
            most_common_users: 1000,
            least_security_bits: 128,
            least_statistical_bits: 40,
        }),
        expires_unix_ms: i64::MAX,
    };
    proposal.columns = proposal.model.as_ref().map_or(0, |model| {
        model.rank + u32::from(model.social_bias_weight > 0.0)
    });
    change(&mut proposal);
    proposal
}

fn align(part: Part) -> v1::AlignChunk {
    v1::AlignChunk { part: Some(part) }
}

#[tokio::test]
async fn another_version_is_refused() {
    let pair = Pair::start();
    let request = v1::HelloRequest {
        protocol_version: 999,
        ..hello()
    };
    let status = peer(&pair).await.hello(request).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
}

#[tokio::test]
async fn malformed_hellos_and_proposals_are_refused_by_field() {
    let mut pair = Pair::start();
    let mut client = peer(&pair).await;
    let bad_nonce = v1::HelloRequest {
        instance_nonce: vec![1; 15],
        ..hello()
    };
    refused(client.hello(bad_nonce).await);
    refused(
        client
            .hello(v1::HelloRequest {
                role: v1::Role::Social.into(),
                ..hello()
            })
            .await,
    );
    client.hello(hello()).await.unwrap();

    let model = |change: fn(&mut v1::ModelSettings)| {
        proposal(|proposal| change(proposal.model.as_mut().unwrap()))
    };
    let bad = [
        proposal(|p| p.job_id = "not a uuid".into()),
        proposal(|p| p.model = None),
        proposal(|p| p.protocol = 99),
        proposal(|p| p.release_policy = None),
        proposal(|p| p.alignment = "trust-me".into()),
        proposal(|p| p.alignment = "keyed-hash".into()),
        proposal(|p| p.id_rule = "none".into()),
        proposal(|p| p.saturation_bound = f64::NAN),
        proposal(|p| p.saturation_bound = f64::INFINITY),
        proposal(|p| p.guard_bits = u32::MAX),
        proposal(|p| p.purpose = "x".repeat(1 << 16)),
        model(|m| m.rank = 0),
        model(|m| m.rank = u32::MAX),
        model(|m| m.rounds = u32::MAX),
        model(|m| m.social_weight = Some(f64::NEG_INFINITY)),
        model(|m| m.operator = -1),
    ];
    for message in bad {
        refused(client.propose(message).await);
    }
    // The same connection still serves what is well-formed.
    client.propose(proposal(|_| ())).await.unwrap();
    let other = proposal(|p| p.purpose = "another".into());
    let status = client.propose(other).await.unwrap_err();
    assert_eq!(
        status.code(),
        Code::FailedPrecondition,
        "another proposal under the same id: {status:?}"
    );
    pair.social.assert_well();
}

#[tokio::test]
async fn calls_out_of_order_are_refused() {
    let mut pair = Pair::start();
    let mut client = peer(&pair).await;
    client.hello(hello()).await.unwrap();
    let job_id = proposal(|_| ()).job_id;
    client.propose(proposal(|_| ())).await.unwrap();

    // Nothing of P1's data is touched before somebody there has consented.
    let setup = v1::SetupRequest {
        job_id: job_id.clone(),
        seed_half: vec![1; 32],
        users_digest: vec![2; 32],
        parameters: None,
        stock_id: vec![5; 16],
        ..v1::SetupRequest::default()
    };
    refused(client.setup(setup).await);
    let chunk = v1::ExchangeChunk {
        header: Some(v1::ExchangeHeader {
            job_id: job_id.clone(),
            phase: v1::Phase::Online.into(),
            round: 1,
            parameters_digest: vec![0; 32],
            counters: Some(v1::Counters::default()),
            goes_on: false,
        }),
        ..Default::default()
    };
    first_refused(client.exchange(tokio_stream::iter([chunk])).await).await;
    let align = align(Part::Opening(v1::AlignOpening {
        job_id,
        session_half: vec![3; 32],
        total: 1,
        id_rule: "nfc-trim".into(),
        ..v1::AlignOpening::default()
    }));
    first_refused(client.align(tokio_stream::iter([align])).await).await;
    pair.social.assert_well();
}

#[tokio::test]
async fn unknown_jobs_are_refused() {
    let mut pair = Pair::start();
    let mut client = peer(&pair).await;
    client.hello(hello()).await.unwrap();
    let job_id = "11111111-2222-4333-8444-555555555555".to_owned();
    refused(
        client
            .finish(v1::FinishRequest {
                job_id: job_id.clone(),
                openings: 1,
                counters: None,
            })
            .await,
    );
    let request = v1::WatchDecisionRequest { job_id };
    first_refused(client.watch_decision(request).await).await;
    pair.social.assert_well();
}

#[tokio::test]
async fn an_oversized_message_is_refused_before_it_is_read() {
    let mut pair = Pair::start();
    let mut client = peer(&pair).await;
    client.hello(hello()).await.unwrap();
    let chunk = align(Part::Points(vec![0; 8 << 20]));
    first_refused(client.align(tokio_stream::iter([chunk])).await).await;
    pair.social.assert_well();
}

#[tokio::test]
async fn bytes_that_are_no_message_are_refused() {
    let mut pair = Pair::start();
    // Frames of gRPC around bytes that protobuf does not read.
    let connection = pair
        .home
        .connection(CertificateRole::Rating, &pair.peer_address());
    let mut grpc = tonic::client::Grpc::new(raw::channel(&connection).await.unwrap());
    for bytes in [
        vec![0xff; 64],
        vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f],
        vec![0x08],
    ] {
        grpc.ready().await.unwrap();
        let path = tonic::codegen::http::uri::PathAndQuery::from_static("/s3rec.v1.Peer/Propose");
        let codec = RawCodec;
        let sent = grpc.unary(tonic::Request::new(bytes), path, codec).await;
        let status = sent.unwrap_err();
        assert!(
            !matches!(status.code(), Code::Ok | Code::Unavailable),
            "{status:?}"
        );
    }
    pair.social.assert_well();
}

/// Sends bytes as they are.
#[derive(Default)]
struct RawCodec;

struct Raw;

impl tonic::codec::Codec for RawCodec {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl tonic::codec::Encoder for Raw {
    type Item = Vec<u8>;
    type Error = tonic::Status;

    fn encode(
        &mut self,
        item: Vec<u8>,
        buffer: &mut tonic::codec::EncodeBuf<'_>,
    ) -> Result<(), tonic::Status> {
        prost::bytes::BufMut::put_slice(buffer, &item);
        Ok(())
    }
}

impl tonic::codec::Decoder for Raw {
    type Item = Vec<u8>;
    type Error = tonic::Status;

    fn decode(
        &mut self,
        buffer: &mut tonic::codec::DecodeBuf<'_>,
    ) -> Result<Option<Vec<u8>>, tonic::Status> {
        use prost::bytes::Buf;
        Ok(Some(buffer.copy_to_bytes(buffer.remaining()).to_vec()))
    }
}

/// Refused with a code that names the caller's mistake, not ours.
fn refused<T: std::fmt::Debug>(result: Result<tonic::Response<T>, tonic::Status>) {
    let code = result.expect_err("accepted").code();
    use Code::{
        DataLoss, FailedPrecondition, InvalidArgument, NotFound, OutOfRange, PermissionDenied,
        ResourceExhausted, Unimplemented,
    };
    let allowed = [
        DataLoss,
        FailedPrecondition,
        InvalidArgument,
        NotFound,
        OutOfRange,
        PermissionDenied,
        ResourceExhausted,
        Unimplemented,
    ];
    assert!(allowed.contains(&code), "{code:?}");
}

/// As [`refused`], where the refusal may come as the stream's first item.
async fn first_refused<T: std::fmt::Debug>(
    result: Result<tonic::Response<tonic::Streaming<T>>, tonic::Status>,
) {
    match result {
        Err(status) => refused::<()>(Err(status)),
        Ok(response) => {
            let first = response.into_inner().message().await;
            refused(first.map(tonic::Response::new));
        }
    }
}
