//! Whether disk and memory suffice for a planned job, and how long it takes, by the cost model.

use std::path::Path;

use s3rec_job::estimate::exchanges;
use s3rec_node::config::Limits;
use s3rec_node::examine::Findings;
use s3rec_node::process::{available_memory_bytes, free_disk_bytes};
use s3rec_spmm::{OperatorKind, ProductRequest, Protocol, choose_parameters, cost};

use super::peer::Measured;
use crate::arguments::DoctorArgs;
use crate::output::{bytes, duration};

/// Copies of a job's dense values that a platform holds at a time: factors, gradient, opening,
/// and the solver's own.
const DENSE_COPIES: u64 = 6;

/// Examines disk and memory for the job that the arguments describe.
pub(super) fn examine(
    findings: &mut Findings,
    arguments: &DoctorArgs,
    data_dir: &Path,
    limits: &Limits,
    link: Option<Measured>,
) {
    let (Some(users), Some(nonzeros)) = (arguments.users, arguments.nonzeros) else {
        let why = "say --users and --nonzeros of the planned job";
        findings.skipped("disk for the job", why);
        findings.skipped("memory for the job", why);
        findings.skipped("time for the job", why);
        return;
    };
    let (rank, rounds) = (arguments.rank, arguments.rounds);
    let operator = OperatorKind::NormalizedLaplacian;
    let mut request = ProductRequest::new(Protocol::Preprocessed, operator, users, rank, rounds);
    request.nonzeros_bound = s3rec_sparse::ladder(nonzeros);
    let needed = choose_parameters(&request).and_then(|parameters| {
        let values = u64::from(users) * u64::from(rank);
        let estimate = cost::predict(&parameters)?;
        // What P1 keeps of an upload, and either's shares of every column.
        let disk = estimate.offline.bytes() + values * u64::from(rounds) * 8;
        let memory = limits.memory_bytes + values * 8 * DENSE_COPIES;
        Ok((disk, memory, estimate.total(), parameters.layout()?.blocks))
    });
    let (disk, memory, total, blocks) = match needed {
        Ok(needed) => needed,
        Err(error) => {
            let remedy = "Lower the rank or the number of rounds.";
            findings.wrong("disk for the job", error.to_string(), remedy);
            findings.skipped("memory for the job", "no parameters fit");
            findings.skipped("time for the job", "no parameters fit");
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
        Err(error) => findings.wrong(
            "disk for the job",
            error.to_string(),
            "To fix it, make the disk readable and writable.",
        ),
    }
    let available = available_memory_bytes();
    let detail = format!("{} needed, {} available", bytes(memory), bytes(available));
    if available >= memory {
        findings.ok("memory for the job", detail);
    } else {
        let remedy = "Lower limits.memory_bytes, or give this machine more memory.";
        findings.wrong("memory for the job", detail, remedy);
    }
    time(findings, link, total, exchanges(blocks, rounds));
}

/// How long the planned job takes over the link as it was measured. However long: a number.
fn time(findings: &mut Findings, link: Option<Measured>, total: cost::PhaseCost, exchanges: u32) {
    let Some(link) = link else {
        let why = "seen from the rating platform only, over a link that answers";
        return findings.skipped("time for the job", why);
    };
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let computing = (total.rating_seconds + total.social_seconds) / cores as f64;
    let moving = total.bytes_to_social as f64 / link.bytes_per_second_up.max(1.0)
        + total.bytes_to_rating as f64 / link.bytes_per_second_down.max(1.0)
        + f64::from(exchanges) * link.round_trip.as_secs_f64();
    let detail = format!(
        "about {} in all: {} for {} over this link, {} for computing",
        duration(moving + computing),
        duration(moving),
        bytes(total.bytes()),
        duration(computing)
    );
    findings.ok("time for the job", detail);
}
