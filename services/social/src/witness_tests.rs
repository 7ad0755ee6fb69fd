//! The audit log as a second witness: what is counted again of it, and what it must say.

use s3rec_audit::entry::{Fields, fields};
use s3rec_audit::{AuditError, Entry, Kind, Value};
use s3rec_job::{Counters, JobDisclosure, OpenedDay, Proposal, Shown};
use s3rec_node::process::now_unix_ms;
use s3rec_node::versions;
use s3rec_sparse::{BoundsRule, OperatorKind, PatternPolicy, PublicBounds, StatedBounds};
use s3rec_spmm::{Protocol, ReleasePolicy};
use s3rec_wire::convert::proposal_to_wire;
use s3rec_wire::record::Record;
use s3rec_wire::status::Reason;

use crate::attack_tests::Bare;
use crate::disclosing::AGREEMENT;
use crate::platform::Platform;
use crate::setup_tests::proposal;
use crate::tables::DISCLOSURES;
use crate::witness::{MADE_UP, Testimony, USUAL_DELTA, hear};

const LINEAGE: [u8; 16] = [3; 16];

fn log<const N: usize>(platform: &Platform, kind: Kind, fields: [(&str, Value); N]) {
    platform.audit.record(kind, fields).unwrap();
}

fn of_showing(job: &str, what: &str, number: (&'static str, u64)) -> [(&'static str, Value); 4] {
    [
        ("job", job.into()),
        ("lineage", LINEAGE.into()),
        ("what", what.into()),
        (number.0, number.1.into()),
    ]
}

fn of_opening(job: &str, round: u64, day: u64) -> [(&'static str, Value); 11] {
    [
        ("job", job.into()),
        ("lineage", LINEAGE.into()),
        ("round", round.into()),
        ("message", [8; 32].into()),
        ("columns", (4 * round).into()),
        ("values", (160 * round).into()),
        ("exact_values", (100 * round).into()),
        ("nano_rho", (10 * round).into()),
        ("day", day.into()),
        ("all_exact_values", (7_000 + 100 * round).into()),
        ("all_nano_rho", (700 + 10 * round).into()),
    ]
}

fn showing(platform: &Platform, job: &str, what: &str, number: (&'static str, u64)) {
    log(platform, Kind::Showing, of_showing(job, what, number));
}

fn opening(platform: &Platform, job: &str, round: u64, day: u64) {
    log(platform, Kind::Opening, of_opening(job, round, day));
}

fn stored(platform: &Platform, job: &str) -> JobDisclosure {
    platform.store.get(DISCLOSURES, job).unwrap().unwrap()
}

fn raised(platform: &Platform) -> usize {
    let mut raised = 0;
    let look = |entry: &Entry| {
        raised += usize::from(entry.kind == Kind::Disclosure);
        Ok(())
    };
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
    showing(platform, job, AGREEMENT, ("opened", 9));
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

fn entry(kind: Kind, fields: Fields) -> Entry {
    Entry {
        sequence: 1,
        time_unix_ms: 24 * 60 * 60 * 1000 * 30 + 5,
        previous: [0; 32],
        kind,
        fields,
    }
}

/// Every field that is counted, names a job or says whose links it was: none has a stand-in.
#[test]
fn an_entry_without_a_field_of_its_kind_is_heard_as_nothing_else() {
    let imported = fields([
        ("dataset", "links".into()),
        ("lineage", LINEAGE.into()),
        ("version", 3_u64.into()),
    ]);
    let proposed = fields([
        ("job", "j".into()),
        ("peer", "rating".into()),
        ("proposal", vec![1, 2].into()),
    ]);
    let stocked = fields([("job", "j".into()), ("number", 1_u64.into())]);
    for (kind, whole) in [
        (Kind::Import, imported),
        (Kind::Proposal, proposed),
        (Kind::Stock, stocked),
        (
            Kind::Showing,
            fields(of_showing("j", "intersection", ("ids", 4))),
        ),
        (
            Kind::Showing,
            fields(of_showing("j", "bounds", ("pattern_rows", 4))),
        ),
        (Kind::Opening, fields(of_opening("j", 1, 20))),
    ] {
        let hear = |fields: &Fields| Testimony::default().hear(&entry(kind, fields.clone()));
        assert_eq!(hear(&whole), Ok(()));
        for field in whole.keys() {
            let refused = |error| match error {
                Err(AuditError::Field { field: named }) => assert_eq!(named, field, "{kind:?}"),
                other => panic!("{kind:?} without {field}: {other:?}"),
            };
            let mut without = whole.clone();
            without.remove(field);
            refused(hear(&without));
            // Nor is one of another type.
            let other = match &whole[field] {
                Value::Number(_) => "4".into(),
                _ => 4_u64.into(),
            };
            without.insert(field.clone(), other);
            refused(hear(&without));
        }
    }
    let unheard_of = fields(of_showing("j", "something newer", ("ids", 4)));
    assert_eq!(
        Testimony::default().hear(&entry(Kind::Showing, unheard_of)),
        Err(AuditError::Field { field: "what" })
    );
}

/// Under a number whatever message came first, and the newest number.
#[test]
fn the_last_opening_is_of_the_message_that_it_was_counted_with() {
    let mut testimony = Testimony::default();
    for (round, message) in [(1, 1_u8), (2, 2), (2, 3), (1, 4)] {
        let mut opened = fields(of_opening("j", round, 20));
        opened.insert("message".into(), [message; 32].into());
        testimony.hear(&entry(Kind::Opening, opened)).unwrap();
    }
    let counted = testimony.counted["j"];
    assert_eq!((counted.number, counted.message), (2, [2; 32]));
}

#[test]
fn an_entry_that_lacks_something_is_named_by_its_number() {
    let bare = Bare::new();
    let platform = &bare.platform;
    let mut without = of_opening("j", 1, 20);
    without[7].0 = "nano rho";
    let before = platform.audit.head().unwrap().sequence;
    log(platform, Kind::Opening, without);
    let refused = hear(platform).unwrap_err();
    assert_eq!(refused.reason, Reason::StorageFailed);
    let named = format!("entry {}: the entry's field nano_rho", before + 1);
    assert!(refused.message.contains(&named), "{refused}");
    assert!(
        refused.remedy.contains("audit export"),
        "{}",
        refused.remedy
    );
}

/// The first version's openings name no message, no day and nothing of the job but columns and
/// values; its stocks no lineage.
#[test]
fn openings_of_the_first_version_count_what_the_account_grew_by() {
    let mut testimony = Testimony::default();
    let stocked = fields([("job", "j".into()), ("number", 1_u64.into())]);
    testimony.hear(&entry(Kind::Stock, stocked)).unwrap();
    let mut hear = |round: u64, all: [u64; 2], message: Option<u8>| {
        let mut opened = fields(of_opening("j", round, 0));
        for later in ["message", "exact_values", "nano_rho", "day"] {
            opened.remove(later);
        }
        opened.insert("all_exact_values".into(), all[0].into());
        opened.insert("all_nano_rho".into(), all[1].into());
        if let Some(message) = message {
            opened.insert("message".into(), [message; 32].into());
        }
        testimony.hear(&entry(Kind::Opening, opened)).unwrap();
        let of_job = testimony.jobs["j"].clone();
        let number = testimony.counted.get("j").map(|counted| counted.number);
        (of_job, number)
    };
    let of = |of_job: &JobDisclosure| (of_job.counters.exact_values, of_job.counters.nano_rho);
    let (of_job, number) = hear(1, [160, 9], None);
    assert_eq!((of(&of_job), number), ((160, 9), None));
    assert_eq!((of_job.days[0].day, of_job.days[0].columns), (30, 4));
    // Said twice.
    let (of_job, _) = hear(1, [160, 9], None);
    assert_eq!((of(&of_job), of_job.openings), ((160, 9), 1));
    let (of_job, number) = hear(2, [320, 10], Some(4));
    assert_eq!((of(&of_job), number), ((320, 10), Some(2)));
    // The store was put back in between: too much, rather than too little.
    let (of_job, _) = hear(3, [240, 5], None);
    assert_eq!((of(&of_job), of_job.openings), ((560, 15), 3));
    assert_eq!(
        of_job.days,
        [OpenedDay {
            day: 30,
            columns: 12,
            values: 480
        }]
    );
}
