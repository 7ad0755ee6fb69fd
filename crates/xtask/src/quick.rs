//! What a person runs between edits: everything that is checked in seconds, and the unit tests of the
//! crates that differ from the last commit of `main`.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

/// A line of cargo's account of what it built.
#[derive(Deserialize)]
struct Built {
    manifest_path: Option<PathBuf>,
    executable: Option<PathBuf>,
}

/// One line for each step that failed.
///
/// The tests are built for the whole workspace, because a part of it would select other features of
/// the dependencies and build those anew; only binaries of crates that changed are run.
///
/// # Errors
/// A program that cannot be started.
pub(crate) fn findings(root: &Path) -> std::io::Result<Vec<String>> {
    let mut findings = Vec::new();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let format = Command::new(&cargo)
        .args(["fmt", "--all", "--check"])
        .current_dir(root)
        .status()?;
    if !format.success() {
        findings.push("the format differs: cargo fmt --all".to_owned());
    }
    let changed = changed(root)?;
    let mut build = Command::new(&cargo)
        .args([
            "test",
            "--workspace",
            "--lib",
            "--bins",
            "--no-run",
            "--locked",
        ])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(root)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut tests = BTreeSet::new();
    if let Some(stdout) = build.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            // Cargo also tells of build scripts and of its end; those lines have neither field.
            let Ok(built) = serde_json::from_str::<Built>(&line?) else {
                continue;
            };
            if let (Some(manifest), Some(executable)) = (built.manifest_path, built.executable) {
                tests.extend(manifest.parent().map(|home| (home.to_owned(), executable)));
            }
        }
    }
    if !build.wait()?.success() {
        findings.push("the tests do not build".to_owned());
        return Ok(findings);
    }
    for (home, executable) in &tests {
        if !changed.iter().any(|file| file.starts_with(home)) {
            continue;
        }
        let status = Command::new(executable)
            .arg("--quiet")
            .current_dir(home)
            .status()?;
        if !status.success() {
            findings.push(format!("tests fail in {}", home.display()));
        }
    }
    Ok(findings)
}

/// Files that differ from where this branch left `main`, and new ones.
fn changed(root: &Path) -> std::io::Result<BTreeSet<PathBuf>> {
    let root = root.canonicalize()?;
    let base = lines(&root, &["merge-base", "HEAD", "main"])?
        .pop()
        .unwrap_or_else(|| "HEAD".to_owned());
    let mut files = lines(&root, &["diff", "--name-only", &base])?;
    files.extend(lines(
        &root,
        &["ls-files", "--others", "--exclude-standard"],
    )?);
    Ok(files.into_iter().map(|file| root.join(file)).collect())
}

fn lines(root: &Path, arguments: &[&str]) -> std::io::Result<Vec<String>> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(root)
        .output()?;
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect())
}
