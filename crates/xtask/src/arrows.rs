//! Which crate may use which. An arrow reaches on: who may use `link` may use `wire` too.

use std::collections::BTreeSet;

use crate::metadata::Metadata;

/// The allowed arrows, from the services down.
const ARROWS: &[(&str, &[&str])] = &[
    ("s3rec-tests", &["s3rec-cli"]),
    (
        "s3rec-cli",
        &["s3rec-rating", "s3rec-social", "s3rec-bench"],
    ),
    ("s3rec-bench", &["s3rec-job", "s3rec-data", "s3rec-psi"]),
    ("s3rec-rating", &["s3rec-node", "s3rec-data"]),
    ("s3rec-social", &["s3rec-node", "s3rec-data"]),
    ("s3rec-node", &["s3rec-link", "s3rec-data"]),
    // Its entries are its own: it needs nothing of ours, and no I/O.
    ("s3rec-audit", &[]),
    ("s3rec-link", &["s3rec-wire"]),
    ("s3rec-wire", &["s3rec-job", "s3rec-audit"]),
    // Finding the common users needs none of the products.
    ("s3rec-psi", &[]),
    ("s3rec-job", &["s3rec-spmm", "s3rec-model", "s3rec-psi"]),
    (
        "s3rec-spmm",
        &["s3rec-pir", "s3rec-sparse", "s3rec-lattice"],
    ),
    ("s3rec-pir", &["s3rec-he"]),
    ("s3rec-he", &["s3rec-algebra"]),
    ("s3rec-model", &["s3rec-sparse"]),
    ("s3rec-data", &["s3rec-sparse"]),
    ("s3rec-sparse", &["s3rec-algebra"]),
    ("s3rec-lattice", &["s3rec-algebra"]),
    ("s3rec-algebra", &[]),
    ("s3rec-testkit", &["s3rec-data"]),
    // What every program reads: the command's files and both daemons' too.
    ("s3rec-fuzz", &["s3rec-cli"]),
    ("s3rec-xtask", &[]),
];

/// Arrows that tests may use besides: the kit, and the one platform that the other talks to.
const TEST_ARROWS: &[(&str, &str)] = &[
    ("s3rec-he", "s3rec-testkit"),
    ("s3rec-pir", "s3rec-testkit"),
    ("s3rec-spmm", "s3rec-testkit"),
    ("s3rec-model", "s3rec-testkit"),
    ("s3rec-job", "s3rec-testkit"),
    ("s3rec-link", "s3rec-testkit"),
    ("s3rec-rating", "s3rec-social"),
    ("s3rec-rating", "s3rec-testkit"),
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
];

/// What the pure crates must not link.
const TRANSPORTS: &[&str] = &["tokio", "tonic", "prost", "hyper", "rustls"];

/// One line for each arrow that is not allowed.
pub(crate) fn violations(metadata: &Metadata) -> Vec<String> {
    let mut violations = Vec::new();
    for name in metadata.member_names() {
        if !ARROWS.iter().any(|(from, _)| *from == name) {
            violations.push(format!(
                "{name} has no place among the arrows: give it one in xtask"
            ));
        }
    }
    for (from, to, development_only) in metadata.arrows() {
        let in_tests = development_only && TEST_ARROWS.contains(&(from, to));
        if !in_tests && !reachable(from).contains(to) {
            violations.push(format!("{from} must not use {to}"));
        }
    }
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
    violations
}

fn reachable(from: &str) -> BTreeSet<&'static str> {
    let mut waiting = vec![from];
    let mut reached = BTreeSet::new();
    while let Some(name) = waiting.pop() {
        let next = ARROWS
            .iter()
            .filter(|(from, _)| *from == name)
            .flat_map(|(_, to)| to.iter());
        for to in next {
            if reached.insert(*to) {
                waiting.push(to);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn downward_arrows_are_fine_even_past_a_layer() {
        let metadata = Metadata::of(&[
            (
                "s3rec-rating",
                &[("s3rec-spmm", None), ("s3rec-data", None)],
            ),
            ("s3rec-spmm", &[("s3rec-testkit", Some("dev"))]),
            ("s3rec-data", &[]),
            ("s3rec-testkit", &[("s3rec-data", None)]),
        ]);
        assert_eq!(violations(&metadata), Vec::<String>::new());
    }

    #[test]
    fn upward_arrows_are_found_in_development_too() {
        let metadata = Metadata::of(&[
            ("s3rec-he", &[("s3rec-spmm", Some("dev"))]),
            ("s3rec-spmm", &[]),
        ]);
        assert_eq!(violations(&metadata), ["s3rec-he must not use s3rec-spmm"]);
    }

    #[test]
    fn the_kit_is_for_tests_only() {
        let metadata = Metadata::of(&[
            ("s3rec-he", &[("s3rec-testkit", None)]),
            ("s3rec-testkit", &[]),
        ]);
        assert_eq!(
            violations(&metadata),
            ["s3rec-he must not use s3rec-testkit"]
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
}
