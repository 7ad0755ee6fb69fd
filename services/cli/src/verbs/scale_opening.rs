//! `s3rec bench scale --protocol noise-first`: a job of everybody's friends' sums, both platforms as
//! processes.

use s3rec_bench::BenchError;
use s3rec_bench::scale::opening::{
    Around, OpeningParty, OpeningPhase, OpeningRecord, OpeningReport, OpeningWorkload, Served,
    predicted, run_party,
};
use s3rec_data::IdTable;
use s3rec_node::datasets::commit_listed;
use s3rec_node::versions::Commitment;

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
        let workload = arguments
            .opening
            .workload(users, arguments.links_per_user, arguments.rank);
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
        "--items",
        &workload.items.to_string(),
        "--scratch",
        &scratch,
    ])?;
    Ok(OpeningRecord::new(workload, parties)?)
}

/// Runs one party and prints its record.
pub(super) fn party(arguments: &ScalePartyArgs, output: Output) -> Result<(), Failure> {
    let workload =
        arguments
            .opening
            .workload(arguments.users, arguments.links_per_user, arguments.rank);
    let (party, stream) = connected(arguments.connect, output)?;
    let told = |phase: &OpeningPhase| {
        let name = party.name();
        note(&format!(
            "{name}: {} {}, of processor time {}, serial {}, memory {}",
            phase.name,
            duration(phase.seconds),
            duration(phase.core_seconds),
            duration(phase.serial_seconds),
            bytes(phase.peak_rss_bytes)
        ));
    };
    let around = Around {
        commit: &commit,
        told: &told,
    };
    let record = run_party(party, &workload, &stream, &arguments.scratch, around)?;
    say(&record, output)
}

/// As a platform commits to users without ratings or links.
fn commit(ids: &IdTable) -> [u8; 32] {
    // A salt is for what leaves.
    let mut commitment = Commitment::new(&[0; 32]);
    commit_listed(&mut commitment, ids, 0);
    commitment.finish()
}

fn text(report: &OpeningReport) -> String {
    let openings = report.openings.iter().map(|opening| {
        let first = report.openings.first().unwrap_or(opening);
        of_opening(opening) + &compared(first, opening)
    });
    openings.collect::<Vec<_>>().join("\n\n")
}

/// What the cost model says of it, from what was measured at the first size.
fn compared(first: &OpeningRecord, opening: &OpeningRecord) -> String {
    let mut said = String::new();
    if let Ok((of_opening, intersection)) = predicted::bytes(&opening.workload) {
        said += &format!(
            "\nby the model: the opening {}, the intersection {}",
            bytes(of_opening),
            bytes(intersection)
        );
    }
    if first.workload.users == opening.workload.users {
        return said;
    }
    for predicted in predicted::core_seconds(first, opening)
        .into_iter()
        .flatten()
    {
        said += &format!(
            "\n{} by the model, from {} users: {} of processor time, measured {:.2} times that",
            predicted.party.name(),
            count(first.workload.users.into()),
            duration(predicted.core_seconds),
            predicted.ratio
        );
    }
    said
}

fn of_opening(opening: &OpeningRecord) -> String {
    let [rating, social] = &opening.parties;
    let mut table =
        Table::new("platform | phase | computing | processor | serial | moving | sent | memory");
    for (name, party) in [("rating", rating), ("social", social)] {
        for phase in &party.phases {
            // The system counts processor time in hundredths of a second.
            let core_seconds = phase.core_seconds.max(phase.serial_seconds).max(1e-9);
            let share = 100.0 * phase.serial_seconds / core_seconds;
            table = table.row(&[
                name.to_owned(),
                phase.name.clone(),
                duration(phase.seconds),
                duration(phase.core_seconds),
                format!("{} ({share:.1} %)", duration(phase.serial_seconds)),
                duration(phase.moving_seconds),
                bytes(phase.sent_bytes),
                bytes(phase.peak_rss_bytes),
            ]);
        }
    }
    let per_row = |party: &OpeningParty| {
        let seconds = party.opening_core_seconds();
        1e6 * seconds / f64::from(opening.workload.users)
    };
    format!(
        "{} users, {} pairs, {} columns: {} in all; the opening {} both ways, {:.2} bytes a value, noise {:.4} σ; \
         the intersection {}\n\
         processor time of the opening a row: social {:.1} µs, rating {:.2} µs; largest memory: social {}, rating \
         {}{}\n{table}{}",
        count(opening.workload.users.into()),
        count(social.pairs),
        opening.workload.columns,
        duration(opening.seconds),
        bytes(opening.bytes),
        opening.bytes_per_value,
        rating.noise_ratio,
        bytes(opening.intersection_bytes),
        per_row(social),
        per_row(rating),
        bytes(social.peak_rss_bytes),
        bytes(rating.peak_rss_bytes),
        beyond_the_bound(social.most_friends, opening.workload.degree_bound),
        rating.served.as_ref().map(served).unwrap_or_default(),
    )
}

/// Sums of users with more friends than was agreed on are right only while they happen to fit.
fn beyond_the_bound(most_friends: u64, bound: u32) -> String {
    if most_friends <= u64::from(bound) {
        return String::new();
    }
    format!(
        "\na user has {} friends, more than the degree bound of {}: name a larger one with --degree-bound",
        count(most_friends),
        count(bound.into()),
    )
}

fn served(served: &Served) -> String {
    let is_open = |open| if open { "open" } else { "closed" };
    format!(
        "\n{} lists of {} ratings; the map of sums learnt of {} users: for users without ratings {}, with few {}",
        count(served.lists),
        count(served.ratings),
        count(served.calibration),
        is_open(served.cold_is_open),
        is_open(served.few_is_open),
    )
}
