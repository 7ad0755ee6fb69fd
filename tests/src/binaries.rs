//! The programs under test.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// One of the three programs.
#[derive(Clone, Copy, Debug)]
pub enum Program {
    /// `s3rec`.
    Command,
    /// `s3rec-rating`.
    Rating,
    /// `s3rec-social`.
    Social,
}

impl Program {
    /// Where it is; built from the present sources on first use. `S3REC_BINARIES` names a
    /// directory of programs built before, to test those instead.
    #[must_use]
    pub fn path(self) -> PathBuf {
        static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
        DIRECTORY.get_or_init(directory).join(match self {
            Self::Command => "s3rec",
            Self::Rating => "s3rec-rating",
            Self::Social => "s3rec-social",
        })
    }
}

fn directory() -> PathBuf {
    if let Some(given) = std::env::var_os("S3REC_BINARIES") {
        return given.into();
    }
    // We are target/PROFILE/deps/end_to_end-….
    let ours = std::env::current_exe().unwrap();
    let profile = ours
        .parent()
        .and_then(|deps| deps.parent())
        .unwrap()
        .to_owned();
    // The whole workspace, as `cargo test --workspace` does, so that nothing is built twice. Without
    // the tests, libraries would be built anew from tokio up: what only tests depend on asks for
    // further features of them.
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--workspace", "--bins", "--tests", "--quiet"]);
    build.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    // Cargo tells a test of its package. The build script of ring would take that for a change, and all
    // that uses ring be built again, here and at the next build outside.
    for (name, _) in std::env::vars_os() {
        let is_of_package = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        });
        if is_of_package {
            build.env_remove(name);
        }
    }
    if profile.ends_with("release") {
        build.arg("--release");
    }
    let built = build.status().unwrap();
    assert!(built.success(), "the programs under test do not build");
    profile
}
