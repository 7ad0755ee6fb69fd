//! How far the making of a stock is, by the bytes that have crossed.

use std::time::{Duration, Instant};

use s3rec_spmm::{ProductParameters, SpmmError, cost};

/// Shortest time between two notices.
const NOTICE_EVERY: Duration = Duration::from_millis(250);

/// How much of the bytes before the rounds, which the cost model knows exactly, has crossed.
pub struct StockProgress {
    total_bytes: u64,
    moved_bytes: u64,
    /// Of them, before `began`.
    earlier_bytes: u64,
    round_seconds: f64,
    began: Instant,
    noticed: Instant,
}

/// What people are told.
pub struct Notice {
    /// Of the phase, 0 to 1.
    pub share: f64,
    /// Of the phase and the first round, estimated.
    pub remaining_seconds: f64,
    /// In words.
    pub message: String,
}

impl StockProgress {
    /// Before the first block, or where a stock is gone on with; `moved_bytes` have crossed already.
    ///
    /// # Errors
    /// Those of [`cost::predict`].
    pub fn new(parameters: &ProductParameters, moved_bytes: u64) -> Result<Self, SpmmError> {
        let estimate = cost::predict(parameters)?;
        Ok(Self {
            total_bytes: estimate.offline.bytes().max(1),
            moved_bytes,
            earlier_bytes: moved_bytes,
            round_seconds: estimate.online.rating_seconds + estimate.online.social_seconds,
            began: Instant::now(),
            noticed: Instant::now(),
        })
    }

    /// How much of the bytes before the rounds has crossed, 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        (self.moved_bytes as f64 / self.total_bytes as f64).min(1.0)
    }

    /// So many bytes more; a notice at most four times a second.
    pub fn moved(&mut self, bytes: usize) -> Option<Notice> {
        self.moved_bytes += bytes as u64;
        if self.noticed.elapsed() < NOTICE_EVERY {
            return None;
        }
        self.noticed = Instant::now();
        let elapsed = self.began.elapsed().as_secs_f64();
        let moved = self.moved_bytes - self.earlier_bytes;
        let left = self.total_bytes.saturating_sub(self.moved_bytes);
        Some(Notice {
            share: self.share(),
            remaining_seconds: elapsed * left as f64 / moved.max(1) as f64 + self.round_seconds,
            message: format!(
                "Multiplying masks: {:.1} of {:.1} MB.",
                self.moved_bytes as f64 / 1e6,
                self.total_bytes as f64 / 1e6
            ),
        })
    }
}
