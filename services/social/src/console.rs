//! The console of the people here: the platform's own service in a browser.

use std::convert::Infallible;
use std::sync::Arc;

use s3rec_console::{Links, Logins, serve, social};
use s3rec_node::audit::LogCalls;
use s3rec_node::config::SocialSettings;
use s3rec_node::pki::CertificateRole;
use s3rec_node::server::{Port, ServeError};
use s3rec_node::tls::{Admitted, Authorize, Identity};
use s3rec_wire::v1::console_server::ConsoleServer;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::service::RoutesBuilder;
use tower::Service;
use tower::util::BoxCloneSyncService;

use crate::platform::Platform;

/// Its port, where it is configured.
pub(crate) struct Console {
    port: Option<Port>,
    name: String,
}

/// With everything that it serves.
pub(crate) struct Mounted {
    port: Port,
    router: serve::Router,
}

impl Console {
    /// Binds its port.
    pub(crate) async fn bind(settings: &SocialSettings) -> Result<Self, ServeError> {
        Ok(Self {
            port: Port::bind_any("console", settings.console.listen, &settings.data_dir).await?,
            name: settings.name.clone(),
        })
    }

    /// Puts the call that hands out links beside the operators' service, and the pages over that
    /// service, in which every call is logged.
    pub(crate) fn mount<S>(
        self,
        platform: &Arc<Platform>,
        service: LogCalls<S>,
        operators: &mut RoutesBuilder,
    ) -> Option<Mounted>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        let people = Authorize::unrevoked(CertificateRole::SocialOperator, &platform.identity);
        let judge = people.clone();
        let logins = Arc::new(Logins::new(move |caller| {
            judge.judge(&caller.certificate).is_ok()
        }));
        let links = match &self.port {
            Some(port) => Links::new(serve::origin(port.address()), Arc::clone(&logins)),
            None => Links::off(),
        };
        let links = LogCalls::new(ConsoleServer::new(links), platform.audit.clone());
        operators.add_service(Admitted::new(links, people));
        let port = self.port?;
        if !port.address().ip().is_loopback() {
            tracing::warn!(address = %port.address(), "the console can be reached from outside this machine");
        }
        let router = social::router(social::Social {
            name: self.name,
            data_dir: platform.data_dir.clone(),
            logins,
            calls: BoxCloneSyncService::new(service),
        });
        Some(Mounted { port, router })
    }
}

impl Mounted {
    /// Serves it, under the daemon's certificate as it is at each connection.
    pub(crate) async fn serve(self, identity: Arc<Identity>, stop: watch::Receiver<bool>) {
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
