//! The harness of the end-to-end tests: real binaries, real processes, real TLS.
//!
//! | module | one sentence |
//! |---|---|
//! | [`binaries`] | builds the three programs and says where they are |
//! | [`browser`] | headless Chromium over the DevTools protocol |
//! | [`data`] | small data sets, and where the public ones lie |
//! | [`pair`] | both daemons with keys and configurations of their own |
//! | [`in_process`] | daemons in this process, for what no other process can see |
//! | [`job`] | from import to an approved job in one call |
//! | [`command`] | the command `s3rec` as a user runs it |
//! | [`compose`] | both platforms in containers |
//! | [`capture`] | what crossed a network, and whether it was in the clear |
//! | [`raw`] | connections that check nothing of what our clients check |
//! | [`machine`] | a daemon's disk and clock, as a test wants them |
//! | [`postgres`], [`s3`] | a database and an object store, as people have them |
//! | [`torn`] | something between two programs that tears their connections |
//! | [`processes`] | what still runs, and signals |
//!
//! What goes wrong in here ends the test with a panic that says so.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a harness: every failure is a test's failure"
)]

pub mod binaries;
pub mod browser;
pub mod capture;
pub mod command;
pub mod compose;
pub mod data;
pub mod in_process;
pub mod job;
pub mod machine;
pub mod pair;
pub mod postgres;
pub mod processes;
pub mod raw;
pub mod s3;
pub mod torn;
pub mod workers;
