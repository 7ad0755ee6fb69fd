//! `s3rec bench psi`: both platforms as processes of this command's own program.

use s3rec_bench::psi::{Protocol, PsiRecord, PsiReport, Workload, run_party};

use super::parties::{both, broken, connected, say};
use super::records::conclude;
use crate::arguments::{PsiArgs, PsiPartyArgs};
use crate::failure::Failure;
use crate::output::{Output, bytes, count, duration, note};

/// Users that suffice to see that it works.
const QUICK_USERS: u32 = 20_000;

/// Starts both parties and reports what they measured.
pub(super) fn psi(arguments: &PsiArgs, output: Output) -> Result<(), Failure> {
    let users = match arguments.record.quick {
        true => arguments.users.min(QUICK_USERS),
        false => arguments.users,
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share from 0 to 1 of a 32-bit number"
    )]
    let common = (f64::from(users) * arguments.overlap).round() as u32;
    let workload = Workload { users, common };
    let repeats = arguments.record.repeats(1);
    note(&format!(
        "two processes, {} users each, {} of them common",
        count(workload.users.into()),
        count(workload.common.into())
    ));
    let mut records = Vec::new();
    for protocol in arguments.protocol.iter().map(|choice| (*choice).into()) {
        let runs = (0..repeats).map(|_| run(protocol, workload));
        let mut runs = runs.collect::<Result<Vec<PsiRecord>, Failure>>()?;
        runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        records.push(runs.swap_remove(runs.len() / 2));
    }
    let report = PsiReport {
        users: users.into(),
        common: common.into(),
        records,
    };
    conclude("psi", &arguments.record, repeats, report, output, text).map(drop)
}

/// Both parties once; a wrong result is an error, not a record.
fn run(protocol: Protocol, workload: Workload) -> Result<PsiRecord, Failure> {
    let parties = both(&[
        "psi-party",
        "--users",
        &workload.users.to_string(),
        "--common",
        &workload.common.to_string(),
        "--protocol",
        protocol.name(),
    ])?;
    let record = PsiRecord::new(protocol, workload, parties);
    match record.exact {
        true => Ok(record),
        false => Err(broken("the result is not the intersection")),
    }
}

/// Runs one party and prints its record.
pub(super) fn party(arguments: &PsiPartyArgs, output: Output) -> Result<(), Failure> {
    let workload = Workload {
        users: arguments.users,
        common: arguments.common,
    };
    let (party, stream) = connected(arguments.connect, output)?;
    let record = run_party(arguments.protocol.into(), party, workload, &stream)?;
    say(&record, output)
}

fn text(report: &PsiReport) -> String {
    let lines = report.records.iter().map(|record| {
        format!(
            "{}: {} × {} users, {} common, exact: {}, {:.1} core-seconds, {} both ways ({:.1} bytes an \
             id of both sets, {:.1} of one), largest memory of a party {}",
            record.protocol.name(),
            count(report.users),
            count(report.users),
            count(report.common),
            duration(record.seconds),
            record.core_seconds,
            bytes(record.bytes),
            record.bytes_per_id,
            record.bytes_per_id_of_one_set,
            bytes(record.peak_rss_bytes),
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}
