//! A peer with an older version of the conversation: both say which two versions met, and
//! nothing else happens.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use s3rec_cli::client::{self, FileSource};
use s3rec_cli::failure::Failure;
use s3rec_node::audit::LOG_FILE;
use s3rec_node::config::{Limits, TlsSettings};
use s3rec_node::pki::CertificateRole;
use s3rec_node::server::{Port, PortLimits};
use s3rec_node::tls::{Clients, TlsMaterial};
use s3rec_tests::binaries::Program;
use s3rec_tests::data::Files;
use s3rec_tests::job::proposal;
use s3rec_tests::pair::{Daemon, Home, Pair};
use s3rec_tests::raw;
use s3rec_wire::PROTOCOL_VERSION;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::peer_server::{Peer, PeerServer};
use tokio::sync::watch;
use tokio_stream::Pending;
use tonic::service::RoutesBuilder;
use tonic::{Request, Response, Status, Streaming};

use crate::peer_port::{PeerClient, hello};

const OLDER: u32 = PROTOCOL_VERSION - 1;

fn assert_names_both(message: &str) {
    for version in [PROTOCOL_VERSION, OLDER] {
        let is_named = message
            .split(|c: char| !c.is_ascii_digit())
            .any(|number| number == version.to_string());
        assert!(is_named, "{version}: {message}");
    }
}

#[tokio::test]
async fn an_older_rating_platform_is_told_both_versions_and_nothing_happens() {
    let mut pair = Pair::start();
    let log = pair.home.data_dir("social").join(LOG_FILE);
    let before = std::fs::read(&log).unwrap();
    let role = CertificateRole::Rating;
    let connection = pair.home.connection(role, &pair.peer_address());
    let mut client = PeerClient::new(raw::channel(&connection).await.unwrap());
    let older = v1::HelloRequest {
        protocol_version: OLDER,
        ..hello()
    };
    let status = client.hello(older).await.unwrap_err();
    let fault = Fault::from_status(&status).unwrap();
    assert_eq!(fault.reason, Reason::VersionMismatch, "{fault}");
    assert_names_both(&fault.message);
    assert!(
        fault.remedy.contains("Update the older"),
        "{}",
        fault.remedy
    );
    assert!(std::fs::read(&log).unwrap() == before, "the log has grown");
    pair.social.assert_well();
}

/// A social platform of an older version, and what it is asked for.
#[derive(Clone)]
struct OlderPlatform {
    /// Answers with its version; otherwise it refuses ours, as such a version does.
    answers: bool,
    certificate: Vec<u8>,
    asked: Arc<Mutex<Vec<&'static str>>>,
}

impl OlderPlatform {
    fn asked<T>(&self, what: &'static str) -> Result<T, Status> {
        self.asked.lock().unwrap().push(what);
        Err(Status::unimplemented(what))
    }
}

#[tonic::async_trait]
impl Peer for OlderPlatform {
    type WatchDecisionStream = Pending<Result<v1::Decision, Status>>;
    type AlignStream = Pending<Result<v1::AlignChunk, Status>>;
    type ExchangeStream = Pending<Result<v1::ExchangeChunk, Status>>;

    async fn hello(
        &self,
        request: Request<v1::HelloRequest>,
    ) -> Result<Response<v1::HelloResponse>, Status> {
        self.asked.lock().unwrap().push("hello");
        let theirs = request.into_inner().protocol_version;
        if !self.answers {
            let message = format!(
                "the social platform speaks version {OLDER} of the conversation, the rating platform {theirs}"
            );
            return Err(Fault::new(Reason::VersionMismatch, message).into());
        }
        Ok(Response::new(v1::HelloResponse {
            protocol_version: OLDER,
            role: v1::Role::Social.into(),
            instance_nonce: vec![1; 16],
            max_frame_bytes: 1 << 20,
            certificate: self.certificate.clone(),
            ..Default::default()
        }))
    }

    async fn propose(
        &self,
        _: Request<v1::PeerProposal>,
    ) -> Result<Response<v1::PeerProposalReceipt>, Status> {
        self.asked("propose")
    }

    async fn watch_decision(
        &self,
        _: Request<v1::WatchDecisionRequest>,
    ) -> Result<Response<Self::WatchDecisionStream>, Status> {
        self.asked("watch_decision")
    }

    async fn align(
        &self,
        _: Request<Streaming<v1::AlignChunk>>,
    ) -> Result<Response<Self::AlignStream>, Status> {
        self.asked("align")
    }

    async fn setup(
        &self,
        _: Request<v1::SetupRequest>,
    ) -> Result<Response<v1::SetupResponse>, Status> {
        self.asked("setup")
    }

    async fn exchange(
        &self,
        _: Request<Streaming<v1::ExchangeChunk>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        self.asked("exchange")
    }

    async fn finish(
        &self,
        _: Request<v1::FinishRequest>,
    ) -> Result<Response<v1::FinishResponse>, Status> {
        self.asked("finish")
    }

    async fn cross_sign(
        &self,
        _: Request<v1::CrossSignRequest>,
    ) -> Result<Response<v1::CrossSignResponse>, Status> {
        self.asked("cross_sign")
    }

    async fn abort(
        &self,
        _: Request<v1::AbortRequest>,
    ) -> Result<Response<v1::AbortResponse>, Status> {
        self.asked("abort")
    }

    async fn probe(
        &self,
        _: Request<v1::ProbeRequest>,
    ) -> Result<Response<v1::ProbeResponse>, Status> {
        self.asked("probe")
    }
}

impl OlderPlatform {
    /// Serves with the pinned certificate until `stop` is dropped.
    async fn serve(home: &Home, answers: bool) -> (Self, SocketAddr, watch::Sender<bool>) {
        let (certificate, key) = home.identity(CertificateRole::Social);
        let settings = TlsSettings {
            ca: home.path().join("keys/ca.pem"),
            certificate,
            key,
            revoked: None,
        };
        let material = TlsMaterial::load(&settings, CertificateRole::Social).unwrap();
        let platform = Self {
            answers,
            certificate: material.certificate().to_vec(),
            asked: Arc::default(),
        };
        let listen = "127.0.0.1:0".parse().unwrap();
        let port = Port::bind("older", listen, home.path()).await.unwrap();
        let address = port.address();
        let tls = Arc::new(material.server_config(Clients::Platforms).unwrap());
        let mut routes = RoutesBuilder::default();
        routes.add_service(PeerServer::new(platform.clone()));
        let (stop, stopped) = watch::channel(false);
        let limits = PortLimits::peer(&Limits::default());
        let drain = Duration::from_secs(1);
        tokio::spawn(port.serve(move || Arc::clone(&tls), routes, limits, stopped, drain));
        (platform, address, stop)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_social_platform_is_named_with_both_versions_and_asked_nothing_more() {
    for answers in [true, false] {
        let home = Home::new();
        let (older, address, _stop) = OlderPlatform::serve(&home, answers).await;
        let configuration = home.rating_configuration(&format!("localhost:{}", address.port()));
        let mut rating = Daemon::start(Program::Rating, &configuration, &home.data_dir("rating"));
        let role = CertificateRole::RatingOperator;
        let connection = home.connection(role, &rating.operator_address);
        let mut client = client::rating(&connection).await.unwrap();
        let data = tempfile::tempdir().unwrap();
        let source = FileSource::new(&Files::small(data.path()).ratings, "test");
        client::import_ratings(&mut client, &source).await.unwrap();

        let failure = Failure::from(client.propose_job(proposal(1)).await.unwrap_err());
        assert_eq!(failure.reason(), "VERSION_MISMATCH", "{failure}");
        assert_names_both(&failure.to_string());
        let jobs = client.list_jobs(v1::ListJobsRequest {}).await.unwrap();
        assert!(jobs.into_inner().jobs.is_empty());
        let asked = older.asked.lock().unwrap().clone();
        assert!(
            !asked.is_empty() && asked.iter().all(|what| *what == "hello"),
            "{asked:?}"
        );
        rating.assert_well();
    }
}
