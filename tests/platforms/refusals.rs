//! Who is let in, and what those who are not are told.

use std::time::{Duration, Instant};

use crate::pair::{
    Pair, file, operator, pin, rating_settings, request, small_data, social_settings, tls,
};
use s3rec_node::client::{ConnectError, connect};
use s3rec_node::pki::{CertificateRole, issue};
use s3rec_node::tls::{Authorize, TlsMaterial};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::peer_client::PeerClient;
use s3rec_wire::v1::rating_platform_client::RatingPlatformClient;
use s3rec_wire::v1::social_platform_client::SocialPlatformClient;
use tokio::sync::watch;
use tonic::Status;
use tonic::transport::Channel;

use CertificateRole::{Rating, RatingOperator, Social, SocialOperator};

fn reason(status: &Status) -> Reason {
    Fault::from_status(status).unwrap().reason
}

/// A rating platform that believes `pin` and calls `address`, with data imported.
async fn rating_with(
    pair: &Pair,
    name: &str,
    address: &str,
    pin: s3rec_node::pki::Pin,
) -> (RatingPlatformClient<Channel>, watch::Sender<bool>) {
    let (stop, stopped) = watch::channel(false);
    let data_dir = pair.directory.path().join(name);
    let settings = rating_settings(data_dir, &pair.keys(), address.into(), pin);
    let daemon = s3rec_rating::start(settings, stopped).await.unwrap();
    let address = format!("https://{}", daemon.operator_address());
    let channel = operator(&pair.keys(), &address, RatingOperator, Rating).await;
    let mut client = RatingPlatformClient::new(channel);
    client
        .import_ratings(file("r.tsv", &small_data().0))
        .await
        .unwrap();
    (client, stop)
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_open_only_the_doors_of_their_role() {
    let pair = Pair::start().await;
    let keys = pair.keys();

    // A peer's certificate at both operator ports, an operator's at the peer port.
    let as_peer = operator(&keys, &pair.rating_address, Social, Rating).await;
    let refused = RatingPlatformClient::new(as_peer)
        .list_jobs(v1::ListJobsRequest {})
        .await;
    assert_eq!(reason(&refused.unwrap_err()), Reason::WrongRole);
    let as_peer = operator(&keys, &pair.social_address, Rating, Social).await;
    let listing = v1::ListProposalsRequest::default();
    let refused = SocialPlatformClient::new(as_peer)
        .list_proposals(listing)
        .await;
    assert_eq!(reason(&refused.unwrap_err()), Reason::WrongRole);
    let as_operator = operator(&keys, &pair.peer_address, SocialOperator, Social).await;
    let refused = PeerClient::new(as_operator)
        .hello(v1::HelloRequest::default())
        .await;
    assert_eq!(reason(&refused.unwrap_err()), Reason::WrongRole);
    let other_side = operator(&keys, &pair.social_address, RatingOperator, Social).await;
    let refused = SocialPlatformClient::new(other_side)
        .list_proposals(listing)
        .await;
    assert_eq!(reason(&refused.unwrap_err()), Reason::WrongRole);

    // The client checks whom it reaches, too.
    let material = TlsMaterial::load(&tls(&keys, RatingOperator), RatingOperator).unwrap();
    let wrong = connect(&pair.social_address, &material, Authorize::role(Rating)).await;
    let ConnectError::Refused(fault) = wrong.unwrap_err() else {
        panic!("refused for another reason");
    };
    assert_eq!(fault.reason, Reason::WrongRole);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_authority_gets_nowhere() {
    let pair = Pair::start().await;
    let strangers = pair.directory.path().join("strangers");
    issue(&strangers, &[]).unwrap();
    let mut settings = tls(&strangers, RatingOperator);
    settings.ca = pair.keys().join("ca.pem");
    let material = TlsMaterial::load(&settings, RatingOperator).unwrap();
    let expected = Authorize::role(Rating);
    let fault = match connect(&pair.rating_address, &material, expected).await {
        Err(error) => Fault::from(error),
        // TLS 1.3 lets the client finish before the server has judged its certificate.
        Ok(channel) => {
            let mut client = RatingPlatformClient::new(channel);
            let refused = client.list_jobs(v1::ListJobsRequest {}).await.unwrap_err();
            s3rec_link::LinkError::from_status(&refused).into()
        }
    };
    assert!(
        matches!(
            fault.reason,
            Reason::TlsFailed | Reason::PeerVanished | Reason::Unreachable
        ),
        "{fault:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_pin_is_noticed_by_either_side() {
    let pair = Pair::start().await;
    // P0 pins somebody else.
    let wrong = pin(&pair.issued, SocialOperator);
    let (mut rating, _stop) = rating_with(&pair, "p0", &pair.peer_address, wrong).await;
    let refused = rating.propose_job(request(1)).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::WrongPin, "{refused:?}");

    // P1 pins somebody else.
    let (_stop_social, stopped) = watch::channel(false);
    let data_dir = pair.directory.path().join("p1");
    let settings = social_settings(data_dir, &pair.keys(), wrong);
    let social = s3rec_social::start(settings, stopped).await.unwrap();
    let address = format!("https://{}", social.peer_address().unwrap());
    let right = pin(&pair.issued, Social);
    let (mut rating, _stop) = rating_with(&pair, "p0-again", &address, right).await;
    let refused = rating.propose_job(request(1)).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::WrongPin, "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_peer_is_named_soon() {
    let pair = Pair::start().await;
    let nobody = "https://127.0.0.1:9";
    let right = pin(&pair.issued, Social);
    let (mut rating, _stop) = rating_with(&pair, "p0", nobody, right).await;
    let began = Instant::now();
    let refused = rating.propose_job(request(1)).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::Unreachable, "{refused:?}");
    assert!(refused.message().contains("127.0.0.1:9"), "{refused:?}");
    assert!(began.elapsed() < Duration::from_secs(8));
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_files_and_settings_name_what_to_mend() {
    let mut pair = Pair::start().await;
    let torn = "u1\ti1\t3\nu2\ti2\n";
    let refused = pair
        .rating
        .import_ratings(file("mine.tsv", torn))
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), Reason::InvalidFile);
    assert!(refused.message().contains("mine.tsv"), "{refused:?}");
    pair.import().await;

    let mut unknown = request(1);
    unknown.protocol = 77;
    let refused = pair.rating.propose_job(unknown).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::InvalidRequest);
    let mut missing = request(1);
    missing.dataset = "nowhere".into();
    let refused = pair.rating.propose_job(missing).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::NotFound);
    let mut unbounded = request(1);
    unbounded.model.as_mut().unwrap().rank = 100_000;
    let refused = pair.rating.propose_job(unbounded).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::InvalidRequest);
}
