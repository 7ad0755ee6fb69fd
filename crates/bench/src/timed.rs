//! An endpoint that knows how long it computed, a storage that knows how long it was waited for.

use std::io;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use s3rec_spmm::preprocessed::{Bulk, DirectoryStorage, StockStorage};
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

/// A stock's storage that adds up how long its owner waited for the disk.
pub(crate) struct TimedStorage {
    inner: DirectoryStorage,
    waited: Mutex<Duration>,
}

impl TimedStorage {
    /// Starts at zero.
    pub(crate) fn new(inner: DirectoryStorage) -> Self {
        Self {
            inner,
            waited: Mutex::default(),
        }
    }

    /// Seconds since the last call.
    pub(crate) fn take_waited(&self) -> f64 {
        let mut waited = self
            .waited
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        std::mem::take(&mut *waited).as_secs_f64()
    }
}

impl StockStorage for TimedStorage {
    fn load(&self) -> io::Result<Option<Vec<u8>>> {
        self.inner.load()
    }

    fn save(&self, record: &[u8]) -> io::Result<()> {
        let started = Instant::now();
        let saved = self.inner.save(record);
        let mut waited = self
            .waited
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *waited += started.elapsed();
        saved
    }

    fn write_at(&self, bulk: Bulk, offset_bytes: u64, bytes: &[u8]) -> io::Result<()> {
        self.inner.write_at(bulk, offset_bytes, bytes)
    }

    fn read_at(&self, bulk: Bulk, offset_bytes: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.inner.read_at(bulk, offset_bytes, bytes)
    }

    fn discard(&self, bulk: Bulk) -> io::Result<()> {
        self.inner.discard(bulk)
    }
}
