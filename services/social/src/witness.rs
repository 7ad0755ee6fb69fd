//! The audit log as a second witness of the ledger. Whatever leaves is on disk there first, with
//! its numbers; so a store that was lost, or put back to an older state, gets back what the log
//! says was counted, before anything more is.

use std::collections::BTreeMap;

use s3rec_audit::{Entry, Kind};
use s3rec_job::{CountedOpening, JobDisclosure, OpenedDay, OpenedUsers, Shown};
use s3rec_node::process::now_unix_ms;
use s3rec_node::versions;
use s3rec_spmm::ReleasePolicy;
use s3rec_wire::convert::proposal_from_wire;
use s3rec_wire::record::Record;
use s3rec_wire::status::Fault;
use s3rec_wire::v1;

use crate::ledger;
use crate::platform::Platform;
use crate::tables::{COUNTED, DISCLOSURES};

/// δ of a noised job whose proposal does not read any more.
const USUAL_DELTA: f64 = 1e-6;

const MADE_UP: &str = "Counted again from the audit log: the store had lost some of it.";

/// What the log says.
#[derive(Default)]
struct Testimony {
    jobs: BTreeMap<String, JobDisclosure>,
    /// By job: its last opening, and of which message it was first.
    counted: BTreeMap<String, CountedOpening>,
    /// By data set: its lineage and newest version.
    lineages: BTreeMap<String, (Vec<u8>, u32)>,
    opened: WitnessedOpened,
}

/// By lineage: the digest of all users who were opened in one-sided releases of friends' sums, as the
/// newest agreement on such has it.
#[derive(Default)]
pub(crate) struct WitnessedOpened(BTreeMap<Vec<u8>, [u8; 32]>);

impl WitnessedOpened {
    /// The newest agreement about a lineage.
    pub(crate) fn says(&mut self, lineage: &[u8], digest: [u8; 32]) {
        self.0.insert(lineage.to_vec(), digest);
    }

    /// Whether these are the users of whom the log knows.
    pub(crate) fn is_known(&self, lineage: &[u8], opened: &OpenedUsers) -> bool {
        let witnessed = self.0.get(lineage);
        witnessed.is_none_or(|digest| opened.digest() == *digest)
    }
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
                let digest = entry.bytes("opened_digest");
                let digest = digest.and_then(|bytes| bytes.try_into().ok());
                if let (Some(lineage), Some(digest)) = (entry.bytes("lineage"), digest) {
                    self.opened.says(lineage, digest);
                }
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
                    Some("commitment") => Shown {
                        commitments: 1,
                        ..Shown::default()
                    },
                    // That friends' sums were agreed on has no counter.
                    _ => Shown::default(),
                });
            }
            Kind::Stock => {
                let stocks = narrow(number("number"));
                let counters = &mut self.of(job, entry).counters;
                counters.stocks = counters.stocks.max(stocks);
            }
            Kind::Opening => {
                let message = entry
                    .bytes("message")
                    .and_then(|bytes| bytes.try_into().ok());
                if let Some(message) = message {
                    let number = narrow(number("round"));
                    let said = CountedOpening { number, message };
                    let known = self.counted.entry(job.into()).or_insert(said);
                    if known.number < number {
                        *known = said;
                    }
                }
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

#[cfg(test)]
mod tests {
    use s3rec_audit::Value;
    use s3rec_job::{Counters, Proposal};
    use s3rec_sparse::{BoundsRule, OperatorKind, PatternPolicy, PublicBounds, StatedBounds};
    use s3rec_spmm::Protocol;
    use s3rec_wire::convert::proposal_to_wire;

    use super::*;
    use crate::attack_tests::Bare;
    use crate::setup_tests::proposal;

    const LINEAGE: [u8; 16] = [3; 16];

    fn log<const N: usize>(platform: &Platform, kind: Kind, fields: [(&str, Value); N]) {
        platform.audit.record(kind, fields).unwrap();
    }

    fn showing(platform: &Platform, job: &str, what: &str, number: (&str, u64)) {
        let fields = [
            ("job", job.into()),
            ("lineage", LINEAGE.into()),
            ("what", what.into()),
            (number.0, number.1.into()),
        ];
        log(platform, Kind::Showing, fields);
    }

    fn opening(platform: &Platform, job: &str, round: u64, day: u64) {
        let fields = [
            ("job", job.into()),
            ("lineage", LINEAGE.into()),
            ("round", round.into()),
            ("columns", (4 * round).into()),
            ("values", (160 * round).into()),
            ("exact_values", (100 * round).into()),
            ("nano_rho", (10 * round).into()),
            ("day", day.into()),
        ];
        log(platform, Kind::Opening, fields);
    }

    fn stored(platform: &Platform, job: &str) -> JobDisclosure {
        platform.store.get(DISCLOSURES, job).unwrap().unwrap()
    }

    fn raised(platform: &Platform) -> usize {
        let mut raised = 0;
        let look = |entry: &Entry| raised += usize::from(entry.kind == Kind::Disclosure);
        platform.audit.each(look).unwrap();
        raised
    }

    /// A job of which the log has everything: two openings, on two days.
    fn logged(platform: &Platform, proposal: &Proposal) -> JobDisclosure {
        let job = &proposal.job.to_string();
        let fields = [
            ("job", job.as_str().into()),
            ("peer", "rating".into()),
            ("proposal", proposal_to_wire(proposal).to_record().into()),
        ];
        log(platform, Kind::Proposal, fields);
        showing(platform, job, "intersection", ("ids", 40));
        showing(platform, job, "intersection", ("ids", 2));
        showing(platform, job, "bounds", ("pattern_rows", 7));
        showing(platform, job, "commitment", ("all_commitments", 1));
        // Has no counter.
        showing(platform, job, "agreement on friends' sums", ("opened", 9));
        for number in [1_u64, 2] {
            let fields = [("job", job.as_str().into()), ("number", number.into())];
            log(platform, Kind::Stock, fields);
        }
        opening(platform, job, 1, 20);
        opening(platform, job, 2, 21);
        // Said twice where the daemon ended between the entry and the count.
        opening(platform, job, 2, 21);
        let day = |day| OpenedDay {
            day,
            columns: 4,
            values: 160,
        };
        JobDisclosure {
            job: job.clone(),
            peer: "rating".into(),
            openings: 2,
            opened_columns: 8,
            opened_values: 320,
            release: Some(proposal.release),
            pattern: Some(proposal.pattern),
            lineage: LINEAGE.to_vec(),
            counters: Counters {
                jobs: 1,
                openings: 2,
                opened_columns: 8,
                opened_values: 320,
                exact_values: 200,
                nano_rho: 20,
                stocks: 2,
            },
            delta: 1e-5,
            days: vec![day(20), day(21)],
            shown: Some(Shown {
                intersections: 2,
                ids_asked: 42,
                bounds: 1,
                pattern_rows: 7,
                commitments: 1,
            }),
            statements: vec![MADE_UP.into()],
            ..JobDisclosure::default()
        }
    }

    fn noised() -> Proposal {
        Proposal {
            release: ReleasePolicy::Noised {
                sigma: 8.0,
                row_norm_beta: 1.0,
                delta: 1e-5,
            },
            pattern: PatternPolicy::Nothing,
            ..proposal(OperatorKind::Laplacian, Protocol::Preprocessed)
        }
    }

    #[test]
    fn what_the_log_says_is_counted_again_and_once() {
        let bare = Bare::new();
        let (platform, proposal) = (&bare.platform, noised());
        let job = proposal.job.to_string();
        let said = logged(platform, &proposal);
        let began = now_unix_ms();
        hear(platform).unwrap();
        let made_up = stored(platform, &job);
        assert!(made_up.updated_unix_ms >= began);
        let updated_unix_ms = made_up.updated_unix_ms;
        assert_eq!(
            made_up,
            JobDisclosure {
                updated_unix_ms,
                ..said
            }
        );
        assert_eq!(raised(platform), 1);
        hear(platform).unwrap();
        assert_eq!(stored(platform, &job), made_up);
        assert_eq!(raised(platform), 1);
        // Of a job whose proposal the log does not have the numbers stand all the same.
        opening(platform, "another", 1, 22);
        hear(platform).unwrap();
        let another = stored(platform, "another");
        assert_eq!((another.openings, another.release), (1, None));
        assert!((another.delta - USUAL_DELTA).abs() < f64::EPSILON);
        assert_eq!(
            (another.lineage, another.statements.len()),
            (LINEAGE.to_vec(), 1)
        );
        assert_ne!(another.updated_unix_ms, 0);
    }

    /// Numbers are raised, words and names stay; what is higher in the store is left alone.
    #[test]
    fn a_store_of_before_is_raised_to_the_log_number_by_number() {
        let bare = Bare::new();
        let (platform, proposal) = (&bare.platform, noised());
        let job = proposal.job.to_string();
        let said = logged(platform, &proposal);
        let bounds = PublicBounds {
            stated: StatedBounds {
                degree: 8,
                links: 40,
            },
            rule: BoundsRule::Stated,
        };
        let whole = JobDisclosure {
            peer: "as it was called".into(),
            statements: vec!["before".into()],
            bounds: Some(bounds),
            ..said.clone()
        };
        let put = |row: &JobDisclosure| platform.store.put(DISCLOSURES, &job, row).unwrap();
        // Everything is there, or more.
        let mut more = whole.clone();
        more.counters.stocks = 9;
        for row in [&whole, &more] {
            put(row);
            hear(platform).unwrap();
            assert_eq!(stored(platform, &job), *row);
            assert_eq!(raised(platform), 0);
        }
        // Of before the second opening, of before all of them, and of before the bounds.
        let first = JobDisclosure {
            openings: 1,
            opened_columns: 4,
            opened_values: 160,
            counters: Counters {
                openings: 1,
                opened_columns: 4,
                opened_values: 160,
                exact_values: 100,
                nano_rho: 10,
                ..said.counters
            },
            days: said.days[..1].to_vec(),
            ..whole.clone()
        };
        let none = JobDisclosure {
            openings: 0,
            opened_columns: 0,
            opened_values: 0,
            counters: Counters::default(),
            days: Vec::new(),
            lineage: Vec::new(),
            delta: 0.0,
            ..whole.clone()
        };
        let shown = said.shown.map(|shown| Shown {
            bounds: 0,
            pattern_rows: 0,
            ..shown
        });
        let unbounded = JobDisclosure {
            shown,
            ..whole.clone()
        };
        for (number, row) in [first, none, unbounded].iter().enumerate() {
            put(row);
            hear(platform).unwrap();
            let raised_to = stored(platform, &job);
            assert_ne!(raised_to.updated_unix_ms, row.updated_unix_ms);
            let expected = JobDisclosure {
                statements: vec!["before".into(), MADE_UP.into()],
                updated_unix_ms: raised_to.updated_unix_ms,
                ..whole.clone()
            };
            assert_eq!(raised_to, expected, "{number}");
            assert_eq!(raised(platform), number + 1);
        }
    }

    #[test]
    fn a_data_set_that_the_store_lost_keeps_its_lineage() {
        let bare = Bare::new();
        let platform = &bare.platform;
        let imported = |dataset: &str, lineage: u8, version: u64| {
            let fields = [
                ("dataset", dataset.into()),
                ("lineage", [lineage; 16].into()),
                ("version", version.into()),
            ];
            log(platform, Kind::Import, fields);
        };
        imported("links", 5, 1);
        imported("links", 5, 2);
        imported("friends", 6, 1);
        hear(platform).unwrap();
        let known = versions::all(&platform.store).unwrap();
        let known: Vec<_> = known
            .iter()
            .map(|known| (known.dataset.as_str(), known.lineage[0], known.version))
            .collect();
        assert_eq!(known, [("friends", 6, 1), ("links", 5, 2)]);
        // There is nothing to use until it is imported again.
        assert_eq!(versions::of(&platform.store, "links").unwrap(), None);
        let again = versions::next(
            &platform.store,
            (versions::VERSIONS, "links"),
            "",
            [1; 32],
            [2; 32],
        )
        .unwrap();
        assert_eq!((again.lineage, again.version), (vec![5; 16], 3));
    }
}
