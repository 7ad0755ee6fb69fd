//! A daemon's console: its port, the call that hands out links, the pages over the daemon's service.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use s3rec_node::audit::{Audit, LogCalls};
use s3rec_node::config::{PeerSettings, Settings};
use s3rec_node::examine;
use s3rec_node::observe::Observed;
use s3rec_node::pki::CertificateRole;
use s3rec_node::server::{Operators, Port, ServeError};
use s3rec_node::tls::{Admitted, Authorize, Identity};
use s3rec_wire::v1::console_server::ConsoleServer;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tower::Service;
use tower::util::BoxCloneSyncService;

use crate::site::{Examine, Site};
use crate::{Links, Logins, rating, serve, social};

/// Its port, where it is configured.
pub struct Console {
    port: Option<Port>,
    name: String,
}

/// With everything that it serves.
pub struct Mounted {
    port: Port,
    router: serve::Router,
}

/// The daemon whose console it is.
pub struct Of<'a> {
    /// Role of the people who may come in, which says which platform it is.
    pub people: CertificateRole,
    /// Its keys, and who is revoked.
    pub identity: &'a Arc<Identity>,
    /// Where calls are logged.
    pub audit: &'a Audit,
    /// Where its audit log is.
    pub data_dir: &'a Path,
    /// What it finds of itself.
    pub examine: Examine,
}

impl Console {
    /// Binds its port.
    ///
    /// # Errors
    /// As [`Port::bind`].
    pub async fn bind<P>(settings: &Settings<P>) -> Result<Self, ServeError> {
        Ok(Self {
            port: Port::bind_any("console", settings.console.listen, &settings.data_dir).await?,
            name: settings.name.clone(),
        })
    }

    /// Puts the call that hands out links beside the operators' service, and the pages over that
    /// service, in which every call is logged.
    pub fn mount<S>(self, daemon: Of<'_>, operators: &mut Operators<S>) -> Option<Mounted>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        let people = Authorize::unrevoked(daemon.people, daemon.identity);
        let judge = people.clone();
        let logins = Arc::new(Logins::new(move |caller| {
            judge.judge(&caller.certificate).is_ok()
        }));
        let links = match &self.port {
            Some(port) => Links::new(serve::origin(port.address()), Arc::clone(&logins)),
            None => Links::off(),
        };
        let links = LogCalls::new(ConsoleServer::new(links), daemon.audit.clone());
        operators.routes.add_service(Admitted::new(links, people));
        let port = self.port?;
        if !port.address().ip().is_loopback() {
            tracing::warn!(address = %port.address(), "the console can be reached from outside this machine");
        }
        let is_rating = daemon.people == CertificateRole::RatingOperator;
        let site = Site {
            role: if is_rating { "rating" } else { "social" },
            name: self.name,
            data_dir: daemon.data_dir.to_owned(),
            logins,
            calls: BoxCloneSyncService::new(operators.service.clone()),
            examine: daemon.examine,
        };
        let router = match is_rating {
            true => rating::router(site),
            false => social::router(site),
        };
        Some(Mounted { port, router })
    }
}

impl Mounted {
    /// Serves it, under the daemon's certificate as it is at each connection, until `stop` turns true.
    pub async fn serve(self, identity: Arc<Identity>, stop: watch::Receiver<bool>) {
        let tls = move || match identity.now().material.browser_config() {
            Ok(config) => Some(Arc::new(config)),
            Err(error) => {
                tracing::error!("the console has no TLS: {error}");
                None
            }
        };
        serve::serve(self.port.into_listener(), tls, self.router, stop).await;
    }
}

/// What a daemon with these settings finds of itself when it is asked, and of the other platform by
/// its readiness.
#[must_use]
pub fn examined<P>(settings: &Settings<P>, observed: &Arc<Observed>) -> Examine
where
    P: PeerSettings + Clone + Send + Sync + 'static,
{
    let settings = Arc::new(settings.clone());
    let observed = Arc::clone(observed);
    Box::new(move || {
        let (settings, observed) = (Arc::clone(&settings), Arc::clone(&observed));
        Box::pin(async move {
            // It reads files, and tries to write one.
            let looked = tokio::task::spawn_blocking(move || {
                let mut findings = examine::Findings::default();
                let _ = examine::examine(&mut findings, &*settings);
                (findings, examine::certificates(&settings))
            });
            let (mut findings, certificates) = looked.await.unwrap_or_default();
            for check in observed.readiness().await.0 {
                let (name, well) = match check.name {
                    "peer" => (
                        "other platform",
                        "it was met: versions agree, its certificate is the pinned one",
                    ),
                    "store" => ("store", "it answers"),
                    // The doctor has looked at them more closely.
                    _ => continue,
                };
                match check.wrong {
                    None => findings.ok(name, well),
                    Some(wrong) => findings.wrong(name, wrong, ""),
                }
            }
            (findings, certificates)
        })
    })
}
