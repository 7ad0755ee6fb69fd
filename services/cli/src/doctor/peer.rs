//! The other platform as it answers, and our own port as it is answered for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use s3rec_node::client::{connect, connect_to_itself};
use s3rec_node::config::{RatingSettings, SocialSettings};
use s3rec_node::examine::Findings;
use s3rec_node::pki::CertificateRole;
use s3rec_node::process::{fresh_nonce, now_unix_ms};
use s3rec_node::tls::{Authorize, Identity};
use s3rec_wire::status::Fault;
use s3rec_wire::v1::peer_client::PeerClient;
use s3rec_wire::{MAX_MESSAGE_BYTES, PROTOCOL_VERSION, v1};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::transport::Channel;

use crate::output::{bytes, duration};

/// Longest wait for a short answer.
const ANSWER: Duration = Duration::from_secs(20);

/// Echoes for the round trip.
const ECHOES: usize = 9;

/// How long each way's rate is measured, and the most bytes for it: whichever comes first.
const MEASURED_FOR: Duration = Duration::from_secs(3);
const MEASURED_BYTES: usize = 24 << 20;

/// Probes at a time, and their size: the first's, and twice as much as long as they are answered
/// soon.
const IN_FLIGHT: usize = 4;
const FIRST_PROBE_BYTES: usize = 8 << 10;
const LARGEST_PROBE_BYTES: usize = 1 << 20;
const SOON: Duration = Duration::from_millis(500);

/// Bytes of a message around its padding.
const AROUND_BYTES: usize = 64;

/// Clocks that differ by more confuse audit logs, budgets by day and validity.
const MOST_SKEW_MS: i64 = 30_000;

/// What is examined over the connection; skipped together when there is none.
const OVER_THE_LINK: [&str; 5] = [
    "protocol version",
    "round trip",
    "bandwidth",
    "largest message",
    "clock",
];

/// The link as it was measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    /// To the social platform.
    pub(super) bytes_per_second_up: f64,
    /// From it.
    pub(super) bytes_per_second_down: f64,
    /// The shortest one.
    pub(super) round_trip: Duration,
}

impl Measured {
    /// How long that many bytes to the social platform and from it take, one after the other.
    fn takes(&self, up: usize, down: usize) -> Duration {
        let seconds = up as f64 / self.bytes_per_second_up.max(1.0)
            + down as f64 / self.bytes_per_second_down.max(1.0);
        Duration::from_secs_f64(seconds.min(86_400.0)) + self.round_trip
    }
}

/// From the rating platform: everything up to the social platform's answers.
pub(super) async fn examine_peer(
    findings: &mut Findings,
    settings: &RatingSettings,
    identity: Option<Arc<Identity>>,
) -> Option<Measured> {
    let address = &settings.peer.address;
    reach(findings, address).await;
    let Some(identity) = identity else {
        skip(findings, "tls", "our own keys are not in order");
        return None;
    };
    let expected = Authorize::pinned(CertificateRole::Social, &identity);
    let connected = connect(address, &identity.now().material, expected).await;
    let client = match connected {
        Ok(channel) => PeerClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES),
        Err(error) => {
            let fault = Fault::from(error);
            findings.wrong("tls", fault.message, fault.remedy);
            for check in OVER_THE_LINK {
                findings.skipped(check, "no connection");
            }
            return None;
        }
    };
    findings.ok(
        "tls",
        "mutual, with the pinned certificate of the social platform",
    );
    link(findings, client).await
}

/// From the social platform: whether its peer port is served as the rating platform needs it.
pub(super) async fn examine_port(
    findings: &mut Findings,
    settings: &SocialSettings,
    identity: Option<Arc<Identity>>,
) {
    let file = settings.data_dir.join("peer.addr");
    let bound = std::fs::read_to_string(&file).ok();
    let bound: Option<SocketAddr> = bound.and_then(|text| text.trim().parse().ok());
    let elsewhere = "seen from the rating platform only: run s3rec doctor there";
    let (Some(mut bound), Some(identity)) = (bound, identity) else {
        let why = "no daemon has run here, or our own keys are not in order";
        return skip(findings, "peer port", why);
    };
    if bound.ip().is_unspecified() {
        bound.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    match connect_to_itself(bound, &identity.now().material).await {
        Ok(_) => findings.ok("peer port", format!("{bound} answers with our certificate")),
        Err(error) => {
            let fault = Fault::from(error);
            let remedy = format!(
                "Start the daemon, and free {bound} if another program has it. {}",
                fault.remedy
            );
            findings.wrong("peer port", fault.message, remedy);
        }
    }
    for check in OVER_THE_LINK {
        findings.skipped(check, elsewhere);
    }
}

fn skip(findings: &mut Findings, first: &'static str, why: &str) {
    findings.skipped(first, why);
    for check in OVER_THE_LINK {
        findings.skipped(check, why);
    }
}

async fn reach(findings: &mut Findings, address: &str) {
    let authority = address.strip_prefix("https://").unwrap_or(address);
    let remedy = "Check peer.address, that the other daemon runs, and the firewalls between.";
    let began = Instant::now();
    match timeout(Duration::from_secs(5), TcpStream::connect(authority)).await {
        Ok(Ok(_)) => {
            let took = duration(began.elapsed().as_secs_f64());
            findings.ok("reachability", format!("{authority} answers within {took}"));
        }
        Ok(Err(error)) => {
            findings.wrong("reachability", format!("{authority}: {error}"), remedy);
        }
        Err(_) => findings.wrong(
            "reachability",
            format!("{authority} does not answer"),
            remedy,
        ),
    }
}

async fn link(findings: &mut Findings, mut client: PeerClient<Channel>) -> Option<Measured> {
    let nonce = match fresh_nonce() {
        Ok(nonce) => nonce,
        Err(error) => {
            let remedy = "Look at this machine's source of randomness.";
            findings.wrong("protocol version", error.to_string(), remedy);
            return None;
        }
    };
    let hello = v1::HelloRequest {
        protocol_version: PROTOCOL_VERSION,
        software_version: env!("CARGO_PKG_VERSION").into(),
        role: v1::Role::Rating.into(),
        instance_nonce: nonce.to_vec(),
    };
    match timeout(ANSWER, client.hello(hello)).await {
        Ok(Ok(answer)) => {
            let software = answer.into_inner().software_version;
            let software: String = software
                .chars()
                .filter(|c| !c.is_control())
                .take(40)
                .collect();
            let detail = format!("{PROTOCOL_VERSION}, their software is {software}");
            findings.ok("protocol version", detail);
        }
        Ok(Err(status)) => refused(findings, "protocol version", &status),
        Err(_) => findings.wrong("protocol version", "no answer", "Look at the other daemon."),
    }
    let round_trip = echoes(findings, &mut client).await?;
    let measured = rate(findings, &client, round_trip).await;
    largest(findings, &mut client, measured.as_ref()).await;
    measured
}

/// Round trip and clock, by the shortest echo.
async fn echoes(findings: &mut Findings, client: &mut PeerClient<Channel>) -> Option<Duration> {
    let mut trips = Vec::new();
    let mut skew_ms = 0;
    for _ in 0..ECHOES {
        let (began, sent_ms) = (Instant::now(), now_unix_ms());
        let answer = match probe(client, 0, 0, ANSWER).await {
            Ok(answer) => answer,
            Err(status) => {
                refused(findings, "round trip", &status);
                for check in ["bandwidth", "largest message", "clock"] {
                    findings.skipped(check, "no echo");
                }
                return None;
            }
        };
        let took = began.elapsed();
        if trips.iter().all(|trip| took < *trip) {
            // Their clock was read about half way.
            let half_ms = i64::try_from(took.as_millis() / 2).unwrap_or(0);
            skew_ms = answer.time_unix_ms.saturating_sub(sent_ms + half_ms);
        }
        trips.push(took);
    }
    trips.sort_unstable();
    let of = |index: usize| trips.get(index).map_or(0.0, Duration::as_secs_f64);
    let (least, median) = (of(0), of(trips.len() / 2));
    let detail = format!(
        "{:.2} ms at least, {:.2} ms median",
        least * 1e3,
        median * 1e3
    );
    findings.ok("round trip", detail);
    let seconds = skew_ms as f64 / 1000.0;
    if skew_ms.abs() > MOST_SKEW_MS {
        let detail = format!("their clock is {seconds:+.1} s from ours");
        findings.wrong("clock", detail, "Let both machines follow a time server.");
    } else {
        findings.ok("clock", format!("their clock is {seconds:+.3} s from ours"));
    }
    trips.first().copied()
}

/// Measures both ways for a fixed time each, however slow the link is: a slow link is a number,
/// not a fault.
async fn rate(
    findings: &mut Findings,
    client: &PeerClient<Channel>,
    round_trip: Duration,
) -> Option<Measured> {
    let mut rates = [0.0; 2];
    for (rate, is_up) in rates.iter_mut().zip([true, false]) {
        match one_way(client, is_up, round_trip).await {
            Ok(measured) => *rate = measured,
            Err(status) => {
                refused(findings, "bandwidth", &status);
                return None;
            }
        }
    }
    let [up, down] = rates;
    let shown = |rate: f64| match rate * 8e-6 {
        megabits if megabits < 10.0 => format!("{megabits:.2}"),
        megabits => format!("{megabits:.0}"),
    };
    let detail = format!("{} Mbit/s to them, {} from them", shown(up), shown(down));
    findings.ok("bandwidth", detail);
    Some(Measured {
        bytes_per_second_up: up,
        bytes_per_second_down: down,
        round_trip,
    })
}

/// Bytes a second, of the fastest batch: earlier ones wait for TCP to open up.
async fn one_way(
    client: &PeerClient<Channel>,
    is_up: bool,
    round_trip: Duration,
) -> Result<f64, tonic::Status> {
    let (began, mut moved, mut size, mut best) = (Instant::now(), 0, FIRST_PROBE_BYTES, 0.0_f64);
    while began.elapsed() < MEASURED_FOR && moved < MEASURED_BYTES {
        let (up, down) = if is_up { (size, 0) } else { (0, size) };
        let batch = Instant::now();
        let probes = (0..IN_FLIGHT).map(|_| {
            let mut client = client.clone();
            async move { probe(&mut client, up, down, ANSWER).await.map(drop) }
        });
        futures::future::try_join_all(probes).await?;
        let took = batch.elapsed();
        moved += IN_FLIGHT * size;
        // Of which one round trip moved nothing; but at least a quarter was moving.
        let moving = took.saturating_sub(round_trip).max(took / 4);
        best = best.max((IN_FLIGHT * size) as f64 / moving.as_secs_f64().max(1e-9));
        if took < SOON {
            size = (2 * size).min(LARGEST_PROBE_BYTES);
        }
    }
    Ok(best)
}

/// The largest message that passes; the conversation needs all of what the versions agree on.
/// It takes as long as the link takes.
async fn largest(
    findings: &mut Findings,
    client: &mut PeerClient<Channel>,
    measured: Option<&Measured>,
) {
    let needed = MAX_MESSAGE_BYTES - AROUND_BYTES;
    let mut last = None;
    let mut size = needed;
    while size >= 1024 {
        let takes = measured.map_or(Duration::ZERO, |link| link.takes(size, size));
        match probe(client, size, size, ANSWER + 3 * takes).await {
            Ok(_) if size == needed => {
                return findings.ok(
                    "largest message",
                    format!("{} both ways", bytes(size as u64)),
                );
            }
            Ok(_) => break,
            Err(status) => last = Some(status),
        }
        size /= 2;
    }
    let why = last.map_or_else(String::new, |status| status.message().to_owned());
    let detail = format!(
        "{} is refused, {} passes: {why}",
        bytes(needed as u64),
        bytes(size as u64)
    );
    let remedy = "Something between the platforms cuts messages: raise its limit for gRPC.";
    findings.wrong("largest message", detail, remedy);
}

async fn probe(
    client: &mut PeerClient<Channel>,
    up: usize,
    down: usize,
    within: Duration,
) -> Result<v1::ProbeResponse, tonic::Status> {
    let request = v1::ProbeRequest {
        answer_bytes: u32::try_from(down).unwrap_or(u32::MAX),
        padding: vec![0; up],
    };
    match timeout(within, client.probe(request)).await {
        Ok(answered) => Ok(answered?.into_inner()),
        Err(_) => Err(tonic::Status::deadline_exceeded("no answer")),
    }
}

fn refused(findings: &mut Findings, check: &'static str, status: &tonic::Status) {
    match Fault::from_status(status) {
        Some(fault) => findings.wrong(check, fault.message, fault.remedy),
        None => findings.wrong(check, status.message(), "Look at the other daemon's log."),
    }
}
