//! A daemon asked how it is, by its own program and by the command.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use s3rec_node::pki::{self, CertificateRole};
use s3rec_tests::binaries::Program;
use s3rec_tests::command::{Run, flags, run};
use s3rec_tests::pair::{Daemon, Home, Pair};

#[test]
fn daemons_that_serve_say_so_and_those_that_ended_do_not() {
    let mut pair = Pair::start();
    for (program, name) in [(Program::Rating, "rating"), (Program::Social, "social")] {
        let configuration = pair.home.path().join(format!("{name}.toml"));
        let asked = ask(program, &configuration);
        assert_eq!(asked.code, Some(0), "{asked:?}");
        assert_eq!(
            by_command(&pair.home, &configuration).json()["serving"],
            true
        );
    }
    pair.social.terminate();
    assert!(pair.social.wait(Duration::from_secs(15)).success());
    let configuration = pair.home.path().join("social.toml");
    let asked = ask(Program::Social, &configuration);
    assert_eq!(asked.code, Some(1), "{asked:?}");
    assert!(asked.stderr.contains("nobody answers"), "{asked:?}");
    let error = by_command(&pair.home, &configuration).error();
    assert_eq!(error["reason"], "UNHEALTHY");
}

#[test]
fn a_daemon_that_never_ran_is_named() {
    let home = Home::new();
    let error = by_command(&home, &home.social_configuration()).error();
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("operator.addr") && message.contains("running"),
        "{message}"
    );
}

#[test]
fn operators_of_another_authority_do_not_lock_the_daemon_out_of_its_own_health() {
    let home = Home::new();
    let elsewhere = home.path().join("operators");
    pki::issue(&elsewhere, &[]).unwrap();
    let configuration = home.social_configuration();
    let mut text = std::fs::read_to_string(&configuration).unwrap();
    text = text.replace("[operator]\n", "[operator]\nca = \"operators/ca.pem\"\n");
    std::fs::write(&configuration, text).unwrap();
    let social = Daemon::start(Program::Social, &configuration, &home.data_dir("social"));
    let asked = ask(Program::Social, &configuration);
    assert_eq!(asked.code, Some(0), "{asked:?}");

    // The other platform's certificate, of the general authority, is nobody here.
    let (certificate, key) = home.identity(CertificateRole::Rating);
    let mut theirs = text_of(&configuration);
    theirs = theirs.replace("keys/social.pem", certificate.to_str().unwrap());
    theirs = theirs.replace("keys/social.key", key.to_str().unwrap());
    let stranger = home.path().join("stranger.toml");
    std::fs::write(&stranger, theirs).unwrap();
    assert_ne!(ask(Program::Social, &stranger).code, Some(0));

    // And an operator of the general authority gets nowhere, one of the operators' own does.
    let connection = home.connection(CertificateRole::SocialOperator, &social.operator_address);
    assert_ne!(proposals(&home, &connection).code, Some(0));
    let connection = s3rec_cli::connection::Connection {
        certificate: elsewhere.join("social-operator.pem"),
        key: elsewhere.join("social-operator.key"),
        ..connection
    };
    let listed = proposals(&home, &connection);
    assert_eq!(listed.code, Some(0), "{listed:?}");
}

#[test]
fn platforms_with_an_authority_each_are_well_and_tell_so() {
    let pair = Pair::with_two_authorities();
    for (program, name) in [(Program::Rating, "rating"), (Program::Social, "social")] {
        let configuration = pair.home.path().join(format!("{name}.toml"));
        let asked = ask(program, &configuration);
        assert_eq!(asked.code, Some(0), "{asked:?}");
        let configuration = configuration.to_str().unwrap();
        let doctor = ["doctor", "--json", "--config", configuration];
        let examined = run(pair.home.path(), &doctor);
        assert_eq!(examined.code, Some(0), "{examined:?}");
        let document: serde_json::Value = serde_json::from_str(&examined.stdout).unwrap();
        let verdict = |check: &str| {
            let lines = document["checks"].as_array().unwrap();
            let line = lines.iter().find(|line| line["check"] == check).unwrap();
            line["verdict"].as_str().unwrap().to_owned()
        };
        let port = if name == "social" { "peer port" } else { "tls" };
        for check in ["chain", "operators", "pin", "daemon", port] {
            assert_eq!(verdict(check), "ok", "{check}: {document}");
        }
    }
    // Each platform's people are let in, and the other platform's authority makes none.
    let connection = pair.social_connection();
    assert_eq!(proposals(&pair.home, &connection).code, Some(0));
    let theirs = pair.home.path().join("rating-keys");
    let posing = s3rec_cli::connection::Connection {
        certificate: theirs.join("social-operator.pem"),
        key: theirs.join("social-operator.key"),
        ..connection
    };
    assert_ne!(proposals(&pair.home, &posing).code, Some(0));
}

#[test]
fn a_platform_that_leaves_its_operators_to_the_other_authority_does_not_start() {
    let home = Home::with_two_authorities();
    let configuration = home.social_configuration();
    let text = text_of(&configuration).replace("ca = \"social-keys/ca.pem\"\n", "");
    std::fs::write(&configuration, &text).unwrap();
    let mut social = Daemon::spawn(Program::Social, &configuration);
    assert!(!social.wait(Duration::from_secs(30)).success());
    assert!(social.log().contains("set operator.ca"), "{}", social.log());
    let doctor = [
        "doctor",
        "--json",
        "--config",
        configuration.to_str().unwrap(),
    ];
    let examined = run(home.path(), &doctor);
    assert_eq!(examined.code, Some(1), "{examined:?}");
    let words = &examined.stdout;
    assert!(words.contains("Set operator.ca"), "{words}");
    assert!(!words.contains("tls.ca must hold"), "no bundling: {words}");

    // Whoever bundles both all the same gets its own authority's operators, and no others.
    let both = ["rating-keys", "social-keys"].map(|keys| home.path().join(keys).join("ca.pem"));
    let both = both
        .map(|path| std::fs::read_to_string(path).unwrap())
        .concat();
    std::fs::write(home.path().join("both.pem"), both).unwrap();
    let bundled = text.replace("rating-keys/ca.pem", "both.pem");
    std::fs::write(&configuration, bundled).unwrap();
    let social = Daemon::start(Program::Social, &configuration, &home.data_dir("social"));
    assert_eq!(ask(Program::Social, &configuration).code, Some(0));
    let connection = home.connection(CertificateRole::SocialOperator, &social.operator_address);
    assert_eq!(proposals(&home, &connection).code, Some(0));
    let theirs = home.path().join("rating-keys");
    let posing = s3rec_cli::connection::Connection {
        certificate: theirs.join("social-operator.pem"),
        key: theirs.join("social-operator.key"),
        ..connection
    };
    assert_ne!(proposals(&home, &posing).code, Some(0));
}

fn proposals(home: &Home, connection: &s3rec_cli::connection::Connection) -> Run {
    let flags = flags(connection);
    let verb = ["social", "proposals"].into_iter();
    let arguments: Vec<&str> = verb.chain(flags.iter().map(String::as_str)).collect();
    run(home.path(), &arguments)
}

fn ask(program: Program, configuration: &Path) -> Run {
    let mut command = Command::new(program.path());
    command
        .arg("--config")
        .arg(configuration)
        .arg("healthcheck");
    let output = command.output().unwrap();
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn by_command(home: &Home, configuration: &Path) -> Run {
    let configuration = configuration.to_str().unwrap();
    run(
        home.path(),
        &["healthcheck", "--json", "--config", configuration],
    )
}

fn text_of(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
