//! Data where they live: a PostgreSQL database and an S3 store, imported from and exported to.

mod exports;
mod postgres;
mod s3;

use std::path::Path;

use s3rec_cli::connection::Connection;
use s3rec_data::{LinkOptions, LinkSet, RatingOptions, RatingSet};
use s3rec_node::store::Store;
use s3rec_node::versions::{self, Commitment};
use s3rec_tests::command::{Run, flags, s3rec};
use s3rec_tests::data::Files;
use s3rec_tests::pair::Pair;

/// The command of people at `connection`, in an environment.
fn run(
    directory: &Path,
    connection: &Connection,
    environment: &[(&str, String)],
    arguments: &[&str],
) -> Run {
    let mut command = s3rec(directory, arguments);
    for (name, _) in std::env::vars_os() {
        let of_sources = |name: &str| name.starts_with("PG") || name.starts_with("AWS_");
        if name.to_str().is_some_and(of_sources) {
            command.env_remove(name);
        }
    }
    // Nobody's own passwords and keys.
    command.env("HOME", directory);
    command.args(flags(connection)).arg("--json");
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let output = command.output().unwrap();
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The rating platform's data sets, and what lies in its folder of ratings.
fn held(pair: &Pair, directory: &Path) -> (Vec<String>, Vec<String>) {
    let connection = pair.rating_connection();
    let listed = run(directory, &connection, &[], &["rating", "datasets", "list"]).json();
    let listed = listed["datasets"].as_array().cloned().unwrap_or_default();
    let names = listed
        .iter()
        .map(|one| one["dataset"].as_str().unwrap().to_owned());
    // There is none before the first import.
    let folder = std::fs::read_dir(pair.home.data_dir("rating").join("ratings"));
    let mut files: Vec<String> = folder
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    (names.collect(), files)
}

/// Whether the platforms committed, under each of the names, to just the rows of the files.
fn assert_committed(mut pair: Pair, files: &Files, names: &[&str]) {
    pair.rating.kill();
    pair.social.kill();
    let ratings = RatingSet::read(&files.ratings, &RatingOptions::default()).unwrap();
    let links = LinkSet::read(&files.links, &LinkOptions::default()).unwrap();
    let mut rated: Vec<(&str, &str, [u8; 4])> = ratings
        .ratings
        .iter()
        .map(|one| {
            let user = ratings.users.name(one.user).unwrap();
            let item = ratings.items.name(one.item).unwrap();
            (user, item, one.value.to_le_bytes())
        })
        .collect();
    rated.sort_unstable();
    let mut linked: Vec<(&str, &str)> = links
        .links
        .iter()
        .map(|(from, to)| {
            (
                links.users.name(*from).unwrap(),
                links.users.name(*to).unwrap(),
            )
        })
        .collect();
    linked.sort_unstable();
    for (platform, commit) in [
        (
            "rating",
            &(|commitment: &mut Commitment| {
                for (user, item, value) in &rated {
                    commitment.row(&[user.as_bytes(), item.as_bytes(), value]);
                }
            }) as &dyn Fn(&mut Commitment),
        ),
        ("social", &|commitment: &mut Commitment| {
            for (from, to) in &linked {
                commitment.row(&[from.as_bytes(), to.as_bytes()]);
            }
        }),
    ] {
        let store = Store::open(&pair.home.data_dir(platform)).unwrap();
        for name in names {
            let version = versions::of(&store, name).unwrap().unwrap();
            let mut commitment = Commitment::new(version.salt.as_slice().try_into().unwrap());
            commit(&mut commitment);
            assert_eq!(version.commitment, commitment.finish(), "{platform} {name}");
        }
    }
}
