//! `s3rec bench scale --protocol noise-first`: one noised opening of everybody's friends' sums, both
//! platforms as processes.

use s3rec_bench::BenchError;
use s3rec_bench::scale::opening::{OpeningRecord, OpeningReport, OpeningWorkload, run_party};

use super::parties::{both, connected, say};
use super::records::conclude;
use crate::arguments::{ScaleArgs, ScalePartyArgs};
use crate::failure::Failure;
use crate::output::{Output, Table, bytes, count, duration, note};

/// Sizes unless some are named.
const USERS: [u32; 4] = [10_000, 100_000, 300_000, 1_000_000];
/// Those that suffice to see that it works.
const QUICK_USERS: [u32; 2] = [1_000, 10_000];

/// Measures every size.
pub(super) fn measure(arguments: &ScaleArgs, output: Output) -> Result<(), Failure> {
    let sizes = match (arguments.users.is_empty(), arguments.record.quick) {
        (false, _) => &arguments.users[..],
        (true, true) => &QUICK_USERS,
        (true, false) => &USERS,
    };
    let repeats = arguments.record.repeats(1);
    let mut openings = Vec::new();
    for &users in sizes {
        note(&format!("two processes, {} users", count(users.into())));
        let workload = OpeningWorkload {
            users,
            links_per_user: arguments.links_per_user,
            columns: arguments.rank,
            degree_bound: arguments.opening.degree_bound,
            mu: arguments.opening.mu.value(),
        };
        let runs = (0..repeats).map(|_| run(arguments, workload));
        let mut runs = runs.collect::<Result<Vec<OpeningRecord>, Failure>>()?;
        runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        openings.push(runs.swap_remove(runs.len() / 2));
    }
    let report = OpeningReport { openings };
    conclude("opening", &arguments.record, repeats, report, output, text).map(drop)
}

fn run(arguments: &ScaleArgs, workload: OpeningWorkload) -> Result<OpeningRecord, Failure> {
    let place = arguments.scratch.clone();
    let scratch = tempfile::Builder::new()
        .prefix("s3rec-bench-")
        .tempdir_in(place.unwrap_or_else(std::env::temp_dir))
        .map_err(BenchError::Scratch)?;
    let scratch = scratch.path().to_string_lossy();
    let parties = both(&[
        "scale-party",
        "--users",
        &workload.users.to_string(),
        "--links-per-user",
        &workload.links_per_user.to_string(),
        "--rank",
        &workload.columns.to_string(),
        "--degree-bound",
        &workload.degree_bound.to_string(),
        "--mu",
        &workload.mu.to_string(),
        "--scratch",
        &scratch,
    ])?;
    Ok(OpeningRecord::new(workload, parties)?)
}

/// Runs one party and prints its record.
pub(super) fn party(arguments: &ScalePartyArgs, output: Output) -> Result<(), Failure> {
    let workload = OpeningWorkload {
        users: arguments.users,
        links_per_user: arguments.links_per_user,
        columns: arguments.rank,
        degree_bound: arguments.opening.degree_bound,
        mu: arguments.opening.mu.value(),
    };
    let (party, stream) = connected(arguments.connect, output)?;
    say(
        &run_party(party, &workload, &stream, &arguments.scratch)?,
        output,
    )
}

fn text(report: &OpeningReport) -> String {
    let openings = report.openings.iter().map(of_opening);
    openings.collect::<Vec<_>>().join("\n\n")
}

fn of_opening(opening: &OpeningRecord) -> String {
    let [rating, social] = &opening.parties;
    let mut table = Table::new("platform | phase | computing | processor | serial");
    for (name, party) in [("rating", rating), ("social", social)] {
        for phase in &party.phases {
            table = table.row(&[
                name.to_owned(),
                phase.name.clone(),
                duration(phase.seconds),
                duration(phase.core_seconds),
                duration(phase.serial_seconds),
            ]);
        }
    }
    let users = f64::from(opening.workload.users);
    format!(
        "{} users, {} pairs, {} columns: {} in all, {} both ways, {:.2} bytes a value, noise {:.4} σ\n\
         processor time a row: social {:.1} µs, rating {:.2} µs; largest memory: social {}, rating {}\n{table}",
        count(opening.workload.users.into()),
        count(social.pairs),
        opening.workload.columns,
        duration(opening.seconds),
        bytes(opening.bytes),
        opening.bytes_per_value,
        rating.noise_ratio,
        1e6 * social.core_seconds() / users,
        1e6 * rating.core_seconds() / users,
        bytes(social.peak_rss_bytes),
        bytes(rating.peak_rss_bytes),
    )
}
