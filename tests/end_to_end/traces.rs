//! One job's spans at a collector that hears both platforms.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use s3rec_tests::data::Files;
use s3rec_tests::job::Job;
use s3rec_tests::pair::{Pair, add_settings};
use s3rec_wire::v1;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

/// Keeps what it is sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_platforms_put_their_spans_into_one_trace_of_the_job() {
    let collector = Collector::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = TraceServiceServer::new(collector.clone());
    let incoming = TcpListenerStream::new(listener);
    tokio::spawn(
        Server::builder()
            .add_service(service)
            .serve_with_incoming(incoming),
    );

    let traced = format!("traces = \"http://{address}\"");
    let mut pair = Pair::configured(|path: &Path| add_settings(path, "observability", &traced));
    let files = Files::small(pair.home.path());
    let mut job = Job::propose(&pair, &files, 2).await;
    job.approve().await;
    let request = v1::StartJobRequest {
        job_id: job.id.clone(),
        wait_for_approval: true,
    };
    job.rating.start_job(request).await.unwrap();
    assert_eq!(job.end_at_rating().await.state(), v1::JobState::Finished);
    // What is left is sent at the end.
    for daemon in [&mut pair.rating, &mut pair.social] {
        daemon.terminate();
        let limit = Duration::from_secs(30);
        assert!(tokio::task::block_in_place(|| daemon.wait(limit)).success());
    }

    let trace = job.id.replace('-', "");
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for resource in collector
        .0
        .lock()
        .unwrap()
        .iter()
        .flat_map(|sent| &sent.resource_spans)
    {
        let about = resource.resource.as_ref().unwrap();
        let service = attribute(&about.attributes, "service.name").unwrap();
        for span in resource.scope_spans.iter().flat_map(|scope| &scope.spans) {
            let hex: String = span
                .trace_id
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            if hex != trace {
                continue;
            }
            assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
            // Log lines, which name data sets and people, stay here.
            assert!(span.events.is_empty(), "{span:?}");
            let round = attribute(&span.attributes, "round");
            let name = [
                Some(span.name.clone()),
                attribute(&span.attributes, "phase"),
                round,
            ];
            let name: Vec<String> = name.into_iter().flatten().collect();
            names
                .entry(service.clone())
                .or_default()
                .insert(name.join(" "));
        }
    }
    for service in ["s3rec-rating", "s3rec-social"] {
        let names = &names[service];
        for expected in [
            "align",
            "setup",
            "exchange PHASE_ONLINE 1",
            "exchange PHASE_ONLINE 2",
        ] {
            assert!(names.contains(expected), "{service}: {names:?}");
        }
    }
    assert!(names["s3rec-rating"].contains("job"), "{names:?}");
}
