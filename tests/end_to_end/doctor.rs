//! `s3rec doctor` on set-ups that are well and on broken ones.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use s3rec_node::pki::CertificateRole;
use s3rec_tests::command::{Run, run};
use s3rec_tests::pair::{Home, Pair};
use serde_json::Value;

fn examine(home: &Path, platform: &str, more: &[&str]) -> (Run, Value) {
    let config = home.join(format!("{platform}.toml"));
    let config = config.to_str().unwrap().to_owned();
    let examined = run(
        home,
        &[&["doctor", "--json", "--config", &config], more].concat(),
    );
    let document: Value = serde_json::from_str(&examined.stdout)
        .unwrap_or_else(|error| panic!("{error}: {examined:?}"));
    (examined, document)
}

fn verdict<'a>(document: &'a Value, check: &str) -> &'a str {
    let lines = document["checks"].as_array().unwrap();
    let line = lines.iter().find(|line| line["check"] == check);
    let line = line.unwrap_or_else(|| panic!("no line {check}: {document}"));
    if line["verdict"] == "wrong" {
        assert_ne!(
            line["remedy"], "",
            "a wrong line says how to mend it: {line}"
        );
    }
    line["verdict"].as_str().unwrap()
}

#[test]
fn a_pair_that_is_well_passes_at_both_sides() {
    let pair = Pair::start();
    let home = pair.home.path();
    let job = ["--users", "1508", "--nonzeros", "8192"];
    let (examined, document) = examine(home, "rating", &job);
    assert_eq!(examined.code, Some(0), "{document}");
    for check in [
        "configuration",
        "data directory",
        "certificate",
        "keys",
        "chain",
        "signing key",
        "pin",
        "daemon",
        "reachability",
        "tls",
        "protocol version",
        "round trip",
        "bandwidth",
        "largest message",
        "clock",
        "disk for the job",
        "memory for the job",
        "time for the job",
        "operators",
    ] {
        assert_eq!(verdict(&document, check), "ok", "{check}: {document}");
    }
    let (examined, document) = examine(home, "social", &job);
    assert_eq!(examined.code, Some(0), "{document}");
    assert_eq!(verdict(&document, "peer port"), "ok");
    assert_eq!(verdict(&document, "round trip"), "skipped");
}

#[test]
fn each_broken_thing_is_named() {
    let pair = Pair::start();
    let home = pair.home.path();
    let broken = |check: &str, more: &[&str]| {
        let (examined, document) = examine(home, "rating", more);
        assert_eq!(examined.code, Some(1), "{document}");
        assert_eq!(verdict(&document, check), "wrong", "{document}");
        document
    };

    // A pin that is not P1's.
    let pin = "ab".repeat(32);
    std::fs::write(pair.home.pin_file("rating"), &pin).unwrap();
    broken("tls", &[]);
    let theirs = pair.home.path().join("keys/social.pem");
    let theirs = s3rec_node::pki::certificate_in(&theirs).unwrap();
    let theirs = s3rec_node::pki::inspect(&theirs).unwrap().pin.to_string();
    std::fs::write(pair.home.pin_file("rating"), theirs).unwrap();

    // A port that nobody listens on.
    let closed = broken(
        "reachability",
        &["--set", "peer.address=https://localhost:1"],
    );
    assert_eq!(verdict(&closed, "round trip"), "skipped");

    // A job larger than any disk.
    broken(
        "disk for the job",
        &[
            "--users",
            "100000000",
            "--nonzeros",
            "100",
            "--rounds",
            "100",
        ],
    );

    // A certificate that has ended, and another that is not a platform's.
    let (ended, key) = pair.home.ended(CertificateRole::Rating);
    let ended = format!("tls.certificate={}", ended.display());
    let key = format!("tls.key={}", key.display());
    let document = broken("certificate", &["--set", &ended, "--set", &key]);
    assert_eq!(verdict(&document, "chain"), "wrong");
    let (operator, key) = pair.home.identity(CertificateRole::RatingOperator);
    let operator = format!("tls.certificate={}", operator.display());
    let key = format!("tls.key={}", key.display());
    broken("keys", &["--set", &operator, "--set", &key]);

    // A setting that does not exist.
    broken("configuration", &["--set", "tls.kay=x"]);

    // A key that others can read.
    let (_, key) = pair.home.identity(CertificateRole::Rating);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let document = broken("keys", &[]);
    assert!(document.to_string().contains("chmod 600"), "{document}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();

    // A data directory that others can read.
    let data = pair.home.data_dir("rating");
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
    broken("data directory", &[]);
}

#[test]
fn a_disk_without_space_is_named() {
    // /dev/full cannot hold a directory; a file in the directory's place cannot be written to
    // either, by anybody.
    let home = Home::new();
    let _ = home.rating_configuration("localhost:1");
    std::fs::write(home.data_dir("rating"), "in the way").unwrap();
    std::fs::set_permissions(
        home.data_dir("rating"),
        std::fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    let (examined, document) = examine(home.path(), "rating", &[]);
    assert_eq!(examined.code, Some(1), "{document}");
    assert_eq!(verdict(&document, "data directory"), "wrong");
}
