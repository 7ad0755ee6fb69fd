//! `s3rec bench report` and `s3rec bench all`: records as a page, and everything in one go.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Parser;
use s3rec_bench::report::{Collection, Report, headline, headline_sentences};

use super::bench::bench;
use super::records::json;
use crate::arguments::{AllArgs, BenchVerb, ReportArgs};
use crate::failure::Failure;
use crate::output::{Output, duration, note};

/// Renders every record of a directory, and prints the two ratios that we are held to.
pub(super) fn report(arguments: &ReportArgs, output: Output) -> Result<(), Failure> {
    let collection = Collection::read(&arguments.directory)?;
    let page = Report::of_benchmarks(&collection)?.write(&arguments.directory)?;
    let headline = headline(&collection);
    output.value(&json(&headline)?, || {
        let mut lines = headline
            .as_ref()
            .map(headline_sentences)
            .unwrap_or_default();
        lines.push(format!("Page: {}", page.display()));
        lines.join("\n")
    })
}

/// Every benchmark that needs no running platform, in order, and the page.
pub(super) async fn all(arguments: &AllArgs, output: Output) -> Result<(), Failure> {
    let started = Instant::now();
    let sets: Vec<DataSet> = if arguments.quick {
        vec![DataSet::FILMTRUST]
    } else {
        vec![DataSet::FILMTRUST, DataSet::CIAO, DataSet::EPINIONS]
    };
    for line in lines(&sets, arguments.quick) {
        note(&format!(
            "== s3rec bench {line} ({} so far)",
            duration(started.elapsed().as_secs_f64())
        ));
        let verb = parse(&line, arguments, &sets)?;
        Box::pin(bench(verb, output)).await?;
    }
    let directory = arguments.out.clone();
    report(&ReportArgs { directory }, output)?;
    note(&format!(
        "all benchmarks in {}",
        duration(started.elapsed().as_secs_f64())
    ));
    Ok(())
}

/// A published set as it lies in the data directory.
#[derive(Clone, Copy)]
struct DataSet {
    name: &'static str,
    ratings: &'static str,
    links: &'static str,
    /// Options of `bench products`, chosen so that all sets together end within the time.
    products: &'static [&'static str],
    preset: &'static str,
    /// How the ratings file is read by `bench rounds`.
    reading: &'static str,
    /// Options of `bench links`; not run without.
    links_options: Option<&'static str>,
}

impl DataSet {
    const FILMTRUST: Self = Self {
        name: "filmtrust",
        ratings: "ratings.tsv",
        links: "trust.tsv",
        products: &["--rounds 819"],
        preset: "published",
        reading: "",
        links_options: Some(""),
    };
    const CIAO: Self = Self {
        name: "ciao",
        ratings: "ratings.tsv.gz",
        links: "trust.tsv",
        products: &["--rounds 819"],
        preset: "published",
        // 34 rows are 0, which is no rating there.
        reading: " --scale 1:5",
        links_options: None,
    };
    const EPINIONS: Self = Self {
        name: "epinions",
        ratings: "ratings.tsv.gz",
        // The published links with the ids corrected, as the data's own page explains.
        links: "trust_aligned.tsv.gz",
        products: &["--rounds 409 --all-users --repeats 1"],
        preset: "published",
        reading: "",
        links_options: Some("--repeats 1"),
    };

    fn ratings(self, data: &Path) -> PathBuf {
        data.join(self.name).join(self.ratings)
    }

    fn links(self, data: &Path) -> PathBuf {
        data.join(self.name).join(self.links)
    }
}

/// The command lines, without files and directories.
fn lines(sets: &[DataSet], quick: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for set in sets {
        for options in set.products {
            lines.push(format!("products --label {} {options}", set.name));
        }
    }
    lines.push("fetch".to_owned());
    lines.push("psi".to_owned());
    for set in sets {
        lines.push(format!(
            "rounds --label {} --preset {}{}",
            set.name, set.preset, set.reading
        ));
    }
    lines.push("release --label filmtrust".to_owned());
    for set in sets {
        if let Some(options) = set.links_options {
            lines.push(format!("links --label {} {options}", set.name));
        }
    }
    lines.push("scale".to_owned());
    if quick {
        lines.iter_mut().for_each(|line| line.push_str(" --quick"));
    }
    lines
}

/// A command line as its verb, the files put in by their label.
fn parse(line: &str, arguments: &AllArgs, sets: &[DataSet]) -> Result<BenchVerb, Failure> {
    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        verb: BenchVerb,
    }
    let mut words: Vec<std::ffi::OsString> = vec!["bench".into()];
    words.extend(line.split_whitespace().map(Into::into));
    if let Some(set) = sets.iter().find(|set| line.contains(set.name)) {
        words.extend(["--ratings".into(), set.ratings(&arguments.data).into()]);
        words.extend(["--links".into(), set.links(&arguments.data).into()]);
    }
    words.extend(["--out".into(), arguments.out.clone().into()]);
    match Line::try_parse_from(words) {
        Ok(line) => Ok(line.verb),
        Err(error) => Err(Failure::Usage(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_whole_run_is_a_command() {
        let sets = [DataSet::FILMTRUST, DataSet::CIAO, DataSet::EPINIONS];
        for quick in [false, true] {
            let arguments = AllArgs {
                data: "data".into(),
                out: "out".into(),
                quick,
            };
            for line in lines(&sets, quick) {
                parse(&line, &arguments, &sets).unwrap();
            }
        }
    }
}
