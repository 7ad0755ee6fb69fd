//! An endpoint that knows how long it computed.

use std::time::{Duration, Instant};

use s3rec_spmm::{Endpoint, Frame, SpmmError, Step};

/// Wraps one party's endpoint and adds up the time spent inside it.
pub(crate) struct Timed<E> {
    inner: E,
    spent: Duration,
}

impl<E: Endpoint> Timed<E> {
    /// Starts at zero.
    pub(crate) fn new(inner: E) -> Self {
        Self {
            inner,
            spent: Duration::ZERO,
        }
    }

    /// The endpoint and its seconds.
    pub(crate) fn finish(self) -> (E, f64) {
        (self.inner, self.spent.as_secs_f64())
    }

    fn clocked<T>(&mut self, work: impl FnOnce(&mut E) -> T) -> T {
        let started = Instant::now();
        let result = work(&mut self.inner);
        self.spent += started.elapsed();
        result
    }
}

impl<E: Endpoint> Endpoint for Timed<E> {
    fn poll_send(&mut self) -> Result<Option<Frame>, SpmmError> {
        self.clocked(E::poll_send)
    }

    fn receive(&mut self, frame: Frame) -> Result<(), SpmmError> {
        self.clocked(|inner| inner.receive(frame))
    }

    fn awaiting(&self) -> Option<Step> {
        self.inner.awaiting()
    }

    fn is_done(&self) -> bool {
        self.inner.is_done()
    }
}
