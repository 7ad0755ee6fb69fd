//! Every command that the README and the manual tell people to type exists, flag by flag.

use std::path::Path;

use clap::{Command, CommandFactory};

use super::Arguments;

/// Lines of `console` blocks, continued ones put together, and code within sentences.
fn quoted(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block: Option<bool> = None;
    for line in text.replace("\\\n", " ").lines() {
        if let Some(opened) = line.trim_start().strip_prefix("```") {
            block = match block {
                None => Some(opened == "console"),
                Some(_) => None,
            };
            continue;
        }
        match block {
            Some(true) => found.extend(line.split("&&").map(str::to_owned)),
            Some(false) => {}
            None => found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned)),
        }
    }
    found
}

/// The words behind `s3rec`, without a comment; nothing for another program's line.
fn arguments(line: &str) -> Option<Vec<&str>> {
    let line = line.split(" #").next()?.trim();
    let words = line
        .split_once("--bin s3rec -- ")
        .map(|(_, words)| words)
        .or_else(|| {
            let (before, words) = line.split_once("s3rec ")?;
            // Behind a variable, a prompt of taskset's, or nothing: not a part of another name.
            before
                .chars()
                .last()
                .is_none_or(|last| last == ' ')
                .then_some(words)
        })?;
    Some(words.split_whitespace().collect())
}

/// What of `words` the command line does not have.
fn unknown(words: &[&str]) -> Option<String> {
    let root = Arguments::command();
    let mut command: &Command = &root;
    let mut named = false;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        // `rating|social` stands for either.
        let word = word.split('|').next().unwrap_or(word);
        if let Some(flag) = word.strip_prefix("--") {
            let here = command
                .get_arguments()
                .chain(root.get_arguments())
                .find(|argument| argument.get_long() == Some(flag));
            match here {
                None => return Some(format!("{} has no --{flag}", command.get_name())),
                Some(argument) if argument.get_action().takes_values() => drop(words.next()),
                Some(_) => {}
            }
        } else if let Some(verb) = command.find_subcommand(word) {
            (command, named) = (verb, true);
        } else if command.has_subcommands() && word.chars().all(|c| c.is_ascii_lowercase()) {
            return Some(format!("{} has no {word}", command.get_name()));
        }
    }
    (!named).then(|| "no command is named".to_owned())
}

#[test]
fn commands_that_people_are_told_to_type_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pages = vec![
        root.join("README.md"),
        root.join("deploy/samples/README.md"),
    ];
    for page in std::fs::read_dir(root.join("crates/job/src/manual")).unwrap() {
        pages.push(page.unwrap().path());
    }
    let mut checked = 0;
    let mut wrong = Vec::new();
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        for line in quoted(&text) {
            let Some(words) = arguments(&line) else {
                continue;
            };
            checked += 1;
            if let Some(what) = unknown(&words) {
                wrong.push(format!("{}: {}: {what}", page.display(), line.trim()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(checked > 60, "{checked} commands were found");
}

#[test]
fn a_command_or_flag_that_is_not_there_is_named() {
    let judged = |line: &str| unknown(&arguments(line).unwrap());
    assert_eq!(judged("s3rec rating start JOB --wait  # waits"), None);
    assert_eq!(judged("S3REC_X=1 s3rec bench all --quick"), None);
    assert_eq!(
        judged("s3rec rating start --fast").unwrap(),
        "start has no --fast"
    );
    assert_eq!(judged("s3rec rating begin").unwrap(), "rating has no begin");
    assert!(arguments("pip install s3rec-x").is_none());
    let text = "a `s3rec tune` b\n```console\ns3rec demo \\\n  --json && s3rec bench\n```\n```toml\ns3rec no\n```";
    assert_eq!(quoted(text).len(), 3);
}
