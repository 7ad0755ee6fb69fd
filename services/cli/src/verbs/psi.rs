//! `s3rec bench psi`: both platforms as processes of this command's own program.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};

use s3rec_bench::BenchError;
use s3rec_bench::psi::{Party, PartyRecord, Protocol, PsiRecord, PsiReport, Workload, run_party};

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
    let mut social = Started::start(protocol, workload, None)?;
    let address = social.line()?;
    let mut rating = Started::start(protocol, workload, Some(address.trim()))?;
    let parties = [rating.record()?, social.record()?];
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
    let (party, stream) = match arguments.connect {
        Some(address) => (Party::Rating, TcpStream::connect(address)),
        None => (Party::Social, accept(output)?),
    };
    let stream = stream.map_err(BenchError::Connection)?;
    let record = run_party(arguments.protocol.into(), party, workload, &stream)?;
    let line = serde_json::to_string(&record).map_err(|error| broken(&error.to_string()))?;
    output.write(&line)
}

fn accept(output: Output) -> Result<std::io::Result<TcpStream>, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(BenchError::Connection)?;
    let address = listener.local_addr().map_err(BenchError::Connection)?;
    output.write(&address.to_string())?;
    Ok(listener.accept().map(|(stream, _)| stream))
}

/// A party's process; killed when dropped.
struct Started {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Started {
    fn start(
        protocol: Protocol,
        workload: Workload,
        connect: Option<&str>,
    ) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(BenchError::Connection)?;
        let mut command = Command::new(program);
        command.args(["bench", "psi-party", "--users"]);
        command.arg(workload.users.to_string());
        command.args(["--common", &workload.common.to_string()]);
        command.args(["--protocol", protocol.name()]);
        if let Some(address) = connect {
            command.args(["--connect", address]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(BenchError::Connection)?;
        let stdout = child.stdout.take();
        let lines = BufReader::new(stdout.ok_or_else(|| broken("no pipe"))?);
        Ok(Self { child, lines })
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line);
        match read.map_err(BenchError::Connection)? {
            0 => Err(broken("a party ended early")),
            _ => Ok(line),
        }
    }

    fn record(&mut self) -> Result<PartyRecord, Failure> {
        let line = self.line()?;
        serde_json::from_str(&line).map_err(|error| broken(&error.to_string()))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn broken(what: &str) -> Failure {
    BenchError::Connection(std::io::Error::other(what.to_owned())).into()
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
