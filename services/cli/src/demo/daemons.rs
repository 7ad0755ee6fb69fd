//! Both daemons as processes of their own that cannot outlive the demonstration.
//!
//! Four things end them: [`Daemons::stop`]; dropping them, also in a panic; the end of the
//! pipe that is their standard input, which the system closes when we are killed; and for
//! Ctrl-C they are in process groups of their own, so that only we hear it and end them in
//! order.

use std::fs::File;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use s3rec_job::Party;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::workspace::Workspace;
use crate::failure::Failure;

/// Longest wait for a daemon's first address.
const START_SECONDS: u64 = 30;
/// How often the address file is looked for.
const POLL: Duration = Duration::from_millis(20);
/// How long a daemon may drain before it is killed.
const DRAIN: Duration = Duration::from_secs(5);
/// A process that just died needs a moment until its parent hears of it.
const DEATH_NOTICE: Duration = Duration::from_millis(500);
/// Lines of a log that are shown.
const LOG_LINES: usize = 15;

/// The running daemons, in the order in which they started.
#[derive(Debug, Default)]
pub(super) struct Daemons {
    running: Vec<Daemon>,
}

#[derive(Debug)]
struct Daemon {
    platform: Party,
    child: Child,
    log: std::path::PathBuf,
    operator_address: String,
}

impl Daemons {
    /// Starts the social platform, then the rating platform, which needs its address.
    pub(super) async fn start(&mut self, workspace: &Workspace) -> Result<(), Failure> {
        let peer_address = self.start_social(workspace).await?;
        self.start_rating(workspace, &peer_address).await
    }

    /// Starts the social platform; returns where the other platform reaches it.
    pub(super) async fn start_social(&mut self, workspace: &Workspace) -> Result<String, Failure> {
        self.start_one(workspace, Party::Social, None).await?;
        let peer = workspace.data_dir(Party::Social).join("peer.addr");
        self.address(Party::Social, &peer).await
    }

    /// Starts the rating platform, which reaches the social one at `peer_address`.
    pub(super) async fn start_rating(
        &mut self,
        workspace: &Workspace,
        peer_address: &str,
    ) -> Result<(), Failure> {
        self.start_one(workspace, Party::Rating, Some(peer_address))
            .await
    }

    async fn start_one(
        &mut self,
        workspace: &Workspace,
        platform: Party,
        social_peer: Option<&str>,
    ) -> Result<(), Failure> {
        let configuration = workspace.configure(platform, social_peer)?;
        let child = spawn(workspace, platform, &configuration)?;
        let log = workspace.log(platform);
        self.running.push(Daemon {
            platform,
            child,
            log,
            operator_address: String::new(),
        });
        let file = workspace.data_dir(platform).join("operator.addr");
        let address = self.address(platform, &file).await?;
        if let Some(daemon) = self.running.last_mut() {
            daemon.operator_address = address;
        }
        Ok(())
    }

    /// Waits until the daemon has written where it listens.
    async fn address(&mut self, platform: Party, file: &Path) -> Result<String, Failure> {
        let started = Instant::now();
        loop {
            if let Ok(text) = std::fs::read_to_string(file)
                && !text.trim().is_empty()
            {
                return Ok(text.trim().to_owned());
            }
            for daemon in &mut self.running {
                if let Ok(Some(status)) = daemon.child.try_wait() {
                    return Err(daemon.ended(status));
                }
            }
            if started.elapsed() >= Duration::from_secs(START_SECONDS) {
                let log = self.running.iter().find(|d| d.platform == platform);
                return Err(Failure::NotReady {
                    role: platform.name(),
                    seconds: START_SECONDS,
                    log: log.map(Daemon::log_end).unwrap_or_default(),
                });
            }
            sleep(POLL).await;
        }
    }

    /// Where the platform's people connect.
    pub(super) fn operator_address(&self, platform: Party) -> &str {
        let daemon = self
            .running
            .iter()
            .find(|daemon| daemon.platform == platform);
        daemon
            .map(|daemon| daemon.operator_address.as_str())
            .unwrap_or_default()
    }

    /// Ends when a daemon does.
    pub(super) async fn unexpected_end(&mut self) -> Failure {
        loop {
            for daemon in &mut self.running {
                if let Ok(Some(status)) = daemon.child.try_wait() {
                    return daemon.ended(status);
                }
            }
            sleep(POLL).await;
        }
    }

    /// The death of a daemon explains any failure better than the failure itself.
    pub(super) async fn explain(&mut self, failure: Failure) -> Failure {
        if matches!(failure, Failure::Daemon { .. }) {
            return failure;
        }
        timeout(DEATH_NOTICE, self.unexpected_end())
            .await
            .unwrap_or(failure)
    }

    /// Ends what still runs: politely, then not.
    pub(super) async fn stop(&mut self) {
        for daemon in &self.running {
            if let Some(pid) = daemon
                .child
                .id()
                .and_then(|id| Pid::from_raw(id.cast_signed()))
            {
                // A process that has just ended is no error.
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        for daemon in &mut self.running {
            if timeout(DRAIN, daemon.child.wait()).await.is_err() {
                let _ = daemon.child.kill().await;
            }
        }
        self.running.clear();
    }
}

impl Daemon {
    fn ended(&self, status: ExitStatus) -> Failure {
        Failure::Daemon {
            role: self.platform.name(),
            status: status.to_string(),
            survivor: None,
            log: self.log_end(),
        }
    }

    fn log_end(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let start = lines.len().saturating_sub(LOG_LINES);
        lines.get(start..).unwrap_or_default().join("\n")
    }
}

fn spawn(workspace: &Workspace, platform: Party, configuration: &Path) -> Result<Child, Failure> {
    let log = workspace.log(platform);
    let log_file = File::create(&log).map_err(Failure::at(&log))?;
    let executable = workspace.executable(platform);
    let mut command = match workspace.launcher(platform) {
        [launcher, arguments @ ..] => {
            let mut command = Command::new(launcher);
            command.args(arguments).arg(&executable);
            command
        }
        [] => Command::new(&executable),
    };
    command
        .arg("daemon")
        .arg("--workspace")
        .arg(workspace.path())
        .arg(platform.name())
        .arg("--config")
        .arg(configuration)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log_file)
        .process_group(0)
        .kill_on_drop(true);
    // Settings of real daemons in our environment are not for these.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("S3REC_") {
            command.env_remove(name);
        }
    }
    command.spawn().map_err(Failure::at(&executable))
}
