//! `cargo xtask sbom`: what the three programs are made of, as CycloneDX 1.5.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// The packages whose programs are shipped.
const SHIPPED: [&str; 3] = ["s3rec-cli", "s3rec-rating", "s3rec-social"];

/// The document: every crate that the programs are built from, build scripts and macros included, with its
/// licence and the digest that Cargo.lock holds.
///
/// # Errors
/// In words: cargo cannot say, or says something unexpected.
pub(crate) fn document(root: &Path) -> Result<String, String> {
    let metadata = metadata(root)?;
    let lock =
        std::fs::read_to_string(root.join("Cargo.lock")).map_err(|error| error.to_string())?;
    let lock: toml::Table = toml::from_str(&lock).map_err(|error| error.to_string())?;
    let digests = digests(&lock);
    let packages = by_id(array(&metadata, "packages")?);
    let nodes = by_id(array(&metadata["resolve"], "nodes")?);
    let first = packages
        .iter()
        .filter(|(_, package)| SHIPPED.contains(&package["name"].as_str().unwrap_or_default()));
    let edges = reached(first.map(|(id, _)| *id).collect(), &nodes);
    let mut components = Vec::new();
    let mut dependencies = Vec::new();
    for (id, uses) in &edges {
        let package = packages.get(id).ok_or_else(|| format!("no package {id}"))?;
        components.push(component(package, &digests));
        let uses: Vec<String> = uses
            .iter()
            .filter_map(|id| packages.get(id))
            .map(|used| purl(used))
            .collect();
        dependencies.push(json!({ "ref": purl(package), "dependsOn": uses }));
    }
    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": {
            "type": "application",
            "bom-ref": "s3rec",
            "name": "s3rec",
            "version": env!("CARGO_PKG_VERSION"),
        }},
        "components": components,
        "dependencies": dependencies,
    });
    Ok(format!("{document:#}\n"))
}

fn metadata(root: &Path) -> Result<Value, String> {
    // What other systems would need is not in the programs.
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cargo metadata could not be started: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
}

fn array<'a>(value: &'a Value, name: &str) -> Result<&'a Vec<Value>, String> {
    value[name]
        .as_array()
        .ok_or_else(|| format!("cargo metadata has no {name}"))
}

fn by_id(values: &[Value]) -> BTreeMap<&str, &Value> {
    let with_id = values
        .iter()
        .filter_map(|value| Some((value["id"].as_str()?, value)));
    with_id.collect()
}

/// What is reached from `first` by anything but dependencies of tests, and by which edges.
fn reached<'a>(
    mut next: Vec<&'a str>,
    nodes: &BTreeMap<&'a str, &'a Value>,
) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let mut edges = BTreeMap::new();
    while let Some(id) = next.pop() {
        if edges.contains_key(id) {
            continue;
        }
        let deps = nodes.get(id).and_then(|node| node["deps"].as_array());
        let shipped = deps.into_iter().flatten().filter(|dep| {
            let kinds = dep["dep_kinds"].as_array();
            kinds.is_none_or(|kinds| kinds.iter().any(|kind| kind["kind"] != "dev"))
        });
        let uses: BTreeSet<&str> = shipped.filter_map(|dep| dep["pkg"].as_str()).collect();
        next.extend(&uses);
        edges.insert(id, uses);
    }
    edges
}

fn component(package: &Value, digests: &BTreeMap<String, String>) -> Value {
    let purl = purl(package);
    let mut component = json!({
        "type": "library",
        "bom-ref": purl,
        "name": package["name"],
        "version": package["version"],
        "purl": purl,
    });
    if let Some(licence) = package["license"].as_str() {
        // Old manifests write a slash for OR.
        let expression = licence.replace('/', " OR ");
        component["licenses"] = json!([{ "expression": expression }]);
    }
    if let Some(digest) = digests.get(&purl) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": digest }]);
    }
    component
}

fn purl(package: &Value) -> String {
    let field = |name: &str| package[name].as_str().unwrap_or_default().to_owned();
    format!("pkg:cargo/{}@{}", field("name"), field("version"))
}

/// Digests of the crates' archives by their purl; crates of this tree have none.
fn digests(lock: &toml::Table) -> BTreeMap<String, String> {
    let packages = lock.get("package").and_then(toml::Value::as_array);
    let with_digest = packages.into_iter().flatten().filter_map(|package| {
        let field = |name: &str| package.get(name)?.as_str();
        let purl = format!("pkg:cargo/{}@{}", field("name")?, field("version")?);
        Some((purl, field("checksum")?.to_owned()))
    });
    with_digest.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_names_what_is_shipped_and_nothing_of_tests() {
        let document: Value =
            serde_json::from_str(&document(&crate::workspace_root()).unwrap()).unwrap();
        let components = document["components"].as_array().unwrap();
        let named = |name: &str| components.iter().find(|one| one["name"] == name);
        let tfhe = named("tfhe").unwrap();
        assert_eq!(tfhe["licenses"][0]["expression"], "BSD-3-Clause-Clear");
        assert_eq!(tfhe["hashes"][0]["content"].as_str().unwrap().len(), 64);
        assert!(named("s3rec-cli").unwrap()["hashes"].is_null());
        for of_tests in ["criterion", "proptest", "bolero", "s3rec-testkit"] {
            assert!(named(of_tests).is_none(), "{of_tests}");
        }
        let refs = components.iter().map(|one| one["bom-ref"].as_str());
        let known: BTreeSet<Option<&str>> = refs.collect();
        for one in document["dependencies"].as_array().unwrap() {
            for used in one["dependsOn"].as_array().unwrap() {
                assert!(known.contains(&used.as_str()), "{used}");
            }
        }
    }
}
