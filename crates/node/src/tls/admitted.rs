//! The door of a service: who may call is asked when a call comes, and again for as long as it
//! goes on.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body as HttpBody, Frame, SizeHint};
use prost::bytes::Bytes;
use rustls_pki_types::CertificateDer;
use s3rec_wire::status::{Fault, Reason};
use tokio::time::{Instant, Sleep, sleep};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{HeaderMap, Request, Response};
use tonic::server::NamedService;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};
use tower::Service;

use super::judged::HOLDS;
use super::{Authorize, Caller};

/// A service behind a rule. A call whose certificate ends, is revoked or loses its pin while it
/// is under way ends within a second: its caller gets the reason, the service a caller that has
/// vanished, and nothing more passes either way.
#[derive(Clone)]
pub struct Admitted<S> {
    service: S,
    rule: Authorize,
}

impl<S> Admitted<S> {
    /// `service` for whom `rule` lets through.
    #[must_use]
    pub fn new(service: S, rule: Authorize) -> Self {
        Self { service, rule }
    }
}

impl<S: NamedService> NamedService for Admitted<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Admitted<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let connection = request.extensions().get::<TlsConnectInfo<TcpConnectInfo>>();
        let chain = connection.and_then(TlsConnectInfo::peer_certs);
        let leaf = chain.as_ref().and_then(|chain| chain.first());
        match self.rule.admit(leaf) {
            Ok((caller, leaf)) => self.pass(request, caller, leaf),
            Err(fault) => {
                let refused = fault.into_status().into_http();
                Box::pin(std::future::ready(Ok(refused)))
            }
        }
    }
}

/// An answer that is on its way.
type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<S> Admitted<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    /// The call of somebody who was let through, for as long as that holds.
    fn pass(
        &mut self,
        mut request: Request<Body>,
        caller: Caller,
        certificate: CertificateDer<'static>,
    ) -> Answering {
        request.extensions_mut().insert(caller);
        let theirs = InForce::new(self.rule.clone(), certificate.clone());
        let ours = InForce::new(self.rule.clone(), certificate);
        let request = request.map(|body| Body::new(Checked::sent(body, theirs)));
        let answered = self.service.call(request);
        Box::pin(async move {
            let response = answered.await?;
            Ok(response.map(|body| Body::new(Checked::answered(body, ours))))
        })
    }
}

/// Whether a caller still is who may call.
struct InForce {
    rule: Authorize,
    certificate: CertificateDer<'static>,
    /// When it is asked again.
    asking: Pin<Box<Sleep>>,
    /// Nothing passes any more.
    is_over: bool,
}

impl InForce {
    fn new(rule: Authorize, certificate: CertificateDer<'static>) -> Self {
        Self {
            rule,
            certificate,
            asking: Box::pin(sleep(HOLDS)),
            is_over: false,
        }
    }

    /// Asks where it is time to, and has itself woken when it is.
    fn poll(&mut self, context: &mut Context<'_>) -> Result<(), Fault> {
        while self.asking.as_mut().poll(context).is_ready() {
            if let Err(fault) = self.rule.still(&self.certificate) {
                tracing::warn!(
                    reason = fault.reason.name(),
                    "ended a call that was under way: {fault}"
                );
                self.is_over = true;
                return Err(fault);
            }
            self.asking.as_mut().reset(Instant::now() + HOLDS);
        }
        Ok(())
    }
}

/// What a caller sends, or is answered.
struct Checked {
    body: Body,
    in_force: InForce,
    is_answer: bool,
}

impl Checked {
    fn sent(body: Body, in_force: InForce) -> Self {
        Self {
            body,
            in_force,
            is_answer: false,
        }
    }

    fn answered(body: Body, in_force: InForce) -> Self {
        Self {
            is_answer: true,
            ..Self::sent(body, in_force)
        }
    }
}

impl HttpBody for Checked {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if this.in_force.is_over {
            return Poll::Ready(None);
        }
        if let Err(fault) = this.in_force.poll(context) {
            // The service's own part goes with this, whatever of it was still to come.
            this.body = Body::empty();
            if !this.is_answer {
                // For the service it is gone; under its next certificate it may come back.
                let fault = Fault::new(Reason::PeerVanished, fault.message);
                return Poll::Ready(Some(Err(fault.into_status())));
            }
            let mut trailers = HeaderMap::new();
            fault.into_status().add_header(&mut trailers)?;
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        Pin::new(&mut this.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.in_force.is_over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::time::Duration;

    use http_body_util::BodyExt;
    use tokio::io::AsyncWriteExt;
    use tonic::service::RoutesBuilder;
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;

    use super::*;
    use crate::client::connect;
    use crate::config::{Limits, TlsSettings};
    use crate::pki::{CertificateRole, certificate_in, issue, revoke};
    use crate::server::{Port, PortLimits};
    use crate::tls::{Identity, Judged, PinSource, TlsMaterial};

    /// What is promised; not [`HOLDS`], which must keep it.
    const SECOND: Duration = Duration::from_secs(1);

    fn tls(keys: &Path, role: CertificateRole) -> TlsSettings {
        TlsSettings {
            ca: keys.join("ca.pem"),
            certificate: keys.join(format!("{role}.pem")),
            key: keys.join(format!("{role}.key")),
            revoked: Some(keys.join("ca.crl")),
        }
    }

    /// The social platform, whose peer is pinned by a file.
    fn identity(keys: &Path) -> (Arc<Identity>, PathBuf) {
        let issued = issue(keys, &[]).unwrap();
        let pin = issued.identity(CertificateRole::Rating).unwrap().pin;
        let pins = keys.join("rating.pin");
        std::fs::write(&pins, pin.to_string()).unwrap();
        let role = CertificateRole::Social;
        let source = PinSource::File(pins.clone());
        let identity = Identity::load(&tls(keys, role), None, source, role).unwrap();
        (identity, pins)
    }

    /// Over a real port: a stream on which nobody says anything ends with the reason.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_stream_ends_with_what_allowed_it() {
        for (is_revoked, expected) in [(true, Reason::Revoked), (false, Reason::WrongPin)] {
            let directory = tempfile::tempdir().unwrap();
            let keys = directory.path();
            let (identity, pins) = identity(keys);
            let (reporter, health) = tonic_health::server::health_reporter();
            reporter
                .set_service_status("", tonic_health::ServingStatus::Serving)
                .await;
            let mut routes = RoutesBuilder::default();
            let rule = Authorize::pinned(CertificateRole::Rating, &identity);
            routes.add_service(Admitted::new(health, rule));
            let port = Port::bind("test", "127.0.0.1:0".parse().unwrap(), keys).await;
            let port = port.unwrap();
            let address = format!("https://{}", port.address());
            let peers = Arc::clone(&identity.now().peers);
            let (stop, stopped) = tokio::sync::watch::channel(false);
            let limits = PortLimits::peer(&Limits::default());
            let drain = Duration::from_secs(1);
            tokio::spawn(port.serve(move || Arc::clone(&peers), routes, limits, stopped, drain));

            let role = CertificateRole::Rating;
            let material = TlsMaterial::load(&tls(keys, role), role).unwrap();
            let social = Authorize::role(CertificateRole::Social);
            let channel = connect(&address, &material, social).await.unwrap();
            let mut client = HealthClient::new(channel);
            let asked = client.watch(HealthCheckRequest::default()).await;
            let mut stream = asked.unwrap().into_inner();
            assert!(stream.message().await.unwrap().is_some());
            // It goes on for as long as nothing changes.
            let silent = tokio::time::timeout(3 * SECOND, stream.message()).await;
            assert!(silent.is_err(), "{silent:?}");
            if is_revoked {
                revoke(keys, &keys.join("rating.pem")).unwrap();
            } else {
                std::fs::write(&pins, "ab".repeat(32)).unwrap();
            }
            assert!(identity.look());
            let ended = tokio::time::timeout(4 * SECOND, stream.message()).await;
            let status = ended.expect("the stream goes on").unwrap_err();
            assert_eq!(Fault::from_status(&status).unwrap().reason, expected);
            drop(stop);
        }
    }

    /// A body of that many frames.
    fn body(frames: u8) -> Body {
        let frames = (0..frames).map(|frame| Ok::<_, Status>(Frame::data(vec![frame].into())));
        Body::new(http_body_util::StreamBody::new(tokio_stream::iter(frames)))
    }

    /// Whoever is still sending is gone for the service, and no byte of it arrives any more.
    #[tokio::test]
    async fn what_is_sent_ends_too() {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path();
        let (identity, _) = identity(keys);
        let rule = Authorize::pinned(CertificateRole::Rating, &identity);
        let certificate = certificate_in(&keys.join("rating.pem")).unwrap();
        let (arrived, mut arriving) = tokio::sync::mpsc::unbounded_channel();
        let service = tower::service_fn(move |request: Request<Body>| {
            let by = request.extensions().get::<Caller>().cloned();
            arrived.send((request.into_body(), by)).unwrap();
            std::future::ready(Ok(Response::new(Body::empty())))
        });
        let caller = rule.judge(&certificate).unwrap();
        let mut admitted = Admitted::new(service, rule);
        let called = admitted.pass(Request::new(body(3)), caller.clone(), certificate);
        called.await.unwrap();
        let (mut sent, by) = arriving.recv().await.unwrap();
        assert_eq!(by, Some(caller));
        sent.frame().await.unwrap().unwrap();
        tokio::time::sleep(SECOND).await;
        sent.frame().await.unwrap().unwrap();
        revoke(keys, &keys.join("rating.pem")).unwrap();
        assert!(identity.look());
        tokio::time::sleep(SECOND).await;
        let status = sent.frame().await.unwrap().unwrap_err();
        let fault = Fault::from_status(&status).unwrap();
        assert_eq!(fault.reason, Reason::PeerVanished);
        assert!(fault.message.contains("revoked"), "{fault}");
        assert!(sent.frame().await.is_none());
    }

    /// Asking again is no new meeting: two connections under two pins each stay who they are.
    #[tokio::test]
    async fn asking_again_changes_nobodys_pin() {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path();
        let (identity, pins) = identity(keys);
        let next = crate::pki::rotate(keys, CertificateRole::Rating, &[]).unwrap();
        let old = identity.peer_pin();
        std::fs::write(&pins, format!("{old}\n{}\n", next.pin)).unwrap();
        assert!(identity.look());
        let rule = Authorize::pinned(CertificateRole::Rating, &identity);
        let certificate = |name: &str| certificate_in(&keys.join(name)).unwrap();
        let in_force = InForce::new(rule.clone(), certificate("rating.pem"));
        let mut sent = Checked::sent(body(1), in_force);
        let (stream, _other) = tokio::io::duplex(64);
        let mut judged = Judged::new(stream, certificate("rating.pem"), rule.clone()).unwrap();
        assert_eq!(identity.peer_pin(), old);
        rule.judge(&certificate("rating.next.pem")).unwrap();
        assert_eq!(identity.peer_pin(), next.pin);
        tokio::time::sleep(SECOND).await;
        sent.frame().await.unwrap().unwrap();
        judged.write_all(b"one").await.unwrap();
        assert_eq!(identity.peer_pin(), next.pin);
    }
}
