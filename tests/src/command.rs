//! The command `s3rec` as a user runs it.

use std::path::Path;
use std::process::{Command, Stdio};

use s3rec_cli::connection::Connection;
use serde_json::Value;

use crate::binaries::Program;
use crate::pair::Pair;

/// How a run of the command ended.
#[derive(Debug)]
pub struct Run {
    /// Exit code; `None` for a signal.
    pub code: Option<i32>,
    /// Everything on stdout.
    pub stdout: String,
    /// Everything on stderr.
    pub stderr: String,
}

/// The command with `arguments`, its temporary files in `temporary`.
#[must_use]
pub fn s3rec(temporary: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(Program::Command.path());
    command
        .args(arguments)
        .env("TMPDIR", temporary)
        // Not the contexts of whoever runs the tests.
        .env("XDG_CONFIG_HOME", temporary.join("config"))
        .env_remove("S3REC_CONTEXT")
        .stdin(Stdio::null());
    command
}

/// Runs the command to its end.
#[must_use]
pub fn run(temporary: &Path, arguments: &[&str]) -> Run {
    let output = s3rec(temporary, arguments).output().unwrap();
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs a line of one platform's people, for its JSON.
#[must_use]
pub fn at(pair: &Pair, line: &str) -> Run {
    let connection = match line.starts_with("rating") {
        true => pair.rating_connection(),
        false => pair.social_connection(),
    };
    let flags = flags(&connection);
    let words = line.split(' ').chain(flags.iter().map(String::as_str));
    run(
        pair.home.path(),
        &words.chain(["--json"]).collect::<Vec<_>>(),
    )
}

impl Run {
    /// The one JSON document on stdout; the run must have succeeded.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self:?}");
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// The JSON error on stderr of a run that failed.
    #[must_use]
    pub fn error(&self) -> Value {
        assert_ne!(self.code, Some(0), "{self:?}");
        assert_eq!(self.stdout, "", "a failure prints no document");
        let document: Value = serde_json::from_str(&self.stderr).unwrap();
        document["error"].clone()
    }
}

/// A connection as flags.
#[must_use]
pub fn flags(connection: &Connection) -> Vec<String> {
    let path = |path: &Path| path.to_string_lossy().into_owned();
    vec![
        "--address".into(),
        connection.address.clone(),
        "--ca".into(),
        path(&connection.ca),
        "--certificate".into(),
        path(&connection.certificate),
        "--key".into(),
        path(&connection.key),
    ]
}
