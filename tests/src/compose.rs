//! The set-up of `docker-compose.yml` under a project name of its own, taken down whatever
//! happens.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::binaries::Program;

/// Both platforms and the demonstration, in containers.
#[derive(Debug)]
pub struct Compose {
    program: Vec<&'static str>,
    project: String,
    image: String,
    files: Vec<PathBuf>,
    data: PathBuf,
    profiles: &'static str,
}

/// Why containers cannot be had here, or nothing.
#[must_use]
pub fn obstacle() -> Option<String> {
    let runs = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        output.is_ok_and(|output| output.status.success())
    };
    let needed = [
        (runs("docker", &["info"]), "no Docker engine answers"),
        (compose_program().is_some(), "Compose is not installed"),
        (runs("tcpdump", &["--version"]), "tcpdump is not installed"),
        (runs("nsenter", &["--version"]), "nsenter is not installed"),
        (
            rustix::process::getuid().is_root(),
            "only root may capture packets",
        ),
    ];
    needed
        .into_iter()
        .find(|(there, _)| !there)
        .map(|(_, missing)| missing.to_owned())
}

fn compose_program() -> Option<Vec<&'static str>> {
    [vec!["docker", "compose"], vec!["docker-compose"]]
        .into_iter()
        .find(|program| {
            let output = Command::new(program[0])
                .args(&program[1..])
                .arg("version")
                .output();
            output.is_ok_and(|output| output.status.success())
        })
}

impl Compose {
    /// Builds the image from the programs under test; `files` lie over docker-compose.yml, and
    /// `data` is the directory with the demonstration's files.
    #[must_use]
    pub fn build(files: &[PathBuf], data: &Path) -> Self {
        Self::with_profiles("demo", files, data)
    }

    /// As [`Self::build`], with services of those profiles, separated by commas.
    #[must_use]
    pub fn with_profiles(profiles: &'static str, files: &[PathBuf], data: &Path) -> Self {
        let project = format!(
            "s3rec-test-{}-{}",
            std::process::id(),
            profiles.replace(',', "-")
        );
        let programs = Program::Command.path();
        let made = Self {
            program: compose_program().unwrap(),
            image: format!("{project}:test"),
            project,
            files: files.to_vec(),
            data: data.to_owned(),
            profiles,
        };
        let mut build = Command::new(repository("deploy/build-image.sh"));
        build.arg("--programs").arg(programs.parent().unwrap());
        assert_success(&build.arg(&made.image).output().unwrap());
        made
    }

    /// Runs Compose to its end.
    pub fn run(&self, arguments: &[&str]) -> String {
        assert_success(&self.command(arguments).output().unwrap())
    }

    /// Runs Compose, which must fail; what it said.
    pub fn fails(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let said = [output.stdout, output.stderr]
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert!(!output.status.success(), "{said:?}");
        said.concat()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program[0]);
        command.args(&self.program[1..]);
        command.arg("-p").arg(&self.project);
        for file in [repository("docker-compose.yml")].iter().chain(&self.files) {
            command.arg("-f").arg(file);
        }
        command
            .args(arguments)
            .current_dir(repository(""))
            .env("S3REC_IMAGE", &self.image)
            .env("S3REC_DEMO_DATA", &self.data)
            .env("COMPOSE_PROFILES", self.profiles);
        command
    }

    /// The container of a service, as `docker inspect` shows it.
    #[must_use]
    pub fn inspect(&self, service: &str) -> Value {
        let id = self.run(&["ps", "-a", "-q", service]);
        // Compose of 2021 lists what has ended without -a and refuses nothing.
        inspect(id.trim())
    }

    /// A network or volume of the project, as `docker inspect` shows it.
    #[must_use]
    pub fn inspect_own(&self, name: &str) -> Value {
        inspect(&format!("{}_{name}", self.project))
    }

    /// The image, as `docker inspect` shows it.
    #[must_use]
    pub fn inspect_image(&self) -> Value {
        inspect(&self.image)
    }

    /// Containers, volumes and networks that exist for the project.
    #[must_use]
    pub fn left(&self) -> Vec<String> {
        let label = format!("label=com.docker.compose.project={}", self.project);
        let lists: [&[&str]; 3] = [
            &["ps", "-a", "-q"],
            &["volume", "ls", "-q"],
            &["network", "ls", "-q"],
        ];
        let listed = lists.iter().flat_map(|list| {
            let text = docker(&[list, &["--filter", &label][..]].concat());
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        });
        listed.collect()
    }
}

impl Drop for Compose {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Ok(output) = self.command(&["logs", "--no-color"]).output()
        {
            eprintln!("{}", String::from_utf8_lossy(&output.stdout));
        }
        let _ = self
            .command(&["down", "-v", "--remove-orphans", "-t", "5"])
            .output();
        let _ = Command::new("docker")
            .args(["rmi", "-f", &self.image])
            .output();
    }
}

/// Runs docker; it must succeed.
pub fn docker(arguments: &[&str]) -> String {
    assert_success(&Command::new("docker").args(arguments).output().unwrap())
}

/// Whether somebody in the network namespace of a process gets a TCP connection.
#[must_use]
pub fn connects(pid: &str, address: &str, port: u16) -> bool {
    let attempt = format!("exec 3<>/dev/tcp/{address}/{port}");
    let mut command = Command::new("nsenter");
    command.args(["--target", pid, "--net", "timeout", "3"]);
    let output = command.args(["bash", "-c", &attempt]).output().unwrap();
    output.status.success()
}

fn inspect(name: &str) -> Value {
    let text = docker(&["inspect", name]);
    let mut all: Vec<Value> = serde_json::from_str(&text).unwrap();
    all.remove(0)
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn assert_success(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}
