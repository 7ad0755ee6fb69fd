//! Before and after an import: what looks wrong with a file, asked and told.

use std::io::{IsTerminal, Write};

use s3rec_data::{LinkSet, RatingSet, Suspicion};
use s3rec_sources::{Place, Source};
use s3rec_wire::v1;

use crate::arguments::{
    FileArgs, ImportFactorsArgs, ImportLinksArgs, ImportRatingsArgs, link_options, links_source,
    rating_options, ratings_source,
};
use crate::client::FileSource;
use crate::failure::Failure;
use crate::output::{Output, count};

/// The ratings to import, once nothing looks wrong with them or it was agreed to.
pub(super) fn ratings(
    arguments: &ImportRatingsArgs,
    output: Output,
) -> Result<FileSource, Failure> {
    let FileArgs { text, values, .. } = &arguments.file;
    let source = named(
        ratings_source(text, values, &arguments.columns),
        &arguments.file,
    )?;
    if asks(&source, &arguments.file, output) {
        let set = RatingSet::read(&source.path, &rating_options(&source)?)?;
        agree(&set.report.reading.suspicions)?;
    }
    Ok(source)
}

/// The links to import, once nothing looks wrong with them or it was agreed to.
pub(super) fn links(arguments: &ImportLinksArgs, output: Output) -> Result<FileSource, Failure> {
    let FileArgs { text, values, .. } = &arguments.file;
    let source = named(
        links_source(text, values, &arguments.columns),
        &arguments.file,
    )?;
    if asks(&source, &arguments.file, output) {
        let set = LinkSet::read(&source.path, &link_options(&source)?)?;
        agree(&set.report.reading.suspicions)?;
    }
    Ok(source)
}

/// Factors are read of files alone, wherever these are.
pub(super) fn files_of_factors(arguments: &ImportFactorsArgs) -> Result<(), Failure> {
    for file in [Some(&arguments.file), arguments.items.as_ref()]
        .into_iter()
        .flatten()
    {
        if let Place::Postgres(_) = Place::named(file)? {
            let message = "factors are read from Parquet or safetensors, not from a database";
            return Err(Failure::Usage(message.into()));
        }
    }
    Ok(())
}

/// The source that the arguments name, refused before anything is read or sent where it names no place.
fn named(source: FileSource, arguments: &FileArgs) -> Result<FileSource, Failure> {
    let place = Place::named(&arguments.file)?;
    Source::named(&arguments.file, &arguments.query)?;
    let text = &arguments.text;
    if matches!(place, Place::Postgres(_))
        && (text.no_header || text.index_column || !text.delimiter.is_empty())
    {
        let message = "--delimiter, --no-header and --index-column are of text; what a query gives \
                       goes by the names of its columns";
        return Err(Failure::Usage(message.into()));
    }
    let mut users = arguments.roster.source();
    if let Some(users) = &mut users {
        users.query.clone_from(&arguments.users_query);
        Source::named(&users.path, &users.query)?;
    }
    Ok(FileSource {
        path: place.path().unwrap_or(&arguments.file).to_owned(),
        query: arguments.query.clone(),
        dataset: arguments.dataset.clone(),
        lineage: arguments.lineage.clone(),
        users,
        ..source
    })
}

/// Only people are asked; the answer of the platform tells everybody.
fn asks(source: &FileSource, arguments: &FileArgs, output: Output) -> bool {
    let people = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    // What is read from a pipe is not there a second time, and what is elsewhere is fetched once.
    people && source.path.is_file() && !arguments.yes && !output.is_json()
}

fn agree(suspicions: &[Suspicion]) -> Result<(), Failure> {
    if suspicions.is_empty() {
        return Ok(());
    }
    let stdin = std::io::stdin();
    confirm(suspicions, &mut stdin.lock(), &mut std::io::stderr())
}

/// Shows what looks wrong and reads whether to go on; no answer is a no.
fn confirm(
    suspicions: &[Suspicion],
    answers: &mut impl std::io::BufRead,
    shown: &mut impl Write,
) -> Result<(), Failure> {
    let failed = |source| Failure::File {
        path: "the terminal".into(),
        source,
    };
    for suspicion in suspicions {
        writeln!(shown, "{suspicion}").map_err(failed)?;
    }
    write!(shown, "Import the file as it is? [y/N] ").map_err(failed)?;
    shown.flush().map_err(failed)?;
    let mut answer = String::new();
    answers.read_line(&mut answer).map_err(failed)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::Usage("nothing was imported".into())),
    }
}

/// How a file was read and what looks wrong with it, each on a line of its own.
pub(super) fn reading_text(reading: Option<&v1::DataReading>) -> String {
    let Some(reading) = reading else {
        return String::new();
    };
    let mut text = String::new();
    if !reading.read_as.is_empty() {
        text.push_str(&format!("\nread as {}", reading.read_as));
    }
    if reading.comment_lines > 0 {
        let skipped = count(reading.comment_lines);
        text.push_str(&format!("\n{skipped} lines were skipped as comments"));
    }
    for (what, samples) in [
        ("users", &reading.sample_users),
        ("items", &reading.sample_items),
    ] {
        if !samples.is_empty() {
            text.push_str(&format!("\n{what} such as {}", samples.join(", ")));
        }
    }
    for suspicion in &reading.suspicions {
        text.push_str(&format!("\nWARNING: {}", suspicion.text));
    }
    text
}

/// Who was listed beside the data, on a line of its own.
pub(super) fn roster_text(roster: Option<&v1::RosterSummary>, without: &str) -> String {
    let Some(roster) = roster else {
        return String::new();
    };
    let mut text = format!(
        "\n{} users are listed, {} of them without {without}",
        count(roster.users),
        count(roster.only_listed)
    );
    for (number, what) in [
        (
            roster.not_listed,
            "users are not listed and are users all the same",
        ),
        (roster.duplicates, "rows of the list repeated a user"),
    ] {
        if number > 0 {
            text.push_str(&format!("\n{} {what}", count(number)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use s3rec_data::SuspicionKind;

    use super::*;

    #[test]
    fn only_a_yes_goes_on() {
        let suspicion = Suspicion {
            kind: SuspicionKind::LeadingZeros,
            field: "user".into(),
            count: 9,
            of: 30,
            example: "01".into(),
        };
        for (answer, goes_on) in [
            ("y\n", true),
            ("Yes\n", true),
            ("\n", false),
            ("no\n", false),
            ("", false),
        ] {
            let mut shown = Vec::new();
            let asked = confirm(
                std::slice::from_ref(&suspicion),
                &mut answer.as_bytes(),
                &mut shown,
            );
            assert_eq!(asked.is_ok(), goes_on, "{answer:?}");
            let shown = String::from_utf8(shown).unwrap();
            assert!(
                shown.contains("9 of 30 user ids") && shown.ends_with("[y/N] "),
                "{shown}"
            );
        }
    }

    #[test]
    fn what_looks_wrong_is_told_with_the_import() {
        let reading = v1::DataReading {
            read_as: "tab separated without a header".into(),
            comment_lines: 3,
            sample_users: vec!["u1".into(), "u2".into()],
            suspicions: vec![v1::DataSuspicion {
                text: "2 of 8 user ids".into(),
                ..v1::DataSuspicion::default()
            }],
            ..v1::DataReading::default()
        };
        let text = reading_text(Some(&reading));
        for part in [
            "read as tab",
            "3 lines were skipped",
            "users such as u1, u2",
            "WARNING: 2 of 8",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(reading_text(None), "");
    }
}
