//! Mistakes that everybody makes once: each message names what is wrong, where, and how to put it right.
//! The messages are in `mistakes.md`; `S3REC_WRITE=1` writes it anew, for a person to read the difference.

use std::fmt::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use s3rec_cli::client;
use s3rec_cli::connection::Connection;
use s3rec_node::pki::CertificateRole;
use s3rec_node::process::now_unix_ms;
use s3rec_testkit::addresses::free_port;
use s3rec_tests::binaries::Program;
use s3rec_tests::command::{Run, flags, run};
use s3rec_tests::data::Files;
use s3rec_tests::pair::Pair;
use s3rec_wire::v1;
use serde_json::Value;

/// Messages under their mistakes, with what changes from run to run replaced.
struct Page {
    text: String,
    replaced: Vec<(String, &'static str)>,
}

impl Page {
    fn note(&mut self, mistake: &str, said: &Run) {
        assert_ne!(said.code, Some(0), "{mistake}: {said:?}");
        let shown = [said.stdout.trim(), said.stderr.trim()].join("\n");
        let mut shown = shown.trim().to_owned();
        for (from, to) in &self.replaced {
            shown = shown.replace(from, to);
        }
        let code = said.code.unwrap();
        write!(
            self.text,
            "\n## {mistake}\n\nExit code {code}.\n\n```text\n{shown}\n```\n"
        )
        .unwrap();
    }
}

#[test]
fn each_mistake_is_answered_with_what_is_wrong_where_and_the_remedy() {
    // As s3rec init makes them: each platform with an authority of its own.
    let mut pair = Pair::with_two_authorities();
    let data = tempfile::tempdir().unwrap();
    let files = Files::small(data.path());
    let home = pair.home.path().to_owned();
    let port = |address: &str| address.rsplit(':').next().unwrap().trim().to_owned();
    let free = free_port().to_string();
    let metrics = std::fs::read_to_string(home.join("rating-data/observability.addr")).unwrap();
    let (rating, social) = (pair.rating_connection(), pair.social_connection());
    let mut page = Page {
        text:
            "# Mistakes, and what is said to them\n\nWritten by `tests/end_to_end/mistakes.rs`.\n"
                .into(),
        replaced: vec![
            (home.display().to_string(), "HOME"),
            (free.clone(), "FREE"),
            (port(&metrics), "METRICS"),
            (port(&rating.address), "RATING"),
            (port(&social.address), "SOCIAL"),
            (port(&pair.peer_address()), "PEER"),
        ],
    };
    let at = |connection: &Connection, line: &str| {
        let mut arguments: Vec<String> = line.split(' ').map(String::from).collect();
        arguments.extend(flags(connection));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run(&home, &arguments)
    };
    let to = |port: &str| Connection {
        address: format!("https://localhost:{port}"),
        ..rating.clone()
    };

    let nowhere = home.join("nowhere.toml");
    let line = ["rating", "jobs", "--client", nowhere.to_str().unwrap()];
    page.note("A client file that is not there", &run(&home, &line));
    page.note("The wrong port", &at(&to(&free), "rating jobs"));
    let other = port(&social.address);
    page.note("The other platform's port", &at(&to(&other), "rating jobs"));
    let peer = port(&pair.peer_address());
    page.note(
        "The port between the platforms",
        &at(&to(&peer), "rating jobs"),
    );
    let metrics = port(&metrics);
    page.note("The port for metrics", &at(&to(&metrics), "rating jobs"));
    let posing = Connection {
        certificate: social.certificate.clone(),
        key: social.key.clone(),
        ..rating.clone()
    };
    page.note("The other role's certificate", &at(&posing, "rating jobs"));
    let (certificate, key) = foreign_operator(&home);
    let foreign = Connection {
        certificate,
        key,
        ..rating.clone()
    };
    page.note(
        "A certificate of another authority",
        &at(&foreign, "rating jobs"),
    );
    let (certificate, key) = pair.home.ended(CertificateRole::RatingOperator);
    let ended = Connection {
        certificate,
        key,
        ..rating.clone()
    };
    page.note("A certificate that has ended", &at(&ended, "rating jobs"));
    page.note(
        "A key that others can read",
        &at(&exposed(&rating, &home), "rating jobs"),
    );

    at(
        &rating,
        &format!("rating import {}", files.ratings.display()),
    );
    at(&social, &format!("social import {}", files.links.display()));
    let propose = "rating propose --purpose pilot --rank 4 --rounds 2";
    let proposed = at(&rating, &format!("{propose} --json")).json();
    let job = proposed["job_id"].as_str().unwrap().to_owned();
    page.replaced.push((job.clone(), "JOB"));
    page.note(
        "A start before the approval",
        &at(&rating, &format!("rating start {}", &job[..8])),
    );
    page.note("The same proposal twice", &at(&rating, propose));
    let again = at(&rating, &format!("{propose} --again --json")).json();
    assert_ne!(again["job_id"].as_str().unwrap(), job);
    at(
        &social,
        &format!("social reject {job} --reason this-year-no"),
    );
    let seen = at(&rating, &format!("rating watch {job} --json"));
    let seen: Value = serde_json::from_str(&seen.stdout).unwrap();
    assert_eq!(
        seen.as_array().unwrap().last().unwrap()["state"],
        "JOB_STATE_REJECTED"
    );
    page.note(
        "A start of what was rejected",
        &at(&rating, &format!("rating start {job}")),
    );
    let proposed = at(&rating, &format!("{propose} --again --json")).json();
    let late = proposed["job_id"].as_str().unwrap().to_owned();
    page.replaced.push((late.clone(), "LATE"));
    approve_for_a_moment(&social, &late);
    page.note(
        "A start after the approval has expired",
        &at(&rating, &format!("rating start {late}")),
    );

    pair.social.kill();
    page.note(
        "A social platform that does not run",
        &at(
            &rating,
            "rating propose --purpose other --rank 4 --rounds 2",
        ),
    );
    let typo = configuration_with_a_typo(&home);
    page.note("A word misspelt in the configuration", &daemon(&typo));
    let missing = home.join("nowhere.toml");
    page.note("A configuration that is not there", &daemon(&missing));

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("end_to_end/mistakes.md");
    if std::env::var_os("S3REC_WRITE").is_some() {
        std::fs::write(&path, &page.text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        page.text, expected,
        "run with S3REC_WRITE=1 and read the difference"
    );
}

/// Approves a job, and waits until that is over; by the terminal approvals last days.
fn approve_for_a_moment(social: &Connection, job: &str) {
    let approve = v1::ApproveProposalRequest {
        job_id: job.into(),
        expires_unix_ms: now_unix_ms() + 500,
        ..v1::ApproveProposalRequest::default()
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let approved = runtime.block_on(async {
        let mut client = client::social(social).await.unwrap();
        client.approve_proposal(approve).await
    });
    approved.unwrap();
    std::thread::sleep(Duration::from_millis(600));
}

/// An operator of the right role, by an authority that nobody here has heard of.
fn foreign_operator(home: &Path) -> (PathBuf, PathBuf) {
    let keys = home.join("foreign");
    s3rec_node::pki::issue_platform(&keys, CertificateRole::Rating, &[]).unwrap();
    (
        keys.join("rating-operator.pem"),
        keys.join("rating-operator.key"),
    )
}

fn exposed(connection: &Connection, home: &Path) -> Connection {
    let key = home.join("exposed.key");
    std::fs::copy(&connection.key, &key).unwrap();
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    Connection {
        key,
        ..connection.clone()
    }
}

fn configuration_with_a_typo(home: &Path) -> PathBuf {
    let text = std::fs::read_to_string(home.join("rating.toml")).unwrap();
    let path = home.join("typo.toml");
    std::fs::write(&path, text.replacen("listen =", "listn =", 1)).unwrap();
    path
}

fn daemon(configuration: &Path) -> Run {
    let output = Command::new(Program::Rating.path())
        .arg("--config")
        .arg(configuration)
        .output()
        .unwrap();
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
