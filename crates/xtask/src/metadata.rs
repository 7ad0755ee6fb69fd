//! What cargo knows about the workspace: members, their own dependencies, the resolved graph.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

/// The part of `cargo metadata` that the checks read.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    path: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Debug, Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Debug, Deserialize)]
struct EdgeKind {
    kind: Option<String>,
}

/// Why cargo's answer could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MetadataError {
    #[error("cargo metadata could not be started: {0}")]
    Start(#[from] std::io::Error),
    #[error("cargo metadata failed: {0}")]
    Cargo(String),
    #[error("cargo metadata printed something unexpected: {0}")]
    Format(#[from] serde_json::Error),
}

impl Metadata {
    /// Asks cargo about the workspace at `root`.
    pub(crate) fn load(root: &Path) -> Result<Self, MetadataError> {
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["metadata", "--format-version", "1", "--locked"])
            .current_dir(root)
            .output()?;
        if !output.status.success() {
            return Err(MetadataError::Cargo(
                String::from_utf8_lossy(&output.stderr).into_owned(),
            ));
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Every workspace crate with the workspace crates it names: (name, used, for development only).
    pub(crate) fn arrows(&self) -> Vec<(&str, &str, bool)> {
        self.members()
            .flat_map(|package| {
                package
                    .dependencies
                    .iter()
                    .filter(|dependency| dependency.path.is_some())
                    .map(|d| {
                        (
                            package.name.as_str(),
                            d.name.as_str(),
                            d.kind.as_deref() == Some("dev"),
                        )
                    })
            })
            .collect()
    }

    /// Names of the workspace's crates that name the crate `library` among their dependencies.
    pub(crate) fn naming<'a>(&'a self, library: &'a str) -> impl Iterator<Item = &'a str> {
        self.members()
            .filter(move |package| {
                package
                    .dependencies
                    .iter()
                    .any(|dependency| dependency.name == library)
            })
            .map(|package| package.name.as_str())
    }

    /// Names of the workspace's crates.
    pub(crate) fn member_names(&self) -> BTreeSet<&str> {
        self.members()
            .map(|package| package.name.as_str())
            .collect()
    }

    /// Names of everything linked into the workspace crate `name`, itself included;
    /// what only builds or tests use is left out.
    pub(crate) fn linked_into(&self, name: &str) -> BTreeSet<&str> {
        let names: BTreeMap<&str, &str> = self
            .packages
            .iter()
            .map(|package| (package.id.as_str(), package.name.as_str()))
            .collect();
        let nodes: BTreeMap<&str, &Node> = self
            .resolve
            .nodes
            .iter()
            .map(|node| (node.id.as_str(), node))
            .collect();
        let mut waiting: Vec<&str> = self
            .members()
            .filter(|package| package.name == name)
            .map(|p| p.id.as_str())
            .collect();
        let mut seen = BTreeSet::new();
        while let Some(id) = waiting.pop() {
            if !seen.insert(id) {
                continue;
            }
            let edges = nodes
                .get(id)
                .map(|node| node.deps.as_slice())
                .unwrap_or_default();
            waiting.extend(
                edges
                    .iter()
                    .filter(|edge| edge.dep_kinds.iter().any(|kind| kind.kind.is_none()))
                    .map(|edge| edge.pkg.as_str()),
            );
        }
        seen.into_iter()
            .filter_map(|id| names.get(id).copied())
            .collect()
    }

    fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| self.workspace_members.contains(&package.id))
    }
}

/// A crate of a made-up workspace: its name, and what it uses with the kind of use.
#[cfg(test)]
pub(crate) type Crate<'a> = (&'a str, &'a [(&'a str, Option<&'a str>)]);

#[cfg(test)]
impl Metadata {
    /// A workspace of crates without anything from outside, for tests.
    pub(crate) fn of(crates: &[Crate<'_>]) -> Self {
        let packages = crates
            .iter()
            .map(|(name, dependencies)| Package {
                id: (*name).to_owned(),
                name: (*name).to_owned(),
                dependencies: dependencies
                    .iter()
                    .map(|(name, kind)| Dependency {
                        name: (*name).to_owned(),
                        kind: kind.map(str::to_owned),
                        path: Some(String::new()),
                    })
                    .collect(),
            })
            .collect();
        let nodes = crates
            .iter()
            .map(|(name, dependencies)| Node {
                id: (*name).to_owned(),
                deps: dependencies
                    .iter()
                    .map(|(name, kind)| Edge {
                        pkg: (*name).to_owned(),
                        dep_kinds: vec![EdgeKind {
                            kind: kind.map(str::to_owned),
                        }],
                    })
                    .collect(),
            })
            .collect();
        let workspace_members = crates.iter().map(|(name, _)| (*name).to_owned()).collect();
        Self {
            packages,
            workspace_members,
            resolve: Resolve { nodes },
        }
    }
}
