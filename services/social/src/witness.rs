//! The audit log as a second witness of the ledger. Whatever leaves is on disk there first, with
//! its numbers; so a store that was lost, or put back to an older state, gets back what the log
//! says was counted, before anything more is.

use std::collections::BTreeMap;

use s3rec_audit::{Entry, Kind};
use s3rec_job::{JobDisclosure, OpenedDay, Shown};
use s3rec_node::process::now_unix_ms;
use s3rec_node::versions;
use s3rec_spmm::ReleasePolicy;
use s3rec_wire::convert::proposal_from_wire;
use s3rec_wire::record::Record;
use s3rec_wire::status::Fault;
use s3rec_wire::v1;

use crate::ledger;
use crate::platform::Platform;
use crate::tables::DISCLOSURES;

/// δ of a noised job whose proposal does not read any more.
const USUAL_DELTA: f64 = 1e-6;

const MADE_UP: &str = "Counted again from the audit log: the store had lost some of it.";

/// What the log says.
#[derive(Default)]
struct Testimony {
    jobs: BTreeMap<String, JobDisclosure>,
    /// By data set: its lineage and newest version.
    lineages: BTreeMap<String, (Vec<u8>, u32)>,
}

/// Raises the ledger to what the audit log says, job by job, and gives data sets that the store
/// does not know any more their lineages back, so that links which are imported again under the
/// same name count on. What was raised stands in the log too.
///
/// # Errors
/// [`Reason::StorageFailed`](s3rec_wire::status::Reason::StorageFailed).
pub(crate) fn hear(platform: &Platform) -> Result<(), Fault> {
    let mut testimony = Testimony::default();
    platform.audit.each(|entry| testimony.hear(entry))?;
    for (dataset, (lineage, version)) in testimony.lineages {
        if versions::remember(&platform.store, &dataset, &lineage, version)? {
            tracing::warn!(
                dataset,
                "the store had lost a data set that the audit log names"
            );
        }
    }
    let counting = platform.counting();
    for (job, said) in testimony.jobs {
        let stored: Option<JobDisclosure> = platform.store.get(DISCLOSURES, &job)?;
        let known = stored.clone().unwrap_or_default();
        let (said_shown, known_shown) = (said.shown.unwrap_or_default(), known.shown);
        let known_shown = known_shown.unwrap_or_default();
        if known.counters.contains(&said.counters) && known_shown.joined(&said_shown) == known_shown
        {
            continue;
        }
        tracing::warn!(
            job,
            "the store had lost what the audit log says was counted of a job"
        );
        let entry = [
            ("job", job.as_str().into()),
            ("lineage", said.lineage.as_slice().into()),
            ("learnt", MADE_UP.into()),
            ("openings", said.openings.into()),
            ("columns", said.opened_columns.into()),
            ("values", said.opened_values.into()),
            ("ids", said_shown.ids_asked.into()),
        ];
        platform.audit.record(Kind::Disclosure, entry)?;
        let said = match stored {
            Some(stored) => onto(stored, said),
            None => said,
        };
        ledger::store(platform, &counting, said, None)?;
    }
    Ok(())
}

/// The numbers of the log in the words of the store.
fn onto(stored: JobDisclosure, said: JobDisclosure) -> JobDisclosure {
    let mut statements = stored.statements.clone();
    statements.push(MADE_UP.into());
    JobDisclosure {
        openings: said.openings,
        opened_columns: said.opened_columns,
        opened_values: said.opened_values,
        counters: said.counters,
        days: said.days,
        shown: said.shown,
        lineage: said.lineage,
        delta: said.delta,
        statements,
        updated_unix_ms: now_unix_ms(),
        ..stored
    }
}

impl Testimony {
    fn hear(&mut self, entry: &Entry) {
        let number = |field| entry.number(field).unwrap_or_default();
        if entry.kind == Kind::Import {
            if let (Some(dataset), Some(lineage)) = (entry.text("dataset"), entry.bytes("lineage"))
            {
                let known = (lineage.to_vec(), narrow(number("version")));
                self.lineages.insert(dataset.into(), known);
            }
            return;
        }
        let Some(job) = entry.text("job") else {
            return;
        };
        match entry.kind {
            Kind::Proposal => {
                let of_job = self.jobs.entry(job.into());
                of_job.or_insert_with(|| proposed(job, entry));
            }
            Kind::Showing => {
                let shown = self.of(job, entry).shown.get_or_insert_default();
                *shown = shown.plus(&match entry.text("what") {
                    Some("intersection") => Shown {
                        intersections: 1,
                        ids_asked: number("ids"),
                        ..Shown::default()
                    },
                    Some("bounds") => Shown {
                        bounds: 1,
                        pattern_rows: number("pattern_rows"),
                        ..Shown::default()
                    },
                    _ => Shown {
                        commitments: 1,
                        ..Shown::default()
                    },
                });
            }
            Kind::Stock => {
                let stocks = narrow(number("number"));
                let counters = &mut self.of(job, entry).counters;
                counters.stocks = counters.stocks.max(stocks);
            }
            Kind::Opening => {
                let of_job = self.of(job, entry);
                let (openings, columns, values) =
                    (number("round"), number("columns"), number("values"));
                let today = OpenedDay {
                    day: narrow(number("day")),
                    columns: columns.saturating_sub(of_job.opened_columns),
                    values: values.saturating_sub(of_job.opened_values),
                };
                s3rec_job::counting::count_day(&mut of_job.days, today);
                of_job.openings = of_job.openings.max(narrow(openings));
                of_job.opened_columns = of_job.opened_columns.max(columns);
                of_job.opened_values = of_job.opened_values.max(values);
                let counters = &mut of_job.counters;
                counters.jobs = 1;
                counters.openings = counters.openings.max(openings);
                counters.opened_columns = counters.opened_columns.max(columns);
                counters.opened_values = counters.opened_values.max(values);
                counters.exact_values = counters.exact_values.max(number("exact_values"));
                counters.nano_rho = counters.nano_rho.max(number("nano_rho"));
            }
            _ => {}
        }
    }

    /// A job's row, of the lineage that the entry names.
    fn of(&mut self, job: &str, entry: &Entry) -> &mut JobDisclosure {
        let of_job = self.jobs.entry(job.into());
        let of_job = of_job.or_insert_with(|| unknown(job));
        if let Some(lineage) = entry.bytes("lineage") {
            of_job.lineage = lineage.to_vec();
        }
        of_job
    }
}

fn unknown(job: &str) -> JobDisclosure {
    JobDisclosure {
        job: job.into(),
        delta: USUAL_DELTA,
        statements: vec![MADE_UP.into()],
        updated_unix_ms: now_unix_ms(),
        ..JobDisclosure::default()
    }
}

/// A job as it was proposed; nothing is counted of it yet.
fn proposed(job: &str, entry: &Entry) -> JobDisclosure {
    let proposal = entry.bytes("proposal");
    let proposal = proposal.and_then(|bytes| v1::PeerProposal::from_record(bytes).ok());
    let proposal = proposal.and_then(|message| proposal_from_wire(&message).ok());
    let delta = match proposal.as_ref().map(|proposal| proposal.release) {
        Some(ReleasePolicy::Noised { delta, .. }) => delta,
        _ => USUAL_DELTA,
    };
    JobDisclosure {
        peer: entry.text("peer").unwrap_or_default().into(),
        release: proposal.as_ref().map(|proposal| proposal.release),
        pattern: proposal.as_ref().map(|proposal| proposal.pattern),
        delta,
        ..unknown(job)
    }
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
