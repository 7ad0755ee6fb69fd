//! One run of the dataflow, from connections that stand to their end.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use timely::WorkerConfig;
use timely::communication::Hooks;
use timely::communication::allocator::zero_copy::bytes_slab::BytesRefill;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};
use timely::communication::initialize::initialize_from;
use timely::worker::Worker;
use tokio::runtime::Handle;
use zeroize::Zeroizing;

use crate::health::{Failure, Health};
use crate::link::{Connection, relay};
use crate::pipe::pipe;
use crate::{ClusterError, Members};

/// For connections to say their last words.
const PARTING: Duration = Duration::from_secs(3);

/// Runs `dataflow` of member `members.own` over `connections`, one to every other member, on a thread
/// of timely's, and `meanwhile` on this one. Blocks; must not be called on a thread that drives the
/// runtime's tasks.
///
/// # Errors
/// The session's first failure.
pub(crate) fn run(
    members: &Members,
    connections: Vec<Option<Connection>>,
    runtime: &Handle,
    health: &Health,
    dataflow: impl FnOnce(&mut Worker) + Send + 'static,
    meanwhile: impl FnOnce(),
) -> Result<(), ClusterError> {
    let mut relays = Vec::new();
    let mut pipes = Vec::new();
    for (peer, connection) in connections.into_iter().enumerate() {
        pipes.push(connection.map(|connection| {
            let (pipe, ends) = pipe(members.own, peer);
            let name = members.all[peer].to_string();
            relays.push(runtime.spawn(relay(connection, ends, name, health.clone())));
            pipe
        }));
    }
    let hooks = Hooks {
        // Whatever was in timely's buffers is overwritten when they go.
        refill: BytesRefill {
            logic: Arc::new(|bytes| Box::new(Wiped(Zeroizing::new(vec![0; bytes])))),
            limit: None,
        },
        ..Hooks::default()
    };
    let inner = ProcessBuilder::new_typed_vector(1, hooks.refill.clone(), None);
    let (builders, connected) =
        initialize_networking_from_sockets(inner, pipes, members.own, 1, hooks)?;
    let builders = builders.into_iter().map(AllocatorBuilder::Tcp).collect();
    // Timely may call it for several threads; there is one.
    let dataflow = Mutex::new(Some(dataflow));
    let started = initialize_from(builders, Box::new(()), move |allocator| {
        // Without a clock it would not rest.
        let mut worker = Worker::new(WorkerConfig::default(), allocator, Some(Instant::now()));
        let dataflow = dataflow
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(dataflow) = dataflow {
            dataflow(&mut worker);
        }
        for left in worker.installed_dataflows() {
            worker.drop_dataflow(left);
        }
    });
    let threads = started.map_err(std::io::Error::other)?;
    meanwhile();
    for ended in threads.join() {
        if ended.is_err() {
            by_itself(health);
        }
    }
    // Joins timely's threads for the connections, which end with the worker and the pipes. It panics
    // where one of them did, and that must not be here.
    if std::thread::spawn(move || drop(connected)).join().is_err() {
        by_itself(health);
    }
    runtime.block_on(async {
        for relay in relays {
            let stop = relay.abort_handle();
            if tokio::time::timeout(PARTING, relay).await.is_err() {
                stop.abort();
            }
        }
    });
    match health.failure() {
        Some(failure) => Err(failure.into()),
        None => Ok(()),
    }
}

fn by_itself(health: &Health) {
    health.fail(Failure::Work(
        "a thread of the dataflow ended by itself".into(),
    ));
}

/// A buffer of timely's.
struct Wiped(Zeroizing<Vec<u8>>);

impl Deref for Wiped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Wiped {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}
