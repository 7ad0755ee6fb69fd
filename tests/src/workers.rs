//! Workers of one platform as processes of their own, with keys and files.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use rustix::process::Signal;
use s3rec_cluster::make_folders;
use s3rec_testkit::addresses::free_address;
use tempfile::TempDir;

use crate::processes::{send, wait_until};

/// The coordinator's files, and the workers that run; killed when dropped.
#[derive(Debug)]
pub struct Workers {
    directory: TempDir,
    addresses: Vec<String>,
    running: Vec<Option<Child>>,
    command: fn(&Path) -> Command,
}

impl Workers {
    /// Makes keys and files for so many workers, and starts them: `command` is a worker's, given its
    /// file.
    #[must_use]
    pub fn start(count: usize, wait_seconds: u64, command: fn(&Path) -> Command) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let addresses: Vec<String> = (0..count).map(|_| free_address()).collect();
        let named = addresses.iter().zip(1..);
        let named: Vec<_> = named
            .map(|(address, index)| (format!("w{index}"), address.clone()))
            .collect();
        assert!(make_folders(directory.path(), &named, wait_seconds).unwrap());
        let running = (0..count).map(|_| None).collect();
        let mut workers = Self {
            directory,
            addresses,
            running,
            command,
        };
        (1..=count).for_each(|index| workers.restart(index));
        workers
    }

    /// The file by which a daemon is the coordinator.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.directory.path().join("coordinator/workers.toml")
    }

    /// As the file calls the worker, from 1, with its address.
    #[must_use]
    pub fn name(&self, index: usize) -> String {
        format!("worker w{index} ({})", self.addresses[index - 1])
    }

    /// Starts a worker and waits until it listens.
    pub fn restart(&mut self, index: usize) {
        let file = self.directory.path().join(format!("w{index}/workers.toml"));
        let child = (self.command)(&file).spawn().unwrap();
        self.running[index - 1] = Some(child);
        let address = self.addresses[index - 1].clone();
        wait_until(
            "a worker listens",
            std::time::Duration::from_secs(30),
            || std::net::TcpStream::connect(&address).is_ok(),
        );
    }

    /// `kill -9`.
    pub fn kill(&mut self, index: usize) {
        if let Some(mut child) = self.running[index - 1].take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// It is there and does nothing, until it is killed.
    pub fn freeze(&self, index: usize) {
        if let Some(child) = &self.running[index - 1] {
            send(child.id(), Signal::STOP);
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        (1..=self.running.len()).for_each(|index| self.kill(index));
    }
}
