//! What role, pin and a port of its own are each for: the services of this platform behind what
//! is left when one of them is taken away, over real TLS.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use s3rec_node::client::connect;
use s3rec_node::config::{
    ConsoleSettings, Limits, LogSettings, ObservabilitySettings, OperatorSettings, PeerSettings,
    Retention, SocialPeer, SocialSettings, TlsSettings,
};
use s3rec_node::pki::{CertificateRole, issue, rotate};
use s3rec_node::server::{Port, PortLimits};
use s3rec_node::tls::{Admitted, Authorize, Identity, TlsMaterial};
use s3rec_wire::v1;
use s3rec_wire::v1::peer_client::PeerClient;
use s3rec_wire::v1::peer_server::PeerServer;
use s3rec_wire::v1::social_platform_client::SocialPlatformClient;
use s3rec_wire::v1::social_platform_server::SocialPlatformServer;
use tokio::sync::watch;
use tonic::service::RoutesBuilder;
use tonic::{Code, Status};

use crate::operator::OperatorService;
use crate::peer::PeerService;
use crate::platform::Platform;

/// A platform whose ports a test puts together.
pub(crate) struct Bare {
    directory: tempfile::TempDir,
    identity: Arc<Identity>,
    pub(crate) platform: Arc<Platform>,
    settings: SocialSettings,
}

impl Bare {
    pub(crate) fn new() -> Self {
        Self::under(None)
    }

    /// Under the policy of that text.
    pub(crate) fn under(policy: Option<&str>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path();
        let policy = policy.map(|text| {
            let path = keys.join("policy.toml");
            std::fs::write(&path, text).unwrap();
            path
        });
        let issued = issue(keys, &[]).unwrap();
        rotate(keys, CertificateRole::Rating, &[]).unwrap();
        let listen = || "127.0.0.1:0".parse().unwrap();
        let settings = SocialSettings {
            data_dir: keys.join("data"),
            name: "social.example".into(),
            operator: OperatorSettings {
                listen: listen(),
                ca: None,
            },
            peer: SocialPeer {
                listen: listen(),
                pin: Some(issued.identity(CertificateRole::Rating).unwrap().pin),
                pin_file: None,
                policy,
            },
            tls: tls(keys.to_owned(), "social"),
            console: ConsoleSettings::default(),
            log: LogSettings::default(),
            observability: ObservabilitySettings::default(),
            limits: Limits::default(),
            retention: Retention::default(),
            workers: None,
        };
        let pins = settings.peer.pins().unwrap();
        let identity = Identity::load(&settings.tls, None, pins, CertificateRole::Social).unwrap();
        let platform = Platform::open(&settings, Arc::clone(&identity)).unwrap();
        Self {
            directory,
            identity,
            platform,
            settings,
        }
    }

    /// Puts another policy in force.
    pub(crate) fn reload(&self, policy: &str) {
        std::fs::write(self.directory.path().join("policy.toml"), policy).unwrap();
        self.platform.reload_policy().unwrap();
    }

    /// Without a rule for anybody whom TLS lets in.
    fn people(&self, routes: &mut RoutesBuilder, rule: Option<Authorize>) {
        let service = SocialPlatformServer::new(OperatorService::new(Arc::clone(&self.platform)));
        match rule {
            Some(rule) => routes.add_service(Admitted::new(service, rule)),
            None => routes.add_service(service),
        };
    }

    fn peers(&self, routes: &mut RoutesBuilder, rule: Authorize) {
        let service = PeerServer::new(PeerService::new(Arc::clone(&self.platform)));
        routes.add_service(Admitted::new(service, rule));
    }

    /// Serves until the sender is dropped.
    async fn serve(&self, routes: RoutesBuilder) -> (SocketAddr, watch::Sender<bool>) {
        let listen = "127.0.0.1:0".parse().unwrap();
        let port = Port::bind("bare", listen, self.directory.path()).await;
        let port = port.unwrap();
        let address = port.address();
        let tls = Arc::clone(&self.identity.now().peers);
        let (stop, stopped) = watch::channel(false);
        let limits = PortLimits::peer(&Limits::default());
        let drain = Duration::from_secs(1);
        tokio::spawn(port.serve(move || Arc::clone(&tls), routes, limits, stopped, drain));
        (address, stop)
    }

    /// Imports links over the people's port, as an operator would.
    pub(crate) async fn import(&self, dataset: &str, links: &str) -> v1::ImportLinksResponse {
        let mut routes = RoutesBuilder::default();
        let people = Authorize::unrevoked(CertificateRole::SocialOperator, &self.identity);
        self.people(&mut routes, Some(people));
        let (address, _stop) = self.serve(routes).await;
        let settings = tls(self.directory.path().to_owned(), "social-operator");
        let material = TlsMaterial::load(&settings, CertificateRole::SocialOperator).unwrap();
        let expected = Authorize::role(CertificateRole::Social);
        let channel = connect(&format!("https://{address}"), &material, expected).await;
        let mut people = SocialPlatformClient::new(channel.unwrap());
        let header = v1::FileHeader {
            file_name: "links.tsv".into(),
            dataset: dataset.into(),
            length: links.len() as u64,
            digest: blake3::hash(links.as_bytes()).as_bytes().to_vec(),
            ..v1::FileHeader::default()
        };
        let chunks = [
            v1::file_chunk::Part::Header(header),
            v1::file_chunk::Part::Data(links.into()),
        ];
        let chunks = chunks.map(|part| v1::FileChunk { part: Some(part) });
        let imported = people.import_links(tokio_stream::iter(chunks)).await;
        imported.unwrap().into_inner()
    }

    /// What becomes of a consent and of a greeting from whoever has that certificate.
    async fn tried(&self, address: SocketAddr, stem: &str, role: CertificateRole) -> (Code, Code) {
        let settings = tls(self.directory.path().to_owned(), stem);
        let material = TlsMaterial::load(&settings, role).unwrap();
        let expected = Authorize::role(CertificateRole::Social);
        let channel = connect(&format!("https://{address}"), &material, expected).await;
        let channel = channel.unwrap();
        let approve = v1::ApproveProposalRequest {
            job_id: "0d9a1f6e-6a0e-4c6e-9f0e-3b1f6d1c2a01".into(),
            dataset: "links".into(),
            expires_unix_ms: 0,
            ..v1::ApproveProposalRequest::default()
        };
        let mut people = SocialPlatformClient::new(channel.clone());
        let approved = people.approve_proposal(approve).await.map(drop);
        let hello = v1::HelloRequest {
            protocol_version: s3rec_wire::PROTOCOL_VERSION,
            software_version: "test".into(),
            role: v1::Role::Rating.into(),
            instance_nonce: vec![7; 16],
        };
        let greeted = PeerClient::new(channel).hello(hello).await.map(drop);
        let code =
            |tried: Result<(), Status>| tried.map_or_else(|status| status.code(), |()| Code::Ok);
        (code(approved), code(greeted))
    }
}

fn tls(keys: PathBuf, stem: &str) -> TlsSettings {
    TlsSettings {
        ca: keys.join("ca.pem"),
        certificate: keys.join(format!("{stem}.pem")),
        key: keys.join(format!("{stem}.key")),
        revoked: None,
    }
}

/// The consent was looked at: there only is no such proposal.
const DECIDED: Code = Code::NotFound;

#[tokio::test]
async fn without_the_role_the_rating_platform_consents_for_us() {
    let bare = Bare::new();
    for (is_asked, expected) in [(true, Code::PermissionDenied), (false, DECIDED)] {
        let mut routes = RoutesBuilder::default();
        let people = Authorize::unrevoked(CertificateRole::SocialOperator, &bare.identity);
        bare.people(&mut routes, is_asked.then_some(people));
        let (address, _stop) = bare.serve(routes).await;
        let (approved, _) = bare.tried(address, "rating", CertificateRole::Rating).await;
        assert_eq!(approved, expected, "asked for a role: {is_asked}");
        let own = CertificateRole::SocialOperator;
        let (approved, _) = bare.tried(address, "social-operator", own).await;
        assert_eq!(approved, DECIDED);
    }
}

#[tokio::test]
async fn without_the_pin_a_stranger_of_the_same_authority_is_the_rating_platform() {
    let bare = Bare::new();
    let pinned = Authorize::pinned(CertificateRole::Rating, &bare.identity);
    let unpinned = Authorize::unrevoked(CertificateRole::Rating, &bare.identity);
    for (rule, expected) in [(pinned, Code::PermissionDenied), (unpinned, Code::Ok)] {
        let mut routes = RoutesBuilder::default();
        bare.peers(&mut routes, rule);
        let (address, _stop) = bare.serve(routes).await;
        let stranger = bare.tried(address, "rating.next", CertificateRole::Rating);
        assert_eq!(stranger.await.1, expected);
        let peer = bare.tried(address, "rating", CertificateRole::Rating).await;
        assert_eq!(peer.1, Code::Ok);
    }
}

/// One port for all, behind the rule that the peer's port has, is a port where the right peer
/// consents for us. The daemon's ports do not even know each other's calls.
#[tokio::test]
async fn without_ports_of_their_own_the_pinned_peer_consents_for_us() {
    let bare = Bare::new();
    let pinned = Authorize::pinned(CertificateRole::Rating, &bare.identity);
    let mut routes = RoutesBuilder::default();
    bare.peers(&mut routes, pinned.clone());
    bare.people(&mut routes, Some(pinned));
    let (address, stop) = bare.serve(routes).await;
    let tried = bare.tried(address, "rating", CertificateRole::Rating).await;
    assert_eq!(tried, (DECIDED, Code::Ok));
    drop(stop);

    let (stop, stopped) = watch::channel(false);
    let settings = SocialSettings {
        data_dir: bare.directory.path().join("daemon"),
        ..bare.settings.clone()
    };
    let daemon = crate::start(settings, stopped).await.unwrap();
    let at_peers = daemon.peer_address().unwrap();
    let tried = bare
        .tried(at_peers, "rating", CertificateRole::Rating)
        .await;
    assert_eq!(tried, (Code::Unimplemented, Code::Ok));
    let (at_people, own) = (daemon.operator_address(), CertificateRole::SocialOperator);
    let tried = bare.tried(at_people, "social-operator", own).await;
    assert_eq!(tried, (DECIDED, Code::Unimplemented));
    drop(stop);
}
