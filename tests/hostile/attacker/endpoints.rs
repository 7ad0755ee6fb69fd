//! Endpoints that wait, or count.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc as mpsc_of_threads;

use s3rec_spmm::{Endpoint, Frame, SpmmError, Step};

/// Sends nothing before it is told to.
pub(super) struct Waiting<E> {
    pub(super) inner: E,
    pub(super) go: Option<mpsc_of_threads::Receiver<()>>,
}

impl<E: Endpoint> Endpoint for Waiting<E> {
    fn poll_send(&mut self) -> Result<Option<Frame>, SpmmError> {
        if let Some(go) = self.go.take() {
            go.recv().unwrap();
        }
        self.inner.poll_send()
    }

    fn receive(&mut self, frame: Frame) -> Result<(), SpmmError> {
        self.inner.receive(frame)
    }

    fn awaiting(&self) -> Option<Step> {
        self.inner.awaiting()
    }

    fn is_done(&self) -> bool {
        self.inner.is_done()
    }
}

/// Counts what P1 sends.
pub(super) struct Tallied<E> {
    pub(super) inner: E,
    pub(super) answered_bytes: Arc<AtomicU64>,
}

impl<E: Endpoint> Endpoint for Tallied<E> {
    fn poll_send(&mut self) -> Result<Option<Frame>, SpmmError> {
        self.inner.poll_send()
    }

    fn receive(&mut self, frame: Frame) -> Result<(), SpmmError> {
        let bytes = frame.payload.len() as u64;
        self.answered_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.inner.receive(frame)
    }

    fn awaiting(&self) -> Option<Step> {
        self.inner.awaiting()
    }

    fn is_done(&self) -> bool {
        self.inner.is_done()
    }
}
