//! The manual's table of threats and faults: every test that it names, by file and function,
//! must exist.

use std::collections::BTreeSet;
use std::path::Path;

/// The table, below the workspace's root.
const TABLE: &str = "crates/job/src/manual/threats_and_faults.md";

/// Where tests may stand.
const SOURCES: [&str; 3] = ["crates", "services", "tests"];

/// One line for each row without a test, and for each named test that is not there.
pub(crate) fn findings(root: &Path) -> std::io::Result<Vec<String>> {
    let table = std::fs::read_to_string(root.join(TABLE))?;
    let mut tests = BTreeSet::new();
    for directory in SOURCES {
        collect(root, &root.join(directory), &mut tests)?;
    }
    Ok(judge(&table, &tests))
}

fn judge(table: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let mut findings = Vec::new();
    for line in table.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        let [threat, _, shown_by] = cells[..] else {
            continue;
        };
        if threat.trim().is_empty() || threat.contains("---") || shown_by.contains("the test") {
            continue;
        }
        let named: Vec<&str> = shown_by.split('`').skip(1).step_by(2).collect();
        if named.is_empty() && !shown_by.contains("not promised") {
            findings.push(format!("{}: no test is named", threat.trim()));
        }
        for name in named.into_iter().filter(|name| !tests.contains(*name)) {
            findings.push(format!("{}: there is no test {name}", threat.trim()));
        }
    }
    findings
}

/// All functions behind a test's attribute, as `path/below/root.rs::name`.
fn collect(root: &Path, path: &Path, tests: &mut BTreeSet<String>) -> std::io::Result<()> {
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            collect(root, &entry?.path(), tests)?;
        }
        return Ok(());
    }
    if path.extension().is_some_and(|ending| ending == "rs") {
        let file = path.strip_prefix(root).unwrap_or(path);
        let source = std::fs::read_to_string(path)?;
        names(&file.display().to_string(), &source, tests);
    }
    Ok(())
}

fn names(file: &str, source: &str, tests: &mut BTreeSet<String>) {
    let mut is_test = false;
    for line in source.lines().map(str::trim_start) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        }
        let Some((_, rest)) = line.split_once("fn ").filter(|_| is_test) else {
            continue;
        };
        let name = rest
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .next();
        tests.extend(name.map(|name| format!("{file}::{name}")));
        is_test = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_that_the_manual_names_exists() {
        let found = findings(&crate::workspace_root()).unwrap();
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn a_row_without_a_test_and_a_test_that_is_not_there_are_found() {
        let mut tests = BTreeSet::new();
        let source = "#[test]\n#[ignore]\nfn one() {}\n#[tokio::test(flavor = \"x\")]\nasync fn two() {}\nfn three() {}";
        names("a/b.rs", source, &mut tests);
        let table = "| threat | promise | the test that shows it |\n|---|---|---|\n\
                     | a | b | `a/b.rs::one`, `a/b.rs::two` |\n| c | d | |\n\
                     | e | f | `a/b.rs::three` |\n| g | h | not promised |\n| i | j | `a/c.rs::one` |";
        let found = judge(table, &tests);
        let expected = [
            "c: no test is named",
            "e: there is no test a/b.rs::three",
            "i: there is no test a/c.rs::one",
        ];
        assert_eq!(found, expected);
    }
}
