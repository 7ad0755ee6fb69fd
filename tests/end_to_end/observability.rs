//! Metrics, health and readiness as an operator's machine reads them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use s3rec_tests::binaries::Program;
use s3rec_tests::data::Files;
use s3rec_tests::job::Job;
use s3rec_tests::pair::{Daemon, Home, Pair};
use s3rec_tests::processes::wait_until;
use s3rec_wire::v1;

/// Status line and body of a GET.
fn get(data_dir: &Path, route: &str) -> (String, String) {
    let address = std::fs::read_to_string(data_dir.join("observability.addr")).unwrap();
    let mut stream = TcpStream::connect(address.trim()).unwrap();
    write!(
        stream,
        "GET {route} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

/// The value of a series, written with its labels as Prometheus does.
fn value(metrics: &str, series: &str) -> f64 {
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{metrics}"))
        .parse()
        .unwrap()
}

#[tokio::test]
async fn a_finished_job_shows_in_the_metrics_of_both_sides() {
    let pair = Pair::start();
    let (rating, social) = (pair.home.data_dir("rating"), pair.home.data_dir("social"));
    let files = Files::small(pair.home.path());
    let mut job = Job::propose(&pair, &files, 2).await;

    let listed = job.rating.list_jobs(v1::ListJobsRequest {}).await.unwrap();
    let event = listed.into_inner().jobs.remove(0).last_event.unwrap();
    assert_eq!(event.waiting_for(), v1::Role::Social);
    assert!(event.waiting_since_unix_ms > 0);
    let pending = v1::ListProposalsRequest { pending_only: true };
    let listed = job.social.list_proposals(pending).await.unwrap();
    let event = listed.into_inner().proposals.remove(0).last_event.unwrap();
    assert_eq!(event.waiting_for(), v1::Role::Social);
    assert!(event.waiting_since_unix_ms > 0);
    let (_, metrics) = get(&social, "/metrics");
    assert!(value(&metrics, "s3rec_waiting_seconds{role=\"social\"}") >= 0.0);
    assert_eq!(value(&metrics, "s3rec_jobs{state=\"proposed\"}"), 1.0);

    job.approve().await;
    let request = v1::StartJobRequest {
        job_id: job.id.clone(),
        wait_for_approval: true,
    };
    job.rating.start_job(request).await.unwrap();
    assert_eq!(job.end_at_rating().await.state(), v1::JobState::Finished);
    assert_eq!(job.end_at_social().await.state(), v1::JobState::Finished);

    let (_, ours) = get(&rating, "/metrics");
    let (_, theirs) = get(&social, "/metrics");
    for metrics in [&ours, &theirs] {
        assert_eq!(value(metrics, "s3rec_rounds_total"), 2.0);
        assert_eq!(
            value(metrics, "s3rec_jobs_ended_total{state=\"finished\"}"),
            1.0
        );
        assert_eq!(value(metrics, "s3rec_disclosed_openings"), 2.0);
        assert_eq!(value(metrics, "s3rec_disclosed_columns"), 8.0);
        assert!(value(metrics, "s3rec_phase_seconds{phase=\"online\"}") > 0.0);
        // What it counts names no job, user, item or file.
        for secret in [job.id.as_str(), "test\"", ".tsv", "u1"] {
            assert!(!metrics.contains(secret), "{secret} in\n{metrics}");
        }
    }
    for stage in ["offline", "online"] {
        let bytes = |metrics: &str, direction: &str| {
            let labels = format!("direction=\"{direction}\",stage=\"{stage}\"");
            value(metrics, &format!("s3rec_peer_bytes_total{{{labels}}}"))
        };
        assert_eq!(bytes(&ours, "sent"), bytes(&theirs, "received"), "{stage}");
        assert_eq!(bytes(&ours, "received"), bytes(&theirs, "sent"), "{stage}");
    }
}

/// What a panel asks for: a metric, labels that it picks, labels that it shows.
#[derive(Debug)]
struct Asked {
    metric: String,
    picked: Vec<String>,
    shown: Vec<String>,
}

/// Every series that the dashboard names.
fn asked_by_the_dashboard() -> Vec<Asked> {
    let path = deploy("grafana/dashboard.json");
    let text = std::fs::read_to_string(path).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    let mut asked = Vec::new();
    for target in targets {
        let legend = target["legendFormat"].as_str().unwrap();
        let shown = legend
            .split("{{")
            .skip(1)
            .map(|label| label.split("}}").next().unwrap().to_owned())
            // Prometheus adds it to what each target tells.
            .filter(|label| label != "platform")
            .collect();
        let expression = target["expr"].as_str().unwrap();
        let (_, rest) = expression.split_once("s3rec_").unwrap();
        assert!(!rest.contains("s3rec_"), "one metric each: {expression}");
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let picked = rest[end..]
            .strip_prefix('{')
            .and_then(|labels| labels.split_once('}'))
            .map_or(Vec::new(), |(labels, _)| {
                labels.split(',').map(str::to_owned).collect()
            });
        asked.push(Asked {
            metric: format!("s3rec_{}", &rest[..end]),
            picked,
            shown,
        });
    }
    asked
}

fn deploy(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy/observability")
        .join(file)
}

/// Whether some line is of the metric, with every label.
fn tells(metrics: &str, asked: &Asked) -> bool {
    metrics.lines().any(|line| {
        let Some(labels) = line.strip_prefix(asked.metric.as_str()) else {
            return false;
        };
        let shown = |label: &String| {
            labels.contains(&format!("{{{label}=\"")) || labels.contains(&format!(",{label}=\""))
        };
        labels.starts_with([' ', '{'])
            && asked.picked.iter().all(|label| labels.contains(label))
            && asked.shown.iter().all(shown)
    })
}

#[tokio::test]
async fn both_platforms_tell_all_that_the_dashboard_asks_for() {
    let pair = Pair::start();
    let files = Files::small(pair.home.path());
    let mut job = Job::start(&pair, &files, 2).await;
    assert_eq!(job.end_at_rating().await.state(), v1::JobState::Finished);
    assert_eq!(job.end_at_social().await.state(), v1::JobState::Finished);

    let asked = asked_by_the_dashboard();
    assert!(asked.len() >= 13, "{asked:?}");
    for platform in ["rating", "social"] {
        // Nobody has asked for /readyz, as Prometheus does not.
        let (_, metrics) = get(&pair.home.data_dir(platform), "/metrics");
        for asked in &asked {
            assert!(
                tells(&metrics, asked),
                "{platform}: {asked:?} in\n{metrics}"
            );
        }
        assert_eq!(value(&metrics, "s3rec_ready"), 1.0, "{platform}");
    }
}

#[test]
fn prometheus_asks_where_the_containers_listen() {
    let prometheus = std::fs::read_to_string(deploy("prometheus.yml")).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let compose = std::fs::read_to_string(root.join("docker-compose.yml")).unwrap();
    for (platform, port) in [("rating", 9464), ("social", 9465)] {
        let target = format!("[\"{platform}:{port}\"]");
        assert!(prometheus.contains(&target), "{target}");
        let listen = format!("S3REC_OBSERVABILITY__LISTEN: {platform}-operators:{port}");
        assert!(compose.contains(&listen), "{listen}");
    }
    let source = std::fs::read_to_string(deploy("grafana/datasource.yml")).unwrap();
    let dashboard = std::fs::read_to_string(deploy("grafana/dashboard.json")).unwrap();
    assert!(source.contains("uid: prometheus") && source.contains("http://prometheus:9090"));
    assert!(dashboard.contains("\"uid\": \"prometheus\""));
}

#[tokio::test]
async fn alive_is_not_ready() {
    let home = Home::new();
    let social_data = home.data_dir("social");
    let _social = Daemon::start(Program::Social, &home.social_configuration(), &social_data);
    // Nobody has called it yet.
    assert_eq!(get(&social_data, "/healthz").0, "HTTP/1.1 200 OK");
    let (status, body) = get(&social_data, "/readyz");
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable", "{body}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["ready"], false);
    for (check, ok) in [("keys", true), ("store", true), ("peer", false)] {
        let mut checks = body["checks"].as_array().unwrap().iter();
        let found = checks.find(|one| one["name"] == check).unwrap();
        assert_eq!(found["ok"], ok, "{body}");
    }

    let peer_address = std::fs::read_to_string(social_data.join("peer.addr")).unwrap();
    let configuration = home.rating_configuration(peer_address.trim());
    let rating_data = home.data_dir("rating");
    let mut rating = Daemon::start(Program::Rating, &configuration, &rating_data);
    // Asking makes it meet the social platform, which is then ready too.
    assert_eq!(get(&rating_data, "/readyz").0, "HTTP/1.1 200 OK");
    assert_eq!(get(&social_data, "/readyz").0, "HTTP/1.1 200 OK");
    assert_eq!(get(&rating_data, "/elsewhere").0, "HTTP/1.1 404 Not Found");
    rating.kill();

    let nowhere = home.rating_configuration("127.0.0.1:1");
    std::fs::remove_file(rating_data.join("operator.addr")).unwrap();
    let _rating = Daemon::start(Program::Rating, &nowhere, &rating_data);
    let (status, body) = get(&rating_data, "/readyz");
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert!(body.contains("127.0.0.1:1"), "{body}");
    assert_eq!(get(&rating_data, "/healthz").0, "HTTP/1.1 200 OK");
}

#[tokio::test]
async fn a_lost_platform_is_counted_by_its_cause() {
    let mut pair = Pair::start();
    let files = Files::small(pair.home.path());
    let mut job = Job::start(&pair, &files, 400).await;
    job.reach_round(2).await;
    pair.social.kill();
    let event = job.end_at_rating().await;
    assert_eq!(event.state(), v1::JobState::Failed);
    let rating = pair.home.data_dir("rating");
    wait_until("the cause is counted", Duration::from_secs(10), || {
        let (_, metrics) = get(&rating, "/metrics");
        metrics.contains("s3rec_job_errors_total{reason=\"PEER_VANISHED\"} 1")
    });
}
