//! The set-up of `docker-compose.yml`: it works, and what the two platforms must not share they
//! do not. Needs a Docker engine, tcpdump and root, so `.ci/run` asks for it by name.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use s3rec_job::RunReport;
use s3rec_tests::capture::{Capture, Stream, Wanted};
use s3rec_tests::compose::{Compose, connects, docker, obstacle};
use s3rec_tests::data::Files;
use s3rec_tests::processes::wait_until;
use serde_json::Value;

/// How people and items are called here, found wherever a name of theirs is.
const PEOPLE: &str = "somebody-of-the-compose-test-";
const ITEMS: &str = "something-of-the-compose-test-";
/// What makes a rating of ours unlike any other number.
const FRACTION: f64 = 0.013_756_2;
/// Enough that the factors stand still: those opened last are those exported.
const ROUNDS: &str = "30";

const RATING_OPERATORS: u16 = 7100;
const SOCIAL_OPERATORS: u16 = 7200;
const PEER: u16 = 7201;

#[test]
#[ignore = "needs a Docker engine, tcpdump and root: `.ci/run` runs it where they are"]
fn two_platforms_in_containers_share_one_port_and_no_value() {
    if let Some(missing) = obstacle() {
        assert!(std::env::var_os("CI").is_none(), "{missing}");
        eprintln!("NOT CHECKED, the compose set-up: {missing}");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let values = distinctive(&data);
    let more = home.path().join("test.yml");
    std::fs::write(&more, demonstration()).unwrap();
    let data_file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/data.yml");
    let compose = Compose::build(&[data_file, more], &data);

    // The networks, before anybody talks on them.
    compose.run(&["up", "--no-build", "--no-start", "--no-deps", "social"]);
    let network = text(&compose.inspect_own("link")["Id"]);
    let capture = Capture::start(&format!("br-{}", &network[..12]), home.path());
    compose.run(&["up", "--no-build", "-d"]);
    the_demonstration_ends_with_its_table(&compose);
    let (rating, social) = (healthy(&compose, "rating"), healthy(&compose, "social"));
    for platform in [&rating, &social] {
        platform.is_confined();
    }
    volumes_are_apart(&rating, &social);
    only_the_peer_port_is_open(&rating, &social);

    let wanted = wanted(&compose, &values);
    let sample = wanted.sample();
    send_in_the_clear(&rating, &social.on_link, &sample, home.path());
    let report = report_of(&compose);
    nothing_crossed_in_the_clear(&capture.stop_after(&sample), &wanted, &report);

    compose.run(&["down", "-v"]);
    assert_eq!(compose.left(), Vec::<String>::new());
}

/// A small set under names and with ratings that occur nowhere else; the ratings.
fn distinctive(directory: &Path) -> Vec<f64> {
    std::fs::create_dir(directory).unwrap();
    let files = Files::small(directory);
    let mut values = Vec::new();
    let mut ratings = String::new();
    for line in std::fs::read_to_string(&files.ratings).unwrap().lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let value = fields[2].parse::<f64>().unwrap() + FRACTION;
        ratings.push_str(&format!(
            "{PEOPLE}{}\t{ITEMS}{}\t{value}\n",
            fields[0], fields[1]
        ));
        values.push(value);
    }
    let mut links = String::new();
    for line in std::fs::read_to_string(&files.links).unwrap().lines() {
        let (from, to) = line.split_once('\t').unwrap();
        links.push_str(&format!("{PEOPLE}{from}\t{PEOPLE}{to}\n"));
    }
    std::fs::write(directory.join("ratings.tsv"), ratings).unwrap();
    std::fs::write(directory.join("trust.tsv"), links).unwrap();
    for (path, mode) in [("", 0o755), ("ratings.tsv", 0o644), ("trust.tsv", 0o644)] {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(directory.join(path), permissions).unwrap();
    }
    values
}

/// The demonstration of `deploy/data.yml` with more rounds.
fn demonstration() -> String {
    let sample = include_str!("../../deploy/data.yml");
    let command: Vec<&str> = sample
        .lines()
        .filter(|line| line.starts_with("      - ") && !line.contains(":/data"))
        .collect();
    format!(
        "services:\n  demo:\n    command:\n{}\n      - --rounds\n      - \"{ROUNDS}\"\n      - --regularization\n      - \"2\"\n",
        command.join("\n")
    )
}

fn the_demonstration_ends_with_its_table(compose: &Compose) {
    let demo = text(&compose.inspect("demo")["Id"]);
    assert_eq!(docker(&["wait", &demo]).trim(), "0");
    let table = docker(&["logs", &demo]);
    for row in ["global mean", "no social term", "secure social"] {
        assert!(table.contains(row), "{table}");
    }
    let log = compose.run(&["logs", "--no-color", "demo"]);
    assert!(log.contains("Report: /report/report.html"), "{log}");
    assert!(log.contains("Consenting gives away"), "{log}");
    let report = report_of(compose);
    let (secure, plaintext) = (
        report.quality.secure.unwrap(),
        report.quality.plaintext.unwrap(),
    );
    assert!((secure.rmse - plaintext.rmse).abs() <= 5e-4, "{report:?}");

    let image = &compose.inspect_image()["Config"];
    assert_eq!(image["Labels"]["org.opencontainers.image.title"], "s3rec");
    assert_eq!(image["Healthcheck"]["Test"][2], "healthcheck");
}

fn report_of(compose: &Compose) -> RunReport {
    let volume = text(&compose.inspect_own("report")["Mountpoint"]);
    let report = std::fs::read_to_string(Path::new(&volume).join("report.json")).unwrap();
    serde_json::from_str(&report).unwrap()
}

/// A running platform as the host sees it.
struct Platform {
    id: String,
    pid: String,
    on_link: String,
    at_home: String,
    state: String,
    keys: String,
}

fn healthy(compose: &Compose, name: &str) -> Platform {
    wait_until("a platform is healthy", Duration::from_secs(60), || {
        compose.inspect(name)["State"]["Health"]["Status"] == "healthy"
    });
    let container = compose.inspect(name);
    let networks = container["NetworkSettings"]["Networks"]
        .as_object()
        .unwrap();
    let address = |network: &str| {
        let ending = format!("_{network}");
        let (_, found) = networks
            .iter()
            .find(|(name, _)| name.ends_with(&ending))
            .unwrap();
        text(&found["IPAddress"])
    };
    let volume = |what: &str| text(&compose.inspect_own(&format!("{name}-{what}"))["Mountpoint"]);
    Platform {
        id: text(&container["Id"]),
        pid: container["State"]["Pid"].to_string(),
        on_link: address("link"),
        at_home: address(name),
        state: volume("state"),
        keys: volume("keys"),
    }
}

impl Platform {
    /// Not root, no capability, nothing to gain, and a root file system that is read only.
    fn is_confined(&self) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().split_whitespace().next().unwrap().to_owned()
        };
        assert_eq!(line("Uid:"), "10001");
        assert_eq!(line("NoNewPrivs:"), "1");
        for set in ["CapEff:", "CapPrm:", "CapBnd:", "CapInh:"] {
            assert_eq!(u64::from_str_radix(&line(set), 16).unwrap(), 0, "{set}");
        }
        let mounts = std::fs::read_to_string(format!("/proc/{}/mounts", self.pid)).unwrap();
        let root = mounts
            .lines()
            .find(|line| line.split(' ').nth(1) == Some("/"));
        let options = root.unwrap().split(' ').nth(3).unwrap();
        assert!(options.split(',').any(|option| option == "ro"), "{mounts}");
    }

    /// Every file that a process in the container can name.
    fn files(&self) -> BTreeSet<(u64, u64)> {
        let mut files = BTreeSet::new();
        let root = format!("/proc/{}/root", self.pid);
        for entry in std::fs::read_dir(&root).unwrap().flatten() {
            let name = entry.file_name();
            // Of the kernel and the same for everybody.
            if !["proc", "sys", "dev"].iter().any(|kernel| name == *kernel) {
                walk(&entry.path(), &mut files);
            }
        }
        files
    }
}

fn volumes_are_apart(rating: &Platform, social: &Platform) {
    for (own, other) in [(rating, social), (social, rating)] {
        let reachable = own.files();
        for volume in [&own.state, &own.keys] {
            let mut files = BTreeSet::new();
            walk(Path::new(volume), &mut files);
            assert!(files.len() > 2, "an empty volume shows nothing");
            assert!(
                files.is_subset(&reachable),
                "the walk misses its own volume"
            );
        }
        for volume in [&other.state, &other.keys] {
            let mut files = BTreeSet::new();
            walk(Path::new(volume), &mut files);
            assert!(files.is_disjoint(&reachable), "{volume} can be reached");
        }
        // And by the path that it has outside.
        let outside = format!("{}/ca.pem", other.keys);
        assert!(Path::new(&outside).exists());
        let mut attempt = Command::new("docker");
        attempt.args([
            "exec",
            &own.id,
            "s3rec",
            "healthcheck",
            "--config",
            &outside,
        ]);
        let refused = attempt.output().unwrap();
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            !refused.status.success() && said.contains("No such file"),
            "{said}"
        );
    }
}

fn walk(path: &Path, files: &mut BTreeSet<(u64, u64)>) {
    let metadata = std::fs::symlink_metadata(path).unwrap();
    files.insert((metadata.dev(), metadata.ino()));
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            walk(&entry.unwrap().path(), files);
        }
    }
}

fn only_the_peer_port_is_open(rating: &Platform, social: &Platform) {
    let (from_rating, from_social) = (rating.pid.as_str(), social.pid.as_str());
    // What may be reached is, so that the rest means something.
    assert!(connects(from_rating, &social.on_link, PEER));
    assert!(connects(from_rating, &rating.at_home, RATING_OPERATORS));
    assert!(connects(from_social, &social.at_home, SOCIAL_OPERATORS));
    for (address, port) in [
        (&social.on_link, SOCIAL_OPERATORS),
        (&social.at_home, SOCIAL_OPERATORS),
        (&social.at_home, PEER),
    ] {
        assert!(!connects(from_rating, address, port), "{address}:{port}");
    }
    for address in [&rating.on_link, &rating.at_home] {
        assert!(
            !connects(from_social, address, RATING_OPERATORS),
            "{address}"
        );
    }
    // Nothing else listens where the link is.
    assert_eq!(on_link(rating), BTreeSet::new());
    assert_eq!(on_link(social), BTreeSet::from([PEER]));
}

/// The TCP ports that a platform listens on where the link reaches it.
fn on_link(platform: &Platform) -> BTreeSet<u16> {
    let mut found = BTreeSet::new();
    for table in ["tcp", "tcp6"] {
        let path = format!("/proc/{}/net/{table}", platform.pid);
        let Ok(text) = std::fs::read_to_string(path) else {
            continue;
        };
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields[3] != "0A" {
                continue;
            }
            let (address, port) = fields[1].split_once(':').unwrap();
            assert_eq!(address.len(), 8, "IPv6 is listened on: {line}");
            let address = u32::from_str_radix(address, 16).unwrap().to_ne_bytes();
            let address = std::net::Ipv4Addr::from(address);
            if address.is_unspecified() || address.to_string() == platform.on_link {
                found.insert(u16::from_str_radix(port, 16).unwrap());
            }
        }
    }
    found
}

/// What must not cross: ids, ratings, and the trained factors, in every form.
fn wanted(compose: &Compose, ratings: &[f64]) -> Wanted {
    let mut wanted = Wanted::default();
    wanted.bytes("id", PEOPLE.as_bytes());
    wanted.bytes("id", ITEMS.as_bytes());
    wanted.numbers("rating", ratings);
    for value in ratings {
        wanted.bytes("rating as text", value.to_string().as_bytes());
    }
    let client = ["--client", "/etc/s3rec/rating-operator.toml", "--json"];
    let export = ["run", "--rm", "-T", "--no-deps", "demo", "rating", "export"];
    let model = compose.run(&[&export[..], &client[..]].concat());
    let model: Value = serde_json::from_str(&model).unwrap();
    for rows in ["users", "items"] {
        for row in model[rows].as_array().unwrap() {
            assert!(text(&row["id"]).starts_with(if rows == "users" { PEOPLE } else { ITEMS }));
            let factors = row["factors"].as_array().unwrap();
            let factors: Vec<f64> = factors.iter().map(|f| f.as_f64().unwrap()).collect();
            wanted.numbers("factor", &factors);
        }
    }
    // Far more than names and ratings: the factors are there, and are more than nothing.
    assert!(wanted.count() > 10_000, "{}", wanted.count());
    wanted
}

/// From the rating platform's place to the peer port, as no program of ours would.
fn send_in_the_clear(from: &Platform, to: &str, bytes: &[u8], home: &Path) {
    let file = home.join("clear");
    std::fs::write(&file, bytes).unwrap();
    let script = format!("cat {} >/dev/tcp/{to}/{PEER}", file.display());
    let mut command = Command::new("nsenter");
    command.args(["--target", &from.pid, "--net", "bash", "-c", &script]);
    assert!(command.status().unwrap().success());
}

fn nothing_crossed_in_the_clear(streams: &[Stream], wanted: &Wanted, report: &RunReport) {
    let mut clear = BTreeMap::new();
    let (mut to_social, mut to_rating, mut others) = (0, 0, 0);
    for stream in streams {
        if stream.source_port == 0 {
            // Who is where, in frames too short and too few to carry anything.
            assert!(stream.bytes.len() <= 128, "{stream:?}");
            others += stream.bytes.len();
            continue;
        }
        let found = wanted.found(&stream.bytes);
        if stream.bytes == wanted.sample() {
            clear = found;
            continue;
        }
        assert!(
            found.is_empty(),
            "in the clear on port {}: {found:?}",
            stream.target_port
        );
        if stream.target_port == PEER {
            to_social += stream.bytes.len() as u64;
        } else if stream.source_port == PEER {
            to_rating += stream.bytes.len() as u64;
        }
    }
    assert!(others < 1 << 16, "{others} bytes outside TCP");
    // The same search finds each kind in what was sent in the clear …
    let kinds: Vec<&str> = clear.into_keys().collect();
    assert_eq!(kinds, ["factor", "id", "rating", "rating as text"]);
    // … and all that the job sent was there to be searched.
    let phases = [&report.cost.offline, &report.cost.online];
    assert!(to_social >= phases.map(|cost| cost.bytes_to_social).iter().sum());
    assert!(to_rating >= phases.map(|cost| cost.bytes_to_rating).iter().sum());
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
