//! `s3rec bench`: what the protocols cost, measured here and now.

use std::path::Path;

use s3rec_bench::products::{self, ProductsOptions};
use s3rec_bench::record::{PhaseRecord, ProductsReport};
use s3rec_bench::workload::{UserChoice, Workload};

use super::serve_load::serve_load;
use crate::arguments::{BenchVerb, FetchArgs, ProductsArgs};
use crate::failure::Failure;
use crate::output::{Output, Table, bytes, note};
use crate::verbs::learning;

/// Runs one benchmark.
///
/// # Errors
/// Unreadable data, a protocol that refuses, an output that cannot be written.
pub async fn bench(verb: BenchVerb, output: Output) -> Result<(), Failure> {
    match verb {
        BenchVerb::Products(arguments) => products(&arguments, output),
        BenchVerb::Fetch(arguments) => fetch(&arguments, output),
        BenchVerb::Rounds(arguments) => learning::rounds(&arguments, output),
        BenchVerb::Release(arguments) => learning::release(&arguments, output),
        BenchVerb::Serve(arguments) => serve_load(*arguments, output).await,
    }
}

fn products(arguments: &ProductsArgs, output: Output) -> Result<(), Failure> {
    let choice = if arguments.all_users {
        UserChoice::Either
    } else {
        UserChoice::Ratings
    };
    let files = &arguments.files;
    let rank = arguments.rank as usize;
    let workload = Workload::read(&files.ratings, &files.links, choice, rank, arguments.rounds)?;
    let mut options = ProductsOptions {
        measured_rounds: arguments.measured_rounds,
        memory_limit_bytes: arguments.memory_limit,
        ..ProductsOptions::default()
    };
    if !arguments.protocols.is_empty() {
        options.protocols.clone_from(&arguments.protocols);
    }
    if let Some(scratch) = &arguments.scratch {
        options.scratch.clone_from(scratch);
    }
    let report = products::measure(&workload, &options, |name| {
        note(&format!("measuring {name}"))
    })?;
    let document = json(&report)?;
    match &arguments.out {
        Some(path) => write(path, &format!("{document:#}\n"))
            .and_then(|()| output.write(&products_text(&report))),
        None => output.value(&document, || products_text(&report)),
    }
}

pub(super) fn json(report: &impl serde::Serialize) -> Result<serde_json::Value, Failure> {
    serde_json::to_value(report).map_err(|source| Failure::File {
        path: "the benchmark's record".into(),
        source: source.into(),
    })
}

fn fetch(arguments: &FetchArgs, output: Output) -> Result<(), Failure> {
    let rank = arguments.rank as usize;
    let report = s3rec_bench::fetch::measure(arguments.users, arguments.needed, rank)?;
    output.value(&json(&report)?, || {
        format!(
            "{} of {} rows fetched privately: {} of queries once, {} of answers a round; \
             sending every row takes {} ({:.1} × more). The rating platform computed {:.1} s.",
            report.needed,
            report.users,
            bytes(report.query_bytes),
            bytes(report.answer_bytes),
            bytes(report.he_upload_bytes),
            report.ratio,
            report.server_seconds,
        )
    })
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|source| Failure::File {
        path: path.to_owned(),
        source,
    })
}

fn products_text(report: &ProductsReport) -> String {
    let size = &report.workload;
    let mut table = Table::new(&[
        "protocol", "offline", "", "online", "", "a round", "", "error", "memory",
    ]);
    let rounds = size.rounds.max(1);
    for record in &report.records {
        let round = record.online.scaled(1, rounds);
        let time = |phase: &PhaseRecord| {
            if record.computed {
                "–".to_owned()
            } else {
                format!("{:.3} s", phase.seconds)
            }
        };
        table = table.row(&[
            record.protocol.clone(),
            bytes(record.offline.bytes()),
            time(&record.offline),
            bytes(record.online.bytes()),
            time(&record.online),
            bytes(round.bytes()),
            time(&round),
            record
                .error_ulp
                .map_or_else(|| "–".to_owned(), |error| format!("{error} ulp")),
            bytes(record.peak_rss_bytes),
        ]);
    }
    let computed = report.records.iter().any(|record| record.computed);
    let remark = if computed {
        "\n– : computed from message shapes, not run"
    } else {
        ""
    };
    format!(
        "{} users, {} links, rank {}, {} rounds; {} ({} threads)\n{table}{remark}",
        size.users,
        size.links,
        size.rank,
        size.rounds,
        report.machine.processor,
        report.machine.threads,
    )
}
