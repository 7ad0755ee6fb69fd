//! `s3rec bench serve`: recommendations at a fixed arrival rate.
//!
//! Open loop: request n is due n / rate after the start and is sent then, however many are still
//! waiting, and its latency counts from when it was due. A platform that stalls therefore
//! shows the stall in every request due meanwhile, as its users would feel it.

use std::collections::BTreeMap;
use std::time::Duration;

use s3rec_node::pki::CertificateRole;
use s3rec_wire::v1;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use crate::arguments::ServeLoadArgs;
use crate::client::{self, RatingClient};
use crate::connection::Connection;
use crate::failure::Failure;
use crate::output::{Output, count, note};

/// Requests before the clock starts: connections, caches and the model in memory.
const WARM_UP_REQUESTS: usize = 200;
/// An answer later than this is an error.
const LONGEST_ANSWER: Duration = Duration::from_secs(10);

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServeLoadReport {
    /// The model asked.
    pub model_id: String,
    /// Users who ask.
    pub users: usize,
    /// Items ranked for each request.
    pub items: usize,
    /// Items asked for.
    pub count: u32,
    /// Arrivals a second, as asked for.
    pub rate_per_second: u32,
    /// Arrivals in all.
    pub requests: usize,
    /// Connections used.
    pub connections: u32,
    /// From the first arrival to the last answer.
    pub seconds: f64,
    /// From when a request was due to its answer; answered requests alone.
    pub latency_ms: Latency,
    /// Requests without a whole answer, by what came instead.
    pub errors: BTreeMap<String, u64>,
}

/// Order statistics by nearest rank, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// Median.
    pub p50: f64,
    /// 90 %.
    pub p90: f64,
    /// 99 %.
    pub p99: f64,
    /// The slowest.
    pub max: f64,
}

impl Latency {
    /// Sorts what it is given. Nothing measured is all zeros.
    #[must_use]
    pub fn of(latencies: &mut [Duration]) -> Self {
        latencies.sort_unstable();
        let rank = |per_cent: usize| {
            let rank = (latencies.len() * per_cent).div_ceil(100).max(1);
            let found = latencies.get(rank - 1).copied().unwrap_or_default();
            found.as_secs_f64() * 1_000.0
        };
        Self {
            p50: rank(50),
            p90: rank(90),
            p99: rank(99),
            max: rank(100),
        }
    }
}

/// Measures and shows.
///
/// # Errors
/// As [`measure`].
pub(super) async fn serve_load(arguments: ServeLoadArgs, output: Output) -> Result<(), Failure> {
    let connection = arguments
        .connection
        .clone()
        .resolve(CertificateRole::RatingOperator)?;
    let mut arguments = arguments;
    if arguments.quick {
        arguments.seconds = arguments.seconds.min(3);
    }
    let report = measure(&connection, &arguments).await?;
    output.value(&serde_json::json!(report), || text(&report))
}

/// Loads a running platform with recommendations for known users in random order.
///
/// # Errors
/// The platform cannot be reached, has no such model, or refuses already unloaded. Refusals
/// under load are counted in the report.
pub async fn measure(
    connection: &Connection,
    arguments: &ServeLoadArgs,
) -> Result<ServeLoadReport, Failure> {
    let mut clients = Vec::new();
    for _ in 0..arguments.connections {
        clients.push(client::rating(connection).await?);
    }
    let first = clients.first_mut().ok_or_else(no_connection)?;
    let model = client::export(first, arguments.model.as_deref().unwrap_or_default()).await?;
    let users: Vec<String> = model.users.into_iter().map(|user| user.id).collect();
    let asked = Asked {
        model_id: model.model_id.clone(),
        count: arguments.count,
        // Fewer may be left than asked for only where the model has no more.
        at_least: usize::from(!model.items.is_empty()),
    };
    let mut order = Order(arguments.seed);
    for (turn, user) in (0..WARM_UP_REQUESTS).zip(users.iter().cycle()) {
        let turn = turn % clients.len();
        let client = clients.get_mut(turn).ok_or_else(no_connection)?;
        client.recommend(asked.request(user)).await?;
    }
    let requests = arguments.rate as usize * arguments.seconds as usize;
    note(&format!(
        "{} a second for {} s",
        count(u64::from(arguments.rate)),
        arguments.seconds
    ));
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let start = Instant::now() + Duration::from_millis(10);
    for (n, client) in (0..requests).zip((0..clients.len()).cycle()) {
        let (Some(client), Some(user)) = (clients.get(client), order.pick(&users)) else {
            break;
        };
        let due = start + Duration::from_secs_f64(n as f64 / f64::from(arguments.rate));
        let (request, asked) = (asked.request(user), asked.clone());
        let (client, sender) = (client.clone(), sender.clone());
        sleep_until(due).await;
        tokio::spawn(async move {
            let answered = asked.answered(client, request).await;
            let _ = sender.send(answered.map(|()| due.elapsed()));
        });
    }
    drop(sender);
    let (mut latencies, mut errors) = (Vec::with_capacity(requests), BTreeMap::new());
    while let Some(answered) = receiver.recv().await {
        match answered {
            Ok(latency) => latencies.push(latency),
            Err(what) => *errors.entry(what).or_default() += 1,
        }
    }
    Ok(ServeLoadReport {
        model_id: asked.model_id,
        users: users.len(),
        items: model.items.len(),
        count: arguments.count,
        rate_per_second: arguments.rate,
        requests,
        connections: arguments.connections,
        seconds: start.elapsed().as_secs_f64(),
        latency_ms: Latency::of(&mut latencies),
        errors,
    })
}

/// What every request asks.
#[derive(Clone)]
struct Asked {
    model_id: String,
    count: u32,
    at_least: usize,
}

impl Asked {
    fn request(&self, user: &str) -> v1::RecommendRequest {
        v1::RecommendRequest {
            model_id: self.model_id.clone(),
            user_id: user.to_owned(),
            count: self.count,
            include_rated: false,
        }
    }

    async fn answered(
        &self,
        mut client: RatingClient,
        request: v1::RecommendRequest,
    ) -> Result<(), String> {
        match timeout(LONGEST_ANSWER, client.recommend(request)).await {
            Err(_) => Err("no answer in time".into()),
            Ok(Err(status)) => Err(format!("{:?}", status.code())),
            Ok(Ok(answer)) => {
                let answer = answer.into_inner();
                if answer.known_user && answer.items.len() >= self.at_least {
                    Ok(())
                } else {
                    Err("an answer without items".into())
                }
            }
        }
    }
}

/// Users in an order that the seed fixes (SplitMix64).
struct Order(u64);

impl Order {
    fn pick<'a>(&mut self, users: &'a [String]) -> Option<&'a String> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let length = u64::try_from(users.len()).ok()?;
        let at = mixed.checked_rem(length)?;
        users.get(usize::try_from(at).ok()?)
    }
}

fn no_connection() -> Failure {
    Failure::Usage("--connections must be at least 1".into())
}

fn text(report: &ServeLoadReport) -> String {
    let latency = report.latency_ms;
    let failed: u64 = report.errors.values().sum();
    let mut text = format!(
        "top {} of {} items for {} users: {} requests at {} a second in {:.1} s\n\
         p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, max {:.2} ms; {} errors",
        report.count,
        count(report.items as u64),
        count(report.users as u64),
        count(report.requests as u64),
        count(u64::from(report.rate_per_second)),
        report.seconds,
        latency.p50,
        latency.p90,
        latency.p99,
        latency.max,
        count(failed),
    );
    for (what, times) in &report.errors {
        text.push_str(&format!("\n  {what}: {}", count(*times)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let mut latencies: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        let found = Latency::of(&mut latencies);
        assert_eq!(
            found,
            Latency {
                p50: 100.0,
                p90: 180.0,
                p99: 198.0,
                max: 200.0
            }
        );
        assert_eq!(Latency::of(&mut []), Latency::default());
        let one = Latency::of(&mut [Duration::from_millis(7)]);
        assert_eq!((one.p50, one.max), (7.0, 7.0));
    }

    #[test]
    fn the_order_is_the_seeds_and_reaches_everybody() {
        let users: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        let drawn = |seed| -> Vec<String> {
            let mut order = Order(seed);
            (0..400)
                .filter_map(|_| order.pick(&users).cloned())
                .collect()
        };
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        assert!(users.iter().all(|user| drawn(1).contains(user)));
        assert_eq!(Order(0).pick(&[]), None);
    }
}
