//! A coordinator and three workers in this process, over real TLS: the same bytes as alone, whatever
//! becomes of a worker meanwhile, and nobody else is talked to.
#![expect(clippy::unwrap_used, reason = "tests, their helpers included")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use s3rec_algebra::{PublicSeed, RealMatrix, Seed};
use s3rec_cluster::{Cluster, ClusterError, Kind, Members, Tasks, make_folders, make_key, serve};
use s3rec_spmm::SpmmError;
use s3rec_spmm::noise_first::guarantee::Mu;
use s3rec_spmm::noise_first::{
    self, Friends, Opening, PackMakers, PackWork, Packs, Parameters, Prepared, RatingKeys, Rows,
    SessionSeeds, Sides, SocialKeys, Split, Terms, Upload,
};
use s3rec_testkit::addresses::free_address;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use zeroize::Zeroizing;

const WORKERS: usize = 3;

/// Keys and files of a coordinator and its workers, and those of them that run.
struct Site {
    directory: TempDir,
    running: Mutex<Vec<Option<Runtime>>>,
    coordinator: Runtime,
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

impl Site {
    fn new(wait_seconds: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let workers = (1..=WORKERS).map(|index| (name_of(index), free_address()));
        let workers: Vec<_> = workers.collect();
        assert!(make_folders(directory.path(), &workers, wait_seconds).unwrap());
        let site = Self {
            directory,
            running: Mutex::new((0..=WORKERS).map(|_| None).collect()),
            coordinator: runtime(),
        };
        (1..=WORKERS).for_each(|index| site.start(index));
        site
    }

    fn file(&self, index: usize) -> PathBuf {
        self.directory
            .path()
            .join(name_of(index))
            .join("workers.toml")
    }

    fn cluster(&self) -> Cluster {
        Cluster::open(&self.file(0), self.coordinator.handle().clone()).unwrap()
    }

    fn start(&self, index: usize) {
        let started = started(&self.file(index));
        self.running.lock().unwrap()[index] = Some(started);
    }

    /// Its connections break, as when the process is killed.
    fn kill(&self, index: usize) {
        let runtime = self.running.lock().unwrap()[index].take();
        runtime.unwrap().shutdown_background();
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let running = self.running.get_mut().unwrap().drain(..);
        running.flatten().for_each(Runtime::shutdown_background);
    }
}

/// A worker by that file, once nobody listens at its address any more.
fn started(file: &Path) -> Runtime {
    let runtime = runtime();
    let began = Instant::now();
    let serving = loop {
        match runtime.block_on(serve(Members::read(file).unwrap())) {
            Err(error) if began.elapsed() > Duration::from_secs(10) => panic!("{error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
            Ok(serving) => break serving,
        }
    };
    runtime.spawn(async move {
        let (_never, stop) = watch::channel(false);
        serving.until(stop).await
    });
    runtime
}

fn name_of(index: usize) -> String {
    match index {
        0 => "coordinator".into(),
        index => format!("w{index}"),
    }
}

/// Both platforms' part in one opening, all of it fixed.
struct World {
    parameters: Parameters,
    rating: RatingKeys,
    social: SocialKeys,
    split: Split,
    friends: Friends,
    opening: Opening,
    key: Seed,
}

impl World {
    fn new(tag: u8, users: u32, opened: u32, columns: u32) -> Self {
        let parameters = noise_first::choose(Terms {
            sides: Sides::One,
            opened,
            uploaded: users - opened,
            columns,
            row_norm_bound: 1.0,
            degree_bound: 128,
            mu: Mu::new(1.0).unwrap(),
        })
        .unwrap();
        let seeds = SessionSeeds {
            rating: PublicSeed::from_bytes([tag; 32]),
            social: PublicSeed::from_bytes([tag ^ 1; 32]),
        };
        let secret = Seed::from_bytes([tag ^ 2; 32]);
        let rating = RatingKeys::generate(&parameters, &seeds, &secret).unwrap();
        let social = SocialKeys::accept(&parameters, &seeds, rating.message()).unwrap();
        let links = (0..5 * users).map(|at| (at % users, (at * at + 7 * at + 3) % users));
        Self {
            parameters,
            rating,
            social,
            split: Split::one_sided(users, (0..opened).collect()).unwrap(),
            friends: Friends::from_links(users, links).unwrap(),
            opening: Opening {
                number: 3,
                mask_seed: PublicSeed::from_bytes([tag ^ 4; 32]),
            },
            key: Seed::from_bytes([tag ^ 5; 32]),
        }
    }

    /// A-parts and the answer: everything that P0 would see.
    fn sent(&self, prepared: Prepared) -> (Vec<u8>, Vec<u8>) {
        let job = self
            .rating
            .job(&[7; 32], &self.split, &self.opening)
            .unwrap();
        let rows = RealMatrix::zeros(self.parameters.uploaded(), self.parameters.columns());
        let rows = Rows::encode(&self.parameters, &rows).unwrap();
        let errors = Seed::from_bytes([9; 32]);
        let upload = Upload::encrypt(&self.rating, &job, &rows, &errors).unwrap();
        let masks = prepared.masks().to_vec();
        let answer = noise_first::answer(prepared, &upload).unwrap();
        (masks, answer.bytes().to_vec())
    }

    fn alone(&self) -> (Vec<u8>, Vec<u8>) {
        let (split, friends) = (&self.split, &self.friends);
        let prepared = Prepared::new(
            &self.social,
            &[7; 32],
            split,
            &self.opening,
            friends,
            &self.key,
        );
        self.sent(prepared.unwrap())
    }

    fn by(&self, makers: &dyn PackMakers) -> Result<(Vec<u8>, Vec<u8>), SpmmError> {
        let (split, friends) = (&self.split, &self.friends);
        let prepared = Prepared::new_by(
            makers,
            &self.social,
            &[7; 32],
            split,
            &self.opening,
            friends,
            &self.key,
        );
        Ok(self.sent(prepared?))
    }
}

#[test]
fn three_workers_send_byte_for_byte_what_one_process_does() {
    let site = Site::new(0);
    let cluster = site.cluster();
    let config = ProptestConfig {
        cases: 6,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    // Fewer packs than workers, and more than a task has.
    let sizes = (1_u8..60, 60_u32..4_000, 60_u32..400, 1_u32..14);
    proptest!(config, |((tag, opened, uploaded, columns) in sizes)| {
        let world = World::new(tag, opened + uploaded, opened, columns);
        prop_assert!(world.by(&cluster).unwrap() == world.alone());
    });
}

/// Does something when a task is given out.
struct Meddling<'a, F> {
    cluster: &'a Cluster,
    at_task: F,
}

impl<F: Fn(usize) + Sync> Meddling<'_, F> {
    fn done(&self, work: &PackWork<'_>, made: &mut Packs) -> Result<(), ClusterError> {
        let opening = work.opening().unwrap();
        let tasks = Tasks {
            kind: Kind::Packs,
            opening: &opening,
            count: work.packs(),
            task: &|task| {
                (self.at_task)(task);
                work.task(task..task + 1)
            },
        };
        let mut put = |task: usize, bytes: &[u8]| {
            // Refuses whatever is there already.
            let put = made.put(task..task + 1, bytes);
            put.map_err(|error| error.to_string())
        };
        self.cluster.done(&tasks, &mut put)
    }
}

impl<F: Fn(usize) + Send + Sync> PackMakers for Meddling<'_, F> {
    fn make(&self, work: &PackWork<'_>, made: &mut Packs) -> Result<(), SpmmError> {
        let done = self.done(work, made);
        done.map_err(|error| SpmmError::Refused(Box::new(error)))
    }
}

/// Each worker has several, one task each; the one in the middle is the second worker's.
fn world_of_many_packs() -> (World, usize) {
    let world = World::new(11, 8_192 + 200, 8_192, 12);
    let packs = world.parameters.packs();
    assert!(packs >= 12, "{packs}");
    assert_eq!(packs / 2 * WORKERS / packs, 1);
    (world, packs / 2)
}

#[test]
fn a_worker_that_dies_ends_the_attempt_by_name_and_another_attempt_sends_the_same() {
    let site = Site::new(0);
    let cluster = site.cluster();
    let (world, middle) = world_of_many_packs();
    let meddling = Meddling {
        cluster: &cluster,
        // In the midst of its own.
        at_task: |task: usize| {
            if task == middle {
                site.kill(2);
            }
        },
    };
    let began = Instant::now();
    let error = world.by(&meddling).unwrap_err().to_string();
    assert!(error.contains("w2"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(15), "{error}");
    // Still gone, and said so at once.
    let error = settled(&world, &cluster).unwrap_err().to_string();
    assert!(error.contains("worker w2 (127.0.0.1:"), "{error}");
    assert!(error.contains("cannot be reached"), "{error}");
    site.start(2);
    assert!(settled(&world, &cluster).unwrap() == world.alone());
}

/// The others notice within moments that the session before is over.
fn settled(world: &World, cluster: &Cluster) -> Result<(Vec<u8>, Vec<u8>), SpmmError> {
    let began = Instant::now();
    loop {
        match world.by(cluster) {
            Err(error)
                if error.to_string().contains("busy")
                    && began.elapsed() < Duration::from_secs(20) =>
            {
                std::thread::sleep(Duration::from_millis(100));
            }
            sent => return sent,
        }
    }
}

#[test]
fn a_worker_that_comes_back_in_time_goes_on_with_what_is_missing() {
    let site = Site::new(60);
    let cluster = site.cluster();
    let (world, middle) = world_of_many_packs();
    let given = Mutex::new(vec![0; world.parameters.packs()]);
    let meddling = Meddling {
        cluster: &cluster,
        at_task: |task: usize| {
            let mut given = given.lock().unwrap();
            given[task] += 1;
            if task == middle && given[task] == 1 {
                site.kill(2);
                site.start(2);
            }
        },
    };
    assert!(world.by(&meddling).unwrap() == world.alone());
    let given = given.into_inner().unwrap();
    assert!(given[middle] >= 2, "{given:?}");
    assert!(given.contains(&1), "nothing was kept: {given:?}");
}

/// Who is not in the file gets no word of a session, however it calls; who is gets one after.
#[test]
fn strangers_are_not_talked_to() {
    let site = Site::new(0);
    let world = World::new(5, 500, 300, 3);
    let address = Members::read(&site.file(1)).unwrap().all[1]
        .address
        .clone()
        .unwrap();
    // No TLS at all, and TLS that never comes.
    let mut plain = TcpStream::connect(&address).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    plain
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    // An alert of TLS at most.
    assert!(answer.len() < 16, "{answer:?}");
    let _silent = TcpStream::connect(&address).unwrap();

    // A coordinator with a key of its own making, and one that takes a worker's key for its own.
    let stranger = tempfile::tempdir().unwrap();
    let pin = make_key(stranger.path(), "coordinator").unwrap();
    let text = std::fs::read_to_string(site.file(0)).unwrap();
    let real = Members::read(&site.file(0)).unwrap().all[0].pin;
    let own = text.replace(&real.to_string(), &pin.to_string());
    let as_coordinator = |text: &str| {
        let file = stranger.path().join("workers.toml");
        std::fs::write(&file, text).unwrap();
        let cluster = Cluster::open(&file, site.coordinator.handle().clone())?;
        Ok::<_, ClusterError>(world.by(&cluster).unwrap_err().to_string())
    };
    let error = as_coordinator(&own).unwrap();
    assert!(error.contains("worker w1"), "{error}");
    let not_its_own = as_coordinator(&text.replace("coordinator.", "w3."));
    assert!(not_its_own.is_err(), "the key is not there");
    for name in ["w3.key", "w3.pem"] {
        let stolen = site.file(3).with_file_name(name);
        std::fs::copy(stolen, stranger.path().join(name)).unwrap();
    }
    let error = as_coordinator(&text.replace("coordinator.", "w3.")).unwrap_err();
    assert!(matches!(error, ClusterError::OwnPin { .. }), "{error}");
    // By a file that gives the coordinator's place to w3's key and w3's to another, the words differ.
    let w3 = Members::read(&site.file(0)).unwrap().all[3].pin.to_string();
    let swapped = text
        .replace("coordinator.", "w3.")
        .replace(&w3, &pin.to_string())
        .replace(&real.to_string(), &w3);
    let error = as_coordinator(&swapped).unwrap();
    assert!(error.contains("other members than ours"), "{error}");

    // A worker with another key than the file's is not given anything.
    site.kill(3);
    let impostor = tempfile::tempdir().unwrap();
    let theirs = make_key(impostor.path(), "w3").unwrap().to_string();
    let file = std::fs::read_to_string(site.file(3)).unwrap();
    let file = file.replace(&w3, &theirs);
    std::fs::write(impostor.path().join("w3.toml"), file).unwrap();
    let runtime = started(&impostor.path().join("w3.toml"));
    let error = world.by(&site.cluster()).unwrap_err().to_string();
    assert!(error.contains("worker w3"), "{error}");
    assert!(error.contains("is not believed"), "{error}");
    runtime.shutdown_background();
    site.start(3);
    assert!(settled(&world, &site.cluster()).unwrap() == world.alone());
}

/// What is no task of ours ends the session, and the next is a fresh one.
#[test]
fn work_that_goes_wrong_is_said_by_the_worker_that_it_went_wrong_at() {
    let site = Site::new(30);
    let cluster = site.cluster();
    let tasks = Tasks {
        kind: Kind::Packs,
        opening: &[1, 2, 3],
        count: 3,
        task: &|_| Zeroizing::new(vec![0; 10]),
    };
    let error = cluster
        .done(&tasks, &mut |_, _| Ok(()))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("reports") && error.contains("does not read"),
        "{error}"
    );
    let world = World::new(6, 300, 100, 2);
    assert!(world.by(&cluster).unwrap() == world.alone());
}

fn members(path: &Path, text: &str) -> String {
    let file = path.join("workers.toml");
    std::fs::write(&file, text).unwrap();
    match Members::read(&file) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_file_that_is_wrong_is_refused_by_its_place() {
    let site = Site::new(0);
    let text = std::fs::read_to_string(site.file(0)).unwrap();
    let refused = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        members(site.directory.path(), &text.replacen(from, to, 1))
    };
    let w1 = Members::read(&site.file(0)).unwrap().all[1].clone();
    let (address, pin) = (w1.address.unwrap(), w1.pin.to_string());
    let w2 = Members::read(&site.file(0)).unwrap().all[2].clone();
    assert_eq!(refused("w1", "w1"), "");
    for (from, to, expected) in [
        (
            "name = \"coordinator\"",
            "name = \"w9\"",
            "this.name is \"w9\"",
        ),
        (
            "name = \"w2\"",
            "name = \"w1\"",
            "two members are called \"w1\"",
        ),
        (
            "name = \"w2\"",
            "name = \"w 2\"",
            "the worker's name \"w 2\" is none",
        ),
        (&address, &w2.address.unwrap(), "two workers are at"),
        (&pin, &w2.pin.to_string(), "another member's pin"),
        (&pin, "12", "pin of w1: a pin is 64 hexadecimal digits"),
        ("[coordinator]", "colour = 1\n[coordinator]", "colour"),
    ] {
        let refused = refused(from, to);
        assert!(refused.contains(expected), "{expected}: {refused}");
        assert!(refused.contains("workers.toml"), "{refused}");
    }
    let none = text.split("[[worker]]").next().unwrap();
    let none = members(site.directory.path(), none);
    assert!(none.contains("it names 0 workers"), "{none}");

    let exposed = site.file(0).with_file_name("coordinator.key");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&exposed, open).unwrap();
    let handle = site.coordinator.handle().clone();
    let error = Cluster::open(&site.file(0), handle.clone())
        .unwrap_err()
        .to_string();
    assert!(error.contains("can be read by others"), "{error}");
    let error = Cluster::open(&site.file(1), handle)
        .unwrap_err()
        .to_string();
    assert!(error.contains("the daemon is the coordinator"), "{error}");
}
