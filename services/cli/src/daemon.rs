//! A daemon of the demonstration: the platform's own daemon, tied to whoever started it.

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use crate::arguments::{DaemonArgs, Platform};

/// How often removal is tried while the other daemon may still be writing.
const REMOVAL_ATTEMPTS: u32 = 20;
const REMOVAL_INTERVAL: Duration = Duration::from_millis(50);

/// Runs the daemon until it is told to end, or nobody is left to tell it.
pub(crate) fn run(arguments: DaemonArgs) -> ExitCode {
    let workspace = arguments.workspace;
    thread::spawn(move || end_with_parent(&workspace));
    match arguments.platform {
        Platform::Rating(arguments) => s3rec_rating::run(arguments),
        Platform::Social(arguments) => s3rec_social::run(arguments),
    }
}

/// Our standard input is a pipe whose other end only the demonstration holds: its end of file
/// is the demonstration's end, however that came about, `kill -9` included. Nobody is left to
/// read anything of ours, so nothing is drained and everything is removed, keys first of all.
fn end_with_parent(workspace: &Path) {
    let mut stdin = std::io::stdin().lock();
    loop {
        match stdin.read(&mut [0; 1]) {
            Ok(1..) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => break,
        }
    }
    remove(workspace);
    std::process::exit(1);
}

fn remove(workspace: &Path) {
    for _ in 0..REMOVAL_ATTEMPTS {
        let _ = std::fs::remove_dir_all(workspace);
        thread::sleep(REMOVAL_INTERVAL);
        if !workspace.exists() {
            return;
        }
    }
}
