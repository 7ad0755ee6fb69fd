//! Puts the commit into the records: `$S3REC_COMMIT` where it is given (images are built
//! without the repository), git's answer otherwise.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=S3REC_COMMIT");
    let given = std::env::var("S3REC_COMMIT").ok().filter(|c| !c.is_empty());
    let commit = given
        .or_else(|| git(&["rev-parse", "--short=12", "HEAD"]))
        .unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=S3REC_BENCH_COMMIT={commit}");
    // Moves with every commit and checkout.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        let log = PathBuf::from(log);
        if log.exists() {
            println!("cargo::rerun-if-changed={}", log.display());
        }
    }
    println!("cargo::rerun-if-changed=build.rs");
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
