//! The people's service as both daemons offer it.

use std::convert::Infallible;
use std::sync::Arc;

use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::server::NamedService;
use tonic::service::RoutesBuilder;
use tower::Service;

use super::{ServeError, add_health_and_reflection};
use crate::audit::{Audit, LogCalls};
use crate::pki::CertificateRole;
use crate::tls::{Admitted, Authorize, Identity};

/// A service for certificates of one role, every call of which is in the audit log.
pub struct Operators<S> {
    /// What the port has besides: health and reflection.
    pub routes: RoutesBuilder,
    /// The service, which logs.
    pub service: LogCalls<S>,
    callers: Authorize,
}

impl<S> Operators<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    /// `service` for the people of `role`.
    ///
    /// # Errors
    /// [`ServeError::Reflection`]; [`ServeError::Descriptors`] for a service that is not ours.
    pub async fn new(
        service: S,
        role: CertificateRole,
        identity: &Arc<Identity>,
        audit: &Audit,
    ) -> Result<Self, ServeError> {
        let mut routes = RoutesBuilder::default();
        let asking = Authorize::unrevoked_or_itself(role, identity);
        add_health_and_reflection::<S>(&mut routes, &asking).await?;
        Ok(Self {
            routes,
            service: LogCalls::new(service, audit.clone()),
            callers: Authorize::unrevoked(role, identity),
        })
    }

    /// Everything that the port serves.
    #[must_use]
    pub fn into_routes(mut self) -> RoutesBuilder {
        let admitted = Admitted::new(self.service, self.callers);
        self.routes.add_service(admitted);
        self.routes
    }
}
