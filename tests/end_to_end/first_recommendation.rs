//! Two platforms in two folders, from `s3rec init` to the first recommendation: as README says it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use s3rec_testkit::addresses::free_port;
use s3rec_tests::binaries::Program;
use s3rec_tests::command::Run;
use s3rec_tests::data::Files;
use s3rec_tests::processes::wait_until;
use serde_json::Value;

/// A working directory, where every command is counted.
struct Shell {
    home: tempfile::TempDir,
    commands: usize,
    daemons: Vec<Child>,
}

impl Shell {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            commands: 0,
            daemons: Vec::new(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn command(&mut self, program: Program, line: &str) -> Command {
        self.commands += 1;
        let mut command = Command::new(program.path());
        command
            .args(line.split_whitespace())
            .current_dir(self.home.path())
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("TMPDIR", self.home.path())
            .env_remove("S3REC_CLIENT")
            .env_remove("S3REC_CONTEXT")
            .stdin(Stdio::null());
        command
    }

    fn daemon(&mut self, program: Program, configuration: &str) {
        let data = self.path(configuration).with_file_name("data");
        let log = fs::File::create(data.with_extension("log")).unwrap();
        let mut command = self.command(program, &format!("--config {configuration}"));
        let started = command.stdout(log.try_clone().unwrap()).stderr(log).spawn();
        self.daemons.push(started.unwrap());
        wait_until("a daemon listens", Duration::from_secs(30), || {
            let daemon = self.daemons.last_mut().unwrap();
            let ended = daemon.try_wait().unwrap();
            let log = fs::read_to_string(data.with_extension("log")).unwrap();
            assert!(ended.is_none(), "the daemon ended, {ended:?}: {log}");
            data.join("operator.addr").exists()
        });
    }

    fn run(&mut self, line: &str) -> Run {
        ended(self.command(Program::Command, line).spawn_captured())
    }

    fn done(&mut self, line: &str) -> String {
        let run = self.run(line);
        assert_eq!(run.code, Some(0), "{line}: {run:?}");
        run.stdout
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

trait Captured {
    fn spawn_captured(&mut self) -> Child;
}

impl Captured for Command {
    fn spawn_captured(&mut self) -> Child {
        let captured = self.stdout(Stdio::piped()).stderr(Stdio::piped());
        captured.spawn().unwrap()
    }
}

fn ended(child: Child) -> Run {
    let output = child.wait_with_output().unwrap();
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Three ports of this machine that nobody listens on.
fn ports() -> String {
    format!(
        "--rating-port {} --social-port {} --peer-port {}",
        free_port(),
        free_port(),
        free_port()
    )
}

#[test]
fn eight_commands_lead_from_nothing_to_a_recommendation() {
    let mut shell = Shell::new();
    let data = tempfile::tempdir().unwrap();
    let files = Files::small(data.path());
    let (ratings, links) = (files.ratings.display(), files.links.display());

    shell.done(&format!(
        "init --out pair --rating-host localhost --social-host localhost {}",
        ports()
    ));
    let untouched = snapshot(&shell.path("pair"));
    shell.daemon(Program::Social, "pair/social/social.toml");
    shell.daemon(Program::Rating, "pair/rating/rating.toml");
    shell.done(&format!("social import {links}"));
    shell.done(&format!("rating import {ratings}"));
    let mut propose = shell.command(
        Program::Command,
        "rating propose --purpose pilot --rank 4 --rounds 3 --start",
    );
    let proposed = propose.spawn_captured();
    // Its operators look until something waits for them; what they type counts once.
    let reviewed = loop {
        let mut review = shell.command(Program::Command, "social review");
        let mut asked = review.stdin(Stdio::piped()).spawn_captured();
        // The reader may have ended: nothing waits yet.
        let _ = asked.stdin.take().unwrap().write_all(b"yes\n");
        let run = ended(asked);
        assert_eq!(run.code, Some(0), "{run:?}");
        if !run.stdout.contains("No proposal waits") {
            break run;
        }
        shell.commands -= 1;
        std::thread::sleep(Duration::from_millis(50));
    };
    for figure in [
        "pilot",
        "50 % of all links without an",
        "Approve exactly this?",
    ] {
        assert!(reviewed.stderr.contains(figure), "{reviewed:?}");
    }
    let trained = ended(proposed);
    assert_eq!(trained.code, Some(0), "{trained:?}");
    let user = fs::read_to_string(&files.ratings).unwrap();
    let user = user.split('\t').next().unwrap();
    let shown = shell.done(&format!("rating recommend --user {user} --json"));
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["known_user"], true, "{shown}");
    assert_eq!(shown["items"].as_array().unwrap().len(), 10);
    assert!(shell.commands <= 8, "{} commands", shell.commands);

    for (path, text) in untouched {
        assert_eq!(fs::read(&path).unwrap(), text, "{}", path.display());
    }
    // Further commands, which the way does not need.
    let listed = shell.done("context list --json");
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["current"], "pair", "{listed}");
    for platform in ["rating", "social"] {
        let config = format!("doctor --config pair/{platform}/{platform}.toml --json");
        let run = shell.run(&config);
        assert_eq!(run.code, Some(0), "{run:?}");
    }
    let again = shell.run("init --out pair --rating-host localhost --social-host localhost");
    assert!(again.stderr.contains("exists already"), "{again:?}");
}

/// Each platform on a machine of its own: what goes from one to the other is a card.
#[test]
fn cards_are_exchanged_and_no_private_key_travels() {
    let (mut rating, mut social) = (Shell::new(), Shell::new());
    let ports = ports();
    let made = social.done(&format!(
        "init --only social --out s3rec --rating-host p0.example --social-host localhost {ports} --json"
    ));
    let social_pin = pin(&made);
    hand_over(&social, "s3rec/social.card", &rating);
    let refused = rating.run(&format!(
        "init --only rating --out s3rec --rating-host p0.example {ports} --card social.card"
    ));
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains(&social_pin), "{refused:?}");
    assert!(!rating.path("s3rec").exists());
    let made = rating.done(&format!(
        "init --only rating --out s3rec --rating-host p0.example {ports} --card social.card --pin {social_pin} --json"
    ));
    hand_over(&rating, "s3rec/rating.card", &social);
    let without = social.run("doctor --config s3rec/social.toml");
    assert!(without.stdout.contains("s3rec pki trust"), "{without:?}");
    social.done(&format!(
        "pki trust --dir s3rec/keys --pin {} rating.card",
        pin(&made)
    ));
    social.daemon(Program::Social, "s3rec/social.toml");
    rating.daemon(Program::Rating, "s3rec/rating.toml");
    // The rating platform reaches the social one, and is let in.
    let doctor = rating.run("doctor --config s3rec/rating.toml --json");
    assert_eq!(doctor.code, Some(0), "{doctor:?}");

    // An operator on a third machine has a key that nobody else has seen.
    let mut desk = Shell::new();
    let made = desk.done("pki request --dir mine --role social-operator --json");
    let made: Value = serde_json::from_str(&made).unwrap();
    hand_over(&desk, "mine/social-operator.csr", &social);
    let digest = made["digest"].as_str().unwrap();
    let another = social.run(&format!(
        "pki sign --dir s3rec/keys --role rating-operator --digest {digest} social-operator.csr"
    ));
    assert!(
        another.stderr.contains("not rating-operator"),
        "{another:?}"
    );
    let signed = social.done(&format!(
        "pki sign --dir s3rec/keys --role social-operator --digest {digest} social-operator.csr --json"
    ));
    let signed: Value = serde_json::from_str(&signed).unwrap();
    let signed = signed["pin"].as_str().unwrap();
    hand_over(&social, "social-operator.card", &desk);
    desk.done(&format!(
        "pki trust --dir mine --pin {signed} social-operator.card"
    ));
    let address = fs::read_to_string(social.path("s3rec/data/operator.addr")).unwrap();
    let shown = desk.done(&format!(
        "social proposals --address https://{} --ca mine/ca.pem --certificate mine/social-operator.pem --key mine/social-operator.key",
        address.trim()
    ));
    assert!(shown.contains("No proposals"), "{shown}");

    // Revoked by the platform's own authority, whose list lies beside the other platform's.
    social.done("pki revoke --dir s3rec/keys s3rec/keys/social-operator.pem");
    wait_until("the revocation holds", Duration::from_secs(30), || {
        social.run("social proposals").stderr.contains("revoked")
    });
}

fn pin(document: &str) -> String {
    let document: Value = serde_json::from_str(document).unwrap();
    document["folders"][0]["pin"].as_str().unwrap().to_owned()
}

/// Copies a file to another machine, as it is seen on the way.
fn hand_over(from: &Shell, file: &str, to: &Shell) {
    let path = from.path(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains("PRIVATE"), "{text}");
    fs::write(to.path(path.file_name().unwrap().to_str().unwrap()), text).unwrap();
}

/// Every file that `s3rec init` wrote.
fn snapshot(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(snapshot(&path)),
            false => files.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    files
}
