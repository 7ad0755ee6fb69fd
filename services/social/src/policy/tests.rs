use s3rec_job::{Account, Counters, JobId, OpenedDay, Shown, Terms};
use s3rec_model::SolverKind;
use s3rec_sparse::{BoundsRule, OperatorKind, PatternPolicy};
use s3rec_spmm::noise_first::Sides;
use s3rec_spmm::{FriendsRelease, Protocol, ReleasePolicy};

use super::*;

const RULE: &str = r#"[[rule]]
peer = "*"
dataset = "links"
decide = "approve"
protocols = ["preprocessed", "he"]
patterns = ["nothing"]
releases = ["noised", "exact"]
largest_rank = 10
most_intersections = 6
most_ids_asked = 7000
most_columns_per_day = 100
most_values_per_day = 5000
most_columns = 150
most_values = 9000
most_stocks = 3
most_rho = 0.5
most_epsilon = 4.0
least_common_users = 50
degree_bound = 128
links_bound = 4096
longest_days = 30
"#;

fn policy(text: &str) -> Result<Policy, PolicyError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.toml");
    std::fs::write(&path, text).unwrap();
    Policy::read(&path)
}

fn proposal() -> Proposal {
    Proposal {
        job: JobId::random(),
        purpose: String::new(),
        rank: 10,
        solver: SolverKind::Als,
        operator: OperatorKind::Laplacian,
        rounds: 5,
        social_weight: None,
        regularization: None,
        learning_rate: None,
        social_bias_weight: 0.0,
        protocol: Protocol::He,
        pattern: PatternPolicy::Nothing,
        release: ReleasePolicy::Exact,
        saturation_bound: 8.0,
        guard_bits: 2,
        id_rule: "nfc-trim".into(),
        terms: Terms::default(),
    }
}

fn account(columns: u64, values: u64) -> Account {
    Account {
        counters: Counters {
            opened_columns: columns,
            opened_values: values,
            ..Counters::default()
        },
        ..Account::default()
    }
}

/// Of one data set, which is the only one.
fn planned(of_data: Account) -> Planned {
    Planned {
        of_all: of_data.clone(),
        of_data,
    }
}

#[test]
fn a_bad_file_is_refused_by_line_and_field() {
    let lines: Vec<&str> = RULE.lines().collect();
    for left_out in 1..lines.len() {
        let field = lines[left_out].split(' ').next().unwrap();
        let text: Vec<&str> = (0..lines.len())
            .filter(|line| *line != left_out)
            .map(|line| lines[line])
            .collect();
        let error = policy(&text.join("\n")).unwrap_err().to_string();
        assert!(
            error.contains(field) && error.contains("line 1"),
            "{field}: {error}"
        );
    }
    for (line, wrong) in [
        (4, "protocols = [\"prepossessed\"]"),
        (5, "patterns = [\"unspecified\"]"),
        (6, "releases = [\"exact\", \"\"]"),
        (7, "largest_rank = -1"),
        (7, "largest_rank = \"ten\""),
        (3, "decide = \"always\""),
        (14, "most_stock = 3"),
        // What is written to be no limit is none.
        (15, "most_rho = inf"),
        (15, "most_rho = nan"),
        (16, "most_epsilon = -1.0"),
        (16, "most_epsilon = 4.0\ndelta = 0.999999"),
        (18, "degree_bound = 0"),
        (19, "links_bound = 0"),
        (19, "links_bound = 9\nbounds = \"tight\""),
        (20, "expires = \"tomorrow\""),
    ] {
        let mut text = lines.clone();
        text[line] = wrong;
        let error = policy(&text.join("\n")).unwrap_err().to_string();
        let named = format!("line {}", line + wrong.lines().count());
        assert!(error.contains(&named), "{named}: {error}");
    }
    let missing = Policy::read(Path::new("/nowhere/policy.toml")).unwrap_err();
    assert!(matches!(missing, PolicyError::File { .. }));
}

#[test]
fn nothing_is_allowed_unless_a_rule_allows_it() {
    let denied = |policy: &Policy| {
        let judged = policy.judge("p", &proposal(), |_, _| Ok(Some(planned(account(0, 0)))));
        matches!(judged.unwrap(), Verdict::Deny { .. })
    };
    let empty = policy("").unwrap();
    assert!(denied(&empty));
    assert!(empty.rule("p", "links").is_err());
    let other = policy(&RULE.replace("\"*\"", "\"somebody\"")).unwrap();
    assert!(denied(&other));
    let ask = policy("default = \"ask\"").unwrap();
    let judged = ask.judge("p", &proposal(), |_, _| Ok(None)).unwrap();
    assert_eq!(judged, Verdict::Ask);
    assert!(ask.rule("p", "links").unwrap().is_none());
}

#[test]
fn each_limit_denies_by_name() {
    let policy = policy(RULE).unwrap();
    let judge = |change: fn(&mut Proposal), columns: u64, values: u64| {
        let mut proposal = proposal();
        change(&mut proposal);
        policy
            .judge("p", &proposal, |_, _| {
                Ok(Some(planned(account(columns, values))))
            })
            .unwrap()
    };
    let approved = Verdict::Approve {
        dataset: "links".into(),
    };
    assert_eq!(judge(|_| (), 150, 9000), approved);
    type Denial = (&'static str, fn(&mut Proposal), u64, u64);
    let denials: [Denial; 7] = [
        ("protocols", |p| p.protocol = Protocol::HePir, 0, 0),
        ("patterns", |p| p.pattern = PatternPolicy::ActiveRows, 0, 0),
        (
            "releases",
            |p| p.release = ReleasePolicy::Coarse { released_bits: 9 },
            0,
            0,
        ),
        ("largest_rank", |p| p.rank = 11, 0, 0),
        ("most_columns_per_day", |p| p.rounds = 11, 0, 0),
        ("most_columns", |_| (), 151, 0),
        ("most_values", |_| (), 0, 9001),
    ];
    for (field, change, columns, values) in denials {
        match judge(change, columns, values) {
            Verdict::Deny { why } => assert!(why.contains(field), "{field}: {why}"),
            other => panic!("{field}: {other:?}"),
        }
    }
}

/// A second rule about the same data does not allow what the first does not.
#[test]
fn the_first_rule_about_a_data_set_holds() {
    let stricter = RULE.replace("largest_rank = 10", "largest_rank = 9");
    let policy = policy(&(stricter + RULE)).unwrap();
    let judged = policy.judge("p", &proposal(), |_, _| Ok(Some(planned(account(0, 0)))));
    assert!(matches!(judged.unwrap(), Verdict::Deny { .. }));
}

/// Something of everything that is limited; ρ is 0.25.
pub(super) fn spent() -> Account {
    Account {
        counters: Counters {
            opened_columns: 100,
            opened_values: 8000,
            nano_rho: 250_000_000,
            stocks: 2,
            ..Counters::default()
        },
        shown: Some(Shown {
            intersections: 5,
            ids_asked: 6000,
            ..Shown::default()
        }),
        ..Account::default()
    }
}

/// Each field of a rule, tightened alone, ends a job that the rule allowed before: every one is
/// asked wherever a rule is.
#[test]
fn every_field_of_a_rule_is_asked_of_a_job_that_was_approved() {
    let noised = Proposal {
        release: ReleasePolicy::Noised {
            sigma: 4.0,
            row_norm_beta: 0.5,
            delta: 1e-3,
        },
        ..proposal()
    };
    let account = spent();
    let asked = |text: &str| {
        let policy = policy(text).unwrap();
        let rule = policy.rule("p", "links")?.unwrap().clone();
        let standing = Standing {
            proposal: &noised,
            approved_unix_ms: now_unix_ms() - 3 * 24 * 60 * 60 * 1000 - 1000,
            bounds: BoundsRule::Stated,
            common_users: Some(60),
            account: &account,
            today: OpenedDay {
                day: 1,
                columns: 50,
                values: 4000,
            },
            year_nano_rho: None,
        };
        Ok::<(), Fault>(rule.permits(&standing)?)
    };
    asked(RULE).unwrap();
    // ε at the rule's own δ: 4.0 covers ρ = 0.25 at 1e-6, and the proposal's 1e-3 is nothing to it.
    for (field, loose, tight) in [
        ("policy", "peer = \"*\"", "peer = \"somebody\""),
        ("policy", "dataset = \"links\"", "dataset = \"other\""),
        (
            "protocols",
            "protocols = [\"preprocessed\", \"he\"]",
            "protocols = [\"preprocessed\"]",
        ),
        (
            "patterns",
            "patterns = [\"nothing\"]",
            "patterns = [\"active-rows\"]",
        ),
        (
            "releases",
            "releases = [\"noised\", \"exact\"]",
            "releases = [\"exact\"]",
        ),
        ("largest_rank", "largest_rank = 10", "largest_rank = 9"),
        (
            "most_intersections",
            "most_intersections = 6",
            "most_intersections = 4",
        ),
        (
            "most_ids_asked",
            "most_ids_asked = 7000",
            "most_ids_asked = 5999",
        ),
        (
            "most_columns_per_day",
            "most_columns_per_day = 100",
            "most_columns_per_day = 49",
        ),
        (
            "most_values_per_day",
            "most_values_per_day = 5000",
            "most_values_per_day = 3999",
        ),
        ("most_columns", "most_columns = 150", "most_columns = 99"),
        ("most_values", "most_values = 9000", "most_values = 7999"),
        ("most_stocks", "most_stocks = 3", "most_stocks = 1"),
        ("most_rho", "most_rho = 0.5", "most_rho = 0.24"),
        ("most_epsilon", "most_epsilon = 4.0", "most_epsilon = 3.0"),
        (
            "most_epsilon",
            "most_epsilon = 4.0",
            "most_epsilon = 4.0\ndelta = 1e-12",
        ),
        (
            "least_common_users",
            "least_common_users = 50",
            "least_common_users = 61",
        ),
        ("longest_days", "longest_days = 30", "longest_days = 3"),
        (
            "expires",
            "longest_days = 30",
            "longest_days = 30\nexpires = \"2020-01-01T00:00:00Z\"",
        ),
    ] {
        let text = RULE.replace(loose, tight);
        assert_ne!(text, RULE, "{field}");
        let fault = asked(&text).unwrap_err();
        assert_eq!(fault.reason, Reason::BeyondConsent);
        assert_eq!(fault.metadata["field"], field, "{fault:?}");
    }
}

#[test]
fn bounds_from_the_links_need_a_rule_that_allows_them() {
    let proposal = proposal();
    let account = account(0, 0);
    let standing = Standing::planned(&proposal, BoundsRule::Ladder, &account);
    let refusal = |text: &str| {
        let policy = policy(text).unwrap();
        let rule = policy.rule("p", "links").unwrap().unwrap();
        rule.permits(&standing).err().map(|refusal| refusal.why)
    };
    assert!(refusal(RULE).unwrap().contains("bounds"));
    let ladder = RULE.to_owned() + "bounds = \"ladder\"\n";
    assert_eq!(refusal(&ladder), None);
    let rule = policy(&ladder).unwrap();
    let bounds = rule.rule("p", "links").unwrap().unwrap().bounds();
    assert_eq!((bounds.stated.degree, bounds.stated.links), (128, 4096));
}

/// The demonstration of old: ρ = 16 was booked as ε = 3.16 at a δ of the proposal's own.
#[test]
fn the_other_sides_delta_changes_no_limit() {
    let spent = Account {
        counters: Counters {
            nano_rho: 16_000_000_000,
            ..Counters::default()
        },
        epsilon: 3.16,
        delta: 0.999_999,
        ..Account::default()
    };
    let policy = policy(&RULE.replace("most_rho = 0.5", "most_rho = 100.0")).unwrap();
    let rule = policy.rule("p", "links").unwrap().unwrap();
    let mut reasons = Vec::new();
    for delta in [0.999_999, 1e-3, 1e-12] {
        let proposal = Proposal {
            release: ReleasePolicy::Noised {
                sigma: 1.0,
                row_norm_beta: 1.0,
                delta,
            },
            ..proposal()
        };
        let standing = Standing::planned(&proposal, BoundsRule::Stated, &spent);
        reasons.push(rule.permits(&standing).unwrap_err().why);
    }
    assert!(reasons[0].contains("most_epsilon"), "{reasons:?}");
    assert!(reasons.iter().all(|why| *why == reasons[0]), "{reasons:?}");
}

#[test]
fn an_approval_ends_after_the_longest_days_or_with_the_rule() {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    let end_of = |text: &str| policy(text).unwrap().file.rules[0].latest_end();
    let began = now_unix_ms();
    let after = end_of(RULE) - began;
    assert!(
        (30 * DAY_MS..30 * DAY_MS + 60_000).contains(&after),
        "{after}"
    );
    let shorter = RULE.replace("longest_days = 30", "longest_days = 2");
    let after = end_of(&shorter) - began;
    assert!(
        (2 * DAY_MS..2 * DAY_MS + 60_000).contains(&after),
        "{after}"
    );
    let expiring = format!("{RULE}expires = \"2020-01-01T00:00:00Z\"\n");
    assert_eq!(end_of(&expiring), 1_577_836_800_000);
}

/// μ of a job, of a year and of all there ever were: by default, and as a rule says.
#[test]
fn mu_is_limited_for_a_job_a_year_and_in_all() {
    let text = RULE
        .replace("[\"preprocessed\", \"he\"]", "[\"noise-first\"]")
        .replace("[\"noised\", \"exact\"]", "[\"friends\"]")
        .replace("most_rho = 0.5", "most_rho = 9.0")
        .replace("most_epsilon = 4.0", "most_epsilon = 99.0");
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "of small μ"
    )]
    let nano_rho = |mu: f64| (mu * mu / 2.0 * 1e9).ceil() as u64;
    let asked = |more: &str, mu: f64, year: f64, in_all: f64| {
        let proposal = Proposal {
            protocol: Protocol::NoiseFirst,
            operator: OperatorKind::Friends,
            release: ReleasePolicy::Friends(FriendsRelease {
                mu,
                sides: Sides::One,
                few_below: 5,
                calibration_share: 0.2,
                most_opened: 100,
                row_norm_bound: 1.0,
            }),
            rounds: 1,
            ..proposal()
        };
        let account = Account {
            counters: Counters {
                nano_rho: nano_rho(in_all),
                ..Counters::default()
            },
            ..Account::default()
        };
        let policy = policy(&format!("{text}{more}")).unwrap();
        let rule = policy.rule("p", "links").unwrap().unwrap().clone();
        let standing = Standing {
            proposal: &proposal,
            approved_unix_ms: now_unix_ms(),
            bounds: BoundsRule::Stated,
            common_users: None,
            account: &account,
            today: OpenedDay::default(),
            year_nano_rho: Some(nano_rho(year)),
        };
        let refused = rule.permits(&standing).err();
        refused.map(|refusal| refusal.why)
    };
    for (more, mu, year, in_all, named) in [
        ("", 1.0, 1.0, 1.0, None),
        ("", 1.0, 2.0, 2.0, None),
        ("", 1.01, 1.01, 1.01, Some("most_mu = 1")),
        ("", 1.0, 2.01, 2.0, Some("most_mu_per_year")),
        ("", 1.0, 2.0, 2.01, Some("most_mu_in_all")),
        ("most_mu = 0.5\n", 1.0, 1.0, 1.0, Some("most_mu = 0.5")),
        (
            "most_mu_per_year = 1.0\n",
            1.0,
            1.4,
            1.4,
            Some("most_mu_per_year"),
        ),
        ("most_mu_in_all = 3.0\n", 1.0, 2.0, 2.9, None),
        ("most_mu = 0.0\n", 0.1, 0.1, 0.1, Some("most_mu = 0")),
    ] {
        let why = asked(more, mu, year, in_all);
        match named {
            None => assert_eq!(why, None, "{more} {mu} {year} {in_all}"),
            Some(named) => assert!(
                why.as_deref().is_some_and(|why| why.contains(named)),
                "{why:?}"
            ),
        }
    }
}

/// Whichever comes last: a product with noise after friends' sums finds the limit that they have.
#[test]
fn mu_is_limited_of_whatever_comes_after_friends_sums() {
    let text = RULE
        .replace("most_rho = 0.5", "most_rho = 9.0")
        .replace("most_epsilon = 4.0", "most_epsilon = 99.0");
    let noised = Proposal {
        release: ReleasePolicy::Noised {
            sigma: 8.0,
            row_norm_beta: 1.0,
            delta: 1e-6,
        },
        ..proposal()
    };
    let policy = policy(&text).unwrap();
    let rule = policy.rule("p", "links").unwrap().unwrap();
    let refused = |has_friends| {
        let account = Account {
            counters: Counters {
                nano_rho: 2_100_000_000,
                ..Counters::default()
            },
            has_friends,
            ..Account::default()
        };
        let standing = Standing::planned(&noised, BoundsRule::Stated, &account);
        rule.permits(&standing).err().map(|refusal| refusal.why)
    };
    assert_eq!(refused(false), None);
    assert!(refused(true).unwrap().contains("most_mu_in_all"));
}
