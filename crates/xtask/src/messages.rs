//! Where messages of the wire may be named: in `wire`, at the gRPC edges, and in tests. Everywhere
//! else their number can only fall.
//!
//! What is counted is lines with `v1::` in Rust files that git tracks, without the module `tests` at
//! a file's end and without comments.

use std::path::Path;
use std::process::Command;

/// Folders of clients, and of the conversions.
const EDGES: &[&str] = &["crates/wire/", "services/cli/", "crates/console/"];

/// Files of servers and clients: they take messages and give them. `migrations`, `resume` and
/// `alignment` read what older versions kept as messages.
const EDGE_FILES: &[&str] = &[
    "crates/link/src/grpc.rs",
    "crates/node/src/alignment.rs",
    "crates/node/src/migrations.rs",
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
    "services/rating/src/offered.rs",
    "services/rating/src/operator.rs",
    "services/rating/src/resume.rs",
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

/// What is left elsewhere: lines by file. Fewer is another entry, more is a finding.
const LEFT: &[(&str, usize)] = &[
    ("crates/node/src/datasets/copies.rs", 1),
    ("crates/node/src/datasets/header.rs", 1),
    ("crates/node/src/datasets/mod.rs", 1),
    ("crates/node/src/datasets/parts.rs", 1),
    ("crates/node/src/datasets/verbs.rs", 1),
    ("crates/node/src/reading.rs", 3),
    ("crates/node/src/rows.rs", 1),
    ("services/rating/src/drive.rs", 1),
    ("services/rating/src/factors.rs", 10),
    ("services/rating/src/friends_outcome.rs", 1),
    ("services/rating/src/friends_sides.rs", 1),
    ("services/rating/src/imports.rs", 7),
    ("services/rating/src/jobs.rs", 4),
    ("services/rating/src/models.rs", 6),
    ("services/rating/src/outcome.rs", 7),
    ("services/rating/src/plan.rs", 2),
    ("services/rating/src/platform.rs", 2),
    ("services/rating/src/stored_friends.rs", 4),
    ("services/social/src/bounds.rs", 3),
    ("services/social/src/imports.rs", 6),
    ("services/social/src/platform.rs", 3),
    ("services/social/src/proposals.rs", 3),
    ("services/social/src/witness.rs", 1),
];

/// One line for each file that names messages where it may not, or more often or less than stated.
pub(crate) fn findings(root: &Path) -> std::io::Result<Vec<String>> {
    let listed = Command::new("git")
        .args(["ls-files", "*.rs"])
        .current_dir(root)
        .output()?;
    let mut findings = Vec::new();
    let mut left: Vec<&(&str, usize)> = LEFT.iter().collect();
    for file in String::from_utf8_lossy(&listed.stdout).lines() {
        if is_free(file) {
            continue;
        }
        let most = LEFT.iter().find(|(name, _)| *name == file);
        left.retain(|(name, _)| *name != file);
        // A file that is removed and not committed yet.
        let Ok(source) = std::fs::read_to_string(root.join(file)) else {
            continue;
        };
        let (found, most) = (lines(&source), most.map_or(0, |(_, most)| *most));
        if found > most {
            findings.push(format!(
                "{file}: {found} lines name v1::, at most {most} may; convert in crates/wire"
            ));
        } else if found < most {
            findings.push(format!(
                "{file}: {found} lines name v1::; say so in xtask's messages in place of {most}"
            ));
        }
    }
    findings.extend(
        left.iter()
            .map(|(name, _)| format!("{name} is gone: take it out of xtask's messages")),
    );
    Ok(findings)
}

fn is_free(file: &str) -> bool {
    let is_test = file.starts_with("tests/")
        || file.starts_with("crates/fuzz/")
        || file.contains("/tests/")
        || file.contains("/examples/")
        || file.ends_with("_tests.rs")
        || file.ends_with("/tests.rs")
        || file.starts_with("crates/xtask/");
    is_test || EDGES.iter().any(|edge| file.starts_with(edge)) || EDGE_FILES.contains(&file)
}

fn lines(source: &str) -> usize {
    let own = source.split("#[cfg(test)]\nmod tests {").next();
    let own = own.unwrap_or_default().lines();
    own.filter(|line| !line.trim_start().starts_with("//") && names_a_message(line))
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
                      let b = pb::v1::FILE;\nlet c = xv1::D;\n#[cfg(test)]\nmod tests {\n v1::E\n}\n";
        assert_eq!(lines(source), 2);
        assert!(is_free("services/social/src/peer.rs") && is_free("tests/platforms/pair.rs"));
        assert!(!is_free("services/rating/src/runner.rs"));
    }
}
