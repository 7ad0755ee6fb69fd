//! Which crate uses which, drawn and checked: every arrow stands in the table, and every arrow of the
//! table is there. The README's picture is drawn from the same metadata.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::metadata::Metadata;

/// The direct arrows, from the services down.
const ARROWS: &[(&str, &[&str])] = &[
    (
        "s3rec-tests",
        &[
            "bench", "cli", "cluster", "data", "job", "node", "testkit", "wire",
        ],
    ),
    // What every program reads: the command's files and both daemons' too.
    ("s3rec-fuzz", &["algebra", "sparse", "spmm"]),
    (
        "s3rec-cli",
        &[
            "algebra", "audit", "bench", "cluster", "data", "job", "leakage", "model", "node",
            "rating", "social", "sources", "sparse", "spmm", "wire",
        ],
    ),
    // Its transports are those of databases and stores; nothing of them is the platforms'.
    ("s3rec-sources", &["data"]),
    ("s3rec-leakage", &["algebra", "model", "sparse", "spmm"]),
    (
        "s3rec-bench",
        &[
            "algebra", "data", "he", "job", "model", "psi", "sparse", "spmm",
        ],
    ),
    (
        "s3rec-rating",
        &[
            "algebra", "audit", "cluster", "console", "data", "job", "link", "model", "node",
            "psi", "sparse", "spmm", "wire",
        ],
    ),
    (
        "s3rec-social",
        &[
            "algebra", "audit", "cluster", "console", "data", "job", "link", "node", "psi",
            "sparse", "spmm", "wire",
        ],
    ),
    // Workers of one platform: keys and errors are the daemons', what is computed the protocol's.
    ("s3rec-cluster", &["node", "spmm", "wire"]),
    // Pages and log-ins: what is done goes through the platform's own service.
    (
        "s3rec-console",
        &["audit", "job", "model", "node", "spmm", "wire"],
    ),
    (
        "s3rec-node",
        &[
            "audit", "data", "job", "link", "psi", "sparse", "spmm", "wire",
        ],
    ),
    ("s3rec-link", &["spmm", "wire"]),
    (
        "s3rec-wire",
        &["audit", "data", "job", "model", "sparse", "spmm"],
    ),
    ("s3rec-job", &["algebra", "model", "psi", "sparse", "spmm"]),
    ("s3rec-spmm", &["algebra", "he", "lattice", "pir", "sparse"]),
    ("s3rec-pir", &["algebra"]),
    ("s3rec-he", &["algebra"]),
    ("s3rec-lattice", &["algebra"]),
    ("s3rec-model", &["algebra", "sparse"]),
    ("s3rec-data", &["sparse"]),
    ("s3rec-sparse", &["algebra"]),
    ("s3rec-testkit", &["data", "sparse"]),
    // Finding the common users needs none of the products: of the algebra, the seeds and streams.
    ("s3rec-psi", &["algebra"]),
    // Its entries are its own: it needs nothing of ours, and no I/O.
    ("s3rec-audit", &[]),
    ("s3rec-algebra", &[]),
    ("s3rec-vectors", &[]),
    ("s3rec-xtask", &[]),
];

/// Arrows that tests alone use: the kit, and the one platform that the other talks to.
const TEST_ARROWS: &[(&str, &[&str])] = &[
    (
        "s3rec-fuzz",
        &[
            "audit", "bench", "cli", "data", "he", "job", "node", "pir", "psi", "rating", "social",
            "wire",
        ],
    ),
    (
        "s3rec-tests",
        &[
            "algebra", "audit", "link", "model", "psi", "rating", "social", "sparse", "spmm",
        ],
    ),
    ("s3rec-cluster", &["algebra", "testkit"]),
    ("s3rec-rating", &["testkit"]),
    ("s3rec-social", &["model"]),
    ("s3rec-node", &["model", "vectors"]),
    ("s3rec-wire", &["vectors"]),
    ("s3rec-spmm", &["vectors"]),
    ("s3rec-psi", &["vectors"]),
    ("s3rec-audit", &["vectors"]),
    ("s3rec-algebra", &["vectors"]),
    (
        "s3rec-link",
        &["algebra", "job", "model", "sparse", "testkit"],
    ),
    ("s3rec-job", &["testkit"]),
    ("s3rec-model", &["testkit"]),
    ("s3rec-leakage", &["testkit"]),
];

/// Crates that know nothing of executors and transports, all the way down.
const PURE: &[&str] = &[
    "s3rec-algebra",
    "s3rec-lattice",
    "s3rec-sparse",
    "s3rec-he",
    "s3rec-pir",
    "s3rec-psi",
    "s3rec-spmm",
    "s3rec-model",
    "s3rec-data",
    "s3rec-job",
    "s3rec-audit",
    "s3rec-leakage",
];

/// What the pure crates must not link.
const TRANSPORTS: &[&str] = &["tokio", "tonic", "prost", "hyper", "rustls"];

/// Crates that may name protobuf messages' own library: the wire, what stores and shows messages, tests.
const PROST: &[&str] = &[
    "s3rec-wire",
    "s3rec-node",
    "s3rec-cli",
    "s3rec-testkit",
    "s3rec-tests",
];

/// The lines of the README between which the picture stands.
const PICTURE: (&str, &str) = (
    "<!-- crates: drawn by `cargo xtask picture` -->\n",
    "<!-- end of crates -->\n",
);

/// One line for each arrow that is not allowed, or allowed and not there.
pub(crate) fn violations(metadata: &Metadata) -> Vec<String> {
    let mut violations = Vec::new();
    for name in metadata.member_names() {
        if !ARROWS.iter().any(|(from, _)| *from == name) {
            violations.push(format!(
                "{name} has no place among the arrows: give it one in xtask"
            ));
        }
    }
    let drawn = BTreeMap::from([(false, table(ARROWS)), (true, table(TEST_ARROWS))]);
    let used: BTreeSet<(bool, &str, &str)> = metadata
        .arrows()
        .into_iter()
        .map(|(from, to, is_for_tests)| (is_for_tests, from, short(to)))
        .collect();
    for &(is_for_tests, from, to) in &used {
        if !drawn[&is_for_tests].contains(&(from, to)) {
            let tests = if is_for_tests { " in tests" } else { "" };
            violations.push(format!("{from} must not use s3rec-{to}{tests}"));
        }
    }
    for (is_for_tests, arrows) in drawn {
        for (from, to) in arrows {
            let is_member = metadata.member_names().contains(from);
            if is_member && !used.contains(&(is_for_tests, from, to)) {
                violations.push(format!(
                    "{from} does not use s3rec-{to}: take the arrow out of xtask"
                ));
            }
        }
    }
    violations.extend(transports(metadata));
    violations
}

fn table(rows: &'static [(&str, &[&str])]) -> BTreeSet<(&'static str, &'static str)> {
    rows.iter()
        .flat_map(|(from, to)| to.iter().map(move |to| (*from, *to)))
        .collect()
}

fn short(name: &str) -> &str {
    name.strip_prefix("s3rec-").unwrap_or(name)
}

fn transports(metadata: &Metadata) -> Vec<String> {
    let mut violations = Vec::new();
    for pure in PURE {
        let linked = metadata.linked_into(pure);
        for transport in TRANSPORTS {
            if linked.contains(transport) {
                violations.push(format!(
                    "{pure} is protocol code and must not link {transport}"
                ));
            }
        }
    }
    for name in metadata.naming("prost") {
        if !PROST.contains(&name) {
            violations.push(format!(
                "{name} must not name prost: messages are s3rec-wire's"
            ));
        }
    }
    violations
}

/// The crates as a Mermaid drawing: what programs use, without arrows that follow from others.
pub(crate) fn picture(metadata: &Metadata) -> String {
    let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, to, is_for_tests) in metadata.arrows() {
        if !is_for_tests {
            uses.entry(short(from)).or_default().insert(short(to));
        }
    }
    let hidden = ["tests", "fuzz", "testkit", "xtask"];
    let mut lines = String::from("```mermaid\nflowchart TD\n");
    for (from, direct) in uses.iter().filter(|(from, _)| !hidden.contains(from)) {
        for to in direct {
            let follows = direct
                .iter()
                .any(|other| other != to && reaches(&uses, other, to));
            if !follows {
                lines.push_str(&format!("    {from} --> {to}\n"));
            }
        }
    }
    lines.push_str("```\n");
    lines
}

fn reaches(uses: &BTreeMap<&str, BTreeSet<&str>>, from: &str, to: &str) -> bool {
    uses.get(from).is_some_and(|next| {
        next.contains(to) || next.iter().any(|between| reaches(uses, between, to))
    })
}

/// One line when the README's picture is not the one that `metadata` draws.
///
/// # Errors
/// A README that cannot be read.
pub(crate) fn outdated_picture(metadata: &Metadata, root: &Path) -> std::io::Result<Vec<String>> {
    let readme = fs::read_to_string(root.join("README.md"))?;
    let (before, after) = PICTURE;
    let standing = readme
        .split_once(before)
        .and_then(|(_, rest)| rest.split_once(after))
        .map(|(standing, _)| standing);
    Ok(match standing {
        Some(standing) if standing == picture(metadata) => Vec::new(),
        _ => vec![format!(
            "README.md does not show the crates as they are: put `cargo xtask picture` between {} and {}",
            before.trim_end(),
            after.trim_end()
        )],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines about what a workspace has, without those about arrows that a small one lacks.
    fn forbidden(metadata: &Metadata) -> Vec<String> {
        violations(metadata)
            .into_iter()
            .filter(|line| !line.contains("take the arrow out"))
            .collect()
    }

    #[test]
    fn arrows_of_the_table_are_fine_and_no_others() {
        let metadata = Metadata::of(&[
            (
                "s3rec-rating",
                &[
                    ("s3rec-spmm", None),
                    ("s3rec-data", None),
                    ("s3rec-testkit", Some("dev")),
                ],
            ),
            ("s3rec-link", &[("s3rec-psi", None)]),
            ("s3rec-he", &[("s3rec-testkit", None)]),
            ("s3rec-spmm", &[("s3rec-rating", Some("dev"))]),
        ]);
        assert_eq!(
            forbidden(&metadata),
            [
                "s3rec-he must not use s3rec-testkit",
                "s3rec-link must not use s3rec-psi",
                "s3rec-spmm must not use s3rec-rating in tests",
            ]
        );
    }

    #[test]
    fn an_arrow_that_nothing_uses_is_found() {
        let metadata = Metadata::of(&[("s3rec-sparse", &[])]);
        assert_eq!(
            violations(&metadata),
            ["s3rec-sparse does not use s3rec-algebra: take the arrow out of xtask"]
        );
    }

    #[test]
    fn a_transport_is_found_below_another_crate_but_not_in_its_build() {
        let linked = [("s3rec-job", &[("tokio", None)] as &[_]), ("tokio", &[])];
        assert!(
            violations(&Metadata::of(&linked))
                .contains(&"s3rec-job is protocol code and must not link tokio".to_owned())
        );
        let built = [
            ("s3rec-job", &[("tokio", Some("build"))] as &[_]),
            ("tokio", &[]),
        ];
        assert!(
            !violations(&Metadata::of(&built))
                .iter()
                .any(|line| line.contains("must not link"))
        );
    }

    #[test]
    fn the_picture_leaves_out_what_follows() {
        let metadata = Metadata::of(&[
            (
                "s3rec-rating",
                &[("s3rec-node", None), ("s3rec-data", None)],
            ),
            ("s3rec-node", &[("s3rec-data", None)]),
            ("s3rec-data", &[]),
        ]);
        assert_eq!(
            picture(&metadata),
            "```mermaid\nflowchart TD\n    node --> data\n    rating --> node\n```\n"
        );
    }
}
