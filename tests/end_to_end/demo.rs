//! The demonstration: what it reports, and that it leaves nothing behind.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use s3rec_cli::connection::Connection;
use s3rec_job::RunReport;
use s3rec_tests::command::{run, s3rec};
use s3rec_tests::data::Files;
use s3rec_tests::pair::Pair;
use s3rec_tests::processes::{naming, send, wait_until};

/// How long whatever was interrupted may take to be gone.
const GONE: Duration = Duration::from_secs(15);

#[test]
fn a_small_set_is_learnt_as_in_the_clear() {
    let temporary = tempfile::tempdir().unwrap();
    let data = tempfile::tempdir().unwrap();
    let files = Files::small(data.path());
    let report_directory = data.path().join("out");
    let run = run(
        temporary.path(),
        &demo(
            &files,
            "5",
            &["--report", text(&report_directory), "--json"],
        ),
    );
    let shown = run.json();

    let written = std::fs::read_to_string(report_directory.join("report.json")).unwrap();
    let report: RunReport = serde_json::from_str(&written).unwrap();
    assert_eq!(
        shown,
        serde_json::from_str::<serde_json::Value>(&written).unwrap()
    );
    assert!(report.max_abs_factor_diff.unwrap() <= 1e-3, "{report:?}");
    let (secure, plaintext) = (
        report.quality.secure.unwrap(),
        report.quality.plaintext.unwrap(),
    );
    assert!((secure.rmse - plaintext.rmse).abs() <= 5e-4, "{report:?}");
    assert_eq!((report.rounds, report.openings), (5, 5));
    assert_eq!(report.opened_values, report.dataset.common_users * 4 * 5);
    assert!(report.cost.online.bytes_to_social > 0 && report.cost.online.bytes_to_rating > 0);
    assert!(
        report.parameters.security_bits.unwrap() >= 128,
        "{report:?}"
    );
    assert!(
        report.parameters.statistical_bits.unwrap() >= 40,
        "{report:?}"
    );
    assert!(report.peak_rss_bytes.rating.unwrap() > 0);
    let data = report.data.unwrap();
    assert_eq!((data.used, data.dropped), (report.dataset.ratings, 0));
    assert!(report.quality.placebo.unwrap().rmse > 0.0);
    assert!(shown["warnings"].is_array());
    assert_nothing_left(temporary.path());
}

#[test]
fn people_get_a_table() {
    let temporary = tempfile::tempdir().unwrap();
    let data = tempfile::tempdir().unwrap();
    let files = Files::small(data.path());
    let run = run(temporary.path(), &demo(&files, "2", &[]));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    for row in [
        "global mean",
        "biases",
        "no social term",
        "placebo (links rewired",
        "plaintext social",
        "secure social",
    ] {
        assert!(run.stdout.contains(row), "{}", run.stdout);
    }
    // What consenting gives away is said before anything is opened.
    assert!(
        run.stderr.contains("Consenting gives away"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_stock_of_columns_is_the_default_and_as_exact() {
    let temporary = tempfile::tempdir().unwrap();
    let data = tempfile::tempdir().unwrap();
    let files = Files::small(data.path());
    let (ratings, links) = (text(&files.ratings), text(&files.links));
    let arguments = [
        "demo",
        "--solver",
        "gd",
        "--rank",
        "4",
        "--rounds",
        "5",
        "--json",
        "--ratings",
        ratings,
        "--links",
        links,
    ];
    let shown = run(temporary.path(), &arguments).json();
    let report: RunReport = serde_json::from_value(shown).unwrap();
    assert_eq!(report.protocol, "preprocessed");
    assert!(report.max_abs_factor_diff.unwrap() <= 1e-3, "{report:?}");
    assert!(report.cost.offline.bytes_to_social > report.cost.online.bytes_to_social);
    assert_eq!(report.openings, 5);
    assert_nothing_left(temporary.path());
}

/// SocialMF on the operator that has columns of its own, the rows it needs fetched privately.
#[test]
fn trusted_users_are_fetched_privately_and_as_exact() {
    let temporary = tempfile::tempdir().unwrap();
    let data = tempfile::tempdir().unwrap();
    let files = Files::small(data.path());
    let reports = ["preprocessed-pir", "preprocessed"].map(|protocol| {
        let arguments = [
            "demo",
            "--json",
            "--protocol",
            protocol,
            "--operator",
            "out-average",
            "--pattern",
            "active-rows",
            "--rank",
            "4",
            "--rounds",
            "4",
            "--ratings",
            text(&files.ratings),
            "--links",
            text(&files.links),
        ];
        let shown = run(temporary.path(), &arguments).json();
        let report: RunReport = serde_json::from_value(shown).unwrap();
        assert_eq!(report.protocol, protocol);
        assert!(report.max_abs_factor_diff.unwrap() <= 1e-3, "{report:?}");
        report
    });
    let [fetched, sent] = reports;
    // Though each job numbers the common users anew.
    assert_eq!(fetched.quality.secure, sent.quality.secure);
    assert_eq!(fetched.opened_values, sent.opened_values);
    assert!(fetched.cost.offline.bytes_to_rating > sent.cost.offline.bytes_to_rating);
    assert_nothing_left(temporary.path());
}

#[test]
fn platforms_that_run_already_are_used_and_stay() {
    let mut pair = Pair::start();
    let data = tempfile::tempdir().unwrap();
    let files = Files::small(data.path());
    let client = |name: &str, connection: &Connection| {
        let path = data.path().join(format!("{name}-client.toml"));
        let file = format!(
            "address = {:?}\nca = {:?}\ncertificate = {:?}\nkey = {:?}\n",
            connection.address, connection.ca, connection.certificate, connection.key
        );
        std::fs::write(&path, file).unwrap();
        path
    };
    let rating = client("rating", &pair.rating_connection());
    let social = client("social", &pair.social_connection());
    let more = ["--rating-client", text(&rating), "--json"];
    let alone = run(pair.home.path(), &demo(&files, "3", &more));
    assert_eq!(alone.code, Some(2), "one platform is not enough: {alone:?}");
    let both = [&more[..], &["--social-client", text(&social)]].concat();
    let shown = run(pair.home.path(), &demo(&files, "3", &both)).json();
    let report: RunReport = serde_json::from_value(shown).unwrap();
    assert_eq!(report.openings, 3);
    assert!(report.max_abs_factor_diff.unwrap() <= 1e-3, "{report:?}");
    pair.rating.assert_well();
    pair.social.assert_well();
}

#[test]
fn files_come_in_pairs_and_must_exist() {
    let temporary = tempfile::tempdir().unwrap();
    assert_eq!(
        run(temporary.path(), &["demo", "--ratings", "x.tsv"]).code,
        Some(2)
    );
    let absent = [
        "demo",
        "--solver",
        "gd",
        "--ratings",
        "/absent/r.tsv",
        "--links",
        "/absent/l.tsv",
        "--json",
    ];
    let error = run(temporary.path(), &absent).error();
    assert_eq!(error["reason"], "FILE");
    assert!(
        error["message"].as_str().unwrap().contains("/absent/r.tsv"),
        "{error}"
    );
}

#[test]
fn an_interrupt_ends_everything() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut running = Running::start();
        send(running.child.id(), signal);
        assert_eq!(running.exit_code(), Some(130));
        assert_nothing_left(running.temporary.path());
    }
}

#[test]
fn a_killed_demonstration_takes_its_daemons_along() {
    let mut running = Running::start();
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    let temporary = running.temporary.path();
    wait_until("the daemons end", GONE, || naming(temporary).is_empty());
    wait_until("the workspace is removed", GONE, || is_empty(temporary));
}

#[test]
fn a_killed_daemon_is_named_with_what_the_other_saw() {
    for (killed, survivor) in [("rating", "social"), ("social", "rating")] {
        let mut running = Running::start();
        send(running.daemon(killed), Signal::KILL);
        assert_eq!(running.exit_code(), Some(1));
        let said = std::fs::read_to_string(&running.stderr).unwrap();
        assert!(
            said.contains(&format!(
                "the {killed} platform's daemon ended unexpectedly"
            )),
            "{said}"
        );
        assert!(said.contains("signal: 9"), "{said}");
        let words = said
            .lines()
            .find(|line| line.contains("The other platform reports:"));
        let words = words.unwrap().to_lowercase();
        assert!(
            words.contains(killed) && words.contains("round"),
            "{survivor}: {said}"
        );
        assert_nothing_left(running.temporary.path());
    }
}

/// A demonstration in the middle of its rounds.
struct Running {
    child: Child,
    temporary: tempfile::TempDir,
    stderr: PathBuf,
    _data: tempfile::TempDir,
}

impl Running {
    fn start() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let data = tempfile::tempdir().unwrap();
        let files = Files::small(data.path());
        let stderr = data.path().join("stderr");
        let mut command = s3rec(temporary.path(), &demo(&files, "50000", &[]));
        command
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&stderr).unwrap());
        let mut child = command.spawn().unwrap();
        wait_until("the first round", Duration::from_secs(60), || {
            assert!(
                child.try_wait().unwrap().is_none(),
                "{}",
                std::fs::read_to_string(&stderr).unwrap()
            );
            std::fs::read_to_string(&stderr)
                .unwrap()
                .contains(" of 50000")
        });
        Self {
            child,
            temporary,
            stderr,
            _data: data,
        }
    }

    fn daemon(&self, name: &str) -> u32 {
        let program = format!("s3rec-{name} daemon");
        let found = naming(self.temporary.path());
        found
            .iter()
            .find(|(_, line)| line.contains(&program))
            .unwrap()
            .0
    }

    fn exit_code(&mut self) -> Option<i32> {
        let mut status = None;
        wait_until("the demonstration ends", GONE + GONE, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_opening_of_friends_sums_is_a_page_with_its_verdict_on_top() {
    let temporary = tempfile::tempdir().unwrap();
    let data = tempfile::tempdir().unwrap();
    let files = Files::of_users(data.path(), 500);
    let out = data.path().join("out");
    let ran = run(
        temporary.path(),
        &[
            "demo",
            "--operator",
            "friends",
            "--ratings",
            text(&files.ratings),
            "--links",
            text(&files.links),
            "--report",
            text(&out),
            "--json",
        ],
    );
    let report = ran.json();
    let sentence = report["verdict"]["sentence"].as_str().unwrap();
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    let at = |words: &str| {
        page.find(words)
            .unwrap_or_else(|| panic!("{words}: {page}"))
    };
    let escaped = sentence.replace('<', "&lt;").replace('>', "&gt;");
    let order = [
        escaped.as_str(),
        "For each pair of users separately",
        "<h2>What was shown</h2>",
        "Payload counted",
        "<h2>Names and dates</h2>",
    ];
    let places = order.map(at);
    assert!(places.is_sorted(), "{places:?}");
    assert!(page.contains("prefers-color-scheme: dark"));
    for fetched in ["src=\"http", "href=\"http", "url(", "@import"] {
        assert!(!page.contains(fetched), "{fetched}: {page}");
    }
}

fn demo<'a>(files: &'a Files, rounds: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let fixed = [
        "demo",
        "--protocol",
        "he",
        "--solver",
        "gd",
        "--rank",
        "4",
        "--rounds",
        rounds,
        "--ratings",
        text(&files.ratings),
    ];
    let links = ["--links", text(&files.links)];
    fixed
        .into_iter()
        .chain(links)
        .chain(more.iter().copied())
        .collect()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// No process, zombies included, and no file.
fn assert_nothing_left(temporary: &Path) {
    assert_eq!(naming(temporary), []);
    assert!(is_empty(temporary), "{temporary:?} is not empty");
}

fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).unwrap().next().is_none()
}
