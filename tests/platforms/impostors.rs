//! Social platforms that are not what P0 has pinned: in their greeting, or in what they remember.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::pair::{Pair, file, operator, rating_settings, request, small_data, tls};
use s3rec_node::audit::LOG_FILE;
use s3rec_node::config::Limits;
use s3rec_node::pki::CertificateRole::{Rating, RatingOperator, Social};
use s3rec_node::pki::{issue, rotate};
use s3rec_node::server::{Port, PortLimits};
use s3rec_node::tls::{Identity, PinSource, TlsMaterial};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;
use s3rec_wire::v1::peer_server::{Peer, PeerServer};
use s3rec_wire::v1::rating_platform_client::RatingPlatformClient;
use tokio::sync::watch;
use tokio_stream::Stream;
use tonic::service::RoutesBuilder;
use tonic::{Request, Response, Status, Streaming, async_trait};

/// Has the social platform's key and certificate for TLS, and greets with another certificate.
struct Impostor {
    shown: Vec<u8>,
    proposed: Arc<AtomicU32>,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;
type Answer<T> = Result<Response<T>, Status>;

fn silent<T>() -> Answer<T> {
    Err(Status::unimplemented("not in this test"))
}

#[async_trait]
impl Peer for Impostor {
    type WatchDecisionStream = Answers<v1::Decision>;
    type AlignStream = Answers<v1::AlignChunk>;
    type ExchangeStream = Answers<v1::ExchangeChunk>;

    async fn hello(&self, _: Request<v1::HelloRequest>) -> Answer<v1::HelloResponse> {
        Ok(Response::new(v1::HelloResponse {
            protocol_version: s3rec_wire::PROTOCOL_VERSION,
            software_version: "impostor".into(),
            role: v1::Role::Social.into(),
            instance_nonce: vec![1; 16],
            max_frame_bytes: 1 << 20,
            protocols: vec![v1::Protocol::He.into()],
            certificate: self.shown.clone(),
        }))
    }

    async fn propose(&self, request: Request<v1::PeerProposal>) -> Answer<v1::PeerProposalReceipt> {
        self.proposed.fetch_add(1, Ordering::Relaxed);
        Ok(Response::new(v1::PeerProposalReceipt {
            job_id: request.into_inner().job_id,
            state: JobState::Proposed.into(),
        }))
    }

    async fn watch_decision(
        &self,
        _: Request<v1::WatchDecisionRequest>,
    ) -> Answer<Self::WatchDecisionStream> {
        silent()
    }

    async fn align(&self, _: Request<Streaming<v1::AlignChunk>>) -> Answer<Self::AlignStream> {
        silent()
    }

    async fn setup(&self, _: Request<v1::SetupRequest>) -> Answer<v1::SetupResponse> {
        silent()
    }

    async fn exchange(
        &self,
        _: Request<Streaming<v1::ExchangeChunk>>,
    ) -> Answer<Self::ExchangeStream> {
        silent()
    }

    async fn finish(&self, _: Request<v1::FinishRequest>) -> Answer<v1::FinishResponse> {
        silent()
    }

    async fn cross_sign(&self, _: Request<v1::CrossSignRequest>) -> Answer<v1::CrossSignResponse> {
        silent()
    }

    async fn abort(&self, _: Request<v1::AbortRequest>) -> Answer<v1::AbortResponse> {
        silent()
    }

    async fn probe(&self, _: Request<v1::ProbeRequest>) -> Answer<v1::ProbeResponse> {
        silent()
    }
}

/// What becomes of a proposal to a social platform that greets with `shown`; and whether it
/// arrived, and whether P0's audit log names a certificate of the other side.
async fn greeted_with(keys: &Path, shown: Vec<u8>) -> (Result<(), Fault>, bool, bool) {
    let directory = tempfile::tempdir().unwrap();
    let material = TlsMaterial::load(&tls(keys, Social), Social).unwrap();
    let (social, rating) = (
        material.own().pin,
        TlsMaterial::load(&tls(keys, Rating), Rating)
            .unwrap()
            .own()
            .pin,
    );
    let pins = PinSource::Fixed(rating);
    let identity = Identity::load(&tls(keys, Social), None, pins, Social).unwrap();
    let proposed = Arc::new(AtomicU32::new(0));
    let impostor = Impostor {
        shown,
        proposed: Arc::clone(&proposed),
    };
    let mut routes = RoutesBuilder::default();
    routes.add_service(PeerServer::new(impostor));
    let listen = "127.0.0.1:0".parse().unwrap();
    let port = Port::bind("impostor", listen, directory.path()).await;
    let port = port.unwrap();
    let address = format!("https://{}", port.address());
    let (stop, stopped) = watch::channel(false);
    let peers = Arc::clone(&identity.now().peers);
    let limits = PortLimits::peer(&Limits::default());
    let drain = Duration::from_secs(1);
    tokio::spawn(port.serve(
        move || Arc::clone(&peers),
        routes,
        limits,
        stopped.clone(),
        drain,
    ));

    let data_dir = directory.path().join("rating");
    let settings = rating_settings(data_dir.clone(), keys, address, social);
    let daemon = s3rec_rating::start(settings, stopped).await.unwrap();
    let address = format!("https://{}", daemon.operator_address());
    let people = operator(keys, &address, RatingOperator, Rating).await;
    let mut people = RatingPlatformClient::new(people);
    let ratings = small_data().0;
    people
        .import_ratings(file("ratings.tsv", &ratings))
        .await
        .unwrap();
    let answered = people.propose_job(request(3)).await;
    let answered = answered.map(drop);
    let answered = answered.map_err(|status| Fault::from_status(&status).unwrap());
    stop.send_replace(true);
    daemon.served().await.unwrap();
    let log = std::fs::read(data_dir.join(LOG_FILE)).unwrap();
    let log = s3rec_audit::verify(&log).unwrap();
    let named = log.certificates().any(|(_, party, _)| party == "peer");
    (answered, proposed.load(Ordering::Relaxed) > 0, named)
}

/// The key of P1's signatures is the one that the pinned certificate names, whatever the greeting
/// says.
#[tokio::test(flavor = "multi_thread")]
async fn a_greeting_with_another_certificate_is_refused_before_anything_is_proposed() {
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("keys");
    issue(&keys, &[]).unwrap();
    rotate(&keys, Social, &[]).unwrap();
    let certificate = |stem: &str, role| {
        let mut settings = tls(&keys, role);
        settings.certificate = keys.join(format!("{stem}.pem"));
        settings.key = keys.join(format!("{stem}.key"));
        let material = TlsMaterial::load(&settings, role).unwrap();
        material.certificate().to_vec()
    };
    let right = greeted_with(&keys, certificate("social", Social)).await;
    assert!(right.0.is_ok() && right.1 && right.2, "{right:?}");
    for (shown, expected) in [
        // Of the same authority and role, and not the pinned one.
        (certificate("social.next", Social), Reason::WrongPin),
        (certificate("rating", Rating), Reason::WrongRole),
        (Vec::new(), Reason::WrongRole),
    ] {
        let (refused, arrived, named) = greeted_with(&keys, shown).await;
        assert_eq!(refused.unwrap_err().reason, expected);
        assert!(!arrived && !named, "{expected:?}");
    }
}

/// Either platform is restored from a backup of its whole data directory, so that its own head of
/// the log fits: the other one, with whom a later head was signed, refuses to go on.
async fn restored(name: &str) {
    let mut pair = Pair::start().await;
    pair.import().await;
    let (_, events) = pair.run(request(2)).await;
    assert_eq!(events.last().unwrap().state(), JobState::Finished);
    let (directory, issued) = pair.stop().await;
    let (live, backup) = (directory.path().join(name), directory.path().join("backup"));
    copy(&live, &backup);

    let mut pair = Pair::start_in(directory, issued).await;
    let (_, events) = pair.run(request(2)).await;
    assert_eq!(events.last().unwrap().state(), JobState::Finished);
    let (directory, issued) = pair.stop().await;
    std::fs::remove_dir_all(&live).unwrap();
    copy(&backup, &live);

    let mut pair = Pair::start_in(directory, issued).await;
    let proposed = pair.rating.propose_job(request(2)).await.unwrap();
    let job = proposed.into_inner().job_id;
    pair.approve(&job).await;
    pair.begin(&job).await;
    let last = pair.watch(&job).await.pop().unwrap();
    assert_eq!(last.state(), JobState::Failed, "{}", last.message);
    let words = "audit log ends at entry";
    assert!(last.message.contains(words), "{}", last.message);
    // Nothing was opened by way of it: at either side.
    for disclosures in [
        pair.seen().await.disclosures,
        pair.shown().await.disclosures,
    ] {
        let of_job = disclosures.iter().find(|one| one.job_id == job);
        assert!(of_job.is_none_or(|one| one.openings == 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_social_platform_that_was_restored_is_found_by_its_shorter_log() {
    restored("social").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rating_platform_that_was_restored_is_found_by_its_shorter_log() {
    restored("rating").await;
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy(&path, &to),
            false => drop(std::fs::copy(&path, &to).unwrap()),
        }
    }
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(to, private).unwrap();
}
