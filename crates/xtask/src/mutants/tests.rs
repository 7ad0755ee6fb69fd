use super::outcomes::Survivor;
use super::*;

fn tried(lines: &[(&str, Outcome)]) -> Vec<(Mutant, Outcome)> {
    let parse = |(line, outcome): &(&str, Outcome)| (Mutant::parse(line).unwrap(), *outcome);
    lines.iter().map(parse).collect()
}

fn justified(file: &str, mutation: &str) -> Justifications {
    let (file, mutation) = (file.into(), mutation.into());
    let reason = "speed alone".into();
    Justifications {
        survivor: vec![Survivor {
            file,
            mutation,
            reason,
        }],
    }
}

#[test]
fn survivors_without_a_reason_are_found_and_so_are_reasons_without_a_survivor() {
    let all = tried(&[
        ("a.rs:1:2: replace + with - in f", Outcome::Missed),
        ("a.rs:9:9: replace g -> bool with true", Outcome::Caught),
        ("b.rs:3:1: replace < with <= in h", Outcome::Timeout),
    ]);
    assert_eq!(judge(&all, &Justifications { survivor: vec![] }).len(), 1);
    let good = justified("a.rs", "replace + with - in f");
    assert_eq!(judge(&all, &good), Vec::<String>::new());
    let stale = justified("a.rs", "replace g -> bool with true");
    assert_eq!(judge(&all, &stale).len(), 2);
    // A file that was not tried says nothing about its list.
    let elsewhere = justified("c.rs", "replace + with - in f");
    assert_eq!(judge(&all, &elsewhere).len(), 1);
}

#[test]
fn every_named_file_is_of_a_crate_and_every_named_crate_has_files() {
    let files = FILES.map(String::from);
    let packages = packages(&files).unwrap();
    assert_eq!(packages.values().map(Vec::len).sum::<usize>(), FILES.len());
    for (package, _) in TESTS {
        assert!(packages.contains_key(package), "{package}");
    }
    let root = crate::workspace_root();
    for file in FILES.iter().filter(|file| !file.contains('*')) {
        assert!(root.join(file).is_file(), "{file}");
    }
    for nowhere in ["src/lib.rs", "crates/*/src/lib.rs", "crates"] {
        assert!(super::packages(&[nowhere.into()]).is_err(), "{nowhere}");
    }
}

/// What a run that was broken off has found counts, unless the next one found otherwise.
#[test]
fn a_run_that_was_broken_off_is_kept_and_gone_on_with() {
    let directory = std::env::temp_dir().join(format!("s3rec-mutants-{}", std::process::id()));
    let folder = directory.join("s3rec-job-0-of-2");
    let left = |caught: &str, missed: &str| {
        let left = folder.join(LEFT);
        fs::create_dir_all(&left).unwrap();
        for (outcome, name) in Outcome::ALL {
            let text = match outcome {
                Outcome::Caught => caught,
                Outcome::Missed => missed,
                _ => "",
            };
            fs::write(left.join(name), text).unwrap();
        }
    };
    let (one, two) = (
        "a.rs:1:2: replace f with ()\n",
        "a.rs:2:2: replace g with ()\n",
    );
    archive(&folder).unwrap();
    left(one, two);
    archive(&folder).unwrap();
    left(two, "");
    let mut tried = BTreeMap::new();
    let kept = kept(&directory).unwrap();
    assert_eq!(kept.len(), 2);
    for folder in kept {
        tried.extend(read(&folder).unwrap());
    }
    let outcomes: Vec<Outcome> = tried.into_values().collect();
    assert_eq!(outcomes, [Outcome::Caught, Outcome::Caught]);
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn figures_are_for_each_file_and_all() {
    let all = tried(&[
        ("a.rs:1:2: replace + with - in f", Outcome::Missed),
        ("b.rs:3:1: replace < with <= in h", Outcome::Caught),
    ]);
    let lines = figures(&all);
    let line = |name, caught, missed| {
        format!("{name}: {caught} caught, {missed} missed, 0 timed out, 0 unviable")
    };
    let expected = [
        line("a.rs", 0, 1),
        line("all files", 1, 1),
        line("b.rs", 1, 0),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn every_survivor_on_the_list_has_a_reason_and_a_file() {
    let root = crate::workspace_root();
    let text = fs::read_to_string(root.join(JUSTIFIED)).unwrap();
    let list: Justifications = toml::from_str(&text).unwrap();
    for survivor in list.survivor {
        assert!(!survivor.reason.trim().is_empty(), "{}", survivor.mutation);
        assert!(root.join(&survivor.file).is_file(), "{}", survivor.file);
    }
}
