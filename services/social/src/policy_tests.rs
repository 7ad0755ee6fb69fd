use super::*;
use s3rec_sparse::OperatorKind;
use s3rec_wire::convert::{JobId, Terms};

const RULE: &str = r#"[[rule]]
peer = "*"
dataset = "links"
decide = "approve"
protocols = ["preprocessed", "he"]
patterns = ["nothing"]
releases = ["noised", "exact"]
largest_rank = 10
most_columns_per_day = 100
most_values_per_day = 5000
most_columns = 150
most_values = 9000
most_stocks = 3
most_epsilon = 4.0
least_common_users = 50
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
        solver: v1::Solver::Als,
        operator: OperatorKind::Laplacian,
        rounds: 5,
        social_weight: 0.0,
        regularization: 0.0,
        learning_rate: 0.0,
        social_bias_weight: 0.0,
        protocol: Protocol::He,
        pattern: Disclosure::Nothing,
        release: ReleasePolicy::Exact,
        saturation_bound: 8.0,
        guard_bits: 2,
        id_rule: "nfc-trim".into(),
        terms: Terms::default(),
    }
}

fn account(columns: u64, values: u64) -> v1::Account {
    v1::Account {
        counters: Some(v1::Counters {
            opened_columns: columns,
            opened_values: values,
            ..v1::Counters::default()
        }),
        ..v1::Account::default()
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
        (12, "most_stock = 3"),
        (14, "expires = \"tomorrow\""),
    ] {
        let mut text = lines.clone();
        text[line] = wrong;
        let error = policy(&text.join("\n")).unwrap_err().to_string();
        let named = format!("line {}", line + 1);
        assert!(error.contains(&named), "{named}: {error}");
    }
    let missing = Policy::read(Path::new("/nowhere/policy.toml")).unwrap_err();
    assert!(matches!(missing, PolicyError::File { .. }));
}

#[test]
fn nothing_is_allowed_unless_a_rule_allows_it() {
    let denied = |policy: &Policy| {
        let judged = policy.judge("p", &proposal(), |_| Ok(Some(account(0, 0))));
        matches!(judged.unwrap(), Verdict::Deny { .. })
    };
    let empty = policy("").unwrap();
    assert!(denied(&empty));
    assert!(empty.rule("p", "links").is_err());
    let other = policy(&RULE.replace("\"*\"", "\"somebody\"")).unwrap();
    assert!(denied(&other));
    let ask = policy("default = \"ask\"").unwrap();
    let judged = ask.judge("p", &proposal(), |_| Ok(None)).unwrap();
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
            .judge("p", &proposal, |_| Ok(Some(account(columns, values))))
            .unwrap()
    };
    let approved = Verdict::Approve {
        dataset: "links".into(),
    };
    assert_eq!(judge(|_| (), 150, 9000), approved);
    type Denial = (&'static str, fn(&mut Proposal), u64, u64);
    let denials: [Denial; 7] = [
        ("protocols", |p| p.protocol = Protocol::HePir, 0, 0),
        ("patterns", |p| p.pattern = Disclosure::ActiveRows, 0, 0),
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

#[test]
fn limits_hold_at_every_opening() {
    let policy = policy(RULE).unwrap();
    let rule = policy.rule("p", "links").unwrap().unwrap();
    let today = |columns, values| v1::OpenedDay {
        day: 1,
        columns,
        values,
    };
    rule.check_opened(&account(150, 9000), today(100, 5000))
        .unwrap();
    rule.check_overlap(50).unwrap();
    assert!(rule.check_overlap(49).is_err());
    let spent = v1::Account {
        epsilon: 4.1,
        ..account(0, 0)
    };
    for (field, account, day) in [
        ("most_columns", account(151, 0), today(0, 0)),
        ("most_values", account(0, 9001), today(0, 0)),
        ("most_columns_per_day", account(0, 0), today(101, 0)),
        ("most_values_per_day", account(0, 0), today(0, 5001)),
        ("most_epsilon", spent, today(0, 0)),
    ] {
        let fault = rule.check_opened(&account, day).unwrap_err();
        assert_eq!(fault.reason, Reason::BeyondConsent);
        assert_eq!(fault.metadata["field"], field, "{fault:?}");
    }
    let expired = RULE.to_owned() + "expires = \"2020-01-01T00:00:00Z\"\n";
    let expired = super::tests::policy(&expired).unwrap();
    let rule = expired.rule("p", "links").unwrap().unwrap();
    assert!(rule.check_opened(&account(0, 0), today(0, 0)).is_err());
    assert!(rule.check(&proposal()).is_err());
}
