use super::*;
use crate::{JobId, Terms};
use s3rec_model::SolverKind;
use s3rec_sparse::{BoundsRule, OperatorKind};
use s3rec_spmm::{FriendsRelease, release};
use s3rec_spmm::{ProductRequest, Protocol, choose_parameters};

pub(crate) fn proposal(release: ReleasePolicy) -> Proposal {
    Proposal {
        job: JobId::random(),
        purpose: String::new(),
        rank: 10,
        solver: SolverKind::Als,
        operator: OperatorKind::Laplacian,
        rounds: 20,
        social_weight: None,
        regularization: None,
        learning_rate: None,
        social_bias_weight: 1.0,
        protocol: Protocol::Preprocessed,
        pattern: PatternPolicy::Nothing,
        release,
        saturation_bound: 8.0,
        guard_bits: 2,
        id_rule: "nfc-trim".into(),
        terms: Terms::default(),
    }
}

fn disclosure_of(release: ReleasePolicy, openings: u32) -> JobDisclosure {
    let proposal = proposal(release);
    let mut request =
        ProductRequest::new(Protocol::Preprocessed, OperatorKind::Laplacian, 50, 11, 20);
    request.row_norm_bound = 24;
    request.nonzeros_bound = 128;
    let agreed = AgreedParameters::from(choose_parameters(&request).unwrap());
    let counted = Counted {
        proposal: &proposal,
        peer: "p",
        lineage: &[3; 16],
        openings,
        stocks: 1,
        overlap: None,
        parameters: Some(&agreed),
        bytes: 1000,
        days: vec![OpenedDay {
            day: 7,
            columns: 11,
            values: 550,
        }],
        bounds: None,
        shown: Some(Shown {
            intersections: 1,
            ids_asked: 60,
            ..Shown::default()
        }),
        peer_pin: vec![5; 32],
    };
    counted.disclosure(true, NOW)
}

const NOW: i64 = 1_795_800_000_000;

pub(crate) const NOISED: ReleasePolicy = ReleasePolicy::Noised {
    sigma: 4.0,
    row_norm_beta: 1.0,
    delta: 1e-6,
};

#[test]
fn jobs_add_up_over_a_lineage() {
    let (exact, noised) = (
        disclosure_of(ReleasePolicy::Exact, 2),
        disclosure_of(NOISED, 4),
    );
    let account = account(&[3; 16], [&exact, &noised], Counters::default());
    let counters = account.counters;
    assert_eq!(
        (counters.jobs, counters.openings, counters.stocks),
        (2, 6, 2)
    );
    assert_eq!(counters.opened_columns, 66);
    assert_eq!(
        (counters.opened_values, counters.exact_values),
        (3300, 1100)
    );
    // ρ of one opening is (2√2)² / (2 · 4²) = 1/4.
    assert!((1_000_000_000..=1_000_000_004).contains(&counters.nano_rho));
    assert!((account.epsilon - release::epsilon(1.0, 1e-6)).abs() < 1e-6);
    assert_eq!(account.bytes, 2000);
    let shown = account.shown.unwrap();
    assert_eq!((shown.intersections, shown.ids_asked), (2, 120));
    assert_eq!((account.days.len(), account.days[0].columns), (1, 22));
    // Exact openings are beyond any ε.
    let words = account.statements.join("\n");
    assert!(words.contains("no ε bounds"), "{words}");
}

/// Whatever was counted elsewhere, and whichever job comes last.
#[test]
fn an_account_goes_on_from_what_was_counted() {
    let lineage = [3; 16];
    let missing = Counters {
        openings: 5,
        opened_columns: 55,
        ..Counters::default()
    };
    let before = account(&lineage, [], missing);
    assert_eq!(before.lineage, lineage);
    assert_eq!(before.counters, missing);
    let exact = disclosure_of(ReleasePolicy::Exact, 2);
    let noised = disclosure_of(NOISED, 4);
    for (one, other) in [(&exact, &noised), (&noised, &exact)] {
        let both = with_job(&with_job(&before, one), other);
        assert_eq!(both, account(&lineage, [one, other], missing));
        assert_eq!(both.counters.openings, 11);
        // A job without noise has no δ that could be the least.
        assert!((both.delta - 1e-6).abs() < f64::EPSILON);
        assert!((rho_of(both.counters.nano_rho) - 1.0).abs() < 1e-6);
        assert!((rho_of(3 * both.counters.nano_rho) - 3.0).abs() < 1e-6);
    }
}

#[test]
fn an_opening_with_noise_never_counts_as_nothing() {
    for beta in [1e-170, f64::MIN_POSITIVE, 1e-9, 1.0] {
        let one = nano_rho(OperatorKind::Laplacian, 24, beta, 4.0);
        assert!(one >= 1, "{beta}");
    }
}

/// Whatever two counts of a job are, and in whichever order they are stored.
#[test]
fn counts_that_are_joined_lose_nothing() {
    let mut state = 11_u64;
    let mut draw = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    };
    let mut drawn = || {
        let small = |n: u64| u32::try_from(n).unwrap();
        let mut days = Vec::new();
        for day in 0..4 {
            if draw(2) == 0 {
                days.push(OpenedDay {
                    day,
                    columns: draw(5),
                    values: draw(5),
                });
            }
        }
        JobDisclosure {
            openings: small(draw(5)),
            opened_columns: draw(5),
            opened_values: draw(5),
            common_users: small(draw(5)),
            bytes: draw(5),
            counters: Counters {
                jobs: small(draw(2)),
                openings: draw(5),
                opened_columns: draw(5),
                opened_values: draw(5),
                exact_values: draw(5),
                nano_rho: draw(5),
                stocks: small(draw(5)),
            },
            epsilon: draw(5) as f64,
            days,
            shown: (draw(3) > 0).then(|| Shown {
                intersections: small(draw(5)),
                ids_asked: draw(5),
                bounds: small(draw(5)),
                pattern_rows: draw(5),
                commitments: small(draw(5)),
            }),
            ..JobDisclosure::default()
        }
    };
    let holds = |all: &JobDisclosure, one: &JobDisclosure| {
        let (most, shown) = (all.shown.unwrap_or_default(), one.shown.unwrap_or_default());
        let days = one.days.iter().all(|day| {
            let known = all.days.iter().find(|known| known.day == day.day);
            known.is_some_and(|k| k.columns >= day.columns && k.values >= day.values)
        });
        all.counters.contains(&one.counters)
            && most.joined(&shown) == most
            && days
            && all.openings >= one.openings
            && all.opened_columns >= one.opened_columns
            && all.opened_values >= one.opened_values
            && all.common_users >= one.common_users
            && all.bytes >= one.bytes
            && all.epsilon >= one.epsilon
    };
    for _ in 0..2000 {
        let (one, other) = (drawn(), drawn());
        let joined = one.clone().joined(&other);
        assert!(holds(&joined, &one) && holds(&joined, &other));
        assert!(joined.days.is_sorted_by_key(|day| day.day));
        assert_eq!(joined.clone().joined(&one), joined);
        assert_eq!(joined.clone().joined(&other), joined);
    }
}

/// Words and names are those of the count with more openings, of the newer one where both have
/// as many; the latest time and whichever overlap is known stay.
#[test]
fn what_is_joined_is_told_in_the_words_of_more_openings() {
    let told = |openings, word: &str, delta, updated_unix_ms, overlap| JobDisclosure {
        openings,
        statements: vec![word.into()],
        own_statements: vec![format!("own {word}")],
        delta,
        updated_unix_ms,
        overlap,
        ..JobDisclosure::default()
    };
    let overlap = |common_users| {
        Some(Overlap {
            common_users,
            ..Overlap::default()
        })
    };
    let few = || told(1, "few", 0.1, 9, None);
    let many = || told(3, "many", 0.2, 5, overlap(7));
    for (now, before) in [(few(), many()), (many(), few())] {
        assert_eq!(now.joined(&before), told(3, "many", 0.2, 9, overlap(7)));
    }
    let newer = || told(3, "newer", 0.3, 6, overlap(8));
    assert_eq!(newer().joined(&many()), newer());
}

#[test]
fn a_job_counts_as_one_once_something_is_opened() {
    let jobs = |openings| disclosure_of(ReleasePolicy::Exact, openings).counters.jobs;
    assert_eq!([0, 1, 5].map(jobs), [0, 1, 1]);
}

#[test]
fn a_clock_that_is_set_back_gives_no_day_twice() {
    let day = |day| OpenedDay {
        day,
        ..OpenedDay::default()
    };
    assert_eq!(today(&[], NOW), 20_784);
    assert_eq!(today(&[day(3), day(4_000_000)], NOW), 4_000_000);
    let mut days = vec![day(3), day(9)];
    count_day(&mut days, day(5));
    assert_eq!(
        days.iter().map(|known| known.day).collect::<Vec<_>>(),
        [3, 5, 9]
    );
}

/// μ² adds up as twice ρ, whole numbers on both sides, and nothing is promised of data that has
/// been opened without noise.
#[test]
fn an_opening_of_friends_sums_counts_its_mu() {
    let release = |mu| FriendsRelease {
        mu,
        sides: s3rec_spmm::noise_first::Sides::One,
        few_below: 5,
        calibration_share: 0.2,
        most_opened: 100,
        row_norm_bound: 1.0,
    };
    assert_eq!(friends_nano_rho(&release(1.0)), 500_000_000);
    assert_eq!(friends_nano_rho(&release(f64::NAN)), u64::MAX);
    assert_eq!(mu_of(0), None);
    let mut opened = disclosure_of(ReleasePolicy::Friends(release(1.0)), 1);
    assert_eq!(opened.counters.nano_rho, 500_000_000);
    assert_eq!((opened.epsilon, opened.delta), (4.89, 1e-6));
    opened.counters.exact_values = 0;
    opened.bounds = Some(PublicBounds {
        stated: s3rec_sparse::StatedBounds {
            degree: 8,
            links: 100,
        },
        rule: BoundsRule::Stated,
    });
    let twice = account(&[], [&opened, &opened], Counters::default());
    let mu = mu_of(twice.counters.nano_rho).unwrap().value();
    assert!((mu - std::f64::consts::SQRT_2).abs() < 1e-9);
    let said = twice.statements.join("\n");
    assert!(said.contains("For each pair of users"), "{said}");
    opened.counters.exact_values = 1;
    let said = account(&[], [&opened], Counters::default())
        .statements
        .join("\n");
    assert!(said.contains("nothing is promised"), "{said}");
    assert!(!said.contains("For each pair of users"), "{said}");
}
