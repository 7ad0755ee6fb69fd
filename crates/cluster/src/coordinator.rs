//! The coordinator: has tasks done by the workers, and waits for one that comes back.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use s3rec_wire::status::Fault;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::frame::{self, Kind as Frame};
use crate::health::{Failure, Health};
use crate::link::{Connection, call};
use crate::tasks::Tasks;
use crate::{ClusterError, Members, flow, session};

/// For the workers to connect among each other.
const JOINING: Duration = Duration::from_secs(20);
/// Between two attempts.
const AGAIN: Duration = Duration::from_millis(500);

/// A platform's workers, as its daemon has them.
#[derive(Debug)]
pub struct Cluster {
    members: Members,
    runtime: Handle,
}

impl Cluster {
    /// Reads the file and our key; nobody is called yet. `runtime` drives the connections.
    ///
    /// # Errors
    /// [`ClusterError`] where the file or the key is not what it should be.
    pub fn open(file: &Path, runtime: Handle) -> Result<Self, ClusterError> {
        let members = Members::read(file)?;
        members.is_coordinator(true)?;
        members.identity()?;
        Ok(Self { members, runtime })
    }

    /// The workers of a platform's daemon, where its settings name a file of them. Must be called on
    /// the runtime that is to drive the connections.
    ///
    /// # Errors
    /// What [`Self::open`] reports, as a fault of the platform's own.
    pub fn of_platform(file: Option<&Path>) -> Result<Option<Arc<Self>>, Fault> {
        let Some(file) = file else {
            return Ok(None);
        };
        let cluster = Self::open(file, Handle::current()).map_err(ClusterError::into_fault)?;
        let names: Vec<&str> = cluster.members.names().collect();
        tracing::info!(
            "friends' sums are computed by the workers {}",
            names.join(", ")
        );
        Ok(Some(Arc::new(cluster)))
    }

    /// Who takes part.
    #[must_use]
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// Has all of `tasks` done, those of a worker one behind the other, and gives what was made to
    /// `put`, each once. Task i of T goes to worker ⌊i·K/T⌋ of K. Where a worker is lost, what is not
    /// there yet is done once all are back, for as long as the file says. Blocks; must not be called
    /// on a thread that drives the runtime's tasks.
    ///
    /// # Errors
    /// [`ClusterError`] naming the worker; then some of the tasks were not put.
    pub fn done(
        &self,
        tasks: &Tasks<'_>,
        put: &mut dyn FnMut(usize, &[u8]) -> Result<(), String>,
    ) -> Result<(), ClusterError> {
        let mut is_done = vec![false; tasks.count];
        let mut give_up = None;
        while !is_done.iter().all(|done| *done) {
            let Err(error) = self.attempt(tasks, &mut is_done, put) else {
                continue;
            };
            let give_up = *give_up.get_or_insert_with(|| Instant::now() + self.members.wait);
            if !error.may_pass() || Instant::now() >= give_up {
                return Err(error);
            }
            let left = is_done.iter().filter(|done| !**done).count();
            tracing::warn!(
                "{error}; {left} of {} tasks are not done, and are once all workers are there \
                 (wait_seconds in {})",
                tasks.count,
                self.members.path.display()
            );
            std::thread::sleep(AGAIN);
        }
        Ok(())
    }

    fn attempt(
        &self,
        tasks: &Tasks<'_>,
        is_done: &mut [bool],
        put: &mut dyn FnMut(usize, &[u8]) -> Result<(), String>,
    ) -> Result<(), ClusterError> {
        let connections = self.runtime.block_on(self.connect())?;
        let workers = self.members.workers();
        let mut queues = vec![VecDeque::new(); workers];
        for (task, _) in is_done.iter().enumerate().filter(|(_, done)| !**done) {
            queues[task * workers / tasks.count].push_back(task);
        }
        let health = Health::new();
        let mut put_once = |task: usize, made: &[u8]| {
            put(task, made)?;
            is_done[task] = true;
            Ok(())
        };
        let (control, carrier) = flow::carried();
        let carrying = health.clone();
        session::run(
            &self.members,
            connections,
            &self.runtime,
            &health,
            move |worker| carrier.carry(worker, &carrying),
            || flow::coordinate(control, tasks, queues, &mut put_once, &health),
        )
    }

    /// Calls every worker in the file's order, which then call each other, and waits for all.
    async fn connect(&self) -> Result<Vec<Option<Connection>>, ClusterError> {
        let mut session = [0; 16];
        getrandom::fill(&mut session).map_err(std::io::Error::other)?;
        let mut connections = vec![None];
        for index in 1..self.members.all.len() {
            connections.push(Some(call(&self.members, index, session).await?));
        }
        for (connection, member) in connections.iter_mut().zip(&self.members.all) {
            let Some(connection) = connection else {
                continue;
            };
            let name = member.to_string();
            let lost = |what: String| ClusterError::from(Failure::lost(&name, what));
            match timeout(JOINING, frame::read(connection)).await {
                Ok(Ok(Some((Frame::Ready, _)))) => {}
                Ok(Ok(Some((Frame::Failed, why)))) => {
                    let why = String::from_utf8_lossy(&why).into_owned();
                    return Err(lost(format!("reports: {why}")));
                }
                Ok(Ok(Some(_))) => return Err(lost("answers what is not due".into())),
                Ok(Ok(None)) => return Err(lost("was there and is gone".into())),
                Ok(Err(error)) => return Err(lost(format!("the connection broke: {error}"))),
                Err(_) => {
                    let seconds = JOINING.as_secs();
                    let what = format!("is not connected with the other workers after {seconds} s");
                    return Err(lost(what));
                }
            }
        }
        Ok(connections)
    }
}
