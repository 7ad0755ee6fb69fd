//! A line of a given rate and delay: when a piece may leave, and when it arrives.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One direction of a link. All connections over it share its rate.
#[derive(Debug)]
pub(super) struct Line {
    bits_per_second: u64,
    delay: Duration,
    free_at: Mutex<Instant>,
}

/// A piece's way over the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Passage {
    /// Its last bit has left.
    pub(super) sent: Instant,
    /// Its last bit has arrived.
    pub(super) arrives: Instant,
}

impl Line {
    pub(super) fn new(bits_per_second: u64, delay: Duration) -> Self {
        Self {
            bits_per_second: bits_per_second.max(1),
            delay,
            free_at: Mutex::new(Instant::now()),
        }
    }

    /// Takes the line for `bytes` as soon as it is free, `now` or later.
    pub(super) fn reserve(&self, now: Instant, bytes: usize) -> Passage {
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = 8.0 * bytes as f64 / self.bits_per_second as f64;
        let sent = now.max(*free_at) + Duration::from_secs_f64(seconds);
        *free_at = sent;
        Passage {
            sent,
            arrives: sent + self.delay,
        }
    }
}

/// The system wakes sleepers about this late; what remains is waited out awake.
const WAKES_LATE: Duration = Duration::from_micros(120);

/// Waits until `at`, more exactly than sleeping alone would.
pub(super) fn wait_until(at: Instant) {
    let left = at.saturating_duration_since(Instant::now());
    if left > WAKES_LATE {
        std::thread::sleep(left - WAKES_LATE);
    }
    while Instant::now() < at {
        std::thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_follow_each_other_at_the_rate() {
        let line = Line::new(8_000, Duration::from_millis(20));
        let now = Instant::now() + Duration::from_secs(1);
        let first = line.reserve(now, 100);
        let second = line.reserve(now, 300);
        assert_eq!(first.sent - now, Duration::from_millis(100));
        assert_eq!(first.arrives - now, Duration::from_millis(120));
        assert_eq!(second.sent - now, Duration::from_millis(400));
        // A line that was idle meanwhile does not save its time up.
        let later = now + Duration::from_secs(9);
        assert_eq!(line.reserve(later, 0).sent, later);
    }
}
