//! Operators' calls in the audit log: who, and which verb, before the call is served.

use std::convert::Infallible;
use std::task::{Context, Poll};

use futures::future::{Either, Ready, ready};
use s3rec_audit::Kind;
use s3rec_wire::status::{Fault, Reason};
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::server::NamedService;
use tower::Service;

use super::Audit;
use crate::tls::Caller;

/// Verbs that only look. Every other one is logged, so that a new verb is unless it stands here.
const LOOKING: [&str; 18] = [
    "EstimateJob",
    "WatchJob",
    "ListJobs",
    "JobReport",
    "ListModels",
    "Evaluate",
    "Predict",
    "Recommend",
    "RecommendAll",
    "StockStatus",
    "ListDisclosures",
    "ListProposals",
    "WatchProposal",
    "JobCost",
    "ShowPolicy",
    "ListDatasets",
    "ShowDataset",
    "Status",
];

/// Logs the calls of a service whose callers were authorised before.
#[derive(Clone)]
pub struct LogCalls<S> {
    service: S,
    audit: Audit,
}

impl<S> LogCalls<S> {
    /// Logs in front of `service`.
    #[must_use]
    pub fn new(service: S, audit: Audit) -> Self {
        Self { service, audit }
    }

    fn log(&self, verb: &str, caller: Option<&Caller>) -> Result<(), Fault> {
        if LOOKING.contains(&verb) {
            return Ok(());
        }
        let caller = caller.ok_or_else(|| {
            Fault::new(
                Reason::Bug,
                "an operator's call came past the check of its caller",
            )
        })?;
        let (name, pin) = (caller.name.clone(), caller.pin.to_string());
        let call = [
            ("verb", verb.into()),
            ("who", name.into()),
            ("certificate", pin.into()),
        ];
        self.audit.record(Kind::Call, call).map(drop)
    }
}

impl<S: NamedService> NamedService for LogCalls<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for LogCalls<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<Response<Body>, Infallible>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let verb = request.uri().path().rsplit('/').next().unwrap_or_default();
        let caller = request.extensions().get::<Caller>();
        // What cannot be logged is not done.
        match self.log(verb, caller) {
            Ok(()) => Either::Left(self.service.call(request)),
            Err(fault) => Either::Right(ready(Ok(fault.into_status().into_http()))),
        }
    }
}
