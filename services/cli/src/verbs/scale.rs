//! `s3rec bench scale`: cost against users, rank and non-zeros.

use s3rec_bench::scale::{self, ScaleOptions, ScaleReport};

use super::records::conclude;
use crate::arguments::ScaleArgs;
use crate::failure::Failure;
use crate::output::{Output, Table, bytes, count, duration, note};

/// Measures, predicts, and shows.
pub(super) fn scale(arguments: &ScaleArgs, output: Output) -> Result<(), Failure> {
    let options = options(arguments);
    let report = scale::measure(&options, note)?;
    conclude(
        "scale",
        &arguments.record,
        options.repeats,
        report,
        output,
        text,
    )
    .map(drop)
}

fn options(arguments: &ScaleArgs) -> ScaleOptions {
    let usual = ScaleOptions::default();
    let quick = arguments.record.quick;
    // Quick: a few sizes in seconds each, the rest predicted.
    let mut options = ScaleOptions {
        links_per_user: arguments.links_per_user,
        rank: arguments.rank,
        rounds: arguments.rounds,
        memory_limit_bytes: arguments.memory_limit,
        disk_limit_bytes: arguments.disk_limit as u64,
        repeats: arguments.record.repeats(usual.repeats),
        seconds_limit: arguments
            .seconds_limit
            .map_or(if quick { 8.0 } else { usual.seconds_limit }, f64::from),
        rank_users: if quick { 1_000 } else { usual.rank_users },
        ..usual
    };
    if quick {
        options.nonzeros.retain(|&nonzeros| nonzeros <= 1_000_000);
        options.nonzeros_users = 5_000;
    }
    if !arguments.users.is_empty() {
        options.users.clone_from(&arguments.users);
    }
    if !arguments.ranks.is_empty() {
        options.ranks.clone_from(&arguments.ranks);
    }
    if !arguments.nonzeros.is_empty() {
        options.nonzeros.clone_from(&arguments.nonzeros);
    }
    if let Some(scratch) = &arguments.scratch {
        options.scratch.clone_from(scratch);
    }
    options
}

fn text(report: &ScaleReport) -> String {
    let mut table = Table::new("users | rank | non-zeros | offline |  | a round |  | ");
    for point in report.users.iter().chain(&report.ranks) {
        table = table.row(&[
            count(point.users),
            point.rank.to_string(),
            count(point.nonzeros),
            bytes(point.offline.bytes()),
            duration(point.offline_seconds()),
            bytes(point.round.bytes()),
            duration(point.round_seconds()),
            match &point.why_predicted {
                None => "measured".to_owned(),
                Some(why) => format!("predicted: {why}"),
            },
        ]);
    }
    let mut lines = table.to_string();
    for point in &report.nonzeros {
        lines += &format!(
            "\n{} non-zeros accumulate in {} ({:.1} GB/s)",
            count(point.nonzeros),
            duration(point.seconds.median),
            point.bytes_per_second / 1e9
        );
    }
    for fit in &report.fits {
        let met = match fit.met {
            Some(true) => ", as claimed",
            Some(false) => ", NOT as claimed",
            None => "",
        };
        lines += &format!(
            "\n{} grow with {} to the {:.3}{met}",
            fit.what, fit.against, fit.exponent
        );
    }
    lines
}
