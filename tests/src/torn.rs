//! Something between two programs that tears their connections.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes passed on at a time.
const CHUNK_BYTES: usize = 16 << 10;

/// A port that passes on to another one, and tears connections after some bytes of answers.
#[derive(Debug)]
pub struct Torn {
    /// Of 127.0.0.1.
    pub port: u16,
    torn: Arc<AtomicUsize>,
}

impl Torn {
    /// Passes on to `port`; tears the first `connections`, each after `bytes` that it answered.
    #[must_use]
    pub fn after(port: u16, bytes: usize, connections: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let torn = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&torn);
        std::thread::spawn(move || {
            for asking in listener.incoming().flatten() {
                let Ok(answering) = TcpStream::connect(("127.0.0.1", port)) else {
                    continue;
                };
                let asked = (asking.try_clone().unwrap(), answering.try_clone().unwrap());
                std::thread::spawn(move || pass(asked.0, asked.1, usize::MAX));
                let counted = Arc::clone(&counted);
                std::thread::spawn(move || {
                    let limit = match counted.load(Ordering::SeqCst) < connections {
                        true => bytes,
                        false => usize::MAX,
                    };
                    if pass(answering, asking, limit) {
                        counted.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        Self { port: own, torn }
    }

    /// How many connections were torn.
    #[must_use]
    pub fn torn(&self) -> usize {
        self.torn.load(Ordering::SeqCst)
    }
}

/// Passes on until an end or the limit; true where it tore.
fn pass(mut from: TcpStream, mut to: TcpStream, limit: usize) -> bool {
    let mut passed = 0;
    let mut chunk = [0; CHUNK_BYTES];
    let is_torn = loop {
        match from.read(&mut chunk) {
            Ok(0) | Err(_) => break false,
            Ok(read) if passed + read > limit => break true,
            Ok(read) => {
                passed += read;
                if to.write_all(&chunk[..read]).is_err() {
                    break false;
                }
            }
        }
    };
    match is_torn {
        true => {
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
        }
        // The other direction goes on.
        false => drop(to.shutdown(Shutdown::Write)),
    }
    is_torn
}
