//! How often something may be done: so many at once, and as many in an hour.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is left, which grows back with the process's own clock.
#[derive(Debug)]
pub struct HourlyAllowance {
    most: u32,
    left: Mutex<(f64, Instant)>,
}

const HOUR: Duration = Duration::from_secs(3600);

impl HourlyAllowance {
    /// As many as `most` in an hour, and at once.
    #[must_use]
    pub fn new(most: u32) -> Self {
        Self {
            most,
            left: Mutex::new((most.into(), Instant::now())),
        }
    }

    /// Takes one.
    ///
    /// # Errors
    /// How long it is until there is one.
    pub fn take(&self) -> Result<(), Duration> {
        self.take_at(Instant::now())
    }

    fn take_at(&self, now: Instant) -> Result<(), Duration> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, since) = *left;
        let most = f64::from(self.most);
        let grown = now.saturating_duration_since(since).as_secs_f64() / HOUR.as_secs_f64() * most;
        let there = (before + grown).min(most);
        let (rest, outcome) = match there >= 1.0 {
            true => (there - 1.0, Ok(())),
            false if self.most == 0 => (0.0, Err(Duration::MAX)),
            false => (there, Err(HOUR.mul_f64((1.0 - there) / most))),
        };
        *left = (rest, now.max(since));
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_is_used_up_and_grows_back() {
        let (allowance, now) = (HourlyAllowance::new(60), Instant::now());
        let taken = (0..100).filter(|_| allowance.take_at(now).is_ok());
        assert_eq!(taken.count(), 60);
        let wait = allowance.take_at(now).unwrap_err();
        assert!(wait <= Duration::from_secs(60) && wait > Duration::from_secs(58));
        assert!(allowance.take_at(now + Duration::from_secs(61)).is_ok());
        assert!(allowance.take_at(now + Duration::from_secs(61)).is_err());
        // However long nothing was taken, no more than an hour's worth.
        let later = now + HOUR * 50;
        let taken = (0..100).filter(|_| allowance.take_at(later).is_ok());
        assert_eq!(taken.count(), 60);
        // An earlier time gives nothing back.
        assert!(allowance.take_at(now).is_err());
        assert_eq!(HourlyAllowance::new(0).take_at(now), Err(Duration::MAX));
    }
}
