//! `s3rec bench`: what the protocols cost, measured here and now.

use s3rec_bench::fetch::{self, FetchReport};
use s3rec_bench::products::{self, ProductsOptions};
use s3rec_bench::record::{PhaseRecord, ProductsReport};
use s3rec_bench::workload::{UserChoice, Workload};

use super::bench_all;
use super::links::over_links;
use super::records::{conclude, json, write};
use super::scale::scale;
use super::serve_load::serve_load;
use crate::arguments::{BenchVerb, FetchArgs, ProductsArgs, ScaleChoice};
use crate::failure::Failure;
use crate::output::{Output, Table, bytes, note};
use crate::verbs::{learning, psi, scale_opening};

/// Rounds and users that suffice to see that it works.
const QUICK_ROUNDS: u32 = 82;
const QUICK_USERS: u32 = 10_000;

/// Runs one benchmark.
///
/// # Errors
/// Unreadable data, a protocol that refuses, an output that cannot be written.
pub async fn bench(verb: BenchVerb, output: Output) -> Result<(), Failure> {
    match verb {
        BenchVerb::Products(arguments) => products(&arguments, output),
        BenchVerb::Fetch(arguments) => fetch(&arguments, output),
        BenchVerb::Psi(arguments) => psi::psi(&arguments, output),
        BenchVerb::PsiParty(arguments) => psi::party(&arguments, output),
        BenchVerb::Rounds(arguments) => learning::rounds(&arguments, output),
        BenchVerb::Release(arguments) => learning::release(&arguments, output),
        BenchVerb::Scale(arguments) => match arguments.protocol {
            ScaleChoice::Preprocessed => scale(&arguments, output),
            ScaleChoice::NoiseFirst => scale_opening::measure(&arguments, output),
        },
        BenchVerb::ScaleParty(arguments) => scale_opening::party(&arguments, output),
        BenchVerb::Lists(arguments) => super::bench_lists::lists(&arguments, output),
        BenchVerb::Links(arguments) => over_links(&arguments, output).await,
        BenchVerb::Leakage(arguments) => super::leakage::leakage(&arguments, output),
        BenchVerb::Report(arguments) => bench_all::report(&arguments, output),
        BenchVerb::All(arguments) => bench_all::all(&arguments, output).await,
        BenchVerb::Workers(arguments) => super::worker::bench(*arguments, output).await,
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
    let record = &arguments.record;
    let rounds = if record.quick {
        arguments.rounds.min(QUICK_ROUNDS)
    } else {
        arguments.rounds
    };
    let workload = Workload::read(&files.inputs()?, choice, rank, rounds)?;
    let mut options = ProductsOptions {
        measured_rounds: arguments.measured_rounds,
        repeats: record.repeats(3),
        tfhe_sample: arguments.tfhe_sample,
        memory_limit_bytes: arguments.memory_limit,
        mu: arguments.mu,
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
    let repeats = options.repeats;
    let Some(path) = &arguments.file else {
        return conclude("products", record, repeats, report, output, products_text).map(drop);
    };
    // The document goes to the file, the table to people.
    let text = Output::new(false);
    let document = conclude("products", record, repeats, report, text, products_text)?;
    write(path, &format!("{:#}\n", json(&document)?))
}

fn fetch(arguments: &FetchArgs, output: Output) -> Result<(), Failure> {
    let record = &arguments.record;
    let (users, needed) = if record.quick {
        (arguments.users.min(QUICK_USERS), arguments.needed.min(50))
    } else {
        (arguments.users, arguments.needed)
    };
    let repeats = record.repeats(1);
    let report = fetch::measure(users, needed, arguments.rank as usize, repeats)?;
    conclude("fetch", record, repeats, report, output, fetch_text).map(drop)
}

fn fetch_text(report: &FetchReport) -> String {
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
}

fn products_text(report: &ProductsReport) -> String {
    let size = &report.workload;
    let mut table =
        Table::new("protocol | offline |  | online |  | a round |  | error | unguarded | memory");
    let rounds = size.rounds.max(1);
    let ulp = |error: Option<u64>| error.map_or("–".to_owned(), |error| format!("{error} ulp"));
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
            ulp(record.error_ulp),
            ulp(record.error_ulp_unguarded),
            bytes(record.peak_rss_bytes),
        ]);
    }
    let tfhe: String = report
        .records
        .iter()
        .filter_map(|record| record.tfhe)
        .map(|tfhe| {
            format!(
                "\nthe offline phase's ciphertexts through tfhe's own functions: {:.1} s ({:.1} s \
                 of P0 alone), {:.1} × ours ({:.1} ×), from a sample of {}",
                tfhe.seconds, tfhe.rating_seconds, tfhe.ratio, tfhe.strict_ratio, tfhe.sampled
            )
        })
        .collect();
    let computed = report.records.iter().any(|record| record.computed);
    let remark = if computed {
        "\n– : computed from message shapes, not run"
    } else {
        ""
    };
    format!(
        "{} users, {} links, rank {}, {} rounds\n{table}{tfhe}{remark}",
        size.users, size.links, size.rank, size.rounds,
    )
}
