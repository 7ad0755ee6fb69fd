//! Whether disk and memory suffice for a planned job, by the cost model.

use std::path::Path;

use s3rec_node::config::Limits;
use s3rec_node::process::{available_memory_bytes, free_disk_bytes};
use s3rec_spmm::{OperatorKind, ProductRequest, Protocol, choose_parameters, cost};

use super::Findings;
use crate::arguments::DoctorArgs;
use crate::output::bytes;

/// Copies of a job's dense values that a platform holds at a time: factors, gradient, opening,
/// and the solver's own.
const DENSE_COPIES: u64 = 6;

/// Examines disk and memory for the job that the arguments describe.
pub(super) fn examine(
    findings: &mut Findings,
    arguments: &DoctorArgs,
    data_dir: &Path,
    limits: &Limits,
) {
    let (Some(users), Some(nonzeros)) = (arguments.users, arguments.nonzeros) else {
        let why = "say --users and --nonzeros of the planned job";
        findings.skipped("disk for the job", why);
        findings.skipped("memory for the job", why);
        return;
    };
    let (rank, rounds) = (arguments.rank, arguments.rounds);
    let operator = OperatorKind::NormalizedLaplacian;
    let mut request = ProductRequest::new(Protocol::Preprocessed, operator, users, rank, rounds);
    request.nonzeros_bound = s3rec_sparse::ladder(nonzeros);
    let needed = choose_parameters(&request).and_then(|parameters| {
        let values = u64::from(users) * u64::from(rank);
        // What P1 keeps of an upload, and either's shares of every column.
        let disk = cost::predict(&parameters)?.offline.bytes() + values * u64::from(rounds) * 8;
        Ok((disk, limits.memory_bytes + values * 8 * DENSE_COPIES))
    });
    let (disk, memory) = match needed {
        Ok(needed) => needed,
        Err(error) => {
            let remedy = "Lower the rank or the number of rounds.";
            findings.wrong("disk for the job", error.to_string(), remedy);
            findings.skipped("memory for the job", "no parameters fit");
            return;
        }
    };
    let place = data_dir.ancestors().find(|path| path.exists());
    match free_disk_bytes(place.unwrap_or(data_dir)) {
        Ok(free) if free >= disk => {
            let detail = format!("{} needed, {} free", bytes(disk), bytes(free));
            findings.ok("disk for the job", detail);
        }
        Ok(free) => {
            let detail = format!("{} needed, {} free", bytes(disk), bytes(free));
            let remedy = "Free disk where data_dir lies, or plan fewer rounds.";
            findings.wrong("disk for the job", detail, remedy);
        }
        Err(error) => findings.wrong("disk for the job", error.to_string(), "Mend the disk."),
    }
    let available = available_memory_bytes();
    let detail = format!("{} needed, {} available", bytes(memory), bytes(available));
    if available >= memory {
        findings.ok("memory for the job", detail);
    } else {
        let remedy = "Lower limits.memory_bytes, or give this machine more memory.";
        findings.wrong("memory for the job", detail, remedy);
    }
}
