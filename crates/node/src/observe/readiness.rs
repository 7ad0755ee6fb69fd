//! Whether jobs can run: keys, store, and the other platform.

use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use s3rec_wire::status::Fault;
use serde_json::{Value, json};

use crate::process::now_unix_ms;

/// How long a handshake is believed before the platform that calls tries another.
const BELIEVED: Duration = Duration::from_secs(30);

/// Longest wait for one tried for readiness.
const TRY_FOR: Duration = Duration::from_secs(3);

/// How long one that failed is not tried again.
const REST: Duration = Duration::from_secs(5);

/// When the other platform was last met: versions exchanged over an authenticated connection.
#[derive(Clone, Debug, Default)]
pub struct PeerSight(Arc<AtomicI64>);

impl PeerSight {
    /// It was met now.
    pub fn seen(&self) {
        self.0.store(now_unix_ms(), Ordering::Relaxed);
    }

    /// When that was, Unix milliseconds; `None` before the first time.
    #[must_use]
    pub fn last_unix_ms(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|at| *at > 0)
    }
}

/// Meets the other platform once; only the platform that calls has a way to.
pub type Reach =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), Fault>> + Send>> + Send + Sync>;

/// One condition of readiness.
#[derive(Clone, Debug)]
pub struct Check {
    /// `keys`, `store` or `peer`.
    pub name: &'static str,
    /// What is wrong and how to mend it; `None` when nothing is.
    pub wrong: Option<String>,
}

/// All conditions as they were just now.
#[derive(Clone, Debug)]
pub struct Readiness(pub Vec<Check>);

impl Readiness {
    /// Whether all hold.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.iter().all(|check| check.wrong.is_none())
    }

    /// As `/readyz` shows it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let checks: Vec<Value> = self
            .0
            .iter()
            .map(|check| {
                json!({ "name": check.name, "ok": check.wrong.is_none(), "wrong": check.wrong })
            })
            .collect();
        json!({ "ready": self.is_ready(), "checks": checks })
    }
}

/// The peer's condition, tried at most every few seconds however often somebody asks.
#[derive(Default)]
pub(super) struct PeerCheck {
    refused: Mutex<Option<(Instant, String)>>,
}

impl PeerCheck {
    pub(super) async fn check(&self, sight: &PeerSight, reach: Option<&Reach>) -> Check {
        let wrong = match reach {
            Some(reach) => self.tried(sight, reach).await,
            None if sight.last_unix_ms().is_some() => None,
            None => Some(
                "the rating platform has not called since this daemon started; start its daemon, \
                 or run s3rec doctor there"
                    .into(),
            ),
        };
        Check {
            name: "peer",
            wrong,
        }
    }

    async fn tried(&self, sight: &PeerSight, reach: &Reach) -> Option<String> {
        let age = sight.last_unix_ms().map(|at| now_unix_ms() - at);
        if age.is_some_and(|age| (0..=to_ms(BELIEVED)).contains(&age)) {
            return None;
        }
        if let Some((at, why)) = &*self.refused()
            && at.elapsed() < REST
        {
            return Some(why.clone());
        }
        let tried = tokio::time::timeout(TRY_FOR, reach()).await;
        let wrong = match tried {
            Ok(Ok(())) => None,
            Ok(Err(fault)) => Some(fault.advice()),
            Err(_) => Some("the social platform did not answer in time".into()),
        };
        *self.refused() = wrong.clone().map(|why| (Instant::now(), why));
        wrong
    }

    fn refused(&self) -> std::sync::MutexGuard<'_, Option<(Instant, String)>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn to_ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use s3rec_wire::status::Reason;

    use super::*;

    #[tokio::test]
    async fn who_is_called_waits_for_the_first_handshake() {
        let (check, sight) = (PeerCheck::default(), PeerSight::default());
        assert!(check.check(&sight, None).await.wrong.is_some());
        sight.seen();
        assert!(check.check(&sight, None).await.wrong.is_none());
    }

    #[tokio::test]
    async fn who_calls_tries_and_rests_after_a_failure() {
        let tries = Arc::new(AtomicI64::new(0));
        let counted = Arc::clone(&tries);
        let reach: Reach = Box::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Box::pin(async { Err(Fault::new(Reason::Unreachable, "nobody answers")) })
        });
        let (check, sight) = (PeerCheck::default(), PeerSight::default());
        for _ in 0..3 {
            let wrong = check.check(&sight, Some(&reach)).await.wrong.unwrap();
            assert!(wrong.contains("nobody answers"), "{wrong}");
        }
        assert_eq!(tries.load(Ordering::Relaxed), 1);
        sight.seen();
        assert!(check.check(&sight, Some(&reach)).await.wrong.is_none());
    }
}
