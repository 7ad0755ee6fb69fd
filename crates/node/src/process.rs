//! Tracing, signals, memory, disk.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use s3rec_wire::status::{Fault, Reason};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::{LogFormat, LogSettings};
use crate::traces::Traces;

/// Starts logging to standard error, and the export of spans. A second call in one process
/// changes nothing.
///
/// # Errors
/// The filter's fault in words.
pub fn init_tracing(
    settings: &LogSettings,
    traces: Option<&Traces>,
) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter: EnvFilter = settings.filter.parse()?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match settings.format {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let heard = tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(traces.map(Traces::layer));
    // Somebody else's subscriber (a test's, an embedding program's) stays.
    let _ = heard.try_init();
    Ok(())
}

/// Runs work that computes or reads files on a thread that may block.
///
/// # Errors
/// [`Reason::Bug`] when it panicked.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Fault::new(Reason::Bug, "a computing thread panicked"))
}

/// Turns `stop` true at the first SIGTERM or SIGINT; a second one ends the process at once.
pub fn stop_on_signals(stop: watch::Sender<bool>) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        let mut asked = false;
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if asked {
                tracing::warn!("asked twice to stop: not draining");
                std::process::exit(130);
            }
            asked = true;
            tracing::info!("stopping: letting running work end");
            stop.send_replace(true);
        }
    });
    Ok(())
}

/// What tells one start of a daemon from another: 16 random bytes.
///
/// # Errors
/// The system's, when it gives no randomness; nothing stands in for it.
pub fn fresh_nonce() -> std::io::Result<[u8; 16]> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce)?;
    Ok(nonce)
}

/// The process's largest resident set so far, in bytes; 0 where the system does not tell.
#[must_use]
pub fn peak_rss_bytes() -> u64 {
    kibibytes("/proc/self/status", "VmHWM:")
}

/// The process's resident set now, in bytes; 0 where the system does not tell.
#[must_use]
pub fn rss_bytes() -> u64 {
    kibibytes("/proc/self/status", "VmRSS:")
}

/// Memory that this machine could still give, in bytes; 0 where the system does not tell.
#[must_use]
pub fn available_memory_bytes() -> u64 {
    kibibytes("/proc/meminfo", "MemAvailable:")
}

/// Bytes that we may still write where `path` lies.
///
/// # Errors
/// The file system's; also for one that is mounted read-only.
pub fn free_disk_bytes(path: &std::path::Path) -> std::io::Result<u64> {
    let system = rustix::fs::statvfs(path)?;
    if system
        .f_flag
        .contains(rustix::fs::StatVfsMountFlags::RDONLY)
    {
        return Err(std::io::ErrorKind::ReadOnlyFilesystem.into());
    }
    Ok(system.f_bavail.saturating_mul(system.f_frsize))
}

fn kibibytes(file: &str, name: &str) -> u64 {
    let status = std::fs::read_to_string(file).unwrap_or_default();
    let kibibytes = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

/// Milliseconds since the Unix epoch by our clock.
#[must_use]
pub fn now_unix_ms() -> i64 {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| {
        i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
    })
}

/// The time by which consents end: by our clock, but never earlier than what has passed since
/// this process first asked. A wall clock that is set back while a daemon runs brings no consent
/// back to life; one that is set forward ends consents early, which gives nothing away. What is
/// only shown or stamped goes by [`now_unix_ms`], and what waits by the process's own clock.
#[must_use]
pub fn latest_unix_ms() -> i64 {
    static STEADY: OnceLock<(i64, Instant)> = OnceLock::new();
    let now = now_unix_ms();
    let (began, since) = *STEADY.get_or_init(|| (now, Instant::now()));
    latest(now, began, since.elapsed())
}

fn latest(wall: i64, began: i64, passed: Duration) -> i64 {
    let passed = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
    wall.max(began.saturating_add(passed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_brings_no_consent_back() {
        let (began, passed) = (1_000_000, Duration::from_secs(60));
        // On time, set back by an hour, set forward by an hour.
        assert_eq!(latest(1_060_000, began, passed), 1_060_000);
        assert_eq!(latest(1_060_000 - 3_600_000, began, passed), 1_060_000);
        assert_eq!(latest(1_060_000 + 3_600_000, began, passed), 4_660_000);
        let first = latest_unix_ms();
        assert!(latest_unix_ms() >= first && first >= now_unix_ms() - 1000);
    }

    #[test]
    fn memory_is_read() {
        assert!(rss_bytes() > 1 << 20);
        assert!(peak_rss_bytes() >= rss_bytes());
        assert!(available_memory_bytes() > 0);
    }
}
