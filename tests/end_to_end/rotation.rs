//! Keys are replaced and taken back while both daemons run.

use std::path::Path;
use std::time::Duration;

use s3rec_cli::client::RatingClient;
use s3rec_cli::connection::Connection;
use s3rec_node::pki::{CertificateRole, Pin, certificate_in, inspect};
use s3rec_tests::command::run;
use s3rec_tests::data::Files;
use s3rec_tests::job::Job;
use s3rec_tests::pair::Pair;
use s3rec_tests::processes::wait_until;
use s3rec_tests::raw::{self, Refusal};
use s3rec_wire::v1;

use crate::peer_port::PeerClient;

/// Longest wait until a daemon has taken up a changed file.
const TAKEN_UP: Duration = Duration::from_secs(20);

fn pin_of(path: &Path) -> Pin {
    inspect(&certificate_in(path).unwrap()).unwrap().pin
}

async fn hello(connection: &Connection) -> Result<(), Refusal> {
    let mut peer = PeerClient::new(raw::channel(connection).await?);
    peer.hello(crate::peer_port::hello()).await?;
    Ok(())
}

async fn list_jobs(connection: &Connection) -> Result<(), Refusal> {
    let mut client = RatingClient::new(raw::channel(connection).await?);
    client.list_jobs(v1::ListJobsRequest {}).await?;
    Ok(())
}

async fn until_served(what: &str, connection: &Connection) {
    let started = std::time::Instant::now();
    while let Err(refusal) = hello(connection).await {
        assert!(started.elapsed() < TAKEN_UP, "{what}: {refusal:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn the_rating_platform_gets_a_new_certificate_without_a_restart() {
    let mut pair = Pair::start();
    let (home, keys) = (pair.home.path().to_owned(), pair.home.path().join("keys"));
    let dir = keys.to_str().unwrap();
    let role = ["--dir", dir, "--role", "rating"];
    let old = pin_of(&keys.join("rating.pem"));

    let rotated = run(&home, &[&["pki", "rotate", "--json"], &role[..]].concat()).json();
    let next: Pin = rotated["pin"].as_str().unwrap().parse().unwrap();
    assert_ne!(next, old);
    let present = pair
        .home
        .connection(CertificateRole::Rating, &pair.peer_address());
    let coming = Connection {
        certificate: keys.join("rating.next.pem"),
        key: keys.join("rating.next.key"),
        ..present.clone()
    };
    hello(&present).await.unwrap();
    assert!(hello(&coming).await.is_err(), "not announced yet");

    // P1's people are told the pin, over a way that both trust, and accept both.
    let pins = pair.home.pin_file("social");
    std::fs::write(&pins, format!("{old}\n{next}\n")).unwrap();
    until_served("the next certificate", &coming).await;
    hello(&present).await.unwrap();

    let activated = run(&home, &[&["pki", "activate", "--json"], &role[..]].concat()).json();
    assert_eq!(activated["pin"], next.to_string());
    let before = Connection {
        certificate: keys.join("rating.old.pem"),
        ..present.clone()
    };
    assert_eq!(pin_of(&before.certificate), old);
    wait_until("P0 uses its new certificate", TAKEN_UP, || {
        pair.rating.log().contains(&format!("own_pin={next}"))
    });
    std::fs::write(&pins, format!("{next}\n")).unwrap();
    wait_until("P1 forgets the old pin", TAKEN_UP, || {
        pair.social
            .log()
            .matches("read keys, pins and revocations again")
            .count()
            >= 2
    });
    // P0's own connections are let through, by an operator's verb that makes one.
    let files = Files::small(&home);
    let mut job = Job::start(&pair, &files, 2).await;
    assert_eq!(job.end_at_rating().await.state(), v1::JobState::Finished);
    assert_eq!(job.end_at_social().await.state(), v1::JobState::Finished);
    pair.rating.assert_well();
    pair.social.assert_well();
}

#[tokio::test]
async fn a_revoked_operator_is_refused_also_on_an_open_connection() {
    let pair = Pair::start();
    let (home, keys) = (pair.home.path().to_owned(), pair.home.path().join("keys"));
    let connection = pair.rating_connection();
    let mut open = RatingClient::new(raw::channel(&connection).await.unwrap());
    open.list_jobs(v1::ListJobsRequest {}).await.unwrap();

    let dir = keys.to_str().unwrap();
    let certificate = connection.certificate.to_str().unwrap();
    let revoked = run(&home, &["pki", "revoke", "--dir", dir, certificate]);
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    wait_until("the revocation is taken up", TAKEN_UP, || {
        pair.rating
            .log()
            .contains("read keys, pins and revocations again")
    });
    let status = open.list_jobs(v1::ListJobsRequest {}).await.unwrap_err();
    let fault = s3rec_wire::status::Fault::from_status(&status).unwrap();
    assert_eq!(fault.reason, s3rec_wire::status::Reason::Revoked);
    assert!(list_jobs(&connection).await.is_err(), "a new connection");

    // A new certificate for the same person is as good as the old one was.
    let role = ["--dir", dir, "--role", "rating-operator"];
    let rotated = run(&home, &[&["pki", "rotate", "--now"], &role[..]].concat());
    assert_eq!(rotated.code, Some(0), "{rotated:?}");
    list_jobs(&connection).await.unwrap();
}

#[tokio::test]
async fn a_certificate_that_ends_is_refused_also_on_an_open_connection() {
    let pair = Pair::start();
    let lives = Duration::from_secs(6);
    for role in [CertificateRole::RatingOperator, CertificateRole::Rating] {
        let address = match role {
            CertificateRole::Rating => pair.peer_address(),
            _ => pair.rating.operator_address.clone(),
        };
        let (certificate, key) = pair.home.ending(role, lives);
        let connection = Connection {
            certificate,
            key,
            ..pair.home.connection(role, &address)
        };
        if role == CertificateRole::Rating {
            let pin = pin_of(&connection.certificate);
            std::fs::write(pair.home.pin_file("social"), pin.to_string()).unwrap();
            until_served("the certificate that ends soon", &connection).await;
        }
        let channel = raw::channel(&connection).await.unwrap();
        let (mut people, mut peers) =
            (RatingClient::new(channel.clone()), PeerClient::new(channel));
        let mut call = async || match role {
            CertificateRole::Rating => peers.hello(crate::peer_port::hello()).await.map(drop),
            _ => people.list_jobs(v1::ListJobsRequest {}).await.map(drop),
        };
        call().await.unwrap();
        tokio::time::sleep(lives + Duration::from_secs(1)).await;
        let status = call().await.unwrap_err();
        let fault = s3rec_wire::status::Fault::from_status(&status).unwrap();
        assert_eq!(fault.reason, s3rec_wire::status::Reason::NotInForce);
        assert!(fault.message.contains("has ended"), "{fault}");
    }
}

#[test]
fn a_daemon_whose_key_others_can_read_does_not_start() {
    use std::os::unix::fs::PermissionsExt;
    let home = s3rec_tests::pair::Home::new();
    let (_, key) = home.identity(CertificateRole::Social);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    let program = s3rec_tests::binaries::Program::Social;
    let mut daemon = s3rec_tests::pair::Daemon::spawn(program, &home.social_configuration());
    assert!(!daemon.wait(Duration::from_secs(30)).success());
    let log = daemon.log();
    let remedy = format!("chmod 600 {}", key.display());
    assert!(log.contains(&remedy), "{log}");
}
