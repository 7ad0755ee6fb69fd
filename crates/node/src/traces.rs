//! Spans for an OpenTelemetry collector, off unless `[observability] traces` is set.
//!
//! A job's id, 128 random bits, is its trace id at both platforms, so that a collector which
//! hears both puts their spans into one trace and nothing more crosses the link for it. Spans
//! carry the job, its phases, rounds and times, and the reason of a failure: what both platforms
//! know of each other anyway. Log lines are not exported.

use std::time::Duration;

use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use s3rec_job::JobId;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

/// Longest that a collector may take for one batch.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends what has not been sent when it is dropped.
#[must_use]
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Exports by OTLP over gRPC to `collector`, under the program's name and the platform's.
    /// To be called within the runtime. A collector that is away costs its spans and nothing else.
    ///
    /// # Errors
    /// An address that is none.
    pub fn to(collector: &str, program: &str, platform: &str) -> Result<Self, ExporterBuildError> {
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(collector)
            .with_timeout(EXPORT_TIMEOUT)
            .build()?;
        let resource = Resource::builder()
            .with_service_name(program.to_owned())
            .with_attribute(KeyValue::new("service.instance.id", platform.to_owned()))
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build();
        Ok(Self(provider))
    }

    /// What hears our own spans.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let ours =
            filter_fn(|metadata| metadata.is_span() && metadata.target().starts_with("s3rec"));
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("s3rec"))
            .with_location(false)
            .with_threads(false)
            .with_filter(ours)
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown() {
            tracing::debug!("the last spans were not exported: {error}");
        }
    }
}

/// Makes `span` part of the job's trace, at either platform; nothing where none is exported.
pub fn join_trace(span: &Span, job: JobId) {
    let id = job.as_bytes();
    let [a, b, c, d, e, f, g, h, ..] = *blake3::hash(id).as_bytes();
    let root = SpanContext::new(
        TraceId::from_bytes(*id),
        SpanId::from_bytes([a, b, c, d, e, f, g, h]),
        TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    );
    // Refused where nothing hears the span.
    let _ = span.set_parent(Context::new().with_remote_span_context(root));
}
