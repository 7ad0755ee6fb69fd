//! What every protocol costs on the same operands.

use super::Collection;
use super::collection::title;
use super::section::{Figure, Grid, Section};
use crate::plot::{Axis, Bar, Scaling};
use crate::record::{ProductRecord, ProductsReport};
use crate::spread::Quantiles;
use crate::{BenchError, Document};
use s3rec_job::number_format::{bytes, count, duration, runs, times};

pub(super) fn sections(collection: &Collection) -> Result<Vec<Section>, BenchError> {
    let mut sections = Vec::new();
    for document in &collection.products {
        sections.push(section(document)?);
    }
    sections.extend(fetch(collection));
    Ok(sections)
}

fn section(document: &Document<ProductsReport>) -> Result<Section, BenchError> {
    let report = &document.body;
    let name = title(&document.label);
    let size = &report.workload;
    let mut section = Section::new(&format!("Products: {name}")).lead(format!(
        "{} users, {} links, rank {}, {} openings; both parties in one process over a counted \
         channel; {}{}. Rounds that all cost the same are run a few times and multiplied.",
        count(size.users),
        count(size.links),
        size.rank,
        count(size.rounds),
        runs(document.repeats),
        if document.repeats > 1 {
            ", least and most in brackets"
        } else {
            ""
        },
    ));
    let label = &document.label;
    section = section.figure(Figure::bars(
        &format!("bytes-{label}"),
        &format!("{name}: bytes by protocol, {} openings", size.rounds),
        "Both ways together, offline included. Hollow: computed from message shapes, not run.",
        &Axis::bytes("bytes of a whole training"),
        &bars(
            report,
            |record| total_bytes(record) as f64,
            |record| bytes(total_bytes(record)),
        ),
    )?);
    let seconds = bars(report, total_seconds, |record| {
        duration(total_seconds(record))
    });
    if seconds.iter().any(|bar| bar.value > 0.0) {
        section = section.figure(Figure::bars(
            &format!("seconds-{label}"),
            &format!(
                "{name}: computing time by protocol, {} openings",
                size.rounds
            ),
            "Both parties one after the other, no link between them.",
            &Axis::new("computing (seconds)", Scaling::Logarithmic),
            &seconds,
        )?);
    }
    section = section.grid(split(report)).grid(details(report));
    if let Some(tfhe) = report.records.iter().find_map(|record| record.tfhe) {
        section = section.text(format!(
            "The offline phase against tfhe's own functions on the same ciphertexts, all threads \
             at work: {} encryptions at {} and {} decryptions at {} would take P0 {}, with P1's {} \
             encryptions of zero {} (a sample of {} run and multiplied up). Our whole phase, both \
             parties, accumulation and storage included, took {}: {} faster ({} counting P0's half \
             alone).",
            count(tfhe.uploads),
            duration(tfhe.encrypt_seconds),
            count(tfhe.responses),
            duration(tfhe.decrypt_seconds),
            duration(tfhe.rating_seconds),
            count(tfhe.responses),
            duration(tfhe.seconds),
            tfhe.sampled,
            duration(tfhe.ours_seconds),
            times(tfhe.ratio),
            times(tfhe.strict_ratio),
        ));
    }
    Ok(section)
}

fn total_bytes(record: &ProductRecord) -> u64 {
    record.offline.bytes() + record.online.bytes()
}

fn total_seconds(record: &ProductRecord) -> f64 {
    record.offline.seconds + record.online.seconds
}

fn bars(
    report: &ProductsReport,
    value: impl Fn(&ProductRecord) -> f64,
    label: impl Fn(&ProductRecord) -> String,
) -> Vec<Bar> {
    let records = report.records.iter().enumerate();
    records
        .filter(|(_, record)| value(record) > 0.0)
        .map(|(group, record)| Bar {
            name: record.protocol.clone(),
            value: value(record),
            label: label(record),
            group,
            hollow: record.computed,
        })
        .collect()
}

/// Offline and online apart.
fn split(report: &ProductsReport) -> Grid {
    let mut grid = Grid::new(
        "Offline and online; core-seconds are processor time of all threads, which other work on the \
         machine changes little, in steps of 10 ms",
        "protocol | offline bytes | offline time | offline core-seconds | online bytes | \
         online time | bytes a round | time a round | core-seconds a round",
    );
    let rounds = report.workload.rounds.max(1);
    for record in &report.records {
        let round = record.online.scaled(1, rounds);
        let timed = |seconds: f64, spread: &Quantiles| {
            if record.computed {
                "computed".to_owned()
            } else {
                format!("{}{}", duration(seconds), range(spread))
            }
        };
        grid.rows.push(vec![
            record.protocol.clone(),
            if record.offline.bytes() > 0 {
                bytes(record.offline.bytes())
            } else {
                "–".to_owned()
            },
            if record.offline.bytes() > 0 {
                timed(record.offline.seconds, &record.spread.offline)
            } else {
                "–".to_owned()
            },
            core_seconds(record.offline.core_seconds),
            bytes(record.online.bytes()),
            timed(record.online.seconds, &record.spread.online),
            bytes(round.bytes()),
            timed(round.seconds, &Quantiles::default()),
            core_seconds(round.core_seconds),
        ]);
    }
    grid
}

/// Processor time, where it was measured.
fn core_seconds(seconds: f64) -> String {
    if seconds > 0.0 {
        duration(seconds)
    } else {
        "–".to_owned()
    }
}

/// Least and most, where there was more than one run.
fn range(spread: &Quantiles) -> String {
    if spread.runs < 2 || spread.most <= 0.0 {
        return String::new();
    }
    format!(" ({} – {})", duration(spread.least), duration(spread.most))
}

fn details(report: &ProductsReport) -> Grid {
    let mut grid = Grid::new(
        "Exactness, memory and parameters; memory is of both parties together",
        "protocol | operator | error | error without guard bits | memory | κ | N | ring \
         bits | bytes a value offline",
    );
    let values = report.workload.users * report.workload.rank * report.workload.rounds;
    let ulp = |error: Option<u64>| error.map_or("–".to_owned(), |error| format!("{error} ulp"));
    for record in &report.records {
        let parameter = |name: &str| {
            let value = record
                .parameters
                .get(name)
                .and_then(serde_json::Value::as_u64);
            value.map_or_else(|| "–".to_owned(), |value| value.to_string())
        };
        let offline = record.offline.bytes() as f64 / values.max(1) as f64;
        grid.rows.push(vec![
            record.protocol.clone(),
            record.operator.clone(),
            ulp(record.error_ulp),
            ulp(record.error_ulp_unguarded),
            bytes(record.peak_rss_bytes),
            parameter("glwe_dimension"),
            parameter("polynomial_size"),
            parameter("ring_bits"),
            format!("{offline:.1}"),
        ]);
    }
    grid
}

fn fetch(collection: &Collection) -> Option<Section> {
    let mut grid = Grid::new(
        "Bytes of the fetch against sending every row once",
        "users | needed | queries, once | answers a round | every row | ratio | server's \
         time",
    );
    for document in &collection.fetch {
        let report = &document.body;
        grid.rows.push(vec![
            count(report.users),
            count(report.needed),
            bytes(report.query_bytes),
            bytes(report.answer_bytes),
            bytes(report.he_upload_bytes),
            times(report.ratio),
            duration(report.server_seconds),
        ]);
    }
    (!grid.rows.is_empty()).then(|| {
        Section::new("Private retrieval of few rows")
            .lead("Many users trust few: the social platform fetches the encrypted rows that it needs without showing which.")
            .grid(grid)
    })
}
