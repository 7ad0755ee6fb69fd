//! Connections that waste a daemon's places, time or memory.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use s3rec_node::config::TlsSettings;
use s3rec_node::pki::CertificateRole;
use s3rec_node::tls::TlsMaterial;
use s3rec_tests::binaries::Program;
use s3rec_tests::pair::{Daemon, Home, add_settings};
use s3rec_tests::raw;
use s3rec_wire::status::{Fault, Reason};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::codegen::Service;
use tonic::codegen::http::Request;

use crate::peer_port::{PeerClient, hello};

/// The social platform alone, under limits that a test can reach.
struct Target {
    home: Home,
    social: Daemon,
    address: String,
}

impl Target {
    fn start() -> Self {
        let home = Home::new();
        let configuration = home.social_configuration();
        let limits = "stall_seconds = 2\nconnections_per_client = 6\ncalls_per_second = 50";
        add_settings(&configuration, "limits", limits);
        let data = home.data_dir("social");
        let social = Daemon::start(Program::Social, &configuration, &data);
        let address = std::fs::read_to_string(data.join("peer.addr")).unwrap();
        Self {
            home,
            social,
            address: address.trim().to_owned(),
        }
    }

    /// As the rating platform, whose certificate is the pinned one.
    async fn client(&self) -> PeerClient {
        let connection = self.home.connection(CertificateRole::Rating, &self.address);
        PeerClient::new(raw::channel(&connection).await.unwrap())
    }

    /// TLS as the rating platform, and no HTTP yet.
    async fn tls(&self) -> std::io::Result<TlsStream<TcpStream>> {
        let (certificate, key) = self.home.identity(CertificateRole::Rating);
        let settings = TlsSettings {
            ca: self.home.path().join("keys/ca.pem"),
            certificate,
            key,
            revoked: None,
        };
        let material = TlsMaterial::load(&settings, CertificateRole::Rating).unwrap();
        let tls = TlsConnector::from(std::sync::Arc::new(material.client_config().unwrap()));
        let stream = TcpStream::connect(&self.address).await?;
        tls.connect("localhost".try_into().unwrap(), stream).await
    }

    /// Still serves who behaves.
    async fn assert_serves(&mut self) {
        self.client().await.hello(hello()).await.unwrap();
        self.social.assert_well();
    }
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_broken_off() {
    let mut target = Target::start();
    for beginning in [&b""[..], b"PRI * HTTP/2.0\r\n"] {
        let mut stream = target.tls().await.unwrap();
        stream.write_all(beginning).await.unwrap();
        // Ends by itself; what the server said before its end does not matter.
        let mut rest = Vec::new();
        let ended = stream.read_to_end(&mut rest);
        let ended = tokio::time::timeout(Duration::from_secs(60), ended).await;
        assert!(ended.is_ok(), "still open after {} bytes", beginning.len());
    }
    target.assert_serves().await;
}

#[tokio::test]
async fn one_client_does_not_take_every_place() {
    let mut target = Target::start();
    let mut held = Vec::new();
    for _ in 0..6 {
        held.push(TcpStream::connect(&target.address).await.unwrap());
    }
    // Accepted by the system, and closed by us before a byte of TLS.
    let mut seventh = TcpStream::connect(&target.address).await.unwrap();
    let mut byte = [0; 1];
    let read = seventh.read(&mut byte);
    let read = tokio::time::timeout(Duration::from_secs(60), read).await;
    assert!(matches!(read, Ok(Ok(0) | Err(_))), "{read:?}");
    drop(held);
    let mut tries = 0;
    while target.tls().await.is_err() {
        tries += 1;
        assert!(tries < 100, "the places were not given back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    target.assert_serves().await;
}

/// Says that a message of 1,000 bytes comes, and then says one byte at a time.
struct Trickle(tokio::time::Interval, bool);

impl http_body::Body for Trickle {
    type Data = prost::bytes::Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        self.0.poll_tick(context).map(|_| {
            let begun = std::mem::replace(&mut self.1, true);
            let bytes: &'static [u8] = if begun { &[0] } else { &[0, 0, 0, 3, 232] };
            Some(Ok(http_body::Frame::data(bytes.into())))
        })
    }
}

#[tokio::test]
async fn a_message_that_trickles_in_ends_its_call_with_the_cause() {
    let mut target = Target::start();
    let connection = target
        .home
        .connection(CertificateRole::Rating, &target.address);
    let mut channel = raw::channel(&connection).await.unwrap();
    let body = Trickle(tokio::time::interval(Duration::from_millis(100)), false);
    let request = Request::post(format!("{}/s3rec.v1.Peer/Hello", connection.address))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(tonic::body::Body::new(body))
        .unwrap();
    std::future::poll_fn(|context| channel.poll_ready(context))
        .await
        .unwrap();
    let answered = tokio::time::timeout(Duration::from_secs(60), channel.call(request)).await;
    let response = answered.expect("the call goes on").unwrap();
    let status = tonic::Status::from_header_map(response.headers()).unwrap();
    let fault = Fault::from_status(&status).unwrap();
    assert_eq!(fault.reason, Reason::PeerIdle, "{status:?}");
    target.assert_serves().await;
}

#[tokio::test]
async fn a_flood_of_calls_is_refused_on_its_own_connection_only() {
    let mut target = Target::start();
    let client = target.client().await;
    let mut reasons = Vec::new();
    // More than two seconds' worth, as fast as they go.
    for _ in 0..20 {
        let calls = (0..50).map(|_| {
            let mut client = client.clone();
            async move { client.hello(hello()).await }
        });
        let calls: Vec<_> = calls.map(tokio::spawn).collect();
        for call in calls {
            if let Err(status) = call.await.unwrap() {
                reasons.push(Fault::from_status(&status).unwrap().reason);
            }
        }
    }
    assert!(!reasons.is_empty(), "a thousand calls were all answered");
    assert!(
        reasons
            .iter()
            .all(|reason| *reason == Reason::LimitExceeded)
    );
    target.assert_serves().await;
}

#[tokio::test]
async fn a_flood_of_resets_harms_nobody_else() {
    let mut target = Target::start();
    let client = target.client().await;
    for _ in 0..2_000 {
        let mut client = client.clone();
        let call = tokio::spawn(async move { client.hello(hello()).await });
        tokio::task::yield_now().await;
        // Dropped in flight: a reset.
        call.abort();
    }
    target.assert_serves().await;
}
