//! Where messages of the wire may be named: in `wire`, at the gRPC edges, and in tests; nowhere else.
//!
//! What is looked for is lines with `v1::` in Rust files that git tracks, without the module `tests` at
//! a file's end and without comments.

use std::path::Path;
use std::process::Command;

/// Folders of clients, and of the conversions.
const EDGES: &[&str] = &["crates/wire/", "services/cli/", "crates/console/"];

/// Files of servers and clients: they take messages and give them.
const EDGE_FILES: &[&str] = &[
    "crates/link/src/grpc.rs",
    "crates/node/src/spool.rs",
    "crates/node/src/verbs.rs",
    "services/rating/src/align.rs",
    "services/rating/src/align_vole.rs",
    "services/rating/src/answers.rs",
    "services/rating/src/batch.rs",
    "services/rating/src/connection.rs",
    "services/rating/src/estimate.rs",
    "services/rating/src/friends_setup.rs",
    "services/rating/src/head_exchange.rs",
    "services/rating/src/operator.rs",
    "services/rating/src/serve.rs",
    "services/rating/src/setup.rs",
    "services/social/src/align.rs",
    "services/social/src/align_vole.rs",
    "services/social/src/friends_setup.rs",
    "services/social/src/head_exchange.rs",
    "services/social/src/lifeline.rs",
    "services/social/src/operator.rs",
    "services/social/src/peer.rs",
    "services/social/src/probe.rs",
    "services/social/src/rounds.rs",
    "services/social/src/serve.rs",
    "services/social/src/setup.rs",
];

/// One line for each file that names messages where it may not.
pub(crate) fn findings(root: &Path) -> std::io::Result<Vec<String>> {
    let files = sources(root)?.into_iter();
    let findings = files
        .filter(|(file, _)| !is_edge(file))
        .filter_map(|(file, source)| {
            let found = lines(&source);
            (found > 0).then(|| {
                format!("{file}: {found} lines name v1::, none may; convert in crates/wire")
            })
        });
    Ok(findings.collect())
}

/// The Rust files that git tracks, without tests: names, and what stands before the module `tests`.
pub(crate) fn sources(root: &Path) -> std::io::Result<Vec<(String, String)>> {
    let listed = Command::new("git")
        .args(["ls-files", "*.rs"])
        .current_dir(root)
        .output()?;
    let mut sources = Vec::new();
    let listed = String::from_utf8_lossy(&listed.stdout);
    for file in listed.lines().filter(|file| !is_test(file)) {
        // One that is removed and not committed yet is not there.
        let source = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        let own = source.split("#[cfg(test)]\nmod tests {").next();
        sources.push((file.to_owned(), own.unwrap_or_default().to_owned()));
    }
    Ok(sources)
}

fn is_test(file: &str) -> bool {
    file.starts_with("tests/")
        || file.starts_with("crates/fuzz/")
        || file.contains("/tests/")
        || file.contains("/examples/")
        || file.ends_with("_tests.rs")
        || file.ends_with("/tests.rs")
        || file.starts_with("crates/xtask/")
}

fn is_edge(file: &str) -> bool {
    EDGES.iter().any(|edge| file.starts_with(edge)) || EDGE_FILES.contains(&file)
}

fn lines(source: &str) -> usize {
    let lines = source.lines();
    lines
        .filter(|line| !line.trim_start().starts_with("//") && names_a_message(line))
        .count()
}

/// `v1::` that is not the end of a longer name, nor another protocol's.
fn names_a_message(line: &str) -> bool {
    line.match_indices("v1::").any(|(at, _)| {
        let before = line.get(..at).unwrap_or_default();
        let is_part = before
            .chars()
            .next_back()
            .is_some_and(|last| last.is_alphanumeric() || last == '_');
        !is_part && !before.ends_with("pb::")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_where_they_are_named() {
        let source = "use s3rec_wire::v1::JobEvent;\nfn a(x: v1::Cost) {}\n// v1::Cost\n\
                      let b = pb::v1::FILE;\nlet c = xv1::D;\n";
        assert_eq!(lines(source), 2);
        assert!(is_edge("services/social/src/peer.rs") && is_test("tests/platforms/pair.rs"));
        assert!(!is_edge("services/rating/src/runner.rs"));
    }
}
