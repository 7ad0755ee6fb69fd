//! Who may speak to whom.

use s3rec_cli::client::{self, RatingClient, SocialClient};
use s3rec_cli::connection::Connection;
use s3rec_node::pki::CertificateRole;
use s3rec_tests::pair::{Home, Pair};
use s3rec_tests::raw::{self, Refusal};
use s3rec_wire::v1;

use crate::peer_port::PeerClient;

#[tokio::test]
async fn only_its_own_operators_may_operate_a_platform() {
    let pair = Pair::start();
    use CertificateRole::{Rating, RatingOperator, Social, SocialOperator};
    for role in [Rating, Social, SocialOperator] {
        let connection = pair.home.connection(role, &pair.rating.operator_address);
        assert_refused(list_jobs(&connection).await, &format!("{role} at P0"));
    }
    for role in [Rating, Social, RatingOperator] {
        let connection = pair.home.connection(role, &pair.social.operator_address);
        assert_refused(list_proposals(&connection).await, &format!("{role} at P1"));
    }
    list_jobs(&pair.rating_connection()).await.unwrap();
    list_proposals(&pair.social_connection()).await.unwrap();
}

#[tokio::test]
async fn operators_have_no_business_at_the_peer_port() {
    let pair = Pair::start();
    use CertificateRole::{RatingOperator, Social, SocialOperator};
    for role in [RatingOperator, SocialOperator, Social] {
        let connection = pair.home.connection(role, &pair.peer_address());
        assert_refused(
            hello(&connection).await,
            &format!("{role} at the peer port"),
        );
    }
    let rating = pair
        .home
        .connection(CertificateRole::Rating, &pair.peer_address());
    hello(&rating).await.unwrap();
}

#[tokio::test]
async fn a_certificate_of_the_right_role_from_another_authority_is_refused() {
    let pair = Pair::start();
    let stranger = Home::new();
    // They believe our certificate, so that it is our side that must refuse theirs.
    let posing = |role, address: &str| Connection {
        ca: pair.home.connection(role, address).ca,
        ..stranger.connection(role, address)
    };
    let operator = posing(
        CertificateRole::RatingOperator,
        &pair.rating.operator_address,
    );
    assert_refused(list_jobs(&operator).await, "a stranger's operator");
    let peer = posing(CertificateRole::Rating, &pair.peer_address());
    assert_refused(hello(&peer).await, "a stranger's rating platform");
}

#[tokio::test]
async fn a_second_certificate_of_the_right_role_is_not_the_pinned_one() {
    let pair = Pair::start();
    // Same authority, same role, other key: only the pin tells them apart.
    let again = pair.home.reissue(CertificateRole::Rating);
    let connection = Connection {
        certificate: again.0,
        key: again.1,
        ..pair
            .home
            .connection(CertificateRole::Rating, &pair.peer_address())
    };
    assert_refused(hello(&connection).await, "an unpinned rating platform");
}

#[tokio::test]
async fn a_server_of_another_authority_is_not_believed() {
    let pair = Pair::start();
    let stranger = Home::new();
    let connection = stranger.connection(
        CertificateRole::RatingOperator,
        &pair.rating.operator_address,
    );
    let failure = client::rating(&connection).await.unwrap_err();
    assert_eq!(failure.reason(), "TLS_FAILED", "{failure:?}");
}

#[tokio::test]
async fn our_own_clients_notice_a_wrong_certificate_themselves() {
    let pair = Pair::start();
    // Theirs is an operator's, but of the other platform.
    let connection = pair.home.connection(
        CertificateRole::SocialOperator,
        &pair.rating.operator_address,
    );
    let failure = client::rating(&connection).await.unwrap_err();
    assert!(failure.to_string().contains("rating-operator"), "{failure}");
    // The certificate is right, the platform is the other one.
    let connection = pair.home.connection(
        CertificateRole::RatingOperator,
        &pair.social.operator_address,
    );
    assert!(client::rating(&connection).await.is_err());
}

async fn list_jobs(connection: &Connection) -> Result<(), Refusal> {
    let mut client = RatingClient::new(raw::channel(connection).await?);
    client.list_jobs(v1::ListJobsRequest {}).await?;
    Ok(())
}

async fn list_proposals(connection: &Connection) -> Result<(), Refusal> {
    let mut client = SocialClient::new(raw::channel(connection).await?);
    client
        .list_proposals(v1::ListProposalsRequest {
            pending_only: false,
        })
        .await?;
    Ok(())
}

async fn hello(connection: &Connection) -> Result<(), Refusal> {
    let mut peer = PeerClient::new(raw::channel(connection).await?);
    peer.hello(crate::peer_port::hello()).await?;
    Ok(())
}

/// Refused by TLS or by the platform, and by nothing else.
fn assert_refused(result: Result<(), Refusal>, who: &str) {
    match result {
        Err(Refusal::Connection(_)) => {}
        Err(Refusal::Call(status)) => {
            // A handshake that fails late shows as a broken connection.
            use tonic::Code::{Cancelled, PermissionDenied, Unauthenticated, Unavailable, Unknown};
            let allowed = [
                Cancelled,
                PermissionDenied,
                Unauthenticated,
                Unavailable,
                Unknown,
            ];
            assert!(allowed.contains(&status.code()), "{who}: {status:?}");
        }
        Ok(()) => panic!("{who} was served"),
    }
}
