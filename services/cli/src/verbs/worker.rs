//! `s3rec worker`: keys of those who compute for a platform, and their service.

use s3rec_bench::workers::{self, WorkersRecord, WorkersReport};
use s3rec_cluster::{Cluster, Members, make_folders, make_key, serve};
use s3rec_node::config::LogSettings;
use s3rec_node::process;
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::records::conclude;
use crate::arguments::{
    WorkerInitArgs, WorkerKeyArgs, WorkerServeArgs, WorkerVerb, WorkersBenchArgs,
};
use crate::failure::Failure;
use crate::output::{Output, Table, count, duration, note};

/// Makes a key, or serves.
///
/// # Errors
/// Files that are not what they should be, and what the system refuses.
pub async fn worker(verb: WorkerVerb, output: Output) -> Result<(), Failure> {
    match verb {
        WorkerVerb::Init(arguments) => init(&arguments, output),
        WorkerVerb::Key(arguments) => key(&arguments, output),
        WorkerVerb::Serve(arguments) => work(&arguments).await,
    }
}

fn init(arguments: &WorkerInitArgs, output: Output) -> Result<(), Failure> {
    let (directory, workers) = (&arguments.directory, &arguments.workers);
    let made = make_folders(directory, workers, arguments.wait_seconds)?;
    let text = || match made {
        true => format!(
            "Made a folder for the coordinator and {} workers in {}: bring each to its machine, and \
             delete it here.",
            workers.len(),
            directory.display()
        ),
        false => format!(
            "{} holds every member's folder already.",
            directory.display()
        ),
    };
    output.value(&json!({ "made": made, "directory": directory }), text)
}

fn key(arguments: &WorkerKeyArgs, output: Output) -> Result<(), Failure> {
    let pin = make_key(&arguments.dir, &arguments.name)?.to_string();
    output.value(&json!({ "name": arguments.name, "pin": pin }), || {
        pin.clone()
    })
}

async fn work(arguments: &WorkerServeArgs) -> Result<(), Failure> {
    let log = LogSettings {
        filter: arguments.log_filter.clone(),
        ..LogSettings::default()
    };
    let usage = |error: &dyn std::error::Error| Failure::Usage(format!("--log-filter: {error}"));
    process::init_tracing(&log, None).map_err(|error| usage(&error))?;
    let (stop, stopped) = watch::channel(false);
    let system = |source| Failure::Cluster(Box::new(s3rec_cluster::ClusterError::System(source)));
    process::stop_on_signals(stop).map_err(system)?;
    let serving = serve(Members::read(&arguments.file)?).await?;
    Ok(serving.until(stopped).await?)
}

/// `s3rec bench workers`.
pub(super) async fn bench(arguments: WorkersBenchArgs, output: Output) -> Result<(), Failure> {
    let cluster = Cluster::open(&arguments.workers, Handle::current())?;
    let workers = cluster.members().workers();
    let measured = process::blocking(move || {
        let mut records = Vec::new();
        for &users in &arguments.users {
            note(&format!("{} users, {workers} workers", count(users.into())));
            let workload =
                arguments
                    .opening
                    .workload(users, arguments.links_per_user, arguments.rank);
            records.push(workers::measure(workload, workers, &cluster)?);
        }
        Ok::<_, Failure>((arguments, WorkersReport { records }))
    });
    let measured = measured.await;
    let (arguments, report) = measured.map_err(|fault| Failure::from(fault.into_status()))??;
    let is_equal = report.records.iter().all(|record| record.is_equal);
    conclude("workers", &arguments.record, 1, report, output, text)?;
    match is_equal {
        true => Ok(()),
        // Shown above; whoever runs this in a script must not have to read it.
        false => Err(Failure::Unwell { wrong: 1 }),
    }
}

fn text(report: &WorkersReport) -> String {
    let head = "users | packs | here | processor | by workers | processor here | bytes";
    let row = |record: &WorkersRecord| {
        [
            count(record.workload.users.into()),
            count(record.packs as u64),
            duration(record.alone_seconds),
            duration(record.alone_core_seconds),
            duration(record.spread_seconds),
            duration(record.spread_core_seconds),
            if record.is_equal {
                "the same"
            } else {
                "DIFFERENT"
            }
            .to_owned(),
        ]
    };
    let rows = report.records.iter().map(row);
    rows.fold(Table::new(head), |table, row| table.row(&row))
        .to_string()
}
