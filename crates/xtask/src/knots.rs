//! Knots of imports: files of one crate each of which uses every other, directly or not. Nobody
//! reads one of them without all the others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::messages::sources;

/// Files that may form one.
const MOST: usize = 4;

/// One line for each knot of more files.
pub(crate) fn findings(root: &Path) -> std::io::Result<Vec<String>> {
    let mut crates: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for (file, source) in sources(root)? {
        if let Some((folder, rest)) = file.split_once("/src/") {
            let module = rest.trim_end_matches(".rs").trim_end_matches("/mod");
            let module = module.replace('/', "::");
            crates
                .entry(folder.into())
                .or_default()
                .insert(module, source);
        }
    }
    let knots = crates.iter().flat_map(|(folder, files)| {
        let knots = knots(files).into_iter().filter(|knot| knot.len() > MOST);
        knots.map(move |knot| {
            let names = knot.into_iter().collect::<Vec<_>>().join(", ");
            format!("{folder}: {names} use one another; a knot has at most {MOST} files")
        })
    });
    Ok(knots.collect())
}

/// Modules that reach one another, of at least two.
fn knots(files: &BTreeMap<String, String>) -> BTreeSet<BTreeSet<&str>> {
    let uses: BTreeMap<&str, BTreeSet<&str>> = files
        .iter()
        .map(|(module, source)| {
            let paths = source
                .split("crate::")
                .skip(1)
                .flat_map(|rest| paths("", rest));
            let used = paths.filter_map(|path| {
                let known = files.keys().filter(|known| {
                    let rest = path.strip_prefix(known.as_str());
                    *known != module
                        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
                });
                known.max_by_key(|known| known.len()).map(String::as_str)
            });
            (module.as_str(), used.collect())
        })
        .collect();
    let reached: BTreeMap<&str, BTreeSet<&str>> = uses
        .keys()
        .map(|from| (*from, reach(&uses, from)))
        .collect();
    let knots = reached.iter().map(|(from, to)| {
        let both = to.iter().filter(|to| reached[**to].contains(from));
        both.copied().collect::<BTreeSet<&str>>()
    });
    knots.filter(|knot| knot.len() > 1).collect()
}

fn reach<'a>(uses: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &'a str) -> BTreeSet<&'a str> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(module) = next.pop() {
        let used = uses.get(module).into_iter().flatten();
        next.extend(used.filter(|used| reached.insert(**used)));
    }
    reached
}

/// The paths that stand where a path behind `crate::` begins: one, or those of a group.
fn paths(before: &str, text: &str) -> Vec<String> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
    let (own, rest) = text.split_at(end.unwrap_or(text.len()));
    let own = format!("{before}{own}");
    let Some(group) = rest.strip_prefix('{') else {
        return vec![own];
    };
    let (mut depth, mut paths_of, mut from) = (0_u32, Vec::new(), 0);
    for (at, c) in group.char_indices() {
        if depth == 0 && (c == ',' || c == '}') {
            paths_of.extend(paths(&own, group[from..at].trim()));
            from = at + 1;
        }
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            _ => {}
        }
    }
    paths_of
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_use_one_another_are_a_knot() {
        let files = [
            ("a", "use crate::{b::{Own, c::Deep}, x};\n"),
            ("b", "use crate::d;\n"),
            ("b::c", "fn f() { crate::a::g() }\n"),
            ("d", "use crate::lib;\n"),
            ("x", "use crate::x::y;\n"),
            ("x::y", "use crate::Thing;\n"),
        ];
        let files = files.map(|(module, source)| (module.into(), source.into()));
        let files = files.into();
        assert_eq!(
            knots(&files),
            BTreeSet::from([BTreeSet::from(["a", "b::c"])])
        );
    }
}
