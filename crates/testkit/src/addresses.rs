//! Where to listen in tests.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// A port of this machine that nobody listens on: below those that the system gives out.
#[must_use]
#[expect(clippy::unwrap_used, reason = "a remainder of 10,000 fits")]
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// An address of this machine that nobody listens on.
#[must_use]
pub fn free_address() -> String {
    format!("127.0.0.1:{}", free_port())
}
