//! The audit log as a second witness of the ledger. Whatever leaves is on disk there first, with
//! its numbers; so a store that was lost, or put back to an older state, gets back what the log
//! says was counted, before anything more is.

use std::collections::BTreeMap;

use s3rec_audit::{AuditError, Entry, Kind};
use s3rec_job::{CountedOpening, JobDisclosure, OpenedDay, Shown};
use s3rec_node::process::now_unix_ms;
use s3rec_node::versions;
use s3rec_spmm::ReleasePolicy;
use s3rec_wire::older;
use s3rec_wire::status::Fault;

use crate::disclosing::AGREEMENT;
use crate::ledger;
use crate::platform::Platform;
use crate::tables::{COUNTED, DISCLOSURES};
use crate::witnessed_opened::WitnessedOpened;

/// δ of a noised job whose proposal does not read any more.
pub(crate) const USUAL_DELTA: f64 = 1e-6;

pub(crate) const MADE_UP: &str = "Counted again from the audit log: the store had lost some of it.";

/// What the log says.
#[derive(Default)]
pub(crate) struct Testimony {
    pub(crate) jobs: BTreeMap<String, JobDisclosure>,
    /// By job: its last opening, and of which message it was first.
    pub(crate) counted: BTreeMap<String, CountedOpening>,
    /// By data set: its lineage and newest version.
    lineages: BTreeMap<String, (Vec<u8>, u32)>,
    /// By lineage: values without noise and 10⁻⁹ of ρ that its newest opening came to over all
    /// jobs.
    accounts: BTreeMap<Vec<u8>, [u64; 2]>,
    opened: WitnessedOpened,
}

/// Raises the ledger to what the audit log says, job by job, and gives data sets that the store
/// does not know any more their lineages back, so that links which are imported again under the
/// same name count on. What was raised stands in the log too.
///
/// # Errors
/// [`Reason::StorageFailed`](s3rec_wire::status::Reason::StorageFailed), with the number of an
/// entry of the log that lacks what it should say.
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
    *platform.witnessed() = testimony.opened;
    // Before the numbers: a number without its message is answered to nobody.
    for job in platform.journal.open_jobs() {
        let Some(said) = testimony.counted.get(&job) else {
            continue;
        };
        let known: Option<CountedOpening> = platform.store.get(COUNTED, &job)?;
        if known.is_none_or(|known| known.number < said.number) {
            platform.store.put(COUNTED, &job, said)?;
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
    /// # Errors
    /// [`AuditError::Field`] for what every entry of its kind has and this one lacks: nothing
    /// stands in for a count that is missing.
    pub(crate) fn hear(&mut self, entry: &Entry) -> Result<(), AuditError> {
        match entry.kind {
            Kind::Import => {
                let lineage = entry.needed_bytes("lineage")?.to_vec();
                let version = narrow(entry.needed_number("version")?);
                let dataset = entry.needed_text("dataset")?;
                self.lineages.insert(dataset.into(), (lineage, version));
            }
            Kind::Proposal => {
                let proposed = proposed(entry)?;
                self.jobs.entry(proposed.job.clone()).or_insert(proposed);
            }
            Kind::Showing => {
                let digest = entry.bytes("opened_digest");
                let digest = digest.and_then(|bytes| bytes.try_into().ok());
                if let (Some(lineage), Some(digest)) = (entry.bytes("lineage"), digest) {
                    self.opened.says(lineage, digest);
                }
                let more = shown(entry)?;
                let shown = self.of(entry)?.shown.get_or_insert_default();
                *shown = shown.plus(&more);
            }
            Kind::Stock => {
                let stocks = narrow(entry.needed_number("number")?);
                let counters = &mut self.of(entry)?.counters;
                counters.stocks = counters.stocks.max(stocks);
            }
            Kind::Opening => self.hear_opening(entry)?,
            _ => {}
        }
        Ok(())
    }

    fn hear_opening(&mut self, entry: &Entry) -> Result<(), AuditError> {
        let openings = entry.needed_number("round")?;
        let columns = entry.needed_number("columns")?;
        let values = entry.needed_number("values")?;
        let said = self.opened(entry)?;
        // The first version's entries do not have it: such an opening is answered no more.
        if entry.fields.contains_key("message") || !said.is_first_version {
            let message = entry.needed_bytes("message")?.try_into();
            let message = message.map_err(|_| AuditError::Field { field: "message" })?;
            let job = entry.needed_text("job")?;
            let number = narrow(openings);
            let said = CountedOpening { number, message };
            let known = self.counted.entry(job.into()).or_insert(said);
            if known.number < number {
                *known = said;
            }
        }
        let of_job = self.of(entry)?;
        let today = OpenedDay {
            day: said.day,
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
        counters.exact_values = counters.exact_values.max(said.exact_values);
        counters.nano_rho = counters.nano_rho.max(said.nano_rho);
        Ok(())
    }

    /// What an entry says of the job beside columns and values. Those of the first version have
    /// none of the three, but the account's numbers: what these grew by is the job's, and where
    /// they shrank (the store was put back) all of them, which is never too little.
    fn opened(&mut self, entry: &Entry) -> Result<Opened, AuditError> {
        const OF_JOB: [&str; 3] = ["exact_values", "nano_rho", "day"];
        let lineage = entry.needed_bytes("lineage")?.to_vec();
        let all = [
            entry.needed_number("all_exact_values")?,
            entry.needed_number("all_nano_rho")?,
        ];
        let before = self.accounts.insert(lineage, all).unwrap_or_default();
        if OF_JOB.iter().any(|field| entry.fields.contains_key(*field)) {
            return Ok(Opened {
                exact_values: entry.needed_number("exact_values")?,
                nano_rho: entry.needed_number("nano_rho")?,
                day: narrow(entry.needed_number("day")?),
                is_first_version: false,
            });
        }
        let of_job = self.of(entry)?;
        let grown = |now: u64, before| now.checked_sub(before).unwrap_or(now);
        let counters = &of_job.counters;
        Ok(Opened {
            exact_values: counters
                .exact_values
                .saturating_add(grown(all[0], before[0])),
            nano_rho: counters.nano_rho.saturating_add(grown(all[1], before[1])),
            day: s3rec_job::counting::today(&of_job.days, entry.time_unix_ms),
            is_first_version: true,
        })
    }

    /// The row of the entry's job, of the lineage that the entry names: all but the first
    /// version's stocks name one.
    fn of(&mut self, entry: &Entry) -> Result<&mut JobDisclosure, AuditError> {
        let job = entry.needed_text("job")?;
        let of_job = self.jobs.entry(job.into());
        let of_job = of_job.or_insert_with(|| unknown(job));
        if entry.kind != Kind::Stock || entry.fields.contains_key("lineage") {
            of_job.lineage = entry.needed_bytes("lineage")?.to_vec();
        }
        Ok(of_job)
    }
}

/// Of an opening's job, this opening included.
struct Opened {
    exact_values: u64,
    nano_rho: u64,
    day: u32,
    is_first_version: bool,
}

/// What left beside the openings.
fn shown(entry: &Entry) -> Result<Shown, AuditError> {
    Ok(match entry.needed_text("what")? {
        "intersection" => Shown {
            intersections: 1,
            ids_asked: entry.needed_number("ids")?,
            ..Shown::default()
        },
        "bounds" => Shown {
            bounds: 1,
            pattern_rows: entry.needed_number("pattern_rows")?,
            ..Shown::default()
        },
        "commitment" => Shown {
            commitments: 1,
            ..Shown::default()
        },
        // Has no counter.
        AGREEMENT => Shown::default(),
        _ => return Err(AuditError::Field { field: "what" }),
    })
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
fn proposed(entry: &Entry) -> Result<JobDisclosure, AuditError> {
    let job = entry.needed_text("job")?;
    let proposal = older::proposal(entry.needed_bytes("proposal")?).ok();
    let delta = match proposal.as_ref().map(|proposal| proposal.release) {
        Some(ReleasePolicy::Noised { delta, .. }) => delta,
        _ => USUAL_DELTA,
    };
    Ok(JobDisclosure {
        peer: entry.needed_text("peer")?.into(),
        release: proposal.as_ref().map(|proposal| proposal.release),
        pattern: proposal.as_ref().map(|proposal| proposal.pattern),
        delta,
        ..unknown(job)
    })
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
