//! A worker: waits for the coordinator, does what it is given, and keeps nothing.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::timeout;

use crate::frame::{self, Kind};
use crate::health::Health;
use crate::link::{BUSY, Connection, call, decline, say, taken};
use crate::{ClusterError, Members, flow, session, trust};

/// For the other workers to call.
const JOINING: Duration = Duration::from_secs(15);
/// For the session before to end, which its coordinator has seen the end of.
const LETTING_GO: Duration = Duration::from_secs(5);
/// Callers who have not said who they are yet.
const CALLERS: usize = 64;

/// A worker that listens.
pub struct Serving {
    listener: TcpListener,
    worker: Arc<Worker>,
}

struct Worker {
    members: Members,
    /// The session that is being joined or worked at.
    at: Mutex<Option<Joining>>,
}

struct Joining {
    session: [u8; 16],
    /// Where calls of other workers for it go.
    calls: mpsc::Sender<(usize, Connection)>,
}

impl Serving {
    /// Where it listens.
    ///
    /// # Errors
    /// The system's.
    pub fn address(&self) -> Result<SocketAddr, ClusterError> {
        Ok(self.listener.local_addr()?)
    }

    /// Works until `stop` turns true. What is under way then is lost, as when the worker dies.
    ///
    /// # Errors
    /// Where our own key does not read any more.
    pub async fn until(self, mut stop: watch::Receiver<bool>) -> Result<(), ClusterError> {
        let callers = Arc::new(Semaphore::new(CALLERS));
        let config = Arc::new(trust::listening(&self.worker.members)?);
        tracing::info!(address = %self.address()?, "waiting for the coordinator");
        loop {
            let accepted = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                accepted = self.listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                // Out of file descriptors, above all: those that are held come free.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let Ok(place) = Arc::clone(&callers).try_acquire_owned() else {
                continue;
            };
            let (worker, config) = (Arc::clone(&self.worker), Arc::clone(&config));
            tokio::spawn(async move {
                worker.take(stream, config).await;
                drop(place);
            });
        }
    }
}

/// Listens where the file says; [`Serving::until`] then works.
///
/// # Errors
/// [`ClusterError`] where the file gives us no worker's part, or our key or address is not to be had.
pub async fn serve(members: Members) -> Result<Serving, ClusterError> {
    members.is_coordinator(false)?;
    members.identity()?;
    let address = members.all[members.own].address.clone();
    let listen = members.listen.clone().or(address).unwrap_or_default();
    let listener = TcpListener::bind(&listen).await;
    let listener = listener.map_err(|error| ClusterError::Members {
        path: members.path.clone(),
        detail: format!("cannot listen at {listen:?}: {error}"),
    })?;
    let at = Mutex::default();
    Ok(Serving {
        listener,
        worker: Arc::new(Worker { members, at }),
    })
}

impl Worker {
    fn at(&self) -> MutexGuard<'_, Option<Joining>> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody calls.
    async fn take(self: Arc<Self>, stream: TcpStream, config: Arc<rustls::ServerConfig>) {
        let (hello, from, mut connection) = match taken(&self.members, config, stream).await {
            Ok(taken) => taken,
            Err(why) => {
                tracing::warn!("a call was not taken: {why}");
                return;
            }
        };
        if from == 0 {
            match self.begin(hello.session).await {
                Some((place, calls)) => {
                    let accepted = say(&mut connection, Kind::Accepted, "").await;
                    if accepted.is_ok() {
                        self.work(connection, hello.session, calls).await;
                    }
                    drop(place);
                }
                None => {
                    let why = format!("{BUSY} with another session of the coordinator's");
                    decline(&mut connection, &why).await;
                }
            }
            return;
        }
        let calls = self
            .at()
            .as_ref()
            .filter(|at| at.session == hello.session && from > self.members.own)
            .map(|at| at.calls.clone());
        match calls {
            Some(calls) => {
                if say(&mut connection, Kind::Accepted, "").await.is_ok() {
                    let _ = calls.send((from, connection)).await;
                }
            }
            None => {
                let why = format!("{BUSY} with another session than the caller's");
                decline(&mut connection, &why).await;
            }
        }
    }

    /// Takes the place of the one session, once the one before has let go of it.
    async fn begin(
        self: &Arc<Self>,
        session: [u8; 16],
    ) -> Option<(Place, mpsc::Receiver<(usize, Connection)>)> {
        let give_up = Instant::now() + LETTING_GO;
        while self.at().is_some() {
            if Instant::now() >= give_up {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut at = self.at();
        if at.is_some() {
            return None;
        }
        let (sender, calls) = mpsc::channel(self.members.all.len());
        *at = Some(Joining {
            session,
            calls: sender,
        });
        Some((Place(Arc::clone(self)), calls))
    }

    async fn work(
        &self,
        mut coordinator: Connection,
        session: [u8; 16],
        calls: mpsc::Receiver<(usize, Connection)>,
    ) {
        let joined = tokio::select! {
            joined = timeout(JOINING, self.join(session, calls)) => joined,
            // It says nothing before we are ready: whatever is read is its end.
            _ = frame::read(&mut coordinator) => return,
        };
        let joined = joined.unwrap_or_else(|_| Err("some worker did not call in time".into()));
        let mut connections = match joined {
            Ok(connections) => connections,
            Err(why) => {
                tracing::warn!("a session could not begin: {why}");
                let _ = say(&mut coordinator, Kind::Failed, &why).await;
                return;
            }
        };
        if say(&mut coordinator, Kind::Ready, "").await.is_err() {
            return;
        }
        connections[0] = Some(coordinator);
        let (members, runtime) = (self.members.clone(), Handle::current());
        let worked = tokio::task::spawn_blocking(move || {
            let health = Health::new();
            let (own, failing) = (members.own, health.clone());
            let work = move |worker: &mut timely::worker::Worker| flow::work(worker, own, &failing);
            session::run(&members, connections, &runtime, &health, work, || ())
        });
        match worked.await {
            Ok(Ok(())) => tracing::info!("a session ended"),
            Ok(Err(error)) => tracing::warn!("a session failed: {error}"),
            Err(_) => tracing::error!("a session's thread ended by itself"),
        }
    }

    /// Calls the workers before us in the file, and waits for those behind.
    async fn join(
        &self,
        session: [u8; 16],
        mut calls: mpsc::Receiver<(usize, Connection)>,
    ) -> Result<Vec<Option<Connection>>, String> {
        let own = self.members.own;
        let mut connections = vec![None];
        for index in 1..own {
            let called = call(&self.members, index, session).await;
            connections.push(Some(called.map_err(|error| error.to_string())?));
        }
        connections.resize_with(self.members.all.len(), || None);
        for _ in own + 1..self.members.all.len() {
            let (from, connection) = calls.recv().await.ok_or("the session is over")?;
            connections[from] = Some(connection);
        }
        Ok(connections)
    }
}

/// The place of the one session, given back whatever becomes of it.
struct Place(Arc<Worker>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.at().take();
    }
}
