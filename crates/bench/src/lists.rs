//! Learning lists and making everybody's, on drawn choices: what other libraries are compared with
//! in one sitting.
//!
//! Users belong to communities; each community has an order of the items of its own, and one of its
//! users chooses by it with a power law, or by what everybody chooses.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;
use s3rec_algebra::{Seed, Stream};
use s3rec_model::{ListsModel, ListsSettings};
use s3rec_sparse::{Rating, RatingMatrix};
use serde::{Deserialize, Serialize};

use crate::{BenchError, memory};

/// Users whose lists are made at a time.
const AT_ONCE: usize = 1 << 13;

/// What is drawn and learnt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListsOptions {
    /// Users.
    pub users: u32,
    /// Items.
    pub items: u32,
    /// Choices that are drawn; some of them more than once, which counts once.
    pub choices: u64,
    /// Communities.
    pub communities: u32,
    /// How lists are learnt.
    pub settings: ListsSettings,
    /// Items of a list.
    pub count: usize,
    /// Users whose lists are made and timed.
    pub listed: usize,
    /// Where the choices, held-out choices and factors go for other libraries to read.
    #[serde(skip)]
    pub out: Option<PathBuf>,
}

/// What it took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListsRecord {
    /// What was drawn.
    pub options: ListsOptions,
    /// Choices that are learnt from.
    pub learnt_from: u64,
    /// Threads.
    pub threads: usize,
    /// From the matrix of choices to the factors.
    pub learning_seconds: f64,
    /// Processor seconds of the same.
    pub learning_core_seconds: f64,
    /// Of these, seconds that one thread computed by itself.
    pub learning_serial_seconds: f64,
    /// Getting ready to make lists.
    pub ready_seconds: f64,
    /// Making them.
    pub listing_seconds: f64,
    /// Processor seconds of the same.
    pub listing_core_seconds: f64,
    /// Lists a second.
    pub users_a_second: f64,
    /// NDCG at the lists' length, of one held-out choice a listed user.
    pub ndcg: f64,
    /// Largest resident set.
    pub peak_rss_bytes: u64,
}

/// Draws, learns, lists.
///
/// # Errors
/// Settings that make no sense, and files that cannot be written.
pub fn measure(options: &ListsOptions) -> Result<ListsRecord, BenchError> {
    let (matrix, held_out) = drawn(options)?;
    if let Some(directory) = &options.out {
        write_choices(directory, &matrix, &held_out)?;
    }
    memory::reset_peak();
    let (began, before) = (Instant::now(), memory::core_seconds());
    let alone = memory::own_thread_seconds();
    let model = ListsModel::learn(&matrix, &options.settings)?;
    let learning_seconds = began.elapsed().as_secs_f64();
    let learning_core_seconds = memory::core_seconds() - before;
    let learning_serial_seconds = memory::own_thread_seconds() - alone;
    if let Some(directory) = &options.out {
        for (name, factors) in [("users", model.users()), ("items", model.items())] {
            let values = factors.values().iter();
            write(
                directory,
                &format!("{name}.f64"),
                values.map(|x| x.to_le_bytes()),
            )?;
        }
    }
    let began = Instant::now();
    let weight = options.settings.popularity_weight.unwrap_or(0.0);
    let search = model.search(weight);
    let ready_seconds = began.elapsed().as_secs_f64();
    let (began, before) = (Instant::now(), memory::core_seconds());
    let listed = options.listed.min(matrix.users());
    let mut ndcg = 0.0;
    for first in (0..listed).step_by(AT_ONCE) {
        let lists = search.lists(first..listed.min(first + AT_ONCE), options.count, &matrix);
        for (user, list) in (first..).zip(lists) {
            let place = list.iter().position(|found| found.item == held_out[user]);
            ndcg += place.map_or(0.0, |place| 1.0 / (place as f64 + 2.0).log2());
        }
    }
    let listing_seconds = began.elapsed().as_secs_f64();
    Ok(ListsRecord {
        options: options.clone(),
        learnt_from: matrix.len() as u64,
        threads: rayon::current_num_threads(),
        learning_seconds,
        learning_core_seconds,
        learning_serial_seconds,
        ready_seconds,
        listing_seconds,
        listing_core_seconds: memory::core_seconds() - before,
        users_a_second: listed as f64 / listing_seconds,
        ndcg: ndcg / listed.max(1) as f64,
        peak_rss_bytes: memory::peak_bytes(),
    })
}

/// The choices, and one of each user's that is held out.
fn drawn(options: &ListsOptions) -> Result<(RatingMatrix, Vec<u32>), BenchError> {
    let seed = Seed::from_bytes([29; 32]);
    let (users, items) = (options.users, options.items);
    let of_user = options.choices / u64::from(users.max(1));
    let rows: Vec<Vec<u32>> = (0..users)
        .into_par_iter()
        .map(|user| {
            let mut stream = Stream::new(&seed.derive("choices", &[&user.to_le_bytes()]));
            let mut words = [0u64; 2];
            let community = user % options.communities.max(1);
            // Activity differs by a factor of three.
            let count = of_user / 2 + u64::from(user) % of_user.max(1) + 1;
            let mut row: Vec<u32> = (0..count)
                .map(|_| {
                    stream.fill_u64(&mut words);
                    choice(words, community, items)
                })
                .collect();
            // The first is held out, and no other is the same.
            let held_out = row[0];
            row.sort_unstable();
            row.dedup();
            row.retain(|item| *item != held_out);
            row.insert(0, held_out);
            row
        })
        .collect();
    let held_out = rows.iter().map(|row| row[0]).collect();
    let ratings = rows.iter().zip(0u32..).flat_map(|(row, user)| {
        let items = row[1..].iter();
        items.map(move |&item| Rating {
            user,
            item,
            value: 1.0,
        })
    });
    let ratings: Vec<Rating> = ratings.collect();
    drop(rows);
    let matrix = RatingMatrix::from_ratings(users as usize, items as usize, &ratings)?;
    Ok((matrix, held_out))
}

/// By the community's order in seven of ten, by everybody's in three.
fn choice([place, kind]: [u64; 2], community: u32, items: u32) -> u32 {
    let u = (place >> 11) as f64 / (1u64 << 53) as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "below the number of items"
    )]
    let place = (f64::from(items) * u * u * u.sqrt()) as u64;
    let shift = match kind % 10 {
        0..7 => u64::from(community + 1) * 1_000_003,
        _ => 0,
    };
    #[expect(clippy::cast_possible_truncation, reason = "below the number of items")]
    let item = ((place * 4_294_967_311 + shift) % u64::from(items)) as u32;
    item
}

/// Pairs of user and item, and the held-out items, as 32-bit numbers.
fn write_choices(
    directory: &Path,
    matrix: &RatingMatrix,
    held_out: &[u32],
) -> Result<(), BenchError> {
    let pairs = matrix.iter();
    let pairs = pairs.flat_map(|r| [r.user.to_le_bytes(), r.item.to_le_bytes()]);
    write(directory, "choices.u32", pairs)?;
    let held_out = held_out.iter().map(|item| item.to_le_bytes());
    write(directory, "held_out.u32", held_out)
}

fn write<const N: usize>(
    directory: &Path,
    name: &str,
    values: impl Iterator<Item = [u8; N]>,
) -> Result<(), BenchError> {
    let path = directory.join(name);
    let written = std::fs::create_dir_all(directory)
        .and_then(|()| File::create(&path))
        .and_then(|file| {
            let mut file = BufWriter::new(file);
            for value in values {
                file.write_all(&value)?;
            }
            file.flush()
        });
    written.map_err(|source| BenchError::File { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_learn_what_communities_choose() {
        let options = ListsOptions {
            users: 600,
            items: 400,
            choices: 12_000,
            communities: 4,
            settings: ListsSettings {
                rank: 8,
                sweeps: 5,
                popularity_weight: Some(0.0),
                ..ListsSettings::default()
            },
            count: 10,
            listed: 600,
            out: None,
        };
        let record = measure(&options).unwrap();
        assert!((8_000..12_500).contains(&record.learnt_from));
        // Ten of the 380 that a user does not have, at random, come to 0.012.
        assert!(record.ndcg > 0.036, "{}", record.ndcg);
    }
}
