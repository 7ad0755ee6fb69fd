//! Disks that are full, or that nobody may write to: errors with path, cause and remedy, and
//! nothing lost that was acknowledged.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use s3rec_cli::client::{self, FileSource};
use s3rec_cli::failure::Failure;
use s3rec_node::audit::LOG_FILE;
use s3rec_node::pki::CertificateRole;
use s3rec_tests::binaries::Program;
use s3rec_tests::command::run;
use s3rec_tests::data::Files;
use s3rec_tests::job::{Job, proposal};
use s3rec_tests::machine::{Machine, SmallDisk};
use s3rec_tests::pair::{Daemon, Home, Pair};
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(60);
const BRIEFLY: Duration = Duration::from_secs(3);
/// So many rounds that no test sees the last, over a stock that fits the disk.
const ENDLESS: u32 = 3_000;

/// A disk that a test fills: a small one of its own, or where we may not mount, the daemon's
/// system says so.
struct Fillable {
    small: Option<SmallDisk>,
    machine: Machine,
}

impl Fillable {
    fn below(data_dir: &Path) -> Self {
        Self {
            small: SmallDisk::mount(data_dir, 48),
            machine: Machine::new(),
        }
    }

    fn leave(&self, bytes: u64) {
        match &self.small {
            Some(small) => small.leave(bytes),
            None => self.machine.fill_disk(),
        }
    }

    fn free(&self) {
        match &self.small {
            Some(small) => small.free(),
            None => self.machine.mend_disk(),
        }
    }
}

/// A rating platform alone, its data on a disk that can be filled.
fn rating_alone(home: &Home) -> (Daemon, Fillable) {
    let data_dir = home.data_dir("rating");
    let disk = Fillable::below(&data_dir);
    let configuration = home.rating_configuration("127.0.0.1:1");
    let around = disk.machine.environment(&data_dir);
    let rating = Daemon::start_in(Program::Rating, &configuration, &data_dir, around);
    (rating, disk)
}

/// A file of ratings of about so many megabytes.
fn large(directory: &Path, megabytes: usize) -> PathBuf {
    let mut text = String::new();
    for row in 0_u32.. {
        if text.len() >= megabytes << 20 {
            break;
        }
        writeln!(text, "user-{}\titem-{row}\t{}", row % 5000, 1 + row % 5).unwrap();
    }
    let path = directory.join("large.tsv");
    std::fs::write(&path, text).unwrap();
    path
}

/// What is on its way in, at a rating platform.
fn spooled(home: &Home) -> usize {
    let ratings = std::fs::read_dir(home.data_dir("rating").join("ratings")).unwrap();
    let names = ratings.map(|entry| entry.unwrap().file_name());
    names
        .filter(|name| name.to_string_lossy().contains("spool"))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_onto_a_full_disk_says_so_and_loses_nothing() {
    let home = Home::new();
    let (mut rating, disk) = rating_alone(&home);
    let role = CertificateRole::RatingOperator;
    let connect = |rating: &Daemon| home.connection(role, &rating.operator_address);
    let mut client = client::rating(&connect(&rating)).await.unwrap();
    let data = tempfile::tempdir().unwrap();
    let small = FileSource::new(&Files::small(data.path()).ratings, "small");
    let before = client::import_ratings(&mut client, &small).await.unwrap();

    // The file comes in over 8 MB; the disk has room for two.
    disk.leave(2 << 20);
    let source = FileSource::new(&large(data.path(), 8), "large");
    let failure = client::import_ratings(&mut client, &source).await;
    assert_names_a_full_disk(&failure.unwrap_err(), &home.data_dir("rating"));
    assert_eq!(spooled(&home), 0, "a file that nobody wants takes the room");
    rating.assert_well();

    // With room again the same daemon goes on, and another start finds both.
    disk.free();
    let after = client::import_ratings(&mut client, &source).await.unwrap();
    assert!(after.ratings > before.ratings);
    rating.kill();
    rating.restart();
    let mut client = client::rating(&connect(&rating)).await.unwrap();
    for dataset in ["small", "large"] {
        // Nobody answers at the other platform: that is as far as a proposal gets with its data.
        let request = v1::ProposeJobRequest {
            dataset: dataset.into(),
            ..proposal(1)
        };
        let failure = Failure::from(client.propose_job(request).await.unwrap_err());
        assert_eq!(failure.reason(), "UNREACHABLE", "{dataset}: {failure}");
    }
    assert_sound(data.path(), &[&home.data_dir("rating").join(LOG_FILE)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_import_left_is_gone_at_the_next_start() {
    let home = Home::new();
    let (mut rating, _disk) = rating_alone(&home);
    let role = CertificateRole::RatingOperator;
    let connection = home.connection(role, &rating.operator_address);
    let data = tempfile::tempdir().unwrap();
    let path = large(data.path(), 16);
    let uploading = tokio::spawn(async move {
        let mut client = client::rating(&connection).await.unwrap();
        let source = FileSource::new(&path, "large");
        client::import_ratings(&mut client, &source).await
    });
    let arrived = async {
        while !home.data_dir("rating").join("ratings").exists() || spooled(&home) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(SOON, arrived).await.unwrap();
    rating.kill();
    assert!(uploading.await.unwrap().is_err());
    assert_eq!(spooled(&home), 1, "the daemon ended in the middle");
    rating.restart();
    assert_eq!(spooled(&home), 0);
}

#[derive(Clone, Copy)]
enum Side {
    Rating,
    Social,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Rating => "rating",
            Self::Social => "social",
        }
    }

    fn of(self, pair: &mut Pair) -> &mut Daemon {
        match self {
            Self::Rating => &mut pair.rating,
            Self::Social => &mut pair.social,
        }
    }
}

fn request(rounds: u32) -> v1::ProposeJobRequest {
    let mut request = proposal(rounds);
    request.set_protocol(v1::Protocol::Preprocessed);
    request.model.as_mut().unwrap().set_solver(v1::Solver::Als);
    request
}

/// Openings that each side has counted, P0's first.
async fn openings(job: &mut Job) -> (u32, u32) {
    let request = v1::ListRatingDisclosuresRequest {};
    let seen = job.rating.list_disclosures(request).await.unwrap();
    let request = v1::ListSocialDisclosuresRequest {};
    let given = job.social.list_disclosures(request).await.unwrap();
    let of = |all: Vec<v1::Disclosure>| {
        let ours = all.into_iter().find(|one| one.job_id == job.id);
        ours.map_or(0, |one| one.openings)
    };
    (
        of(seen.into_inner().disclosures),
        of(given.into_inner().disclosures),
    )
}

/// How a side says that the job ended: its last event, or where it cannot even read its disk, the
/// error and the remedy.
async fn end_at(side: Side, job: &mut Job) -> String {
    let ended = match side {
        Side::Rating => client::rating_events(&mut job.rating, &job.id, |_| Ok(())).await,
        Side::Social => client::social_events(&mut job.social, &job.id, |_| Ok(())).await,
    };
    match ended {
        Ok(last) => {
            let ends = [JobState::Failed, JobState::Cancelled];
            assert!(ends.contains(&last.state()), "{last:?}");
            last.message
        }
        Err(failure) => {
            assert_eq!(failure.reason(), "STORAGE_FAILED", "{failure}");
            format!("{failure} {}", failure.to_json())
        }
    }
}

/// Breaks the disk of one side in the rounds, mends it and starts that side again.
async fn a_job_meets(side: Side, cause: &str, remedy: &str, is_full: bool) {
    let machine = Machine::new();
    let name = side.name();
    let mut small = None;
    let small_of = std::cell::RefCell::new(&mut small);
    let mut pair = Pair::lasting_in(|data_dir| {
        if !data_dir.ends_with(format!("{name}-data")) {
            return Vec::new();
        }
        if is_full {
            **small_of.borrow_mut() = SmallDisk::mount(data_dir, 96);
        }
        machine.environment(data_dir)
    });
    // Dropped before the directory in which it is mounted.
    let small = small.take();
    let data = tempfile::tempdir().unwrap();
    let files = Files::small(data.path());
    let mut job = Job::start_with(&pair, &files, request(ENDLESS)).await;
    job.reach_round(3).await;
    let before = openings(&mut job).await;
    match &small {
        Some(small) => small.leave(0),
        None if is_full => machine.fill_disk(),
        None => machine.make_read_only(),
    }

    // The side whose disk it is says why, where and what to do; the other hears whose it was.
    let at_rating = timeout(SOON, end_at(Side::Rating, &mut job)).await;
    let at_social = timeout(SOON, end_at(Side::Social, &mut job)).await;
    let (at_rating, at_social) = (at_rating.expect("an end"), at_social.expect("an end"));
    let (own, other) = match side {
        Side::Rating => (&at_rating, &at_social),
        Side::Social => (&at_social, &at_rating),
    };
    assert!(own.contains(cause), "{own}");
    let at = pair.home.data_dir(name).display().to_string();
    assert!(other.contains("that platform failed by itself"), "{other}");
    assert!(!other.contains(&at) && !other.contains(cause), "{other}");
    for part in [at.as_str(), remedy] {
        assert!(own.contains(part), "{part}: {own}");
    }
    pair.rating.assert_well();
    pair.social.assert_well();

    // Mended and started again, it knows at least what it has told, and trains.
    match &small {
        Some(small) => small.free(),
        None => machine.mend_disk(),
    }
    let broken = side.of(&mut pair);
    broken.kill();
    broken.restart();
    job.rating = client::rating(&pair.rating_connection()).await.unwrap();
    job.social = client::social(&pair.social_connection()).await.unwrap();
    let after = openings(&mut job).await;
    assert!(
        after.0 >= before.0 && after.1 >= before.1,
        "{before:?} {after:?}"
    );
    assert!(after.1 >= after.0, "P1 counted less than P0 got: {after:?}");
    // A social platform that could not even write that the job ended waits for the other one,
    // unless its people end that.
    if timeout(BRIEFLY, end_at(Side::Social, &mut job))
        .await
        .is_err()
    {
        let request = v1::RevokeApprovalRequest {
            job_id: job.id.clone(),
            reason: "its disk was read-only".into(),
        };
        job.social.revoke_approval(request).await.unwrap();
    }
    for other in [Side::Rating, Side::Social] {
        let words = timeout(SOON, end_at(other, &mut job)).await;
        assert!(!words.expect("an end").is_empty());
    }
    let mut next = Job::start_with(&pair, &files, request(3)).await;
    let last = timeout(SOON, next.end_at_rating()).await.expect("an end");
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);
    let log = |name: &str| pair.home.data_dir(name).join(LOG_FILE);
    assert_sound(data.path(), &[&log("rating"), &log("social")]);
    pair.rating.assert_well();
    pair.social.assert_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_rating_platform_has_a_full_disk_ends_by_name() {
    a_job_meets(Side::Rating, "No space left", "Make room", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_social_platform_has_a_full_disk_ends_by_name() {
    a_job_meets(Side::Social, "No space left", "Make room", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_rating_platforms_disk_becomes_read_only_ends_by_name() {
    a_job_meets(
        Side::Rating,
        "Read-only file system",
        "writable again",
        false,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_social_platforms_disk_becomes_read_only_ends_by_name() {
    a_job_meets(
        Side::Social,
        "Read-only file system",
        "writable again",
        false,
    )
    .await;
}

/// Mounted read-only, or where we may not mount, as if.
#[test]
fn a_daemon_over_a_read_only_disk_says_so_and_changes_nothing() {
    for program in [Program::Rating, Program::Social] {
        let home = Home::new();
        let (configuration, name) = match program {
            Program::Rating => (home.rating_configuration("127.0.0.1:1"), "rating"),
            _ => (home.social_configuration(), "social"),
        };
        let data_dir = home.data_dir(name);
        let small = SmallDisk::mount(&data_dir, 16);
        let machine = Machine::new();
        let around = || machine.environment(&data_dir);
        let mut daemon = Daemon::start_in(program, &configuration, &data_dir, around());
        daemon.terminate();
        assert!(daemon.wait(SOON).success());
        let store = std::fs::read(data_dir.join("store.redb")).unwrap();
        match &small {
            Some(small) => small.set_read_only(true),
            None => machine.make_read_only(),
        }
        let mut daemon = Daemon::spawn_in(program, &configuration, around());
        assert!(!daemon.wait(SOON).success());
        let log = daemon.log();
        for part in [
            "Read-only file system",
            "writable again",
            &data_dir.display().to_string(),
        ] {
            assert!(log.contains(part), "{part}: {log}");
        }
        assert!(!log.contains("panicked"), "{log}");
        match &small {
            Some(small) => small.set_read_only(false),
            None => machine.mend_disk(),
        }
        assert!(std::fs::read(data_dir.join("store.redb")).unwrap() == store);
        let mut daemon = Daemon::start_in(program, &configuration, &data_dir, around());
        daemon.assert_well();
    }
}

fn assert_names_a_full_disk(failure: &Failure, data_dir: &Path) {
    assert_eq!(failure.reason(), "STORAGE_FAILED", "{failure}");
    let text = format!("{failure} {}", failure.to_json());
    for part in [
        &data_dir.display().to_string(),
        "No space left",
        "Make room",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// `s3rec audit verify` finds nothing, and each log holds what the other says of it.
fn assert_sound(directory: &Path, logs: &[&Path]) {
    let mut arguments = vec!["audit", "verify", "--json", logs[0].to_str().unwrap()];
    if let Some(other) = logs.get(1) {
        arguments.extend(["--against", other.to_str().unwrap()]);
    }
    run(directory, &arguments).json();
}
